"""One client that sends far more than anybody honest, by all that a server takes, and an honest visitor meanwhile.

Both come through a proxy that the server trusts, so that each has an address of their own. What is refused is counted:
an answer with an error, a connection that is closed.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from random import Random
from types import TracebackType
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from bench.server import Server
from bench.visitor import SUBPROTOCOLS, VisitFailed, Visitor, open_visit

HONEST, FLOODER = "203.0.113.1", "198.51.100.1"
PATIENCE_SECONDS = 60.0  # of an honest visitor, on a machine that does other things besides
PAUSE_SECONDS = 0.2  # between two things that the honest visitor does
TABS = 100  # at once, by the flooder
TABS_SHOWN = 12  # by the settings; so many more as wait to be shown are counted as refused
HALVES = 150  # requests that are sent half
THREADS = 4
TOWNS = ("Paris", "Lyon", "Nantes", "Brest")


@dataclass
class Count:
    """What the flooder did; threads add to it."""

    sent: int = 0
    refused: int = 0
    most_open: int = 0  # connections at once, where that is what is flooded with
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, sent: int = 0, refused: int = 0) -> None:
        with self._lock:
            self.sent += sent
            self.refused += refused


Flood = Callable[[Server, float, Count], None]


def flood_with_messages(server: Server, seconds: float, done: Count) -> None:
    """Ask for reruns without waiting for one, send what nobody sends, and come back when thrown out."""
    rerun, clear, large = BackMsg(), BackMsg(), BackMsg()
    rerun.rerun_script.query_string = "q=Paris"
    clear.clear_cache = True
    large.rerun_script.query_string = "q=" + "x" * 200_000
    messages = [message.SerializeToString() for message in (rerun, rerun, rerun, clear, large)]

    async def send(tab: ClientConnection, end: float) -> None:
        for number in count():
            if time.monotonic() > end:
                return
            await tab.send(messages[number % len(messages)])
            done.add(sent=1)
            await asyncio.sleep(0)

    async def flood(end: float) -> None:
        while time.monotonic() < end:
            try:
                async with open_tab(server) as tab:
                    drain = asyncio.create_task(_drain(tab))
                    try:
                        await send(tab, end)
                    finally:
                        drain.cancel()
            except (OSError, WebSocketException):
                done.add(refused=1)
                await asyncio.sleep(0.05)

    asyncio.run(flood(time.monotonic() + seconds))


def flood_with_tabs(server: Server, seconds: float, done: Count) -> None:
    """Open many tabs and hold them."""

    async def flood(end: float) -> None:
        async with AsyncExitStack() as stack:
            tabs: list[ClientConnection] = []
            while time.monotonic() < end:
                tabs = [tab for tab in tabs if tab.close_code is None]
                if len(tabs) >= TABS:
                    await asyncio.sleep(0.05)
                    continue
                done.add(sent=1)
                try:
                    tabs.append(await stack.enter_async_context(open_tab(server)))
                    await asyncio.wait_for(tabs[-1].wait_closed(), 0.02)
                    done.add(refused=1)
                except TimeoutError:  # it stays open
                    done.add(refused=int(len(tabs) > TABS_SHOWN))
                except (OSError, WebSocketException):
                    done.add(refused=1)
                    await asyncio.sleep(0.02)
                done.most_open = max(done.most_open, sum(tab.close_code is None for tab in tabs))

    asyncio.run(flood(time.monotonic() + seconds))


def flood_with_log_ins(server: Server, seconds: float, done: Count) -> None:
    """Send the form of the log-in for one name after the other, from several tabs."""

    async def try_names(visitor: Visitor, names: Iterator[int], end: float) -> None:
        while time.monotonic() < end:
            done.add(sent=1)
            await visitor.submit("login", {"login_name": f"nobody{next(names)}", "login_password": "a guessed one"})
            done.add(refused=1 if visitor.list_errors() else 0)

    _flood_forms(server, seconds, done, "login", try_names)


def flood_with_mails(server: Server, seconds: float, done: Count) -> None:
    """Ask for one code after the other to be mailed to a driver."""

    async def ask_for_mails(visitor: Visitor, _names: Iterator[int], end: float) -> None:
        while time.monotonic() < end:
            done.add(sent=1)
            await visitor.submit("forgotten_password", {"password_name": "driver1"})
            if visitor.list_errors():
                done.add(refused=1)
            await visitor.open_page("about")
            await visitor.open_page("recover")
            for key in ("recover_name", "start_again"):
                if visitor.has_widget(key):
                    await visitor.press(key)

    _flood_forms(server, seconds, done, "recover", ask_for_mails)


def flood_with_costly_requests(server: Server, seconds: float, done: Count) -> None:
    """Ask for searches of the whole country that nobody asked for before."""

    def list_paths(random: Random) -> Iterator[str]:
        while True:
            word, fuel = random.choice("abcdefghilmnoprstuv"), random.randint(1, 6)
            yield f"/stations.json?fuel={fuel}&words={word}&open={random.randrange(2**31)}"
            yield f"/stations.json?fuel={fuel}&zip={','.join(str(random.randrange(99)) for _ in range(30))}"
            near = f"{random.uniform(43, 50):.4f},{random.uniform(-1, 7):.4f}"
            yield f"/api/v1/stations?near={near}&radius_km=50&limit=100"

    _flood_http(server, seconds, done, list_paths)


def flood_with_refused_requests(server: Server, seconds: float, done: Count) -> None:
    """Ask for what there isn't, or can't be read."""

    def list_paths(random: Random) -> Iterator[str]:
        while True:
            yield f"/api/v1/nothing{random.randrange(10**9)}"
            yield f"/stations.json?fuel=E{random.randrange(10**9)}"
            yield f"/backup/{random.randrange(10**9)}"
            yield "/metrics"
            yield f"/api/v1/stations?near={'9' * 5000}"

    _flood_http(server, seconds, done, list_paths)


def flood_with_halves(server: Server, seconds: float, done: Count) -> None:
    """Send the first half of many requests and hold the connections; one that is closed is opened again."""
    target, end = urlsplit(server.url), time.monotonic() + seconds
    request = f"POST /api/v1/stations HTTP/1.1\r\nHost: {target.netloc}\r\nX-Forwarded-For: {FLOODER}\r\n"
    halves = (request, f"{request}Content-Length: 100000\r\n\r\nhalf")
    held: list[socket.socket] = []
    try:
        while time.monotonic() < end:
            for one in [one for one in held if is_closed(one)]:
                held.remove(one)
                one.close()
                done.add(refused=1)
            if len(held) < HALVES:
                with suppress(OSError):
                    held.append(open_half(server, halves[done.sent % 2]))
                    done.add(sent=1)
            else:
                time.sleep(0.05)
            done.most_open = max(done.most_open, len(held))
    finally:
        for one in held:
            one.close()


def open_half(server: Server, half: str) -> socket.socket:
    """Connect and send half of a request."""
    target = urlsplit(server.url)
    # From an address of its own on this machine: before the headers are read, a server knows no other.
    connection = socket.create_connection((target.hostname, target.port), 10, source_address=("127.0.0.2", 0))
    connection.sendall(half.encode())
    connection.setblocking(False)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Say whether the server has closed a connection; what it said before is read."""
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


