"""The outside for programs as the application has it, asked within the process, from any address."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message

from api.health import HEALTH_PATHS, make_health_routes
from api.limits import LimitRequests, Limits
from api.metrics import CountSessions, Metrics
from api.problems import SpeakInProblems
from api.routes import make_api_routes
from settings import Settings

VISITOR = "203.0.113.7"


@dataclass(frozen=True)
class Heard:
    """An answer; the names of the headers are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Asks an application."""

    app: ASGIApp
    address: str = VISITOR
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, headers: dict[str, str] | None = None, method: str = "GET", address: str = "") -> Heard:
        return anyio.run(self.ask, path, headers, method, address)

    async def ask(
        self, path: str, headers: dict[str, str] | None = None, method: str = "GET", address: str = ""
    ) -> Heard:
        """Ask beside others, in the loop of all of them."""
        path, _, query = path.partition("?")
        parts: list[Message] = []
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [
                (name.lower().encode(), value.encode()) for name, value in {**self.headers, **(headers or {})}.items()
            ],
            "client": (address or self.address, 50_000),
            "server": ("127.0.0.1", 8501),
            "state": {},
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            parts.append(message)

        await self.app(scope, receive, send)
        start, *bodies = parts
        names = {name.decode(): value.decode() for name, value in start["headers"]}
        return Heard(start["status"], names, b"".join(part.get("body", b"") for part in bodies))


def make_outside(
    settings: Settings,
    open_reading: Callable[[], Connection],
    metrics: Metrics | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Client:
    """Return a client of the routes and middleware that `app.py` gives to the application."""
    metrics = metrics or Metrics(open_reading)
    limits = Limits(settings.requests_per_minute, settings.proxies)
    app = Starlette(
        routes=[
            *make_api_routes(
                settings, open_reading, metrics, now, lambda request: limits.find_client(request.scope, "api")
            ),
            *make_health_routes(settings, open_reading, metrics),
        ],
        middleware=[
            Middleware(LimitRequests, limits=limits, metrics=metrics),
            Middleware(CountSessions, metrics=metrics),
            Middleware(SpeakInProblems, under=("/api/", *HEALTH_PATHS)),
        ],
    )
    return Client(app)
