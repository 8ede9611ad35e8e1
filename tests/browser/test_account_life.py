"""The life of an account in real browsers, with the mails that a real mail server was handed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.app_process import App
from browser.catalogue import find_foreign, read_page, translate
from browser.exports import require_own
from browser.feeds import WEST
from browser.mail_server import (
    PASSWORD,
    Mailbox,
    add_driver,
    expect_cookie,
    expect_title,
    fill_in,
    get_field,
    keep_stations,
    log_in,
    log_out,
    press,
    read_code,
    read_mail,
    run_mail_server,
    run_mailing_app,
    say,
)
from browser.test_looks import expect_sound_layout
from browser.visit import Look, Open, Visit, get_main, get_pill, settle

NEW_PASSWORD = "staple horse battery"
NOTICED_MS = 100  # what is on the screen for less, nobody reads
# Notes when each title and each entry of the navigation is first seen, in milliseconds of the page load.
WATCH_TEXTS = """
  window.firstSeen = {}
  const look = () => {
    for (const one of document.querySelectorAll("h1, [data-testid=stSidebarNav] a"))
      if (one.checkVisibility()) window.firstSeen[one.innerText.trim().split("\\n").pop()] ??= performance.now()
    requestAnimationFrame(look)
  }
  look()
"""


@pytest.fixture(scope="module")
def post(browser: Browser) -> Iterator[tuple[Mailbox, str]]:
    """A mail server, and its URL."""
    with run_mail_server() as (mailbox, url):
        yield mailbox, url


@pytest.fixture(scope="module")
def mailing_app(post: tuple[Mailbox, str], known_feed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with run_mailing_app(tmp_path_factory.mktemp("mailing"), str(known_feed), post[1]) as app:
        yield app


@pytest.fixture
def mailbox(post: tuple[Mailbox, str]) -> Iterator[Mailbox]:
    """The mailbox of everybody; a test reads every mail that it causes."""
    yield post[0]
    assert post[0].list_unread() == []


def look(seen: Visit, name: str) -> None:
    """Look over a page: nothing is cut, nothing is in the other language; keep its picture."""
    expect_sound_layout(seen.page)
    assert find_foreign(read_page(seen.page), seen.look.language) == []
    seen.keep_screenshot(f"account-{name}", whole=True)


def expect_first_page(page: Page, language: str) -> None:
    """Wait for the page at which visitors begin."""
    expect_title(page, "What does fuel cost near you?", language)


def open_tab(page: Page, english: str, language: str) -> None:
    page.get_by_role("tab", name=translate(english, language), exact=True).click()
    settle(page)


def test_register_confirm_log_in_and_stay(mailing_app: App, visit: Open, mailbox: Mailbox) -> None:
    seen = visit(mailing_app, "/register", Look(width=390))
    page = seen.page
    expect_title(page, "Open an account", "fr")
    look(seen, "empty")
    assert sorted(get_main(page).locator("[data-selected=true]").all_inner_texts()) == ["E10", "Gazole", "SP95"]

    fill_in(page, "fr", username="é@", name=" ", email="ada", password="short")
    press(page, translate("Open an account", "fr"))
    say(page, "This is not an e-mail address.", "fr")
    settle(page)
    order = ["Identifiant", "De 3 à 30 lettres", "Nom", "80 caractères au plus", "E-mail", "pas une adresse e-mail"]
    order += ["Mot de passe", "Au moins 10 caractères", "Carburants suivis"]
    assert re.search(".*".join(order), get_main(page).inner_text(), re.DOTALL), "an error is not right below its field"
    look(seen, "wrong")
    assert not mailing_app.query("SELECT 1 FROM users")

    fill_in(page, "fr", username="ada", email="ada@mailbox.org", name="Ada Lovelace", password=PASSWORD)
    press(page, translate("Open an account", "fr"))
    expect(get_field(page, translate("Code", "fr"))).to_be_visible()
    look(seen, "code")
    mail = mailbox.read("ada@mailbox.org")
    assert mail["Subject"] == translate("Your code for Carburoam", "fr")
    assert "Ada" not in read_mail(mail), "words of a stranger's form are mailed"
    fill_in(page, "fr", code="AAAAAAAA")
    press(page, translate("Confirm", "fr"))
    say(page, "This code is wrong or has expired. A code expires after 15 minutes or 5 tries.", "fr")
    code = read_code(mail)
    fill_in(page, "fr", code=f" {code[:4].lower()}-{code[4:]} ")
    press(page, translate("Confirm", "fr"))
    expect_title(page, "My stations", "fr")

    first = expect_cookie(page)
    seen.show("/profile")
    expect_title(page, "Your profile", "fr")
    log_out(page, "fr")
    expect_cookie(page, is_there=False)
    expect_first_page(page, "fr")
    seen.show("/profile")
    expect_title(page, "This page needs an account", "fr")
    look(seen, "visitor")
    get_main(page).get_by_role("link", name=translate("Log in", "fr")).click()
    expect_title(page, "Log in", "fr")
    look(seen, "empty")
    log_in(page, "fr", "ada", "not the password")
    say(page, "This name and this password do not fit together.", "fr")
    look(seen, "refused")
    log_in(page, "fr", "ADA")
    expect_title(page, "Your profile", "fr")  # where the visitor came from
    assert expect_cookie(page)["value"] != first["value"]
    log_out(page, "fr")
    expect_cookie(page, is_there=False)
    expect_first_page(page, "fr")
    seen.show("/profile")
    get_main(page).get_by_role("link", name=translate("Log in", "fr")).click()
    expect_title(page, "Log in", "fr")
    log_in(page, "fr", "Ada@mailbox.org", is_lasting=True)
    expect_title(page, "Your profile", "fr")
    cookie = expect_cookie(page)
    now = page.evaluate("Date.now() / 1000")
    assert 29.9 < (float(str(cookie["expires"])) - now) / 86_400 < 30.1
    for tab in ("About you", "Vehicle", "Access", "Your data"):
        open_tab(page, tab, "fr")
        look(seen, tab.lower().replace(" ", "-"))
    page.get_by_role("link", name=translate("What is kept about you, and why", "fr")).click()
    expect_title(page, "What is kept about you, and why", "fr")
    look(seen, "logged-in")


def test_a_reload_stays_logged_in_and_never_shows_the_logged_out_page(mailing_app: App, visit: Open) -> None:
    add_driver(mailing_app, "flo")
    seen = visit(mailing_app, "/login")
    page = seen.page
    log_in(page, "fr", "flo")
    expect_title(page, "My stations", "fr")
    expect_cookie(page)
    page.add_init_script(WATCH_TEXTS)
    for _ in range(3):
        seen.open("/profile")
        expect_title(page, "Your profile", "fr")
        times = page.evaluate("window.firstSeen")
        print({text: round(ms) for text, ms in times.items()})  # noqa: T201 - how long a reload takes, for pytest -s
        assert translate("This page needs an account", "fr") not in times
        if (logged_out_ms := times.get(translate("Log in", "fr"))) is not None:
            assert times[translate("Your profile", "fr")] - logged_out_ms < NOTICED_MS
    seen.keep_screenshot("account-reloaded")


@pytest.mark.parametrize("is_new", [True, False], ids=["by the form", "by the cookie"])
def test_logging_in_runs_no_page_of_itself(app: App, visit: Open, logged_in: dict[str, Any], *, is_new: bool) -> None:
    if is_new:
        add_driver(app, "annie", language="en")
        seen = visit(app, "/login", Look(language="en"))
        log_in(seen.page, "en", "annie")
    else:
        seen = visit(app, "/", Look(language="en"), storage_state=logged_in)
    settle(seen.page)
    expect_cookie(seen.page)
    seen.wait_for_answers()
    expect(seen.page.get_by_test_id("stCustomComponentV1")).to_have_count(0)
    assert seen.page_runs == (2 if is_new else 1), "opening the page, and the press of a button"


def test_fields_show_what_is_kept_however_soon_the_cookie_is_found(
    app: App, visit: Open, logged_in: dict[str, Any]
) -> None:
    for _ in range(3):
        seen = visit(app, "/profile?lang=EN", Look(language="en"), storage_state=logged_in)
        expect_title(seen.page, "Your profile", "en")
        expect(seen.page.get_by_role("radio", name="EN", exact=True)).to_be_checked()
        open_tab(seen.page, "Vehicle", "en")
        chosen = get_main(seen.page).get_by_test_id("stButtonGroup").locator("[data-selected=true]")
        assert chosen.all_inner_texts() == ["E10", "Gazole", "SP95"]


def test_forgotten_username_and_password(mailing_app: App, visit: Open, mailbox: Mailbox) -> None:
    add_driver(mailing_app, "grace", language="en")
    first, second = (visit(mailing_app, "/login", Look(language="en", width=width)) for width in (1280, 390))
    for seen in (first, second):
        log_in(seen.page, "en", "grace", is_lasting=True)
        expect_title(seen.page, "My stations", "en")
        expect_cookie(seen.page)
        seen.show("/profile")
        expect_title(seen.page, "Your profile", "en")

    third = visit(mailing_app, "/login", Look(language="en", width=390))
    page = third.page
    page.get_by_role("link", name="Forgotten username or password?").click()
    expect_title(page, "Forgotten username or password", "en")
    look(third, "empty")
    for address in ("nobody@mailbox.org", "grace@mailbox.org"):
        fill_in(page, "en", email=address)
        press(page, "Mail me my username")
        say(page, "If there is an account with that address, its username was mailed to it.", "en")
        settle(page)
    mail = mailbox.read("grace@mailbox.org")
    assert mail["Subject"] == "Your username at Carburoam"
    assert "Hello Grace, your username is: grace\n" in read_mail(mail)

    fill_in(page, "en", login="grace")
    press(page, "Mail me a code")
    say(page, "If there is an account of that name, a code was mailed to its address.", "en")
    code = read_code(mailbox.read("grace@mailbox.org"))
    fill_in(page, "en", code=code, new_password="grace password")
    press(page, "Set the new password")
    say(page, "The password must not hold your username.", "en")
    look(third, "password")
    fill_in(page, "en", code="AAAAAAAA", new_password=NEW_PASSWORD)
    press(page, "Set the new password")
    say(page, "This code is wrong or has expired. A code expires after 15 minutes or 5 tries.", "en")
    expect(get_main(page).get_by_text("must not hold your username")).to_have_count(0)
    fill_in(page, "en", code=code, new_password=NEW_PASSWORD)
    press(page, "Set the new password")
    say(page, "Your new password is set and you are logged in. Every other browser is logged out.", "en")
    expect_cookie(page)
    assert mailbox.read("grace@mailbox.org")["Subject"] == "Your password at Carburoam was changed"

    press(page, "Go on")
    expect_title(page, "My stations", "en")
    third.show("/profile")
    expect_title(page, "Your profile", "en")
    log_out(page, "en")
    expect_first_page(page, "en")
    third.show("/profile")
    get_main(page).get_by_role("link", name="Log in").click()
    expect_title(page, "Log in", "en")
    log_in(page, "en", "grace")
    say(page, "This name and this password do not fit together.", "en")
    log_in(page, "en", "grace", NEW_PASSWORD)
    expect_title(page, "Your profile", "en")

    fill_in(first.page, "en", name="Eve")
    press(first.page, "Save")  # the open page of the old log-in
    expect_title(first.page, "This page needs an account", "en")
    assert mailing_app.query("SELECT name FROM users WHERE username = 'grace'") == [("Grace",)]
    expect_cookie(second.page)
    second.open("/profile")  # a new page with its cookie
    expect_title(second.page, "This page needs an account", "en")


def test_names_address_password_export_and_leaving(mailing_app: App, visit: Open, mailbox: Mailbox) -> None:
    add_driver(mailing_app, "alan")
    seen = visit(mailing_app, "/login")
    page = seen.page
    log_in(page, "fr", "alan")
    expect_title(page, "My stations", "fr")
    expect_cookie(page)
    seen.show("/profile")
    expect_title(page, "Your profile", "fr")

    fill_in(page, "fr", name=" ", username="alan.turing")
    press(page, translate("Save", "fr"))
    say(page, "Please give a name of at most 80 characters.", "fr")
    expect(page.get_by_test_id("stSidebar").get_by_text("alan.turing")).to_be_visible()  # at once
    fill_in(page, "fr", name="Alan  M. Turing")
    press(page, translate("Save", "fr"))
    say(page, "Saved.", "fr")
    assert mailing_app.query("SELECT name FROM users WHERE username = 'alan.turing'") == [("Alan M. Turing",)]

    open_tab(page, "Vehicle", "fr")
    get_main(page).get_by_text("E85", exact=True).click()
    get_field(page, translate("Litres per 100 km", "fr")).fill("6.5")
    press(page, translate("Save", "fr"))
    say(page, "Saved.", "fr")

    open_tab(page, "Access", "fr")
    fill_in(page, "fr", new_email="alan@")
    press(page, translate("Change the address", "fr"))
    say(page, "This is not an e-mail address.", "fr")
    fill_in(page, "fr", new_email="alan@elsewhere.org", own_password="not the password")
    press(page, translate("Change the address", "fr"))
    say(page, "This is not your password.", "fr")
    fill_in(page, "fr", own_password=PASSWORD)
    press(page, translate("Change the address", "fr"))
    code = read_code(mailbox.read("alan@elsewhere.org"))
    fill_in(page, "fr", email_code=code)
    look(seen, "new-address")
    expect(get_main(page).get_by_text("alan@mailbox.org", exact=True)).to_be_visible()  # until it is confirmed
    press(page, translate("Confirm", "fr"))
    expect(get_main(page).get_by_text("alan@elsewhere.org", exact=True)).to_be_visible()
    notice = mailbox.read("alan@mailbox.org")
    assert notice["Subject"] == translate("Your address at Carburoam was changed", "fr")
    assert "alan@elsewhere.org" not in read_mail(notice)

    fill_in(page, "fr", old_password="not the password", new_password=NEW_PASSWORD)
    press(page, translate("Change the password", "fr"))
    say(page, "This is not your password.", "fr")
    fill_in(page, "fr", old_password=PASSWORD, new_password="short")
    press(page, translate("Change the password", "fr"))
    expect(get_main(page).get_by_text("Au moins 10 caractères, quels qu'ils soient.")).to_be_visible()
    page.get_by_role("heading", level=1).scroll_into_view_if_needed()
    look(seen, "access-wrong")
    fill_in(page, "fr", old_password=PASSWORD, new_password=NEW_PASSWORD)
    press(page, translate("Change the password", "fr"))
    assert mailbox.read("alan@elsewhere.org")["Subject"] == translate("Your password at Carburoam was changed", "fr")
    say(page, "Saved.", "fr")  # this browser stays logged in

    open_tab(page, "Your data", "fr")
    [(driver_id,)] = mailing_app.query("SELECT id FROM users WHERE username = 'alan.turing'")
    keep_stations(mailing_app, driver_id, [WEST])  # in another window: the file is made when it is asked for
    with page.expect_download() as download:
        get_main(page).get_by_role("button", name=translate("Download everything held about you", "fr")).click()
    assert download.value.suggested_filename == "carburoam.json"
    require_own(page, download.value)
    export = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert {name: export["account"][name] for name in ("username", "email", "name", "language", "role")} == {
        "username": "alan.turing",
        "email": "alan@elsewhere.org",
        "name": "Alan M. Turing",
        "language": "fr",
        "role": "driver",
    }
    assert sorted(export["fuels_followed"]) == ["E10", "E85", "Gazole", "SP95"]
    assert export["vehicle"] == {"litres_per_100km": 6.5, "km_per_year": None, "tank_litres": None}
    assert [station["station_id"] for station in export["stations_kept"]] == [WEST.id]
    assert len(export["logged_in_browsers"]) == 1
    assert "$2b$" not in json.dumps(export)

    other = seen.context.new_page()
    other.goto(f"{mailing_app.url}/profile")
    expect_title(other, "Your profile", "fr")
    fill_in(page, "fr", password="not the password")
    press(page, translate("Delete my account", "fr"))
    say(page, "This is not your password.", "fr")
    fill_in(page, "fr", password=NEW_PASSWORD)
    press(page, translate("Delete my account", "fr"))
    expect_first_page(page, "fr")
    expect_cookie(page, is_there=False)
    look(seen, "deleted")
    say(page, "Your account is deleted, and all that was kept with it. Safe travels!", "fr")  # not gone with the cookie
    farewell = mailbox.read("alan@elsewhere.org")
    assert farewell["Subject"] == translate("Your account at Carburoam is deleted", "fr")
    get_pill(other, "EN").click()  # the next action of the other tab
    expect_title(other, "This page needs an account", "en")
    say(other, "You are logged out: your log-in is over, or was ended elsewhere.", "en")
    assert "alan" not in read_page(other).lower()
    tables = mailing_app.query("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert not mailing_app.query("SELECT 1 FROM users WHERE username_key LIKE 'alan%'")
    for (table,) in tables:
        columns = [row[1] for row in mailing_app.query(f"PRAGMA table_info({table})")]
        if "user_id" in columns:
            orphans = f"SELECT user_id FROM {table} WHERE user_id NOT IN (SELECT id FROM users)"
            assert mailing_app.query(orphans) == [], table
