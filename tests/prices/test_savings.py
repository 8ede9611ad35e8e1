"""What the cheapest of one's own stations saves in a year, and when a detour pays: figures reckoned by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from known_stations import CENTRE, E10, KM_NORTH, NOW

from prices.dashboard import FavouritePrice, FuelBlock
from prices.nearby import Rank
from prices.savings import Vehicle, compare_detours, compute_savings, count_decimals
from stations.geography import Point

USUAL = Vehicle()
START = Point(*CENTRE)


def make_row(
    station_id: int,
    price: int | None,
    *,
    km: float = 0.0,
    rank: Rank = "fresh",
    is_closed: bool = False,
    median: int | None = 1800,
) -> FavouritePrice:
    """Make a row whose station lies so many km, by road, north of the centre."""
    return FavouritePrice(
        station_id=station_id,
        custom_name=f"Mine {station_id}",
        address="",
        town="Guéret",
        point=Point(CENTRE[0] + km / 1.3 * KM_NORTH, CENTRE[1]),
        price_milli_eur=price,
        updated_at=NOW,
        rank=rank,
        out_since=None,
        is_closed=is_closed,
        nearby_median_milli_eur=median,
    )


def test_what_a_driver_did_not_tell_is_reckoned_with_usual_figures() -> None:
    assert (USUAL.litres_per_year, USUAL.consumption, USUAL.fill_up_litres) == (650.0, 6.5, 40)
    told = Vehicle(litres_per_100km=5.0, km_per_year=12_000, tank_litres=55)
    assert (told.litres_per_year, told.consumption, told.fill_up_litres) == (600.0, 5.0, 55)
    assert Vehicle(km_per_year=20_000).litres_per_year == 1300.0


def test_savings_are_litres_times_the_average_of_the_own_less_the_cheapest_and_the_median_less_it() -> None:
    rows = (make_row(1, 1700, median=1750), make_row(2, 1780), make_row(3, 1830))
    savings = compute_savings(FuelBlock(E10, rows), USUAL)
    assert savings is not None
    assert savings.average_milli_eur == 1770  # (1700 + 1780 + 1830) / 3
    assert savings.own_eur == pytest.approx(45.5)  # 650 x 0.070
    assert savings.nearby_eur == pytest.approx(32.5)  # 650 x 0.050
    assert (savings.cheapest_milli_eur, savings.nearby_median_milli_eur, savings.station_count) == (1700, 1750, 3)
    assert savings.litres_per_year == 650


@pytest.mark.parametrize(
    ("prices", "vehicle", "decimals"),
    [
        ((1752, 1774), USUAL, 3),  # 1.763
        ((1752,), USUAL, 3),
        # 1.76825: 650 x 0.01625 = 10.56, that is 11; 650 x (1.768 - 1.752) = 10.40 but 650 x (1.7683 - 1.752) = 10.60
        ((1752, 1768, 1775, 1778), USUAL, 4),
        ((1750, 1751), USUAL, 4),  # 1.7505: 0.33, as with 1.751; but it is no whole thousandth
        # 1.700666...: 20,000 x 0.000666... = 13.33; 20,000 x 0.0007 = 14 but 20,000 x 0.00067 = 13.40
        ((1700, 1701, 1701), Vehicle(10.0, 200_000), 5),
    ],
)
def test_the_average_has_the_decimals_with_which_the_savings_can_be_recomputed(
    prices: tuple[int, ...], vehicle: Vehicle, decimals: int
) -> None:
    rows = tuple(make_row(station_id, price) for station_id, price in enumerate(prices, start=1))
    savings = compute_savings(FuelBlock(E10, rows), vehicle)
    assert savings is not None
    assert count_decimals(savings) == decimals


def test_only_prices_that_can_be_compared_count() -> None:
    rows = (
        make_row(1, 1700),
        make_row(2, 1800, is_closed=True),  # closed now, and open on other days of the year
        make_row(3, 1500, rank="old"),
        make_row(4, 900, rank="implausible"),
        make_row(5, 1400, rank="out"),
        make_row(6, None, rank="out"),
    )
    savings = compute_savings(FuelBlock(E10, rows), USUAL)
    assert savings is not None
    assert (savings.station_count, savings.cheapest_milli_eur) == (2, 1700)
    assert savings.own_eur == pytest.approx(32.5)
    assert compute_savings(FuelBlock(E10, rows[2:]), USUAL) is None
    assert compute_savings(FuelBlock(E10, ()), USUAL) is None


def test_own_stations_dearer_than_those_around_lose_money() -> None:
    rows = (make_row(1, 1850, median=1800), make_row(2, 1870))
    savings = compute_savings(FuelBlock(E10, rows), replace(USUAL, km_per_year=20_000))
    assert savings is not None
    assert savings.own_eur == pytest.approx(13.0)  # 1300 x 0.010
    assert savings.nearby_eur == pytest.approx(-65.0)  # 1300 x -0.050


def test_a_station_alone_is_compared_with_those_around_only() -> None:
    savings = compute_savings(FuelBlock(E10, (make_row(1, 1700, median=1800),)), USUAL)
    assert savings is not None
    assert savings.own_eur is None
    assert savings.nearby_eur == pytest.approx(65.0)
    alone = compute_savings(FuelBlock(E10, (make_row(1, 1700, median=None),)), USUAL)
    assert alone is not None
    assert (alone.own_eur, alone.nearby_eur) == (None, None)


def test_a_detour_costs_the_fuel_of_the_way_there_and_back() -> None:
    block = FuelBlock(E10, (make_row(3, 1650, km=30), make_row(2, 1700, km=10), make_row(1, 1800, km=2)))
    vehicle = Vehicle(litres_per_100km=5.0)  # a tenth of a litre for each km of distance
    first, second, third = compare_detours(block, vehicle, 40, START)
    # Near: 1.8 x (40 + 0.2) = 72.36. Middle: 1.7 x (40 + 1) = 69.70. Far: 1.65 x (40 + 3) = 70.95.
    assert [one.row.station_id for one in (first, second, third)] == [2, 3, 1]
    assert [round(one.gain_eur, 2) for one in (first, second, third)] == [2.66, 1.41, 0.0]
    assert [round(one.distance_km, 1) for one in (first, second, third)] == [10.0, 30.0, 2.0]
    # 1.7 x (40 + d / 10) = 72.36 at d = 25.6; 1.65 x (40 + d / 10) = 72.36 at d = 38.5.
    assert [one.pays_up_to_km and round(one.pays_up_to_km, 1) for one in (first, second, third)] == [25.6, 38.5, None]
    assert [one.is_nearest for one in (first, second, third)] == [False, False, True]


def test_a_detour_to_a_dearer_or_an_equal_station_never_pays() -> None:
    block = FuelBlock(E10, (make_row(1, 1800, km=2), make_row(2, 1800, km=4), make_row(3, 1810, km=3)))
    detours = compare_detours(block, Vehicle(litres_per_100km=5.0), 40, START)
    assert [one.row.station_id for one in detours] == [1, 2, 3]
    assert [round(one.gain_eur, 2) for one in detours] == [0.0, -0.36, -0.58]  # 1.81 x 40.3 - 72.36 = 0.58
    assert [one.pays_up_to_km for one in detours] == [None, None, None]


def test_closed_stations_come_last_and_are_not_the_nearest() -> None:
    rows = (make_row(1, 1800, km=5), make_row(2, 1600, km=1, is_closed=True), make_row(3, 1850, km=9))
    detours = compare_detours(FuelBlock(E10, rows), USUAL, 40, START)
    assert [(one.row.station_id, one.is_nearest) for one in detours] == [(1, True), (3, False), (2, False)]
    at_night = tuple(replace(row, is_closed=True) for row in rows)
    detours = compare_detours(FuelBlock(E10, at_night), USUAL, 40, START)
    assert [(one.row.station_id, one.is_nearest) for one in detours] == [(2, True), (1, False), (3, False)]


def test_prices_that_can_t_be_compared_are_no_detour() -> None:
    rows = (make_row(1, 1800, km=5), make_row(2, 1600, km=1, rank="old"), make_row(3, None, km=1, rank="out"))
    assert [one.row.station_id for one in compare_detours(FuelBlock(E10, rows), USUAL, 40, START)] == [1]


def test_a_way_that_burns_the_whole_fill_up_leads_nowhere() -> None:
    rows = (make_row(1, 1800, km=5), make_row(2, 900, km=399), make_row(3, 100, km=401))
    vehicle = Vehicle(litres_per_100km=5.0)  # 40 litres take it 400 km and back
    assert {one.row.station_id for one in compare_detours(FuelBlock(E10, rows), vehicle, 40, START)} == {1, 2}
    other_side = Point(-CENTRE[0], CENTRE[1] - 180)
    assert compare_detours(FuelBlock(E10, rows), vehicle, 40, other_side) == ()


def test_a_station_whose_location_is_doubtful_is_no_detour() -> None:
    rows = (make_row(1, 1800, km=5), replace(make_row(2, 1700, km=1), point=None))
    assert [one.row.station_id for one in compare_detours(FuelBlock(E10, rows), USUAL, 40, START)] == [1]
