"""A person who meets a limit of the websocket reads why, on a phone and in their language, and goes on afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.app_process import App, run_app
from browser.visit import Look, Visit, open_visit, settle

TITLES = {"en": "What does fuel cost near you?", "fr": "Combien coûte le carburant près de chez vous ?"}
TABS = {"en": "Too many tabs", "fr": "Trop d'onglets"}
SENTENCES = {
    "en": "Close one, and this page will open by itself.",
    "fr": "Fermez-en un, et cette page s'ouvrira d'elle-même.",
}
NOTICES = {
    "en": "Too many actions at once. This page will continue in a few seconds.",
    "fr": "Trop d'actions à la fois. Cette page reprend dans quelques secondes.",
}
MESSAGES = 3


@pytest.fixture(scope="module")
def narrow(browser: Browser, known_feed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An application that allows little."""
    limits = {"CARBUROAM_TABS_PER_ADDRESS": "1", "CARBUROAM_MESSAGES_PER_10_SECONDS": str(MESSAGES)}
    with run_app(tmp_path_factory.mktemp("narrow"), str(known_feed), **limits) as app:
        yield app


def require_no_sideways_scrolling(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture
def visit_narrow(browser: Browser, narrow: App) -> Iterator[Callable[[str], Visit]]:
    """Give a function that opens an empty page of a phone in a language."""
    visits: list[Visit] = []

    def open_phone(language: str) -> Visit:
        visits.append(open_visit(browser, narrow.url, Look(width=390, language=language)))
        return visits[-1]

    yield open_phone
    for one in visits:
        one.context.close()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_tab_too_many_says_so_and_opens_when_another_is_closed(
    visit_narrow: Callable[[str], Visit], language: str
) -> None:
    first, late = visit_narrow(language), visit_narrow(language)
    first.open("/")
    late.page.goto(late.app_url, wait_until="commit")
    expect(late.page.get_by_text(TABS[language], exact=True)).to_be_visible()
    expect(late.page.get_by_text(SENTENCES[language])).to_be_visible()
    late.keep_screenshot("too-many-tabs")
    require_no_sideways_scrolling(late.page)
    first.context.close()
    expect(late.page.get_by_role("heading", name=TITLES[language])).to_be_visible()
    settle(late.page)
    expect(late.page.get_by_text(TABS[language])).to_have_count(0)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_who_clicks_too_fast_is_told_so_and_nothing_is_lost(
    visit_narrow: Callable[[str], Visit], language: str
) -> None:
    visit = visit_narrow(language)
    page = visit.open("/landing?q=69")
    radii = page.get_by_test_id("stButtonGroup").filter(has=page.get_by_text("50", exact=True)).last
    for text in ("10", "20", "50", "10", "20", "50"):
        radii.get_by_text(text, exact=True).click(no_wait_after=True)
    expect(page.get_by_text(NOTICES[language])).to_be_visible()
    visit.keep_screenshot("too-fast")
    require_no_sideways_scrolling(page)
    settle(page)
    expect(page.get_by_text(NOTICES[language])).to_have_count(0)
