"""What axe finds on each page, and going everywhere with the keyboard alone."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from browser.account_pages import walk_as_driver, walk_as_visitor
from browser.admin_pages import walk_as_admin
from browser.app_process import App
from browser.feeds import EAST, WEST
from browser.visit import Look, Open, expect_answer, expect_station, get_main, get_pill, get_table, settle

# Rule and the beginning of the selector of what is Streamlit's own markup, not ours to change.
STREAMLITS_OWN: dict[tuple[str, str], str] = {}
# The map, of which Streamlit hides that it has the focus (it can be moved with the arrow keys then).
MAPS_OWN = ("deck-events-root", "mapboxgl-canvas")
FUELS = ("E10", "Gazole")
RADII = ("2", "5", "10", "20", "50")
HEADING = "E10 à moins de 10 km de Guéret (Creuse)"


def find_violations(page: Page) -> list[str]:
    """Return what axe calls serious or critical, Streamlit's own apart."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['target']} {node['html'][:150]} {node['failureSummary'][:300]}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
        if not any(violation["id"] == rule and str(node["target"][0]).startswith(at) for rule, at in STREAMLITS_OWN)
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(app: App, visit: Open, theme: str) -> None:
    seen = visit(app, "/?q=gueret", Look(theme=theme))
    expect_answer(seen.page, HEADING)
    expect(get_main(seen.page).locator("canvas").first).to_be_visible()
    found = find_violations(seen.page)
    seen.show(f"/station?id={WEST.id}")
    expect_station(seen.page, WEST.address)
    expect(get_main(seen.page).locator("canvas").first).to_be_visible()
    found += find_violations(seen.page)
    seen.show("/about")
    expect(seen.page.get_by_role("heading", level=1, name="Carburoam")).to_be_visible()
    settle(seen.page)
    found += find_violations(seen.page)
    assert found == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_pages_of_accounts(
    app: App, visit: Open, logged_in: dict[str, Any], theme: str
) -> None:
    look = Look(theme=theme)
    walks = (walk_as_visitor(app, visit, look), walk_as_driver(app, visit, look, logged_in))
    found = [f"{name}: {violation}" for seen, name in chain(*walks) for violation in find_violations(seen.page)]
    assert found == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_admins_page(app: App, visit: Open, theme: str) -> None:
    walk = walk_as_admin(app, visit, Look(theme=theme), "fr")
    found = [f"{name}: {violation}" for seen, name in walk for violation in find_violations(seen.page)]
    assert found == []


# What has the focus: its name, and how it and what is around it looks.
READ_FOCUS = """async () => {
  await Promise.all(document.getAnimations().filter((one) => one instanceof CSSTransition).map((one) => one.finished))
  let focused = document.activeElement
  while (focused && focused.shadowRoot && focused.shadowRoot.activeElement) focused = focused.shadowRoot.activeElement
  const look = (element) => {
    const boxes = [element, element.parentElement, element.parentElement && element.parentElement.parentElement,
                   ...element.querySelectorAll("*")]
    return boxes.filter(Boolean).map((box) => {
      const style = getComputedStyle(box)
      return [style.outlineStyle, style.outlineWidth, style.outlineColor, style.boxShadow, style.borderColor,
              style.backgroundColor, style.color, style.textDecorationLine].join()
    }).join("|")
  }
  const before = window.lastFocused
  const isShown = before ? look(before.element) !== before.look : true
  window.lastFocused = { element: focused, look: look(focused) }
  const name = focused.getAttribute("aria-label") || focused.innerText || focused.getAttribute("title") || ""
  return {
    name: name.trim(),
    role: focused.getAttribute("role") || focused.tagName.toLowerCase(),
    html: focused.outerHTML.slice(0, 120),
    wasLastShown: isShown,
  }
}"""


def test_everything_is_in_reach_of_the_keyboard_and_the_focus_is_seen(app: App, visit: Open) -> None:
    page = visit(app, "/?q=gueret").page
    expect_answer(page, HEADING)
    expect(get_main(page).locator("canvas").first).to_be_visible()
    stops: list[dict[str, Any]] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(READ_FOCUS))
        if stops[-1]["role"] == "body":
            break
    reached = "\n".join(stop["name"] for stop in stops)
    for name in (
        *("Prix à proximité", "À propos et aide", "Ville ou code postal", "Autour de moi"),
        *(FUELS[0], EAST.address, WEST.address, "Map", "Zoom In"),
    ):
        assert name in reached, f"{name} can't be reached"
    assert any(radius in reached for radius in RADII), "no radius can be reached"
    unseen = [stops[at - 1] for at in range(1, len(stops)) if not stops[at]["wasLastShown"]]
    assert [stop for stop in unseen if not any(name in stop["html"] for name in MAPS_OWN)] == []

    get_pill(page, FUELS[0]).focus()
    page.keyboard.press("ArrowRight")
    expect(get_pill(page, FUELS[1])).to_be_focused()
    page.keyboard.press("Enter")
    expect_answer(page, HEADING.replace(*FUELS[:2]))
    page.get_by_role("searchbox").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("Dijon")
    page.keyboard.press("Enter")
    expect_answer(page, "Gazole à moins de 10 km de Dijon (Côte-d'Or)")
    link = get_table(page).get_by_role("link").first
    name = link.inner_text()
    link.focus()
    page.keyboard.press("Enter")
    expect_station(page, name)
