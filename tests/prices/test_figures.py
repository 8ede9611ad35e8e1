"""What a fuel costs in the country, and when a price is old or implausible; the numbers are worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select

from db import begin_writing
from etl import run_load
from models import FUEL_NAMES, Price, Station
from prices.figures import NationalFigure, list_national_figures, store_figures
from settings import Settings

NEWEST = datetime(2023, 11, 22, 22, 0, tzinfo=UTC)  # long ago: age counts from here, not from today
GAZOLE, SP95, E85, GPLC, E10, SP98 = 1, 2, 3, 4, 5, 6


def work_out(
    engine: Engine, prices: Iterable[tuple[int, int] | tuple[int, int, timedelta]]
) -> dict[int, NationalFigure]:
    """Work out the figures of these prices: fuel, thousandths of a euro, and age if there is one."""
    with begin_writing(engine) as connection:
        for number, (fuel, price, *age) in enumerate(prices, start=1):
            connection.execute(
                insert(Station).values(
                    id=number,
                    latitude=46.2,
                    longitude=5.2,
                    address="",
                    town="Bourg",
                    zip_code="01000",
                    town_key="bourg",
                    is_motorway=False,
                    has_automat=False,
                    services="",
                )
            )
            reported_at = NEWEST - (age[0] if age else timedelta(0))
            connection.execute(
                insert(Price).values(station_id=number, gastype_id=fuel, price=price, updated_at=reported_at)
            )
        store_figures(connection)
        return list_national_figures(connection)


def test_each_fuel_has_its_median_lowest_and_count(engine: Engine) -> None:
    figures = work_out(engine, [(GAZOLE, 1700), (GAZOLE, 1800), (GAZOLE, 1900), (SP98, 1950)])
    assert figures == {
        GAZOLE: NationalFigure(GAZOLE, 1800, 1700, 3, NEWEST - timedelta(days=30)),
        SP98: NationalFigure(SP98, 1950, 1950, 1, NEWEST - timedelta(days=30)),
    }


@pytest.mark.parametrize(
    ("prices", "median"),
    [
        ([1800], 1800),
        ([1700, 1900], 1700),  # of two in the middle the lower: a price that was really asked
        ([1900, 1700, 1800], 1800),
        ([1000, 1700, 1800, 1900], 1700),
        ([1, 1, 1800, 1800, 20_000], 1800),
    ],
)
def test_the_median_is_a_price_in_the_middle(engine: Engine, prices: list[int], median: int) -> None:
    assert work_out(engine, [(GAZOLE, price) for price in prices])[GAZOLE].median_milli_eur == median


def test_an_implausible_price_is_never_the_lowest_and_counts_for_no_station(engine: Engine) -> None:
    # 0.8 x 1000 = 800 and 1.7 x 1000 = 1700 are the bounds, and still plausible.
    figures = work_out(engine, [(GAZOLE, price) for price in (799, 800, 1000, 1000, 1000, 1700, 1701)])
    assert figures[GAZOLE] == NationalFigure(GAZOLE, 1000, 800, 5, NEWEST - timedelta(days=30))


@pytest.mark.parametrize(
    ("price", "standing"),
    [
        (799, "implausible"),
        (800, "fresh"),
        (1000, "fresh"),
        (1700, "fresh"),
        (1701, "implausible"),
        (7849, "implausible"),
    ],
)
def test_bounds_of_a_plausible_price_are_tenths_of_the_median(price: int, standing: str) -> None:
    assert NationalFigure(GAZOLE, 1000, 900, 5, NEWEST).judge(price, NEWEST) == standing


def test_bounds_are_not_rounded() -> None:
    """0.8 x 1001 = 800.8 and 1.7 x 1001 = 1701.7."""
    figure = NationalFigure(GAZOLE, 1001, 900, 5, NEWEST)
    standings = [figure.judge(price, NEWEST) for price in (800, 801, 1701, 1702)]
    assert standings == ["implausible", "fresh", "fresh", "implausible"]


def test_an_implausible_price_is_that_at_any_age() -> None:
    figure = NationalFigure(GAZOLE, 1000, 900, 5, NEWEST)
    assert figure.judge(500, NEWEST - timedelta(days=400)) == "implausible"
    assert figure.judge(900, NEWEST - timedelta(days=400)) == "old"


@pytest.mark.parametrize(("fuel", "days"), [(GAZOLE, 30), (SP95, 30), (E85, 90), (GPLC, 90), (E10, 30), (SP98, 30)])
def test_a_price_is_old_after_30_days_and_for_e85_and_gplc_after_90(engine: Engine, fuel: int, days: int) -> None:
    limit = timedelta(days=days)
    prices = [(fuel, 1000, limit), (fuel, 900, limit + timedelta(seconds=1)), (fuel, 1100)]
    figure = work_out(engine, prices)[fuel]
    assert figure == NationalFigure(fuel, 1000, 1000, 2, NEWEST - limit)
    assert figure.judge(1000, NEWEST - limit) == "fresh"
    assert figure.judge(1000, NEWEST - limit - timedelta(seconds=1)) == "old"


def test_age_counts_from_the_newest_report_of_any_fuel(engine: Engine) -> None:
    figures = work_out(engine, [(GAZOLE, 1700, timedelta(days=31)), (GAZOLE, 1800, timedelta(days=29)), (E10, 1750)])
    assert figures[GAZOLE] == NationalFigure(GAZOLE, 1800, 1800, 1, NEWEST - timedelta(days=30))


def test_a_fuel_without_a_fresh_price_has_no_figure(engine: Engine) -> None:
    assert work_out(engine, [(GAZOLE, 1700, timedelta(days=31)), (E10, 1750)]).keys() == {E10}


def test_without_prices_there_are_no_figures(engine: Engine) -> None:
    assert work_out(engine, []) == {}


def test_new_figures_take_the_place_of_the_former(engine: Engine) -> None:
    work_out(engine, [(GAZOLE, 1700), (SP98, 1950)])
    with begin_writing(engine) as connection:
        connection.execute(Price.__table__.delete().where(Price.gastype_id == SP98))
        connection.execute(Price.__table__.update().values(price=1600))
        store_figures(connection)
        figures = list_national_figures(connection)
    assert {fuel: figure.median_milli_eur for fuel, figure in figures.items()} == {GAZOLE: 1600}


def test_of_the_real_feed_22_prices_are_implausible_and_the_lowest_left_are_real(
    engine: Engine, settings: Settings, real_feeds: list[Path]
) -> None:
    now = datetime(2023, 11, 22, 22, 30, tzinfo=UTC)
    run_load(settings.model_copy(update={"feed_url": str(real_feeds[0])}), engine, now=lambda: now)
    with engine.connect() as connection:
        figures = list_national_figures(connection)
        prices = list(connection.execute(select(Price.gastype_id, Price.price, Price.updated_at, Price.station_id)))
    assert figures.keys() == FUEL_NAMES.keys()
    standings: dict[str, list[tuple[int, int]]] = {"fresh": [], "old": [], "implausible": []}
    for fuel, price, updated_at, station_id in prices:
        standings[figures[fuel].judge(price, updated_at)].append((fuel, station_id))
    assert len(standings["implausible"]) == 22
    known = {(SP98, 10150002), (E10, 56300001), (SP95, 33690001), (GAZOLE, 35170002), (E85, 6580001), (GPLC, 54520001)}
    assert known <= set(standings["implausible"])
    assert (GAZOLE, 32730004) in standings["old"], "the cheapest Gazole of all was reported 196 days before"
    for fuel, figure in figures.items():
        assert 0.83 <= figure.lowest_milli_eur / figure.median_milli_eur <= 0.94
        assert figure.station_count == sum(known_fuel == fuel for known_fuel, _ in standings["fresh"])
        fresh = [p for f, p, at, _ in prices if f == fuel and figure.judge(p, at) == "fresh"]
        assert figure.lowest_milli_eur == min(fresh)
