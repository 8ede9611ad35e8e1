"""What a fuel costs around a place: which stations are there, in which order, and how their prices compare."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from known_stations import CENTRE, E10, E85, GAZOLE, KM_NORTH, NOW, add_price, add_station, add_stock_out
from sqlalchemy import Connection, Engine, insert, update

from db import begin_writing
from models import Price, Station, StationBrand, StockOut
from prices.figures import NationalFigure
from prices.fuels import FuelRow, list_station_prices
from prices.nearby import LONG_STOCK_OUT, NearbyPrices, Rank, list_nearby_prices, rank_price
from stations.filters import StationFilters

FIGURE = NationalFigure(E10, 1800, 1700, 100, NOW - timedelta(days=30), 1440, 3060)


def list_nearby(connection: Connection, figure: NationalFigure | None = FIGURE, **query: Any) -> NearbyPrices:
    where = {"latitude": CENTRE[0], "longitude": CENTRE[1], "radius_km": 10.0}
    return list_nearby_prices(connection, figure, E10, **({"as_of": NOW} | where | query))


def list_ids(nearby: NearbyPrices) -> list[int]:
    return [row.station_id for row in nearby.rows]


def test_fresh_prices_come_first_then_stock_outs_then_old_and_implausible_ones(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id, price, days in ((1, 1790, 1), (2, 1720, 29), (3, 1700, 31), (4, 900, 1), (5, 1600, 400)):
            add_station(connection, station_id)
            add_price(connection, station_id, price, days=days)
        add_station(connection, 6)  # has run out, and still names a price that would be the lowest
        add_price(connection, 6, 1500)
        add_stock_out(connection, 6)
        add_station(connection, 7)  # has run out and names none
        add_stock_out(connection, 7)
        add_station(connection, 8)  # four times too dear
        add_price(connection, 8, 7200)
        nearby = list_nearby(connection)
    assert [(row.station_id, row.rank, row.price_milli_eur) for row in nearby.rows] == [
        (2, "fresh", 1720),
        (1, "fresh", 1790),
        (6, "out", 1500),
        (7, "out", None),
        (5, "old", 1600),
        (3, "old", 1700),
        (4, "implausible", 900),
        (8, "implausible", 7200),
    ]


def test_a_row_has_the_brand_of_its_station_if_one_is_known(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id in (1, 2, 3):
            add_station(connection, station_id)
            add_price(connection, station_id, 1800 + station_id)
        for station_id, brand in ((1, "Esso"), (3, ""), (4, "Avia")):
            connection.execute(insert(StationBrand).values(station_id=station_id, brand=brand, brand_key="", name="x"))
        rows = list_nearby(connection).rows
    assert [(row.station_id, row.brand) for row in rows] == [(1, "Esso"), (2, ""), (3, "")]


def test_equal_prices_are_ordered_by_distance_and_then_by_id(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id, km in ((1, 3.0), (2, 1.0), (4, 2.0), (3, 2.0)):
            add_station(connection, station_id, km)
            add_price(connection, station_id, 1800)
        nearby = list_nearby(connection)
    assert list_ids(nearby) == [2, 3, 4, 1]
    assert [row.distance_km for row in nearby.rows] == [pytest.approx(km, rel=1e-4) for km in (1, 2, 2, 3)]


def test_the_median_is_that_of_the_fresh_prices_only(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id, price, days in ((1, 1700, 1), (2, 1750, 1), (3, 1800, 1), (4, 1500, 40), (5, 600, 1)):
            add_station(connection, station_id)
            add_price(connection, station_id, price, days=days)
        add_station(connection, 6)
        add_price(connection, 6, 1500)
        add_stock_out(connection, 6)
        nearby = list_nearby(connection)
    assert nearby.median_milli_eur == 1750
    assert [(row.station_id, row.difference_milli_eur) for row in nearby.rows] == [
        (1, -50),
        (2, 0),
        (3, 50),
        (6, None),
        (4, None),
        (5, None),
    ]


def test_the_median_of_an_even_number_is_the_lower_of_the_middle_two(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id, price in ((1, 1700), (2, 1750), (3, 1800), (4, 1900)):
            add_station(connection, station_id)
            add_price(connection, station_id, price)
        assert list_nearby(connection).median_milli_eur == 1750


def test_without_a_fresh_price_there_is_no_median_and_no_tier(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_station(connection, 1)
        add_price(connection, 1, 1700, days=40)
        nearby = list_nearby(connection)
    assert nearby.median_milli_eur is None
    assert [(row.rank, row.difference_milli_eur, row.tier) for row in nearby.rows] == [("old", None, None)]


@pytest.mark.parametrize(
    ("price", "tier"),
    [
        (1939, 0),
        (1940, 0),  # 3 % below the median of 2000
        (1941, 1),
        (1980, 1),  # 1 % below
        (1981, 2),
        (2000, 2),
        (2020, 2),  # 1 % above
        (2021, 3),
        (2060, 3),  # 3 % above
        (2061, 4),
    ],
)
def test_tiers_end_at_one_and_three_percent_from_the_median(engine: Engine, price: int, tier: int) -> None:
    with begin_writing(engine) as connection:
        for station_id, one in enumerate((2000, 2000, 2000, price), start=1):
            add_station(connection, station_id)
            add_price(connection, station_id, one)
        nearby = list_nearby(connection)
    assert nearby.median_milli_eur == 2000
    assert [(row.difference_milli_eur, row.tier) for row in nearby.rows if row.station_id == 4] == [
        (price - 2000, tier)
    ]


@pytest.mark.parametrize(
    ("price", "rank"), [(1439, "implausible"), (1440, "fresh"), (3060, "fresh"), (3061, "implausible")]
)
def test_both_ends_of_the_plausible_range_are_plausible(engine: Engine, price: int, rank: str) -> None:
    with begin_writing(engine) as connection:
        add_station(connection, 1)
        add_price(connection, 1, price)
        assert [row.rank for row in list_nearby(connection).rows] == [rank]


@pytest.mark.parametrize(("seconds", "rank"), [(0, "fresh"), (1, "old")])
def test_a_price_is_fresh_up_to_the_very_second(engine: Engine, seconds: int, rank: str) -> None:
    with begin_writing(engine) as connection:
        add_station(connection, 1)
        add_price(connection, 1, 1800, days=30 + seconds / 86_400)
        assert [row.rank for row in list_nearby(connection).rows] == [rank]


def test_without_a_national_figure_every_price_is_old(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_station(connection, 1)
        add_price(connection, 1, 1800)
        assert [row.rank for row in list_nearby(connection, figure=None).rows] == ["old"]


def test_the_radius_ends_at_its_last_metre(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id, km in ((1, 9.995), (2, 10.005), (3, -9.995), (4, -10.005)):
            add_station(connection, station_id, km)
            add_price(connection, station_id, 1800)
        # In the corner of the box around the circle, 8 km north and 8 km east: 11.3 km away.
        add_station(connection, 5, 8.0, longitude=CENTRE[1] + 8 * KM_NORTH / 0.6947)
        add_price(connection, 5, 1800)
        assert sorted(list_ids(list_nearby(connection))) == [1, 3]


def test_without_a_radius_the_whole_country_is_near(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id, km in ((1, 1.0), (2, 400.0)):
            add_station(connection, station_id, km)
            add_price(connection, station_id, 1800)
        assert list_ids(list_nearby(connection, radius_km=None)) == [1, 2]


def test_with_first_digits_the_postcode_decides_and_no_distance_is_told(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id, km, zip_code, price in (
            (1, 1.0, "23000", 1800),
            (2, 300.0, "20090", 1900),
            (3, 300.0, "20137", 1850),
            (4, 300.0, "20200", 1700),
            (5, 1.0, "12000", 1700),
        ):
            add_station(connection, station_id, km, zip_code=zip_code)
            add_price(connection, station_id, price)
        nearby = list_nearby(connection, zip_prefixes=("200", "201"))
    assert [(row.station_id, row.distance_km) for row in nearby.rows] == [(3, None), (2, None)]


def test_a_station_that_does_not_sell_the_fuel_is_not_there(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_station(connection, 1)
        add_price(connection, 1, 1700, fuel_id=GAZOLE)
        add_stock_out(connection, 1, fuel_id=E85)
        assert list_ids(list_nearby(connection)) == []


def test_a_stock_out_that_may_be_forgotten_comes_after_all_others(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id, days in ((1, 91), (2, 89), (3, 90)):
            add_station(connection, station_id)
            add_stock_out(connection, station_id, days=days)
        for station_id, price in ((4, 1700), (5, 17)):
            add_station(connection, station_id)
            add_price(connection, station_id, price)
        connection.execute(update(StockOut).where(StockOut.station_id == 3).values(began_at=None))
        rows = list_nearby(connection).rows
        later = list_nearby(connection, as_of=NOW + timedelta(days=2)).rows
        in_stock = list_ids(list_nearby(connection, filters=StationFilters(in_stock=True)))
    assert [(row.station_id, row.rank) for row in rows] == [
        (4, "fresh"),
        (2, "out"),
        (3, "out"),  # since when is not known
        (5, "implausible"),
        (1, "long_out"),
    ]
    assert [row.station_id for row in later if row.rank == "long_out"] == [1, 2]
    assert in_stock == [4, 5]


def test_a_station_that_left_the_feed_is_not_there(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_station(connection, 1)
        add_price(connection, 1, 1700)
        connection.execute(update(Station).values(left_feed_at=NOW))
        assert list_ids(list_nearby(connection)) == []


def test_a_row_says_all_of_its_station(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_station(connection, 1, is_motorway=True, address="", town="Aubusson", zip_code="23200")
        add_price(connection, 1, 1700, days=3)
        (row,) = list_nearby(connection).rows
    assert (row.address, row.town, row.zip_code, row.is_motorway) == ("", "Aubusson", "23200", True)
    assert row.point == (CENTRE[0] + KM_NORTH, CENTRE[1])
    assert (row.updated_at, row.out_since) == (NOW - timedelta(days=3), None)


@pytest.mark.parametrize("centre", [(90.0, 0.0), (-90.0, 10.0), (0.0, 180.0), (0.0, -180.0)])
def test_a_place_where_no_station_can_be_has_none(engine: Engine, centre: tuple[float, float]) -> None:
    with begin_writing(engine) as connection:
        add_station(connection, 1)
        add_price(connection, 1, 1700)
        assert list_ids(list_nearby(connection, latitude=centre[0], longitude=centre[1])) == []


def test_a_station_lists_what_it_sells_and_has_run_out_of_by_fuel(engine: Engine) -> None:
    figures = {
        E10: FIGURE,
        GAZOLE: NationalFigure(GAZOLE, 1800, 1700, 100, NOW - timedelta(days=30), 1440, 3060),
        E85: NationalFigure(E85, 900, 700, 100, NOW - timedelta(days=90), 720, 1530),
    }
    sp95, gplc, sp98 = 2, 4, 6
    with begin_writing(engine) as connection:
        for station_id in (1, 2):
            add_station(connection, station_id)
        add_price(connection, 1, 1750, E10)
        add_price(connection, 1, 1850, GAZOLE, days=45)
        add_price(connection, 1, 910, E85, days=45)  # moves rarely: fresh for 90 days
        add_price(connection, 1, 450, sp98)  # of no fuel figures are known for: old
        add_stock_out(connection, 1, fuel_id=GAZOLE)
        add_stock_out(connection, 1, fuel_id=sp95, days=100)
        add_stock_out(connection, 1, fuel_id=gplc)
        add_price(connection, 2, 1111, E10)
        connection.execute(update(StockOut).where(StockOut.gastype_id == gplc).values(began_at=None))
        rows = list_station_prices(connection, 1, figures, as_of=NOW)
        nothing = list_station_prices(connection, 3, figures, as_of=NOW)
    out_since = NOW - timedelta(days=2)
    assert rows == (
        FuelRow(E10, 1750, NOW - timedelta(days=1), "fresh", False, False, None),
        FuelRow(GAZOLE, 1850, NOW - timedelta(days=45), "old", True, False, out_since),
        FuelRow(sp98, 450, NOW - timedelta(days=1), "old", False, False, None),
        FuelRow(E85, 910, NOW - timedelta(days=45), "fresh", False, False, None),
        FuelRow(gplc, None, None, None, True, False, None),
        FuelRow(sp95, None, None, None, True, True, NOW - timedelta(days=100)),
    )
    assert nothing == ()


# Locations


@pytest.fixture
def astray(engine: Engine) -> Iterator[Connection]:
    """Station 1 in place, and two that stand beside it by mistake, of other towns."""
    with begin_writing(engine) as connection:
        for station_id, price, zip_code in ((1, 1790, "23000"), (2, 1700, "30300"), (3, 1710, "30310")):
            add_station(connection, station_id, zip_code=zip_code, is_location_doubtful=station_id > 1)
            add_price(connection, station_id, price)
        yield connection


@pytest.mark.parametrize("fuel_id", [E10, None])
def test_a_station_whose_location_is_doubtful_is_around_no_point(astray: Connection, fuel_id: int | None) -> None:
    nearby = list_nearby_prices(
        astray, FIGURE, fuel_id, as_of=NOW, latitude=CENTRE[0], longitude=CENTRE[1], radius_km=50.0
    )
    assert list_ids(nearby) == [1]


def test_a_station_whose_location_is_doubtful_is_found_around_the_place_of_its_postcode(astray: Connection) -> None:
    nearby = list_nearby(astray, zip_codes=("30300", "30301"))
    assert [(row.station_id, row.point is None, row.distance_km is None) for row in nearby.rows] == [
        (2, True, True),
        (1, False, False),
    ]
    nearest = list_nearby_prices(
        astray, FIGURE, None, as_of=NOW, latitude=CENTRE[0], longitude=CENTRE[1], radius_km=10.0, zip_codes=("30300",)
    )
    assert list_ids(nearest) == [1, 2], "nobody knows how far away it is"


def test_a_station_whose_location_is_doubtful_is_found_by_its_postcode_and_in_the_whole_country(
    astray: Connection,
) -> None:
    assert list_ids(list_nearby(astray, zip_prefixes=("303",))) == [2, 3]
    assert list_ids(list_nearby_prices(astray, FIGURE, E10, as_of=NOW)) == [2, 3, 1]


@pytest.mark.parametrize("figure", [FIGURE, None], ids=["a figure", "no figure"])
def test_the_database_ranks_a_price_as_the_rest_of_the_program_does_on_both_sides_of_each_bound(
    engine: Engine, figure: NationalFigure | None
) -> None:
    second = timedelta(seconds=1)
    prices = (FIGURE.plausible_from_milli_eur, FIGURE.plausible_to_milli_eur)
    reports = [
        (price + more, FIGURE.fresh_from + later)
        for price in prices
        for more in (-1, 0, 1)
        for later in (-second, timedelta(), second)
    ]
    outs = [None, NOW - LONG_STOCK_OUT - second, NOW - LONG_STOCK_OUT, NOW - LONG_STOCK_OUT + second]
    wanted: dict[int, Rank] = {}
    with begin_writing(engine) as connection:
        for station_id, ((price, updated_at), out_since) in enumerate(product(reports, outs), start=1):
            add_station(connection, station_id)
            values = {"station_id": station_id, "gastype_id": E10}
            connection.execute(insert(Price).values(values | {"price": price, "updated_at": updated_at}))
            if out_since is not None:
                connection.execute(insert(StockOut).values(values | {"began_at": out_since}))
            wanted[station_id] = rank_price(
                figure, price, updated_at, is_out=out_since is not None, out_since=out_since, as_of=NOW
            )
        nearby = list_nearby(connection, figure)
    assert {row.station_id: row.rank for row in nearby.rows} == wanted
    assert len(set(wanted.values())) == (5 if figure is not None else 3)
