"""The background process: one at a time, started by a page load, stopped within five seconds, whatever it is doing.

Real processes: an "app" is a small program that holds a Starter, and a "page load" is a call of ensure_running.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from conftest import DATABASE, FIRST_ID, NOW, MakeFeed
from filelock import FileLock
from hanging_mail_server import HangingMailServer
from pydantic import SecretStr
from slow_feed import SlowFeed, find_closed_port, open_black_hole
from sqlalchemy import Engine, insert
from sqlalchemy.exc import DBAPIError

import etl
from db import begin_writing, open_engine, prepare_database
from feed.generator import FeedRecipe, write_feed
from liveness import show_life
from mail import queue_mail
from models import Attempt, Station
from niceness import NICENESS
from scheduler import (
    LIFE_FILE,
    START_PAUSE_SECONDS,
    Starter,
    compute_pause,
    compute_wait,
    find_running,
    is_running,
    remove_stale_pid,
    start_load,
    stop_running,
)
from settings import ROOT, Settings
from statefiles import read_lastjob, write_lastjob, write_line

STOP_SECONDS = 5.0  # what CONTRACT.md promises
APP = """
import sys
from scheduler import Starter
from settings import read_settings

starter, settings = Starter(), read_settings()
print("ready", flush=True)
for line in sys.stdin:
    print(starter.ensure_running(settings, even_if_recent=line == "start\\n"), flush=True)
"""
IMPATIENT_SCHEDULER = """
from logs import set_up_logging
from scheduler import Scheduler
from settings import read_settings

set_up_logging()
Scheduler(read_settings(), first_retry_seconds=0.2).run()
"""
STATION = {
    **{"id": 1, "latitude": 46.2, "longitude": 5.2, "address": "", "town": "Bourg", "zip_code": "01000"},
    **{"town_key": "bourg", "is_motorway": False, "has_automat": False, "services": ""},
}

T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float = 30.0) -> T:
    """Return what `condition` returns as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
    return result


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def find_scheduler(settings: Settings) -> psutil.Process | None:
    """Return the scheduler that `pid.txt` names, if it lives."""
    return psutil.Process(int(settings.pid_file.read_text())) if is_running(settings) else None


class Children:
    """The processes that this one has started since then; a test run may have others already."""

    def __init__(self) -> None:
        self._before = set(psutil.Process().children())

    def list_all(self) -> list[psutil.Process]:
        return [child for child in psutil.Process().children() if child not in self._before]

    def kill_all(self) -> None:
        for child in self.list_all():
            with suppress(psutil.NoSuchProcess):
                child.kill()

    def wait_for_end(self, seconds: float = 30.0) -> None:
        wait_until(lambda: all(is_gone(child) for child in self.list_all()), seconds)


def with_feed(settings: Settings, feed: Path | str, **changes: Any) -> Settings:
    return settings.model_copy(update={"feed_url": str(feed), **changes})


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows; none as long as there is no such table, or no database."""
    if DATABASE == "sqlite" and not (settings.state_dir / "db.sqlite3").exists():
        return []
    engine = open_engine(settings.database)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]
    except DBAPIError as error:
        if any(part in str(error) for part in ("no such table", "does not exist")):
            return []
        raise
    finally:
        engine.dispose()


def list_statuses(settings: Settings) -> list[str | None]:
    """Return how each load ended, oldest first, the sample's left out."""
    return [row[0] for row in query(settings, "SELECT status FROM etl_runs WHERE source <> 'sample' ORDER BY id")]


def read_data(settings: Settings) -> list[list[tuple[Any, ...]]]:
    return [query(settings, f"SELECT * FROM {table}") for table in ("stations", "prices", "stock_outs", "feed_state")]


def has_loaded(settings: Settings) -> bool:
    return read_lastjob(settings, datetime.now(UTC)) is not None


def is_storing(settings: Settings) -> bool:
    """Say whether a load is in its transaction and has written a part of it."""
    if not query(settings, "SELECT 1 FROM etl_runs WHERE finished_at IS NULL"):
        return False
    if DATABASE == "postgresql":
        return not can_write(settings)
    log = settings.state_dir / "db.sqlite3-wal"
    return log.stat().st_size > 300_000 and not can_write(settings)


