"""What strangers do to the connections and addresses of the real application, as `streamlit run` starts it."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from browser.app_process import START_SECONDS, STOP_SECONDS, find_free_port, is_healthy, make_environment, wait_until
from test_connections import GET, UPGRADE, open_connection

from bench.server import Server, run_server
from connections import LOOPBACK_SHARE, REFUSAL, REQUEST_SECONDS
from settings import ROOT, Settings

pytestmark = pytest.mark.slow

HOLD = 3  # connections an address; all of loopback ten times as many
HALVES = (
    (b"", b""),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x"),
    (UPGRADE.replace(b"/ ", b"/_stcore/stream ", 1), b""),
    (UPGRADE.replace(b"/ ", b"/_stcore/stream ", 1) + b"X: ", b"x"),
    (b"POST /api/v1/status HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", b"x"),
    (b"PUT /_stcore/upload_file/a/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    (GET + b"GET /", b"x"),
)
SPELLINGS = (
    "2001:db8:1:2::{0:x}",
    "[2001:db8:1:2::{0:x}]",
    "[2001:db8:1:2::{0:x}]:4{0:03}",
    "2001:0DB8:0001:0002:0000:0000:0000:{0:04x}",
    "198.51.100.{0}, 2001:db8:1:2::{0:x}",
    "2001:db8:1:2::{0:x}, 127.0.0.1",
)
NUMBERS = count(1)  # no address is named twice


def make_server(folder: Path, **settings: object) -> Settings:
    return Settings(state_dir=folder, connections_per_address=HOLD, requests_per_minute=1, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """No proxy is trusted, though the environment tells uvicorn to believe everyone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORWARDED_ALLOW_IPS", "*")
        with run_server(make_server(tmp_path_factory.mktemp("bare"))) as server:
            yield server


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Behind a proxy on loopback, which is trusted."""
    with run_server(make_server(tmp_path_factory.mktemp("behind"), trusted_proxies="127.0.0.1")) as server:
        yield server


def get_port(server: Server) -> int:
    return int(urlsplit(server.url).port or 0)


def ask(server: Server, path: str, headers: list[tuple[str, str]]) -> int:
    """Ask with these headers, the same one several times if it is there so often."""
    connection = http.client.HTTPConnection("127.0.0.1", get_port(server), timeout=60)
    with closing(connection):
        connection.putrequest("GET", path)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        return answer.status


def is_let_go(port: int, first: bytes, drip: bytes) -> bool:
    with closing(open_connection(port, first)) as connection:
        connection.settimeout(0.5)
        for _ in range(int(3 * REQUEST_SECONDS / 0.5)):
            try:
                if not connection.recv(65536):
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


def test_nothing_half_sent_holds_a_connection(bare: Server) -> None:
    with ThreadPoolExecutor(len(HALVES)) as pool:
        ends = list(pool.map(lambda half: is_let_go(get_port(bare), *half), HALVES))
    assert ends == [True] * len(HALVES)


def test_one_address_holds_so_many_connections_and_a_trusted_proxy_any_number(bare: Server, behind: Server) -> None:
    most = HOLD * LOOPBACK_SHARE
    for server, is_limited in ((bare, True), (behind, False)):
        with ExitStack() as stack:
            opened = [stack.enter_context(closing(open_connection(get_port(server)))) for _ in range(most + 5)]
            if is_limited:
                assert opened[-1].recv(1000) == REFUSAL
            else:
                opened[-1].sendall(b"GET /favicon.png HTTP/1.1\r\nHost: a\r\n\r\n")
                assert opened[-1].recv(15) == b"HTTP/1.1 200 OK"
        wait_until(lambda server=server: is_healthy(server.url), 30)  # type: ignore[misc]


@pytest.mark.parametrize(
    "forge",
    [
        lambda number: [("X-Forwarded-For", f"203.0.113.{number}")],
        lambda number: [("X-Forwarded-For", f"203.0.113.{number}, 127.0.0.1")],
        lambda number: [("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-For", f"2001:db8:{number:x}::1")],
        lambda number: [("Forwarded", f"for=203.0.113.{number}")],
        lambda number: [("X-Real-IP", f"203.0.113.{number}"), ("X-Client-IP", f"203.0.113.{number}")],
        lambda number: [("True-Client-IP", f"203.0.113.{number}"), ("CF-Connecting-IP", f"203.0.113.{number}")],
    ],
)
def test_nobody_evades_a_limit_by_naming_another_address(
    bare: Server, forge: Callable[[int], list[tuple[str, str]]]
) -> None:
    # All of loopback may ask ten times a minute, together.
    assert [ask(bare, "/api/v1/openapi.json", forge(next(NUMBERS))) for _ in range(12)][-1] == 429


def test_one_home_is_one_however_a_proxy_writes_its_addresses(behind: Server) -> None:
    statuses = [
        ask(behind, "/api/v1/openapi.json", [("X-Forwarded-For", text.format(number))])
        for number, text in enumerate(SPELLINGS, 1)
    ]
    assert statuses == [200] + [429] * (len(SPELLINGS) - 1)
    assert ask(behind, "/api/v1/openapi.json", [("X-Forwarded-For", "2001:db8:1:3::1")]) == 200, "another home"


def test_an_address_is_one_in_both_families_and_on_every_port(behind: Server) -> None:
    spellings = ("198.51.100.7", "::ffff:198.51.100.7", "::FFFF:c633:6407", "198.51.100.7:4711", " 198.51.100.7 ")
    statuses = [ask(behind, "/api/v1/openapi.json", [("X-Forwarded-For", text)]) for text in spellings]
    assert statuses == [200] + [429] * (len(spellings) - 1)


def test_the_last_address_that_the_proxy_names_counts_in_whichever_header(behind: Server) -> None:
    statuses = [
        ask(
            behind,
            "/api/v1/openapi.json",
            [("X-Forwarded-For", f"203.0.113.{number}"), ("X-Forwarded-For", "198.51.100.9")],
        )
        for number in range(1, 4)
    ]
    assert statuses == [200, 429, 429]


def test_it_listens_to_this_machine_alone_unless_told_otherwise(tmp_path: Path) -> None:
    def list_addresses(**environment: str) -> set[str]:
        """Start it as `make run` does, and return the addresses that it listens at."""
        port = find_free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py"],
            cwd=ROOT,
            env=make_environment(tmp_path, "sample") | {"STREAMLIT_SERVER_PORT": str(port)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: is_healthy(f"http://localhost:{port}"), START_SECONDS)
            listening = psutil.Process(process.pid).net_connections("inet")
            return {one.laddr.ip for one in listening if one.status == psutil.CONN_LISTEN}
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)

    assert "STREAMLIT_SERVER_ADDRESS" not in os.environ
    assert list_addresses() == {"127.0.0.1"}
    assert list_addresses(STREAMLIT_SERVER_ADDRESS="0.0.0.0") == {"0.0.0.0"}  # noqa: S104
