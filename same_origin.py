"""Which pages may speak to this server from a browser: its own, by scheme, host and port, and those of the base URL.

Streamlit lets pages of every port of this machine in, and before it refuses another it asks a server in the Internet
for the address of this machine, while everybody waits. So it never sees an origin that isn't allowed.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

from api.limits import refuse_handshake

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from api.metrics import Metrics

_ORIGIN = re.compile(r"(https?)://([^\s/?#@\\,]+)", re.ASCII)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)
_PORTS = {"http": 80, "https": 443}
_SCHEMES = {"ws": "http", "wss": "https"}
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
LOGGED_CHARACTERS = 100

logger = logging.getLogger("carburoam.socket")

Site = tuple[str, str, int]  # scheme, host and port


def read_site(scheme: str, host: str) -> Site | None:
    """Return scheme, host and port in one spelling, the port by default the scheme's; None if they are invalid."""
    match = _HOST.fullmatch(host.lower())
    if match is None or scheme not in _PORTS:
        return None
    port = int(match[2]) if match[2] else _PORTS[scheme]
    return (scheme, match[1], port) if 0 < port < 65_536 else None


def read_origin(origin: str) -> Site | None:
    """Return the site that an Origin header or a URL without a path names; None: it names none, as "null" does."""
    match = _ORIGIN.fullmatch(origin.lower())
    return read_site(match[1], match[2]) if match else None


def find_own_site(scope: Scope) -> Site | None:
    """Return the site that a request was sent to."""
    hosts = Headers(scope=scope).getlist("host")
    return read_site(_find_scheme(scope), hosts[0]) if len(hosts) == 1 else None


class CheckOrigin:
    """ASGI middleware that refuses websockets, and requests that may change something, to pages of other sites.

    A program sends no Origin and is let in: it has no cookie of a browser.
    """

    def __init__(self, app: ASGIApp, public_url: str, metrics: Metrics) -> None:
        self._app = app
        self._public = read_origin("/".join(public_url.split("/", 3)[:3]))
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_socket = scope["type"] == "websocket"
        is_checked = is_socket or (scope["type"] == "http" and scope["method"] not in _READING)
        if not is_checked or "origin" not in Headers(scope=scope):
            await self._app(scope, receive, send)
            return
        origins = Headers(scope=scope).getlist("origin")
        own = find_own_site(scope)
        if own is not None and len(origins) == 1 and read_origin(origins[0]) in (own, self._public):
            await self._app(_replace_origin(scope) if is_socket else scope, receive, send)
            return
        self._metrics.refused.labels("origin").inc()
        shown = ", ".join(origins)[:LOGGED_CHARACTERS]
        logger.warning("%s status=refused reason=foreign_origin origin=%r", "socket" if is_socket else "request", shown)
        text = "A page of another site may not open this address.\n"
        refusal = PlainTextResponse(text, 403, {"Cache-Control": "no-store"})
        if is_socket:
            await refuse_handshake(refusal, scope, receive, send)
        else:
            await refusal(scope, receive, send)


def _find_scheme(scope: Scope) -> str:
    scheme = str(scope["scheme"])
    return _SCHEMES.get(scheme, scheme)


def _replace_origin(scope: Scope) -> Scope:
    """Return the scope with the Origin that Streamlit, which compares letter by letter, takes for that of the Host."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"origin"]
    host = Headers(scope=scope)["host"]
    return {**scope, "headers": [*headers, (b"origin", f"{_find_scheme(scope)}://{host}".encode("latin-1"))]}
