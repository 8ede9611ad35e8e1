"""The connections of a server that was given its socket, as Streamlit gives one to uvicorn."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.sync.client import connect

from connections import SendAtOnce


class Listener(socket.socket):
    """A listening socket that keeps what it accepted; made as Streamlit's, with no protocol named."""

    def __init__(self) -> None:
        super().__init__(socket.AF_INET)
        self.accepted: list[socket.socket] = []
        self.bind(("127.0.0.1", 0))
        self.listen()
        self.setblocking(False)

    def accept(self) -> tuple[socket.socket, Any]:
        connection, address = super().accept()
        self.accepted.append(connection)
        return connection, address


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
def serve(app: ASGIApp) -> Iterator[Listener]:
    with closing(Listener()) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error", ws="websockets-sansio"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener
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


@pytest.mark.parametrize("kind", ["websocket", "http"])
def test_no_small_packet_waits_for_an_acknowledgement(kind: str) -> None:
    delays: list[int] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        delays.append(listener.accepted[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await answer(scope, receive, send)

    with serve(SendAtOnce(look)) as listener:
        assert ask(listener.getsockname()[1], kind) == "here"
    assert delays == [1]
