"""A load brings the feed into the database, or leaves it as it was and says why."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from conftest import DATABASE
from filelock import FileLock
from plain_reader import read_plainly, read_stored
from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError
from web_server import (
    Answer,
    Behaviour,
    Exchange,
    WebServer,
    drip_body,
    drip_headers,
    occupy_port,
    stay_silent,
    write_certificate,
)

from errors import LoadRunning
from etl import LoadReport, find_last_load, has_stations, is_load_running, load_brands, load_sample, run_load
from feed.generator import FIRST_SAMPLE_ID, FeedDamage
from load_lock import LOCK_FILE
from models import Base, EtlRun, FeedState, FuelFigure, Price, Station
from settings import ROOT, VERSION, Settings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=6)

MakeFeed = Callable[..., Path]
Load = Callable[..., LoadReport]
Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def load(settings: Settings, engine: Engine) -> Load:
    """Give a function that loads a feed at a given moment; without a feed, that of the settings."""

    def load(source: str | Path = "", at: datetime = NOW, **more: Any) -> LoadReport:
        return run_load(settings.model_copy(update={"feed_url": str(source)}), engine, now=lambda: at, **more)

    return load


@pytest.fixture
def publish(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give a function that lays out the two public feeds."""
    monkeypatch.setattr("feed.download.RETRIES", 0)

    def publish(first: Answer | Behaviour, second: Answer | Behaviour) -> None:
        feeds = (web.lay_out("/first", first), web.lay_out("/second", second))
        monkeypatch.setattr("settings.PUBLIC_FEEDS", feeds)

    return publish


def serve(path: Path, *headers: tuple[str, str]) -> Answer:
    return Answer(200, path.read_bytes(), headers)


def dump(engine: Engine) -> Rows:
    """Return every row but those of the runs, and of what was refused."""
    with engine.connect() as connection:
        return {
            table.name: sorted(tuple(row) for row in connection.execute(select(table)))
            for table in Base.metadata.sorted_tables
            if table.name not in ("etl_runs", "refused_feed")
        }


def list_runs(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(EtlRun.__table__).order_by(EtlRun.id)))


def count_rows(run: LoadReport | Any) -> tuple[int, ...]:
    return tuple(
        getattr(run, f"{what}_{done}") for what in ("stations", "prices") for done in ("seen", "written", "rejected")
    )


# What is loaded


def test_a_load_stores_the_feed_and_says_so(
    load: Load, make_feed: MakeFeed, engine: Engine, settings: Settings
) -> None:
    feed = make_feed(oddities=False)
    report = load(feed)
    expected = read_plainly(feed)
    with engine.connect() as connection:
        stored = read_stored(connection)
    assert {id_: station.prices for id_, station in stored.items()} == {
        id_: station.prices for id_, station in expected.items()
    }
    price_count = sum(len(station.prices) for station in expected.values())
    assert (report.status, count_rows(report)) == ("loaded", (40, 40, 0, price_count, price_count, 0))
    (run,) = list_runs(engine)
    assert (run.started_at, run.finished_at, run.status, run.source) == (NOW, NOW, "loaded", str(feed))
    assert (count_rows(run), run.message) == (count_rows(report), report.message)
    assert settings.lastjob_file.read_text() == "2026-03-10T12:00:00+00:00\n"


def test_the_same_archive_is_unchanged_and_a_success(
    load: Load, make_feed: MakeFeed, engine: Engine, settings: Settings
) -> None:
    feed = make_feed()
    load(feed)
    before = dump(engine)
    report = load(feed, LATER)
    after = dump(engine)
    assert (report.status, report.is_success) == ("unchanged", True)
    assert {name for name in before if before[name] != after[name]} == {"feed_state"}
    assert settings.lastjob_file.read_text() == "2026-03-10T18:00:00+00:00\n"
    with engine.connect() as connection:
        assert connection.scalar(select(FeedState.loaded_at)) == LATER
    assert [run.status for run in list_runs(engine)] == ["loaded", "unchanged"]


def test_a_server_that_says_not_modified_is_believed(
    load: Load, make_feed: MakeFeed, engine: Engine, web: WebServer
) -> None:
    modified = "Tue, 10 Mar 2026 12:00:00 GMT"
    feed = serve(make_feed(), ("ETag", '"a1"'), ("Last-Modified", modified))
    url = web.lay_out("/feed.zip", feed, Answer(304))
    load(url)
    report = load(url, LATER)
    assert report.status == "unchanged"
    assert report.stations_seen == 40
    first, second = (request.headers for request in web.requests)
    assert "if-none-match" not in first
    assert (second["if-none-match"], second["if-modified-since"]) == ('"a1"', modified)
    assert second["user-agent"].startswith(f"Carburoam/{VERSION}")
    with engine.connect() as connection:
        state = connection.execute(select(FeedState.__table__)).one()
    assert (state.etag, state.last_modified, state.loaded_at) == ('"a1"', modified, LATER)


