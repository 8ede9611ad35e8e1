"""The security headers on every kind of answer of the running application, and the files that it serves or doesn't."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest
from browser.app_process import (
    START_SECONDS,
    STOP_SECONDS,
    find_free_port,
    is_healthy,
    make_environment,
    wait_until,
)
from starlette.types import Message, Receive, Scope, Send
from websockets.sync.client import connect

from headers import SecurityHeaders, make_content_policy, takes_gzip
from settings import ROOT

TILES = "https://tiles.example.org:8443/{z}/{x}/{y}.png?key=a"
EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "geolocation=(self), camera=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
}


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> list[str]:
        return [value for one, value in self.headers if one.lower() == name]


class Apps(NamedTuple):
    """The ports of two applications: as it comes, and with map tiles."""

    plain: int
    tiled: int


@contextmanager
def run_app(state_dir: Path, **settings: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = find_free_port()
    with (state_dir / "app.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}", "--server.address=127.0.0.1"],
            cwd=ROOT,
            env=make_environment(state_dir, "sample") | settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield port, process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """Two running applications, started side by side."""
    folders = [tmp_path_factory.mktemp(name) for name in ("plain", "tiled")]
    with ExitStack() as stack:
        running = [
            stack.enter_context(run_app(folders[0])),
            stack.enter_context(run_app(folders[1], CARBUROAM_MAP_TILES=TILES)),
        ]
        for folder, (port, process) in zip(folders, running, strict=True):

            def is_up(port: int = port, process: subprocess.Popen[bytes] = process) -> bool:
                return process.poll() is not None or is_healthy(f"http://127.0.0.1:{port}")

            wait_until(is_up, START_SECONDS)
            assert process.poll() is None, (folder / "app.log").read_text()
        yield Apps(running[0][0], running[1][0])


def ask(port: int, path: str, method: str = "GET", **headers: str) -> Answer:
    """Ask for a path as it stands: no client tidies up what is in it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


def read_policy(answer: Answer) -> dict[str, list[str]]:
    (policy,) = answer.get("content-security-policy")
    rules = [rule.split() for rule in policy.split(";")]
    assert len({rule[0] for rule in rules}) == len(rules)
    return {rule[0]: rule[1:] for rule in rules}


