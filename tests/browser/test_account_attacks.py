"""What a visitor tries who is not logged in: the address of a private page, cookies of others, and made-up ones."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import jwt
import pytest
from playwright.sync_api import Browser, Page, expect

from browser.app_process import App, run_app, wait_until
from browser.mail_server import (
    COOKIE,
    PASSWORD,
    add_driver,
    expect_cookie,
    expect_title,
    fill_in,
    get_field,
    log_in,
    log_out,
    press,
)
from browser.visit import Look, Open, Visit, get_main

ENGLISH = Look(language="en")
NEEDS_ACCOUNT = "This page needs an account"
FIRST_TITLE = "What does fuel cost near you?"
# Said to a page that was open.
ENDED = {"logout", "You are logged out: your log-in is over, or was ended elsewhere. What you just did was not saved."}
FAREWELL = "Your account is deleted, and all that was kept with it. Safe travels!"
ICONS = {"login", "person_add"}  # words of the font of icons


@pytest.fixture
def cold(app: App, browser: Browser, known_feed: Path, tmp_path: Path) -> Iterator[App]:
    """An application that has just started, with accounts in its database, and that nobody has asked yet."""
    add_driver(app, "cold", language="en")
    state_dir = tmp_path / "cold"
    state_dir.mkdir()
    with (
        closing(sqlite3.connect(app.state_dir / "db.sqlite3")) as old,
        closing(sqlite3.connect(state_dir / "db.sqlite3")) as new,
    ):
        old.backup(new)
    shutil.copy(app.state_dir / "lastjob.txt", state_dir)
    with run_app(state_dir, str(known_feed)) as cold:
        yield cold


def expect_logged_out(page: Page) -> None:
    """Wait for the profile's answer to a visitor, in which nothing of a profile is."""
    expect_title(page, NEEDS_ACCOUNT, "en")
    assert set(filter(None, get_main(page).inner_text().split("\n"))) - ICONS - ENDED == {
        NEEDS_ACCOUNT,
        "Log in, or open an account: it is free and takes a minute.",
        "Log in",
        "Open an account",
    }
    expect(get_main(page).get_by_role("textbox")).to_have_count(0)
    expect(get_main(page).get_by_role("tab")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_test_id("stSidebar").get_by_text("Logged in as")).to_have_count(0)


def log_in_fresh(app: App, visit: Open, username: str) -> tuple[Visit, dict[str, Any]]:
    """Log a new driver in, and return the visit, on the profile, and its cookie."""
    add_driver(app, username, language="en")
    seen = visit(app, "/profile", ENGLISH)
    get_main(seen.page).get_by_role("link", name="Log in").click()
    expect_title(seen.page, "Log in", "en")
    log_in(seen.page, "en", username)
    expect_title(seen.page, "Your profile", "en")
    return seen, expect_cookie(seen.page)


def open_with_cookie(app: App, visit: Open, value: str) -> Visit:
    """Open the profile in another browser, with a cookie of that value."""
    seen = visit(app, "/privacy", ENGLISH)
    seen.context.add_cookies([{"name": COOKIE, "value": value, "url": app.url, "sameSite": "Strict"}])
    seen.open("/profile")
    return seen


def test_the_address_of_the_profile_on_a_cold_server_shows_nothing_of_it(cold: App, visit: Open) -> None:
    seen = visit(cold, "/profile", ENGLISH)
    page = seen.page
    expect_logged_out(page)
    get_main(page).get_by_role("link", name="Log in").click()
    expect_title(page, "Log in", "en")
    log_in(page, "en", "cold")
    expect_title(page, "Your profile", "en")
    page.wait_for_url("**/profile*", wait_until="commit")
    expect(get_field(page, "Name")).to_have_value("Cold")


def test_the_cookie_is_for_this_site_only_and_goes_on_logging_out(app: App, visit: Open) -> None:
    seen, cookie = log_in_fresh(app, visit, "strict")
    assert cookie["sameSite"] == "Strict"
    assert cookie["path"] == "/"
    assert cookie["httpOnly"]
    assert cookie["expires"] == -1, "it ends with the browser, as nobody asked to stay logged in"
    assert COOKIE not in seen.page.evaluate("document.cookie")
    claims = jwt.decode(cookie["value"], options={"verify_signature": False})
    assert set(claims) == {"username", "exp_date", "is_lasting"}
    assert claims["username"] != "strict"
    log_out(seen.page, "en")
    expect_title(seen.page, FIRST_TITLE, "en")
    expect_cookie(seen.page, is_there=False)
    seen.open("/profile")
    expect_logged_out(seen.page)


