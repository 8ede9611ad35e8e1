"""Searching: a text, a fuel and a radius make an answer, and the address of the page is all of it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from browser.app_process import App
from browser.feeds import EAST, OUTSIDE, WEST
from browser.visit import Open, expect_answer, expect_query, expect_station, get_pill, get_table, read_query, search


def list_rows(page: Page) -> list[tuple[str, str]]:
    """Return price and name of each station in the table."""
    rows = get_table(page).locator("tbody tr").all()
    return [(row.locator("td strong").inner_text(), row.locator("td a").first.inner_text()) for row in rows]


def test_a_town_gives_its_stations_cheapest_first_and_the_address_bar_keeps_it(app: App, visit: Open) -> None:
    page = visit(app).page
    search(page, "gueret")
    expect_answer(page, "E10 à moins de 10 km de Guéret (Creuse)")
    assert list_rows(page) == [
        ("1,699\xa0€", OUTSIDE.address),
        ("1,759\xa0€", EAST.address),
        ("1,799\xa0€", WEST.address),
    ]
    expect_query(page, q="gueret", at=None)


def test_fuel_and_radius_change_the_answer_and_the_copied_address_gives_it_to_others(app: App, visit: Open) -> None:
    page = visit(app, "/?q=gueret").page
    expect_answer(page, "E10 à moins de 10 km de Guéret (Creuse)")
    get_pill(page, "Gazole").click()
    expect_answer(page, "Gazole à moins de 10 km de Guéret (Creuse)")
    expect_query(page, q="gueret", fuel="Gazole")
    get_pill(page, "2").click()
    expect_answer(page, "Gazole à moins de 2 km de Guéret (Creuse)")
    expect_query(page, q="gueret", fuel="Gazole", radius="2")
    answer = [("1,701\xa0€", WEST.address), ("1,781\xa0€", EAST.address)]
    assert list_rows(page) == answer

    other = visit(app, page.url.removeprefix(app.url)).page
    expect_answer(other, "Gazole à moins de 2 km de Guéret (Creuse)")
    assert list_rows(other) == answer


@pytest.mark.parametrize("way", ["the browser's Back", "the link on the page"])
def test_the_way_back_from_a_station_leads_to_the_same_search(app: App, visit: Open, way: str) -> None:
    page = visit(app, "/?q=gueret&fuel=Gazole&radius=2").page
    expect_answer(page, "Gazole à moins de 2 km de Guéret (Creuse)")
    searched, answer = read_query(page), list_rows(page)
    page.get_by_role("link", name=WEST.address).click()
    expect_station(page, WEST.address)
    if way == "the browser's Back":
        page.go_back()
    else:
        page.get_by_role("link", name="Retour aux prix à proximité").click()
    expect_answer(page, "Gazole à moins de 2 km de Guéret (Creuse)")
    assert list_rows(page) == answer
    expect_query(page, **{name: searched[name] for name in ("q", "fuel", "radius")})