def test_national_figures_are_of_the_prices_that_are_fresh_at_the_load(
    load: Load, make_feed: MakeFeed, engine: Engine, settings: Settings
) -> None:
    def count_stations() -> int:
        with engine.connect() as connection:
            return sum(connection.scalars(select(FuelFigure.station_count)))

    feed = make_feed(newest_at=NOW)
    load(feed, NOW)
    at_first = count_stations()
    assert at_first > 40
    assert load(feed, NOW + timedelta(days=20)).status == "unchanged"
    assert 0 < count_stations() < at_first, "the feed is frozen, its prices grow old"
    assert load(feed, NOW + timedelta(days=200)).status == "unchanged"
    assert count_stations() == 0
    own_clock = settings.model_copy(update={"feed_url": str(feed), "as_of": "feed"})
    assert run_load(own_clock, engine, now=lambda: NOW + timedelta(days=201)).status == "unchanged"
    assert count_stations() == at_first


def test_the_same_archive_under_a_new_etag_is_unchanged(load: Load, make_feed: MakeFeed, web: WebServer) -> None:
    feed = make_feed()
    url = web.lay_out("/feed.zip", serve(feed, ("ETag", '"a1"')), serve(feed, ("ETag", '"a2"')), Answer(304))
    assert [load(url).status for _ in range(3)] == ["loaded", "unchanged", "unchanged"]
    assert web.requests[2].headers["if-none-match"] == '"a2"'


def test_what_one_server_said_of_its_version_is_not_told_to_another(
    load: Load, make_feed: MakeFeed, web: WebServer
) -> None:
    load(web.lay_out("/one", serve(make_feed(), ("ETag", '"a1"'))))
    load(web.lay_out("/two", serve(make_feed(seed=2))))
    assert "if-none-match" not in web.requests[1].headers


# What is refused or fails


@dataclass
class World:
    """What a case of a feed that can't be loaded is made with."""

    web: WebServer
    make_feed: MakeFeed
    monkeypatch: pytest.MonkeyPatch
    folder: Path
    stack: ExitStack

    def answer(self, answer: Answer | Behaviour) -> str:
        return self.web.lay_out("/feed.zip", answer)

    def serve(self, **recipe: Any) -> str:
        return self.answer(serve(self.make_feed(**recipe)))

    def hurry(self) -> None:
        self.monkeypatch.setattr("feed.download.MAX_SECONDS", 0.3)


def refuse_connections(world: World) -> str:
    return world.stack.enter_context(occupy_port())


def never_answer(world: World) -> str:
    world.monkeypatch.setattr("feed.download.READ_SECONDS", 0.1)
    return world.answer(stay_silent)


def never_end(behaviour: Behaviour) -> Callable[[World], str]:
    def prepare(world: World) -> str:
        world.hurry()
        return world.answer(behaviour)

    return prepare


def redirect(location: str) -> Callable[[World], str]:
    return lambda world: world.answer(Answer(302, headers=(("Location", location),)))


def leave_encryption(world: World) -> str:
    certificate = write_certificate(world.folder / "server.pem")
    world.monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    server = world.stack.enter_context(WebServer(certificate))
    return server.lay_out("/old", Answer(301, headers=(("Location", world.serve()),)))


def present_own_certificate(world: World) -> str:
    server = world.stack.enter_context(WebServer(write_certificate(world.folder / "server.pem")))
    return server.lay_out("/feed.zip", serve(world.make_feed(seed=2)))


def break_off(exchange: Exchange) -> None:
    exchange.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\nPK")


def answer_damaged(damage: FeedDamage) -> Callable[[World], str]:
    return lambda world: world.serve(feed_damage=damage, seed=2)


def be_too_large(world: World) -> str:
    world.monkeypatch.setattr("feed.download.MAX_ARCHIVE_BYTES", 2000)
    return world.serve(seed=2)


def hold_a_large_xml(world: World) -> str:
    world.monkeypatch.setattr("feed.archive.MAX_XML_BYTES", 2000)
    return world.serve(seed=2)


def damage_content(world: World) -> str:
    data = world.make_feed(seed=2).read_bytes()
    return world.answer(Answer(200, data[:300] + bytes(50) + data[350:]))


def misplace_directory(world: World) -> str:
    data = world.make_feed(seed=2).read_bytes()
    return world.answer(Answer(200, data[:200] + data[300:]))