def can_write(settings: Settings) -> bool:
    """Say whether a load's turn to write is free."""
    if DATABASE == "postgresql":
        return not query(
            settings,
            "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND objid = 731600002 AND backend_xid IS NOT NULL"
            " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
    path = settings.state_dir / "db.sqlite3"
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
    return True


def load_here(settings: Settings) -> None:
    """Load the feed of the settings in this process, as `python etl.py` does."""
    engine = open_engine(settings.database)
    prepare_database(engine)
    assert etl.run_load(settings, engine).status == "loaded"
    engine.dispose()


def list_outputs(settings: Settings, kind: str = "std*") -> list[Path]:
    return sorted(settings.outputs_dir.glob(f"{kind}_*.txt"))


def leave_mail(engine: Engine) -> None:
    """Leave a mail behind, as an app does that ends."""
    with begin_writing(engine) as connection:
        queue_mail(connection, recipient="ada@mailbox.org", subject="left", text="x", html="x", now=datetime.now(UTC))


def wait_for_waiting(scheduler: subprocess.Popen[bytes]) -> None:
    """Read its log until it has loaded and waits for the next load."""
    assert scheduler.stderr is not None
    assert any(re.search(rb"carburoam\.scheduler wait seconds=[1-9]", line) for line in scheduler.stderr)


def list_mails(settings: Settings) -> list[Path]:
    return list((settings.outputs_dir / "mail").glob("*.eml"))


class App:
    """The app: a process of its own in which each line of input is a page load."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def read_answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def load_page(self) -> bool:
        """Load a page; return whether that started the background process."""
        self.ask("page")
        return self.read_answer() == "True"

    def start(self) -> bool:
        """Do what the start of the app does, with no visitor."""
        self.ask("start")
        return self.read_answer() == "True"

    def exit(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)


class Processes:
    """Starts processes, and knows them until they are killed."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}
        self._opened: list[subprocess.Popen[Any]] = []

    def run(self, settings: Settings, *arguments: str, **options: Any) -> subprocess.Popen[Any]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=settings.as_environment(),
            stdout=subprocess.PIPE,
            **{"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, **options},
        )
        self._opened.append(process)
        self.know(psutil.Process(process.pid))
        return process

    def run_scheduler(self, settings: Settings) -> subprocess.Popen[Any]:
        return self.run(settings, "scheduler.py")

    def open_app(self, settings: Settings) -> App:
        return self.open_apps(settings, 1)[0]

    def open_apps(self, settings: Settings, count: int) -> list[App]:
        apps = [App(self.run(settings, "-c", APP, stdin=subprocess.PIPE, stderr=None, text=True)) for _ in range(count)]
        assert {app.read_answer() for app in apps} == {"ready"}
        return apps

    def know(self, process: psutil.Process) -> psutil.Process:
        return self._known.setdefault(process.pid, process)

    def wait_for_scheduler(self, settings: Settings) -> psutil.Process:
        return self.know(wait_until(lambda: find_scheduler(settings)))

    def kill_all(self) -> None:
        for process in list(self._known.values()):
            if process.is_running():
                for child in process.children(recursive=True):
                    self.know(child)
        for process in self._known.values():
            if process.is_running():
                process.kill()
        for opened in self._opened:
            opened.wait(20)
            for pipe in (opened.stdin, opened.stdout, opened.stderr):
                if pipe is not None:
                    pipe.close()


@pytest.fixture
def processes() -> Iterator[Processes]:
    processes = Processes()
    yield processes
    processes.kill_all()


@pytest.fixture
def children() -> Iterator[Children]:
    children = Children()
    yield children
    children.kill_all()


@pytest.fixture
def starter(children: Children) -> Iterator[Starter]:
    starter = Starter()
    yield starter
    starter.stop()
    children.wait_for_end()


@pytest.fixture(scope="session")
def big_feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a feed that takes some seconds to store."""
    path = tmp_path_factory.mktemp("feeds") / "big.zip"
    write_feed(path, FeedRecipe(newest_at=NOW, stations=20_000, first_id=FIRST_ID))
    return path


# When a load is due


@pytest.mark.parametrize(
    ("age_s", "wait_s"), [(None, 0), (0, 600), (1, 599), (599, 1), (600, 0), (10_000_000, 0), (-120, 720), (-121, 0)]
)
def test_a_load_is_due_an_interval_after_the_last_or_when_the_clock_was_set_back(
    age_s: int | None, wait_s: int
) -> None:
    last_success = None if age_s is None else NOW - timedelta(seconds=age_s)
    assert compute_wait(NOW, last_success, 600) == wait_s


def test_pauses_after_failures_double_up_to_the_interval() -> None:
    assert [compute_pause(count, 60, 600) for count in range(1, 7)] == [60, 120, 240, 480, 600, 600]
    assert compute_pause(10_000, 60, 21_600) == 21_600
    assert compute_pause(1, 60, 10) == 10


# What pid.txt says


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"garbage",
        b"-1",
        b"0",
        b"1.5",
        b"999999999",
        b"9" * 30,
        b"9" * 5000,
        b"\xff\x00\xfe",
        "\u0661\u0662".encode(),
        b"12 13",
    ],
    ids=lambda content: repr(content[:12]),
)
def test_a_pid_file_that_names_no_process_counts_as_none(settings: Settings, content: bytes) -> None:
    settings.pid_file.write_bytes(content)
    assert not is_running(settings)


def test_a_missing_pid_file_and_a_folder_in_its_place_count_as_none(settings: Settings) -> None:
    assert not is_running(settings)
    settings.pid_file.mkdir()
    assert not is_running(settings)


def test_a_pid_that_is_now_another_program_counts_as_none(settings: Settings, processes: Processes) -> None:
    sleeper = processes.run(settings, "-c", "import time; time.sleep(60)")
    for pid in (sleeper.pid, os.getpid(), 1):
        write_line(settings.pid_file, str(pid))
        assert not is_running(settings)


@pytest.mark.parametrize("hours", [-9000, -1, 1, 9000])
def test_a_living_scheduler_counts_whatever_the_clock_was_set_to(
    settings: Settings, make_feed: MakeFeed, processes: Processes, hours: int
) -> None:
    """A clock that is set makes the process older or younger than the file, by as much."""
    settings = with_feed(settings, make_feed())
    scheduler = processes.run_scheduler(settings)
    processes.wait_for_scheduler(settings)
    written_at = settings.pid_file.stat().st_mtime + 3600 * hours
    os.utime(settings.pid_file, (written_at, written_at))
    running = find_running(settings)
    assert running is not None
    assert running.pid == scheduler.pid
    assert not Starter().ensure_running(settings, even_if_recent=True)
    assert not remove_stale_pid(settings)


def test_a_pid_that_is_now_the_scheduler_of_another_state_dir_counts_as_none(
    settings: Settings, make_feed: MakeFeed, processes: Processes, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    others = with_feed(settings, make_feed()).model_copy(update={"state_dir": tmp_path / "other"})
    processes.run_scheduler(others)
    other = processes.wait_for_scheduler(others)
    with show_life(settings.state_dir / LIFE_FILE):
        pass  # one lived here once
    write_line(settings.pid_file, str(other.pid))
    assert not is_running(settings)


def test_where_no_scheduler_can_show_that_it_lives_only_one_that_is_older_than_the_pid_file_counts(
    settings: Settings, processes: Processes, tmp_path: Path
) -> None:
    script = tmp_path / "scheduler.py"
    script.write_text("input()\n")
    process = processes.run(settings, str(script), stdin=subprocess.PIPE)
    write_line(settings.pid_file, str(process.pid))
    assert wait_until(lambda: is_running(settings))
    long_ago = time.time() - 3600
    os.utime(settings.pid_file, (long_ago, long_ago))
    assert not is_running(settings)

    write_line(settings.pid_file, str(process.pid))
    assert process.stdin is not None
    process.stdin.close()
    wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    assert not is_running(settings)


# A page load starts it


@pytest.mark.slow
def test_twenty_threads_start_one(
    settings: Settings, make_feed: MakeFeed, starter: Starter, children: Children
) -> None:
    settings = with_feed(settings, make_feed())
    barrier = threading.Barrier(20)
    answers: list[bool] = []

    def load_page() -> None:
        barrier.wait(20)
        answers.append(starter.ensure_running(settings))

    threads = [threading.Thread(target=load_page) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answers) == [False] * 19 + [True]
    wait_until(lambda: has_loaded(settings))
    [child] = children.list_all()
    assert settings.pid_file.read_text() == f"{child.pid}\n"
    assert [len(list_outputs(settings, kind)) for kind in ("stdout", "stderr")] == [1, 1]

    starter.stop()
    children.wait_for_end(STOP_SECONDS)
    assert not settings.pid_file.exists()


@pytest.mark.slow
def test_page_loads_in_twenty_processes_leave_one(
    settings: Settings, make_feed: MakeFeed, processes: Processes
) -> None:
    settings = with_feed(settings, make_feed())
    apps = processes.open_apps(settings, 20)
    for app in apps:
        app.ask("page")
    started = [app for app in apps if app.read_answer() == "True"]
    assert started
    children = [child for app in started for child in psutil.Process(app.process.pid).children()]
    wait_until(lambda: has_loaded(settings))
    wait_until(lambda: sum(not is_gone(child) for child in children) == 1)
    [survivor] = [child for child in children if not is_gone(child)]
    assert settings.pid_file.read_text() == f"{survivor.pid}\n"
    assert len(list_outputs(settings, "stdout")) == len(started)
    assert sum(path.stat().st_size > 0 for path in list_outputs(settings)) == 1  # the log of the one that stayed
    assert list_statuses(settings) == ["loaded"]


@pytest.mark.slow
def test_of_twenty_schedulers_started_at_once_nineteen_leave_in_silence(
    settings: Settings, make_feed: MakeFeed, processes: Processes
) -> None:
    settings = with_feed(settings, make_feed())
    started = [processes.run_scheduler(settings) for _ in range(20)]
    wait_until(lambda: sum(process.poll() is not None for process in started) >= 19)
    left = [process for process in started if process.returncode is not None]
    assert [(process.returncode, *process.communicate()) for process in left] == [(0, b"", b"")] * 19
    [survivor] = [process for process in started if process not in left]
    wait_until(lambda: has_loaded(settings))
    assert settings.pid_file.read_text() == f"{survivor.pid}\n"
    assert survivor.poll() is None
    assert list_statuses(settings) == ["loaded"]


@pytest.mark.slow
def test_a_second_scheduler_leaves_in_silence_before_it_imports_anything_heavy(
    settings: Settings, processes: Processes
) -> None:
    with FileLock(settings.state_dir / "scheduler.lock"):
        silent = processes.run_scheduler(settings)
        traced = processes.run(settings, "-X", "importtime", "scheduler.py")
        assert (*silent.communicate(timeout=20), silent.returncode) == (b"", b"", 0)
        imported = {
            line.rpartition(b"|")[2].strip().decode() for line in traced.communicate(timeout=20)[1].splitlines()
        }
    assert {"filelock", "psutil", "settings"} <= imported
    assert not {name.partition(".")[0] for name in imported} & {
        *("sqlalchemy", "lxml", "requests", "alembic", "pandas", "streamlit", "etl", "db", "models", "feed")
    }
    assert not settings.pid_file.exists()
    assert not (settings.state_dir / "db.sqlite3").exists()


def test_a_recent_load_starts_nothing_and_an_old_one_does(
    settings: Settings, make_feed: MakeFeed, starter: Starter
) -> None:
    settings = with_feed(settings, make_feed(), refresh_seconds=3600)
    write_lastjob(settings, datetime.now(UTC) - timedelta(seconds=3500))
    assert not starter.ensure_running(settings)
    assert not settings.outputs_dir.exists()
    write_lastjob(settings, datetime.now(UTC) - timedelta(seconds=3601))
    assert starter.ensure_running(settings)


@pytest.mark.slow
def test_a_stale_pid_file_and_an_unreadable_lastjob_do_not_keep_it_from_starting(
    settings: Settings, make_feed: MakeFeed, processes: Processes
) -> None:
    settings = with_feed(settings, make_feed())
    write_line(settings.pid_file, str(os.getpid()))
    settings.lastjob_file.write_bytes(b"\xff garbage")
    app = processes.open_app(settings)
    assert app.load_page()
    wait_until(lambda: has_loaded(settings))
    scheduler = processes.wait_for_scheduler(settings)
    assert scheduler.ppid() == app.process.pid
    assert not app.load_page()


@pytest.mark.slow
def test_an_app_without_visitors_loads_when_the_interval_is_over_and_not_before(
    settings: Settings, make_feed: MakeFeed, processes: Processes
) -> None:
    settings = with_feed(settings, make_feed(), refresh_seconds=10)
    load_here(settings)
    last = (datetime.now(UTC) - timedelta(seconds=6)).replace(microsecond=0)
    write_lastjob(settings, last)
    app = processes.open_app(settings)
    assert not app.load_page()
    assert app.start()
    wait_until(lambda: len(list_statuses(settings)) > 1)
    [(started_at,)] = query(settings, "SELECT max(started_at) FROM etl_runs")
    assert datetime.fromisoformat(f"{started_at}+00:00") >= last + timedelta(seconds=10)
    wait_until(lambda: list_statuses(settings) == ["loaded", "unchanged"])
    wait_until(lambda: read_lastjob(settings, datetime.now(UTC)) != last)


@pytest.mark.slow
@pytest.mark.parametrize("held", ["another feed", "nothing"])
def test_a_database_without_the_feed_of_the_settings_is_loaded_at_once(
    settings: Settings, make_feed: MakeFeed, processes: Processes, held: str
) -> None:
    if held == "another feed":
        load_here(with_feed(settings, make_feed(seed=2)))
    write_lastjob(settings, datetime.now(UTC))
    settings = with_feed(settings, make_feed())
    assert processes.open_app(settings).start()
    wait_until(lambda: query(settings, "SELECT source FROM feed_state") == [(settings.feed_url,)])


@pytest.mark.slow
def test_a_load_is_due_at_once_when_lastjob_is_removed(
    settings: Settings, make_feed: MakeFeed, processes: Processes
) -> None:
    settings = with_feed(settings, make_feed())
    wait_for_waiting(processes.run_scheduler(settings))
    assert has_loaded(settings)
    scheduler = processes.wait_for_scheduler(settings)
    settings.lastjob_file.unlink()
    wait_until(lambda: has_loaded(settings))
    assert processes.wait_for_scheduler(settings) == scheduler
    # On a shared database one load an interval is enough, whoever did it.
    assert list_statuses(settings) == (["loaded"] if DATABASE == "postgresql" else ["loaded", "unchanged"])


@pytest.mark.slow
def test_a_lastjob_that_never_was_there_makes_no_load_due(settings: Settings, processes: Processes) -> None:
    wait_for_waiting(processes.run_scheduler(with_feed(settings, "sample")))
    assert not settings.lastjob_file.exists()
    assert query(settings, "SELECT source, status FROM etl_runs") == [("sample", "loaded")]


# It stops within five seconds


BY_HAND: dict[str, Callable[[Settings, psutil.Process], object]] = {
    "SIGTERM": lambda settings, scheduler: scheduler.terminate(),
    "SIGINT": lambda settings, scheduler: scheduler.send_signal(signal.SIGINT),
    "pid.txt removed": lambda settings, scheduler: settings.pid_file.unlink(),
}
BY_APP: dict[str, Callable[[App], object]] = {"app ends": App.exit, "app killed": App.kill}


@pytest.fixture
def stopping(request: pytest.FixtureRequest, processes: Processes) -> Stopping:
    return Stopping(str(request.param), processes)


class Stopping:
    """A cause to stop: a scheduler is started in the way that goes with it, and must be gone within five seconds."""

    def __init__(self, cause: str, processes: Processes) -> None:
        self._cause = cause
        self._processes = processes

    def start(self, settings: Settings) -> None:
        self._settings = settings
        if self._cause in BY_APP:
            self._app = self._processes.open_app(settings)
            assert self._app.start()
        else:
            self._by_hand = self._processes.run_scheduler(settings)
        self._scheduler = self._processes.wait_for_scheduler(settings)

    def stop(self) -> None:
        if self._cause in BY_APP:
            BY_APP[self._cause](self._app)
        else:
            BY_HAND[self._cause](self._settings, self._scheduler)
        wait_until(lambda: is_gone(self._scheduler), STOP_SECONDS)
        assert not self._settings.pid_file.exists()
        if self._cause in BY_HAND:
            assert b"Traceback" not in self._by_hand.communicate(timeout=20)[1]
            assert self._by_hand.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("stopping", [*BY_HAND, *BY_APP], indirect=True)
def test_it_stops_while_it_waits(settings: Settings, make_feed: MakeFeed, stopping: Stopping) -> None:
    settings = with_feed(settings, make_feed())
    stopping.start(settings)
    wait_until(lambda: has_loaded(settings))
    stopping.stop()


@pytest.mark.slow
@pytest.mark.parametrize("stopping", ["SIGINT", "pid.txt removed", "app ends"], indirect=True)
def test_it_stops_in_the_middle_of_a_download(settings: Settings, make_feed: MakeFeed, stopping: Stopping) -> None:
    with SlowFeed(make_feed().read_bytes()) as feed:
        settings = with_feed(settings, feed.url)
        stopping.start(settings)
        assert feed.asked.wait(20)
        stopping.stop()
    assert list_statuses(settings) == [None]
    assert not has_loaded(settings)


@pytest.mark.slow
@pytest.mark.parametrize("stopping", ["SIGTERM", "pid.txt removed", "app killed"], indirect=True)
def test_it_stops_in_the_middle_of_storing_and_the_old_prices_stay(
    settings: Settings, make_feed: MakeFeed, big_feed: Path, stopping: Stopping
) -> None:
    load_here(with_feed(settings, make_feed()))
    before = read_data(settings)
    stopping.start(with_feed(settings, big_feed))
    wait_until(lambda: is_storing(settings))
    stopping.stop()
    wait_until(lambda: can_write(settings), STOP_SECONDS)
    assert read_data(settings) == before
    assert list_statuses(settings) == ["loaded", None]


@pytest.mark.slow
def test_a_load_that_was_stopped_is_marked_failed_by_the_next_start(
    settings: Settings, make_feed: MakeFeed, processes: Processes
) -> None:
    with SlowFeed(make_feed().read_bytes()) as feed:
        settings = with_feed(settings, feed.url)
        first = processes.run_scheduler(settings)
        assert feed.asked.wait(20)
        first.terminate()
        assert first.wait(STOP_SECONDS) == 0
        assert list_statuses(settings) == [None]
        feed.go_on.set()
        processes.run_scheduler(settings)
        wait_until(lambda: list_statuses(settings) == ["failed", "loaded"])
    assert query(settings, "SELECT count(*) FROM etl_runs WHERE finished_at IS NULL") == [(0,)]


@pytest.mark.slow
def test_a_pid_file_that_names_another_stops_it_and_is_left_alone(
    settings: Settings, make_feed: MakeFeed, processes: Processes
) -> None:
    settings = with_feed(settings, make_feed())
    scheduler = processes.run_scheduler(settings)
    processes.wait_for_scheduler(settings)
    write_line(settings.pid_file, str(os.getpid()))
    assert scheduler.wait(STOP_SECONDS) == 0
    assert settings.pid_file.read_text() == f"{os.getpid()}\n"


@pytest.mark.slow
def test_after_a_kill_in_the_middle_of_storing_the_next_page_load_completes_the_load(
    settings: Settings, make_feed: MakeFeed, big_feed: Path, processes: Processes
) -> None:
    load_here(with_feed(settings, make_feed()))
    settings.lastjob_file.unlink()
    before = read_data(settings)
    settings = with_feed(settings, big_feed)
    assert processes.open_app(settings).load_page()
    killed = processes.wait_for_scheduler(settings)
    wait_until(lambda: is_storing(settings))
    killed.kill()
    wait_until(lambda: is_gone(killed))
    assert settings.pid_file.read_text() == f"{killed.pid}\n"
    assert read_data(settings) == before

    assert processes.open_app(settings).load_page()
    assert processes.wait_for_scheduler(settings) != killed
    wait_until(lambda: has_loaded(settings), 60)
    assert list_statuses(settings) == ["loaded", "failed", "loaded"]
    assert query(settings, "SELECT station_count, is_sample FROM feed_state") == [(20_000, 0)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="niceness is a whole process's elsewhere")
@pytest.mark.skipif(os.nice(0) == 19, reason="nothing can stand further back")
@pytest.mark.parametrize("command", ["scheduler.py", "etl.py"])
def test_a_load_stands_back_for_the_pages(settings: Settings, processes: Processes, command: str) -> None:
    with SlowFeed(b"") as feed:
        load = processes.run(with_feed(settings, feed.url), command, start_new_session=True)
        assert feed.asked.wait(20)
        threads = [int(thread.name) for thread in Path(f"/proc/{load.pid}/task").iterdir()]
        assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {min(os.nice(0) + NICENESS, 19)}
        autogroup = Path(f"/proc/{load.pid}/autogroup")
        assert not autogroup.exists() or autogroup.read_text().endswith(f" nice {NICENESS}\n")


@pytest.mark.slow
def test_it_ends_when_it_can_never_load(settings: Settings, processes: Processes) -> None:
    scheduler = processes.run_scheduler(settings.model_copy(update={"database_url": "no database at all"}))
    errors = scheduler.communicate(timeout=20)[1]
    assert b"Could not parse SQLAlchemy URL" in errors
    assert not settings.pid_file.exists()


# A feed that fails


@pytest.mark.slow
def test_a_failing_feed_is_tried_again_until_it_answers(
    settings: Settings, make_feed: MakeFeed, processes: Processes
) -> None:
    with SlowFeed(make_feed().read_bytes(), status=500) as feed:
        feed.go_on.set()
        settings = with_feed(settings, feed.url)
        processes.run(settings, "-c", IMPATIENT_SCHEDULER)
        wait_until(lambda: list_statuses(settings)[:3] == ["failed"] * 3)
        assert not settings.lastjob_file.exists()
        assert query(settings, "SELECT is_sample FROM feed_state") == [(1,)]
        feed.status = 200
        wait_until(lambda: has_loaded(settings))
    assert set(list_statuses(settings)) == {"failed", "loaded"}
    assert query(settings, "SELECT source, is_sample FROM feed_state") == [(feed.url, 0)]


@pytest.mark.slow
def test_a_page_load_does_not_wait_for_a_feed_that_hangs(
    settings: Settings, make_feed: MakeFeed, processes: Processes
) -> None:
    with SlowFeed(make_feed().read_bytes(), silent=True) as feed:
        app = processes.open_app(with_feed(settings, feed.url))
        assert app.load_page()
        assert feed.asked.wait(20)
        assert [app.load_page() for _ in range(20)] == [False] * 20
        assert not feed.go_on.is_set()


@pytest.mark.slow
def test_a_feed_that_refuses_gives_way_to_the_sample_until_it_answers(
    settings: Settings, make_feed: MakeFeed, processes: Processes
) -> None:
    port = find_closed_port()
    settings = with_feed(settings, f"http://127.0.0.1:{port}/feed.zip")
    processes.run(settings, "-c", IMPATIENT_SCHEDULER)
    wait_until(lambda: query(settings, "SELECT is_sample FROM feed_state") == [(1,)])
    assert not settings.lastjob_file.exists()
    with SlowFeed(make_feed().read_bytes(), port=port) as feed:
        feed.go_on.set()
        wait_until(lambda: has_loaded(settings))
    assert query(settings, "SELECT is_sample, station_count FROM feed_state") == [(0, 40)]
    assert query(settings, "SELECT count(*), min(id) FROM stations") == [(40, FIRST_ID)]


@pytest.mark.slow
def test_a_feed_that_never_answers_gives_way_to_the_sample_until_it_does(
    settings: Settings, make_feed: MakeFeed, processes: Processes
) -> None:
    archive = make_feed().read_bytes()
    worlds = [Settings(state_dir=settings.state_dir / name) for name in ("silence", "black-hole")]
    with SlowFeed(archive, silent=True) as silent:
        with open_black_hole() as port:
            addresses = (silent.url, f"http://127.0.0.1:{port}/feed.zip")
            worlds = [with_feed(world, address) for world, address in zip(worlds, addresses, strict=True)]
            for world in worlds:
                world.state_dir.mkdir()
                processes.run(world, "-c", IMPATIENT_SCHEDULER)
            for world in worlds:
                wait_until(lambda world=world: query(world, "SELECT is_sample FROM feed_state") == [(1,)], 20)
                assert query(world, "SELECT count(*) FROM stations WHERE id > 99000000") == [(400,)]
                assert not world.lastjob_file.exists()
        with SlowFeed(archive, port=port) as awoken:
            awoken.go_on.set()
            silent.go_on.set()
            for world in worlds:
                wait_until(lambda world=world: has_loaded(world))
                assert query(world, "SELECT is_sample, station_count FROM feed_state") == [(0, 40)]


def test_a_sample_that_had_to_wait_for_the_real_feed_leaves_no_trace(engine: Engine, settings: Settings) -> None:
    reports: list[etl.LoadReport | None] = []
    sample = threading.Thread(target=lambda: reports.append(etl.load_sample(engine, NOW)))
    with begin_writing(engine, "feed") as connection:
        sample.start()
        sample.join(0.5)
        connection.execute(insert(Station).values(STATION))
    sample.join(20)
    assert reports == [None]
    assert query(settings, "SELECT * FROM etl_runs") == []


# Outputs


@pytest.mark.slow
def test_a_start_clears_outputs_older_than_a_day_and_nothing_else(
    settings: Settings, make_feed: MakeFeed, starter: Starter
) -> None:
    now = time.time()
    mails = settings.outputs_dir / "mail"
    mails.mkdir(parents=True)
    ages_h = {"stdout_a.txt": 25, "stderr_a.txt": 25, "stdout_b.txt": 23, "stderr_b.txt": 23, ".gitignore": 999}
    ages_h |= {"mail/old.eml": 999, "mail/stdout_a.txt": 999, "stdin_notes.txt": 999, "stdout_a.log": 999}
    for name, age_h in ages_h.items():
        path = settings.outputs_dir / name
        path.touch()
        os.utime(path, (now - age_h * 3600, now - age_h * 3600))
    (settings.outputs_dir / "stdout_folder.txt").mkdir()
    os.utime(settings.outputs_dir / "stdout_folder.txt", (0, 0))

    assert starter.ensure_running(with_feed(settings, make_feed()))
    names = {str(path.relative_to(settings.outputs_dir)) for path in settings.outputs_dir.rglob("*")}
    fresh = names - set(ages_h) - {"mail", "stdout_folder.txt"}
    assert set(ages_h) - names == {"stdout_a.txt", "stderr_a.txt"}
    assert "stdout_folder.txt" in names
    assert sorted(name.partition("_")[0] for name in fresh) == ["stderr", "stdout"]
    assert len({name.partition("_")[2] for name in fresh}) == 1


def test_a_page_goes_on_when_nothing_can_be_written(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.outputs_dir.write_text("no folder\n")
    starter = Starter()
    with caplog.at_level(logging.WARNING, "carburoam.scheduler"):
        assert [starter.ensure_running(settings) for _ in range(3)] == [False] * 3
    assert len(caplog.records) == 1
    assert "outputs" in caplog.text


# What an admin does


@pytest.mark.slow
def test_stopping_ends_ours_and_says_which_it_was(settings: Settings, make_feed: MakeFeed, starter: Starter) -> None:
    assert starter.ensure_running(with_feed(settings, make_feed()))
    running = wait_until(lambda: find_running(settings))
    assert abs(running.started_at - datetime.now(UTC)) < timedelta(minutes=2)
    assert stop_running(settings) == running.pid
    wait_until(lambda: not psutil.pid_exists(running.pid), STOP_SECONDS + 5)
    assert not settings.pid_file.exists()
    assert (find_running(settings), stop_running(settings)) == (None, None)


def test_only_ours_is_ever_stopped_whatever_pid_txt_names(settings: Settings) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        write_line(settings.pid_file, str(stranger.pid))
        assert stop_running(settings) is None
        assert stranger.poll() is None
        for content in ("", "-1", "0", "1", "none", "9" * 30):
            settings.pid_file.write_text(content)
            assert stop_running(settings) is None
    finally:
        stranger.communicate(b"\n", timeout=30)
    assert stranger.returncode == 0, "it was let go on to its own end"


def test_a_stale_pid_file_can_be_removed_and_a_living_schedulers_never(settings: Settings) -> None:
    assert not remove_stale_pid(settings)
    write_line(settings.pid_file, "999999999")
    with FileLock(settings.state_dir / "scheduler.lock"):  # one is on its way to pid.txt
        assert not remove_stale_pid(settings)
    assert remove_stale_pid(settings)
    assert not settings.pid_file.exists()


@pytest.mark.slow
def test_a_load_can_be_started_beside_and_prints_into_outputs(settings: Settings, make_feed: MakeFeed) -> None:
    pid = start_load(with_feed(settings, make_feed(stations=30)))
    wait_until(lambda: not psutil.pid_exists(pid))
    assert query(settings, "SELECT status, stations_seen FROM etl_runs") == [("loaded", 30)]
    [stdout] = list_outputs(settings, "stdout")
    assert stdout.read_text().startswith("loaded: 30 stations")
    assert not settings.pid_file.exists()


# Children that die young


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.slow
def test_children_that_die_young_are_followed_by_others_ever_more_rarely(
    settings: Settings, children: Children
) -> None:
    refused = settings.model_copy(update={"refresh_seconds": 5})
    clock = Clock()
    starter = Starter(clock)
    for count in range(1, 7):
        assert starter.ensure_running(refused)
        assert len(list_outputs(settings, "stderr")) == count
        children.wait_for_end()
        starter._process.wait(30)  # the starter's own thread may hear of the end later
        assert [starter.ensure_running(refused) for _ in range(5)] == [False] * 5
        pause = START_PAUSE_SECONDS * 2 ** (count - 1)
        clock.seconds += pause - 0.1
        assert not starter.ensure_running(refused)
        clock.seconds += 0.1
    assert all(b"CARBUROAM_REFRESH_SECONDS" in path.read_bytes() for path in list_outputs(settings, "stderr"))
    starter.stop()


@pytest.mark.slow
def test_one_app_starts_no_second_child_while_the_first_lives(settings: Settings, children: Children) -> None:
    clock = Clock()
    starter = Starter(clock)
    with FileLock(settings.state_dir / "scheduler.lock"):
        assert starter.ensure_running(settings)
        [child] = children.list_all()
        child.suspend()
        clock.seconds += 3600
        assert not starter.ensure_running(settings)
        child.kill()
        wait_until(lambda: is_gone(child))
        assert starter.ensure_running(settings)
        children.kill_all()


# Mails


@pytest.mark.slow
def test_it_sends_the_mails_that_an_app_left_behind(
    settings: Settings, make_feed: MakeFeed, processes: Processes, engine: Engine
) -> None:
    settings = with_feed(settings, make_feed())
    leave_mail(engine)
    processes.run_scheduler(settings)
    wait_until(lambda: list_mails(settings))
    wait_until(lambda: query(settings, "SELECT count(*) FROM outbox") == [(0,)])


@pytest.fixture
def hanging(settings: Settings, make_feed: MakeFeed, engine: Engine) -> Iterator[tuple[Settings, HangingMailServer]]:
    """Six mails that wait for a mail server which takes connections and says nothing; and its settings."""
    for _ in range(6):
        leave_mail(engine)
    with HangingMailServer() as server:
        smtp_url = SecretStr(f"smtp://127.0.0.1:{server.port}")
        yield with_feed(settings, make_feed(), smtp_url=smtp_url, refresh_seconds=10), server


@pytest.mark.slow
def test_a_mail_server_that_hangs_holds_up_no_load(
    hanging: tuple[Settings, HangingMailServer], processes: Processes
) -> None:
    settings, server = hanging
    processes.run_scheduler(settings)
    assert server.hangs.wait(20)
    before = len(list_statuses(settings))
    wait_until(lambda: len(list_statuses(settings)) > before)
    assert not server.left.is_set(), "the mail still hangs"
    assert server.connections == 1


@pytest.mark.slow
@pytest.mark.parametrize("stopping", [*BY_HAND, *BY_APP], indirect=True)
def test_it_stops_while_a_mail_hangs(hanging: tuple[Settings, HangingMailServer], stopping: Stopping) -> None:
    settings, server = hanging
    stopping.start(settings)
    assert server.hangs.wait(20)
    stopping.stop()
    assert query(settings, "SELECT count(*) FROM outbox") == [(6,)]


# What is kept for a time only


@pytest.mark.slow
def test_what_has_been_kept_long_enough_goes_though_no_load_is_due(
    settings: Settings, make_feed: MakeFeed, processes: Processes, engine: Engine
) -> None:
    settings = with_feed(settings, make_feed())
    load_here(settings)
    now = datetime.now(UTC)
    with begin_writing(engine) as connection:
        for name, age in (("old", timedelta(days=2)), ("new", timedelta(0))):
            at = {"last_at": now - age, "window_began_at": now - age}
            connection.execute(insert(Attempt).values(subject_hash=name, times=1, **at))
    processes.run_scheduler(settings)
    wait_until(lambda: query(settings, "SELECT subject_hash FROM attempts") == [("new",)])
    assert list_statuses(settings) == ["loaded"]
