"""Whether the server lives, can do its work, and how it fares: for balancers, supervisors and Prometheus."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable

import anyio
import anyio.to_thread
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from api.metrics import Metrics
from api.problems import make_problem, make_unavailable
from db import needs_upgrade
from origins import FORWARDED_FOR, find_address, is_from_this_machine, is_in, read_address
from prices.freshness import get_freshness
from settings import Settings

READY_SECONDS = 5.0
READERS = 2  # threads at most that ask a database which doesn't answer
FRESH = {"Cache-Control": "no-store"}
HEALTH_PATHS = ("/healthz", "/readyz", "/metrics")
_HOST = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::\d+)?", re.ASCII)

logger = logging.getLogger("carburoam.health")


def make_health_routes(settings: Settings, open_reading: Callable[[], Connection], metrics: Metrics) -> list[BaseRoute]:
    """Return the routes; `open_reading` may raise what a database that is away raises."""
    limiter = anyio.CapacityLimiter(READERS)

    async def get_health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=FRESH)

    async def get_readiness(_request: Request) -> Response:
        reason = "the database does not answer"
        with anyio.move_on_after(READY_SECONDS):
            reason = await anyio.to_thread.run_sync(
                _find_hindrance, open_reading, abandon_on_cancel=True, limiter=limiter
            )
        return make_unavailable(reason) if reason else JSONResponse({"status": "ready"}, headers=FRESH)

    async def get_metrics(request: Request) -> Response:
        if not may_watch(request, settings):
            return refuse_watching()
        text = await anyio.to_thread.run_sync(generate_latest, metrics.registry, limiter=limiter)
        return Response(text, headers=FRESH, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    answers = (get_health, get_readiness, get_metrics)
    return [Route(path, answer) for path, answer in zip(HEALTH_PATHS, answers, strict=True)]


def may_watch(request: Request, settings: Settings) -> bool:
    """Say whether who asks is a program of this machine or one of the addresses that the settings trust.

    A browser on this machine asks over loopback as well, and for a page of any site whose name leads here.
    """
    peer = request.client.host if request.client is not None else ""
    if is_from_this_machine(peer, request.headers.keys()):
        return all(map(_is_own_name, request.headers.getlist("host")))
    address = find_address(peer, request.headers.getlist(FORWARDED_FOR), settings.proxies)
    return address is not None and is_in(address, settings.scrapers)


def _is_own_name(host: str) -> bool:
    """Say whether a Host header names this machine itself: localhost, its host name, or any address."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    if match[1] is not None:
        return read_address(match[1]) is not None
    name = match[2].lower().removesuffix(".")
    own = socket.gethostname().lower().removesuffix(".")
    return name in ("localhost", own) or name.endswith(".localhost") or read_address(name) is not None


def refuse_watching() -> Response:
    """Answer who may not see figures of the server."""
    return make_problem(403, "This is for this machine and the addresses of CARBUROAM_TRUSTED_SCRAPERS.")


def _find_hindrance(open_reading: Callable[[], Connection]) -> str:
    """Say what keeps this server from its work; nothing when nothing does."""
    try:
        with open_reading() as connection:
            if needs_upgrade(connection):
                return "the tables of the database are of an older version"
            return "" if get_freshness(connection) is not None else "nothing was loaded yet"
    except (SQLAlchemyError, OSError) as error:
        logger.error("ready status=failed error=%r", str(getattr(error, "orig", None) or error))
        return "the database can't be read"
