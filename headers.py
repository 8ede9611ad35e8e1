"""The headers of every answer: security, with a content policy that lets only this site's own parts run; Vary once."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)


def make_content_policy(pages: Iterable[str], map_tiles: str = "") -> str:
    """Return the Content-Security-Policy for an app whose inline scripts are those of these HTML pages.

    Each of them is allowed by its hash and no other. `map_tiles` is the address of map tiles, whose host may then be
    asked for them. `wasm-unsafe-eval` and `blob:` are what the map's workers need.
    """
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for page in pages
        for script in _INLINE_SCRIPT.findall(page)
    )
    tiles = f"https://{urlsplit(map_tiles).netloc}" if map_tiles else ""
    rules = {
        "default-src": "'self'",
        "script-src": f"'self' 'wasm-unsafe-eval' blob: {hashes}",
        "worker-src": "'self' blob:",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": f"'self' data: blob: {tiles}",
        "font-src": "'self' data:",
        "connect-src": f"'self' {tiles}",
        "frame-ancestors": "'self'",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
    }
    return "; ".join(f"{name} {value.strip()}" for name, value in rules.items())


class SecurityHeaders:
    """ASGI middleware that adds the headers to every HTTP answer, those of Streamlit's own routes included."""

    def __init__(self, app: ASGIApp, pages: Iterable[Path], map_tiles: str = "") -> None:
        self._app = app
        policy = make_content_policy((page.read_text(encoding="utf-8") for page in pages), map_tiles)
        headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "SAMEORIGIN",
            "Referrer-Policy": "strict-origin-when-cross-origin",
            "Permissions-Policy": "geolocation=(self), camera=(), microphone=(), payment=(), usb=()",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._names = {name for name, _ in self._headers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message["headers"] if name.lower() not in self._names]
                message["headers"] = [*_join_vary(kept), *self._headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class SettleEncoding:
    """ASGI middleware: a browser that takes gzip, however it says so, says "gzip", and any other says nothing.

    Streamlit looks for the four letters anywhere and compresses, each time anew, whatever isn't compressed yet. Who
    wrote "gzip;q=0.5" or "gzip;q=0" could make it spend more on an answer that we keep than making it had cost.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
            if takes_gzip(
                b",".join(value for name, value in scope["headers"] if name == b"accept-encoding").decode("latin-1")
            ):
                headers.append((b"accept-encoding", b"gzip"))
            scope = {**scope, "headers": headers}
        await self._app(scope, receive, send)


def takes_gzip(accept_encoding: str) -> bool:
    """Say whether who sends this header takes gzip (RFC 9110, 12.5.3); a weight that can't be read is none."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        match = re.fullmatch(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", weight)
        weights[coding.strip()] = float(match[1]) if match is not None else 0.0 if weight.strip() else 1.0
    return max(weights.get("gzip", weights.get("*", 0.0)), weights.get("x-gzip", 0.0)) > 0


def _join_vary(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Name each header that an answer varies with once: Streamlit's compression adds to what a route has named."""
    headers = list(headers)
    values = [value.decode("latin-1") for name, value in headers if name.lower() == b"vary"]
    if not values:
        return headers
    names = dict.fromkeys(name.strip() for name in ",".join(values).split(","))
    others = [(name, value) for name, value in headers if name.lower() != b"vary"]
    return [*others, (b"vary", ", ".join(names).encode("latin-1"))]
