"""A person who meets a limit of the websocket reads why, on a phone and in their language, and goes on afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.app_process import App, run_app
from browser.visit import Look, open_visit, settle

TITLES = {"en": "What does fuel cost near you?", "fr": "Combien coûte le carburant près de chez vous ?"}
TABS = {"en": "Too many tabs", "fr": "Trop d'onglets"}
NOTICES = {
    "en": "That was too much at once. This page goes on in a few seconds.",
    "fr": "C'était trop à la fois. Cette page reprend dans quelques secondes.",
}
MESSAGES = 12


@pytest.fixture(scope="module")
def narrow(browser: Browser, known_feed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An application that allows little."""
    limits = {"CARBUROAM_TABS_PER_ADDRESS": "1", "CARBUROAM_MESSAGES_PER_10_SECONDS": str(MESSAGES)}
    with run_app(tmp_path_factory.mktemp("narrow"), str(known_feed), **limits) as app:
        yield app


def require_no_sideways_scrolling(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_tab_too_many_says_so_and_opens_when_another_is_closed(browser: Browser, narrow: App, language: str) -> None:
    look = Look(width=390, language=language)
    first, late = open_visit(browser, narrow.url, look), open_visit(browser, narrow.url, look)
    first.open("/")
    late.page.goto(narrow.url, wait_until="commit")
    expect(late.page.get_by_text(TABS[language])).to_be_visible()
    late.keep_screenshot("too-many-tabs")
    require_no_sideways_scrolling(late.page)
    first.context.close()
    expect(late.page.get_by_role("heading", name=TITLES[language])).to_be_visible()
    settle(late.page)
    expect(late.page.get_by_text(TABS[language])).to_have_count(0)
    late.context.close()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_who_clicks_too_fast_is_told_so_and_nothing_is_lost(browser: Browser, narrow: App, language: str) -> None:
    visit = open_visit(browser, narrow.url, Look(width=390, language=language))
    page = visit.open("/landing?q=69")
    radius = page.get_by_test_id("stButtonGroup").filter(has=page.get_by_text("50", exact=True)).last
    for number in range(MESSAGES):
        radius.get_by_text("20" if number % 2 else "10", exact=True).click()
        expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible()
    radius.get_by_text("50", exact=True).click()
    expect(page.get_by_text(NOTICES[language])).to_be_visible()
    visit.keep_screenshot("too-fast")
    require_no_sideways_scrolling(page)
    page.wait_for_url("**radius=50**", wait_until="commit")
    settle(page)
    expect(page.get_by_text(NOTICES[language])).to_have_count(0)
    visit.context.close()
