"""French and English: the browser's at first, the chosen one everywhere after."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.app_process import App
from browser.catalogue import count_own, find_foreign, read_page, translate
from browser.feeds import WEST
from browser.mail_server import add_driver, expect_cookie, expect_title, log_in
from browser.visit import Look, Open, expect_query, expect_station, get_pill, read_query, settle

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
    expect_query(page, lang="EN")
    get_pill(page, "FR").click()
    expect(page.get_by_role("heading", level=1, name=translate("About Carburoam", "fr"))).to_be_visible()
    expect_language(page, "fr", messages=20)


def test_the_language_of_an_account_stays_out_of_the_address(app: App, visit: Open) -> None:
    add_driver(app, "hedy", language="en")
    seen = visit(app, "/login", Look(language="fr"))
    page = seen.page
    log_in(page, "fr", "hedy", is_lasting=True)
    expect_title(page, "My stations", "en")
    expect_language(page, "en", messages=5)
    assert read_query(page) == {}
    get_pill(page, "FR").click()  # kept in the account
    expect_title(page, "My stations", "fr")
    expect_language(page, "fr", messages=5)
    expect_cookie(page)
    go_to_about(page, "fr")
    assert read_query(page) == {}
    seen.open("/profile")
    expect_title(page, "Your profile", "fr")
    assert read_query(page) == {}
    seen.open("/profile?lang=EN")
    expect_title(page, "Your profile", "en")
    go_to_about(page, "en")
    expect_query(page, lang="EN")


def test_who_logs_in_at_an_address_with_a_language_stays_in_it(app: App, visit: Open) -> None:
    add_driver(app, "lise", language="fr")
    page = visit(app, "/login?lang=EN", Look(language="fr")).page
    log_in(page, "en", "lise")
    expect_title(page, "My stations", "en")
    expect_query(page, lang="EN")
