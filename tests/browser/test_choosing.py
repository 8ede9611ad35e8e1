"""Choosing stations in a browser: by a click on the map or in the list, named, renamed, removed, brought back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.app_process import App
from browser.catalogue import find_foreign, read_page, translate
from browser.feeds import EAST, GUERET, WEST
from browser.mail_server import PASSWORD, add_driver, expect_cookie, expect_title, fill_in, log_in
from browser.maps import click_on_map, get_map, point_at
from browser.test_accessibility import find_violations
from browser.test_looks import expect_sound_layout
from browser.visit import Look, Open, Visit, expect_query, get_main, get_pill, get_table, search, settle

SEARCH = "/choose?q=gueret&radius=2"
NAME = "Sur le chemin du travail, [x](y) *, à gauche après le rond-point"[:60]


def get_dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def press(inside: Page | Locator, english: str, language: str) -> None:
    inside.get_by_role("button", name=translate(english, language), exact=True).click()


def expect_count(page: Page, count: int, limit: int, language: str) -> None:
    heading = translate("My stations ({count} of {limit})", language).format(count=count, limit=limit)
    expect(get_main(page).get_by_role("heading", level=3, name=heading, exact=True)).to_be_visible()
    settle(page)


def look(seen: Visit, name: str) -> None:
    """Look over the page: nothing is cut, nothing is in the other language; keep its picture."""
    seen.page.get_by_role("heading", level=1).scroll_into_view_if_needed()
    expect_sound_layout(seen.page)
    assert find_foreign(read_page(seen.page), seen.look.language) == []
    seen.keep_screenshot(f"choosing-{name}", whole=True)


@pytest.mark.parametrize(
    ("shape", "is_driver"), [(Look(1280, "light", "fr"), True), (Look(390, "dark", "en"), False)], ids=str
)
def test_a_station_is_chosen_on_the_map_and_kept(app: App, visit: Open, shape: Look, is_driver: bool) -> None:
    language, limit = shape.language, 50 if is_driver else 10
    seen = visit(app, "/login" if is_driver else SEARCH, shape)
    page = seen.page
    if is_driver:
        add_driver(app, "chooser", language=language)
        log_in(page, language, "chooser")
        expect_cookie(page)
        seen.open(SEARCH)
    expect_count(page, 0, limit, language)

    click_on_map(seen, WEST, GUERET, 2)
    expect(get_dialog(page).get_by_role("heading", name=WEST.address)).to_be_visible()
    seen.keep_screenshot("choosing-dialog")
    field = get_dialog(page).get_by_label(translate("Your name for it", language))
    expect(field).to_have_value(f"{WEST.town}, {WEST.address}")
    field.fill(NAME)
    press(get_dialog(page), "Add to my stations", language)
    expect(get_dialog(page)).to_have_count(0)
    expect_count(page, 1, limit, language)
    expect_query(page, keep=None if is_driver else str(WEST.id))
    expect(get_main(page).get_by_test_id("stTable").get_by_text(NAME)).to_be_visible()
    look(seen, "one")

    # On the map it lies on top, under its own name; a second click on the same station opens it again.
    for close in (lambda: page.keyboard.press("Escape"), page.go_back):
        click_on_map(seen, WEST, GUERET, 2, NAME)
        expect(get_dialog(page).get_by_text(NAME)).to_be_visible()
        expect_query(page, q="gueret", show=str(WEST.id))
        close()
        expect(get_dialog(page)).to_have_count(0)
        expect_query(page, q="gueret", show=None)
    # What runs the page again doesn't open it, and a filter leaves the map where it was moved to.
    page.mouse.move(0, 0)
    get_pill(page, "Gazole").click()
    settle(page)
    expect(get_dialog(page)).to_have_count(0)
    point_at(page, EAST, GUERET, 2)

    get_main(page).get_by_test_id("stTable").get_by_role("link", name=EAST.address).click()
    press(get_dialog(page), "Add to my stations", language)
    expect_count(page, 2, limit, language)

    get_main(page).get_by_test_id("stButtonGroup").get_by_role("radio", name=NAME).click()
    field = get_main(page).get_by_label(translate("Your name for it", language))
    field.fill("x" * 61)
    press(get_main(page), "Rename", language)
    sentence = translate("Please give a name of at most {count} characters.", language).format(count=60)
    expect(get_main(page).get_by_text(sentence)).to_be_visible()
    expect(field).to_have_value("x" * 61)
    field.fill("   ")
    press(get_main(page), "Rename", language)
    expect(field).to_have_value(f"{WEST.town}, {WEST.address}")
    field.fill("Maison")
    press(get_main(page), "Rename", language)
    chosen = get_main(page).get_by_test_id("stButtonGroup").get_by_role("radio", name="Maison")
    expect(chosen).to_be_checked()
    settle(page)
    look(seen, "two")
    assert find_violations(page) == []
    press(get_main(page), "Remove", language)
    expect_count(page, 1, limit, language)
    look(seen, "removed")
    press(get_main(page), "Undo", language)
    expect_count(page, 2, limit, language)
    expect(chosen).to_be_visible()
    if is_driver:
        kept = app.query(
            "SELECT custom_name FROM custom_stations JOIN users ON users.id = user_id WHERE username = 'chooser'"
            " ORDER BY position"
        )
        assert kept == [("Maison",), (f"{EAST.town}, {EAST.address}",)]
    else:
        expect_query(page, keep=f"{WEST.id},{EAST.id}")
    expect(get_map(page)).to_be_visible()


def go_to(page: Page, link: str, title: str, language: str) -> None:
    """Follow a link of the page to the page of that title."""
    settle(page)
    get_main(page).get_by_role("link", name=translate(link, language)).first.click()
    expect_title(page, title, language)


@pytest.mark.parametrize(
    "shape",
    [Look(390, "light", "fr"), Look(390, "dark", "en"), Look(1280, "dark", "fr"), Look(1280, "light", "en")],
    ids=str,
)
def test_from_opening_an_account_to_undoing_a_removal(app: App, visit: Open, shape: Look) -> None:
    language, username = shape.language, f"walker.{shape}"
    seen = visit(app, "/register", shape)
    page = seen.page
    fill_in(page, language, username=username, name="Ada", email=f"{username}@mailbox.org", password=PASSWORD)
    press(page, "Open an account", language)
    expect_title(page, "My stations", language)

    go_to(page, "Choose stations", "Choose your stations", language)
    search(page, "Guéret")
    expect(get_main(page).get_by_role("heading", level=3, name=re.compile("E10 .* 10 km .* Guéret"))).to_be_visible()
    settle(page)
    click_on_map(seen, WEST, GUERET, 10)
    press(get_dialog(page), "Add to my stations", language)
    expect_count(page, 1, 50, language)
    get_pill(page, f"{WEST.town}, {WEST.address}").click()
    get_main(page).get_by_label(translate("Your name for it", language)).fill("Chez Ada")
    press(get_main(page), "Rename", language)
    expect(get_pill(page, "Chez Ada")).to_be_visible()

    go_to(page, "See their prices", "My stations", language)
    expect(get_table(page)).to_contain_text("Chez Ada")
    expect(get_table(page)).to_contain_text("1,799" if language == "fr" else "1.799")
    look(seen, "walk-kept")

    go_to(page, "Choose stations", "Choose your stations", language)
    get_pill(page, "Chez Ada").click()
    press(get_main(page), "Remove", language)
    expect_count(page, 0, 50, language)
    look(seen, "walk-removed")
    press(get_main(page), "Undo", language)
    expect_count(page, 1, 50, language)
    go_to(page, "See their prices", "My stations", language)
    expect(get_table(page)).to_contain_text("Chez Ada")
