"""What stands in the database after one feed follows another, record by record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from plain_reader import PlainStation, list_differences, read_plainly, read_stored
from sqlalchemy import Engine, select

from etl import LoadReport, run_load
from feed.generator import RecordDamage
from feed.texts import spell_town
from models import EtlRun, FeedState, FuelFigure, Service, Station, StockOut
from settings import Settings
from statefiles import read_lastjob

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
SIX_HOURS = timedelta(hours=6)
DAMAGED_ID = 1_000_002  # of the generated stations the second, where the first damage is done

MakeFeed = Callable[..., Path]
Load = Callable[..., LoadReport]


@pytest.fixture
def load(settings: Settings, engine: Engine) -> Load:
    """Give a function that loads a feed at a given moment."""

    def load(source: Path, at: datetime = NOW) -> LoadReport:
        return run_load(settings.model_copy(update={"feed_url": str(source)}), engine, now=lambda: at)

    return load


@pytest.fixture
def write_feed(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes a feed of these `<pdv>` elements by hand."""
    count = 0

    def write(*stations: str) -> Path:
        nonlocal count
        count += 1
        path = tmp_path / f"written{count}.zip"
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            archive.writestr("feed.xml", f"<pdv_liste>{''.join(stations)}</pdv_liste>")
        return path

    return write


def write_pdv(id_: int, *inner: str, town: str = "Bourg") -> str:
    return (
        f'<pdv id="{id_}" latitude="4620100" longitude="519800" cp="01000" pop="R"><adresse/><ville>{town}</ville>'
        f"{''.join(inner)}</pdv>"
    )


def write_prix(fuel: int, valeur: str = "1.739", maj: str = "2026-03-10 08:00:00") -> str:
    return f'<prix nom="?" id="{fuel}" maj="{maj}" valeur="{valeur}"/>'


def write_rupture(fuel: int, debut: str = "2026-03-01 16:16:02", fin: str = "", kind: str = "temporaire") -> str:
    return f'<rupture nom="?" id="{fuel}" debut="{debut}" fin="{fin}" type="{kind}"/>'


def read(engine: Engine) -> dict[int, PlainStation]:
    with engine.connect() as connection:
        return read_stored(connection)


def read_expected(path: Path) -> dict[int, PlainStation]:
    """Read a feed as it is to be stored."""
    return {id_: replace(one, raw_town=spell_town(one.raw_town)) for id_, one in read_plainly(path).items()}


def list_prices(engine: Engine) -> set[tuple[int, int, int]]:
    return {(id_, fuel, price) for id_, one in read(engine).items() for fuel, (price, _) in one.prices.items()}


def list_stock_outs(engine: Engine) -> set[tuple[int, int]]:
    with engine.connect() as connection:
        return {(row.station_id, row.gastype_id) for row in connection.execute(select(StockOut.__table__))}


def read_state(engine: Engine) -> Any:
    with engine.connect() as connection:
        return connection.execute(select(FeedState.__table__)).one()


def list_left(engine: Engine) -> dict[int, datetime]:
    with engine.connect() as connection:
        rows = connection.execute(select(Station.id, Station.left_feed_at).where(Station.left_feed_at.is_not(None)))
        return {row.id: row.left_feed_at for row in rows}


def pack_again(path: Path) -> Path:
    """Write the same XML into another zip file."""
    again = path.with_stem(f"{path.stem}_again")
    with ZipFile(path) as archive, ZipFile(again, "w", ZIP_DEFLATED, compresslevel=1) as copy:
        (name,) = archive.namelist()
        copy.writestr(name, archive.read(name))
    assert again.read_bytes() != path.read_bytes()
    return again


# Damaged records

REASONS = {
    RecordDamage.MISSING_ID: "station id can't be read",
    RecordDamage.LETTERS_FOR_ID: "station id can't be read",
    RecordDamage.LETTERS_FOR_COORDINATES: "coordinates can't be read",
    RecordDamage.MISSING_COORDINATES: "coordinates can't be read",
    RecordDamage.COORDINATES_OUT_OF_RANGE: "coordinates lie outside the world",
    RecordDamage.DUPLICATE_STATION: "station stands twice",
    RecordDamage.UNKNOWN_FUEL: "fuel 9 (Kérosène) is not known",
    RecordDamage.PRICE_ZERO: "price is not one",
    RecordDamage.PRICE_NEGATIVE: "price can't be read",
    RecordDamage.PRICE_COMMA: "price can't be read",
    RecordDamage.PRICE_NAN: "price can't be read",
    RecordDamage.PRICE_INFINITE: "price can't be read",
    RecordDamage.PRICE_HUGE: "price can't be read",
    RecordDamage.PRICE_EMPTY: "price can't be read",
    RecordDamage.DATE_GARBAGE: "price date can't be read",
    RecordDamage.DATE_IMPOSSIBLE: "price date can't be read",
    RecordDamage.DATE_NEXT_WEEK: "price date lies in the future",
    RecordDamage.DUPLICATE_PRICE: "price stands twice",
}


