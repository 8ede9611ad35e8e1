"""Which paths are answered: ours and, of the many that Streamlit has, those that a browser asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

from api.limits import refuse_handshake

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

STREAM = "/_stcore/stream"  # the websocket of a tab
COOKIE_WRITER = "/component/extra_streamlit_components.CookieManager.cookie_manager/"
# Of a page the address is one word; what word is one of ours knows Streamlit, which says so to the visitor.
_USED = re.compile(
    r"/(?:[A-Za-z0-9_-]+/?)?"
    r"|/_stcore/(?:health|host-config)"
    r"|/(?:static|media|assets|map-style|backup|api)/.*"
    r"|/favicon\.png|/stations\.json"
    rf"|{re.escape(COOKIE_WRITER)}.*",
    re.DOTALL,
)
_UNUSED_WORDS = re.compile(r"/(?:oauth2callback|_stcore)/?")


def is_used(path: str) -> bool:
    """Say whether an HTTP request to this path is answered."""
    return _USED.fullmatch(path) is not None and _UNUSED_WORDS.fullmatch(path) is None


class AnswerUsedPaths:
    """ASGI middleware that answers 404 on all other paths, whatever the method.

    Streamlit takes uploads, signs people in by OAuth, speaks to agents, hands out the files of every component and
    counts what it does, whether a page needs it or not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            is_answered = is_used(scope["path"])
        else:
            is_answered = scope["type"] != "websocket" or scope["path"] == STREAM
        if is_answered:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await refuse_handshake(PlainTextResponse("Not Found", 404), scope, receive, send)
        else:
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