CASES: dict[str, tuple[Callable[[World], str], Literal["refused", "failed"], str]] = {
    "connection refused": (refuse_connections, "failed", "can't be reached"),
    "no answer": (never_answer, "failed", "does not answer in time"),
    "no answer in all": (never_end(stay_silent), "refused", "takes too long"),
    "dripping headers": (never_end(drip_headers), "refused", "takes too long"),
    "dripping body": (never_end(drip_body), "refused", "takes too long"),
    "broken off": (lambda world: world.answer(break_off), "failed", "can't be reached"),
    "404": (lambda world: world.answer(Answer(404)), "failed", "HTTP status 404"),
    "500": (lambda world: world.answer(Answer(500)), "failed", "server error"),
    "304 unasked": (lambda world: world.answer(Answer(304)), "failed", "HTTP status 304"),
    "redirect loop": (redirect("/feed.zip"), "failed", "redirects more than 5 times"),
    "redirect to a file": (redirect("file:///etc/passwd"), "refused", "redirects to a file: address"),
    "redirect to no address": (redirect("http://[bad/"), "failed", "can't be reached"),
    "redirect out of encryption": (leave_encryption, "refused", "without encryption"),
    "own certificate": (present_own_certificate, "failed", "is not trusted"),
    "no such file": (lambda world: str(world.folder / "none.zip"), "failed", "can't be read"),
    "a folder": (lambda world: str(world.folder), "failed", "can't be read"),
    "no address": (lambda _: "http://[", "failed", "can't be read"),
    "too large": (be_too_large, "refused", "archive is larger than"),
    "too large an XML": (hold_a_large_xml, "refused", "XML would be larger than"),
    "damaged content": (damage_content, "refused", "damaged or no zip"),
    "misplaced directory": (misplace_directory, "refused", "damaged or no zip"),
    "half of the stations": (lambda world: world.serve(stations=19), "refused", "less than half of the 40 before"),
    **{
        damage.name: (answer_damaged(damage), "refused", message)
        for damage, message in {
            FeedDamage.HTML: "damaged or no zip",
            FeedDamage.EMPTY: "damaged or no zip",
            FeedDamage.TRUNCATED_ZIP: "damaged or no zip",
            FeedDamage.NO_XML: "no XML file",
            FeedDamage.TWO_XML: "2 XML files",
            FeedDamage.ZIP_BOMB: "compressed more than 200 times",
            FeedDamage.PATH_TRAVERSAL: "outside itself",
            FeedDamage.ENTITY_BOMB: "the XML ",  # libxml2 may see through it before we do
            FeedDamage.EXTERNAL_ENTITY: "document type",
            FeedDamage.DOCTYPE: "document type",
            FeedDamage.TRUNCATED_XML: "not well-formed",
            FeedDamage.WRONG_ROOT: "root element is <liste_pdv>",
            FeedDamage.NO_STATION: "no readable station",
        }.items()
    },
}


def test_every_damage_that_the_generator_knows_is_tried() -> None:
    assert {damage.name for damage in FeedDamage} <= CASES.keys()


