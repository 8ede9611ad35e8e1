"""The connections of a server that was given its socket, as Streamlit gives one to uvicorn: whoever is at their end."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from ipaddress import ip_network
from typing import Any, Literal

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.sync.client import connect

from connections import LOOPBACK_SHARE, OPENED, REFUSAL, Connections, KnowConnections, SendAtOnce, make_room

Loop = Literal["asyncio", "uvloop"]
NO_WINDOWS = pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not for Windows")
BOTH_LOOPS = pytest.mark.parametrize("loop", [pytest.param("uvloop", marks=NO_WINDOWS), "asyncio"])
SOON = 0.2  # how long a request may take here
DEADLINE = 20.0  # who is still connected then stays for ever
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
LARGE = b"x" * 40_000_000  # more than the system keeps for who does not read


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "here"})
        await receive()
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"here"})


@contextmanager
def serve(app: ASGIApp, loop: Loop) -> Iterator[int]:
    """Serve on a socket that names no protocol, as Streamlit's; give the port."""
    with closing(socket.socket(socket.AF_INET)) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(app, log_level="error", ws="websockets-sansio", loop=loop, timeout_keep_alive=600)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def ask(port: int, kind: str) -> str:
    """Return what the server says, with the connection still open."""
    if kind == "websocket":
        with connect(f"ws://127.0.0.1:{port}/") as visitor:
            return str(visitor.recv())
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with closing(connection):
        connection.request("GET", "/")
        return connection.getresponse().read().decode()


def read_no_delay(receive: Receive) -> int:
    """Ask the system how the connection is set, whatever the loop says of it."""
    transport = receive.__self__.transport  # type: ignore[attr-defined]  # a method of uvicorn's protocol
    with closing(socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))) as connection:
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@BOTH_LOOPS
@pytest.mark.parametrize("kind", ["websocket", "http"])
def test_no_small_packet_waits_for_an_acknowledgement(kind: str, loop: Loop) -> None:
    delays: list[int] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        delays.append(read_no_delay(receive))
        await answer(scope, receive, send)

    with serve(SendAtOnce(look), loop) as port:
        assert ask(port, kind) == "here"
    assert delays == [1]


