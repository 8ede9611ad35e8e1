"""Several machines share one PostgreSQL: one load an interval, whoever does it, and one writer at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import DATABASE, NOW, MakeFeed
from sqlalchemy import Engine, column, select, table

from db import begin_writing, hold_load_lock, is_load_lock_held
from etl import is_load_running, run_load
from models import FUEL_NAMES, EtlRun
from settings import ROOT, Settings
from statefiles import read_lastjob

pytestmark = pytest.mark.skipif(DATABASE != "postgresql", reason="SQLite is a database of one machine")

INTERVAL = 10
MACHINES = 4


@pytest.fixture
def machines(settings: Settings, engine: Engine, tmp_path: Path) -> list[Settings]:
    """The settings of four machines: a state dir of its own each, one database."""
    made = []
    for number in range(MACHINES):
        folder = tmp_path / f"machine{number}"
        folder.mkdir()
        made.append(settings.model_copy(update={"state_dir": folder, "database_url": settings.database}))
    return made


@pytest.fixture
def start() -> Iterator[Callable[[Settings], subprocess.Popen[bytes]]]:
    """Give a function that starts a background process, ended with the test."""
    with ExitStack() as stack:

        def run(settings: Settings) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [sys.executable, "scheduler.py"], cwd=ROOT, env=settings.as_environment(), stdin=subprocess.DEVNULL
            )
            stack.callback(process.wait, 20)
            stack.callback(process.kill)
            return process

        yield run


def list_runs(engine: Engine) -> list[tuple[datetime, str | None]]:
    with engine.connect() as connection:
        rows = connection.execute(select(EtlRun.started_at, EtlRun.status).order_by(EtlRun.id))
        return [(row.started_at, row.status) for row in rows]


def test_postgresql_knows_how_much_is_in_the_tables_that_a_load_fills(
    settings: Settings, engine: Engine, make_feed: MakeFeed
) -> None:
    report = run_load(settings.model_copy(update={"feed_url": str(make_feed())}), engine, now=lambda: NOW)
    sizes = select(column("relname"), column("reltuples")).select_from(table("pg_class"))
    with engine.connect() as connection:
        known = dict(connection.execute(sizes).all())  # -1: never counted
    assert (known["gas_types"], known["stations"]) == (len(FUEL_NAMES), report.stations_written)
    assert known["prices"] == report.prices_written
    assert known["stock_outs"] >= 0


@pytest.mark.slow
def test_four_background_processes_do_one_load_an_interval(
    machines: list[Settings],
    engine: Engine,
    make_feed: MakeFeed,
    start: Callable[[Settings], subprocess.Popen[bytes]],
) -> None:
    feed = make_feed(stations=200)
    machines = [one.model_copy(update={"feed_url": str(feed), "refresh_seconds": INTERVAL}) for one in machines]
    began_at = datetime.now(UTC)
    processes = [start(one) for one in machines]
    deadline = time.monotonic() + 100
    while len([run for run in list_runs(engine) if run[1] is not None]) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    ended_at = datetime.now(UTC)
    runs = list_runs(engine)
    assert {status for _, status in runs} <= {"loaded", "unchanged", None}
    # As many as there were intervals, not four times as many; a load begins an interval after the end of the last.
    assert len(runs) <= (ended_at - began_at) / timedelta(seconds=INTERVAL) + 1
    assert all(later - earlier >= timedelta(seconds=INTERVAL - 1) for (earlier, _), (later, _) in pairwise(runs))
    assert [process.poll() for process in processes] == [None] * MACHINES
    assert all(read_lastjob(one, ended_at) is not None for one in machines), "each knows that it was done"


def test_a_load_that_another_machine_has_just_done_is_not_done_again(
    machines: list[Settings], engine: Engine, make_feed: MakeFeed
) -> None:
    first, second, third, _ = (one.model_copy(update={"feed_url": str(make_feed())}) for one in machines)
    second, third = (one.model_copy(update={"feed_url": first.feed_url}) for one in (second, third))
    interval = timedelta(hours=6)
    assert run_load(first, engine, now=lambda: NOW, unless_loaded_within=interval).status == "loaded"
    soon, due = NOW + timedelta(hours=5), NOW + timedelta(hours=6)
    report = run_load(second, engine, now=lambda: soon, unless_loaded_within=interval)
    assert (report.status, len(list_runs(engine))) == ("unchanged", 1)
    assert read_lastjob(second, soon) == NOW, "the next one is due when the other's is"
    run_load(third, engine, now=lambda: due, unless_loaded_within=interval)
    assert len(list_runs(engine)) == 2


def test_a_load_on_one_machine_is_seen_on_another(machines: list[Settings], engine: Engine) -> None:
    with begin_writing(engine, "feed") as connection:
        connection.execute(EtlRun.__table__.insert().values(started_at=NOW))
    assert not is_load_running(machines[0], engine)
    with hold_load_lock(engine, 5):
        with engine.connect() as connection:
            assert is_load_lock_held(connection)
        assert is_load_running(machines[0], engine)
        with pytest.raises(TimeoutError), hold_load_lock(engine, 1):
            pass
    assert not is_load_running(machines[0], engine)


def test_a_long_load_keeps_no_driver_from_changing_anything(engine: Engine) -> None:
    done = threading.Event()

    def change() -> None:
        with begin_writing(engine):
            done.set()

    with begin_writing(engine, "feed"):
        thread = threading.Thread(target=change)
        thread.start()
        assert done.wait(20)
    thread.join(20)