@pytest.mark.parametrize("case", CASES)
def test_what_cant_be_loaded_changes_nothing(
    case: str,
    load: Load,
    make_feed: MakeFeed,
    engine: Engine,
    settings: Settings,
    web: WebServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    prepare, status, message = CASES[case]
    load(make_feed())
    before, lastjob = dump(engine), settings.lastjob_file.read_text()
    monkeypatch.setattr("feed.download.RETRIES", 0)
    with ExitStack() as stack:
        source = prepare(World(web, make_feed, monkeypatch, tmp_path, stack))
        report = load(source, LATER)
    assert (report.status, report.is_success) == (status, False)
    assert message in report.message
    assert report.message.isprintable(), "it is one line"
    assert count_rows(report) == (0,) * 6
    assert dump(engine) == before
    assert settings.lastjob_file.read_text() == lastjob
    run = list_runs(engine)[-1]
    assert (run.started_at, run.finished_at, run.status, run.message) == (LATER, LATER, status, report.message)
    assert count_rows(run) == (0,) * 6


def test_after_what_was_refused_the_next_feed_is_loaded(load: Load, make_feed: MakeFeed) -> None:
    load(make_feed())
    load(make_feed(feed_damage=FeedDamage.TRUNCATED_XML))
    assert load(make_feed(changed_share=0.5)).status == "loaded"


def test_half_of_the_stations_are_enough(load: Load, make_feed: MakeFeed) -> None:
    load(make_feed())
    assert load(make_feed(stations=20)).status == "loaded"
    assert load(make_feed(stations=10)).status == "loaded", "half of the last feed, not of all that ever were"


def test_a_first_load_that_is_refused_leaves_an_empty_database(
    load: Load, make_feed: MakeFeed, engine: Engine, settings: Settings
) -> None:
    assert load(make_feed(feed_damage=FeedDamage.TRUNCATED_XML)).status == "refused"
    assert not has_stations(engine)
    assert dump(engine)["feed_state"] == []
    assert not settings.lastjob_file.exists()


# Two feeds


def test_the_second_feed_is_not_asked_when_the_first_is_loaded(
    load: Load, make_feed: MakeFeed, publish: Callable[..., None], web: WebServer
) -> None:
    publish(serve(make_feed()), serve(make_feed(seed=2)))
    assert load().source == web.get_url("/first")
    assert [request.path for request in web.requests] == ["/first"]


@pytest.mark.parametrize(
    ("first", "message"),
    [(Answer(500), "server error"), (Answer(404), "HTTP status 404"), (Answer(200, b"no zip"), "damaged or no zip")],
)
def test_the_second_feed_is_loaded_when_the_first_cant_be(
    load: Load,
    make_feed: MakeFeed,
    publish: Callable[..., None],
    web: WebServer,
    engine: Engine,
    settings: Settings,
    first: Answer,
    message: str,
) -> None:
    publish(first, serve(make_feed(stock_outs=False)))
    report = load()
    second = web.get_url("/second")
    assert (report.status, report.source, report.stations_seen) == ("loaded", second, 40)
    assert "instead of the first feed" in report.message
    assert message in report.message
    (run,) = list_runs(engine)
    assert (run.status, run.source, run.message) == ("loaded", second, report.message)
    assert settings.lastjob_file.exists()
    with engine.connect() as connection:
        assert connection.scalar(select(FeedState.source)) == second
    assert find_last_load(settings, engine) is not None


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (Answer(200, b"no zip"), Answer(200), "refused"),
        (Answer(404), Answer(200, b"no zip"), "failed"),  # the first may be in reach again soon
        (Answer(200, b"no zip"), Answer(404), "failed"),
        (Answer(404), Answer(500), "failed"),
    ],
)
def test_when_neither_feed_can_be_loaded_the_message_speaks_of_both(
    load: Load,
    publish: Callable[..., None],
    engine: Engine,
    web: WebServer,
    first: Answer,
    second: Answer,
    status: str,
) -> None:
    publish(first, second)
    report = load()
    assert report.status == status
    if first.status != second.status:
        assert "; then " in report.message
    assert [request.path for request in web.requests] == ["/first", "/second"]
    assert [run.status for run in list_runs(engine)] == [status]


def test_a_feed_of_fewer_than_half_of_the_stations_makes_way_for_the_second(
    load: Load, make_feed: MakeFeed, publish: Callable[..., None], web: WebServer, engine: Engine
) -> None:
    publish(serve(make_feed()), Answer(404))
    load()
    before = dump(engine)["stations"]
    publish(serve(make_feed(stations=5, seed=3)), serve(make_feed(changed_share=0.5)))
    report = load()
    assert (report.status, report.source) == ("loaded", web.get_url("/second"))
    # What the first feed had written before it was refused is gone again.
    assert [row[:5] for row in dump(engine)["stations"]] == [row[:5] for row in before]


# The sample


def test_the_sample_is_loaded_into_an_empty_database_and_is_no_success(engine: Engine, settings: Settings) -> None:
    report = load_sample(engine, NOW)
    assert report is not None
    assert (report.status, report.source, report.stations_seen) == ("loaded", "sample", 400)
    with engine.connect() as connection:
        assert connection.scalar(select(FeedState.is_sample)) is True
        assert connection.scalar(select(Station.id).where(Station.id < FIRST_SAMPLE_ID)) is None
    assert not settings.lastjob_file.exists()
    assert find_last_load(settings, engine) is None


def test_the_sample_as_the_feed_of_the_settings_is_no_success_either(load: Load, settings: Settings) -> None:
    assert load("sample").status == "loaded"
    assert load("sample", LATER).status == "loaded"
    assert not settings.lastjob_file.exists()


def test_the_sample_makes_way_for_the_first_real_feed(load: Load, make_feed: MakeFeed, engine: Engine) -> None:
    load_sample(engine, NOW)
    feed = make_feed(oddities=False)
    assert load(feed).status == "loaded"
    with engine.connect() as connection:
        assert read_stored(connection).keys() == read_plainly(feed).keys()
        assert connection.scalar(select(FeedState.is_sample)) is False


def test_a_real_feed_of_few_stations_replaces_the_sample_too(load: Load, make_feed: MakeFeed, engine: Engine) -> None:
    load_sample(engine, NOW)
    assert load(make_feed(stations=3)).status == "loaded"


def test_the_sample_stays_when_the_real_feed_is_refused(load: Load, make_feed: MakeFeed, engine: Engine) -> None:
    load_sample(engine, NOW)
    before = dump(engine)
    assert load(make_feed(feed_damage=FeedDamage.TRUNCATED_XML)).status == "refused"
    assert dump(engine) == before


