"""What a station wrote into the feed is shown letter for letter, and is nothing but text."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from browser.app_process import App, wait_until
from browser.feeds import HOSTILE, HOSTILE_TOWNS
from browser.maps import point_at
from browser.visit import Open, get_main, get_table, settle


def read(text: str) -> str:
    """Return a text as it is seen: what keeps a shortcut from being read has no width."""
    return text.replace("\u2060", "").strip()


def expect_only_text(page: Page) -> None:
    main = get_main(page)
    expect(main.locator('a[href*="evil"], a[href^="javascript"], a[href^="mailto"]')).to_have_count(0)
    expect(main.locator('img[src="x"], td b, h1 b, em, code, del, .katex')).to_have_count(0)


def test_hostile_texts_are_shown_as_they_are(app: App, visit: Open) -> None:
    seen = visit(app, "/?q=36100")
    page = seen.page
    expect(get_table(page).locator("tbody tr")).to_have_count(len(HOSTILE))
    settle(page)
    links = get_table(page).locator('a[href^="/station"]')
    assert [read(text) for text in links.all_inner_texts()] == [station.address for station in HOSTILE]
    expect(get_table(page).locator("a")).to_have_count(2 * len(HOSTILE))  # the station, and directions to it
    seconds = get_table(page).locator('td:has(a[href^="/station"]) p > span').all_inner_texts()
    towns = [read(text).partition(" · ")[0] for text in seconds]
    assert [town.lower() for town in towns] == list(HOSTILE_TOWNS)
    assert HOSTILE_TOWNS[0] in read(get_main(page).get_by_role("heading", level=3).first.inner_text())
    expect_only_text(page)
    seen.keep_screenshot("hostile")

    middle = tuple(sum(station[at] for station in HOSTILE) / len(HOSTILE) for at in (4, 5))
    for station in (HOSTILE[0], HOSTILE[-1]):
        point_at(page, station, middle, 10)
        # Without spaces: a map breaks long words, and loses none of their letters.
        label = "".join(read(page.locator(".deck-tooltip").inner_text()).lower().split())
        assert label.endswith("".join(f"{station.address} {station.town}".lower().split()))
    expect(page.locator(".deck-tooltip").locator("img, b, a, script")).to_have_count(0)

    for station in HOSTILE:
        seen.show(f"/station?id={station.id}")
        heading = page.get_by_role("heading", level=1)
        wait_until(lambda: read(heading.inner_text()) == station.address, 30)  # noqa: B023 - it is over when this is
        settle(page)
        assert f"{station.zip_code} {station.town}" in read(get_main(page).inner_text()).lower()
        expect_only_text(page)
