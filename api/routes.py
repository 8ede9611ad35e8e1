"""The routes of the API, version 1: only reads, each in a thread of its own kind, so that pages keep theirs."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import anyio
import anyio.from_thread
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from answers import Answer, Content, answer_content
from api.bodies import (
    Body,
    LoadedFeed,
    describe_fuels,
    describe_station,
    describe_stations,
    describe_status,
    write_body,
)
from api.metrics import MeasureRequests, Metrics
from api.openapi import make_document
from api.parameters import read_nothing, read_station_id, read_station_query
from api.problems import answer_error, make_problem, make_unavailable
from errors import ParametersRefused, StationUnknown
from prices.figures import NationalFigures
from prices.freshness import find_as_of, get_freshness
from read_queue import ReadQueue
from settings import Settings
from shares import Client

T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]
OpenReading = Callable[[], Connection]
FindClient = Callable[[Request], Client]
TakeTurn = Callable[[Client], AbstractContextManager[None]]

KEEP_SECONDS = 60  # an address doesn't name the load it is of: after the next one it says something else
ANSWER_SECONDS = 15.0  # with all readers busy with a database that doesn't answer, nobody waits longer for one
READERS = 4  # threads at most: reads wait for each other rather than for the pages

logger = logging.getLogger("carburoam.api")


def make_api_routes(
    settings: Settings,
    open_reading: OpenReading,
    metrics: Metrics,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    find_client: FindClient = lambda _request: Client(),
    take_turn: TakeTurn = lambda _client: nullcontext(),
) -> list[BaseRoute]:
    """Return the routes of /api; `open_reading` may raise what a database that is away raises.

    Clients, as `find_client` tells them apart, take turns at the threads. What has to be computed for a request is
    computed within `take_turn`.
    """
    api = _make_api(settings, open_reading, metrics, now, find_client, take_turn)
    # What is mounted answers below /api/ only; without the slash a program would get a page.
    return [Route("/api", api), Mount("/api", api)]


def _make_api(
    settings: Settings,
    open_reading: OpenReading,
    metrics: Metrics,
    now: Callable[[], datetime],
    find_client: FindClient,
    take_turn: TakeTurn,
) -> Starlette:
    queue, figures = ReadQueue(READERS), NationalFigures()

    def find_feed(connection: Connection) -> LoadedFeed | None:
        freshness, moment = get_freshness(connection), now()
        if freshness is None:
            return None
        as_of = find_as_of(settings.as_of, freshness.newest_report_at, moment)
        return LoadedFeed(freshness, figures.find(connection, freshness.edition, as_of), as_of, moment)

    def serve(read: Callable[[Request], T], answer: Callable[[Connection, Request, T], Answer | None]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                asked, client = read(request), find_client(request)
                reading = partial(_read, partial(take_turn, client), open_reading, answer, request, asked)
                with anyio.fail_after(ANSWER_SECONDS):
                    found = await queue.run(client, reading)
            except ParametersRefused as error:
                return make_problem(400, str(error), errors=error.errors)
            except StationUnknown:
                return make_problem(404, "No station has this id.")
            except (
                TimeoutError
            ):  # an OSError too, but nothing may have failed: so many ask, or leave without their answer
                logger.warning("api status=late path=%r", request.url.path)
                metrics.refused.labels("computing").inc()
                return make_unavailable("Too many ask for prices right now.")
            except (SQLAlchemyError, OSError) as error:
                cause = str(getattr(error, "orig", None) or error)
                logger.error("api status=failed path=%r error=%r", request.url.path, cause)
                return make_unavailable("The prices can't be read right now.")
            if found is None:
                return make_unavailable("Nothing was loaded yet.")
            return Response(found.body, found.status, found.headers)

        return endpoint

    def serve_load(read: Callable[[Request], T], describe: Callable[[Connection, LoadedFeed, T], Body]) -> Endpoint:
        def answer(connection: Connection, request: Request, asked: T) -> Answer | None:
            feed = find_feed(connection)
            return None if feed is None else _answer(request, describe(connection, feed, asked))

        return serve(read, answer)

    def answer_status(connection: Connection, request: Request, _asked: None) -> Answer:
        return _answer(request, describe_status(connection, now()))

    api = Starlette(
        routes=[
            Route(
                "/v1/stations",
                serve_load(lambda request: read_station_query(request.query_params), describe_stations),
            ),
            Route(
                "/v1/stations/{id}",
                serve_load(
                    lambda request: read_station_id(request.path_params["id"], request.query_params), describe_station
                ),
            ),
            Route(
                "/v1/fuels",
                serve_load(_read_nothing, lambda _connection, feed, _asked: describe_fuels(feed)),
            ),
            Route("/v1/status", serve(_read_nothing, answer_status)),
            Route("/v1/openapi.json", _make_document_endpoint()),
        ],
        middleware=[
            Middleware(MeasureRequests, metrics=metrics),
            # For every site: what is here is public, and no cookie changes it.
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "HEAD"],
                allow_headers=["If-None-Match"],
                expose_headers=["ETag", "Retry-After"],
                max_age=86_400,
            ),
        ],
        exception_handlers={HTTPException: answer_error, Exception: answer_error},
    )
    api.router.redirect_slashes = False
    return api


def _read(
    take_turn: Callable[[], AbstractContextManager[None]],
    open_reading: OpenReading,
    answer: Callable[[Connection, Request, T], Answer | None],
    request: Request,
    asked: T,
) -> Answer | None:
    with take_turn():
        anyio.from_thread.check_cancelled()  # who waited too long has been answered
        with open_reading() as connection:
            return answer(connection, request, asked)


def _answer(request: Request, body: Body) -> Answer:
    """Answer with a body whose ETag is made of all that is in it: ages change with time, whatever is loaded."""
    content = write_body(body)
    key = f"{request.url.path}?{request.url.query} {content.plain.decode()}"
    return answer_content(key, request.headers, KEEP_SECONDS, lambda: content)


def _make_document_endpoint() -> Endpoint:
    text = json.dumps(make_document(), ensure_ascii=False, indent=1)
    content = Content(text.encode())

    async def get_document(request: Request) -> Response:
        answer = answer_content(text, request.headers, KEEP_SECONDS, lambda: content)
        return Response(answer.body, answer.status, answer.headers)

    return get_document


def _read_nothing(request: Request) -> None:
    read_nothing(request.query_params)
