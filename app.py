"""The application: Streamlit's pages, the map's files, what programs ask, headers, the start of the background process.

`streamlit run app.py` finds `app`.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import streamlit as st
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from accounts import passwords
from answers import Answer
from api.health import HEALTH_PATHS, make_health_routes
from api.limits import BACKUP_PATH, POINTS_PATH, LimitRequests, Limits, find_kind, refuse
from api.metrics import CountSessions, Metrics
from api.problems import SpeakInProblems
from api.routes import ANSWER_SECONDS, make_api_routes
from connections import Connections, KnowConnections, SendAtOnce, make_room
from errors import SettingRefused, TooManyRequests
from headers import SecurityHeaders, SettleEncoding
from logs import set_up_logging
from paths import AnswerUsedPaths
from read_queue import ReadQueue
from same_origin import CheckOrigin
from settings import ROOT, read_settings
from shares import Client
from socket_guard import GuardSocket
from ui.exports import GuardExports
from ui.turns import TURNS


def _find_package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name)
    return Path(spec.origin).parent


# The pages with scripts inside: Streamlit's own, and that of the component by which the library reads a cookie.
HTML_PAGES = (
    Path(st.__file__).parent / "static" / "index.html",
    _find_package("extra_streamlit_components") / "CookieManager" / "frontend" / "build" / "index.html",
)
try:
    SETTINGS = read_settings()
except SettingRefused as error:
    sys.exit(f"app.py: {error}")

logger = logging.getLogger("carburoam.app")
# How soon who computes lets another thread in, such as the one that takes and sends all messages; else it is 5 ms.
SWITCH_SECONDS = 0.001


async def get_map_style(request: Request) -> Response:
    """Answer with the style of the base map for a theme, with tiles under our points if the settings name some."""
    theme = request.path_params["theme"]
    if theme not in ("light", "dark"):
        return Response(status_code=404)
    style = json.loads((ROOT / "static" / "map" / f"{theme}.json").read_text(encoding="utf-8"))
    if SETTINGS.map_tiles:
        style["sources"]["tiles"] = {"type": "raster", "tiles": [SETTINGS.map_tiles], "tileSize": 256}
        style["layers"].append({"id": "tiles", "type": "raster", "source": "tiles", "minzoom": 6})
    return JSONResponse(style, headers={"Cache-Control": "public, max-age=3600"})


async def get_stations(request: Request) -> Response:
    """Answer with the points of a search of stations, for the map that chooses them."""
    # Imported here for the reason below.
    from ui.station_points import answer_points

    query, headers, client = dict(request.query_params), dict(request.headers), find_client(request)

    def answering() -> Answer:
        with TURNS.take(client):
            anyio.from_thread.check_cancelled()  # who waited too long has been answered
            return answer_points(query, headers, lambda: LIMITS.compute(request.scope))

    try:
        with anyio.fail_after(ANSWER_SECONDS):
            answer = await POINT_READERS.run(client, answering)
    except TimeoutError:  # an OSError too, but nothing may have failed: many ask, or leave without their answer
        logger.warning("stations status=late")
        METRICS.refused.labels("computing").inc()
        return JSONResponse({"error": "too many ask for prices right now"}, 503, {"Retry-After": "60"})
    except TooManyRequests as error:
        METRICS.refused.labels("computing").inc()
        return refuse(error.seconds, in_problems=True)
    except (SQLAlchemyError, OSError) as error:
        logger.error("stations status=failed error=%r", str(getattr(error, "orig", None) or error))
        return JSONResponse({"error": "the prices can't be read right now"}, 503, {"Retry-After": "60"})
    return Response(answer.body, answer.status, answer.headers)


async def get_backup(request: Request) -> Response:
    """Answer with a copy of the database to the admin who has just typed their password; the address is good once."""
    # Imported here for the reason below.
    from ui.backup_download import take_backup

    if request.method != "GET":  # a HEAD, as link previews send it, must not spend the ticket
        return Response(status_code=405, headers={"Allow": "GET"})
    try:
        ticket, cookies = request.path_params["ticket"], dict(request.cookies)
        backup = await anyio.to_thread.run_sync(take_backup, ticket, cookies, limiter=BACKUP_READERS)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        logger.error("backup status=failed error=%r", str(getattr(error, "orig", None) or error))
        return Response(status_code=503)
    return Response(status_code=404) if backup is None else backup


async def set_login_cookie(request: Request) -> Response:
    """Give or take the cookie of a log-in, as a page of ours asks."""
    # Imported here for the reason below.
    from ui.authentication import get_secret_key
    from ui.login_cookie import MAX_BODY_BYTES, answer_cookie

    # Such a body is left out, and would be waited for in vain.
    if "transfer-encoding" in request.headers or int(request.headers.get("content-length", 0)) > MAX_BODY_BYTES:
        return Response(status_code=413)
    body = b""
    try:
        with anyio.fail_after(ANSWER_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return Response(status_code=413)
    except (TimeoutError, ClientDisconnect):
        return Response(status_code=408)
    try:
        key = get_secret_key()
    except OSError as error:
        logger.error("cookie status=failed error=%r", str(error))
        return Response(status_code=503, headers={"Retry-After": "60"})
    return answer_cookie(key, dict(request.headers), body)


def import_libraries() -> None:
    """Import the libraries that pages draw with, before a visitor waits for them, and leave them out of collections.

    A collection of all garbage goes through all that lives, while every run waits: some 300 ms each with the libraries
    in it, some 100 ms without. Python's thresholds had one begin every ten seconds on a busy server.
    """
    for name in ("babel.dates", "babel.numbers", "pandas", "pyarrow", "pydeck"):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@asynccontextmanager
async def prepare(app: st.App) -> AsyncIterator[dict[str, Any] | None]:
    """Prepare the database, start the background process, whether or not a visitor comes, and end it with the app."""
    from ui.platform_logs import take_over_logs

    set_up_logging()
    take_over_logs()
    # Imported here: the runtime that holds cached resources is there only now.
    from ui.authentication import serve_component
    from ui.preparation import keep_prepared
    from ui.reading import get_engine, get_mailer, get_settings, get_starter
    from ui.widget_states import read_widget_states_safely

    serve_component()
    read_widget_states_safely()
    sys.setswitchinterval(SWITCH_SECONDS)
    await anyio.to_thread.run_sync(import_libraries)
    starter = get_starter()
    mailer = None
    try:
        await anyio.to_thread.run_sync(get_engine)
        await anyio.to_thread.run_sync(passwords.prepare)
        mailer = await anyio.to_thread.run_sync(get_mailer)
        await anyio.to_thread.run_sync(lambda: starter.ensure_running(get_settings(), even_if_recent=True))
    except (SQLAlchemyError, OSError) as error:
        # Pages say so and try again on every run: what is out of reach now may come back.
        logger.error("start status=failed error=%r", str(getattr(error, "orig", None) or error))
    preparing = asyncio.create_task(keep_prepared())
    with CONNECTIONS.watch(asyncio.get_running_loop()):
        yield None
    preparing.cancel()
    if mailer is not None:
        mailer.stop()
    starter.stop()


def open_reading() -> Connection:
    """Open a connection to read with, for the routes that programs ask."""
    # Imported here for the reason above.
    from ui.reading import open_reading

    return open_reading()


def find_client(request: Request) -> Client:
    """Return by what a request is known where clients take turns."""
    return LIMITS.find_client(request.scope, find_kind(request.scope))


METRICS = Metrics(open_reading)
LIMITS = Limits(SETTINGS.requests_per_minute, SETTINGS.proxies)
CONNECTIONS = Connections(
    SETTINGS.connections_per_address, SETTINGS.proxies, make_room(), METRICS.refused.labels("connections").inc
)
# Threads of their own: those that pages and files are read with stay free, however many wait here for a database.
POINT_READERS, BACKUP_READERS = ReadQueue(4), anyio.CapacityLimiter(1)

app = st.App(
    "ui/main.py",
    lifespan=prepare,
    routes=[
        Route("/map-style/{theme}.json", get_map_style),
        Route(POINTS_PATH, get_stations),
        *make_api_routes(SETTINGS, open_reading, METRICS, find_client=find_client, take_turn=TURNS.take),
        *make_health_routes(SETTINGS, open_reading, METRICS),
        Route(BACKUP_PATH + "{ticket}", get_backup),
        Route("/session-cookie", set_login_cookie, methods=["POST"]),
        Mount("/assets", StaticFiles(directory=ROOT / "static")),
    ],
    middleware=[
        Middleware(KnowConnections, connections=CONNECTIONS),
        Middleware(SendAtOnce),
        Middleware(SettleEncoding),
        Middleware(SecurityHeaders, pages=HTML_PAGES, map_tiles=SETTINGS.map_tiles),
        Middleware(LimitRequests, limits=LIMITS, metrics=METRICS),
        Middleware(AnswerUsedPaths),
        Middleware(CheckOrigin, public_url=SETTINGS.public_url, metrics=METRICS),
        Middleware(
            GuardSocket,
            tabs_per_address=SETTINGS.tabs_per_address,
            messages_per_10_seconds=SETTINGS.messages_per_10_seconds,
            proxies=SETTINGS.proxies,
            metrics=METRICS,
        ),
        Middleware(CountSessions, metrics=METRICS),
        Middleware(GuardExports),
        Middleware(SpeakInProblems, under=("/api/", *HEALTH_PATHS)),
    ],
)
