"""What favourites cost: pages beside a hundred thousand drivers with a million of them, and the dashboard itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from sqlalchemy import Engine, select

from accounts.profile import get_profile
from bench.drivers import add_drivers, add_favourites, make_cookie
from bench.run import AsyncJob, Line, Table, measure_async
from bench.server import Server, run_server
from bench.state import Databases, find_feeds, make_databases, open_database, open_state
from bench.visitor import Visitor, open_visit
from models import Station
from prices.dashboard import make_dashboard
from prices.figures import NationalFigures
from prices.freshness import get_freshness
from prices.medians import NearbyMedians
from settings import Settings
from stations.favourites import list_favourites

FEW, MANY = 3, 100_000
KEPT_EACH = 10  # by most drivers: a million in all
KEPT = 20  # by the driver whose dashboard is measured
FUELS = (1, 2, 5)
WITHOUT, WITH = 1, 2  # two drivers, with nothing kept and with twenty stations
RUNS = 7
RERUNS = 40
READS = 200
# The pages that are measured: what is measured on each, and its address.
PAGES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "dashboard": ("", {}),
    "search": ("landing", {"q": "Lyon"}),
    "choosing": ("choose", {"q": "Lyon"}),
}


class House(NamedTuple):
    """A state dir with so many accounts, its database, and the cookies of the two drivers."""

    settings: Settings
    engine: Engine
    cookies: Mapping[int, Mapping[str, str]]


def measure_stations() -> Table:
    """Measure everything about favourites; takes about three minutes."""
    with TemporaryDirectory(prefix="carburoam-bench-") as name:
        folder = Path(name)
        databases = make_databases(folder, find_feeds(folder))
        with _open_house(folder, databases, FEW) as few, _open_house(folder, databases, MANY) as many:
            with run_server(few.settings) as few_server, run_server(many.settings) as many_server:
                lines = asyncio.run(_measure_pages((few, few_server), (many, many_server)))
            lines.append(_measure_reading(many.engine))
    return Table(
        f"Favourites. {MANY:,} drivers with {KEPT_EACH} stations each beside one with {KEPT} and {len(FUELS)} fuels;"
        f" the small database has {FEW} accounts. CPU of the server, medians of {RUNS} runs of {RERUNS} reruns.",
        lines,
    )


async def _measure_pages(few: tuple[House, Server], many: tuple[House, Server]) -> list[Line]:
    jobs: dict[str, AsyncJob] = {}
    async with AsyncExitStack() as stack:
        for size, (house, server) in (("few", few), ("many", many)):
            for page, (path, query) in PAGES.items():
                visitor = await stack.enter_async_context(_open(server, house.cookies[WITH], path, query))
                jobs[f"{page} {size}"] = partial(_time_reruns, server, visitor)
        house, server = many
        visitor = await stack.enter_async_context(_open(server, house.cookies[WITHOUT], "", {}))
        jobs["nothing kept"] = partial(_time_reruns, server, visitor)
        ms = await measure_async(RUNS, jobs)
    added = ms["dashboard many"] - ms["nothing kept"]
    return [
        *(
            Line(f"{page}: beside {MANY:,} drivers / beside {FEW}", ms[f"{page} many"], "ms", ms[f"{page} few"], 1.3)
            for page in PAGES
        ),
        Line("dashboard with nothing kept", ms["nothing kept"], "ms"),
        Line(f"{KEPT} stations and {len(FUELS)} fuels add", added, "ms", limit=12),
    ]


def _measure_reading(engine: Engine) -> Line:
    """Measure all that the dashboard reads, in this process: its queries, and the rows and blocks made of them."""
    figures, medians = NationalFigures(), NearbyMedians()
    milliseconds = []
    for _ in range(READS):
        start = time.perf_counter()
        with engine.connect() as connection:
            freshness = get_freshness(connection)
            assert freshness is not None
            assert freshness.newest_report_at is not None
            as_of = freshness.newest_report_at
            profile = get_profile(connection, WITH)
            board = make_dashboard(
                connection,
                list_favourites(connection, WITH),
                profile.fuels,
                figures.find(connection, freshness.edition, as_of),
                medians,
                loaded_at=freshness.loaded_at,
                as_of=as_of,
                now=datetime.now(UTC),
            )
        milliseconds.append(1000 * (time.perf_counter() - start))
        assert len(board.blocks) == len(FUELS)
    return Line("of it in the database, blocks made of the rows included", median(milliseconds), "ms", limit=4)


async def _time_reruns(server: Server, visitor: Visitor) -> float:
    """Return the milliseconds of CPU of one of several reruns."""
    start = server.read_cpu_seconds()
    for _ in range(RERUNS):
        await visitor.rerun()
    return 1000 * (server.read_cpu_seconds() - start) / RERUNS


@contextmanager
def _open_house(folder: Path, databases: Databases, accounts: int) -> Iterator[House]:
    """Give a state dir with prices and so many accounts, most of which keep stations."""
    with open_state(folder, databases.loaded) as settings, open_database(settings) as engine:
        add_drivers(engine, accounts)
        with engine.connect() as connection:
            stations = connection.scalars(select(Station.id).order_by(Station.id)).all()
        add_favourites(engine, [WITH], KEPT, stations, FUELS)
        add_favourites(engine, range(WITH + 1, accounts + 1), KEPT_EACH, stations, FUELS)
        yield House(settings, engine, {id_: make_cookie(settings, engine, id_) for id_ in (WITHOUT, WITH)})


@asynccontextmanager
async def _open(
    server: Server, cookies: Mapping[str, str], page: str, query: Mapping[str, str]
) -> AsyncIterator[Visitor]:
    """Open a page in English as a driver, run once more so that everything is warm."""
    async with open_visit(server.url, cookies) as visitor:
        await visitor.open_page(page, {"lang": "EN", **query})
        await visitor.rerun()
        assert visitor.list_errors() == []
        yield visitor
