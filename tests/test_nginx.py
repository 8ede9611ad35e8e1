"""What nginx answers by itself has the security headers too, and what the application answers has them once."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from browser.app_process import find_free_port, wait_until
from nginx_server import CLIENT_HEADER, NAME, Nginx, find_nginx, run_nginx
from test_paths import UNUSED_PATHS, USED_PATHS
from web_server import Answer, WebServer, stay_silent

from headers import SecurityHeaders
from settings import ROOT

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


@pytest.mark.parametrize(
    "path", [*UNUSED_PATHS, "/%5fstcore/metrics", "/static/../app.py", "//etc/passwd", "/a/../.env"]
)
def test_what_no_page_needs_does_not_reach_the_application(front: tuple[Nginx, WebServer], path: str) -> None:
    nginx, app = front
    expected = 403 if path == "/_stcore/stream" else 404
    assert ask(nginx, path, Origin="https://elsewhere.example")[0] == expected
    assert app.requests == []


@pytest.mark.parametrize("path", [path for path, _ in USED_PATHS if path != "/metrics"])
def test_what_pages_and_programs_need_does(front: tuple[Nginx, WebServer], path: str) -> None:
    nginx, app = front
    app.lay_out(path, Answer(200, b"theirs"))
    assert ask(nginx, path)[0] == 200
    assert [request.path for request in app.requests] == [path]


def test_no_body_reaches_the_application(front: tuple[Nginx, WebServer]) -> None:
    nginx, app = front
    for headers in ({"Content-Length": "2"}, {"Transfer-Encoding": "chunked"}):
        connection = http.client.HTTPSConnection(NAME, nginx.port, timeout=20, context=nginx.make_context())
        connection.putrequest("POST", "/")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(b"2\r\nab\r\n" if "Transfer-Encoding" in headers else b"")
        assert connection.getresponse().status == 413
        connection.close()
    assert app.requests == []


def test_only_the_cookie_of_a_log_in_comes_in_a_body(front: tuple[Nginx, WebServer]) -> None:
    nginx, _ = front
    statuses = []
    for size in (1000, 3000):
        connection = http.client.HTTPSConnection(NAME, nginx.port, timeout=20, context=nginx.make_context())
        connection.request("POST", "/session-cookie", b"x" * size)
        statuses.append(connection.getresponse().status)
        connection.close()
    assert statuses == [501, 413]  # the server of these tests knows no POST


HALVES = (
    (False, b"", b""),  # not even a handshake
    (True, b"", b""),
    (True, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", b"x"),
    (True, b"GET /_stcore/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nX: ", b"x"),
    (True, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n", b""),
)


def test_nginx_waits_for_nothing_that_is_half_sent(front: tuple[Nginx, WebServer]) -> None:
    nginx, app = front

    def is_let_go(half: tuple[bool, bytes, bytes]) -> bool:
        is_safe, first, drip = half
        plain = socket.create_connection(("127.0.0.1", nginx.port), timeout=20)
        with nginx.make_context().wrap_socket(plain, server_hostname=NAME) if is_safe else plain as connection:
            connection.sendall(first)
            connection.settimeout(0.5)
            for _ in range(80):
                try:
                    if not connection.recv(1000):
                        return True
                except TimeoutError:
                    pass
                except OSError:
                    return True
                try:
                    connection.sendall(drip)
                except OSError:
                    return True
            return False

    with ThreadPoolExecutor(len(HALVES)) as pool:
        assert list(pool.map(is_let_go, HALVES)) == [True] * len(HALVES)
    assert app.requests == []


@pytest.mark.parametrize(
    ("clients", "others"),
    [
        (["198.51.100.7"], ["198.51.100.8", "2001:db8::1"]),
        ([f"2001:db8:1:2::{number:x}" for number in range(1, 300)], ["2001:db8:1:3::1", "198.51.100.7"]),
    ],
    ids=["IPv4", "a home's IPv6"],
)
def test_one_client_has_so_many_requests_under_way(
    front: tuple[Nginx, WebServer], clients: list[str], others: list[str]
) -> None:
    nginx, app = front
    app.lay_out("/about", stay_silent)
    match = re.search(r"limit_conn carburoam_clients (\d+);", (ROOT / "deploy" / "nginx.conf").read_text())
    assert match is not None
    with ExitStack() as stack:
        context = nginx.make_context()
        for number in range(int(match[1])):
            plain = socket.create_connection(("127.0.0.1", nginx.port), timeout=20)
            connection = stack.enter_context(context.wrap_socket(plain, server_hostname=NAME))
            client = clients[number % len(clients)]
            connection.sendall(f"GET /about HTTP/1.1\r\nHost: {NAME}\r\n{CLIENT_HEADER}: {client}\r\n\r\n".encode())
        wait_until(lambda: len(app.requests) == int(match[1]), 60)
        assert ask(nginx, "/", **{CLIENT_HEADER: clients[-1]})[0] == 429
        assert [ask(nginx, "/", **{CLIENT_HEADER: other})[0] for other in others] == [200] * len(others)


OFFICE, ELSEWHERE = "198.51.100.7", "198.51.100.8"


def ask_often(nginx: Nginx, path: str, times: int, port: int | None = None, **headers: str) -> list[int]:
    """Ask from one address over four connections, as fast as they are answered; return the statuses."""

    def ask_on(_: int) -> list[int]:
        statuses = []
        connection: http.client.HTTPConnection
        if port is None:
            connection = http.client.HTTPSConnection(NAME, nginx.port, timeout=20, context=nginx.make_context())
        else:
            connection = http.client.HTTPConnection(NAME, port, timeout=20)
        for _ in range(times // 4):
            connection.request("GET", path, headers={CLIENT_HEADER: OFFICE, **headers})
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        connection.close()
        return statuses

    with ThreadPoolExecutor(4) as pool:
        return [status for statuses in pool.map(ask_on, range(4)) for status in statuses]


def read_bursts() -> set[int]:
    """Return how many requests may come at once, of files and of the rest."""
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    return {int(burst) for burst in re.findall(r"limit_req zone=\w+ burst=(\d+) nodelay;", text)}


@pytest.mark.parametrize("path", ["/about", STATIC])
def test_one_client_asks_so_many_times_a_second_and_others_go_on(front: tuple[Nginx, WebServer], path: str) -> None:
    nginx, app = front
    app.lay_out("/about", Answer(200, b"theirs"))
    burst = max(read_bursts()) if path == STATIC else min(read_bursts())
    assert set(ask_often(nginx, path, burst)) == {200}
    statuses: set[int] = set()
    for _ in range(20):
        statuses.update(ask_often(nginx, path, 400))
        if 429 in statuses:
            break
    assert statuses == {200, 429}
    assert ask(nginx, path, **{CLIENT_HEADER: ELSEWHERE})[0] == 200
    assert 429 not in {line.status for line in nginx.read_log()}


@pytest.mark.parametrize(
    ("path", "status", "headers"),
    [
        ("/.env", 404, {}),
        ("/metrics", 404, {}),
        ("/_stcore/stream", 403, {"Origin": "https://elsewhere.example"}),
        ("http", 301, {}),
        ("/.well-known/acme-challenge/guessed", 404, {}),
    ],
)
def test_what_nginx_refuses_counts_and_leaves_nothing_in_the_logs(
    front: tuple[Nginx, WebServer], path: str, status: int, headers: dict[str, str]
) -> None:
    nginx, app = front
    times = 4 * min(read_bursts())
    is_plain = not path.startswith("/") or "acme" in path
    statuses = ask_often(
        nginx, "/" if path == "http" else path, times, nginx.plain_port if is_plain else None, **headers
    )
    assert set(statuses) == {status, 429}
    assert app.requests == []
    assert len(nginx.read_log()) == 0
    errors = (nginx.folder / "error.log").read_text(encoding="utf-8")
    assert errors.count("\n") < 10, errors[:2000]
    assert ask(nginx, "/", **{CLIENT_HEADER: ELSEWHERE})[0] == 200
    wait_until(lambda: bool(nginx.read_log()), 20)  # it is written after the answer
    assert [line.status for line in nginx.read_log()] == [200]


BROWSERS, FILES = 30, 60


def test_thirty_browsers_of_an_office_open_the_first_page_at_once(front: tuple[Nginx, WebServer]) -> None:
    """Each over one connection of HTTP/2, all files of it side by side."""
    curl = shutil.which("curl")
    if curl is None or "HTTP2" not in subprocess.run([curl, "--version"], capture_output=True, text=True).stdout:
        pytest.skip("no curl that speaks HTTP/2")
    nginx, app = front
    app.lay_out("/static/big.js", Answer(200, b"x" * 300_000))
    assert ask(nginx, "/static/big.js")[0] == 200
    command = [
        *(curl, "--silent", "--http2", "--parallel", "--parallel-max", str(FILES), "--cacert", str(nginx.certificate)),
        *("--header", f"{CLIENT_HEADER}: {OFFICE}", "--output", "/dev/null"),
        *("--write-out", "%{http_version} %{http_code}\n", f"{nginx.url}/static/big.js?[1-{FILES}]"),
    ]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(BROWSERS)]
    lines = [line for process in processes for line in process.communicate(timeout=60)[0].splitlines()]
    assert Counter(lines) == {"2 200": BROWSERS * FILES}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-One": "x" * 8000}, 200),
        ({f"X-{number}": "x" * 6000 for number in range(4)}, 200),
        ({"X-One": "x" * 9000}, 400),
        ({f"X-{number}": "x" * 900 for number in range(50)}, 400),
    ],
    ids=["a long one", "several long ones", "one too long", "too much together"],
)
def test_headers_have_32_kb_together(front: tuple[Nginx, WebServer], headers: dict[str, str], status: int) -> None:
    nginx, app = front
    assert ask(nginx, "/", **headers)[0] == status
    assert len(app.requests) == (status == 200)
    assert ask(nginx, "/")[0] == 200
    wait_until(lambda: len(nginx.read_log()) > (status == 200), 20)  # it is written after the answer
    assert {line.status for line in nginx.read_log()} == {200}
