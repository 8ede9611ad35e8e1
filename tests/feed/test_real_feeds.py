"""The three real snapshots, loaded one after the other, are in the database as a second, plain reading finds them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from conftest import DATABASE
from plain_reader import PlainStation, clean_plainly, list_differences, read_plainly, read_stored
from sqlalchemy import Engine, func, select

from db import begin_writing, open_engine, prepare_database
from etl import LoadReport, run_load
from feed.texts import spell_town
from models import EtlRun, FeedState, Station
from settings import Settings

LOADED_AT = [
    datetime(2023, 11, 22, 22, 30, tzinfo=UTC),
    *(datetime(2023, 11, 23, hour, 30, tzinfo=UTC) for hour in (8, 10)),
]
PRICE_COUNTS = [33_435, 33_438, 33_440]
SHARED_PLACES = 36
VANISHED_ID = 71400007  # in the second snapshot, not in the third
SNAPSHOTS = pytest.mark.parametrize("number", range(3), ids=["first", "second", "third"])


@dataclass(frozen=True)
class Loads:
    """What the files say, and what the database held after each of them."""

    read: list[dict[int, PlainStation]]
    stored: list[dict[int, PlainStation]]
    left_at: list[dict[int, datetime]]
    reports: list[LoadReport]
    states: list[dict[str, Any]]
    state_dir: Path


def load_all(feeds: list[Path], state_dir: Path) -> Loads:
    loads = Loads([], [], [], [], [], state_dir)
    settings = Settings(state_dir=state_dir)
    engine = open_engine(settings.database)
    prepare_database(engine)
    for path, now in zip(feeds, LOADED_AT, strict=True):
        loads.read.append(read_plainly(path))
        loads.reports.append(load(settings, engine, path, now))
        with engine.connect() as connection:
            stored = read_stored(connection)
            left = connection.execute(select(Station.id, Station.left_feed_at).where(Station.left_feed_at.is_not(None)))
            loads.left_at.append({row.id: row.left_feed_at for row in left})
            loads.stored.append(stored)
            loads.states.append(dict(connection.execute(select(FeedState.__table__)).mappings().one()))
    engine.dispose()
    return loads


def load(settings: Settings, engine: Engine, path: Path, now: datetime) -> LoadReport:
    return run_load(settings.model_copy(update={"feed_url": str(path)}), engine, now=lambda: now)


@pytest.fixture(scope="module")
def made_once() -> list[Loads]:
    return []


@pytest.fixture
def loads(made_once: list[Loads], real_feeds: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Loads:
    """The three snapshots loaded one after the other, once for all tests here."""
    if not made_once:
        made_once.append(load_all(real_feeds, tmp_path_factory.mktemp("real_feeds")))
    return made_once[0]


@pytest.fixture
def sealed_engine(loads: Loads, settings: Settings) -> Iterator[Engine]:
    """A copy of the database with the third snapshot, in which no row of the feed's tables can be written."""
    if DATABASE != "sqlite":
        pytest.skip("the rows are sealed by triggers of SQLite's")
    for file in loads.state_dir.glob("db.sqlite3*"):
        (settings.state_dir / file.name).write_bytes(file.read_bytes())
    engine = open_engine(settings.database)
    with begin_writing(engine) as connection:
        for table in ("stations", "prices", "stock_outs", "services", "gas_types", "fuel_figures"):
            for change in ("INSERT", "UPDATE", "DELETE"):
                connection.exec_driver_sql(
                    f"CREATE TRIGGER no_{change}_{table} BEFORE {change} ON {table}"
                    f" BEGIN SELECT RAISE(ABORT, '{change} on {table}'); END"
                )
    yield engine
    engine.dispose()


@SNAPSHOTS
def test_every_station_and_price_is_stored_as_the_snapshot_says(loads: Loads, number: int) -> None:
    expected = {
        id_: replace(station, raw_town=spell_town(station.raw_town)) for id_, station in loads.read[number].items()
    }
    stored = {id_: one for id_, one in loads.stored[number].items() if id_ not in loads.left_at[number]}
    assert list_differences(expected, stored) == []
    assert len(stored) == 10_002
    assert sum(len(station.prices) for station in stored.values()) == PRICE_COUNTS[number]


@SNAPSHOTS
def test_two_stations_at_one_place_stay_two(loads: Loads, number: int) -> None:
    stored = loads.stored[number]
    places = Counter((loads.stored[number][id_].latitude_deg, stored[id_].longitude_deg) for id_ in loads.read[number])
    assert Counter(places.values())[2] == SHARED_PLACES
    assert stored[91940008].latitude_deg == stored[91940009].latitude_deg


@SNAPSHOTS
def test_a_town_keeps_its_letters(loads: Loads, number: int) -> None:
    def join_letters(text: str) -> str:
        return "".join(letter for letter in text if letter.isalpha())

    def say_plainly(town: str) -> str:
        """Take the town as the feed has it, without what is no part of its name and with "Saint" in full."""
        name = re.sub(r"\(.*|\bcedex\b.*|\d+(er|e|[eè]me)?$", "", clean_plainly(town).lower())
        return join_letters(re.sub(r"\bst(e?)\b", r"saint\1", name))

    towns = {(station.raw_town, loads.stored[number][id_].raw_town) for id_, station in loads.read[number].items()}
    assert {pair for pair in towns if say_plainly(pair[0]) != join_letters(pair[1].lower())} == set()
    assert len(towns) > 5_000


