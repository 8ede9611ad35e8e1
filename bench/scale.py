"""What one server holds and one database takes: memory of held sessions, and writing transactions a second."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, update

from bench.drivers import add_drivers, make_cookie
from bench.run import Line, Table, time_call
from bench.server import Server, run_server
from bench.soak import LANDING, list_choices
from bench.state import Feeds, find_feeds, make_databases, open_database, open_state, prepare_load
from bench.visitor import open_visit
from db import begin_writing, open_engine, prepare_database
from models import User
from settings import Settings

SESSIONS = (50, 150)  # held at once; what the later ones add counts, after caches are warm
WRITERS = 8
WRITE_SECONDS = 4.0


def measure_scale(postgresql: str = "", seconds: float = WRITE_SECONDS) -> Table:
    """Measure on SQLite, and on PostgreSQL too where a URL names an empty database for it."""
    with TemporaryDirectory(prefix="carburoam-bench-") as name:
        folder = Path(name)
        feeds = find_feeds(folder)
        databases = make_databases(folder, feeds)
        lines = []
        with open_state(folder, databases.loaded) as settings, open_database(settings) as engine:
            add_drivers(engine, max(SESSIONS))
            cookies = [make_cookie(settings, engine, number) for number in range(1, SESSIONS[1] // 2 + 1)]
            with run_server(settings) as server:
                lines += asyncio.run(_hold_sessions(server, engine, cookies))
            lines += _measure_writes(engine, "SQLite", seconds)
        with open_state(folder, databases.empty) as settings, open_database(settings) as engine:
            lines += _measure_loads(settings, engine, feeds, "SQLite")
        if postgresql:
            with open_state(folder) as settings:
                engine = open_engine(postgresql)
                prepare_database(engine)
                lines += _measure_loads(settings, engine, feeds, "PostgreSQL")
                add_drivers(engine, WRITERS)
                lines += _measure_writes(engine, "PostgreSQL", seconds)
                engine.dispose()
    heading = f"Scale. Half of the sessions logged in, each after three searches; {WRITERS} threads that write."
    return Table(heading, lines)


async def _hold_sessions(server: Server, engine: Engine, cookies: list[dict[str, str]]) -> list[Line]:
    """Open sessions, each with a few searches, and hold all of them; what the second lot adds is the price of one."""
    towns = list_choices(engine).towns
    megabytes: dict[int, float] = {}
    cpu_ms: list[float] = []
    async with AsyncExitStack() as stack:
        for number in range(1, max(SESSIONS) + 1):
            cookie = cookies[number // 2 - 1] if number % 2 == 0 else None
            visitor = await stack.enter_async_context(open_visit(server.url, cookie))
            await visitor.open_page(LANDING, {"lang": "EN"})
            if not visitor.has_widget("q"):
                await visitor.open_page("landing")
            start = server.read_cpu_seconds()
            for offset in range(3):
                await visitor.change("q", towns[(3 * number + offset) % len(towns)])
            cpu_ms.append(1000 * (server.read_cpu_seconds() - start) / 3)
            if number in SESSIONS:
                megabytes[number] = server.read_megabytes()
    few, many = SESSIONS
    return [
        Line(f"memory with {few} sessions held", megabytes[few], "MB"),
        Line(f"memory with {many} sessions held", megabytes[many], "MB"),
        Line(f"memory of {many - few} more", megabytes[many] - megabytes[few], "MB"),
        Line("search of a town: CPU", sum(cpu_ms[few:]) / len(cpu_ms[few:]), "ms"),
    ]


def _measure_loads(settings: Settings, engine: Engine, feeds: Feeds, name: str) -> list[Line]:
    """Measure the first load and the next one, by the clock: what a database elsewhere does is no CPU time of ours."""
    return [
        Line(f"{what} load on {name}: elapsed", time_call(prepare_load(settings, engine, feed), time.perf_counter))
        for what, feed in (("first", feeds.first), ("next", feeds.next))
    ]


def _measure_writes(engine: Engine, name: str, seconds: float) -> list[Line]:
    """Measure how many small changes of drivers' rows a second one thread commits, and several that take turns."""
    return [
        Line(f"changes a second on {name}, {writers} at once", count_writes(engine, writers, seconds) / seconds, "1/s")
        for writers in (1, WRITERS)
    ]


def count_writes(engine: Engine, writers: int, seconds: float) -> int:
    """Return how many changes were committed, at least one by each writer."""
    end = time.monotonic() + seconds

    def write(user_id: int) -> int:
        for done in count():
            if done and time.monotonic() >= end:
                return done
            with begin_writing(engine) as connection:
                connection.execute(
                    update(User).where(User.id == user_id).values(name=f"Driver {done}", created_at=datetime.now(UTC))
                )
        raise AssertionError

    with ThreadPoolExecutor(writers) as pool:
        return sum(pool.map(write, range(1, writers + 1)))
