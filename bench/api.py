"""Reads of the API before, during and after loads, and loads themselves, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import http.client
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from sqlalchemy import Engine, select

from api.limits import POINTS_PATH
from bench.postgres_cluster import find_programs, run_cluster
from bench.run import Line, Table
from bench.server import Server, run_server
from bench.soak import PAUSE_SECONDS, SESSIONS, Notes, Plan, add_people, hold_sessions
from bench.state import Feeds, find_feeds, open_database, open_state, prepare_load
from db import prepare_database
from models import FUEL_NAMES, Station
from settings import ROOT, Settings

CLIENTS = 4  # connections at once
FULL_SECONDS = 10.0  # each asks as fast as it is answered
WARM_SECONDS = 2.0
RATE = 20.0  # reads a second of the paced clients: a good third of what one core answers
PACED_SECONDS = 15.0  # without a load, and again after them
LOADS = 6  # one after the other, the two snapshots in turn
LOAD_RUNS = 3
KEPT_ROUNDS = 20
HELD_SECONDS = 20.0  # before the loads, once all sessions are there; and, at least, after them
LIMIT_RATIO = 1.5

MakeDatabase = Callable[[], str]  # gives the URL of a new one; empty: in the state dir


def measure_api() -> Table:
    """Measure both databases, or SQLite alone where PostgreSQL is not installed; takes about six minutes."""
    logging.getLogger("carburoam").setLevel(logging.ERROR)
    with TemporaryDirectory(prefix="carburoam-bench-") as name:
        folder = Path(name)
        feeds = find_feeds(folder)
        lines = _measure_database("SQLite", folder, feeds, lambda: "")
        if find_programs() is not None:
            with _run_postgresql() as make_database:
                lines += _measure_database("PostgreSQL", folder, feeds, make_database)
    missing = "" if find_programs() is not None else " PostgreSQL is not installed here."
    return Table(
        f"API: /api/v1/stations within 10 km of random stations, 20 of them in an answer. Full: {CLIENTS} connections"
        f" for {FULL_SECONDS:g} s; paced: {RATE:g} a second for {PACED_SECONDS:g} s before and after {LOADS} loads"
        f" and during them. Reruns: those of {SESSIONS} page sessions, each with an action about every"
        f" {PAUSE_SECONDS:g} s. Points of the country: /stations.json, an answer for each fuel. Loads: elapsed, medians"
        f" of {LOAD_RUNS}. {feeds.description}.{missing}",
        lines,
    )


@contextmanager
def _run_postgresql() -> Iterator[MakeDatabase]:
    with run_cluster() as cluster:
        numbers = count()

        def make_database() -> str:
            name = f"bench{next(numbers)}"
            cluster.execute(f"CREATE DATABASE {name}")
            return f"{cluster.url}/{name}"

        yield make_database


def _measure_database(kind: str, folder: Path, feeds: Feeds, make_database: MakeDatabase) -> list[Line]:
    first, following = [], []
    for _ in range(LOAD_RUNS):
        with _open_new(folder, make_database) as (settings, engine):
            first.append(_time_elapsed(prepare_load(settings, engine, feeds.first)))
            following.append(_time_elapsed(prepare_load(settings, engine, feeds.next)))
    with _open_new(folder, make_database) as (settings, engine):
        prepare_load(settings, engine, feeds.first)()
        paths = list_paths(engine)
        with run_server(settings.model_copy(update={"requests_per_minute": 0})) as server:
            points = _measure_points(server)
            read_at_full_speed(server.url, paths, WARM_SECONDS)
            full = read_at_full_speed(server.url, paths, FULL_SECONDS)
            before = read_paced(server.url, paths, lambda: time.sleep(PACED_SECONDS))
            during = read_paced(server.url, paths, lambda: _load_in_turn(settings, [feeds.next, feeds.first]))
            after = read_paced(server.url, paths, lambda: time.sleep(PACED_SECONDS))
            held = asyncio.run(_hold_sessions(kind, server, engine, feeds))
    quiet = _find_percentile([*before, *after], 95)
    return [
        Line(f"{kind}: first load", median(first)),
        Line(f"{kind}: next snapshot", median(following)),
        Line(f"{kind}: full: reads", len(full) / FULL_SECONDS, "1/s"),
        Line(f"{kind}: full: p50", _find_percentile(full, 50), "ms"),
        Line(f"{kind}: full: p99", _find_percentile(full, 99), "ms"),
        *(
            Line(f"{kind}: paced, {when}: p{percent}", _find_percentile(milliseconds, percent), "ms")
            for when, milliseconds in (("before", before), ("during loads", during), ("after", after))
            for percent in (50, 99)
        ),
        Line(
            f"{kind}: paced: p95 during loads / without",
            _find_percentile(during, 95),
            "ms",
            floor=quiet,
            limit=LIMIT_RATIO,
        ),
        *(Line(f"{kind}: points of the country, {what}: CPU", value, "ms") for what, value in points.items()),
        *held,
    ]


def _measure_points(server: Server) -> dict[str, float]:
    """Return the milliseconds of CPU of an answer with the points of the country, made and kept."""
    connection = _connect(server.url)
    _read(connection, f"{POINTS_PATH}?zip=01")  # what is read once a load
    paths = [f"{POINTS_PATH}?fuel={fuel_id}" for fuel_id in FUEL_NAMES]
    found = {}
    for what, rounds in (("made", 1), ("kept", KEPT_ROUNDS)):
        start = server.read_cpu_seconds()
        for _ in range(rounds):
            for path in paths:
                _read(connection, path)
        found[what] = 1000 * (server.read_cpu_seconds() - start) / (rounds * len(paths))
    return found


async def _hold_sessions(kind: str, server: Server, engine: Engine, feeds: Feeds) -> list[Line]:
    """Hold the sessions of the soak; the loads begin after two of four parts of the time."""
    choices, people = add_people(server.settings, engine)
    notes, start = Notes(), time.monotonic()
    plan = Plan(server.url, choices, PAUSE_SECONDS, start, start + HELD_SECONDS, start + 4 * HELD_SECONDS)
    sessions = asyncio.create_task(hold_sessions(plan, people, notes))
    await asyncio.sleep(2 * HELD_SECONDS)
    begin = time.monotonic()
    await asyncio.to_thread(_load_in_turn, server.settings, [feeds.next, feeds.first])
    end = time.monotonic()
    await sessions
    lines = [Line(f"{kind}: page sessions held", len(people), ""), Line(f"{kind}: their errors", len(notes.errors), "")]
    for when, since, until in (("before", start, begin), ("during loads", begin, end), ("after", end, plan.end)):
        milliseconds = [took for moment, took in notes.actions if since <= moment < until]
        lines += [
            Line(f"{kind}: rerun, {when}: p{percent}", _find_percentile(milliseconds, percent), "ms")
            for percent in (50, 95)
        ]
    return lines


@contextmanager
def _open_new(folder: Path, make_database: MakeDatabase) -> Iterator[tuple[Settings, Engine]]:
    with open_state(folder) as settings:
        settings = settings.model_copy(update={"database_url": make_database()})
        with open_database(settings) as engine:
            prepare_database(engine)
            yield settings, engine


def list_paths(engine: Engine) -> list[str]:
    """Return the addresses of as many searches as there are stations, in any order."""
    with engine.connect() as connection:
        places = connection.execute(select(Station.latitude, Station.longitude)).all()
    fuels = list(FUEL_NAMES.values())
    paths = [
        f"/api/v1/stations?near={latitude:.5f},{longitude:.5f}&fuel={fuels[number % len(fuels)]}"
        for number, (latitude, longitude) in enumerate(places)
    ]
    Random(1).shuffle(paths)
    return paths


def _load_in_turn(settings: Settings, feeds: Sequence[Path]) -> None:
    for number in range(LOADS):
        subprocess.run(
            [sys.executable, "etl.py", "--feed", str(feeds[number % len(feeds)])],
            cwd=ROOT,
            env=settings.as_environment(),
            check=True,
            capture_output=True,
        )


def read_at_full_speed(url: str, paths: Sequence[str], seconds: float) -> list[float]:
    """Ask over every connection as soon as it is free; return the milliseconds of each read."""
    end = time.monotonic() + seconds

    def read_on(client: int) -> list[float]:
        connection, found = _connect(url), []
        for path in paths[client::CLIENTS]:
            if (start := time.monotonic()) > end:
                break
            _read(connection, path)
            found.append(1000 * (time.monotonic() - start))
        return found

    return _gather(read_on)


def read_paced(url: str, paths: Sequence[str], meanwhile: Callable[[], None]) -> list[float]:
    """Ask at the pace while something else goes on; a read counts from when it was due, late or not."""
    is_over, start = threading.Event(), time.monotonic()

    def read_on(client: int) -> list[float]:
        connection, found = _connect(url), []
        for number, path in enumerate(paths[client::CLIENTS]):
            due = start + (number * CLIENTS + client) / RATE
            if is_over.wait(max(0.0, due - time.monotonic())):
                break
            _read(connection, path)
            found.append(1000 * (time.monotonic() - due))
        return found

    def end_after() -> None:
        try:
            meanwhile()
        finally:
            is_over.set()

    ending = threading.Thread(target=end_after)
    ending.start()
    found = _gather(read_on)
    ending.join()
    return found


def _gather(read_on: Callable[[int], list[float]]) -> list[float]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        return [value for found in pool.map(read_on, range(CLIENTS)) for value in found]


def _connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)


def _read(connection: http.client.HTTPConnection, path: str) -> None:
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")


def _time_elapsed(function: Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _find_percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]
