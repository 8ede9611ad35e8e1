"""What nginx answers by itself has the security headers too, and what the application answers has them once."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from browser.app_process import find_free_port, wait_until
from nginx_server import NAME, Nginx, find_nginx, run_nginx
from web_server import Answer, WebServer

from headers import SecurityHeaders

HEADERS = {name.decode(): value.decode() for name, value in SecurityHeaders(lambda *_: None, [])._headers}  # type: ignore[arg-type]
STATIC = "/static/a.js"


@pytest.fixture
def front(tmp_path: Path) -> Iterator[tuple[Nginx, WebServer]]:
    """An nginx in front of one application that answers two paths, and of one that is dead."""
    if find_nginx() is None:
        pytest.skip("nginx is not installed")
    with ExitStack() as stack:
        app = stack.enter_context(WebServer())
        servers = [f"127.0.0.1:{app.server_port}", f"127.0.0.1:{find_free_port()}"]
        nginx = stack.enter_context(run_nginx(tmp_path, find_free_port(), find_free_port(), servers))
        for path in ("/", STATIC):
            app.lay_out(path, Answer(200, b"theirs", tuple(HEADERS.items())))
        wait_until(lambda: is_open(nginx.port), 20)
        yield nginx, app


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(nginx: Nginx, path: str, **headers: str) -> tuple[int, dict[str, list[str]]]:
    connection = http.client.HTTPSConnection(NAME, nginx.port, timeout=20, context=nginx.make_context())
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name: answer.headers.get_all(name) or [] for name in HEADERS}
    finally:
        connection.close()


def test_the_application_s_headers_are_not_doubled(front: tuple[Nginx, WebServer]) -> None:
    nginx, _ = front
    for path in ("/", STATIC, STATIC):  # the second time from what nginx has kept
        assert ask(nginx, path) == (200, {name: [value] for name, value in HEADERS.items()}), path


def test_what_nginx_refuses_has_them_and_a_policy_that_lets_nothing_run(front: tuple[Nginx, WebServer]) -> None:
    nginx, _ = front
    for path, status in (("/metrics", 404), ("/readyz", 404), ("/_stcore/stream", 403)):
        require_own(ask(nginx, path, Origin="https://elsewhere.example"), status)


def test_so_has_what_it_says_when_every_server_is_gone(front: tuple[Nginx, WebServer]) -> None:
    nginx, app = front
    app.shutdown()
    app.server_close()
    require_own(ask(nginx, "/"), 502)


def require_own(answer: tuple[int, dict[str, list[str]]], status: int) -> None:
    found, headers = answer
    assert found == status
    (policy,) = headers.pop("content-security-policy")
    assert policy.startswith("default-src 'none'; ")
    assert headers == {name: [value] for name, value in HEADERS.items() if name in headers}