def expect_after(damage: RecordDamage, before: PlainStation, after: PlainStation) -> PlainStation:
    """Return the damaged station as it is to be stored: what is damaged of it as before, the rest as it is now."""
    if damage in (RecordDamage.DUPLICATE_STATION, RecordDamage.DUPLICATE_PRICE):
        return after  # the first of the two is a good one
    if damage.rejects == "station":
        return before
    if damage is RecordDamage.UNKNOWN_FUEL:  # no longer one of those that the program knows
        return replace(after, prices=dict(list(after.prices.items())[1:]))
    fuel = next(iter(before.prices))  # the first price is the damaged one
    return replace(after, prices=after.prices | {fuel: before.prices[fuel]})


@pytest.mark.parametrize("damage", RecordDamage)
def test_a_damaged_record_is_rejected_alone(
    damage: RecordDamage, load: Load, make_feed: MakeFeed, engine: Engine
) -> None:
    clean, changed = make_feed(), make_feed(changed_share=1.0)
    damaged = make_feed(changed_share=1.0, record_damages=(damage,))
    load(clean)
    before, expected = read_expected(clean), read_expected(changed)
    assert before[DAMAGED_ID].prices != expected[DAMAGED_ID].prices, "the feed in between changes this station too"

    for at, feed in enumerate((damaged, pack_again(damaged)), start=1):
        report = load(feed, NOW + at * SIX_HOURS)
        stored_now = expected | {DAMAGED_ID: expect_after(damage, before[DAMAGED_ID], expected[DAMAGED_ID])}
        assert list_differences(stored_now, read(engine)) == []
        assert list_left(engine) == {}
        is_station = damage.rejects == "station"
        assert (report.stations_rejected, report.prices_rejected) == ((1, 0) if is_station else (0, 1))
        with engine.connect() as connection:
            run = connection.execute(select(EtlRun.__table__).order_by(EtlRun.id.desc())).first()
        assert run is not None
        assert (run.stations_rejected, run.prices_rejected) == (report.stations_rejected, report.prices_rejected)
        if report.status == "loaded":
            assert f"rejected: 1 x {REASONS[damage]}" in run.message

    assert load(changed, NOW + 3 * SIX_HOURS).is_success
    assert list_differences(expected, read(engine)) == []


