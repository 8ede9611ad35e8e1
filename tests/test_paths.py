"""Of Streamlit's routes those are answered that a browser asks for; a version of Streamlit with others fails here."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from loaded_server import read_log
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from bench.server import Server, run_server
from paths import COOKIE_WRITER, STREAM, is_used
from settings import ROOT, Settings

USED = {"/_stcore/health", "/_stcore/host-config", STREAM, "/media/{file_id:path}", ""}
UNUSED = {
    "/_stcore/metrics",
    "/_stcore/script-health-check",
    "/_stcore/upload_file/{session_id}/{file_id}",
    "/_stcore/bidi-components/{path:path}",
    "/_stcore/agent/interact",
    "/_stcore/agent/openapi.json",
    "/_stcore/agent/mcp",
    "/app/static/{path:path}",
    "/auth/login",
    "/auth/logout",
    "/oauth2callback",
}
PARTLY = {"/component/{path:path}"}  # one component of many
UNUSED_PATHS = [
    "/_stcore/metrics",
    "/_stcore/metrics/",
    "/_stcore/script-health-check",
    "/_stcore/upload_file/session/file",
    "/_stcore/%75pload_file/session/file",
    "/a-page/_stcore/upload_file/session/file",
    "/_stcore/bidi-components/near_me/main.js",
    "/_stcore/agent/interact",
    "/_stcore/agent/openapi.json",
    "/_stcore/agent/mcp",
    "/_stcore/stream",  # without an upgrade
    "/_stcore/health/",
    "/_stcore",
    "/_stcore/",
    "/app/static/map/dark.json",
    "/auth/login",
    "/auth/logout",
    "/oauth2callback",
    "/component/extra_streamlit_components.TabBar.tab_bar/index.html",
    "/component/extra_streamlit_components.CookieManager.cookie_manager",
    "/index.html",
    "/manifest.json",
    "/robots.txt",
    "/.env",
    "/.git/config",
    "/app.py",
    "/db.sqlite3",
    "/ui/main.py",
    "/a-page/another",
]
USED_PATHS = [
    ("/", 200),
    ("/station?id=1", 200),
    ("/a-page", 200),  # its name is not one of ours, which Streamlit tells the visitor
    ("/about/", 301),
    ("/_stcore/health", 200),
    ("/_stcore/host-config", 200),
    ("/favicon.png", 200),
    ("/assets/favicon.png", 200),
    ("/map-style/light.json", 200),
    ("/component/extra_streamlit_components.CookieManager.cookie_manager/index.html", 200),  # before any page
    ("/media/none.png", 404),
    ("/healthz", 200),
    ("/metrics", 200),
    ("/api/v1/openapi.json", 200),
    ("/backup/guessed", 404),
]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
LIST_ROUTES = """
import json
import streamlit
from streamlit import config
from streamlit.web.server.starlette.starlette_app import create_streamlit_routes

config.set_option("server.enableStaticServing", True)
config.set_option("server.scriptHealthCheckEnabled", True)
runtime = streamlit.App("ui/main.py")._create_runtime()
print(json.dumps([route.path for route in create_streamlit_routes(runtime)]))
"""


class Heard(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_server(Settings(state_dir=tmp_path_factory.mktemp("paths"))) as server:
        yield server


def ask(server: Server, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Heard:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    try:
        connection.request(method, path, body=body or None, headers=headers)
        answer = connection.getresponse()
        return Heard(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def test_a_route_leaves_nothing_in_the_log_that_a_stranger_could_fill_it_with(server: Server) -> None:
    for path in ("/stations.json", "/api/v1/status", "/backup/guessed"):
        ask(server, path)
    assert "ScriptRunContext" not in (server.settings.state_dir / "app.log").read_text(encoding="utf-8")


def test_a_body_that_is_left_out_is_not_waited_for(server: Server) -> None:
    assert ask(server, "/session-cookie", "POST", b"x" * 5000).status == 413


def test_every_route_of_streamlit_is_known_here() -> None:
    done = subprocess.run([sys.executable, "-c", LIST_ROUTES], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) == USED | UNUSED | PARTLY


@pytest.mark.parametrize("route", sorted(UNUSED))
def test_no_unused_route_is_let_through(route: str) -> None:
    assert not is_used(route.replace("{session_id}", "a").replace("{file_id}", "b").replace("{path:path}", "c/d"))


@pytest.mark.slow
@pytest.mark.parametrize("path", UNUSED_PATHS)
def test_what_no_page_needs_is_not_found_whatever_the_method(server: Server, path: str) -> None:
    for method in METHODS:
        answer = ask(server, path, method)
        assert answer.status == 404, method
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert ask(server, path).body == b"Not Found"


@pytest.mark.slow
@pytest.mark.parametrize(("path", "status"), USED_PATHS)
def test_what_pages_and_programs_need_is_answered(server: Server, path: str, status: int) -> None:
    assert ask(server, path).status == status


@pytest.mark.slow
def test_a_visitor_with_a_session_can_upload_nothing(server: Server) -> None:
    token = ask(server, "/_stcore/health").headers["set-cookie"].partition("=")[2].partition(";")[0]
    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nf\r\n--x--\r\n'
    headers = {
        "Cookie": f"_streamlit_xsrf={token}",
        "X-Xsrftoken": token,
        "Content-Type": "multipart/form-data; boundary=x",
    }
    assert ask(server, "/_stcore/upload_file/session/file", "PUT", body, **headers).status == 404


@pytest.mark.slow
def test_a_websocket_is_opened_for_tabs_alone(server: Server) -> None:
    address = server.url.replace("http", "ws")
    with connect(f"{address}{STREAM}", subprotocols=["streamlit"]):  # type: ignore[list-item]  # a NewType of str
        pass
    for path in ("/", "/other", "/_stcore/other", "/api/v1/status", "/a-page/_stcore/stream"):
        with pytest.raises(InvalidStatus) as refusal, connect(f"{address}{path}"):
            pass
        assert refusal.value.response.status_code == 404, path
    assert "ASGI callable returned" not in read_log(server)


def test_the_component_that_writes_the_cookie_is_served() -> None:
    assert is_used(f"{COOKIE_WRITER}index.html")
    assert not is_used("/component/extra_streamlit_components.CookieManager.other/index.html")
