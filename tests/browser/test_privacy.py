"""What the browser asks of whom, and what it is told with every answer."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import expect

from browser.app_process import App
from browser.feeds import WEST
from browser.visit import Open, expect_answer, get_main

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin",
}


def test_every_answer_has_the_security_headers_and_no_other_host_is_asked(app: App, visit: Open) -> None:
    seen = visit(app, "/?q=gueret")
    expect_answer(seen.page, "E10 à moins de 10 km de Guéret (Creuse)")
    expect(get_main(seen.page).locator("canvas").first).to_be_visible()
    seen.open(f"/station?id={WEST.id}")
    expect(get_main(seen.page).locator("canvas").first).to_be_visible()
    seen.open("/about")
    answers = {urlsplit(url).path: headers for url, headers in seen.headers.items() if url.startswith(app.url)}
    for path in ("/", "/station", "/about", "/_stcore/health", "/map-style/light.json"):
        assert path in answers, f"{path} was not asked for"
    for path, headers in answers.items():
        assert {name: headers.get(name) for name in HEADERS} == HEADERS, path
        assert "script-src 'self' 'wasm-unsafe-eval' blob: 'sha256-" in headers["content-security-policy"], path
        assert "geolocation=(self)" in headers["permissions-policy"], path
    assert {cookie["name"] for cookie in seen.context.cookies()} <= {"_streamlit_xsrf"}
    # That no other host is asked is looked at when a visit ends, in every test.