def test_the_sample_never_takes_the_place_of_real_prices(load: Load, make_feed: MakeFeed, engine: Engine) -> None:
    load(make_feed())
    before = dump(engine)
    assert load_sample(engine, NOW) is None
    assert load("sample").status == "refused"
    assert dump(engine) == before


# Passwords


@pytest.mark.parametrize("answer", ["good", "404", "no zip", "redirect"])
def test_a_password_in_the_address_is_neither_stored_nor_logged(
    answer: str, load: Load, make_feed: MakeFeed, web: WebServer, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    answers = {
        "good": serve(make_feed()),
        "404": Answer(404),
        "no zip": Answer(200, b"no zip"),
        "redirect": Answer(302, headers=(("Location", "ftp://me:hunter2@127.0.0.1/"),)),
    }
    web.lay_out("/feed.zip", answers[answer])
    with caplog.at_level(logging.DEBUG, logger="carburoam"):
        report = load(web.get_url("/feed.zip", user="me:hunter2"))
    assert web.requests[0].headers["authorization"] == "Basic bWU6aHVudGVyMg=="
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("carburoam")]
    assert any(web.get_url("/feed.zip") in line for line in ours)
    everything = f"{report} {list_runs(engine)} {dump(engine)} {ours}"
    assert "hunter2" not in everything
    assert web.get_url("/feed.zip") in everything


def test_a_password_is_not_stored_while_the_load_runs_either(load: Load, web: WebServer, engine: Engine) -> None:
    seen: list[str] = []

    def answer(exchange: Exchange) -> None:
        seen.append(str(list_runs(engine)))
        exchange.send(Answer(404))

    web.lay_out("/feed.zip", answer)
    load(web.get_url("/feed.zip", user="me:hunter2"))
    assert web.get_url("/feed.zip") in seen[0]
    assert "hunter2" not in seen[0]


# One at a time, all or nothing


def test_readers_see_the_old_prices_or_the_new_ones(load: Load, make_feed: MakeFeed, engine: Engine) -> None:
    prices = select(Price.station_id, Price.gastype_id, Price.price, Price.updated_at)

    def read(connection: Any) -> list[tuple[Any, ...]]:
        return sorted(tuple(row) for row in connection.execute(prices))

    def look(read_bytes: int, size: int) -> None:
        """Look at the prices when most of the feed is read, and written as far as it is."""
        if read_bytes > size * 0.9 and not seen:
            seen.append(read(early))
            with engine.connect() as connection:
                seen.append(read(connection))

    load(make_feed(stations=1200))
    seen: list[list[tuple[Any, ...]]] = []
    with engine.connect() as early, engine.connect() as connection:
        before = read(connection)
        load(make_feed(stations=1200, changed_share=1.0), LATER, on_progress=look)
        after_in_early = read(early)
    with engine.connect() as connection:
        after = read(connection)
    assert seen == [before, before]
    assert after_in_early == before, "one snapshot from its first read to its end"
    assert len(after) == len(before)
    assert sum(old != new for old, new in zip(before, after, strict=True)) > len(before) * 0.9


def stop_storing(error: BaseException) -> Callable[[int, int], None]:
    def on_progress(read_bytes: int, size: int) -> None:
        if read_bytes > size * 0.9:
            raise error

    return on_progress


def test_a_load_that_breaks_while_storing_is_undone_and_has_an_end(
    load: Load, make_feed: MakeFeed, engine: Engine, settings: Settings
) -> None:
    load(make_feed(stations=1200))
    before, lastjob = dump(engine), settings.lastjob_file.read_text()
    with pytest.raises(OSError, match="disk full"):
        load(make_feed(stations=1200, changed_share=1.0), LATER, on_progress=stop_storing(OSError("disk full")))
    assert dump(engine) == before
    assert settings.lastjob_file.read_text() == lastjob
    run = list_runs(engine)[-1]
    assert (run.status, run.finished_at, run.message) == ("failed", LATER, "OSError while storing")


KILLED_WHILE_STORING = """
import os, signal, sys
from datetime import datetime
from db import open_engine
from etl import run_load
from settings import read_settings

def die(read, size):
    if read > size * 0.9:
        os.kill(os.getpid(), signal.SIGKILL)

settings = read_settings()
run_load(settings, open_engine(settings.database), now=lambda: datetime.fromisoformat(sys.argv[1]), on_progress=die)
"""


