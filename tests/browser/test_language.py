"""French and English: the browser's at first, the chosen one everywhere after."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.app_process import App
from browser.catalogue import count_own, find_foreign, read_page, translate
from browser.feeds import WEST
from browser.visit import Look, Open, expect_query, expect_station, get_pill, settle

SEARCH = "/?q=gueret"
HEADINGS = {"fr": "Combien coûte le carburant près de chez vous\xa0?", "en": "What does fuel cost near you?"}


def expect_language(page: Page, language: str, *, messages: int) -> None:
    """Wait until the page is in a language; then every text is, and at least so many are from the catalogue."""
    expect(page.locator(f"html[lang={language}]")).to_be_attached()
    settle(page)
    text = read_page(page)
    assert find_foreign(text, language) == []
    assert count_own(text, language) >= messages


def go_to_about(page: Page, language: str) -> None:
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=translate("About and help", language)).click()
    expect(page.get_by_role("heading", level=1, name=translate("About Carburoam", language))).to_be_visible()
    settle(page)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_browser_is_answered_in_its_language_on_every_page(app: App, visit: Open, language: str) -> None:
    page = visit(app, SEARCH, Look(language=language)).page
    expect_language(page, language, messages=20)
    page.get_by_role("link", name=WEST.address).click()
    expect_station(page, WEST.address)
    expect_language(page, language, messages=12)
    go_to_about(page, language)
    expect_language(page, language, messages=20)


def test_the_choice_of_a_language_switches_every_text_and_stays(app: App, visit: Open) -> None:
    page = visit(app, SEARCH, Look(language="fr")).page
    expect_language(page, "fr", messages=20)
    get_pill(page, "EN").click()
    expect(page.get_by_role("heading", level=1, name=HEADINGS["en"])).to_be_visible()
    expect_language(page, "en", messages=20)
    expect_query(page, q="gueret", lang="EN")
    page.get_by_role("link", name=WEST.address).click()
    expect_station(page, WEST.address)
    expect_language(page, "en", messages=12)
    go_to_about(page, "en")
    expect_language(page, "en", messages=20)
    get_pill(page, "FR").click()
    expect(page.get_by_role("heading", level=1, name=translate("About Carburoam", "fr"))).to_be_visible()
    expect_language(page, "fr", messages=20)
