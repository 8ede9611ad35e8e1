"""Who gets a file that a page made for its visitor."""

from __future__ import annotations

from playwright.sync_api import Download, Page


def require_own(page: Page, download: Download) -> None:
    """Require that the address of what was just downloaded is good in this browser and in no other."""
    own = page.context.request.get(download.url)
    assert (own.status, own.headers["cache-control"]) == (200, "no-store"), download.url
    assert own.headers["content-type"].partition(";")[2].strip() in ("", "charset=utf-8"), "whose it is stays here"
    assert page.context.browser is not None
    other = page.context.browser.new_context(ignore_https_errors=True)
    try:
        stranger = other.request.get(download.url)
        assert (stranger.status, stranger.text()) == (404, "File not found")
        visiting = other.new_page()
        visiting.goto(page.url)  # with a cookie of its own
        visiting.get_by_role("heading").first.wait_for()
        assert {cookie.get("name") for cookie in other.cookies()} >= {"_streamlit_xsrf"}
        assert other.request.get(download.url).status == 404
        assert other.request.get(download.url, headers={"Range": "bytes=0-9"}).status == 404
    finally:
        other.close()