def make_environment(settings: Settings, **more: str) -> dict[str, str]:
    """Return an environment with all settings in it, so that no `.env` file of this machine counts."""
    complete = settings.model_copy(update={"database_url": settings.database, **more})
    return complete.as_environment() | {"PYTHONPATH": str(ROOT)}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_load_that_is_killed_is_undone_and_marked_by_the_next(
    load: Load, make_feed: MakeFeed, engine: Engine, settings: Settings
) -> None:
    load(make_feed(stations=1200))
    before = dump(engine)
    feed = make_feed(stations=1200, changed_share=1.0)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_STORING, LATER.isoformat()],
        env=make_environment(settings, feed_url=str(feed)),
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert dump(engine) == before
    assert list_runs(engine)[-1].finished_at is None
    assert not is_load_running(settings, engine), "nobody holds the lock"
    end = LATER + timedelta(minutes=1)
    assert load(feed, end).status == "loaded"
    _, leftover, last = list_runs(engine)
    assert (leftover.status, leftover.finished_at, leftover.message) == ("failed", end, "it was stopped before its end")
    assert last.status == "loaded"


@pytest.mark.parametrize(("age", "is_closed"), [(timedelta(seconds=1), False), (timedelta(hours=1), True)])
def test_a_run_of_the_sample_is_a_leftover_only_when_it_is_old(
    load: Load, make_feed: MakeFeed, engine: Engine, age: timedelta, is_closed: bool
) -> None:
    """The sample takes no lock, so that a fresh one may still be on its way."""
    load_sample(engine, NOW - age)
    with engine.begin() as connection:
        connection.execute(EtlRun.__table__.update().values(finished_at=None, status=None))
    load(make_feed())
    assert (list_runs(engine)[0].status == "failed") is is_closed


def test_a_load_is_running_from_its_start_to_its_end(
    load: Load, make_feed: MakeFeed, engine: Engine, settings: Settings
) -> None:
    seen: list[tuple[bool, Any]] = []

    def look(*_: int) -> None:
        seen.append((is_load_running(settings, engine), list_runs(engine)[-1]))

    assert not is_load_running(settings, engine)
    load(make_feed(), on_progress=look)
    assert not is_load_running(settings, engine)
    is_running, run = seen[0]
    assert is_running
    assert (run.started_at, run.finished_at, run.status) == (NOW, None, None)


def test_two_loads_at_once_run_one_after_the_other(
    make_feed: MakeFeed, engine: Engine, settings: Settings, web: WebServer
) -> None:
    feeds = [make_feed(oddities=False), make_feed(oddities=False, changed_share=1.0)]
    running, overlap = threading.Semaphore(1), threading.Event()

    def hold(number: int) -> Behaviour:
        """Answer when another load had the time to come in too, which it must not."""

        def answer(exchange: Exchange) -> None:
            if not running.acquire(blocking=False):
                overlap.set()
                return
            overlap.wait(0.3)
            running.release()
            exchange.send(serve(feeds[number]))

        return answer

    urls = [web.lay_out(f"/{number}", hold(number)) for number in range(2)]
    start = threading.Barrier(2)
    reports: list[LoadReport] = []

    def load(url: str) -> None:
        start.wait()
        reports.append(run_load(settings.model_copy(update={"feed_url": url}), engine))

    threads = [threading.Thread(target=load, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not overlap.is_set()
    assert [report.status for report in reports] == ["loaded", "loaded"]
    first, second = list_runs(engine)
    assert (first.status, second.status) == ("loaded", "loaded")
    assert first.finished_at <= second.started_at <= second.finished_at
    last = read_plainly(feeds[urls.index(second.source)])
    with engine.connect() as connection:
        stored = read_stored(connection)
    assert {id_: one.prices for id_, one in stored.items()} == {id_: one.prices for id_, one in last.items()}


def test_a_load_that_can_never_begin_says_so(
    load: Load, make_feed: MakeFeed, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("load_lock.LOCK_SECONDS", 0.1)
    with FileLock(settings.state_dir / LOCK_FILE), pytest.raises(LoadRunning):
        load(make_feed())
    assert list_runs(engine) == []
    assert not has_stations(engine)


# The command


def run_command(settings: Settings, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "etl.py"), *arguments],
        env=make_environment(settings) | more,
        cwd=settings.state_dir,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_makes_the_database_loads_and_says_what_it_did(
    settings: Settings, make_feed: MakeFeed, web: WebServer
) -> None:
    url = web.lay_out("/feed.zip", serve(make_feed()))
    loaded, unchanged = (run_command(settings, "--feed", url) for _ in range(2))
    assert (loaded.returncode, unchanged.returncode) == (0, 0), loaded.stderr + unchanged.stderr
    assert loaded.stdout.startswith("loaded: 40 stations and ")
    assert unchanged.stdout == "unchanged: the feed has not changed since the last load\n"
    assert settings.lastjob_file.exists()


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (Answer(200, b"<html>"), "etl.py: refused: the archive is damaged or no zip file: File is not a zip file"),
        (Answer(404), "etl.py: failed: 127.0.0.1 answers with HTTP status 404"),
    ],
)
def test_the_command_says_in_one_line_why_nothing_was_loaded(
    settings: Settings, engine: Engine, load: Load, make_feed: MakeFeed, web: WebServer, answer: Answer, line: str
) -> None:
    load(make_feed())
    before = dump(engine)
    done = run_command(settings, "--feed", web.lay_out("/feed.zip", answer))
    assert (done.returncode, done.stdout) == (1, "")
    said = [text for text in done.stderr.splitlines() if " carburoam." not in text]
    assert said == [line]
    assert done.stderr.splitlines()[-1] == line
    assert dump(engine) == before