@pytest.mark.parametrize("end", ["logged out", "logged out everywhere", "new password", "deleted"])
def test_a_stolen_cookie_is_refused_once_its_session_has_ended(app: App, visit: Open, end: str) -> None:
    username = end.replace(" ", ".")
    seen, cookie = log_in_fresh(app, visit, username)
    page = seen.page
    thief = open_with_cookie(app, visit, cookie["value"])
    expect_title(thief.page, "Your profile", "en")  # it is as good as the browser it was taken from, until then
    if end == "logged out":
        log_out(page, "en")
        expect_title(page, FIRST_TITLE, "en")
    elif end == "logged out everywhere":
        page.get_by_role("tab", name="Access").click()
        press(page, "Log out everywhere")
        expect_title(page, FIRST_TITLE, "en")
    elif end == "new password":
        page.get_by_role("tab", name="Access").click()
        fill_in(page, "en", old_password=PASSWORD, new_password="staple horse battery")
        press(page, "Change the password")
        expect(get_main(page).get_by_text("Saved.")).to_be_visible()
        wait_until(lambda: expect_cookie(page)["value"] != cookie["value"], 30)
        expect(get_main(page).get_by_text("Saved.")).to_be_visible()  # still, though the cookie was written
        seen.open("/profile")
        expect_title(page, "Your profile", "en")  # this browser stays logged in
    else:
        page.get_by_role("tab", name="Your data").click()
        fill_in(page, "en", password=PASSWORD)
        press(page, "Delete my account")
        expect(get_main(page).get_by_text(FAREWELL)).to_be_visible()
    get_field(thief.page, "Name").fill("Eve")
    press(thief.page, "Save")  # the page that is open
    expect_logged_out(thief.page)
    thief.open("/profile")  # and a new one
    expect_logged_out(thief.page)
    assert app.query("SELECT 1 FROM users WHERE name = 'Eve'") == []


def test_made_up_cookies_are_as_good_as_none(app: App, visit: Open) -> None:
    _, cookie = log_in_fresh(app, visit, "mallory")
    good = jwt.decode(cookie["value"], options={"verify_signature": False})
    key = (app.state_dir / "secret.key").read_text(encoding="ascii").strip()
    head, claims, signature = cookie["value"].split(".")
    assert jwt.encode(good, key, algorithm="HS256") == cookie["value"]  # so that all below are refused for one reason
    made_up = {
        "another key": jwt.encode(good, "k" * 64, algorithm="HS256"),
        "alg none": jwt.encode(good, None, algorithm="none"),
        "another algorithm": jwt.encode(good, key, algorithm="HS512"),
        "no signature": f"{head}.{claims}.",
        "another's claims": f"{head}.{jwt.encode(good | {'username': '0' * 64}, key).split('.')[1]}.{signature}",
        "garbage": "garbage",
        "much garbage": "%00%ff" * 300,
        "no fields": jwt.encode({}, key, algorithm="HS256"),
        "no date": jwt.encode({"username": good["username"]}, key, algorithm="HS256"),
        "a date that is none": jwt.encode(good | {"exp_date": "tomorrow"}, key, algorithm="HS256"),
        "expired": jwt.encode(good | {"exp_date": 1_600_000_000}, key, algorithm="HS256"),
        "no name": jwt.encode({"exp_date": good["exp_date"]}, key, algorithm="HS256"),
        "a name that is none": jwt.encode(good | {"username": {"a": 1}}, key, algorithm="HS256"),
        "the username": jwt.encode(good | {"username": "mallory"}, key, algorithm="HS256"),
        "an unknown session": jwt.encode(good | {"username": secrets.token_hex(32)}, key, algorithm="HS256"),
        "SQL": jwt.encode(good | {"username": "' OR 1=1 --"}, key, algorithm="HS256"),
    }
    seen = open_with_cookie(app, visit, "")
    for name, value in made_up.items():
        seen.context.add_cookies([{"name": COOKIE, "value": value, "url": app.url, "sameSite": "Strict"}])
        seen.open("/profile")
        expect_logged_out(seen.page)
        assert name
    seen.context.add_cookies([{"name": COOKIE, "value": cookie["value"], "url": app.url, "sameSite": "Strict"}])
    seen.open("/profile")
    expect_title(seen.page, "Your profile", "en")
    log = (app.state_dir / "app.log").read_text()
    assert "Traceback" not in log
