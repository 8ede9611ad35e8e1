"""What others notice of clients that ask for as much as they may: reruns of pages, the API, points of the map."""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count, cycle
from pathlib import Path
from random import Random
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from api.limits import POINTS_PATH
from bench.run import Line, Table, measure_async
from bench.server import Server, run_server
from bench.soak import Choices, list_choices
from bench.state import find_feeds, make_databases, open_database, open_state
from bench.visitor import Visitor, open_visit

RUNS = 5
OTHERS = 5  # visitors whose reruns are timed, each at an address of its own
RERUNS = 12  # of each of them in a run
PAUSE_SECONDS = 0.5  # on average, between two reruns of one of them
MANY = 5  # clients that flood at once
TABS = 12  # of a client that floods
THREADS = 8  # of a client that floods the API or the map
LIMIT_RATIO = 3

Flood = Callable[[], AbstractAsyncContextManager[None]]


def measure_fairness() -> Table:
    """Measure the reruns of others while nobody, one client or several flood; takes about four minutes."""
    with TemporaryDirectory(prefix="carburoam-bench-") as name:
        folder = Path(name)
        databases = make_databases(folder, find_feeds(folder))
        with open_state(folder, databases.loaded) as settings:
            with open_database(settings) as engine:
                choices = list_choices(engine)
            with run_server(settings.model_copy(update={"trusted_proxies": "127.0.0.1"})) as server:
                lines = asyncio.run(_measure(server, choices))
    return Table(
        f"Fairness: {OTHERS} visitors who search prices around a town, each with {RERUNS} reruns about every"
        f" {PAUSE_SECONDS:g} s in each of {RUNS} runs; medians of the percentiles of a run. A client floods from one"
        f" address, as much as the limits let it: it reruns such a page in {TABS} tabs or asks in {THREADS} threads,"
        " each again as soon as it is answered.",
        lines,
    )


async def _measure(server: Server, choices: Choices) -> list[Line]:
    addresses = (f"198.51.{number // 250}.{number % 250 + 1}" for number in count())
    flooded: dict[str, list[float]] = {}  # how much was done for who floods, a second, in each run
    middles: dict[str, list[float]] = {}  # the p50 of the others in each run
    async with AsyncExitStack() as stack:
        others = [
            await stack.enter_async_context(_open_search(server, town, f"203.0.113.{number}"))
            for number, town in enumerate(choices.towns[:OTHERS], start=1)
        ]

        async def measure_beside(name: str, clients: Sequence[Sequence[Callable[[str, list[float]], Flood]]]) -> float:
            rates: list[float] = []
            async with AsyncExitStack() as flooding:
                for floods, address in zip(clients, addresses, strict=False):
                    for flood in floods:
                        await flooding.enter_async_context(flood(address, rates)())
                milliseconds = await _time_others(others)
            flooded.setdefault(name, []).append(sum(rates))
            twentieths = quantiles(milliseconds, n=20)
            middles.setdefault(name, []).append(twentieths[9])
            return twentieths[18]

        pages = partial(_flood_pages, server, choices.towns)
        api = partial(_flood_paths, server, cycle(_list_api_paths()))
        points = partial(_flood_paths, server, cycle(_list_points_paths()))
        floods = {
            "one client floods pages": [[pages]],
            f"{MANY} clients flood pages": [[pages]] * MANY,
            "one client floods the API": [[api]],
            "one client floods the points of the map": [[points]],
            "one client floods all of them": [[pages, api, points]],
            "3 clients flood one of them each": [[pages], [api], [points]],
        }
        jobs = {name: partial(measure_beside, name, chosen) for name, chosen in {"quiet": [], **floods}.items()}
        p95 = await measure_async(RUNS, jobs)
    lines = [Line("quiet: p50", median(middles["quiet"]), "ms"), Line("quiet: p95", p95["quiet"], "ms")]
    for name in floods:
        lines += [
            Line(f"{name}: p50 of others", median(middles[name]), "ms", floor=median(middles["quiet"])),
            Line(
                f"{name}: p95 of others",
                p95[name],
                "ms",
                floor=p95["quiet"],
                limit=LIMIT_RATIO if name.startswith("one client") else None,
            ),
            Line(f"{name}: answers to them", median(flooded[name]), "1/s"),
        ]
    return lines


@asynccontextmanager
async def _open_search(server: Server, town: str, address: str) -> AsyncIterator[Visitor]:
    async with open_visit(server.url, None, address=address) as visitor:
        await visitor.open_page("", {"lang": "EN", "q": town})
        await visitor.rerun()
        yield visitor


async def _time_others(others: Sequence[Visitor]) -> list[float]:
    async def visit(number: int, visitor: Visitor) -> list[float]:
        random, found = Random(number), []
        for _ in range(RERUNS):
            await asyncio.sleep(random.uniform(0.5, 1.5) * PAUSE_SECONDS)
            found.append(await visitor.rerun())
        return found

    return [ms for found in await asyncio.gather(*map(visit, range(len(others)), others)) for ms in found]


def _flood_pages(server: Server, towns: Sequence[str], address: str, rates: list[float]) -> Flood:
    """Rerun a page in all tabs that a client may have, each as soon as it is answered."""

    @asynccontextmanager
    async def flood() -> AsyncIterator[None]:
        is_over, finished = asyncio.Event(), []

        async def rerun_on(tab: Visitor) -> None:
            while not is_over.is_set():
                finished.append(await tab.rerun())

        async with AsyncExitStack() as stack:
            tabs = [
                await stack.enter_async_context(_open_search(server, towns[-1 - number], address))
                for number in range(TABS)
            ]
            start = time.monotonic()
            rerunning = [asyncio.create_task(rerun_on(tab)) for tab in tabs]
            try:
                yield
            finally:
                rates.append(len(finished) / (time.monotonic() - start))
                is_over.set()
                await asyncio.gather(*rerunning)

    return flood


def _flood_paths(server: Server, paths: Iterator[str], address: str, rates: list[float]) -> Flood:
    """Ask for one path after the other in several threads, refused or not."""

    @asynccontextmanager
    async def flood() -> AsyncIterator[None]:
        is_over, answered, start = threading.Event(), count(), time.monotonic()
        threads = [
            threading.Thread(target=_read_on, args=(server.url, paths, address, is_over, answered))
            for _ in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            is_over.set()
            await asyncio.to_thread(_join, threads)
            rates.append(next(answered) / (time.monotonic() - start))

    return flood


def _join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


def _read_on(url: str, paths: Iterator[str], address: str, is_over: threading.Event, answered: Iterator[int]) -> None:
    parts = urlsplit(url)
    headers: Mapping[str, str] = {"X-Forwarded-For": address}
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    while not is_over.is_set():
        try:
            connection.request("GET", next(paths), headers=headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):  # the flood goes on over another connection
            connection.close()
            is_over.wait(0.02)
            continue
        if answer.status == 200:
            next(answered)
        else:  # refused: a program that wants as much as it can get asks again soon
            is_over.wait(0.02)
    connection.close()


def _list_api_paths() -> list[str]:
    """Return the addresses of large answers of the API, around points in and near Paris."""
    return [
        f"/api/v1/stations?near={48.5 + number / 1000:.3f},2.35&radius_km=50&limit=100&fuel=Gazole"
        for number in range(500)
    ]


def _list_points_paths() -> list[str]:
    """Return the addresses of the points of the whole country, no two alike."""
    return [f"{POINTS_PATH}?fuel={number % 6 + 1}&open={1_800_000_000 + 3600 * number}" for number in range(3000)]