BRANDS = b'{"1000001": {"name": "Relais", "brand": "Esso"}, "1000002": {"brand": "ESSO"}, "x": {}}'
BRAND_TABLE = b"ref:FR:prix-carburants\tbrand\n1000002\tAvia\n"


def test_the_command_loads_brands_in_place_of_the_former_and_leaves_no_trace_of_a_load(
    settings: Settings, engine: Engine, load: Load, make_feed: MakeFeed, web: WebServer, tmp_path: Path
) -> None:
    load(make_feed())
    before, lastjob = dump(engine), settings.lastjob_file.read_text()
    runs = list_runs(engine)
    web.lay_out("/names.json", Answer(200, BRANDS))
    done = run_command(settings, "--brands", web.get_url("/names.json", user="me:hunter2"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "loaded: brands of 2 stations from prix_carburant; brands for 2 of the 40 stations in the feed (5.0 %); "
        "rejected: 1 x station id can't be read\n"
    )
    after = dump(engine)
    assert after["station_brands"] == [(1000001, "Esso", "esso", "Relais", "relais"), (1000002, "Esso", "esso", "", "")]
    assert after["brand_state"][0][1:4] == ("prix_carburant", web.get_url("/names.json"), 2)
    (tmp_path / "osm.csv").write_bytes(BRAND_TABLE)
    assert run_command(settings, "--brands", str(tmp_path / "osm.csv")).returncode == 0
    after = dump(engine)
    assert after["station_brands"] == [(1000002, "Avia", "avia", "", "")]
    assert {name for name in before if before[name] != after[name]} == {"station_brands", "brand_state"}
    assert list_runs(engine) == runs
    assert settings.lastjob_file.read_text() == lastjob


def test_the_command_puts_two_lists_of_brands_together_and_lists_where_they_differ(
    settings: Settings, engine: Engine, load: Load, make_feed: MakeFeed, web: WebServer, tmp_path: Path
) -> None:
    load(make_feed())
    web.lay_out("/names.json", Answer(200, BRANDS))
    names = web.get_url("/names.json", user="me:hunter2")
    (tmp_path / "osm.csv").write_bytes("ref:FR:prix-carburants,brand\n1000002,Élan\n,Esso\n,Esso\n".encode())
    osm = str(tmp_path / "osm.csv")
    done = run_command(settings, "--brands", osm, "--brands", names, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "loaded: brands of 2 stations from openstreetmap, then prix_carburant; "
        "brands for 2 of the 40 stations in the feed (5.0 %); conflicts: 1, in which the first list wins; "
        "without a station id: 2; rejected: 1 x station id can't be read\n"
        "conflicts, stations x brand of the first list / of the second:\n"
        "  1 x \\xc9lan / Esso: 1000002\n"
    )
    after = dump(engine)
    assert [row[:2] for row in after["station_brands"]] == [(1000001, "Esso"), (1000002, "Élan")]
    assert [row[:4] for row in after["brand_state"]] == [
        (1, "openstreetmap", osm, 1),
        (2, "prix_carburant", web.get_url("/names.json"), 2),
    ]
    done = run_command(settings, "--brands", names, "--brands", osm)
    assert "  1 x Esso / Élan: 1000002\n" in done.stdout
    assert [row[1] for row in dump(engine)["station_brands"]] == ["Esso", "Esso"]
    assert run_command(settings, "--brands", osm).returncode == 0
    after = dump(engine)
    assert (len(after["station_brands"]), len(after["brand_state"])) == (1, 1)


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(404), "127.0.0.1 answers with HTTP status 404"),
        (
            Answer(200, b"<html>"),
            "the list is neither the JSON of prix_carburant nor a table with ref:FR:prix-carburants",
        ),
    ],
)
def test_when_one_of_two_lists_cant_be_loaded_the_former_brands_stay_and_it_is_named(
    settings: Settings, engine: Engine, web: WebServer, tmp_path: Path, is_first: bool, answer: Answer, reason: str
) -> None:
    (tmp_path / "osm.csv").write_bytes(BRAND_TABLE)
    good = str(tmp_path / "osm.csv")
    load_brands(engine, good, web.lay_out("/good", Answer(200, BRANDS)), now=NOW)
    before = dump(engine)
    web.lay_out("/bad", answer)
    bad = web.get_url("/bad", user="me:hunter2")
    sources = [bad, good] if is_first else [good, bad]
    done = run_command(settings, *(part for source in sources for part in ("--brands", source)))
    line = f"etl.py: list {1 if is_first else 2}, {web.get_url('/bad')}: {reason}\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)
    assert dump(engine) == before