class InlineScripts(HTMLParser):
    """Collects the scripts that stand inside a page."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script" and "src" not in dict(attrs):
            self._is_inside = True
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._is_inside = False

    def handle_data(self, data: str) -> None:
        if self._is_inside:
            self.scripts[-1] += data


def list_hashes(page: str) -> list[str]:
    parser = InlineScripts()
    parser.feed(page)
    digests = (hashlib.sha256(script.encode()).digest() for script in parser.scripts)
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/", 200, "text/html"),
        ("/station?id=1", 200, "text/html"),
        ("/about", 200, "text/html"),
        ("/_stcore/health", 200, "text/"),
        ("/assets/map/france.json", 200, "application/json"),
        ("/assets/logo.svg", 200, "image/svg+xml"),
        ("/map-style/light.json", 200, "application/json"),
        ("/map-style/dark.json", 200, "application/json"),
        ("/map-style/evil.json", 404, ""),
        ("/map-style/..%2f..%2fdark.json", 400, ""),
        ("/assets/nothing.json", 404, ""),
        ("/assets/", 404, ""),
        ("/_stcore/nothing", 404, ""),
        ("/api/v1/stations", 400, "application/problem+json"),
        ("/api/v1/stations/..%2f1", 400, "application/problem+json"),
        ("/api/v1/nothing", 404, "application/problem+json"),
        ("/api", 404, "application/problem+json"),
        ("/api?near=1", 404, "application/problem+json"),
        ("/api/v1/status", 200, "application/json"),
        ("/api/v1/openapi.json", 200, "application/json"),
        ("/healthz", 200, "application/json"),
        ("/metrics", 200, "text/plain"),
    ],
)
def test_every_kind_of_answer_has_every_header_once(apps: Apps, path: str, status: int | None, kind: str) -> None:
    answer = ask(apps.plain, path)
    assert status in (answer.status, None)
    assert "".join(answer.get("content-type")).startswith(kind)
    assert {name: answer.get(name) for name in EVERYWHERE} == {name: [value] for name, value in EVERYWHERE.items()}
    assert len(answer.get("content-security-policy")) == 1


def test_what_an_answer_varies_with_is_named_once() -> None:
    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        named = [(b"Vary", b"Accept-Encoding, Origin, Accept-Encoding"), (b"vary", b"Origin"), (b"etag", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": named})

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    anyio.run(SecurityHeaders(answer, []), {"type": "http"}, receive, send)
    (started,) = sent
    assert [value for name, value in started["headers"] if name.lower() == b"vary"] == [b"Accept-Encoding, Origin"]
    assert (b"etag", b"1") in started["headers"]


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE", "OPTIONS"])
def test_other_methods_have_them_too(apps: Apps, method: str) -> None:
    for path in ("/", "/map-style/light.json", "/assets/map/france.json", "/api/v1/fuels", "/readyz", "/metrics"):
        answer = ask(apps.plain, path, method)
        assert answer.get("x-content-type-options") == ["nosniff"]
        assert len(answer.get("content-security-policy")) == 1


def test_the_policy_lets_only_this_site_s_own_parts_run(apps: Apps) -> None:
    page = ask(apps.plain, "/")
    folder = Path(next(iter(find_spec("extra_streamlit_components").submodule_search_locations)))  # type: ignore[union-attr, arg-type]
    cookie_page = folder / "CookieManager" / "frontend" / "build" / "index.html"
    hashes = [*list_hashes(page.body.decode()), *list_hashes(cookie_page.read_text(encoding="utf-8"))]
    assert len(hashes) == 2
    assert read_policy(page) == {
        "default-src": ["'self'"],
        "script-src": ["'self'", "'wasm-unsafe-eval'", "blob:", *hashes],
        "worker-src": ["'self'", "blob:"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "frame-ancestors": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
    }


def test_map_tiles_open_the_policy_for_their_host_and_nothing_else(apps: Apps) -> None:
    plain, tiled = read_policy(ask(apps.plain, "/")), read_policy(ask(apps.tiled, "/"))
    assert tiled.pop("img-src") == [*plain.pop("img-src"), "https://tiles.example.org:8443"]
    assert tiled.pop("connect-src") == [*plain.pop("connect-src"), "https://tiles.example.org:8443"]
    assert tiled == plain


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_map_s_style_asks_no_one_else_unless_tiles_are_set(apps: Apps, theme: str) -> None:
    answer = ask(apps.plain, f"/map-style/{theme}.json")
    assert answer.get("cache-control") == ["public, max-age=3600"]
    style = json.loads(answer.body)
    thanks = [source.get("attribution", "") for source in style["sources"].values()]
    assert "http" not in json.dumps(
        style | {"sources": [source | {"attribution": ""} for source in style["sources"].values()]}
    )
    assert any(thanks)
    tiled = json.loads(ask(apps.tiled, f"/map-style/{theme}.json").body)
    source = tiled["sources"].pop("tiles")
    assert source == {"type": "raster", "tiles": [TILES], "tileSize": 256}
    assert tiled["layers"].pop()["source"] == "tiles"
    assert tiled == style


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../app.py",
        "/assets/%2e%2e/app.py",
        "/assets/..%2fapp.py",
        "/assets/map/../../settings.py",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/..\\app.py",
        "/assets/../../../../../../etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_folder_of_files(apps: Apps, path: str) -> None:
    answer = ask(apps.plain, path)
    assert answer.status in (400, 404)
    assert len(answer.body) < 100
    assert len(answer.get("content-security-policy")) == 1


@pytest.mark.parametrize(
    "path", ["/app.py", "/db.sqlite3", "/pid.txt", "/.env", "/ui/main.py", "/static/map/dark.json"]
)
def test_nothing_of_the_program_and_its_state_is_served(apps: Apps, path: str) -> None:
    answer = ask(apps.plain, path)
    # Streamlit answers an address that it doesn't know with its page, which holds nothing.
    assert answer.status == 404 or answer.body == ask(apps.plain, "/").body


def test_only_scripts_inside_the_page_have_hashes() -> None:
    page = (
        '<script src="/a.js"></script><script>one()</script><script type="module" src="./b.js"></script>'
        '<script type="module">\n two("é") \n</script>'
    )
    policy = make_content_policy([page])
    (scripts,) = [rule for rule in policy.split("; ") if rule.startswith("script-src ")]
    assert scripts.split()[4:] == list_hashes(page)
    assert len(list_hashes(page)) == 2


def test_the_points_of_the_map_are_served_once_to_who_has_them(apps: Apps) -> None:
    path = "/stations.json?fuel=5"
    wait_until(lambda: len(ask(apps.plain, path).body) > 2, START_SECONDS)  # until the first load has ended
    first = ask(apps.plain, path, **{"Accept-Encoding": "gzip"})
    assert (first.status, first.get("content-encoding"), first.get("content-type")) == (
        200,
        ["gzip"],
        ["application/json"],
    )
    assert {name: first.get(name) for name in EVERYWHERE} == {name: [value] for name, value in EVERYWHERE.items()}
    points = json.loads(gzip.decompress(first.body))
    assert points == json.loads(ask(apps.plain, path).body)
    assert {"id", "position", "color", "label"} == set(points[0])
    again = ask(apps.plain, path, **{"If-None-Match": first.get("etag")[0]})
    assert (again.status, again.body) == (304, b"")


def test_a_search_of_points_that_can_t_be_read_is_refused_in_a_sentence(apps: Apps) -> None:
    answer = ask(apps.plain, "/stations.json?fuel=E10")
    assert (answer.status, json.loads(answer.body)) == (400, {"error": "fuel must be a whole number from 1 to 6"})


def test_programs_get_prices_from_the_running_application(apps: Apps) -> None:
    wait_until(lambda: ask(apps.plain, "/readyz").status == 200, START_SECONDS)  # until the first load has ended
    point = json.loads(ask(apps.plain, "/stations.json?fuel=5").body)[0]
    longitude, latitude = point["position"]
    path = f"/api/v1/stations?near={latitude:.5f},{longitude:.5f}&fuel=E10"
    first = ask(apps.plain, path, **{"Accept-Encoding": "gzip"})
    assert (first.status, first.get("content-encoding")) == (200, ["gzip"])
    assert first.get("vary") == ["Accept-Encoding, Origin"]
    body = json.loads(gzip.decompress(first.body))
    assert point["id"] in [station["id"] for station in body["stations"]]
    assert body["feed"]["is_sample"] is True
    again = ask(apps.plain, path, **{"If-None-Match": first.get("etag")[0]})
    assert (again.status, again.body) == (304, b"")
    assert ask(apps.plain, path, "HEAD").body == b""
    assert ask(apps.plain, path, "POST").get("content-type") == ["application/problem+json"]


def test_the_figures_of_the_server_are_for_this_machine(apps: Apps) -> None:
    figures = ask(apps.plain, "/metrics").body.decode()
    assert "carburoam_sessions 0.0" in figures
    with connect(f"ws://127.0.0.1:{apps.plain}/_stcore/stream", subprotocols=["streamlit"]):
        assert "carburoam_sessions 1.0" in ask(apps.plain, "/metrics").body.decode()
    assert ask(apps.plain, "/metrics", Host="evil.example").status == 403
    refused = ask(apps.plain, "/metrics", **{"X-Forwarded-For": "127.0.0.1"})
    assert (refused.status, refused.get("content-type")) == (403, ["application/problem+json"])


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True),
        ("GZIP, br", True),
        ("deflate, gzip;q=0.5", True),
        ("br, gzip ; q = 1.000", True),
        ("*", True),
        ("x-gzip", True),
        ("*;q=0.1", True),
        ("", False),
        ("br", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=much", False),
        ("gzip;q=2", False),
        ("gzippy", False),
    ],
)
def test_who_takes_gzip_says_so_in_many_ways(header: str, takes: bool) -> None:
    assert takes_gzip(header) is takes


def test_what_is_kept_compressed_is_never_compressed_anew(apps: Apps) -> None:
    """Streamlit would, at its highest level, for whoever writes the header in another way."""
    path = "/stations.json?fuel=5"
    wait_until(lambda: len(ask(apps.plain, path).body) > 2, START_SECONDS)
    plain, packed = ask(apps.plain, path), ask(apps.plain, path, **{"Accept-Encoding": "gzip"})
    assert plain.get("content-encoding") == []
    for header in ("gzip;q=0.5", "br, GZIP", "*"):
        answer = ask(apps.plain, path, **{"Accept-Encoding": header})
        assert (answer.get("content-encoding"), answer.body) == (["gzip"], packed.body), header
    for header in ("gzip;q=0", "gzippy", "not-gzip"):
        answer = ask(apps.plain, path, **{"Accept-Encoding": header})
        assert (answer.get("content-encoding"), answer.body) == ([], plain.body), header
