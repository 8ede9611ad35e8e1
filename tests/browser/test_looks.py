"""Every page on a phone and on a desk, light and dark, in both languages: nothing is cut or scrolls sideways."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.account_pages import open_tab, walk_as_driver, walk_as_visitor
from browser.app_process import App
from browser.catalogue import find_foreign, read_page, translate
from browser.feeds import WEST
from browser.mail_server import expect_title, fill_in, press, say
from browser.visit import Look, Open, Visit, expect_station, get_main, settle

# Whatever holds a text of its own and shows less than all of it; boxes of one pixel are for those who listen.
FIND_CUT = """main => {
  const cut = []
  for (const element of main.querySelectorAll("*")) {
    const isSeen = element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    if (!isSeen || element.closest(".maplibregl-map, .mapboxgl-map, svg, [role=tooltip]")) continue
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())
    for (let box = element; hasText && box && box !== main; box = box.parentElement) {
      const hides = ["hidden", "clip"].includes(getComputedStyle(box).overflowX)
      if (hides && box.clientWidth > 1 && box.scrollWidth > box.clientWidth + 1) cut.push(element.innerText)
    }
  }
  return cut
}"""
FIND_NARROW_BUTTONS = """main => [...main.querySelectorAll("button, [role=radio], a[role=button]")]
  .filter((button) => button.checkVisibility() && button.scrollWidth > button.clientWidth + 1)
  .map((button) => button.innerText)"""

ONE_LINE_PX = 36
READABLE_PX = 600


def expect_sound_layout(page: Page) -> None:
    settle(page)
    expect(page.get_by_role("heading", level=1)).to_be_in_viewport()
    for selector in ("html", "body", "[data-testid=stMain]"):
        wide, room = page.locator(selector).evaluate("box => [box.scrollWidth, box.clientWidth]")
        assert wide <= room, f"{selector} scrolls sideways: {wide} > {room}"
    for inside in (get_main(page), page.get_by_test_id("stSidebar")):
        if inside.is_visible():
            assert inside.evaluate(FIND_NARROW_BUTTONS) == []
            assert inside.evaluate(FIND_CUT) == []


def check_page(visit: Visit) -> None:
    expect_sound_layout(visit.page)
    visit.keep_screenshot("look", whole=True)


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit(app: App, visit: Open, width: int, theme: str, language: str) -> None:
    seen = visit(app, "/?q=Lyon", Look(width, theme, language))
    expect(get_main(seen.page).locator("canvas").first).to_be_visible()
    check_page(seen)
    seen.show(f"/station?id={WEST.id}")
    expect_station(seen.page, WEST.address)
    expect(get_main(seen.page).locator("canvas").first).to_be_visible()
    check_page(seen)
    seen.show("/about")
    expect(seen.page.get_by_role("heading", level=1, name="Carburoam")).to_be_visible()
    check_page(seen)


def check_account_page(visit: Visit, name: str) -> None:
    expect_sound_layout(visit.page)
    assert find_foreign(read_page(visit.page), visit.look.language) == []
    for form in get_main(visit.page).get_by_test_id("stForm").all():
        assert form.evaluate("form => form.clientWidth") <= READABLE_PX
    visit.keep_screenshot(f"look-{name}", whole=True)


# Each width in each language and each theme: no theme makes anything wider, and axe sees all pages in both.
@pytest.mark.parametrize(
    "look",
    [Look(390, "dark", "fr"), Look(390, "light", "en"), Look(1280, "light", "fr"), Look(1280, "dark", "en")],
    ids=str,
)
def test_account_pages_fit(app: App, visit: Open, logged_in: dict[str, Any], look: Look) -> None:
    for seen, name in walk_as_visitor(app, visit, look):
        check_account_page(seen, name)
    for seen, name in walk_as_driver(app, visit, look, logged_in):
        check_account_page(seen, name)


def read_tops(page: Page) -> list[float]:
    """Return where each field, tab and button of the page begins, from above."""
    settle(page)
    return [
        box.bounding_box()["y"]  # type: ignore[index]
        for box in get_main(page).locator("input, button, [role=tab]").all()
        if box.is_visible()
    ]


def test_what_is_said_of_a_field_moves_nothing_above_it(app: App, visit: Open, logged_in: dict[str, Any]) -> None:
    seen = visit(app, "/register", Look(width=390))
    page = seen.page
    expect_title(page, "Open an account", "fr")
    before = read_tops(page)
    fill_in(page, "fr", username="ada", name="Ada", email="ada@mailbox.org", password="short")
    assert "Enter" not in get_main(page).inner_text()  # Streamlit's own advice is English
    press(page, translate("Open an account", "fr"))
    say(page, "At least {count} characters, please; any will do.", "fr", count=10)
    assert read_tops(page) == before  # it stands where the hint stood
    fill_in(page, "fr", name=" ")
    press(page, translate("Open an account", "fr"))
    say(page, "Please give a name of at most 80 characters.", "fr")
    moved = [after - top for after, top in zip(read_tops(page), before, strict=True)]
    assert moved[:2] == [0, 0]
    assert len(set(moved[2:])) == 1
    assert 0 < moved[2] < ONE_LINE_PX

    seen = visit(app, "/profile", Look(width=390), storage_state=logged_in)
    page = seen.page
    open_tab(page, "Vehicle", "fr")
    before = read_tops(page)
    press(page, translate("Save", "fr"))
    say(page, "Saved.", "fr")
    assert read_tops(page) == before
