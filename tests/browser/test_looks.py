"""Every page on a phone and on a desk, light and dark, in both languages: nothing is cut or scrolls sideways."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.app_process import App
from browser.feeds import WEST
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
