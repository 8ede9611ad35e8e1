"""The button that asks the browser where the visitor is."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from browser.app_process import App
from browser.feeds import EAST, WEST
from browser.visit import Open, expect_answer, expect_query, expect_station, get_main, search

BESIDE_GUERET = {"latitude": 46.17012345, "longitude": 1.87049876}
AROUND = "E10 à moins de 10 km de votre position"


def press_near_me(page: Page) -> None:
    get_main(page).get_by_role("button", name="Autour de moi").click()


def test_a_known_position_gives_the_stations_around_it_and_replaces_the_town(app: App, visit: Open) -> None:
    page = visit(app, "/?q=Lyon", geolocation=BESIDE_GUERET, permissions=["geolocation"]).page
    expect_answer(page, "E10 à moins de 10 km de Lyon (Rhône)")
    press_near_me(page)
    expect_answer(page, AROUND)
    expect(page.get_by_role("link", name=WEST.address)).to_be_visible()
    expect_query(page, at="46.17,1.87", q=None)
    expect(page.get_by_role("searchbox")).to_have_value("")

    page.get_by_role("link", name=EAST.address).click()
    expect_station(page, EAST.address)
    page.get_by_role("link", name="Retour aux prix à proximité").click()
    expect_answer(page, AROUND)

    search(page, "Dijon")
    expect_answer(page, "E10 à moins de 10 km de Dijon (Côte-d'Or)")
    expect_query(page, q="Dijon", at=None)


def test_a_refused_position_is_answered_by_a_sentence_until_a_town_is_typed(app: App, visit: Open) -> None:
    seen = visit(app)
    page = seen.page
    sentence = get_main(page).get_by_text("Votre navigateur n'est pas autorisé à vous localiser.")
    press_near_me(page)
    expect(sentence).to_be_visible()
    seen.keep_screenshot("refused")
    expect_query(page, at=None, q=None)
    search(page, "Dijon")
    expect_answer(page, "E10 à moins de 10 km de Dijon (Côte-d'Or)")
    expect(sentence).to_have_count(0)
