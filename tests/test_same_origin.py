"""Which pages may open a websocket of the real application, change something, and read what it answers."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from loaded_server import read_log, run_loaded_server
from socket_client import make_address, open_tab
from starlette.types import Scope
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from bench.server import Server
from same_origin import find_own_site, read_origin
from settings import Settings

BASE_URL = "https://carburoam.example/prices"

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_loaded_server(tmp_path_factory.mktemp("origin"), base_url=BASE_URL, requests_per_minute=0) as server:
        yield server


def list_origins(url: str) -> dict[str, str]:
    port = urlsplit(url).port or 0
    return {
        "another port": f"http://127.0.0.1:{port + 1}",
        "another name of this machine": f"http://localhost:{port}",
        "no port": "http://127.0.0.1",
        "another scheme": f"https://127.0.0.1:{port}",
        "another site": "https://evil.example",
        "a name that begins so": f"{url}.evil.example",
        "a user": f"http://127.0.0.1:{port}@evil.example",
        "a path": f"{url}/",
        "null": "null",
        "empty": "",
        "two in one": f"{url}, {url}",
        "the base by another scheme": "http://carburoam.example",
        "the base by another port": "https://carburoam.example:8443",
        "a file": "file://",
    }


@pytest.mark.parametrize("case", list_origins("http://127.0.0.1:1"))
def test_a_page_of_another_site_opens_no_socket(server: Server, case: str) -> None:
    before = len(read_log(server))
    origin = list_origins(server.url)[case]
    with pytest.raises(InvalidStatus) as refusal:
        connect(
            f"ws{server.url.removeprefix('http')}/_stcore/stream",
            additional_headers={"Origin": origin, "X-Forwarded-For": make_address()},
        )
    assert refusal.value.response.status_code == 403
    (line,) = read_log(server)[before:].splitlines()
    assert "carburoam.socket socket status=refused reason=foreign_origin" in line


def post(server: Server, origin: str | None, *, method: str = "POST", **headers: str) -> int:
    """Ask for the end of a log-in's cookie, as a page of this origin; return the status."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()} | {
        "Content-Type": "application/json",
        "X-Forwarded-For": make_address(),
    }
    if origin is not None:
        headers["Origin"] = origin
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)) as connection:
        connection.request(method, "/session-cookie", '{"token": ""}', headers)
        answer = connection.getresponse()
        if answer.status != 204:
            assert answer.getheader("Set-Cookie") is None
        return answer.status


@pytest.mark.parametrize("case", list_origins("http://127.0.0.1:1"))
def test_a_page_of_another_site_posts_nothing(server: Server, case: str) -> None:
    before = len(read_log(server))
    assert post(server, list_origins(server.url)[case]) == 403
    (line,) = read_log(server)[before:].splitlines()
    assert "carburoam.socket request status=refused reason=foreign_origin" in line


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "INVENTED"])
def test_nor_by_another_method_that_may_change_something(server: Server, method: str) -> None:
    assert post(server, "https://evil.example", method=method) == 403


def test_a_page_of_this_site_and_a_program_post(server: Server) -> None:
    assert post(server, server.url) == 204
    assert post(server, "https://carburoam.example") == 204
    assert post(server, server.url.replace("http:", "https:"), X_Forwarded_Proto="https") == 204
    assert post(server, None) == 204


def test_two_origins_are_none(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        connect(
            f"ws{server.url.removeprefix('http')}/_stcore/stream",
            additional_headers=[("Origin", server.url), ("Origin", "https://evil.example")],
        )
    assert refusal.value.response.status_code in (400, 403)  # the server itself takes no two


@pytest.mark.parametrize(
    ("origin", "headers"),
    [
        ("{url}", {}),
        ("HTTP://127.0.0.1:{port}", {}),
        ("https://carburoam.example", {}),
        ("https://carburoam.example:443", {}),
        ("https://127.0.0.1:{port}", {"X-Forwarded-Proto": "https"}),
    ],
)
def test_a_page_of_this_site_opens_a_socket(server: Server, origin: str, headers: dict[str, str]) -> None:
    origin = origin.format(url=server.url, port=urlsplit(server.url).port)
    with open_tab(server.url, origin=origin, headers=headers) as tab:
        assert tab.run(tab.make_rerun())


@pytest.mark.parametrize("host", ["a/b", "me@a.org", "a b", "a.org:99999", ""])
def test_a_host_that_is_none_opens_no_socket_whatever_the_origin(server: Server, host: str) -> None:
    """Streamlit would not find it in the origin, and ask the Internet."""
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)) as connection:
        connection.putrequest("GET", "/_stcore/stream", skip_host=True)
        for name, value in (UPGRADE | {"Host": host, "Origin": "https://carburoam.example"}).items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status in (400, 403)
    assert "disallowed Origin" not in read_log(server)


def test_a_program_without_an_origin_opens_a_socket(server: Server) -> None:
    with connect(f"ws{server.url.removeprefix('http')}/_stcore/stream", max_size=None) as connection:
        connection.send(BackMsg(app_heartbeat=True).SerializeToString())
        answer = ForwardMsg.FromString(connection.recv(60, decode=False))
        assert answer.WhichOneof("type") == "heartbeat_ack"


@pytest.mark.parametrize("path", ["/_stcore/health", "/_stcore/host-config", "/healthz", "/"])
@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:3000", "null"])
def test_no_answer_lets_a_foreign_page_read_it(server: Server, path: str, origin: str) -> None:
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)) as connection:
        connection.request("GET", path, headers={"Origin": origin, "X-Forwarded-For": make_address()})
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.getheader("Access-Control-Allow-Origin") is None


def test_the_default_of_the_base_url_lets_nobody_in() -> None:
    assert Settings().public_url == ""
    assert Settings(base_url=BASE_URL).public_url == BASE_URL


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ("https://a.org", ("https", "a.org", 443)),
        ("HTTPS://A.ORG:443", ("https", "a.org", 443)),
        ("http://a.org.", ("http", "a.org.", 80)),
        ("http://[::1]:8501", ("http", "[::1]", 8501)),
        *((text, None) for text in ("", "null", "a.org", "ftp://a.org", "http://", "http://a.org/", "http://a:b@c")),
        *(
            (text, None)
            for text in ("http://a.org:0", "http://a.org:99999", "http://a.org:x", "http://a b", "http://é")
        ),
    ],
)
def test_an_origin_is_a_scheme_a_host_and_a_port(origin: str, site: object) -> None:
    assert read_origin(origin) == site


@pytest.mark.parametrize(
    ("hosts", "scheme", "site"),
    [
        (["a.org"], "ws", ("http", "a.org", 80)),
        (["A.org:8501"], "ws", ("http", "a.org", 8501)),
        (["a.org"], "wss", ("https", "a.org", 443)),
        (["a.org"], "gopher", None),
        (["a.org", "b.org"], "ws", None),
        ([], "ws", None),
        (["a.org/x"], "ws", None),
    ],
)
def test_a_request_is_sent_to_its_host_by_its_scheme(hosts: list[str], scheme: str, site: object) -> None:
    scope: Scope = {"type": "websocket", "scheme": scheme, "headers": [(b"host", host.encode()) for host in hosts]}
    assert find_own_site(scope) == site
