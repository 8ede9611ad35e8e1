"""What may be asked of stations besides a place, on stations made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from known_stations import CENTRE, E10, GAZOLE, NOW, add_price, add_station, add_stock_out
from sqlalchemy import Connection, Engine, insert, update
from test_nearby import FIGURE, list_ids

from db import begin_writing
from models import Station, StationBrand, make_town_key
from prices.fuels import list_fuel_prices
from prices.nearby import list_nearby_prices, list_price_rows, narrow_prices
from stations.filters import StationFilters, list_facts, list_words, split_words

ALWAYS = "|".join(["00:00-24:00"] * 7)
MORNINGS = "|".join(["06:00-12:00"] * 7)
TEN = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)  # ten o'clock in Paris
NOON = TEN + timedelta(hours=2)


def add_selling(connection: Connection, station_id: int, price: int = 1800, **values: Any) -> None:
    """Add a station that sells E10."""
    if "address" in values:
        values["address_key"] = make_town_key(values["address"])
    add_station(connection, station_id, **values)
    add_price(connection, station_id, price)


def list_filtered(connection: Connection, *, fuel_id: int | None = E10, **filters: Any) -> list[int]:
    return list_ids(list_nearby_prices(connection, FIGURE, fuel_id, as_of=NOW, filters=StationFilters(**filters)))


def test_roads_and_motorways_are_told_apart(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_selling(connection, 1)
        add_selling(connection, 2, is_motorway=True)
        assert list_filtered(connection, roads="all") == [1, 2]
        assert list_filtered(connection, roads="road") == [1]
        assert list_filtered(connection, roads="motorway") == [2]


def test_open_now_is_judged_by_the_hours_and_an_automat_is_always_open(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_selling(connection, 1, opening_hours=ALWAYS)
        add_selling(connection, 2, opening_hours=MORNINGS)
        add_selling(connection, 3, opening_hours=MORNINGS, has_automat=True)
        add_selling(connection, 4, opening_hours=None)
        add_selling(connection, 5, opening_hours=None, has_automat=True)
        assert list_filtered(connection, open_at=TEN) == [1, 2, 3, 5]
        assert list_filtered(connection, open_at=NOON) == [1, 3, 5]
        assert list_filtered(connection, has_automat=True) == [3, 5]


def test_a_night_that_began_yesterday_is_open_now_though_today_is_not_known(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_selling(connection, 1, opening_hours="20:00-11:00|?|||||")  # Monday's, of which it is Tuesday
        add_selling(connection, 2, opening_hours="|?|00:00-24:00||||")
        assert list_filtered(connection, open_at=TEN) == [1]
        assert list_filtered(connection, open_at=NOON) == []


def test_all_services_asked_for_must_be_there_and_one_is_not_taken_for_another(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_selling(connection, 1, services="|1|7|12|")
        add_selling(connection, 2, services="|7|")
        add_selling(connection, 3, services="|17|2|")
        assert list_filtered(connection, services=(7,)) == [1, 2]
        assert list_filtered(connection, services=(7, 12)) == [1]
        assert list_filtered(connection, services=(1,)) == [1]


def test_in_stock_leaves_out_who_has_run_out_of_the_fuel_or_of_every_fuel(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_selling(connection, 1)
        add_selling(connection, 2)
        add_stock_out(connection, 2)
        add_price(connection, 2, 1700, GAZOLE)
        add_selling(connection, 3)
        add_stock_out(connection, 3)
        add_station(connection, 4)  # sells nothing at all
        assert list_filtered(connection) == [1, 2, 3]
        assert list_filtered(connection, in_stock=True) == [1]
        assert list_filtered(connection, fuel_id=None) == [1, 2, 3, 4]
        assert list_filtered(connection, fuel_id=None, in_stock=True) == [1, 2]


def test_each_word_begins_a_word_of_address_town_brand_or_name_or_the_postcode(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_selling(connection, 1, address="12 Rue de la Gare", town="Bourges", town_key="bourges", zip_code="18000")
        add_selling(connection, 2, address="Place de la Gare", town="Guéret", town_key="gueret", zip_code="23000")
        add_selling(connection, 3, address="Route des Garennes", town="Bourges", town_key="bourges", zip_code="18000")
        connection.execute(
            insert(StationBrand),
            [
                {"station_id": id_, "brand": brand, "name": name, "brand_key": make_town_key(brand)}
                | {"name_key": make_town_key(name)}
                for id_, brand, name in ((2, "Intermarché Super", ""), (3, "Esso", "Relais de l'Étang"))
            ],
        )
        for text, expected in {
            "rue de la gare bourges": [1],
            "Gare": [1, 2, 3],
            "arennes": [],
            "gar": [1, 2, 3],
            "la GARE 23": [2],
            "intermarché gare": [2],
            "super": [2],
            "étang": [3],
            "esso relais garennes": [3],
            "tang": [],
            "ourges": [],
            "100% _gare": [],
        }.items():
            assert list_filtered(connection, words=split_words(text)) == expected, text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        (" ,;-' ", ()),
        ("St-Étienne st", ("saint", "etienne")),
        ("Total St. Étienne", ("total", "saint", "etienne")),
        ("Garibaldi Lyon 3e arrondissement", ("garibaldi", "lyon", "69003")),
        ("12 rue de Paris", ("12", "rue", "de", "paris")),
        ("Jaurès Amiens Cedex 2", ("jaures", "amiens")),
        ("port, Boulogne s/Mer", ("port", "boulogne", "sur", "mer")),
        ("cedex", ("cedex",)),
    ],
)
def test_a_text_is_split_into_the_words_that_addresses_are_searched_by(text: str, words: tuple[str, ...]) -> None:
    assert split_words(text) == words


@given(some.text(max_size=90) | some.from_regex(r"(de |paris |lyon |3e |s/|st\. |cedex |[a-z ]){1,12}", fullmatch=True))
def test_the_words_of_a_text_stay_as_they_are_in_an_address(text: str) -> None:
    words = split_words(text)
    assert list_words(" ".join(words)) == words


def test_a_long_text_is_cut_to_a_few_words() -> None:
    assert len(split_words("a b c d e f g h i j k l" * 1000)) == 8


def test_any_of_the_brands_will_do(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id, key in ((1, "esso"), (2, "total"), (3, "avia")):
            add_selling(connection, station_id)
            values = {"station_id": station_id, "brand": key.title(), "brand_key": key, "name": ""}
            connection.execute(insert(StationBrand).values(values))
        assert list_filtered(connection, brands=("esso", "avia")) == [1, 3]


def test_without_a_place_prices_are_compared_with_the_median_of_the_country(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_selling(connection, 1, 1700, address="Rue A")
        add_selling(connection, 2, 1740, address="Rue B")
        national = list_nearby_prices(connection, FIGURE, E10, as_of=NOW)
        assert national.median_milli_eur == FIGURE.median_milli_eur == 1800
        assert [row.difference_milli_eur for row in national.rows] == [-100, -60]
        assert [row.distance_km for row in national.rows] == [None, None]
        named = list_nearby_prices(connection, FIGURE, E10, as_of=NOW, filters=StationFilters(words=("rue",)))
        assert named.median_milli_eur == 1700


def test_without_a_fuel_every_station_is_there_unpriced_and_the_nearest_first(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_station(connection, 1, 3.0)
        add_station(connection, 2, 1.0)
        add_price(connection, 1, 1700)
        nearby = list_nearby_prices(
            connection,
            None,
            None,
            as_of=NOW,
            latitude=CENTRE[0],
            longitude=CENTRE[1],
            radius_km=10,
            filters=StationFilters(),
        )
    assert [(row.station_id, row.rank, row.price_milli_eur, row.tier) for row in nearby.rows] == [
        (2, "unpriced", None, None),
        (1, "unpriced", None, None),
    ]


def test_own_stations_are_compared_with_a_given_median_and_the_gone_are_left_out(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_selling(connection, 1, 1700)
        add_station(connection, 2)
        add_selling(connection, 3)
        connection.execute(update(Station).where(Station.id == 3).values(left_feed_at=TEN))
        rows = list_price_rows(connection, FIGURE, E10, [1, 2, 3, 4], 1800, as_of=NOW)
        assert {id_: (row.rank, row.difference_milli_eur) for id_, row in rows.items()} == {
            1: ("fresh", -100),
            2: ("unpriced", None),
        }
        assert list_price_rows(connection, FIGURE, E10, [], 1800, as_of=NOW) == {}


def test_all_fuels_of_some_stations_are_read_at_once(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_selling(connection, 1, 1790)
        add_price(connection, 1, 1600, GAZOLE)
        add_station(connection, 2)
        add_stock_out(connection, 2)
        rows = list_fuel_prices(connection, {E10: FIGURE}, [2, 1, 9], as_of=NOW)
    assert {
        id_: [(row.fuel_id, row.price_milli_eur, row.standing, row.is_out) for row in found]
        for id_, found in rows.items()
    } == {
        1: [(E10, 1790, "fresh", False), (GAZOLE, 1600, "old", False)],
        2: [(E10, None, None, True)],
        9: [],
    }


@pytest.mark.parametrize("open_at", [None, NOW])
@pytest.mark.parametrize("fuel_id", [None, E10])
def test_the_first_rows_of_the_country_are_those_of_all_and_all_are_counted(
    engine: Engine, fuel_id: int | None, open_at: datetime | None
) -> None:
    with begin_writing(engine) as connection:
        for station_id in range(1, 12):
            add_station(connection, station_id)
            add_price(connection, station_id, 1800 - station_id)
            hours = None if station_id == 3 else "|".join(["00:00-24:00" if station_id % 4 else ""] * 7)
            connection.execute(update(Station).where(Station.id == station_id).values(opening_hours=hours))
        filters = StationFilters(open_at=open_at)
        every = list_nearby_prices(connection, FIGURE, fuel_id, as_of=NOW, filters=filters)
        first = list_nearby_prices(connection, FIGURE, fuel_id, as_of=NOW, filters=filters, most=5)
        none = list_nearby_prices(connection, FIGURE, 3, as_of=NOW, filters=filters, most=5)
    assert len(every.rows) == every.total == first.total == (11 if open_at is None else 8)
    assert first.rows[:] == every.rows[:5]
    assert (len(none.rows), none.total) == (0, 0)


FILTERED: tuple[tuple[tuple[str, ...], StationFilters], ...] = (
    ((), StationFilters()),
    (("691",), StationFilters()),
    (("691", "692"), StationFilters(in_stock=True)),
    ((), StationFilters(words=("rue",))),
    ((), StationFilters(open_at=NOW)),
    ((), StationFilters(in_stock=True)),
    ((), StationFilters(has_automat=True, brands=("esso",), open_at=NOW)),
    ((), StationFilters(roads="motorway")),
)


@pytest.mark.parametrize("fuel_id", [None, E10])
@pytest.mark.parametrize(("zip_prefixes", "filters"), FILTERED, ids=str)
def test_to_narrow_the_prices_of_the_country_finds_what_a_search_finds(
    engine: Engine, fuel_id: int | None, zip_prefixes: tuple[str, ...], filters: StationFilters
) -> None:
    with begin_writing(engine) as connection:
        for station_id in range(1, 40):
            add_station(connection, station_id)
            values = {
                "zip_code": "69100" if station_id % 3 else "69200",
                "address_key": "rue a" if station_id % 2 else "quai b",
                "is_motorway": station_id % 5 == 0,
                "has_automat": station_id % 4 == 0,
                "is_location_doubtful": station_id % 7 == 0,
                "opening_hours": "|".join(["00:00-24:00"] * 7) if station_id % 6 == 0 else None,
            }
            connection.execute(update(Station).where(Station.id == station_id).values(values))
            brand = {"station_id": station_id, "brand": "Esso", "brand_key": "esso" if station_id % 3 else "avia"}
            connection.execute(insert(StationBrand).values({**brand, "name": ""}))
            if station_id % 8:
                add_price(connection, station_id, 1700 + 7 * station_id % 60)
            if station_id % 9 == 0:
                add_stock_out(connection, station_id)
        every = list_nearby_prices(connection, FIGURE, fuel_id, as_of=NOW, most=200)
        whole = list_nearby_prices(connection, FIGURE, fuel_id, as_of=NOW, zip_prefixes=zip_prefixes, filters=filters)
        narrowed = narrow_prices(
            connection,
            every,
            list_facts(connection),
            FIGURE,
            fuel_id,
            as_of=NOW,
            zip_prefixes=zip_prefixes,
            filters=filters,
            most=5,
        )
    assert 0 < whole.total == narrowed.total
    assert narrowed.rows[:] == whole.rows[:5]
    assert narrowed.median_milli_eur == whole.median_milli_eur
    assert list(whole.list_points()) == list(narrowed.list_points())