def test_damaged_records_of_all_kinds_are_counted_by_reason(
    load: Load, make_feed: MakeFeed, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    report = load(make_feed(record_damages=tuple(RecordDamage)))
    assert (report.stations_rejected, report.prices_rejected) == (6, 12)
    for reason in set(REASONS.values()):
        count = list(REASONS.values()).count(reason)
        assert f"{count} x {reason}" in report.message
        assert f"rejected reason={reason!r} count={count} " in caplog.text
    zero_id = DAMAGED_ID + list(RecordDamage).index(RecordDamage.PRICE_ZERO)
    assert f"rejected reason='price is not one' count=1 stations=[{zero_id}]" in caplog.text


def test_more_stations_gone_than_ids_unreadable_are_gone(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    """A station whose id can't be read may be one that is missing, but not two of them."""
    load(write_feed(*(write_pdv(id_, write_prix(1)) for id_ in (1, 2, 3, 4))))
    unnamed = '<pdv id="?" latitude="4620100" longitude="519800"/>'
    load(write_feed(write_pdv(1, write_prix(1)), write_pdv(2), write_pdv(3), unnamed))
    assert list_left(engine) == {}
    load(write_feed(write_pdv(1, write_prix(1)), write_pdv(2), unnamed))
    assert list_left(engine).keys() == {3, 4}


def test_a_fuel_that_is_not_known_freezes_nothing(load: Load, write_feed: Callable[..., Path], engine: Engine) -> None:
    """The other fuels change, and what left the feed goes: a price, and a stock-out."""
    other = write_pdv(2, write_prix(1), write_prix(5), write_rupture(6))
    load(write_feed(write_pdv(1, write_prix(1), write_prix(5), write_rupture(6)), other))
    new_fuel = '<prix nom="Hydrogène" id="12" maj="2026-03-10 08:00:00" valeur="9.999"/>'
    new_stock_out = '<rupture nom="Hydrogène" id="12" debut="2026-03-01 16:16:02" fin="" type="temporaire"/>'
    report = load(write_feed(write_pdv(1, write_prix(1, "1.700"), new_fuel, new_stock_out), other), NOW + SIX_HOURS)
    assert list_prices(engine) == {(1, 1, 1700), (2, 1, 1739), (2, 5, 1739)}
    assert list_stock_outs(engine) == {(2, 6)}
    assert "1 x fuel 12 (Hydrogène) is not known (station 1)" in report.message
    assert "1 x stock-out: fuel 12 (Hydrogène) is not known (station 1)" in report.message
    assert report.prices_rejected == 1


@pytest.mark.parametrize(
    "damaged",
    [
        write_prix(5, ""),
        write_prix(5, maj="hier"),
        write_prix(5, maj="2027-03-10 08:00:00"),
        '<prix nom="E10" id="" maj="2026-03-10 08:00:00" valeur="1.700"/>',
        '<prix nom="E10" maj="2026-03-10 08:00:00" valeur="1.700"/>',
    ],
)
def test_only_the_fuel_of_a_damaged_price_stays_as_it_was(
    damaged: str, load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    other = write_pdv(2, write_prix(1), write_rupture(6))
    load(write_feed(write_pdv(1, write_prix(1), write_prix(5), write_prix(6), write_rupture(3)), other))
    load(write_feed(write_pdv(1, write_prix(1, "1.700"), damaged), other), NOW + SIX_HOURS)
    assert list_prices(engine) == {(1, 1, 1700), (1, 5, 1739), (2, 1, 1739)}
    assert list_stock_outs(engine) == {(2, 6)}


def test_a_price_that_stands_twice_keeps_nothing_of_the_others(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    load(write_feed(write_pdv(1, write_prix(1), write_prix(5), write_prix(6))))
    load(write_feed(write_pdv(1, write_prix(5, "1.700"), write_prix(5, "1.710"), write_prix(6))), NOW + SIX_HOURS)
    assert list_prices(engine) == {(1, 5, 1700), (1, 6, 1739)}


def test_only_the_fuel_of_a_damaged_stock_out_stays_as_it_was(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    other = write_pdv(2, write_prix(2), write_rupture(6), write_rupture(1))
    load(write_feed(write_pdv(1, write_rupture(1), write_rupture(5), write_rupture(6)), other))
    damaged = '<rupture nom="E10" id="" debut="2026-03-01 16:16:02" fin="" type="temporaire"/>'
    load(write_feed(write_pdv(1, write_rupture(1), damaged), other), NOW + SIX_HOURS)
    assert list_stock_outs(engine) == {(1, 1), (1, 5), (2, 6), (2, 1)}


@pytest.mark.parametrize("blank", ["<prix/>", '<prix nom="" id="" maj="" valeur=" "/>', "<rupture/>", "<prix></prix>"])
def test_an_empty_element_is_no_record(blank: str, load: Load, write_feed: Callable[..., Path], engine: Engine) -> None:
    load(write_feed(write_pdv(1, write_prix(1), write_prix(5))))
    report = load(write_feed(write_pdv(1, write_prix(1), blank)), NOW + SIX_HOURS)
    assert (report.status, report.prices_rejected) == ("loaded", 0)
    assert "rejected" not in report.message
    assert list_prices(engine) == {(1, 1, 1739)}, "the other one has left the feed"


# Feeds of which too little can be read


def test_a_feed_without_one_readable_price_is_refused(
    load: Load, write_feed: Callable[..., Path], engine: Engine, settings: Settings
) -> None:
    load(write_feed(write_pdv(1, write_prix(1)), write_pdv(2)))
    last_load = read_lastjob(settings, NOW)
    for empty in (
        write_feed(write_pdv(1), write_pdv(2)),
        write_feed(write_pdv(1, "<prix/>"), write_pdv(2)),
        write_feed(write_pdv(1, write_prix(1, "?")), write_pdv(2)),
        write_feed(write_pdv(1, write_prix(9)), write_pdv(2)),
    ):
        report = load(empty, NOW + SIX_HOURS)
        assert (report.status, report.message) == ("refused", "it holds 2 stations and not one price")
    assert list_prices(engine) == {(1, 1, 1739)}
    assert read_lastjob(settings, NOW) == last_load == NOW


def test_the_first_feed_needs_a_price_too(load: Load, write_feed: Callable[..., Path], engine: Engine) -> None:
    assert load(write_feed(write_pdv(1), write_pdv(2))).status == "refused"
    assert read(engine) == {}


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda fuel: write_prix(fuel, "1,739"), id="prices"),
        pytest.param(lambda fuel: write_prix(fuel, maj="10/03/2026"), id="dates"),
        pytest.param(lambda fuel: write_prix(fuel + 10), id="fuels that have other numbers"),
        pytest.param(lambda fuel: f'<prix fuel="{fuel}" valeur="1.739" maj="2026-03-10 08:00:00"/>', id="no fuels"),
    ],
)
def test_a_feed_of_which_half_the_prices_became_unreadable_is_refused(
    damage: Callable[[int], str],
    load: Load,
    write_feed: Callable[..., Path],
    engine: Engine,
    settings: Settings,
) -> None:
    load(write_feed(*(write_pdv(id_, write_prix(1), write_prix(5)) for id_ in range(1, 6))))
    before, last_load = list_prices(engine), read_lastjob(settings, NOW)
    stay = [write_pdv(id_, write_prix(1, "1.700"), write_prix(5)) for id_ in range(1, 5)]

    def write(damaged_count: int) -> Path:
        damaged = [write_pdv(id_, damage(1), damage(5)) for id_ in range(1, 1 + damaged_count // 2)]
        if damaged_count % 2:
            id_ = 1 + damaged_count // 2
            damaged.append(write_pdv(id_, damage(1), write_prix(5)))
        rest = [write_pdv(id_, write_prix(1), write_prix(5)) for id_ in range(1 + len(damaged), 6)]
        return write_feed(*damaged, *rest)

    report = load(write(6), NOW + SIX_HOURS)
    assert (report.status, report.message) == (
        "refused",
        "6 of the 10 prices loaded before can't be read any more",
    )
    assert list_prices(engine) == before
    assert read_lastjob(settings, NOW) == last_load == NOW
    assert load(write(5), NOW + 2 * SIX_HOURS).status == "loaded"
    assert load(write_feed(*stay, write_pdv(5, write_prix(1))), NOW + 3 * SIX_HOURS).status == "loaded"


def test_a_feed_of_which_half_the_stations_became_unreadable_is_refused(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    load(write_feed(write_pdv(1, write_prix(1), write_prix(2), write_prix(5)), write_pdv(2, write_prix(1))))
    before = list_prices(engine)
    unreadable = write_pdv(1, write_prix(1)).replace('latitude="4620100"', 'latitude="nord"')
    report = load(write_feed(unreadable, write_pdv(2, write_prix(1))), NOW + SIX_HOURS)
    assert (report.status, report.message) == (
        "refused",
        "3 of the 4 prices loaded before can't be read any more",
    )
    assert list_prices(engine) == before


def test_a_feed_of_which_half_the_stock_outs_became_unreadable_is_refused(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    load(write_feed(*(write_pdv(id_, write_prix(1), write_rupture(5)) for id_ in range(1, 6))))

    def write(damaged_count: int) -> Path:
        damaged = [write_pdv(id_, write_prix(1), write_rupture(55)) for id_ in range(1, damaged_count + 1)]
        rest = [write_pdv(id_, write_prix(1), write_rupture(5)) for id_ in range(damaged_count + 1, 6)]
        return write_feed(*damaged, *rest)

    report = load(write(3), NOW + SIX_HOURS)
    assert (report.status, report.message) == (
        "refused",
        "3 of the 5 stock-outs loaded before can't be read any more",
    )
    assert len(list_stock_outs(engine)) == 5
    assert load(write(2), NOW + 2 * SIX_HOURS).status == "loaded"


def test_stations_whose_ids_become_unreadable_refuse_the_feed_in_small_steps_too(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    def write(readable: int) -> Path:
        stations = [write_pdv(id_, write_prix(1), write_rupture(5)) for id_ in range(1, 41)]
        damaged = [station.replace('id="', 'id="q', 1) for station in stations[readable:]]
        return write_feed(*stations[:readable], *damaged)

    load(write(40))
    assert load(write(21), NOW + SIX_HOURS).is_success
    report = load(write(11), NOW + 2 * SIX_HOURS)
    assert (report.status, report.message) == (
        "refused",
        "29 of the 40 prices loaded before can't be read any more",
    )
    assert len(list_prices(engine)) == 40
    assert list_left(engine) == {}


def test_of_stations_that_are_missing_some_may_be_those_without_an_id(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    """Nine are missing: with eight without an id none of them is taken for gone, with four all of them are."""
    load(write_feed(*(write_pdv(id_, write_prix(1), write_prix(5)) for id_ in range(1, 21))))
    stay = [write_pdv(id_, write_prix(1)) for id_ in range(1, 12)]
    unnamed = write_pdv(1, write_prix(1)).replace('id="1"', 'id="?"', 1)
    assert load(write_feed(*stay, *[unnamed] * 8), NOW + SIX_HOURS).status == "loaded"
    assert list_left(engine) == {}
    assert len(list_prices(engine)) == 11 + 18
    assert load(write_feed(*stay, *[unnamed] * 4), NOW + 2 * SIX_HOURS).status == "loaded"
    assert len(list_left(engine)) == 9
    assert len(list_prices(engine)) == 11


def test_prices_whose_fuels_become_unreadable_refuse_the_feed_in_small_steps_too(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    damaged = write_prix(1).replace('id="1"', 'id="x"')

    def write(readable: int) -> Path:
        return write_feed(*(write_pdv(id_, write_prix(1) if id_ <= readable else damaged) for id_ in range(1, 41)))

    load(write(40))
    assert load(write(21), NOW + SIX_HOURS).is_success
    assert len(list_prices(engine)) == 40
    assert load(write(11), NOW + 2 * SIX_HOURS).status == "refused"
    assert len(list_prices(engine)) == 40


def test_stock_outs_that_say_nothing_say_nothing_of_those_known(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    load(write_feed(write_pdv(1, write_prix(1), write_rupture(5)), write_pdv(2, write_prix(1))))
    blank = '<rupture id="" nom="" debut="" fin="" type=" "/>'
    load(write_feed(write_pdv(1, write_prix(1), blank), write_pdv(2, write_prix(1), "<rupture/>")), NOW + SIX_HOURS)
    assert list_stock_outs(engine) == {(1, 5)}


def test_a_stock_out_that_left_is_none_that_became_unreadable(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    load(write_feed(write_pdv(1, write_prix(1), write_rupture(4))))
    report = load(write_feed(write_pdv(1, write_prix(1), write_rupture(6, debut="?"))), NOW + SIX_HOURS)
    assert report.status == "loaded"
    assert list_stock_outs(engine) == set()


def test_a_feed_whose_stock_outs_all_lost_their_type_is_refused(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    early = write_prix(5, maj="2026-02-28 08:00:00")
    feed = [write_pdv(id_, write_prix(1), early, write_rupture(5)) for id_ in range(1, 6)]
    load(write_feed(*feed))
    report = load(write_feed(*(pdv.replace(' type="temporaire"', "") for pdv in feed)), NOW + SIX_HOURS)
    assert (report.status, report.message) == (
        "refused",
        "5 of the 5 stock-outs loaded before can't be read any more",
    )
    assert len(list_prices(engine)) == 10


def test_new_fuels_at_every_station_do_not_refuse_the_feed(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    load(write_feed(*(write_pdv(id_, write_prix(1)) for id_ in range(1, 6))))
    report = load(
        write_feed(*(write_pdv(id_, write_prix(1, "1.700"), write_prix(7), write_prix(8)) for id_ in range(1, 6)))
    )
    assert (report.status, report.prices_rejected) == ("loaded", 10)
    assert {price for _, _, price in list_prices(engine)} == {1700}


def test_an_archive_of_past_prices_is_refused(
    load: Load, write_feed: Callable[..., Path], engine: Engine, settings: Settings
) -> None:
    def write_days(id_: int, days: range) -> str:
        return write_pdv(id_, *(write_prix(1, maj=f"2026-02-{day:02d}T08:00:00") for day in days))

    load(write_feed(write_pdv(1, write_prix(1))))
    last_load = read_lastjob(settings, NOW)
    for archive in (
        write_feed(write_days(1, range(1, 28)), write_pdv(2, write_prix(5))),
        write_feed(*(write_days(id_, range(1, 3)) for id_ in range(1, 9))),
    ):
        report = load(archive, NOW + SIX_HOURS)
        assert report.status == "refused"
        assert "archive of past prices" in report.message
        assert "--backfill" in report.message
    assert list_prices(engine) == {(1, 1, 1739)}
    assert read_lastjob(settings, NOW) == last_load == NOW


# What goes, and what comes back


def test_a_price_that_vanished_is_no_longer_offered(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    load(write_feed(write_pdv(1, write_prix(1), write_prix(5, "1.799")), write_pdv(2, write_prix(5, "1.819"))))
    report = load(write_feed(write_pdv(1, write_prix(1)), write_pdv(2, write_prix(5, "1.819"))), NOW + SIX_HOURS)
    assert list_prices(engine) == {(1, 1, 1739), (2, 5, 1819)}
    assert (report.status, report.stations_written, report.prices_written) == ("loaded", 1, 1)
    with engine.connect() as connection:
        figures = {row.gastype_id: row.lowest_price for row in connection.execute(select(FuelFigure.__table__))}
    assert figures == {1: 1739, 5: 1819}


def test_a_station_that_vanished_is_marked_and_comes_back_clean(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    stays = [write_pdv(2, write_prix(1)), write_pdv(3, write_prix(1), write_rupture(6))]
    whole = write_feed(write_pdv(1, write_prix(1), write_rupture(5)), *stays)
    load(whole)
    report = load(write_feed(*stays), NOW + SIX_HOURS)
    assert report.status == "loaded"
    assert "stations no longer in the feed: 1" in report.message
    assert list_left(engine) == {1: NOW + SIX_HOURS}
    assert list_prices(engine) == {(2, 1, 1739), (3, 1, 1739)}
    assert list_stock_outs(engine) == {(3, 6)}

    load(write_feed(*stays, write_pdv(4)), NOW + 2 * SIX_HOURS)
    assert list_left(engine) == {1: NOW + SIX_HOURS}, "since it left, not since the last load"

    assert load(whole, NOW + 3 * SIX_HOURS).status == "loaded"
    assert list_left(engine) == {4: NOW + 3 * SIX_HOURS}
    assert list_prices(engine) == {(1, 1, 1739), (2, 1, 1739), (3, 1, 1739)}
    assert list_stock_outs(engine) == {(1, 5), (3, 6)}


def test_a_station_that_left_is_not_among_those_of_the_last_feed(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    load(write_feed(*(write_pdv(id_, write_prix(1)) for id_ in range(1, 9))))
    load(write_feed(*(write_pdv(id_, write_prix(1)) for id_ in range(1, 5))))
    assert read_state(engine).station_count == 4
    assert load(write_feed(write_pdv(1, write_prix(1)), write_pdv(2))).status == "loaded"


def test_only_what_changed_is_written(load: Load, make_feed: MakeFeed, engine: Engine) -> None:
    clean, changed = make_feed(stations=100), make_feed(stations=100, changed_share=0.3)
    load(clean)
    report = load(changed)
    before, after = read_expected(clean), read_expected(changed)
    assert report.stations_written == sum(before[id_] != after[id_] for id_ in before) > 20
    assert report.prices_written == sum(
        before[id_].prices.get(fuel) != price for id_, one in after.items() for fuel, price in one.prices.items()
    )


def test_services_keep_their_number(load: Load, write_feed: Callable[..., Path], engine: Engine) -> None:
    def write(*names: str) -> str:
        return f"<services>{''.join(f'<service>{name}</service>' for name in names)}</services>"

    load(write_feed(write_pdv(1, write("Wifi", "Bar"), write_prix(1))))
    load(write_feed(write_pdv(1, write("Douches", "Bar"), write_prix(1)), write_pdv(2)))
    with engine.connect() as connection:
        services = {row.name: row.id for row in connection.execute(select(Service.__table__))}
        stored = {row.id: row.services for row in connection.execute(select(Station.id, Station.services))}
    assert services == {"Wifi": 1, "Bar": 2, "Douches": 3}
    assert stored == {1: "|3|2|", 2: ""}


def test_a_town_key_fits_its_column(load: Load, write_feed: Callable[..., Path], engine: Engine) -> None:
    load(write_feed(write_pdv(1, write_prix(1), town="&#65018;" * 120)))  # one sign that stands for eighteen letters
    with engine.connect() as connection:
        town_key = connection.scalar(select(Station.town_key))
    assert town_key is not None
    assert 0 < len(town_key) <= Station.__table__.c.town_key.type.length


# Stock-outs


def test_stock_outs_are_stored_with_since_when(load: Load, write_feed: Callable[..., Path], engine: Engine) -> None:
    load(
        write_feed(
            write_pdv(1, write_prix(1), write_rupture(5), write_rupture(6, "2025-07-01 08:00:00", kind="definitive")),
            write_pdv(2, write_rupture(5, fin="2026-03-02 08:00:00")),
            write_pdv(3, write_rupture(1, debut="")),
        )
    )
    with engine.connect() as connection:
        rows = {tuple(row) for row in connection.execute(select(StockOut.__table__))}
    assert rows == {
        (1, 5, datetime(2026, 3, 1, 15, 16, 2, tzinfo=UTC)),
        (3, 1, None),
    }
    assert read_state(engine).stock_outs_at == NOW


def test_a_stock_out_that_changed_is_written(load: Load, write_feed: Callable[..., Path], engine: Engine) -> None:
    load(write_feed(write_pdv(1, write_prix(1), write_rupture(5))))
    load(write_feed(write_pdv(1, write_prix(1), write_rupture(5, "2026-03-02 16:16:02"))))
    with engine.connect() as connection:
        assert connection.scalars(select(StockOut.began_at)).all() == [datetime(2026, 3, 2, 15, 16, 2, tzinfo=UTC)]


def test_a_fuel_that_is_given_up_is_sold_no_longer(load: Load, write_feed: Callable[..., Path], engine: Engine) -> None:
    load(write_feed(write_pdv(1, write_prix(1), write_prix(5, maj="2026-03-01 08:00:00"), write_rupture(6))))
    given_up = (write_rupture(5, kind="definitive"), write_rupture(6, kind="definitive"))
    load(write_feed(write_pdv(1, write_prix(1), write_prix(5, maj="2026-03-01 08:00:00"), *given_up)))
    assert list_prices(engine) == {(1, 1, 1739)}
    assert list_stock_outs(engine) == set()


def test_a_price_in_a_feed_that_names_no_stock_outs_ends_one_that_began_before(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    dry = write_rupture(1)
    load(write_feed(write_pdv(1, dry), write_pdv(2, dry), write_pdv(3, write_prix(5), dry)))
    load(
        write_feed(
            write_pdv(1, write_prix(1, maj="2026-03-01 16:16:03")),
            write_pdv(2, write_prix(1, maj="2026-03-01 16:16:02")),
            write_pdv(3, write_prix(5, maj="2026-03-09 08:00:00")),
        )
    )
    assert list_stock_outs(engine) == {(2, 1), (3, 1)}


@pytest.mark.parametrize("pack", [lambda feed: feed, pack_again])
def test_a_stock_out_whose_end_has_come_goes_although_the_feed_is_the_same(
    load: Load, write_feed: Callable[..., Path], engine: Engine, pack: Callable[[Path], Path]
) -> None:
    over_soon = write_pdv(1, write_prix(1), write_rupture(5, fin="2026-03-12 08:00:00"))
    feed = write_feed(over_soon, write_pdv(2, write_rupture(1)))
    load(feed)
    assert list_stock_outs(engine) == {(1, 5), (2, 1)}
    load(pack(feed), NOW + SIX_HOURS)
    assert list_stock_outs(engine) == {(1, 5), (2, 1)}
    load(pack(feed), NOW + timedelta(days=2))
    assert list_stock_outs(engine) == {(2, 1)}
    assert load(pack(feed), NOW + timedelta(days=3)).status == "unchanged"


def test_generated_stock_outs_are_stored_as_they_stand(load: Load, make_feed: MakeFeed, engine: Engine) -> None:
    feed = make_feed(stations=200)
    load(feed)
    expected = read_expected(feed)
    assert list_differences(expected, read(engine)) == []
    assert sum(len(one.stock_outs) for one in expected.values()) >= 3


def test_a_feed_that_names_no_stock_out_leaves_those_known(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    """1 and 2 ran out. The fallback feed says nothing of it; then the first feed is back, and 1 has been filled up."""
    out, filled = write_pdv(1, write_prix(1), write_rupture(5)), write_pdv(1, write_prix(1))
    others = write_pdv(3, write_prix(1)), write_pdv(4, write_prix(1))
    load(write_feed(out, write_pdv(2, write_rupture(5)), *others))

    report = load(write_feed(filled, write_pdv(2), *others), NOW + SIX_HOURS)
    assert report.status == "loaded"
    assert list_stock_outs(engine) == {(1, 5), (2, 5)}
    assert (read_state(engine).stock_outs_at, read_state(engine).loaded_at) == (NOW, NOW + SIX_HOURS)

    again = write_feed(filled, write_pdv(2), *others)
    assert load(pack_again(again), NOW + 2 * SIX_HOURS).status == "unchanged"
    assert load(again, NOW + 2 * SIX_HOURS).status == "unchanged"
    assert read_state(engine).stock_outs_at == NOW

    # The element of 1 is now the one of the fallback feed, letter for letter.
    load(
        write_feed(filled, write_pdv(2, write_rupture(5)), write_pdv(3, write_rupture(6)), others[1]),
        NOW + 3 * SIX_HOURS,
    )
    assert list_stock_outs(engine) == {(2, 5), (3, 6)}
    assert read_state(engine).stock_outs_at == NOW + 3 * SIX_HOURS


def test_stock_outs_are_as_of_now_when_their_feed_is_unchanged(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    feed = write_feed(write_pdv(1, write_rupture(5)), write_pdv(2, write_prix(1)))
    load(feed)
    assert load(feed, NOW + SIX_HOURS).status == "unchanged"
    assert read_state(engine).stock_outs_at == NOW + SIX_HOURS
    assert load(pack_again(feed), NOW + 2 * SIX_HOURS).status == "unchanged"
    assert read_state(engine).stock_outs_at == NOW + 2 * SIX_HOURS
    assert list_stock_outs(engine) == {(1, 5)}


def test_a_stock_out_that_is_over_goes(load: Load, write_feed: Callable[..., Path], engine: Engine) -> None:
    other = write_pdv(9, write_prix(5), write_rupture(1))
    load(write_feed(write_pdv(1, write_rupture(5)), write_pdv(2, write_rupture(5), write_rupture(6)), other))
    load(write_feed(write_pdv(1, write_rupture(5, fin="2026-03-10 08:00:00")), write_pdv(2, write_rupture(6)), other))
    assert list_stock_outs(engine) == {(2, 6), (9, 1)}


def test_a_stock_out_that_cant_be_read_leaves_the_known_one(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    load(write_feed(write_pdv(1, write_prix(1), write_prix(2), write_rupture(5)), write_pdv(2, write_rupture(5))))
    report = load(write_feed(write_pdv(1, write_prix(1), write_rupture(5, debut="?")), write_pdv(2, write_rupture(5))))
    assert list_stock_outs(engine) == {(1, 5), (2, 5)}
    assert "rejected: 1 x stock-out: date can't be read" in report.message
    assert report.prices_rejected == 0
    assert list_prices(engine) == {(1, 1, 1739)}, "its prices could be read, and one has vanished"


def test_a_stock_out_that_begins_later_gets_its_date_when_its_time_has_come(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    feed = write_feed(write_pdv(1, write_prix(1), write_rupture(5, debut="2026-03-14 08:00:00")))
    for now, began_at in ((NOW, None), (NOW + timedelta(days=5), datetime(2026, 3, 14, 7, tzinfo=UTC))):
        load(feed, now)
        with engine.connect() as connection:
            assert connection.scalars(select(StockOut.began_at)).all() == [began_at]


def test_a_price_reported_ahead_of_time_is_stored_when_its_time_has_come(
    load: Load, write_feed: Callable[..., Path], engine: Engine
) -> None:
    coming = write_pdv(1, write_prix(1, maj="2026-03-14 08:00:00"))
    load(write_feed(coming, write_pdv(2, write_prix(5))))
    assert list_prices(engine) == {(2, 5, 1739)}
    load(write_feed(coming, write_pdv(2, write_prix(5)), write_pdv(3)), NOW + timedelta(days=5))
    assert list_prices(engine) == {(1, 1, 1739), (2, 5, 1739)}


# The state


def test_the_state_says_what_was_loaded(load: Load, write_feed: Callable[..., Path], engine: Engine) -> None:
    feed = write_feed(
        write_pdv(1, write_prix(1, maj="2026-03-10 07:00:00"), write_prix(5, "?")),
        write_pdv(2, write_prix(1, maj="2026-03-10 09:30:00")),
        '<pdv id="x"/>',
    )
    load(feed)
    state = read_state(engine)
    assert (state.source, state.is_sample) == (str(feed), False)
    assert (state.station_count, state.price_count) == (2, 3)
    assert (state.newest_report_at, state.loaded_at) == (datetime(2026, 3, 10, 8, 30, tzinfo=UTC), NOW)
    assert state.stock_outs_at is None
