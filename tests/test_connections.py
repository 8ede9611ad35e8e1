"""The connections of a server that was given its socket, as Streamlit gives one to uvicorn."""

from __future__ import annotations

import http.client
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Literal

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.sync.client import connect

from connections import SendAtOnce

Loop = Literal["asyncio", "uvloop"]
NO_WINDOWS = pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not for Windows")


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
        config = uvicorn.Config(app, lifespan="off", log_level="error", ws="websockets-sansio", loop=loop)
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


@pytest.mark.parametrize("loop", [pytest.param("uvloop", marks=NO_WINDOWS), "asyncio"])
@pytest.mark.parametrize("kind", ["websocket", "http"])
def test_no_small_packet_waits_for_an_acknowledgement(kind: str, loop: Loop) -> None:
    delays: list[int] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        delays.append(read_no_delay(receive))
        await answer(scope, receive, send)

    with serve(SendAtOnce(look), loop) as port:
        assert ask(port, kind) == "here"
    assert delays == [1]
