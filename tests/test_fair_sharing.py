"""What one client asks of the real application for its tabs, the map and programs, others wait for hardly at all."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

import pytest
import requests
from conftest import MakeFeed
from own_loop import run_in_own_loop
from sqlalchemy import Engine

from bench.drivers import add_drivers, make_cookie
from bench.server import Server, run_server
from bench.visitor import Visitor, open_visit
from etl import run_load
from settings import ROOT, Settings

TABS = 12
RERUNS = 8  # of the other visitor
FLOODER, OTHER = "192.0.2.1", "203.0.113.1"


@pytest.fixture
def server(settings: Settings, engine: Engine, make_feed: MakeFeed) -> Iterator[Server]:
    """The application behind a proxy that it trusts, with prices."""
    assert run_load(settings.model_copy(update={"feed_url": str(make_feed())}), engine).is_success
    # Without the limits of the websocket, which would hold the flood up before it meets the turns.
    changes = {"trusted_proxies": "127.0.0.1", "tabs_per_address": 0, "messages_per_10_seconds": 0}
    with run_server(settings.model_copy(update=changes)) as server:
        yield server


@asynccontextmanager
async def open_tab(server: Server, address: str, cookie: dict[str, str] | None = None) -> AsyncIterator[Visitor]:
    async with open_visit(server.url, cookie, address=address) as visitor:
        await visitor.open_page("about", {"lang": "EN"})
        yield visitor


@pytest.mark.slow
@pytest.mark.parametrize("is_neighbour", [False, True], ids=["elsewhere", "a driver behind the same address"])
def test_a_rerun_waits_for_a_few_of_those_that_another_visitor_asks_for_in_many_tabs(
    server: Server, settings: Settings, engine: Engine, is_neighbour: bool
) -> None:
    add_drivers(engine, 1)
    address, cookie = (FLOODER, make_cookie(settings, engine, 1)) if is_neighbour else (OTHER, None)
    finished: list[int] = []

    async def rerun_on(tab: Visitor, is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            await tab.rerun()
            finished.append(1)

    async def visit() -> None:
        is_over = asyncio.Event()
        async with AsyncExitStack() as stack:
            other = await stack.enter_async_context(open_tab(server, address, cookie))
            await other.rerun()
            tabs = [await stack.enter_async_context(open_tab(server, FLOODER)) for _ in range(TABS)]
            flood = [asyncio.create_task(rerun_on(tab, is_over)) for tab in tabs]
            while len(finished) < 2 * TABS:
                await asyncio.sleep(0.01)
            before = len(finished)
            for _ in range(RERUNS):
                await other.rerun()
            meanwhile = len(finished) - before
            is_over.set()
            await asyncio.gather(*flood)
        assert meanwhile < RERUNS * TABS / 2, "one after the other, each waits for a run of every tab"

    run_in_own_loop(visit())


@pytest.mark.slow
def test_tabs_that_are_closed_or_ask_again_before_they_are_answered_hold_up_nobody(server: Server) -> None:
    async def visit() -> None:
        async with open_tab(server, OTHER) as other:
            for _ in range(3):
                async with AsyncExitStack() as stack:
                    tabs = [await stack.enter_async_context(open_tab(server, FLOODER)) for _ in range(4)]
                    for tab in tabs * 5:
                        await tab.send_rerun()
                await other.rerun()
            await other.open_page("profile")  # it stops: it is for drivers
            async with open_tab(server, FLOODER) as again:
                await again.rerun()

    run_in_own_loop(visit())


@pytest.mark.slow
def test_programs_that_read_all_the_time_hold_up_no_page(server: Server) -> None:
    answered, threads = count(), 6
    is_over = asyncio.Event()

    def read_on(number: int) -> None:
        for page in count():
            if is_over.is_set():
                return
            path = f"stations.json?fuel=1&open={1_800_000_000 + 3600 * (threads * page + number)}"
            requests.get(f"{server.url}/{path}", headers={"X-Forwarded-For": FLOODER}, timeout=60)
            next(answered)

    async def visit() -> None:
        async with open_tab(server, OTHER) as other:
            for _ in range(RERUNS):
                await other.rerun()

    with ThreadPoolExecutor(threads) as pool:
        reading = [pool.submit(read_on, number) for number in range(threads)]
        run_in_own_loop(visit())
        is_over.set()
        for one in reading:
            one.result(60)
    assert next(answered) > 0


PROGRAMS = 60  # connections of the flood
READS = 5  # of the other program


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/api/v1/stations?near=46.2,5.2&limit={}", "/stations.json?fuel=1&open={}"])
@pytest.mark.parametrize("flooder", [FLOODER, ""], ids=["a known address", "unknown ones"])
def test_a_program_waits_for_a_few_of_the_answers_that_another_reads_over_many_connections(
    settings: Settings, engine: Engine, make_feed: MakeFeed, path: str, flooder: str
) -> None:
    assert run_load(settings.model_copy(update={"feed_url": str(make_feed())}), engine).is_success
    # Without the limits by the minute, which would end the flood before it fills the queue.
    changes = {"trusted_proxies": "127.0.0.1", "requests_per_minute": 0}
    finished: list[int] = []

    async def read(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], address: str, number: int) -> int:
        reader, writer = streams
        asked = path.format(1_800_000_000 + 3600 * number if "open" in path else number % 50 + 1)
        forwarded = f"X-Forwarded-For: {address}\r\n" if address else ""
        writer.write(f"GET {asked} HTTP/1.1\r\nHost: localhost\r\n{forwarded}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        if length := re.search(r"content-length: (\d+)", head):
            await reader.readexactly(int(length[1]))
        else:
            await reader.readuntil(b"\r\n0\r\n\r\n")
        return int(head.split()[1])

    async def ask_all(server: Server) -> None:
        port = int(server.url.rpartition(":")[2])
        numbers = count()

        async def read_on() -> None:
            streams = await asyncio.open_connection("127.0.0.1", port)
            while True:
                finished.append(await read(streams, flooder, next(numbers)))

        flood = [asyncio.create_task(read_on()) for _ in range(PROGRAMS)]
        while len(finished) < 2 * PROGRAMS:
            await asyncio.sleep(0.01)
        streams = await asyncio.open_connection("127.0.0.1", port)
        before = len(finished)
        answers = [await read(streams, OTHER, next(numbers)) for _ in range(READS)]
        meanwhile = len(finished) - before
        for one in flood:
            one.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
        assert {*answers, *finished} == {200}
        assert meanwhile < READS * PROGRAMS / 3, "one after the other, each waits for an answer of every connection"

    with run_server(settings.model_copy(update=changes)) as server:
        run_in_own_loop(ask_all(server))


def list_functions_without_a_turn() -> Iterator[str]:
    """Yield each function that is drawn as a fragment or a dialog and doesn't take its turn."""
    for path in sorted([*ROOT.glob("ui/*.py"), *ROOT.glob("pages/*.py")]):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        drawn = {
            name
            for name, node in functions.items()
            if any(re.match(r"st\.(dialog|fragment)\b", ast.unparse(one)) for one in node.decorator_list)
        }
        for node in ast.walk(tree):  # st.dialog(title)(show)()
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Call)
                and ast.unparse(node.func.func) in ("st.dialog", "st.fragment")
            ):
                drawn |= {argument.id for argument in node.args if isinstance(argument, ast.Name)}
        for name in drawn:
            if "takes_turn" not in map(ast.unparse, functions[name].decorator_list):
                yield f"{path.name}: {name}"


def test_whatever_is_run_again_by_itself_takes_its_turn() -> None:
    assert list(list_functions_without_a_turn()) == []
