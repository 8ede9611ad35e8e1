"""What others do to a driver's open tabs, links and cookie, in real browsers on the real server."""

from __future__ import annotations

import http.client
import json
import os
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from accounts.sessions import close_sessions
from browser.app_process import App
from browser.feeds import EAST, WEST
from browser.mail_server import (
    COOKIE,
    add_driver,
    expect_cookie,
    expect_title,
    keep_stations,
    log_in,
    press,
)
from browser.test_looks import expect_sound_layout
from browser.visit import Look, Open, get_main, settle
from db import begin_writing, open_engine
from settings import Settings

LINK = {"carry": "1", "keep": f"{WEST.id},{EAST.id}", "lang": "EN", "fuels": "GPLc", "show": str(EAST.id)}
LOOKS = [Look(390, "light", "fr"), Look(390, "dark", "en"), Look(1280, "light", "en"), Look(1280, "dark", "fr")]
REFUSED = "You are logged out: your log-in is over, or was ended elsewhere. What you just did was not saved."
NOT_COMPARED = {"attempts", "login_sessions"}  # what a log-in itself writes


def log_out_everywhere(app: App, user_id: int) -> None:
    """End every log-in of a driver, as another browser of theirs does."""
    engine = open_engine(Settings(state_dir=app.state_dir).database)
    with begin_writing(engine) as connection:
        close_sessions(connection, user_id)
    engine.dispose()


def read_rows(app: App) -> dict[str, list[tuple[object, ...]]]:
    tables = [str(name) for (name,) in app.query("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: app.query(f'SELECT * FROM "{table}"') for table in tables if table not in NOT_COMPARED}


def list_kept(app: App, user_id: int) -> list[object]:
    query = "SELECT station_id FROM custom_stations WHERE user_id = ? ORDER BY position"
    return [station_id for (station_id,) in app.query(query, user_id)]


def test_a_dialog_of_a_tab_that_was_logged_out_everywhere_adds_nothing_and_says_so(app: App, visit: Open) -> None:
    user_id = add_driver(app, "dora", language="en")
    seen = visit(app, f"/choose?show={EAST.id}", Look(language="en"))
    page = seen.page
    seen.open("/login")
    log_in(page, "en", "dora")
    expect_title(page, "My stations", "en")
    expect_cookie(page)
    seen.open(f"/choose?show={EAST.id}")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Add to my stations")).to_be_visible()
    settle(page)
    log_out_everywhere(app, user_id)
    dialog.get_by_role("button", name="Add to my stations").click()
    expect(get_main(page).get_by_text(REFUSED)).to_be_visible()
    expect(dialog).to_have_count(0)
    expect(page.get_by_test_id("stSidebar").get_by_text("Logged in as")).to_have_count(0)
    assert list_kept(app, user_id) == []
    get_main(page).get_by_role("link", name="Log in again").click()
    expect_title(page, "Log in", "en")
    log_in(page, "en", "dora")
    expect_title(page, "Choose your stations", "en")  # where it happened


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_link_fills_no_list_without_a_click_that_names_its_stations(app: App, visit: Open, look: Look) -> None:
    name = f"link{look.width}{look.theme}"
    user_id = add_driver(app, name, language=look.language)
    link = LINK | {"lang": look.language.upper()}
    seen = visit(app, f"/login?{urlencode(link)}", look)
    page = seen.page
    before = read_rows(app)["custom_stations"]
    log_in(page, look.language, name)
    expect_title(page, "My stations", look.language)
    words = ("Keep these 2 stations", "Yes") if look.language == "en" else ("Garder ces 2 stations", "Oui")
    question = get_main(page).get_by_text(words[0])
    expect(question).to_be_visible()
    assert WEST.town in question.inner_text()
    assert EAST.town in question.inner_text()
    settle(page)
    expect_sound_layout(page)
    seen.keep_screenshot("carry-question", whole=True)
    assert read_rows(app)["custom_stations"] == before
    press(page, words[1])
    expect(question).to_have_count(0)
    assert list_kept(app, user_id) == [WEST.id, EAST.id]
    log_out_everywhere(app, user_id)
    seen.show("/about")
    out = "You are logged out" if look.language == "en" else "Vous êtes déconnecté"
    expect(get_main(page).get_by_text(out)).to_be_visible()
    expect_sound_layout(page)
    seen.keep_screenshot("logged-out-elsewhere")


def test_a_link_that_a_driver_opens_writes_nothing(app: App, visit: Open) -> None:
    user_id = add_driver(app, "lena", language="fr")
    keep_stations(app, user_id, [WEST])
    seen = visit(app, "/login")
    page = seen.page
    log_in(page, "fr", "lena")
    expect_title(page, "My stations", "fr")
    expect_cookie(page)
    before = read_rows(app)
    query = urlencode(LINK | {"q": "Lyon", "section": "people", "code": "AAAAAAAA", "id": str(EAST.id), "radius": "50"})
    for path in ("/", "/dashboard", "/choose", "/station", "/profile", "/login", "/register", "/recover", "/privacy"):
        seen.open(f"{path}?{query}")
        settle(page)
    assert read_rows(app) == before


@pytest.mark.parametrize("is_lasting", [False, True])
def test_the_cookie_ends_with_the_browser_unless_one_stays_logged_in(
    app: App, visit: Open, browser: Browser, *, is_lasting: bool
) -> None:
    name = "stays" if is_lasting else "passes"
    add_driver(app, name, language="en")
    seen = visit(app, "/login", Look(language="en"))
    log_in(seen.page, "en", name, is_lasting=is_lasting)
    expect_title(seen.page, "My stations", "en")
    cookie = expect_cookie(seen.page)
    assert cookie["httpOnly"]
    left = float(str(cookie["expires"])) - datetime.now(UTC).timestamp()
    assert (29.9 * 86_400 < left < 30.1 * 86_400) if is_lasting else cookie["expires"] == -1
    # What a browser keeps when it is closed: the cookies with a date.
    kept: Any = [one for one in seen.context.cookies() if one["expires"] != -1]
    assert (COOKIE in {one["name"] for one in kept}) == is_lasting
    again = visit(app, "/profile", Look(language="en"), storage_state={"cookies": kept, "origins": []})
    expect_title(again.page, "Your profile" if is_lasting else "This page needs an account", "en")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/json"])
def test_the_route_of_the_cookie_takes_nothing_from_others(app: App, kind: str) -> None:
    address = urlsplit(app.url)
    for body in (b'{"token":""}', b'{"token":"x"}', b"token=", os.urandom(64), b"x" * 100_000, b""):
        connection = http.client.HTTPConnection(str(address.hostname), int(address.port or 0), timeout=20)
        headers = {"Content-Type": kind, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        connection.request("POST", "/session-cookie", body, headers)
        answer = connection.getresponse()
        assert answer.status in (403, 413, 415)
        assert not [value for value in answer.headers.get_all("Set-Cookie", []) if COOKIE in value]
        assert "Access-Control-Allow-Origin" not in answer.headers
        connection.close()
    for method in ("GET", "OPTIONS", "PUT", "DELETE"):
        connection = http.client.HTTPConnection(str(address.hostname), int(address.port or 0), timeout=20)
        connection.request(method, "/session-cookie", json.dumps({"token": ""}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert not [value for value in answer.headers.get_all("Set-Cookie", []) if COOKIE in value]
        assert "Access-Control-Allow-Headers" not in answer.headers
        connection.close()
