"""My stations in a real browser: tried as a visitor, kept by opening an account, there again after a reload."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from browser.account_pages import START, TRIED
from browser.app_process import App
from browser.catalogue import find_foreign, read_page, translate
from browser.exports import require_own
from browser.mail_server import PASSWORD, expect_cookie, expect_title, fill_in, press
from browser.test_accessibility import find_violations
from browser.test_looks import expect_sound_layout
from browser.visit import Look, Open, Visit, expect_query, get_main, get_table, read_query, settle


def look(seen: Visit, name: str) -> None:
    """Look over a page: nothing is cut, nothing is in the other language; keep its picture."""
    expect_sound_layout(seen.page)
    assert find_foreign(read_page(seen.page), seen.look.language) == []
    seen.keep_screenshot(f"dashboard-{name}", whole=True)


def list_prices(page: Page) -> list[str]:
    settle(page)
    return re.findall(r"\d,\d{3}\xa0€", get_table(page).inner_text())


def test_try_keep_and_come_back(app: App, visit: Open) -> None:
    seen = visit(app, "/dashboard", Look(390, "dark"))
    page = seen.page
    look(seen, "empty")
    press(page, translate("Try with an example", "fr"))
    expect(get_table(page)).to_be_visible()
    settle(page)
    assert len(read_query(page)["keep"].split(",")) == 5

    seen.open(TRIED)
    expect_title(page, "My stations", "fr")
    assert list_prices(page) == ["1,699\xa0€", "1,759\xa0€", "1,799\xa0€"]
    look(seen, "tried")
    press(page, translate("Keep these", "fr"))
    expect_title(page, "Open an account", "fr")
    fill_in(page, "fr", username="zoe", email="zoe@mailbox.org", name="Zoé", password=PASSWORD)
    press(page, translate("Open an account", "fr"))
    expect_title(page, "My stations", "fr")
    expect_query(page, keep=None, fuels=None)
    assert list_prices(page) == ["1,699\xa0€", "1,759\xa0€", "1,799\xa0€"]
    look(seen, "kept")
    expect_cookie(page)
    for _ in range(2):
        seen.open("/")
        expect_title(page, "My stations", "fr")
        assert list_prices(page) == ["1,699\xa0€", "1,759\xa0€", "1,799\xa0€"]

    seen.open("/?q=gueret&fuel=Gazole")  # a search that somebody shared
    expect_title(page, "What does fuel cost near you?", "fr")
    expect_query(page, q="gueret", fuel="Gazole")
    shared = page.url
    seen.open("/")
    expect_title(page, "My stations", "fr")
    page.get_by_test_id("stExpandSidebarButton").click()
    own = page.get_by_test_id("stSidebarNavLink").filter(has_text=translate("My stations", "fr"))
    seen.open(TRIED)  # what was tried before, or what somebody else tries
    expect_title(page, "My stations", "fr")
    expect(page.get_by_text("Page not found")).to_have_count(0)
    assert list_prices(page) == ["1,699\xa0€", "1,759\xa0€", "1,799\xa0€"]
    own.click()
    page.wait_for_url(re.compile(r"://[^/]+/(\?|$)"))
    expect_title(page, "My stations", "fr")
    expect(own).to_have_attribute("aria-current", "page")
    page.get_by_test_id("stSidebar").get_by_role("button", name=translate("Log out", "fr")).click()
    expect_title(page, "What does fuel cost near you?", "fr")
    expect_cookie(page, is_there=False)
    seen.open("/")
    expect_title(page, "What does fuel cost near you?", "fr")
    page.goto(shared)  # as a visitor opens it, who gets it from a driver
    expect_title(page, "What does fuel cost near you?", "fr")
    expect(page.get_by_text("Page not found")).to_have_count(0)
    expect_query(page, q="gueret", fuel="Gazole")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_on_a_desk(app: App, visit: Open, theme: str) -> None:
    seen = visit(app, f"{TRIED}&{START}&lang=EN", Look(1280, theme, "en"))
    page = seen.page
    expect_title(page, "My stations", "en")
    expect(get_main(page).get_by_text("nearest", exact=True)).to_be_visible()
    look(seen, "detour")
    assert find_violations(page) == []
    if theme == "light":
        with page.expect_download() as download:
            press(page, "Download as CSV")
        lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()
        assert download.value.suggested_filename == "carburoam.csv"
        assert lines[1].startswith('E10,1.699,-10.0,-6.0,"Sainte-Feyre, 3 route du Sud",')
        require_own(page, download.value)
