"""Files to be downloaded go to the browser that they were made for, whole, and are stored nowhere."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

from settings import ROOT
from ui.exports import BROWSER_COOKIE, NOBODY, OWNER, GuardExports, name_browser

MINE, THEIRS = b"a" * 16, b"b" * 16
Headers = list[tuple[bytes, bytes]]


def write_cookie(token: bytes) -> str:
    """Return the cookie of a browser, which is masked anew with each answer."""
    return generate_xsrf_token_string(token, 1_800_000_000)


def fetch(
    kept: Headers, asked: Headers, *, status: int = 200, path: str = "/media/a.csv"
) -> tuple[int, Headers, bytes]:
    """Ask for a file that the platform answers so, and return what the browser gets."""
    sent: list[Message] = []

    async def platform(scope: Scope, _receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope["headers"]}
        is_part = path.startswith("/media/") and names & {b"range", b"Range"}
        await send({"type": "http.response.start", "status": 416 if is_part else status, "headers": kept})
        await send({"type": "http.response.body", "body": b"secret"})

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    anyio.run(GuardExports(platform), {"type": "http", "path": path, "headers": asked, "method": "GET"}, receive, send)
    start, *bodies = sent
    return start["status"], start["headers"], b"".join(part["body"] for part in bodies)


def make_file(owner: str | None) -> Headers:
    kind = "text/csv" if owner is None else f"text/csv{OWNER}{owner}; charset=utf-8"
    return [(b"content-disposition", b'attachment; filename="a.csv"'), (b"content-type", kind.encode())]


def send_cookies(*cookies: str) -> Headers:
    return [(b"cookie", "; ".join(f"{BROWSER_COOKIE}={cookie}" for cookie in cookies).encode())]


def test_the_browser_that_asked_gets_the_file_and_nobody_stores_it() -> None:
    owner = name_browser(write_cookie(MINE))
    status, headers, body = fetch(make_file(owner), send_cookies(write_cookie(MINE)))
    assert (status, body) == (200, b"secret")
    assert dict(headers) == {
        b"content-disposition": b'attachment; filename="a.csv"',
        b"content-type": b"text/csv; charset=utf-8",
        b"cache-control": b"no-store",
    }


def test_a_script_that_looks_whether_it_is_there_gets_nothing_to_read() -> None:
    asked = [*send_cookies(write_cookie(MINE)), (b"sec-fetch-mode", b"cors")]
    kept = [*make_file(name_browser(write_cookie(MINE))), (b"content-length", b"6")]
    status, headers, body = fetch(kept, asked)
    assert (status, body) == (204, b"")
    assert b"content-length" not in dict(headers)
    assert dict(headers)[b"cache-control"] == b"no-store"


@pytest.mark.parametrize(
    ("owner", "asked"),
    [
        (name_browser(write_cookie(MINE)), []),
        (name_browser(write_cookie(MINE)), send_cookies(write_cookie(THEIRS))),
        (name_browser(write_cookie(MINE)), send_cookies("forged")),
        (name_browser(write_cookie(MINE)), send_cookies("")),
        (name_browser(write_cookie(MINE)), send_cookies(str(name_browser(write_cookie(MINE))))),
        (name_browser(write_cookie(MINE)), [*send_cookies(write_cookie(THEIRS)), (b"range", b"bytes=0-1")]),
        (name_browser(write_cookie(MINE)), [(b"Range", b"bytes=900-")]),
        (None, send_cookies(write_cookie(MINE))),
        (NOBODY, send_cookies(write_cookie(MINE))),
        (NOBODY, []),
        ("", []),
    ],
)
def test_any_other_browser_is_told_that_there_is_no_file(
    owner: str | None, asked: Sequence[tuple[bytes, bytes]]
) -> None:
    status, headers, body = fetch(make_file(owner), list(asked))
    assert (status, body) == (404, b"File not found")
    assert b"content-disposition" not in dict(headers)


def test_the_pictures_of_a_page_are_for_everyone() -> None:
    kept = [(b"content-type", b"image/png")]
    assert fetch(kept, []) == (200, kept, b"secret")


def test_other_files_are_left_alone() -> None:
    assert fetch(make_file(None), [(b"range", b"bytes=0-1")], path="/assets/a.csv") == (200, make_file(None), b"secret")


def test_the_name_of_a_browser_does_not_tell_its_cookie_and_stays() -> None:
    names = {name_browser(write_cookie(MINE)) for _ in range(3)}
    assert len(names) == 1
    assert MINE.hex() not in str(names)
    assert name_browser(write_cookie(THEIRS)) not in names
    assert [name_browser(cookie) for cookie in (None, "", "2|zz|zz|1", "2||", "2|00000000||1")] == [None] * 5


def test_every_download_of_a_page_has_an_owner() -> None:
    calling = [
        path.name
        for folder in ("ui", "pages")
        for path in sorted((ROOT / folder).glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "download_button"
    ]
    assert calling == ["exports.py"]
