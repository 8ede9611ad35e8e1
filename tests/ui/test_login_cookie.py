"""The cookie of a log-in: what the route that writes it answers to a page of ours, and to anybody else."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from http.cookies import Morsel, SimpleCookie
from typing import Any

import jwt
import pytest
from starlette.responses import Response

KEY = b"k" * 64
SESSION_ID = secrets.token_hex(32)
OURS = {"content-type": "application/json", "origin": "http://127.0.0.1:8501", "sec-fetch-site": "same-origin"}


def sign(seconds: float = 3600, *, is_lasting: bool = False) -> str:
    from ui.login_cookie import Claims, sign_claims

    return sign_claims(KEY, Claims(SESSION_ID, datetime.now(UTC) + timedelta(seconds=seconds), is_lasting))


def ask(token: object, **headers: str) -> Response:
    from ui.login_cookie import answer_cookie

    body = json.dumps({"token": token}).encode()
    return answer_cookie(KEY, OURS | {name.replace("_", "-"): value for name, value in headers.items()}, body)


def read_cookie(answer: Response) -> Morsel[str]:
    assert answer.status_code == 204
    assert answer.headers["cache-control"] == "no-store"
    cookies: SimpleCookie = SimpleCookie(answer.headers["set-cookie"])
    return cookies["carburoam_login"]


@pytest.mark.parametrize("token", ["\ud800", "a.b.c", "\0", "é" * 100, 1e400, [], None])
def test_what_is_no_token_is_refused(token: object) -> None:
    assert ask(token).status_code == 400


def test_a_log_in_that_does_not_stay_ends_with_the_browser() -> None:
    cookie = read_cookie(ask(token := sign()))
    assert cookie.value == token
    assert (cookie["max-age"], cookie["expires"]) == ("", "")


def test_one_that_stays_has_the_date_on_which_it_ends() -> None:
    assert 86_390 < int(read_cookie(ask(sign(86_400, is_lasting=True)))["max-age"]) <= 86_400


@pytest.mark.parametrize("token", ["", "signed"])
def test_no_script_can_read_it_and_no_other_site_sends_it(token: str) -> None:
    cookie = read_cookie(ask(token and sign()))
    assert cookie["httponly"]
    assert cookie["samesite"] == "strict"
    assert cookie["path"] == "/"
    assert not cookie["domain"]


@pytest.mark.parametrize(("origin", "is_secure"), [("https://carburoam.example", True), ("http://localhost", False)])
def test_it_is_sent_over_tls_only_where_the_page_came_over_tls(origin: str, is_secure: bool) -> None:
    for token in ("", sign()):
        assert bool(read_cookie(ask(token, origin=origin))["secure"]) == is_secure


def test_logging_out_takes_it_away() -> None:
    cookie = read_cookie(ask(""))
    assert (cookie.value, cookie["max-age"]) == ("", "0")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},  # what a form or a script of another site may send without asking
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
    ids=str,
)
def test_a_page_of_another_site_can_neither_log_in_nor_out(headers: dict[str, str]) -> None:
    from ui.login_cookie import answer_cookie

    for token in ("", sign()):
        answer = answer_cookie(KEY, OURS | headers, json.dumps({"token": token}).encode())
        assert answer.status_code in (403, 415)
        assert "set-cookie" not in answer.headers


GOOD: dict[str, Any] = {"username": SESSION_ID, "exp_date": 4e9}


@pytest.mark.parametrize(
    "token",
    [
        "garbage",
        "x\r\nSet-Cookie: a=b",
        7,
        None,
        ["x"],
        {"x": "y"},
        jwt.encode(GOOD, "j" * 32, algorithm="HS256"),
        jwt.encode(GOOD, None, algorithm="none"),
        jwt.encode(GOOD, KEY, algorithm="HS384"),
        jwt.encode(GOOD | {"exp_date": 1.0}, KEY, algorithm="HS256"),
        jwt.encode(GOOD | {"username": "ada"}, KEY, algorithm="HS256"),
        jwt.encode(GOOD | {"username": SESSION_ID + "; Domain=x"}, KEY, algorithm="HS256"),
    ],
    ids=lambda token: str(token)[:20],
)
def test_nothing_but_a_cookie_of_ours_is_written(token: object) -> None:
    answer = ask(token)
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"7", b"null", b"\xff", b"[" * 2000, b'{"token"'])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    from ui.login_cookie import answer_cookie

    assert answer_cookie(KEY, OURS, body).status_code == 400
