"""How the server's connections to browsers are set: what is written goes out at once."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class SendAtOnce:
    """ASGI middleware that lets no small packet wait for the one before to be acknowledged (Nagle's algorithm).

    asyncio does so by itself for a socket of its own making. Streamlit makes the socket and names no protocol, which
    asyncio then takes for another than TCP: each rerun waited 40 ms, until the browser acknowledged its beginning.
    uvloop needs no such help; Windows has none.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # ASGI hands on no connection; uvicorn's `receive` is a method of what holds it.
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        connection = transport.get_extra_info("socket") if transport is not None else None
        if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self._app(scope, receive, send)