def test_brands_can_be_loaded_before_the_first_feed(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "osm.csv").write_bytes(BRAND_TABLE)
    done = run_command(settings, "--brands", str(tmp_path / "osm.csv"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "loaded: brands of 1 stations from openstreetmap; no station is known yet\n"
    assert not settings.lastjob_file.exists()


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (Answer(404), "127.0.0.1 answers with HTTP status 404"),
        (Answer(200, b""), "the list is empty"),
        (Answer(200, BRANDS[:-5]), "the list is damaged: its JSON can't be read"),
        (Answer(200, b"x" * 20_000_001), "the list is larger than 20 MB"),
        (
            Answer(200, b"<html>"),
            "the list is neither the JSON of prix_carburant nor a table with ref:FR:prix-carburants",
        ),
        (Answer(302, headers=(("Location", "file:///etc/passwd"),)), "127.0.0.1 redirects to a file: address"),
    ],
)
def test_brands_that_cant_be_loaded_leave_the_former_and_are_one_line(
    settings: Settings, engine: Engine, web: WebServer, answer: Answer, line: str
) -> None:
    load_brands(engine, web.lay_out("/good", Answer(200, BRANDS)), now=NOW)
    before = dump(engine)
    done = run_command(settings, "--brands", web.lay_out("/list", answer))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"etl.py: {line}\n")
    assert dump(engine) == before
    assert list_runs(engine) == []


NO_ROOM = {
    "sqlite": ["CREATE TRIGGER no_room BEFORE INSERT ON brand_state BEGIN SELECT RAISE(ABORT, 'disk full'); END"],
    "postgresql": [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''disk full''; END'",
        "CREATE TRIGGER no_room BEFORE INSERT ON brand_state EXECUTE FUNCTION refuse()",
    ],
}


def test_brands_that_break_while_they_are_stored_leave_the_former(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "list").write_bytes(BRANDS)
    load_brands(engine, str(tmp_path / "list"), now=NOW)
    before = dump(engine)
    (tmp_path / "list").write_bytes(BRAND_TABLE)
    with engine.begin() as connection:
        for statement in NO_ROOM[DATABASE]:
            connection.exec_driver_sql(statement)
    with pytest.raises(DBAPIError, match="disk full"):
        load_brands(engine, str(tmp_path / "list"), now=LATER)
    assert dump(engine) == before


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--brands", "b.json", "--feed", "f.zip"), "--feed and --brands are two loads: one at a time"),
        (
            ("--feed", "f.zip", "--brands", "b.json", "--brands", "c.csv"),
            "--feed and --brands are two loads: one at a time",
        ),
        (("--brands", ""), "--brands names no list"),
        (("--brands", " "), "--brands names no list"),
        (("--brands", "b.json", "--brands", " "), "--brands names no list"),
        (("--brands", "a", "--brands", "b", "--brands", "c"), "--brands can be given twice at most, not 3 times"),
        (
            ("--brands", "/there/is/none.json", "--brands", "b.csv"),
            "list 1, /there/is/none.json: can't be read: No such file or directory",
        ),
        (("--brands", "/there/is/none.json"), "/there/is/none.json can't be read: No such file or directory"),
    ],
)
def test_the_command_says_what_brands_it_cant_be_called_with(
    settings: Settings, arguments: tuple[str, ...], line: str
) -> None:
    done = run_command(settings, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"etl.py: {line}\n")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("CARBUROAM_REFRESH_SECONDS", "soon", "etl.py: CARBUROAM_REFRESH_SECONDS: "),
        ("CARBUROAM_DATABASE_URL", "sqlite:////there/is/none.db", "etl.py: the database can't be used: "),
        ("CARBUROAM_DATABASE_URL", "mysql+mysqldb://me:hunter2@127.0.0.1/x", "etl.py: the database can't be used: "),
        ("CARBUROAM_DATABASE_URL", "me:hunter2", "etl.py: the database can't be used: "),
        ("CARBUROAM_STATE_DIR", f"{os.devnull}/state", "etl.py: "),
    ],
)
def test_the_command_says_in_one_line_what_it_cant_work_with(
    settings: Settings, make_feed: MakeFeed, name: str, value: str, line: str
) -> None:
    done = run_command(settings, "--feed", str(make_feed()), **{name: value})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1
    assert "hunter2" not in done.stderr
