"""The server's connections: who is at the other end, how many one address holds, how long they may stay without a use.

Streamlit makes uvicorn's server by itself, with defaults that trust whoever asks over loopback to name the visitor and
let a connection wait for its request for ever.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from origins import FORWARDED_PROTO, Network, is_in, name_network, read_address
from request_bytes import RequestBytes

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

REQUEST_SECONDS = 10.0  # nginx's client_header_timeout as deploy/ has it
STALLED_SECONDS = 60.0  # as long as a websocket may leave a ping unanswered
MOST_FILES = 65_536  # what the unit in deploy/ allows
LOOPBACK = "loopback"  # all who come through a proxy of this machine that nobody said to trust
LOOPBACK_SHARE = 10  # so many times what one address may hold
OPENED = 3  # times what an address may hold: it may open so many in OPENED_SECONDS
OPENED_SECONDS = 10.0  # as the refusal says
REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 39\r\n"
    b"Retry-After: 10\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    b"Too many connections from this address\n"
)

logger = logging.getLogger("carburoam.connections")


def make_room() -> int:
    """Let this process open as many files as it may; return how many connections leave enough for all else (0: any).

    A server without a file left can neither read its database nor answer those who are there.
    """
    try:
        import resource
    except ImportError:  # Windows
        return 0
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 3 // 4


class SendAtOnce:
    """ASGI middleware that lets no small packet wait for the one before to be acknowledged (Nagle's algorithm).

    asyncio does so by itself for a socket of its own making. Streamlit makes the socket and names no protocol, which
    asyncio then takes for another than TCP: each rerun waited 40 ms, until the browser acknowledged its beginning.
    uvloop needs no such help; Windows has none.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = _find_transport(receive)
        connection = transport.get_extra_info("socket") if transport is not None else None
        if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self._app(scope, receive, send)


@dataclass(eq=False)
class Connection:
    """A connection that was accepted."""

    transport: asyncio.Transport
    peer: tuple[str, int] | None
    key: str  # whose it is; "" where nobody counts
    requests: int = 0  # that are being answered; a websocket is one as long as it is open
    unsent: int = 0  # bytes that the other end had not taken when last looked at
    timer: asyncio.TimerHandle | None = None

    @property
    def is_held(self) -> bool:
        """Whether it takes up one of the server's connections."""
        return not self.transport.is_closing() or self.transport.get_write_buffer_size() > 0


class Connections:
    """The connections of a server, from the moment they are accepted.

    One on which no request is being answered ends when the next one has not arrived as a whole within `seconds`,
    however its bytes drip in; the body of one that was answered counts as the next. Each address may hold
    `per_address` of them (0: any number), and open three times as many in `opened_seconds`: who leaves before the
    answer feels no other limit. All of loopback may have ten times as many, a proxy any number: it says whose they are
    only with a request, and has to limit them itself. All together hold `most` (0: any number). `RequestBytes` says
    how much is read of a request.
    """

    def __init__(
        self,
        per_address: int,
        proxies: Sequence[Network],
        most: int = 0,
        on_refusal: Callable[[], None] = lambda: None,
        seconds: float = REQUEST_SECONDS,
        stalled_seconds: float = STALLED_SECONDS,
        opened_seconds: float = OPENED_SECONDS,
    ) -> None:
        self.proxies = proxies
        self._per_address = per_address
        self._most = most
        self._seconds = seconds
        self._stalled_seconds = stalled_seconds
        self._opened_seconds = opened_seconds
        self._on_refusal = on_refusal
        self._opened: Counter[str] = Counter()  # since an instant of the loop's clock
        self._opened_since = 0.0
        self._known: dict[asyncio.Transport, Connection] = {}
        self._held: defaultdict[str, set[Connection]] = defaultdict(set)
        self._is_blind = False

    def __len__(self) -> int:
        return len(self._known)

    @contextmanager
    def watch(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Watch all servers that this loop makes until the end of the block.

        ASGI hands on requests only, and a connection that sends none is what has to be seen. uvicorn makes its server
        after the application has started.
        """
        create_server = loop.create_server

        async def create_watched(make_protocol: Callable[[], Any], *args: Any, **named: Any) -> asyncio.Server:
            return await create_server(lambda: self._accept_for(make_protocol()), *args, **named)

        loop.create_server = create_watched  # type: ignore[method-assign, assignment]  # until the end of the block
        try:
            yield
        finally:
            loop.create_server = create_server  # type: ignore[method-assign]  # as it was

    def find(self, receive: Receive) -> Connection | None:
        """Return the connection that a request has come over; None where it isn't known."""
        transport = _find_transport(receive)
        found = self._known.get(transport) if transport is not None else None
        # One whose time was up just now is known no more, though its request comes.
        if found is None and not self._is_blind and (transport is None or not transport.is_closing()):
            self._is_blind = True
            logger.error("connections status=unknown: nobody limits them, and no address of a visitor is known")
        return found

    @contextmanager
    def use(self, connection: Connection) -> Iterator[None]:
        """Let the connection be until the end of the block, which answers a request."""
        connection.requests += 1
        if connection.timer is not None:
            connection.timer.cancel()
        try:
            yield
        finally:
            connection.requests -= 1
            if not connection.requests:
                self._wait(connection)

    def _accept_for(self, protocol: Any) -> Any:
        connection_made, connection_lost = protocol.connection_made, protocol.connection_lost
        parse, received = protocol.data_received, None

        def accept(transport: asyncio.Transport) -> None:
            nonlocal received
            received = RequestBytes(transport, parse, lambda refusal: self._end(transport, refusal))
            connection_made(transport)
            self._accept(transport)

        def receive(data: bytes) -> None:
            if received is not None:
                received.receive(data)

        def lose(error: Exception | None) -> None:
            if (known := self._known.get(protocol.transport)) is not None:
                self._forget(known)
            connection_lost(error)

        protocol.connection_made, protocol.connection_lost, protocol.data_received = accept, lose, receive
        return protocol

    def _accept(self, transport: asyncio.Transport) -> None:
        name = transport.get_extra_info("peername")
        peer = (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
        connection = Connection(transport, peer, self._find_key(peer))
        if self._is_full(connection.key):
            self._end(transport, REFUSAL)
            return
        _give_up_when_stalled(transport, self._stalled_seconds)
        self._known[transport] = connection
        self._held[connection.key].add(connection)
        self._wait(connection)

    def _end(self, transport: asyncio.Transport, refusal: bytes) -> None:
        self._on_refusal()
        transport.write(refusal)
        transport.close()

    def _find_key(self, peer: tuple[str, int] | None) -> str:
        address = read_address(peer[0]) if peer is not None else None
        if address is None or is_in(address, self.proxies):
            return ""
        return LOOPBACK if address.is_loopback else name_network(address)

    def _is_full(self, key: str) -> bool:
        share = self._per_address * (LOOPBACK_SHARE if key == LOOPBACK else 1)
        is_address_full = bool(key and share) and (
            len(self._held.get(key, ())) >= share or self._count_opened(key) > OPENED * share
        )
        return is_address_full or 0 < self._most <= len(self._known)

    def _count_opened(self, key: str) -> int:
        now = asyncio.get_running_loop().time()
        if now - self._opened_since > self._opened_seconds:
            self._opened.clear()
            self._opened_since = now
        self._opened[key] += 1
        return self._opened[key]

    def _wait(self, connection: Connection) -> None:
        if not connection.is_held:
            self._forget(connection)
            return
        connection.unsent = connection.transport.get_write_buffer_size()
        loop = asyncio.get_running_loop()
        connection.timer = loop.call_later(self._seconds, self._stop_waiting, connection)

    def _stop_waiting(self, connection: Connection) -> None:
        if 0 < connection.transport.get_write_buffer_size() < connection.unsent:
            self._wait(connection)  # a slow line takes what it was answered bit by bit
            return
        connection.transport.abort()
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        if connection.timer is not None:
            connection.timer.cancel()
        self._known.pop(connection.transport, None)
        held = self._held.get(connection.key)
        if held is not None:
            held.discard(connection)
            if not held:
                del self._held[connection.key]


class KnowConnections:
    """ASGI middleware by which a request has the address of its connection, and the connection its requests.

    uvicorn lets those who ask over loopback name another address; whose word counts say the settings alone. A request
    over a connection that isn't known has no address.
    """

    def __init__(self, app: ASGIApp, connections: Connections) -> None:
        self._app = app
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = self._connections.find(receive)
        scope["client"] = connection.peer if connection is not None else None
        scope["scheme"] = self._find_scheme(scope, connection)
        if connection is None:
            await self._app(scope, receive, send)
            return
        with self._connections.use(connection):
            await self._app(scope, receive, send)

    def _find_scheme(self, scope: Scope, connection: Connection | None) -> str:
        is_safe = False
        if connection is not None:
            is_safe = connection.transport.get_extra_info("sslcontext") is not None
            address = read_address(connection.peer[0]) if connection.peer is not None else None
            if address is not None and is_in(address, self._connections.proxies):
                named = b",".join(value for name, value in scope["headers"] if name == FORWARDED_PROTO.encode())
                is_safe = named.rpartition(b",")[2].strip().lower() in (b"https", b"wss") if named else is_safe
        return ("ws" if scope["type"] == "websocket" else "http") + ("s" if is_safe else "")


def _find_transport(receive: Receive) -> asyncio.Transport | None:
    # ASGI hands on no connection; uvicorn's `receive` is a method of what holds it.
    transport: asyncio.Transport | None = getattr(getattr(receive, "__self__", None), "transport", None)
    return transport


def _give_up_when_stalled(transport: asyncio.Transport, seconds: float) -> None:
    """Let the system end the connection to who takes nothing of what it was sent, where the system can (Linux)."""
    connection = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None and connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))
