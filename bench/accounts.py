"""What accounts cost: being logged in on a rerun, log-ins a second, and the pages of others during a log-in flood."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from pydantic import SecretStr
from sqlalchemy import Engine

from accounts import passwords
from accounts.sessions import log_in
from bench.drivers import PASSWORD, add_drivers, make_cookie
from bench.run import AsyncJob, Line, Table, measure_async
from bench.server import Server, run_server
from bench.state import Databases, find_feeds, make_databases, open_database, open_state
from bench.visitor import Visitor, open_visit
from errors import LoginRefused
from settings import Settings

FEW, MANY = 10, 100_000
PAGE = "about"  # the cheapest page: the cost of the account weighs most
RUNS = 7
RERUNS = 40  # in each run: the system counts CPU time in hundredths of a second
THREADS = 4
LOG_INS = 40
TRIES = 50  # of each kind
FLOODERS = 8
FLOOD_RERUNS = 40
GUESSES = 60  # of each kind, at known and unknown names and addresses
ATTACKERS = 40  # tabs of one address
HONEST_LOG_INS = 10  # each of another driver at an address of their own
KEY = b"b" * 32
NO_MAIL_SERVER = "smtp://127.0.0.1:1"  # so that addresses are confirmed, and mails stay in the outbox


def measure_accounts() -> Table:
    """Measure everything about accounts; takes about two minutes."""
    with TemporaryDirectory(prefix="carburoam-bench-") as name:
        folder = Path(name)
        databases = make_databases(folder, find_feeds(folder))
        with (
            _open_accounts(folder, databases, FEW) as (few, few_engine),
            _open_accounts(folder, databases, MANY) as (many, many_engine),
        ):
            with run_server(few) as few_server, run_server(many) as many_server:
                cookies = {FEW: make_cookie(few, few_engine, 1), MANY: make_cookie(many, many_engine, MANY // 2)}
                lines = asyncio.run(_measure_reruns({FEW: few_server, MANY: many_server}, cookies))
                lines += asyncio.run(_measure_flood(many_server))
                lines += asyncio.run(_measure_honest(many_server))
            lines += [_measure_rate(many_engine), *_measure_tries(many_engine)]
        with _open_accounts(folder, databases, GUESSES) as (guessed, _engine):
            # Behind a proxy, so that each guess may come from an address of its own.
            told = {"trusted_proxies": "127.0.0.1", "smtp_url": SecretStr(NO_MAIL_SERVER)}
            with run_server(guessed.model_copy(update=told)) as server:
                lines += asyncio.run(_measure_guesses(server))
    return Table(
        f"Accounts. The page /{PAGE}, medians of {RUNS} runs of {RERUNS} reruns; {THREADS} threads that log in"
        f" {LOG_INS} times; {FLOODERS} sessions that log in without a pause, medians of {RUNS} runs of"
        f" {FLOOD_RERUNS} reruns of another; {HONEST_LOG_INS} drivers who log in while {ATTACKERS} tabs of one address"
        f" try invented names without a pause; {TRIES} failing log-ins of each kind; {GUESSES} requests of each kind"
        " for a forgotten password and a new account, each in a new tab at an address of its own. bcrypt with 2 to"
        f" the {passwords.ROUNDS} rounds.",
        lines,
    )


async def _measure_reruns(servers: dict[int, Server], cookies: dict[int, dict[str, str]]) -> list[Line]:
    """Measure the page as a visitor and as a driver, at few and at many accounts, in turns."""
    elapsed: dict[str, list[float]] = {}
    jobs: dict[str, AsyncJob] = {}
    async with AsyncExitStack() as stack:
        for accounts, server in servers.items():
            for who, cookie in (("visitor", None), ("driver", cookies[accounts])):
                visitor = await stack.enter_async_context(_open_page(server, cookie))
                assert visitor.has_widget("sidebar_log_out") == (who == "driver")
                times = elapsed[f"{who} {accounts}"] = []
                jobs[f"{who} {accounts}"] = partial(_time_reruns, server, visitor, times)
        cpu = await measure_async(RUNS, jobs)
    lines = []
    for accounts in servers:
        visitor_ms, driver_ms = cpu[f"visitor {accounts}"], cpu[f"driver {accounts}"]
        added_ms = median(elapsed[f"driver {accounts}"]) - median(elapsed[f"visitor {accounts}"])
        lines += [
            Line(f"rerun as a visitor, {accounts:,} accounts: CPU", visitor_ms, "ms"),
            Line(f"being logged in adds, {accounts:,} accounts: CPU", driver_ms - visitor_ms, "ms", limit=2),
            Line(f"being logged in adds, {accounts:,} accounts: elapsed", added_ms, "ms"),
        ]
    return lines


async def _time_reruns(server: Server, visitor: Visitor, elapsed: list[float]) -> float:
    """Return the milliseconds of CPU of one of several reruns, and note how long each took."""
    start = server.read_cpu_seconds()
    elapsed += [await visitor.rerun() for _ in range(RERUNS)]
    return 1000 * (server.read_cpu_seconds() - start) / RERUNS


async def _measure_flood(server: Server) -> list[Line]:
    """Measure the page of a visitor while others log in, each time to another account with a wrong password."""
    names = (f"driver{number}" for number in count(1))
    rates: list[float] = []

    async with AsyncExitStack() as stack:
        visitor = await stack.enter_async_context(_open_page(server))
        flooders = [await stack.enter_async_context(_open_page(server, page="login")) for _ in range(FLOODERS)]

        async def time_quiet() -> float:
            return median([await visitor.rerun() for _ in range(FLOOD_RERUNS)])

        async def time_flooded() -> float:
            log_ins: list[float] = []
            is_over = asyncio.Event()
            tasks = [asyncio.create_task(_flood(flooder, names, log_ins, is_over)) for flooder in flooders]
            while len(log_ins) < FLOODERS:  # until it is at its height
                await asyncio.sleep(0.05)
            start, before = time.perf_counter(), len(log_ins)
            milliseconds = await time_quiet()
            rates.append((len(log_ins) - before) / (time.perf_counter() - start))
            is_over.set()
            await asyncio.gather(*tasks)
            return milliseconds

        ms = await measure_async(RUNS, {"quiet": time_quiet, "flooded": time_flooded})
    return [
        Line("rerun during a flood of log-ins / quiet: elapsed", ms["flooded"], "ms", floor=ms["quiet"], limit=3),
        Line("log-ins during that flood", median(rates), "1/s"),
    ]


async def _measure_honest(server: Server) -> list[Line]:
    """Measure log-ins of drivers at addresses of their own, in quiet and while another address floods the form."""
    drivers = count(MANY // 2 + 1)
    rates: list[float] = []
    is_over = asyncio.Event()

    async def time_log_ins() -> float:
        milliseconds, cpu, start = [], server.read_cpu_seconds(), time.perf_counter()
        for number in range(HONEST_LOG_INS):
            async with _open_page(server, page="login", address=f"192.0.2.{number + 1}") as visitor:
                fields = {"login_name": f"driver{next(drivers)}", "login_password": PASSWORD}
                milliseconds.append(await visitor.submit("login", fields))
                assert visitor.has_widget("sidebar_log_out"), visitor.list_errors()
        rates.append((server.read_cpu_seconds() - cpu) / (time.perf_counter() - start))
        return median(milliseconds)

    async def attack(tab: int) -> None:
        async with _open_page(server, page="login", address="198.51.100.1") as visitor:
            await _flood(visitor, (f"nobody{tab}x{number}" for number in count()), [], is_over)

    quiet = await time_log_ins()
    tasks = [asyncio.create_task(attack(tab)) for tab in range(ATTACKERS)]
    await asyncio.sleep(2)  # until all of them try
    flooded = await time_log_ins()
    is_over.set()
    await asyncio.gather(*tasks)
    return [
        Line("an honest log-in, quiet: elapsed", quiet, "ms"),
        Line("an honest log-in during a flood from one address: elapsed", flooded, "ms", limit=1000),
        Line("cores in use during that flood", rates[-1], "cores"),
    ]


async def _flood(visitor: Visitor, names: Iterator[str], log_ins: list[float], is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        fields = {"login_name": next(names), "login_password": "not the password"}
        log_ins.append(await visitor.submit("login", fields))
        assert len(visitor.list_errors()) == 1


def _measure_rate(engine: Engine) -> Line:
    """Measure how many drivers can log in a second, in this process."""
    names = [f"driver{MANY - number}" for number in range(LOG_INS)]

    def log_in_as(name: str) -> int:
        return log_in(engine, KEY, name, PASSWORD, address=None, now=datetime.now(UTC))

    with ThreadPoolExecutor(THREADS) as pool:
        start = time.perf_counter()
        assert len(set(pool.map(log_in_as, names))) == LOG_INS
        return Line("log-ins from several threads", LOG_INS / (time.perf_counter() - start), "1/s")


def _measure_tries(engine: Engine) -> list[Line]:
    """Measure failing log-ins, to accounts that exist and to names that do not: nobody may tell them apart by time."""
    numbers = count(MANY // 4)

    def fail(name: str) -> float:
        start = time.perf_counter()
        with suppress(LoginRefused):
            log_in(engine, KEY, name, "not the password", address=None, now=datetime.now(UTC))
        return 1000 * (time.perf_counter() - start)

    passwords.prepare()
    tries: dict[str, list[float]] = {"a wrong password": [], "an unknown name": []}
    for _ in range(TRIES):
        tries["a wrong password"].append(fail(f"driver{next(numbers)}"))
        tries["an unknown name"].append(fail(f"nobody{next(numbers)}"))
    lines = []
    for what, milliseconds in tries.items():
        tenths = quantiles(milliseconds, n=10)
        lines += [Line(f"log-in with {what}: p{10 * tenth}", tenths[tenth - 1], "ms") for tenth in (1, 5, 9)]
    slower, quicker = sorted(map(median, tries.values()), reverse=True)
    return [*lines, Line("the slower of both / the other: medians", slower, "ms", floor=quicker, limit=1.1)]


async def _measure_guesses(server: Server) -> list[Line]:
    """Measure what tells known names and addresses from unknown ones by time: it should be right half of the time."""
    clients = (f"10.{number // 250}.{number % 250}.1" for number in count())
    registration = {"register_name": "Guess", "register_password": "a password to guess with"}

    async def recover(number: int, *, is_known: bool) -> float:
        async with open_visit(server.url, address=next(clients)) as visitor:
            await visitor.open_page("recover", {"lang": "EN"})
            name = f"driver{number}" if is_known else f"nobody{number}"
            return await visitor.submit("forgotten_password", {"password_name": name})

    async def register(number: int, *, is_known: bool) -> float:
        async with open_visit(server.url, address=next(clients)) as visitor:
            await visitor.open_page("register", {"lang": "EN"})
            email = f"{'driver' if is_known else 'nobody'}{number}@mailbox.example"
            fields = {**registration, "register_username": f"guess{number}{is_known}", "register_email": email}
            return await visitor.submit("register", fields)

    lines = []
    for what, ask in {"a code for a new password": recover, "a new account": register}.items():
        await ask(0, is_known=False)
        known: list[float] = []
        unknown: list[float] = []
        for number in range(1, GUESSES + 1):
            for is_known in (True, False) if number % 2 else (False, True):
                (known if is_known else unknown).append(await ask(number, is_known=is_known))
        slower, quicker = sorted((median(known), median(unknown)), reverse=True)
        longer = sum(one > other for one in known for other in unknown) / (GUESSES * GUESSES)
        lines += [
            Line(f"{what}, known and unknown: the slower / the other, medians", slower, "ms", floor=quicker, limit=1.1),
            Line(f"{what}: pairs of both told apart by time", 100 * max(longer, 1 - longer), "%", limit=65),
        ]
    return lines


@contextmanager
def _open_accounts(folder: Path, databases: Databases, accounts: int) -> Iterator[tuple[Settings, Engine]]:
    """Give a state dir with prices and so many accounts."""
    with open_state(folder, databases.loaded) as settings, open_database(settings) as engine:
        add_drivers(engine, accounts)
        yield settings.model_copy(update={"trusted_proxies": "127.0.0.1"}), engine


@asynccontextmanager
async def _open_page(
    server: Server, cookies: dict[str, str] | None = None, page: str = PAGE, address: str = ""
) -> AsyncIterator[Visitor]:
    """Open a page in English, run once more so that everything is warm."""
    async with open_visit(server.url, cookies, address=address) as visitor:
        await visitor.open_page(page, {"lang": "EN"})
        await visitor.rerun()
        yield visitor
