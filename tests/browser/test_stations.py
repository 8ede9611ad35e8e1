"""Going to a station: from the table, from the map, and by its address."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from browser.app_process import App, run_app
from browser.feeds import EAST, GUERET, WEST
from browser.maps import click_on_map, point_at
from browser.visit import Open, expect_answer, expect_query, expect_station

SEARCH = "/?q=gueret&radius=2"
HEADING = "E10 à moins de 2 km de Guéret (Creuse)"


def test_a_click_in_the_table_leads_to_the_station_in_the_same_tab_and_session(app: App, visit: Open) -> None:
    seen = visit(app, SEARCH)
    page = seen.page
    expect_answer(page, HEADING)
    page.evaluate("window.isSameDocument = true")
    page.get_by_role("link", name=EAST.address).click()
    expect_station(page, EAST.address)
    expect_query(page, id=str(EAST.id))
    assert page.evaluate("window.isSameDocument"), "the page was loaded anew"
    assert seen.context.pages == [page]


def test_a_click_on_the_map_leads_to_the_station_each_time(app: App, visit: Open) -> None:
    seen = visit(app, SEARCH)
    page = seen.page
    expect_answer(page, HEADING)
    click_on_map(seen, WEST, GUERET, 2)
    expect_station(page, WEST.address)
    expect_query(page, id=str(WEST.id))

    page.go_back()
    expect_answer(page, HEADING)
    point_at(page, EAST, GUERET, 2)  # the map is there, and still the page is
    click_on_map(seen, EAST, GUERET, 2)
    expect_station(page, EAST.address)

    page.get_by_role("link", name="Retour aux prix à proximité").click()
    expect_answer(page, HEADING)
    click_on_map(seen, EAST, GUERET, 2)
    expect_station(page, EAST.address)


@pytest.fixture
def restarted(app: App, browser: Browser, known_feed: Path, tmp_path: Path) -> Iterator[App]:
    """An application that has just started, with a database that was there before, and that nobody has asked yet."""
    state_dir = tmp_path / "restarted"
    state_dir.mkdir()
    with (
        closing(sqlite3.connect(app.state_dir / "db.sqlite3")) as old,
        closing(sqlite3.connect(state_dir / "db.sqlite3")) as new,
    ):
        old.backup(new)
    shutil.copy(app.state_dir / "lastjob.txt", state_dir)
    with run_app(state_dir, str(known_feed)) as restarted:
        yield restarted


def test_a_station_opens_by_its_address_on_a_server_that_has_just_started(restarted: App, visit: Open) -> None:
    page = visit(restarted, f"/station?id={WEST.id}").page
    expect_station(page, WEST.address)
    expect(page.get_by_text("Page not found")).to_have_count(0)
