"""One visitor sends forms while something holds the write lock: the pages and the changes of others go on."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from conftest import MakeFeed
from own_loop import run_in_own_loop
from programs import run_program
from sqlalchemy import Engine, update
from test_database_lost import HOLD

from bench.drivers import add_drivers, make_cookie
from bench.server import Server, run_server
from bench.visitor import open_visit
from db import begin_writing
from etl import run_load
from models import LoginSession
from settings import Settings
from translations import load_catalogue

pytestmark = pytest.mark.slow

FORMS = 40  # more than there are connections to either database
TABS = 10  # at each address
ADDRESSES = [f"192.0.2.{number + 1}" for number in range(FORMS // TABS)]
SECONDS = 25.0  # less than who waits for the lock waits
NOT_SAVED = "Nothing was saved: that is not possible right now. Please try again in a minute."


@pytest.fixture
def server(settings: Settings, engine: Engine, make_feed: MakeFeed) -> Iterator[Server]:
    """The application behind a proxy that it trusts, with prices and two accounts."""
    assert run_load(settings.model_copy(update={"feed_url": str(make_feed())}), engine).is_success
    add_drivers(engine, 2)
    with run_server(settings.model_copy(update={"trusted_proxies": "127.0.0.1"})) as server:
        yield server


async def wait_until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not is_so():
            await asyncio.sleep(0.02)


def test_pages_answer_and_others_save_though_one_visitor_s_forms_wait_for_the_write_lock(
    server: Server, settings: Settings, engine: Engine
) -> None:
    flooding, other = (make_cookie(settings, engine, number) for number in (1, 2))
    with begin_writing(engine) as connection:  # the sessions have not been seen for long: a page that opens notes them
        connection.execute(update(LoginSession).values(seen_at=datetime.now(UTC) - timedelta(days=2)))
    finished: list[str] = []

    async def change_language(
        cookie: dict[str, str], address: str, may_begin: asyncio.Event, opened: list[str]
    ) -> None:
        async with open_visit(server.url, cookie, address=address) as visitor:
            await visitor.open_page("about", {})
            opened.append(address)
            await may_begin.wait()
            await visitor.change("lang", ["FR"])
            assert NOT_SAVED not in visitor.list_errors()
            assert load_catalogue("fr").gettext("About Carburoam") in visitor.list_texts()
            finished.append(address)

    async def attack() -> None:
        may_begin, opened = asyncio.Event(), []
        forms = [
            asyncio.create_task(change_language(flooding, address, may_begin, opened))
            for address in ADDRESSES
            for _ in range(TABS)
        ]
        await wait_until(lambda: len(opened) == FORMS)
        threads = server.process.num_threads()
        with run_program(settings, "-c", HOLD, stdin=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert await asyncio.to_thread(holder.stdout.readline) == "held\n"
            may_begin.set()
            await wait_until(lambda: server.process.num_threads() >= threads + FORMS)
            for cookie in (None, other):
                async with asyncio.timeout(SECONDS), open_visit(server.url, cookie, address="203.0.113.1") as visitor:
                    for page in ("", "about", "choose"):
                        await visitor.open_page(page, {"lang": "EN"})
                        assert visitor.list_errors() == []
            saving = asyncio.create_task(change_language(other, "203.0.113.2", may_begin, opened))
            await wait_until(lambda: server.process.num_threads() > threads + FORMS)
            assert finished == [], "the lock is held"
            await asyncio.to_thread(holder.communicate, timeout=SECONDS)
        await asyncio.gather(*forms, saving)
        assert finished.index("203.0.113.2") < FORMS // 2, "the change of who sent one waits for those of who sent many"

    run_in_own_loop(attack())
