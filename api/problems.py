"""What is answered when something is wrong: problem details, RFC 9457."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 60  # what is out of reach now is asked for again after so long
_DETAILS = {
    400: "The address of the request can't be read.",
    404: "There is nothing at this address; /api/v1/openapi.json says what there is.",
    405: "This address answers to GET and HEAD only.",
    500: "Something went wrong here; it is in the log.",
}


def make_problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None
) -> Response:
    """Return the answer of a problem; `errors` says of each parameter that can't be read what is wrong with it."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = [{"parameter": name, "detail": complaint} for name, complaint in errors.items()]
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return Response(json.dumps(body, ensure_ascii=False), status, kept, MEDIA_TYPE)


def make_unavailable(detail: str) -> Response:
    """Return the answer for what can't be had now and may be had soon."""
    return make_problem(503, detail, {"Retry-After": str(RETRY_SECONDS)})


def answer_error(_request: Request, error: Exception) -> Response:
    """Answer a request for an address or by a method that there is not, and one that broke something."""
    if isinstance(error, HTTPException):
        return make_problem(error.status_code, _describe(error.status_code), error.headers)
    return make_problem(500, _describe(500))


class SpeakInProblems:
    """ASGI middleware: what refuses a request under some paths before our routes see it says so in our form too."""

    def __init__(self, app: ASGIApp, under: Sequence[str]) -> None:
        self._app = app
        self._under = tuple(path.lstrip("/") for path in under)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].lstrip("/").startswith(self._under):
            await self._app(scope, receive, send)
            return
        is_replaced = False

        async def send_problem(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start":
                headers = Headers(raw=message["headers"])
                if message["status"] >= 400 and headers.get("content-type") != MEDIA_TYPE:
                    is_replaced = True
                    status = message["status"]
                    kept = {"Allow": headers["allow"]} if "allow" in headers else None
                    await make_problem(status, _describe(status), kept)(scope, receive, send)
            if not is_replaced:
                await send(message)

        await self._app(scope, receive, send_problem)


def _describe(status: int) -> str:
    return _DETAILS.get(status, f"{HTTPStatus(status).phrase}.")
