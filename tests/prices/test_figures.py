"""What a fuel costs in the country, and when a price is old or implausible; the numbers are worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate

import pytest
from conftest import REAL_FEEDS
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as some
from sqlalchemy import Connection, Engine, event, insert, select

from db import begin_writing
from etl import run_load
from models import FUEL_NAMES, FuelFigure, Price, Station, StockOut
from prices.figures import (
    NationalFigure,
    NationalFigures,
    compute_figures,
    find_plausible_range,
    renew_figures,
    store_figures,
)
from settings import Settings

NEWEST = datetime(2023, 11, 22, 22, 0, tzinfo=UTC)
GAZOLE, SP95, E85, GPLC, E10, SP98 = 1, 2, 3, 4, 5, 6


def find(connection: Connection, as_of: datetime = NEWEST) -> dict[int, NationalFigure]:
    return NationalFigures().find(connection, "", as_of)


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
        store_figures(connection, NEWEST)
        return find(connection)


def test_each_fuel_has_its_median_lowest_count_and_plausible_range(engine: Engine) -> None:
    figures = work_out(engine, [(GAZOLE, 1700), (GAZOLE, 1800), (GAZOLE, 1900), (SP98, 1950)])
    fresh_from = NEWEST - timedelta(days=30)
    assert figures == {
        GAZOLE: NationalFigure(GAZOLE, 1800, 1700, 3, fresh_from, 900, 3600),
        SP98: NationalFigure(SP98, 1950, 1950, 1, fresh_from, 975, 3900),
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
    figures = work_out(engine, [(GAZOLE, price) for price in (499, 500, 1000, 1000, 1000, 2000, 2001)])
    assert figures[GAZOLE] == NationalFigure(GAZOLE, 1000, 500, 5, NEWEST - timedelta(days=30), 500, 2000)


def test_a_price_at_which_nobody_can_buy_is_never_the_lowest(engine: Engine) -> None:
    work_out(engine, [(GAZOLE, price) for price in (1500, 1700, 1800, 1900, 1700)])
    with begin_writing(engine) as connection:
        connection.execute(insert(StockOut).values(station_id=1, gastype_id=GAZOLE))
        connection.execute(insert(StockOut).values(station_id=2, gastype_id=E10))  # of another fuel
        store_figures(connection, NEWEST)
        figure = find(connection)[GAZOLE]
        assert (figure.lowest_milli_eur, figure.median_milli_eur, figure.station_count) == (1700, 1700, 5)
        connection.execute(insert(StockOut), [{"station_id": id_, "gastype_id": GAZOLE} for id_ in (2, 3, 4, 5)])
        store_figures(connection, NEWEST)
        assert find(connection)[GAZOLE].lowest_milli_eur == 1500, "there is no other"


def test_an_implausible_price_is_not_the_lowest_because_all_others_ran_out(engine: Engine) -> None:
    work_out(engine, [(GAZOLE, price) for price in (1000, 1100, 1000, 2300)])
    with begin_writing(engine) as connection:
        connection.execute(insert(StockOut), [{"station_id": id_, "gastype_id": GAZOLE} for id_ in (1, 2, 3)])
        store_figures(connection, NEWEST)
        assert find(connection)[GAZOLE].lowest_milli_eur == 1000


def test_both_ends_of_the_range_are_plausible() -> None:
    figure = NationalFigure(GAZOLE, 1000, 900, 5, NEWEST, 800, 1700)
    standings = [figure.judge(price, NEWEST) for price in (799, 800, 1700, 1701)]
    assert standings == ["implausible", "fresh", "fresh", "implausible"]


def test_an_implausible_price_is_that_at_any_age() -> None:
    figure = NationalFigure(GAZOLE, 1000, 900, 5, NEWEST, 800, 1700)
    assert figure.judge(500, NEWEST - timedelta(days=400)) == "implausible"
    assert figure.judge(900, NEWEST - timedelta(days=400)) == "old"


# The plausible range: which of the fresh prices are outside of it


def list_implausible(prices: Sequence[int], fuel: int = GAZOLE) -> list[int]:
    lowest, highest = find_plausible_range(fuel, prices)
    return sorted(price for price in prices if not lowest <= price <= highest)


@pytest.mark.parametrize(("fuel", "percent"), [(GAZOLE, 4), (SP95, 4), (E85, 7), (GPLC, 7), (E10, 4), (SP98, 4)])
def test_a_gap_is_wide_beyond_4_percent_of_the_median_and_7_for_e85_and_gplc(fuel: int, percent: int) -> None:
    for median in (1000, 1010, 1999):
        width = median * percent // 100  # the widest gap in whole thousandths that is none
        usual = [median] * 98
        outer = [median - 2 * width, median - width, median + width, median + 2 * width]
        assert list_implausible([*usual, *outer], fuel) == []
        apart = [median - width - 1, median + width + 1]
        assert list_implausible([*usual, *apart], fuel) == apart


@pytest.mark.parametrize(
    ("isolated", "count", "is_cut"), [(1, 49, False), (1, 50, True), (2, 99, False), (2, 100, True), (3, 100, False)]
)
def test_at_most_2_percent_of_the_prices_are_isolated_at_either_end(isolated: int, count: int, is_cut: bool) -> None:
    for price in (860, 1140):
        prices = [1000] * (count - isolated) + [price] * isolated
        assert list_implausible(prices) == ([price] * isolated if is_cut else [])


def test_each_end_has_its_own_2_percent() -> None:
    isolated = [800, 860, 1140, 1200]
    assert list_implausible([*isolated, *[1000] * 96]) == isolated


@pytest.mark.parametrize(
    ("outer", "implausible"),
    [
        ([900, 800], [800, 900]),  # the first gap ends the range, and all beyond it are out
        ([900, 899], [899, 900]),
        ([900, 800, 700], [700, 800]),  # beyond the first gap lie 3 %
        ([900, 900, 900, 800, 790], [790, 800]),
        ([900, 900, 899, 899], []),
        ([900, 870, 840, 810, 780], []),
    ],
)
def test_the_first_gap_with_few_prices_beyond_it_ends_the_range(outer: list[int], implausible: list[int]) -> None:
    usual = [1000] * (100 - len(outer))
    assert list_implausible(usual + outer) == implausible
    assert list_implausible(usual + [2000 - price for price in outer]) == [2000 - p for p in reversed(implausible)]


def test_below_half_and_above_twice_the_median_every_price_is_implausible_however_many_there_are() -> None:
    usual = [1001] * 60
    assert list_implausible([500] * 20 + usual + [2003] * 19) == [500] * 20 + [2003] * 19
    assert list_implausible([501] * 20 + usual + [2002] * 19) == []


def test_impossible_prices_do_not_shield_an_isolated_one() -> None:
    assert list_implausible([1, 100, 860, *[1000] * 94, 1140, 7849, 9999]) == [1, 100, 860, 1140, 7849, 9999]


@pytest.mark.parametrize(
    "prices", [[1800], [1700, 1900], [1600, 1800, 2000], [1800] * 1000, [1200, *[1800] * 20, 2900], [1, 1], [1, 2, 2]]
)
def test_among_few_prices_or_equal_ones_none_is_isolated(prices: list[int]) -> None:
    assert list_implausible(prices) == []


def test_an_older_price_is_plausible_as_far_beyond_the_last_fresh_one_as_a_gap_may_be_wide() -> None:
    # 4 % of the median are 40: an older price of 860 has no gap that is wide between itself and 900.
    usual = [900] * 3 + [1000] * 94 + [1100] * 3
    assert find_plausible_range(GAZOLE, [800, 800, *usual, 1200, 1200]) == (860, 1140)
    assert find_plausible_range(GAZOLE, [520, *[540] * 3, *usual, *[1970] * 3, 1990]) == (500, 2000)


def test_where_no_gap_ends_the_range_half_and_twice_the_median_do() -> None:
    assert find_plausible_range(GAZOLE, [970, *[1001] * 60, 1040]) == (501, 2002)
    assert find_plausible_range(GAZOLE, [900, *[1001] * 60, 1040]) == (961, 2002)  # at the low end only
    assert find_plausible_range(GAZOLE, [900, 900, *[1001] * 60, 1040]) == (501, 2002)


def list_smooth_prices(draw: some.DrawFn, fuel: int) -> list[int]:
    """Draw prices between which no gap is wide, at least 100 of them, all far from half and twice their median."""
    lowest = draw(some.integers(500, 2500))
    # A price more moves the median to the price beside it, so that a gap has to be a little narrower to stay one.
    step = draw(some.integers(5, lowest * (6 if fuel in (E85, GPLC) else 3) // 100))
    highest = draw(some.integers(lowest + step, lowest * 9 // 5))
    between = draw(some.lists(some.integers(lowest, highest), min_size=100, max_size=250))
    return sorted([*range(lowest, highest, step), highest, *between])


@effort(max_examples=200, deadline=None)
@given(data=some.data(), fuel=some.sampled_from(list(FUEL_NAMES)))
def test_one_isolated_price_more_never_changes_who_is_cheapest(data: some.DataObject, fuel: int) -> None:
    smooth = data.draw(some.composite(list_smooth_prices)(fuel))
    apart = smooth[-1] * (8 if fuel in (E85, GPLC) else 5) // 100
    isolated = some.integers(1, smooth[0] - apart) | some.integers(smooth[-1] + apart, 20_000)
    before = smooth + data.draw(some.lists(isolated, max_size=len(smooth) * 2 // 100 - 1))
    after = [*before, data.draw(isolated)]
    for prices in (before, after):
        lowest, highest = find_plausible_range(fuel, prices)
        assert sorted(price for price in prices if lowest <= price <= highest) == smooth


@effort(max_examples=200, deadline=None)
@given(data=some.data(), fuel=some.sampled_from(list(FUEL_NAMES)), median=some.integers(100, 3000))
def test_a_smooth_tail_is_never_cut(data: some.DataObject, fuel: int, median: int) -> None:
    steps = some.lists(some.integers(0, median * (7 if fuel in (E85, GPLC) else 4) // 100), max_size=60)
    down, up = data.draw(steps), data.draw(steps)
    lower = [max(median - total, (median + 1) // 2) for total in accumulate(down)]
    higher = [min(median + total, median * 2) for total in accumulate(up)]
    usual = [median] * (abs(len(lower) - len(higher)) + 1)  # enough of them to be the middle
    assert list_implausible([*lower, *usual, *higher], fuel) == []


@pytest.mark.parametrize(("fuel", "days"), [(GAZOLE, 30), (SP95, 30), (E85, 90), (GPLC, 90), (E10, 30), (SP98, 30)])
def test_a_price_is_old_after_30_days_and_for_e85_and_gplc_after_90(engine: Engine, fuel: int, days: int) -> None:
    limit = timedelta(days=days)
    prices = [(fuel, 1000, limit), (fuel, 900, limit + timedelta(seconds=1)), (fuel, 1100)]
    figure = work_out(engine, prices)[fuel]
    assert (figure.median_milli_eur, figure.lowest_milli_eur, figure.station_count) == (1000, 1000, 2)
    assert figure.fresh_from == NEWEST - limit
    assert figure.judge(1000, NEWEST - limit) == "fresh"
    assert figure.judge(1000, NEWEST - limit - timedelta(seconds=1)) == "old"


def test_a_price_grows_old_whatever_other_fuels_report(engine: Engine) -> None:
    figures = work_out(engine, [(GAZOLE, 1700, timedelta(days=31)), (GAZOLE, 1800, timedelta(days=29)), (E10, 1750)])
    assert (figures[GAZOLE].station_count, figures[GAZOLE].fresh_from) == (1, NEWEST - timedelta(days=30))


def test_a_fuel_without_a_fresh_price_has_no_figure(engine: Engine) -> None:
    assert work_out(engine, [(GAZOLE, 1700, timedelta(days=31)), (E10, 1750)]).keys() == {E10}


def test_without_prices_there_are_no_figures(engine: Engine) -> None:
    assert work_out(engine, []) == {}


def test_new_figures_take_the_place_of_the_former(engine: Engine) -> None:
    work_out(engine, [(GAZOLE, 1700), (SP98, 1950)])
    with begin_writing(engine) as connection:
        connection.execute(Price.__table__.delete().where(Price.gastype_id == SP98))
        connection.execute(Price.__table__.update().values(price=1600))
        store_figures(connection, NEWEST)
        figures = find(connection)
    assert {fuel: figure.median_milli_eur for fuel, figure in figures.items()} == {GAZOLE: 1600}


# How many of the fresh prices of a real feed are isolated, at the low and at the high end.
ISOLATED = {
    "instantane_2023-11-22T2220.zip": {
        GAZOLE: (3, 1), SP95: (1, 3), E85: (0, 8), GPLC: (1, 2), E10: (3, 1), SP98: (0, 1),
    },
    "instantane_2023-11-23T0820.zip": {
        GAZOLE: (3, 1), SP95: (1, 3), E85: (0, 8), GPLC: (1, 2), E10: (3, 2), SP98: (0, 0),
    },
    "instantane_2023-11-23T1020.zip": {
        GAZOLE: (3, 1), SP95: (1, 3), E85: (0, 7), GPLC: (1, 2), E10: (3, 2), SP98: (1, 0),
    },
    "years/instantane_2019-05-10.zip": {
        GAZOLE: (0, 5), SP95: (0, 3), E85: (1, 13), GPLC: (1, 5), E10: (0, 4), SP98: (1, 0),
    },
    "years/instantane_2023-11-28T1420.zip": {
        GAZOLE: (2, 1), SP95: (2, 3), E85: (0, 5), GPLC: (1, 3), E10: (2, 0), SP98: (0, 0),
    },
    "years/instantane_ruptures_2026-06-05.zip": {
        GAZOLE: (0, 0), SP95: (1, 3), E85: (0, 5), GPLC: (0, 1), E10: (0, 0), SP98: (0, 0),
    },
}  # fmt: skip


@dataclass(frozen=True)
class RealFeed:
    """A real feed that was loaded: its figures, and by fuel station, price and report time of each price."""

    figures: dict[int, NationalFigure]
    prices: dict[int, list[tuple[int, int, datetime]]]

    def list_stations(self, fuel: int, standing: str) -> set[int]:
        judge = self.figures[fuel].judge
        return {station_id for station_id, price, at in self.prices[fuel] if judge(price, at) == standing}

    def list_isolated(self, fuel: int, *, is_low: bool) -> list[int]:
        figure = self.figures[fuel]
        fresh = (price for _, price, at in self.prices[fuel] if at >= figure.fresh_from)
        if is_low:
            return sorted(price for price in fresh if price < figure.plausible_from_milli_eur)
        return sorted(price for price in fresh if price > figure.plausible_to_milli_eur)


def load_real(engine: Engine, settings: Settings, name: str) -> RealFeed:
    if not REAL_FEEDS.parent.exists():
        pytest.skip("there are no real feeds beside the project")
    day = date.fromisoformat(name.removesuffix(".zip").rpartition("_")[2][:10])
    now = datetime.combine(day, time(23, 30), UTC)
    report = run_load(settings.model_copy(update={"feed_url": str(REAL_FEEDS / name)}), engine, now=lambda: now)
    assert report.status == "loaded"
    prices: dict[int, list[tuple[int, int, datetime]]] = {fuel: [] for fuel in FUEL_NAMES}
    with engine.connect() as connection:
        for row in connection.execute(select(Price.__table__)):
            prices[row.gastype_id].append((row.station_id, row.price, row.updated_at))
        newest = max(at for reported in prices.values() for _, _, at in reported)
        return RealFeed(compute_figures(connection, newest), prices)


@pytest.mark.parametrize("name", ISOLATED)
def test_isolated_prices_of_a_real_feed_go_and_all_others_stay(engine: Engine, settings: Settings, name: str) -> None:
    feed = load_real(engine, settings, name)
    counts = {
        fuel: (len(feed.list_isolated(fuel, is_low=True)), len(feed.list_isolated(fuel, is_low=False)))
        for fuel in FUEL_NAMES
    }
    assert counts == ISOLATED[name]
    for fuel, figure in feed.figures.items():
        fresh = [price for _, price, at in feed.prices[fuel] if figure.judge(price, at) == "fresh"]
        assert (figure.lowest_milli_eur, figure.station_count) == (min(fresh), len(fresh))


def test_in_november_2023_typing_errors_go_and_the_cheapest_left_are_real(engine: Engine, settings: Settings) -> None:
    feed = load_real(engine, settings, "instantane_2023-11-22T2220.zip")
    assert feed.list_isolated(E10, is_low=True) == [750, 999, 1000]
    assert feed.list_isolated(GAZOLE, is_low=True) == [745, 920, 1000]
    assert feed.list_isolated(SP95, is_low=True) == [1392]
    assert feed.list_isolated(GPLC, is_low=True) == [727]
    for fuel, station_id in ((SP98, 10150002), (E10, 56300001), (SP95, 33690001), (GAZOLE, 35170002), (E85, 6580001)):
        assert station_id in feed.list_stations(fuel, "implausible")
    assert 32730004 in feed.list_stations(GAZOLE, "old"), "the cheapest Gazole of all was reported 196 days before"


def test_the_cheapest_e85_of_2019_is_true_though_far_below_the_median(engine: Engine, settings: Settings) -> None:
    feed = load_real(engine, settings, "years/instantane_2019-05-10.zip")
    assert (feed.figures[E85].lowest_milli_eur, feed.figures[E85].median_milli_eur) == (485, 670)
    cheap = {station_id for station_id, price, at in feed.prices[E85] if 485 <= price <= 533}
    assert len(cheap & feed.list_stations(E85, "fresh")) == 21
    assert not cheap & feed.list_stations(E85, "implausible")


def test_an_sp95_of_2026_at_0_86_of_the_median_is_isolated(engine: Engine, settings: Settings) -> None:
    feed = load_real(engine, settings, "years/instantane_ruptures_2026-06-05.zip")
    assert feed.list_isolated(SP95, is_low=True) == [1711]
    assert feed.figures[SP95].median_milli_eur == 1999


LATER = NEWEST + timedelta(days=10)


def test_figures_follow_the_clock_without_a_load(engine: Engine) -> None:
    figures = work_out(engine, [(GAZOLE, 1600, timedelta(days=25)), (GAZOLE, 1700), (GAZOLE, 1800), (E10, 1750)])
    assert figures[GAZOLE] == NationalFigure(GAZOLE, 1700, 1600, 3, NEWEST - timedelta(days=30), 850, 3400)
    kept = NationalFigures()
    with engine.connect() as connection:
        later = kept.find(connection, "", LATER)
        assert later[GAZOLE] == NationalFigure(GAZOLE, 1700, 1700, 2, LATER - timedelta(days=30), 850, 3400)
        assert later[GAZOLE].judge(1600, NEWEST - timedelta(days=25)) == "old"
        assert kept.find(connection, "", NEWEST + timedelta(days=31)) == {}
        assert kept.find(connection, "", NEWEST) == figures, "another clock was set"


def test_within_the_hour_figures_are_those_that_a_load_stored_and_judge_by_the_clock(engine: Engine) -> None:
    work_out(engine, [(GAZOLE, 1600, timedelta(days=30) - timedelta(minutes=30)), (GAZOLE, 1700)])
    with engine.connect() as connection:
        figure = find(connection, NEWEST + timedelta(minutes=45))[GAZOLE]
    assert (figure.lowest_milli_eur, figure.station_count) == (1600, 2)
    assert figure.judge(1600, NEWEST - timedelta(days=30) + timedelta(minutes=30)) == "old"


def test_figures_that_no_load_stored_are_computed_once_an_hour_and_edition(engine: Engine) -> None:
    work_out(engine, [(GAZOLE, 1700)])
    kept, asked = NationalFigures(), []
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    with engine.connect() as connection:
        for minutes, edition, expected in ((0, "a", 3), (59, "a", 1), (60, "a", 3), (60, "b", 3), (61, "b", 1)):
            asked.clear()
            kept.find(connection, edition, LATER + timedelta(minutes=minutes))
            assert len([text for text in asked if text.startswith("SELECT")]) == expected


def test_an_unchanged_feed_renews_figures_that_are_of_another_day(engine: Engine) -> None:
    work_out(engine, [(GAZOLE, 1600, timedelta(days=25)), (GAZOLE, 1700), (GAZOLE, 1800)])
    for as_of, lowest in ((NEWEST + timedelta(days=1), 1600), (LATER, 1700), (NEWEST, 1600)):
        with begin_writing(engine) as connection:
            renew_figures(connection, as_of)
            assert connection.scalar(select(FuelFigure.lowest_price)) == lowest
    with begin_writing(engine) as connection:
        renew_figures(connection, NEWEST + timedelta(days=40))
        assert connection.scalar(select(FuelFigure.lowest_price)) is None
