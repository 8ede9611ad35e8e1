"""The audit of the pinned packages fails when an advisory names one, and only tells when there are none to be had."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from web_server import occupy_port

from settings import ROOT

ADVISORY = "GHSA-test-0001"
LOCKS = ("requirements.lock", "requirements-dev.lock")


class Service(ThreadingHTTPServer):
    """Speaks as OSV does: it knows one advisory, of one package, or answers with a status and no more."""

    daemon_threads = True

    def __init__(self, package: str = "", status: int = 200, *, is_silent: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.package = package
        self.status = status
        self.is_silent = is_silent
        self.closing = threading.Event()
        self.asked: set[tuple[str, str]] = set()

    def answer(self, path: str, body: bytes) -> dict[str, Any]:
        if not path.endswith("/querybatch"):
            affected = {"package": {"name": self.package, "ecosystem": "PyPI"}, "versions": ["1"]}
            return {"id": ADVISORY, "modified": "2026-01-01T00:00:00Z", "summary": "a hole", "affected": [affected]}
        packages = [(query["package"]["name"], query["version"]) for query in json.loads(body)["queries"]]
        self.asked |= set(packages)
        known = {"vulns": [{"id": ADVISORY, "modified": "2026-01-01T00:00:00Z"}]}
        return {"results": [known if name == self.package else {} for name, _ in packages]}


class Exchange(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.is_silent:
            self.server.closing.wait()
            return
        answer = json.dumps(self.server.answer(self.path, body)).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def run_service(package: str = "", status: int = 200, *, is_silent: bool = False) -> Iterator[tuple[Service, str]]:
    with Service(package, status, is_silent=is_silent) as service:
        threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield service, f"http://127.0.0.1:{service.server_port}/"
        finally:
            service.closing.set()
            service.shutdown()


@pytest.fixture(autouse=True)
def _no_second_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")


def audit(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ".ci/audit.py", "--service-url", url], cwd=ROOT, capture_output=True, text=True, timeout=100
    )


def list_pins() -> set[tuple[str, str]]:
    text = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in LOCKS)
    return set(re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", text, re.MULTILINE))


def test_every_package_that_is_pinned_is_asked_for() -> None:
    with run_service() as (service, url):
        done = audit(url)
    assert (done.returncode, "skipped" in done.stdout) == (0, False), done.stderr
    assert service.asked == list_pins()
    assert len(service.asked) > 100


@pytest.mark.parametrize("package", ["starlette", "pytest"])
def test_an_advisory_fails_it_and_is_named(package: str) -> None:
    with run_service(package) as (_, url):
        done = audit(url)
    assert done.returncode == 1
    assert ADVISORY in done.stdout
    assert package in done.stdout


@pytest.mark.parametrize("status", [403, 407, 429, 500, 503])
def test_a_service_that_refuses_skips_it_with_the_reason(status: int) -> None:
    with run_service(status=status) as (_, url):
        done = audit(url)
    assert done.returncode == 0
    assert done.stdout.startswith("audit skipped, the advisories are out of reach: ")
    assert str(status) in done.stdout


def test_so_does_one_that_is_not_there() -> None:
    with occupy_port() as url:
        done = audit(url)
    assert (done.returncode, done.stdout.startswith("audit skipped, ")) == (0, True)
    assert "error sending request" in done.stdout


def test_so_does_one_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_TIMEOUT", "1")
    with run_service(is_silent=True) as (_, url):
        done = audit(url)
    assert (done.returncode, done.stdout.startswith("audit skipped, ")) == (0, True)


def test_what_is_no_answer_of_such_a_service_fails_it() -> None:
    with run_service(status=404) as (_, url):
        assert audit(url).returncode == 2


def test_it_is_part_of_what_must_pass() -> None:
    assert 'run "make audit" make audit\n' in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"^audit: .*\n\t\$\(BIN\)/python \.ci/audit\.py$", (ROOT / "Makefile").read_text(), re.MULTILINE)
