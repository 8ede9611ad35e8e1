"""Two application servers behind nginx on one PostgreSQL, as deploy/nginx.conf sets them up; one of them dies."""

from __future__ import annotations

import gzip
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from nginx_server import NAME, Nginx, find_nginx, make_command, run_nginx, write_configuration
from own_loop import run_in_own_loop
from playwright.sync_api import Browser, WebSocket
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from accounts.limits import hash_subject
from bench.postgres_cluster import HASTY, USER, Cluster, find_programs, run_cluster
from bench.visitor import SUBPROTOCOLS, Visitor
from browser.app_process import (
    LOAD_SECONDS,
    START_SECONDS,
    STOP_SECONDS,
    find_free_port,
    find_scheduler,
    is_healthy,
    make_environment,
    wait_until,
)
from browser.conftest import IS_REQUIRED
from browser.mail_server import PASSWORD, expect_cookie, expect_title, fill_in, press, say
from browser.visit import Look, open_visit
from settings import ROOT

pytestmark = pytest.mark.timeout(300)  # two servers, a database and a browser start on a machine that does other things

KEY = "a key that both of the servers have, for the test"
DATABASE = "several"
FORGED = "203.0.113.66"
PHONE = "127.0.0.77"  # a visitor's address that is not the proxy's


@dataclass
class AppServer:
    """One of the servers: a state dir and a port of its own."""

    port: int
    state_dir: Path
    database_url: str
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.state_dir.mkdir(exist_ok=True)
        log_path = self.state_dir / "app.log"
        with log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "streamlit", "run", "app.py"),
                    *("--server.port", str(self.port), "--server.address", "127.0.0.1"),
                ],
                cwd=ROOT,
                env=make_environment(self.state_dir, "sample")
                | {
                    "CARBUROAM_DATABASE_URL": self.database_url,
                    "CARBUROAM_SECRET_KEY": KEY,
                    "CARBUROAM_TRUSTED_PROXIES": "127.0.0.1",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(lambda: is_healthy(f"http://{self.address}"), START_SECONDS, log_path.read_text)

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it, and wait until its background process has ended with it."""
        if self.process is None:
            return
        scheduler = find_scheduler(self.state_dir)
        self.process.send_signal(number)
        self.process.wait(STOP_SECONDS)
        self.process = None
        if scheduler is not None:
            assert psutil.wait_procs([scheduler], STOP_SECONDS)[1] == []


@dataclass
class Site:
    """All of it."""

    nginx: Nginx
    servers: list[AppServer]
    cluster: Cluster

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(f"host=127.0.0.1 port={self.cluster.port} user={USER} dbname={DATABASE}") as connection:
            return connection.execute(sql.encode()).fetchall()

    def request(self, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        """Ask nginx over TLS, its certificate verified; return the answer and its body as it came."""
        connection = http.client.HTTPSConnection(NAME, self.nginx.port, timeout=20, context=self.nginx.make_context())
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    def find_server(self, path: str, cookie: str = "") -> str:
        """Ask for a path, and return the address of the server that nginx had it from."""
        before = len(self.nginx.read_log())
        assert self.request(path, **({"Cookie": cookie} if cookie else {}))[0].status == 200
        wait_until(lambda: len(self.nginx.read_log()) > before, 20)
        return self.nginx.read_log()[-1].server


def require(is_there: object, what: str) -> None:
    if not is_there:
        reason = f"{what} is not installed"
        pytest.fail(reason) if IS_REQUIRED else pytest.skip(reason)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    require(find_nginx(), "nginx")
    require(find_programs(), "PostgreSQL")
    with ExitStack() as stack:
        cluster = stack.enter_context(run_cluster(**HASTY))
        folder = tmp_path_factory.mktemp("site")
        url = f"{cluster.url}/{DATABASE}"
        servers = [AppServer(find_free_port(), folder / f"server{number}", url) for number in (1, 2)]
        for server in servers:
            stack.callback(server.end)
            server.start()
        addresses = [server.address for server in servers]
        nginx = stack.enter_context(run_nginx(folder, find_free_port(), find_free_port(), addresses))
        site = Site(nginx, servers, cluster)
        wait_until(lambda: is_open(nginx.port), 20, lambda: (folder / "error.log").read_text())
        wait_until(lambda: site.query("SELECT 1 FROM stations LIMIT 1"), LOAD_SECONDS)
        yield site


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


def is_end_of_run(frame: str | bytes) -> bool:
    return isinstance(frame, bytes) and ForwardMsg.FromString(frame).WhichOneof("type") == "script_finished"


def make_cookie(first_second: int) -> str:
    """Return the cookie that Streamlit gave a browser whose first visit was then."""
    return f"_streamlit_xsrf=2|{os.urandom(4).hex()}|{os.urandom(16).hex()}|{first_second}"


def test_nginx_takes_the_configuration_without_a_word(tmp_path: Path) -> None:
    require(find_nginx(), "nginx")
    write_configuration(tmp_path, 8443, 8080, ["127.0.0.1:8501", "127.0.0.1:8502"])
    done = subprocess.run(make_command(tmp_path, "-t", "-q"), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_everything_goes_over_tls(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.nginx.plain_port, timeout=20)
    connection.request("GET", "/station?id=1", headers={"Host": NAME})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (301, f"https://{NAME}/station?id=1")
    answer.read()
    connection.request("GET", "/", headers={"Host": "elsewhere.example"})
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()
    answer, _ = site.request("/")
    assert answer.status == 200
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Server"] == "nginx"
    old = site.nginx.make_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        http.client.HTTPSConnection(NAME, site.nginx.port, timeout=20, context=old).connect()
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        elsewhere = site.nginx.make_context()
        elsewhere.check_hostname = False
        with ssl.create_connection(("127.0.0.1", site.nginx.port)) as plain:
            elsewhere.wrap_socket(plain, server_hostname="elsewhere.example")


def test_scripts_are_compressed_and_kept(site: Site) -> None:
    _, page = site.request("/")
    match = re.search(r'src="\.?(/static/js/[^"]+\.js)"', page.decode())
    assert match is not None
    plain, script = site.request(match[1])
    packed, compressed = site.request(match[1], **{"Accept-Encoding": "gzip"})
    assert plain.headers["Content-Encoding"] is None
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(compressed) == script
    assert len(compressed) < 0.5 * len(script)
    assert "immutable" in packed.headers["Cache-Control"]
    assert packed.headers["Strict-Transport-Security"], "not lost where a file is kept"
    assert site.find_server(match[1]) == "-", "the second time it comes from nginx"
    assert site.find_server("/assets/logo.svg") in [server.address for server in site.servers]
    assert site.find_server("/assets/logo.svg") == "-"


def test_what_is_for_those_who_run_it_is_not_for_everyone(site: Site) -> None:
    assert [site.request(path)[0].status for path in ("/metrics", "/readyz", "/_stcore/metrics")] == [404] * 3
    assert site.request("/_stcore/health")[0].status == 200
    connection = http.client.HTTPSConnection(NAME, site.nginx.port, timeout=20, context=site.nginx.make_context())
    connection.request("POST", "/", body=b"x" * 100_000)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_browser_keeps_its_server_and_neighbours_are_spread(site: Site) -> None:
    addresses = {server.address for server in site.servers}
    first_seconds = range(1_800_000_000, 1_800_000_016)
    found = [site.find_server("/_stcore/health", make_cookie(second)) for second in first_seconds]
    assert set(found) == addresses, "all behind one address meet one server"
    # The cookie is masked anew with each answer.
    assert [site.find_server("/_stcore/health", make_cookie(second)) for second in first_seconds] == found
    assert len({site.find_server("/_stcore/health") for _ in range(4)}) == 1
    answer, _ = site.request("/_stcore/health")
    assert re.search(r"_streamlit_xsrf=2\|\w+\|\w+\|\d+;.*Secure", answer.headers["Set-Cookie"])


def test_the_server_knows_a_visitor_by_the_address_that_nginx_saw(site: Site) -> None:
    async def register() -> None:
        async with connect(
            f"wss://{NAME}:{site.nginx.port}/_stcore/stream",
            origin=site.nginx.url,  # type: ignore[arg-type]  # a NewType of str
            subprotocols=SUBPROTOCOLS,  # type: ignore[arg-type]  # likewise
            additional_headers={"X-Forwarded-For": FORGED, "Forwarded": f"for={FORGED}"},
            ssl=site.nginx.make_context(),
            local_addr=(PHONE, 0),
            host="127.0.0.1",
            max_size=None,
            compression=None,
        ) as socket:
            visitor = Visitor(socket, site.nginx.url)
            await visitor.open_page("login", {"lang": "EN"})
            await visitor.submit("login", {"login_name": "nobody", "login_password": PASSWORD})

    run_in_own_loop(register())
    subjects = {row[0] for row in site.query("SELECT subject_hash FROM attempts")}
    assert hash_subject(KEY.encode(), "login_address", PHONE) in subjects
    assert hash_subject(KEY.encode(), "login_address", FORGED) not in subjects


@pytest.mark.parametrize("origin", ["https://elsewhere.example", f"http://{NAME}", f"https://{NAME}"])
def test_a_page_of_another_site_opens_no_websocket(site: Site, origin: str) -> None:
    async def visit() -> None:
        async with connect(
            f"wss://{NAME}:{site.nginx.port}/_stcore/stream",
            origin=origin,  # type: ignore[arg-type]  # a NewType of str
            subprotocols=SUBPROTOCOLS,  # type: ignore[arg-type]  # likewise
            ssl=site.nginx.make_context(),
            host="127.0.0.1",
        ):
            pass

    with pytest.raises(InvalidStatus) as refusal:
        run_in_own_loop(visit())
    assert refusal.value.response.status_code == 403


def test_a_driver_goes_on_when_the_server_dies(browser: Browser, site: Site) -> None:
    seen = open_visit(browser, site.nginx.url, Look(language="en"), ignore_https_errors=True)
    page = seen.page
    sockets: list[WebSocket] = []
    runs: Counter[WebSocket] = Counter()  # how often a page was drawn over each

    def watch(socket: WebSocket) -> None:
        sockets.append(socket)
        socket.on("framereceived", lambda frame: runs.update([socket] if is_end_of_run(frame) else []))

    page.on("websocket", watch)
    seen.open("/register")
    expect_title(page, "Open an account", "en")
    fill_in(page, "en", username="ada", email="ada@mailbox.org", name="Ada", password=PASSWORD)
    press(page, "Open an account")
    expect_title(page, "My stations", "en")
    assert expect_cookie(page)["secure"]
    assert all(cookie["secure"] for cookie in page.context.cookies()), page.context.cookies()
    seen.show("/profile")  # which does not watch for new prices: no timer but that of every page
    expect_title(page, "Your profile", "en")
    assert [socket.url for socket in sockets] == [f"wss://{NAME}:{site.nginx.port}/_stcore/stream"]

    cookie = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "_streamlit_xsrf")
    address = site.find_server("/_stcore/health", f"_streamlit_xsrf={cookie}")
    mine = next(server for server in site.servers if server.address == address)
    mine.end(signal.SIGKILL)
    try:
        wait_until(lambda: page.evaluate("true") and sockets[0].is_closed(), 20, lambda: "the tab was on the other one")
        wait_until(lambda: page.evaluate("true") and runs[sockets[-1]] and len(sockets) > 1, 30)
        expect_title(page, "Your profile", "en")
        fill_in(page, "en", name="Ada Lovelace")
        press(page, "Save")
        say(page, "Saved.", "en")
        assert site.query("SELECT name FROM users") == [("Ada Lovelace",)]
        seen.open("/profile")  # the whole page anew, by its cookie
        expect_title(page, "Your profile", "en")
        assert site.query("SELECT count(*) FROM login_sessions") == [(1,)], "nobody had to log in again"
        seen.wait_for_answers()
        seen.keep_screenshot("server-died")
        assert seen.problems == []
    finally:
        seen.context.close()
        mine.start()
