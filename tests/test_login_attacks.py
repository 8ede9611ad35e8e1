"""What a stranger at the pages can do to drivers who log in: floods of log-ins, guesses, codes of others used up.

On the real server, over its sockets; the addresses are those that a trusted proxy names.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from typing import Any

import pytest
from conftest import MakeFeed, ReadMails, find_code
from own_loop import run_in_own_loop
from pydantic import SecretStr
from sqlalchemy import Engine, func, select

from accounts import passwords
from bench.drivers import PASSWORD, add_drivers
from bench.server import Server, run_server
from bench.visitor import Visitor, open_visit
from etl import run_load
from models import User
from settings import Settings

pytestmark = pytest.mark.slow

ATTACKER, HOME, ELSEWHERE = "198.51.100.66", "192.0.2.1", "203.0.113.9"
WRONG = "This name and this password do not fit together."
BUSY = "Many people are logging in right now; try again in a few seconds."
SOCKETS = 40


@pytest.fixture
def server(
    settings: Settings, engine: Engine, make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """The application behind a trusted proxy, with prices, three accounts and a mail server that is away."""
    monkeypatch.setattr(passwords, "ROUNDS", 12)
    assert run_load(settings.model_copy(update={"feed_url": str(make_feed())}), engine).is_success
    add_drivers(engine, 3)
    changes: dict[str, Any] = {
        "trusted_proxies": "127.0.0.1",
        "smtp_url": SecretStr("smtp://127.0.0.1:1"),
        # Of sockets: these are other limits.
        "requests_per_minute": 0,
        "tabs_per_address": 0,
        "messages_per_10_seconds": 0,
    }
    with run_server(settings.model_copy(update=changes)) as server:
        yield server


def attack(server: Server, deed: Callable[[Attack], Awaitable[None]]) -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            await deed(Attack(server, stack))

    run_in_own_loop(run())


class Attack:
    """Tabs of whom a test wants, closed at its end."""

    def __init__(self, server: Server, stack: AsyncExitStack) -> None:
        self._server = server
        self._stack = stack

    async def open(self, page: str, address: str) -> Visitor:
        """Open a page in a browser of its own at this address."""
        cookies = {"_streamlit_xsrf": secrets.token_hex(16)}
        visitor = await self._stack.enter_async_context(open_visit(self._server.url, cookies, address=address))
        await visitor.open_page(page, {"lang": "EN"})
        return visitor

    def begin_flood(self, address: Callable[[int], str], name: Callable[[int, int], str], tabs: int) -> Flood:
        """Let so many tabs log in over and over with wrong passwords; `name` gives the name by tab and try."""
        flood = Flood()

        async def flood_on(tab: int) -> None:
            visitor = await self.open("login", address(tab))
            for number in count():
                if flood.is_over.is_set():
                    return
                flood.said += await log_in(visitor, name(tab, number), "not the password")

        flood.tasks = [asyncio.create_task(flood_on(tab)) for tab in range(tabs)]
        return flood


class Flood:
    """Log-ins that go on until their end, and what was said to them."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.is_over = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def count(self, text: str) -> int:
        return self.said.count(text)

    async def wait_for_answers(self, answers: int) -> None:
        while len(self.said) < answers:
            await asyncio.sleep(0.05)

    async def end(self) -> None:
        self.is_over.set()
        await asyncio.gather(*self.tasks)


async def log_in(visitor: Visitor, name: str, password: str = PASSWORD) -> list[str]:
    """Send the form; return what it is refused with."""
    await visitor.submit("login", {"login_name": name, "login_password": password})
    return visitor.list_errors()


def is_in(visitor: Visitor) -> bool:
    return visitor.has_widget("sidebar_log_out")


def test_a_flood_of_log_ins_waits_behind_itself(server: Server) -> None:
    async def deed(attack: Attack) -> None:
        flood = attack.begin_flood(lambda _: ATTACKER, lambda tab, n: f"nobody{tab}x{n}", SOCKETS)
        driver = await attack.open("login", HOME)
        await flood.wait_for_answers(1)
        before = flood.count(WRONG)
        assert await log_in(driver, "driver1") == []
        assert is_in(driver)
        assert flood.count(WRONG) - before < 10, "not behind the forty"
        await flood.end()
        assert flood.count(WRONG) < SOCKETS, "its pauses have begun"
        assert flood.count(BUSY) > 0

    attack(server, deed)


def test_a_driver_who_is_known_waits_for_no_flood_from_many_addresses(server: Server) -> None:
    async def deed(attack: Attack) -> None:
        assert await log_in(await attack.open("login", HOME), "driver1") == []  # known there from now on
        flood = attack.begin_flood(lambda tab: f"198.51.100.{tab}", lambda tab, n: f"x{tab}x{n}", 70)
        driver = await attack.open("login", HOME)
        await flood.wait_for_answers(1)
        before = flood.count(WRONG)
        assert await log_in(driver, "driver1") == []
        assert is_in(driver)
        assert flood.count(WRONG) - before < 30, "not behind the seventy"
        await flood.end()
        assert flood.count(BUSY) > 0

    attack(server, deed)


@pytest.mark.parametrize("name", ["driver1", "driver1@mailbox.example"])
def test_who_hammers_an_account_does_not_keep_its_driver_out(server: Server, name: str) -> None:
    async def deed(attack: Attack) -> None:
        flood = attack.begin_flood(lambda _: ATTACKER, lambda _tab, _n: name, 10)
        await flood.wait_for_answers(15)  # as it goes on when its first guesses are used up
        driver = await attack.open("login", ELSEWHERE)
        assert await log_in(driver, name) == []
        assert is_in(driver)
        await flood.end()
        assert 0 < flood.count(WRONG) < 15

    attack(server, deed)


def test_wrong_codes_and_requests_of_a_stranger_use_up_no_code(server: Server, read_mails: ReadMails) -> None:
    async def ask(visitor: Visitor) -> None:
        await visitor.submit("forgotten_password", {"password_name": "driver1"})

    async def deed(attack: Attack) -> None:
        driver = await attack.open("recover", HOME)
        await ask(driver)
        code = find_code(read_mails()[-1].text)
        for _ in range(3):
            stranger = await attack.open("recover", ATTACKER)
            await ask(stranger)
            for number in range(12):
                fields = {"reset_code": f"AAAAAAA{number % 8 + 2}", "reset_password": "another long password"}
                await stranger.submit("new_password", fields)
                assert not is_in(stranger)
        fields = {"reset_code": code, "reset_password": "another long password"}
        await driver.submit("new_password", fields)
        assert is_in(driver), driver.list_texts()

    attack(server, deed)


def test_a_stranger_who_registers_the_names_of_a_driver_keeps_nobody_out(server: Server, engine: Engine) -> None:
    async def deed(attack: Attack) -> None:
        stranger = await attack.open("register", ATTACKER)
        for username, email in (("driver1", "x@mailbox.example"), ("another", "driver1@mailbox.example")):
            fields = {
                "register_username": username,
                "register_email": email,
                "register_name": "Eve",
                "register_password": "another long password",
            }
            await stranger.submit("register", fields)
            driver = await attack.open("login", HOME)
            for name in ("driver1", "driver1@mailbox.example"):
                assert await log_in(driver, name) == []
                await driver.press("sidebar_log_out")
                await driver.open_page("login", {"lang": "EN"})
        with engine.connect() as connection:
            assert connection.execute(select(func.count()).select_from(User)).scalar_one() == 3

    attack(server, deed)
