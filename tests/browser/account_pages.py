"""The pages of accounts and the own stations, one after the other as a visitor and a driver see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, Page, expect

from browser.app_process import App
from browser.catalogue import translate
from browser.feeds import EAST, OUTSIDE, WEST
from browser.mail_server import add_driver, expect_cookie, expect_title, fill_in, keep_stations, log_in, press, say
from browser.visit import Look, Open, Visit, get_main, get_table, open_visit, settle

TABS = ("About you", "Vehicle", "Access", "Your data")
OWN = (WEST, EAST, OUTSIDE)
START = "start=gueret"  # of the detours
TRIED = f"/dashboard?keep={','.join(str(station.id) for station in OWN)}&fuels=E10"


def log_in_once(browser: Browser, app: App) -> dict[str, Any]:
    """Open an account that keeps stations, log in, and return what a browser has, as the `storage_state` of visits."""
    keep_stations(app, add_driver(app, "marguerite", language="fr"), OWN)
    seen = open_visit(browser, app.url, Look())
    seen.open("/login")
    log_in(seen.page, "fr", "marguerite", is_lasting=True)
    expect_title(seen.page, "My stations", "fr")
    expect_cookie(seen.page)
    state = dict(seen.context.storage_state())
    seen.wait_for_answers()
    seen.context.close()
    return state


def walk_as_visitor(app: App, visit: Open, look: Look) -> Iterator[tuple[Visit, str]]:
    """Go through what is there without an account; give the visit at each page, and the name of what is on it."""
    language = look.language
    seen = visit(app, "/profile", look)
    page = seen.page
    expect_title(page, "This page needs an account", language)
    yield seen, "visitor"
    seen.show("/login")
    expect_title(page, "Log in", language)
    yield seen, "empty"
    log_in(page, language, f"nobody {look}", "not the password")
    say(page, "This name and this password do not fit together.", language)
    yield seen, "refused"
    seen.show("/register")
    expect_title(page, "Open an account", language)
    yield seen, "empty"
    fill_in(page, language, username="é@", name=" ", email="ada", password="short")
    press(page, translate("Open an account", language))
    say(page, "This is not an e-mail address.", language)
    yield seen, "wrong"
    seen.show("/recover")
    expect_title(page, "Forgotten username or password", language)
    yield seen, "empty"
    fill_in(page, language, login=f"nobody {look}")
    press(page, translate("Mail me a code", language))
    say(page, "If there is an account of that name, a code was mailed to its address.", language)
    yield seen, "code"
    fill_in(page, language, code="AAAAAAAA", new_password="short")
    press(page, translate("Set the new password", language))
    settle(page)
    yield seen, "wrong"
    seen.show("/privacy")
    expect_title(page, "What is kept about you, and why", language)
    yield seen, "visitor"
    seen.show("/dashboard")
    expect_own_stations(page, language, count=0)
    yield seen, "empty"
    seen.open(f"{TRIED}&{START}")  # anew: a session that has begun goes by its own stations
    expect_own_stations(page, language, count=len(OWN))
    yield seen, "tried"


def walk_as_driver(app: App, visit: Open, look: Look, logged_in: dict[str, Any]) -> Iterator[tuple[Visit, str]]:
    """Go through a driver's own pages, likewise."""
    language = look.language
    seen = visit(app, f"/profile?lang={language.upper()}", look, storage_state=logged_in)
    page = seen.page
    expect_title(page, "Your profile", language)
    for tab in TABS:
        open_tab(page, tab, language)
        yield seen, tab.lower().replace(" ", "-")
    open_tab(page, "About you", language)
    fill_in(page, language, name=" ", username="é@")
    press(page, translate("Save", language))
    say(page, "Please give a name of at most 80 characters.", language)
    yield seen, "about-you-wrong"
    open_tab(page, "Vehicle", language)
    press(page, translate("Save", language))
    say(page, "Saved.", language)
    yield seen, "saved"
    open_tab(page, "Access", language)
    fill_in(page, language, new_email="ada")
    press(page, translate("Change the address", language))
    say(page, "This is not an e-mail address.", language)
    yield seen, "access-wrong"
    seen.show(f"/?{START}")
    expect_own_stations(page, language, count=len(OWN))
    yield seen, "kept"


def expect_own_stations(page: Page, language: str, *, count: int) -> None:
    """Wait for the page of the own stations with so many of them, and for the detours to them."""
    expect_title(page, "My stations", language)
    tables = get_main(page).get_by_test_id("stTable")
    if count == 0:
        expect(tables).to_have_count(0)
        return
    expect(get_table(page).locator("tbody tr")).to_have_count(count)
    expect(get_main(page).get_by_text(translate("nearest", language), exact=True)).to_be_visible()
    settle(page)


def open_tab(page: Page, english: str, language: str) -> None:
    page.get_by_role("tab", name=translate(english, language), exact=True).click()
    settle(page)
