"""What a browser makes of the addresses for programs: the headers of every answer, and who may read it."""

from __future__ import annotations

from contextlib import closing

import pytest
from playwright.sync_api import Browser, Error
from web_server import Answer, WebServer

from browser.app_process import App
from browser.feeds import WEST
from browser.test_privacy import HEADERS

PATHS = {
    f"/api/v1/stations?near={WEST.latitude},{WEST.longitude}&fuel=E10": 200,
    f"/api/v1/stations/{WEST.id}": 200,
    "/api/v1/fuels": 200,
    "/api/v1/status": 200,
    "/api/v1/openapi.json": 200,
    "/api/v1/stations": 400,
    "/api/v1/nothing": 404,
    "/healthz": 200,
    "/readyz": 200,
    "/metrics": 200,
}
READ = "address => fetch(address).then(answer => answer.json())"


def test_every_answer_has_the_security_headers(app: App, browser: Browser) -> None:
    with closing(browser.new_context()) as context:
        page = context.new_page()
        for path, status in PATHS.items():
            answer = page.goto(f"{app.url}{path}")
            assert answer is not None
            assert answer.status == status, path
            headers = answer.all_headers()
            assert {name: headers.get(name) for name in HEADERS} == HEADERS, path
            assert "object-src 'none'" in headers["content-security-policy"], path
        assert context.cookies() == []


def test_a_page_of_another_site_may_read_the_api_and_nothing_else(app: App, browser: Browser) -> None:
    with WebServer() as other, closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(other.lay_out("/", Answer(200, b"<p>another site</p>", (("Content-Type", "text/html"),))))
        assert page.evaluate(READ, f"{app.url}/api/v1/fuels")["fuels"]
        assert page.evaluate(READ, f"{app.url}/api/v1/stations")["status"] == 400
        for path in ("/metrics", "/readyz", "/stations.json?fuel=5"):
            with pytest.raises(Error, match="Failed to fetch"):
                page.evaluate(READ, f"{app.url}{path}")
