"""The application killed while drivers keep stations on its pages: what a page confirmed is there, and all goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from random import Random

import psutil
import pytest
from browser.app_process import find_scheduler, wait_until
from conftest import FIRST_ID, MakeFeed
from loops import LOOP_SECONDS, choose
from own_loop import run_in_own_loop
from people import require_sound
from sqlalchemy import Engine
from websockets.exceptions import WebSocketException

from bench.drivers import add_drivers, make_cookie
from bench.server import Server, run_server
from bench.state import ONE_ADDRESS
from bench.visitor import VisitFailed, Visitor, open_visit
from etl import run_load
from settings import Settings
from stations.favourites import list_favourites

DRIVERS = 5
CONFIRMED_BEFORE = 5  # by all drivers, until the moment of the kill is drawn
BACKGROUND_SECONDS = 20.0  # it is to end five seconds after the app, on a machine that does nothing else
GONE = (VisitFailed, WebSocketException, OSError)


class Driver:
    """Keeps one station after the other on the page of each, and knows what the page confirmed."""

    def __init__(self, user_id: int, cookies: dict[str, str]) -> None:
        self.user_id = user_id
        self.cookies = cookies
        self.confirmed: set[int] = set()
        self.asked: set[int] = set()

    async def keep(self, server: Server, stations: Sequence[int], on_confirmed: Callable[[], object]) -> None:
        """Keep stations until there are none left or the app is gone."""
        try:
            async with open_visit(server.url, self.cookies) as visitor:
                for station in stations:
                    await visitor.open_page("station", {"id": str(station), "lang": "EN"})
                    self.asked.add(station)
                    await visitor.submit("station_add", {})
                    require_kept(visitor)
                    self.confirmed.add(station)
                    on_confirmed()
        except GONE:
            return


def require_kept(visitor: Visitor) -> None:
    assert any("In your list as" in text for text in visitor.list_texts()), visitor.list_texts()


async def keep_until_killed(server: Server, drivers: Sequence[Driver], stations: Sequence[int], random: Random) -> None:
    """Let all drivers keep stations, and kill the app at a moment at random after the first that were kept."""
    confirmations, enough = 0, asyncio.Event()

    def count() -> None:
        nonlocal confirmations
        confirmations += 1
        if confirmations == CONFIRMED_BEFORE:
            enough.set()

    tasks = [asyncio.create_task(driver.keep(server, stations, count)) for driver in drivers]
    await asyncio.wait([*tasks, asyncio.create_task(enough.wait())], return_when=asyncio.FIRST_COMPLETED)
    assert enough.is_set(), [task.result() for task in tasks if task.done()]
    await asyncio.wait(tasks, timeout=random.uniform(0, 1))
    server.process.kill()
    await asyncio.gather(*tasks)


async def look_again(server: Server, drivers: Sequence[Driver]) -> None:
    """Require that every driver is still logged in and sees a station that was kept before."""
    async with AsyncExitStack() as stack:
        for driver in drivers:
            visitor = await stack.enter_async_context(open_visit(server.url, driver.cookies))
            for station in sorted(driver.confirmed)[:1]:
                await visitor.open_page("station", {"id": str(station), "lang": "EN"})
                require_kept(visitor)
            assert visitor.list_errors() == []


@pytest.mark.slow
@pytest.mark.timeout(LOOP_SECONDS)
def test_an_app_that_is_killed_while_drivers_write_loses_nothing_that_a_page_confirmed(
    settings: Settings, engine: Engine, make_feed: MakeFeed, record_property: Callable[[str, object], None]
) -> None:
    assert run_load(settings.model_copy(update={"feed_url": str(make_feed())}), engine).status == "loaded"
    settings = settings.model_copy(update=ONE_ADDRESS)
    add_drivers(engine, DRIVERS)
    drivers = [Driver(id_, make_cookie(settings, engine, id_)) for id_ in range(1, DRIVERS + 1)]
    random, rounds, each = Random(3), choose(small=1, whole=8), 5
    for number in range(rounds):
        with run_server(settings) as server:
            run_in_own_loop(look_again(server, drivers))
            wait_until(lambda: find_scheduler(settings.state_dir), BACKGROUND_SECONDS)
            background = find_scheduler(settings.state_dir)
            first = FIRST_ID + number * each
            run_in_own_loop(keep_until_killed(server, drivers, range(first, first + each), random))
            _, alive = psutil.wait_procs([background], BACKGROUND_SECONDS)
            assert not alive, "the background process outlived its app"
        for driver in drivers:
            with engine.connect() as connection:
                kept = {favourite.station_id for favourite in list_favourites(connection, driver.user_id)}
            assert driver.confirmed <= kept <= driver.asked
        require_sound(engine)
    with run_server(settings) as server:
        run_in_own_loop(look_again(server, drivers))
    confirmed = sum(len(driver.confirmed) for driver in drivers)
    record_property("figures", f"{rounds} kills, {confirmed} kept stations confirmed before them, none lost")
