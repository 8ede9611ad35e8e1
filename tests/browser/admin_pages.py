"""The sections of the admin's page, one after the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from browser.app_process import App, make_environment
from browser.catalogue import translate
from browser.mail_server import add_driver, expect_cookie, expect_title, log_in
from browser.visit import Look, Open, Visit, get_main, settle
from settings import ROOT

SECTIONS = ("Loads", "Outputs", "People", "Mails", "Data", "Database", "Audit")
ADMIN = "grace"


def grant(app: App, email: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "accounts.admin", "grant", email],
        cwd=ROOT,
        env=make_environment(app.state_dir, ""),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def log_in_at(visit: Open, app: App, name: str, look: Look) -> Visit:
    seen = visit(app, "/login", look)
    log_in(seen.page, look.language, name)
    expect_title(seen.page, "My stations", look.language)
    expect_cookie(seen.page)
    return seen


def open_section(page: Page, english: str, language: str) -> None:
    """Open a section, and wait until the address names it: a reload or going back any earlier would not know of it."""
    settle(page)
    get_main(page).get_by_role("radio", name=translate(english, language), exact=True).click()
    page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("section", ["loads"]) == [english.lower()])
    settle(page)


def find_account(page: Page, text: str, language: str) -> None:
    """Search for an account by a part of its name or address, on the section People."""
    search = get_main(page).get_by_label(translate("Part of a username or an e-mail address", language), exact=True)
    search.fill(text)
    search.press("Enter")
    expect(get_main(page).get_by_text(text).first).to_be_visible()
    settle(page)


def walk_as_admin(app: App, visit: Open, look: Look, language: str) -> Iterator[tuple[Visit, str]]:
    """Go through the sections in a language; give the visit at each, and the name of what is on it."""
    if not app.query("SELECT 1 FROM users WHERE username = ?", ADMIN):
        add_driver(app, ADMIN, language="fr")
        assert grant(app, f"{ADMIN}@mailbox.org").returncode == 0
    seen = log_in_at(visit, app, ADMIN, look)
    seen.open(f"/admin?lang={language.upper()}")
    expect_title(seen.page, "Administration", language)
    for section in SECTIONS:
        open_section(seen.page, section, language)
        yield seen, section.lower()
        if section == "People":
            find_account(seen.page, f"{ADMIN}@", language)
            lock = get_main(seen.page).get_by_role("button", name=translate("Lock", language), exact=True)
            expect(lock).to_be_visible()
            yield seen, "account"