@SNAPSHOTS
def test_spellings_of_a_town_that_differ_in_case_and_hyphens_become_one(loads: Loads, number: int) -> None:
    spellings: dict[str, set[str]] = {}
    raw_spellings: dict[str, set[str]] = {}
    for id_, station in loads.read[number].items():
        town = clean_plainly(station.raw_town)
        name = " ".join(re.split(r"[\s-]+", town.lower()))
        spellings.setdefault(name, set()).add(loads.stored[number][id_].raw_town)
        raw_spellings.setdefault(name, set()).add(town)
    assert {name: found for name, found in spellings.items() if len(found) > 1} == {}
    assert sum(len(found) > 1 for found in raw_spellings.values()) > 1_000


def test_known_oddities_of_the_first_snapshot_are_read_right(loads: Loads) -> None:
    stored = loads.stored[0]
    assert stored[54300001].latitude_deg == pytest.approx(48.5787909256, abs=1e-10)
    assert 1009 in {price for price, _ in stored[89000001].prices.values()}
    assert stored[81100009].prices == {}
    assert stored[10150002].prices[6][0] == 7849
    assert stored[6110002].zip_code.startswith("06")
    assert stored[44000009].zip_code[:2] != "44" or not str(44000009).startswith(stored[44000009].zip_code)
    assert loads.stored[2][44600010].address == ""
    for id_ in (92330002, 42160003, 77820003, 81260003):
        texts = f"{stored[id_].address}{stored[id_].raw_town}"
        assert not re.search("[\x80-\x9fÃ]", texts), texts


def test_a_station_that_vanished_is_marked_and_has_no_price(loads: Loads) -> None:
    assert loads.left_at == [{}, {}, {VANISHED_ID: LOADED_AT[2]}]
    assert loads.stored[1][VANISHED_ID].prices
    assert loads.stored[2][VANISHED_ID].prices == {}
    assert loads.stored[2].keys() - loads.read[2].keys() == {VANISHED_ID}


def test_only_what_differs_is_written(loads: Loads) -> None:
    assert (loads.reports[0].stations_written, loads.reports[0].prices_written) == (10_002, 33_435)
    for (before, now), report in zip(pairwise(loads.read), loads.reports[1:], strict=True):
        old = {(id_, fuel): price for id_, station in before.items() for fuel, price in station.prices.items()}
        new = {(id_, fuel): price for id_, station in now.items() for fuel, price in station.prices.items()}
        # The prices of a station that left go with it and are not counted.
        changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key) and key[0] in now}
        assert report.prices_written == len(changed)
        assert report.stations_written == sum(before.get(id_) != station for id_, station in now.items())


@SNAPSHOTS
def test_the_state_says_what_was_loaded(loads: Loads, number: int) -> None:
    report, state = loads.reports[number], loads.states[number]
    assert (report.status, report.stations_seen, report.prices_seen) == ("loaded", 10_002, PRICE_COUNTS[number])
    assert (report.stations_rejected, report.prices_rejected) == (0, 0)
    assert (state["station_count"], state["price_count"]) == (10_002, PRICE_COUNTS[number])
    newest = max(at for station in loads.read[number].values() for _, at in station.prices.values())
    assert (state["newest_report_at"], state["loaded_at"]) == (newest, LOADED_AT[number])
    assert (state["stock_outs_at"], state["is_sample"]) == (None, False)


def test_loading_the_same_snapshot_again_writes_no_row(
    sealed_engine: Engine, settings: Settings, real_feeds: list[Path]
) -> None:
    later = datetime(2023, 11, 23, 11, 0, tzinfo=UTC)
    report = load(settings, sealed_engine, real_feeds[2], later)
    assert (report.status, report.stations_written, report.prices_written) == ("unchanged", 0, 0)
    assert (report.stations_seen, report.prices_seen) == (10_002, 33_440)
    with sealed_engine.connect() as connection:
        assert connection.scalar(select(FeedState.loaded_at)) == later
        assert connection.scalar(select(func.count()).select_from(EtlRun)) == 4


def test_the_same_xml_in_another_zip_writes_no_row(
    sealed_engine: Engine, settings: Settings, real_feeds: list[Path], tmp_path: Path
) -> None:
    again = tmp_path / "again.zip"
    with ZipFile(real_feeds[2]) as archive, ZipFile(again, "w", ZIP_DEFLATED, compresslevel=1) as copy:
        (name,) = archive.namelist()
        copy.writestr(name, archive.read(name))
    assert again.read_bytes() != real_feeds[2].read_bytes()
    later = datetime(2023, 11, 23, 11, 0, tzinfo=UTC)
    report = load(settings, sealed_engine, again, later)
    assert (report.status, report.stations_written, report.prices_written) == ("unchanged", 0, 0)
    assert (report.stations_seen, report.prices_seen) == (10_002, 33_440)


def test_another_snapshot_would_be_written(sealed_engine: Engine, settings: Settings, real_feeds: list[Path]) -> None:
    """The seal of the two tests before this one holds."""
    with pytest.raises(Exception, match=r"(INSERT|UPDATE|DELETE) on (stations|prices)"):
        load(settings, sealed_engine, real_feeds[1], datetime(2023, 11, 23, 11, 0, tzinfo=UTC))