class HonestVisitor:
    """Reads prices as people do, one thing after the other, in a thread until the end of the block."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._visit()))
        self.answered = 0
        self.failures: list[str] = []

    def __enter__(self) -> HonestVisitor:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(2 * PATIENCE_SECONDS)

    async def _visit(self) -> None:
        try:
            async with open_visit(self._server.url, address=HONEST) as visitor:
                await visitor.open_page("landing", {"lang": "EN"})
                for number in count():
                    await visitor.change("q", TOWNS[number % len(TOWNS)])
                    self.failures += visitor.list_errors()
                    for path in ("/stations.json?fuel=5", "/api/v1/status", "/map-style/light.json"):
                        status = await asyncio.to_thread(ask, self._server, path, HONEST)
                        if status != 200:
                            self.failures.append(f"{path}: {status}")
                    self.answered += 1
                    # As often as people do: whoever asks all the time is limited too.
                    if await asyncio.to_thread(self._over.wait, PAUSE_SECONDS + number * PAUSE_SECONDS):
                        return
        except (VisitFailed, OSError, WebSocketException, HTTPException) as error:
            self.failures.append(f"{type(error).__name__}: {error}")


def ask(server: Server, path: str, address: str) -> int:
    """Ask for something as somebody at that address and return the status."""
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path, headers=dict(make_headers(address)))
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def make_headers(address: str) -> Mapping[str, str]:
    """Return what the proxy says of a client at that address."""
    return {"X-Forwarded-For": address}


def open_tab(server: Server) -> connect:
    """Open the socket of a tab, as the flooder."""
    return connect(
        f"ws{server.url.removeprefix('http')}/_stcore/stream",
        origin=server.url,  # type: ignore[arg-type]  # a NewType of str
        subprotocols=SUBPROTOCOLS,  # type: ignore[arg-type]  # likewise
        additional_headers=make_headers(FLOODER),
        max_size=None,
        compression=None,
        open_timeout=PATIENCE_SECONDS,
    )


async def _drain(tab: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        while True:
            await tab.recv()


def _flood_http(server: Server, seconds: float, done: Count, list_paths: Callable[[Random], Iterator[str]]) -> None:
    end = time.monotonic() + seconds

    def flood(number: int) -> None:
        paths = list_paths(Random(number))
        while time.monotonic() < end:
            try:
                status = ask(server, next(paths), FLOODER)
            except (OSError, HTTPException):
                status = 0
            done.add(sent=1, refused=0 if status == 200 else 1)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(flood, range(THREADS)))


def _flood_forms(
    server: Server,
    seconds: float,
    done: Count,
    page: str,
    fill_in: Callable[[Visitor, Iterator[int], float], Awaitable[None]],
) -> None:
    names = count()

    async def flood(end: float) -> None:
        while time.monotonic() < end:
            try:
                async with open_visit(server.url, address=FLOODER) as visitor:
                    await visitor.open_page(page, {"lang": "EN"})
                    await fill_in(visitor, names, end)
            except (VisitFailed, OSError, WebSocketException):
                done.add(refused=1)
                await asyncio.sleep(0.05)

    async def flood_from_tabs() -> None:
        end = time.monotonic() + seconds
        await asyncio.gather(*(flood(end) for _ in range(THREADS)))

    asyncio.run(flood_from_tabs())


@contextmanager
def run_in_thread(work: Callable[[], None]) -> Iterator[None]:
    """Do some work beside the block, to the end of which it is waited for."""
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        yield
        working.result()
