"""With no feed in reach: invented prices under a banner, until real ones come."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from browser.app_process import App, run_app
from browser.catalogue import translate
from browser.visit import Look, Open, expect_answer, get_main, search, settle

BANNER = "These are not real prices"


@pytest.fixture(scope="module")
def sample_app(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> App:
    with run_app(tmp_path_factory.mktemp("sample"), "http://127.0.0.1:1/none") as app:
        yield app


def test_the_sample_stands_under_a_banner_and_real_prices_take_its_place(
    sample_app: App, known_feed: Path, visit: Open
) -> None:
    english = visit(sample_app, "/about", Look(390, "dark", "en"))
    expect(get_main(english.page).get_by_text("invented stations and prices are shown instead")).to_be_visible()
    english.show("/")
    expect(get_main(english.page).get_by_text(BANNER)).to_be_visible()
    english.keep_screenshot("sample", whole=True)
    seen = visit(sample_app, "/?q=Lyon")
    page = seen.page
    expect(get_main(page).get_by_text(translate(BANNER, "fr"))).to_be_visible()
    expect_answer(page, "E10 à moins de 10 km de Lyon (Rhône)")
    seen.keep_screenshot("sample")

    for one in (page, english.page):
        one.evaluate("window.isSameDocument = true")
    sample_app.load(known_feed)
    expect(get_main(english.page).get_by_text(BANNER)).to_have_count(0)
    expect(get_main(page).get_by_text(translate(BANNER, "fr"))).to_have_count(0)
    settle(page)
    search(page, "gueret")
    expect_answer(page, "E10 à moins de 10 km de Guéret (Creuse)")
    assert all(one.evaluate("window.isSameDocument") for one in (page, english.page)), "a page was loaded anew"
