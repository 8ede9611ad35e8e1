"""Where a station lies in the window when a map is drawn as ui/station_map.py does."""

from __future__ import annotations

from math import cos, log2, pi, radians, tan
from math import log as ln

from playwright.sync_api import Locator, Page

from browser.app_process import comes_true, wait_until
from browser.feeds import KnownStation
from browser.visit import Visit

Point = tuple[float, float]  # latitude and longitude, or x and y


def get_map(page: Page) -> Locator:
    return page.get_by_test_id("stMain").get_by_test_id("stDeckGlJsonChart")


def point_at(page: Page, station: KnownStation, centre: Point, radius_km: float, label: str = "") -> Point:
    """Move the mouse onto a station of the map until its label says that it is there; return where that is.

    `label`: what it is called there if not by its address.
    """
    get_map(page).scroll_into_view_if_needed()
    tooltip = page.locator(".deck-tooltip")

    def is_labelled() -> bool:
        x, y = _find_pixel(get_map(page), (station.latitude, station.longitude), centre, radius_km)
        page.mouse.move(x - 3, y)
        page.mouse.move(x, y)
        said = " ".join(tooltip.inner_text().split()) if tooltip.is_visible() else ""
        return (label or station.address) in said.replace("\u2060", "")

    wait_until(is_labelled, 30)
    return _find_pixel(get_map(page), (station.latitude, station.longitude), centre, radius_km)


def click_on_map(visit: Visit, station: KnownStation, centre: Point, radius_km: float, label: str = "") -> None:
    """Click on a station of the map until the browser tells the app of it.

    The map takes a press of more than a quarter of a second for no click, and on a busy machine any is one.
    """
    told = visit.map_clicks

    def is_told() -> bool:
        visit.page.mouse.click(*point_at(visit.page, station, centre, radius_km, label))
        return comes_true(lambda: visit.page.evaluate("true") and visit.map_clicks > told, 2)

    wait_until(is_told, 30)


def _find_pixel(chart: Locator, point: Point, centre: Point, radius_km: float) -> Point:
    box = chart.locator("canvas").first.bounding_box()
    assert box is not None
    zoom = log2(40_075 * cos(radians(centre[0])) / (2 * radius_km) * 300 / 512)  # a circle of 300 pixels
    x, y = _project(*point, zoom)
    centre_x, centre_y = _project(*centre, zoom)
    return box["x"] + box["width"] / 2 + x - centre_x, box["y"] + box["height"] / 2 + y - centre_y


def _project(latitude: float, longitude: float, zoom: float) -> Point:
    """Return where a point lies on the map of the world at that zoom, in pixels (Web Mercator, tiles of 512)."""
    size = 512 * 2**zoom
    return (longitude + 180) / 360 * size, (1 - ln(tan(pi / 4 + radians(latitude) / 2)) / pi) / 2 * size