class Watched:
    """An application whose connections are watched, and what its requests were told of theirs."""

    def __init__(self, connections: Connections, app: ASGIApp = answer) -> None:
        self.connections = connections
        self.asked: list[dict[str, Any]] = []
        self._app = app
        self._known = KnowConnections(self._note, connections)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._known(scope, receive, send)
            return
        await receive()
        with self.connections.watch(asyncio.get_running_loop()):
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _note(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            self.asked.append({name: scope[name] for name in ("client", "scheme")})
        await self._app(scope, receive, send)


def open_connection(port: int, first: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
    connection.sendall(first)
    return connection


def is_ended(connection: socket.socket, drip: bytes = b"") -> bool:
    """Say whether the server ends the connection, on which a client goes on to send these bytes."""
    connection.settimeout(SOON / 4)
    for _ in range(int(DEADLINE / (SOON / 4))):
        try:
            if not connection.recv(65536):
                return True
            if drip:
                connection.sendall(drip)
        except TimeoutError:
            try:
                connection.sendall(drip)
            except OSError:
                return True
        except OSError:
            return True
    return False


@BOTH_LOOPS
@pytest.mark.parametrize(
    ("first", "drip"),
    [
        (b"", b""),
        (b"G", b""),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", b"A: b\r\n"),
        (UPGRADE, b""),
        (UPGRADE + b"X: ", b"x"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", b""),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", b""),
        (GET, b""),
        (GET + b"GET /", b"x"),
        (GET + GET + b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x"),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_what_is_half_sent_is_not_waited_for(first: bytes, drip: bytes, loop: Loop) -> None:
    watched = Watched(Connections(0, (), seconds=SOON))
    with serve(watched, loop) as port, closing(open_connection(port, first)) as connection:
        assert is_ended(connection, drip)


@BOTH_LOOPS
def test_a_tab_and_an_answer_that_takes_long_are_waited_for(loop: Loop) -> None:
    is_over = threading.Event()

    async def take_long(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await asyncio.to_thread(is_over.wait, DEADLINE)
        await answer(scope, receive, send)

    with (
        serve(Watched(Connections(0, (), seconds=SOON), take_long), loop) as port,
        connect(f"ws://127.0.0.1:{port}/") as visitor,
        closing(open_connection(port, GET)) as waiting,
        closing(open_connection(port)) as silent,
    ):
        assert visitor.recv() == "here"
        assert is_ended(silent), "after which the others would have ended too"
        is_over.set()
        assert waiting.recv(1000).startswith(b"HTTP/1.1 200 OK")
        visitor.ping().wait(DEADLINE)


@BOTH_LOOPS
def test_a_slow_line_gets_all_of_a_large_answer(loop: Loop) -> None:
    async def answer_much(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": LARGE})

    connections = Connections(0, (), seconds=SOON)
    with serve(Watched(connections, answer_much), loop) as port, closing(open_connection(port, GET)) as connection:
        parts = []
        while part := connection.recv(100_000):
            parts.append(part)
            if len(parts) % 40 == 0:
                with closing(open_connection(port)) as silent:
                    assert is_ended(silent), "as long as a request may take"
        assert sum(map(len, parts)) > len(LARGE)


@BOTH_LOOPS
def test_who_takes_nothing_of_an_answer_is_left(loop: Loop) -> None:
    ended = threading.Event()

    async def answer_much(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(40):
            await send({"type": "http.response.body", "body": LARGE[:1_000_000], "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.set()

    connections = Connections(0, (), seconds=SOON, stalled_seconds=SOON)
    with serve(Watched(connections, answer_much), loop) as port, closing(open_connection(port, GET)):
        assert ended.wait(DEADLINE)


@BOTH_LOOPS
def test_an_address_holds_so_many_connections_and_gets_new_ones_for_those_it_gives_up(loop: Loop) -> None:
    refusals: list[int] = []
    connections = Connections(2, (), on_refusal=lambda: refusals.append(1))
    with serve(Watched(connections), loop) as port, ExitStack() as stack:
        tabs = [stack.enter_context(connect(f"ws://127.0.0.1:{port}/")) for _ in range(LOOPBACK_SHARE)]
        rest = [stack.enter_context(closing(open_connection(port))) for _ in range(LOOPBACK_SHARE)]
        assert [tab.recv() for tab in tabs] == ["here"] * LOOPBACK_SHARE
        late = stack.enter_context(closing(open_connection(port)))
        assert late.recv(1000) == REFUSAL
        assert late.recv(1000) == b""
        assert len(refusals) == 1
        for tab in tabs:
            tab.close()
        rest[0].close()
        for _ in range(LOOPBACK_SHARE):
            again = stack.enter_context(closing(open_connection(port, GET)))
            assert again.recv(1000).startswith(b"HTTP/1.1 200 OK")


@BOTH_LOOPS
def test_an_address_opens_so_many_connections_in_a_while_however_soon_it_gives_them_up(loop: Loop) -> None:
    """Each costs the server the reading of a request, and who has left waits for no refusal."""
    refusals: list[int] = []
    connections = Connections(2, (), on_refusal=lambda: refusals.append(1), opened_seconds=3.0)
    with serve(Watched(connections), loop) as port:

        def is_answered() -> bool:
            with closing(open_connection(port, GET)) as connection:
                return connection.recv(1000).startswith(b"HTTP/1.1 200 OK")

        answers = [is_answered() for _ in range(2 * OPENED * 2 * LOOPBACK_SHARE)]
        assert answers[: OPENED * 2 * LOOPBACK_SHARE] == [True] * OPENED * 2 * LOOPBACK_SHARE
        assert len(refusals) == answers.count(False) > 0
        deadline = time.monotonic() + DEADLINE
        while not is_answered():
            assert time.monotonic() < deadline


@BOTH_LOOPS
@pytest.mark.parametrize(("most", "held"), [(0, 30), (7, 7)])
def test_a_proxy_holds_any_number_and_all_together_no_more_than_the_server_has(
    most: int, held: int, loop: Loop
) -> None:
    connections = Connections(1, (ip_network("127.0.0.1"),), most)
    with serve(Watched(connections), loop) as port, ExitStack() as stack:
        opened = [stack.enter_context(closing(open_connection(port, GET))) for _ in range(30)]
        assert sum(one.recv(1000).startswith(b"HTTP/1.1 200 OK") for one in opened) == held
        assert len(connections) == held


def test_connections_leave_files_for_the_rest() -> None:
    resource = pytest.importorskip("resource")
    room = make_room()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 0 < room < soft <= hard


@BOTH_LOOPS
@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("proxies", "headers", "scheme"),
    [
        ((), {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}, ""),
        ((ip_network("10.0.0.0/8"),), {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}, ""),
        ((ip_network("127.0.0.1"),), {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}, "s"),
        ((ip_network("127.0.0.1"),), {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}, ""),
        ((ip_network("127.0.0.1"),), {"X-Forwarded-Proto": "http, https"}, "s"),
        ((ip_network("127.0.0.1"),), {"X-Forwarded-Proto": "https, http"}, ""),
        ((ip_network("127.0.0.1"),), {"X-Forwarded-Proto": "javascript"}, ""),
        ((ip_network("127.0.0.1"),), {}, ""),
    ],
)
def test_nobody_but_a_trusted_proxy_says_anything_of_a_connection(
    proxies: Sequence[Any], headers: dict[str, str], scheme: str, kind: str, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    watched = Watched(Connections(0, proxies))
    with serve(watched, loop) as port:
        if kind == "websocket":
            with connect(f"ws://127.0.0.1:{port}/", additional_headers=headers) as visitor:
                name = visitor.socket.getsockname()
                assert visitor.recv() == "here"
        else:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)) as connection:
                connection.request("GET", "/", headers=headers)
                name = connection.sock.getsockname()
                assert connection.getresponse().read() == b"here"
    start = "ws" if kind == "websocket" else "http"
    assert watched.asked == [{"client": name, "scheme": start + scheme}]


def test_a_request_over_an_unknown_connection_has_no_address(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(Connections(1, ()))
    with serve(watched._known, "asyncio") as port:  # as under a server that is made before the application starts
        assert ask(port, "http") == ask(port, "http") == "here"
    assert watched.asked == [{"client": None, "scheme": "http"}] * 2
    assert [record.levelname for record in caplog.records if record.name == "carburoam.connections"] == ["ERROR"]
