"""Files that a page makes for its visitor, each for the browser that asked: whoever else learns its address gets 404.

Streamlit hands out such a file to anyone, under an address made of its content. What it lets us say of a file is its
type: there stands whose it is, and the browser is told the type without that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOLDER = "/media/"
BROWSER_COOKIE = "_streamlit_xsrf"  # a random token that every browser gets before its first page, and keeps
OWNER = "; owner="
NOBODY = "nobody"
PARTS = (b"range", b"if-range")


def show_export(label: str, write: Callable[[], bytes], *, file_name: str, mime: str) -> None:
    """Draw the button that has a file written, when it is pressed, and downloads it."""
    owner = name_browser(st.context.cookies.get(BROWSER_COOKIE)) or NOBODY
    st.download_button(
        label,
        write,
        file_name=file_name,
        mime=f"{mime}{OWNER}{owner}",
        icon=":material/download:",
        on_click="ignore",
    )


def name_browser(cookie: str | None) -> str | None:
    """Return by what name a browser is known that sends this cookie, from which nobody learns the cookie."""
    token = decode_xsrf_token_string(cookie)[0] if cookie else None
    return hashlib.sha256(token).hexdigest()[:32] if token else None


class GuardExports:
    """ASGI middleware that gives a file to be downloaded to its owner only, and lets nobody store it on the way.

    What has no owner, and who has no cookie, gets nothing. Pictures of a page are for everyone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(FOLDER):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        # Streamlit's script asks for the file before it lets the browser download it, looks at the status and leaves
        # the rest unread: a browser that may not store it then holds the connection.
        is_probe = connection.headers.get("sec-fetch-mode") == "cors"
        is_refused, is_empty = False, False

        async def send_to_owner(message: Message) -> None:
            nonlocal is_refused, is_empty
            if message["type"] == "http.response.start":
                headers = {name.lower(): value for name, value in message["headers"]}
                if headers.get(b"content-disposition", b"").startswith(b"attachment"):
                    mime, _, owner = headers[b"content-type"].decode("latin-1").partition(OWNER)
                    # Behind the owner's name stands what Starlette adds to the type of a text.
                    owner, _, charset = owner.partition(";")
                    browser = name_browser(connection.cookies.get(BROWSER_COOKIE))
                    is_refused = not browser or owner != browser
                    if not is_refused:
                        headers[b"content-type"] = ";".join(filter(None, (mime, charset))).encode("latin-1")
                        headers[b"cache-control"] = b"no-store"
                        if is_empty := is_probe:
                            headers.pop(b"content-length", None)
                        status = 204 if is_empty else message["status"]
                        message = {**message, "status": status, "headers": list(headers.items())}
            elif is_empty:
                message = {**message, "body": b""}
            if not is_refused:
                await send(message)

        # A part of a file, or that it has no such part, tells of the file without its type.
        asked = [(name, value) for name, value in scope["headers"] if name.lower() not in PARTS]
        await self._app({**scope, "headers": asked}, receive, send_to_owner)
        if is_refused:
            await PlainTextResponse("File not found", 404)(scope, receive, send)
