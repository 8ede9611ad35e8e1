"""The admin's page in a real browser: named by the command, load, lock a driver, take a backup."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Download, Page, expect

from browser.admin_pages import find_account, grant, log_in_at, open_section, walk_as_admin
from browser.app_process import App, run_app, wait_until
from browser.mail_server import PASSWORD, add_driver, expect_title, press
from browser.test_looks import expect_sound_layout
from browser.visit import Look, Open, get_main, settle


@pytest.fixture(scope="module")
def admin_app(browser: Browser, known_feed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An application of its own: its drivers are locked and its runs counted."""
    with run_app(tmp_path_factory.mktemp("admin"), str(known_feed)) as app:
        yield app


def confirm(page: Page, first: str, second: str) -> None:
    """Press a button, and then the one that it opens."""
    press(page, first)
    page.get_by_role("button", name=second, exact=True).click()


def spoil_backup(app: App, *pages: Page) -> None:
    """Try to spend the link of a backup: as nobody, from another's browser, and by its owner's HEAD."""
    owner = pages[-1]
    path = get_main(owner).get_by_role("link", name="Download the backup").get_attribute("href")
    assert path is not None
    url = f"{app.url}/{path.removeprefix(app.url).lstrip('/')}"
    for page in pages:
        head = page.context.request.head(url)
        assert (head.status, head.headers["allow"]) == (405, "GET")
    assert requests.get(url, timeout=60).status_code == 404
    for page in pages[:-1]:
        assert page.context.request.get(url).status == 404


def test_an_admin_loads_locks_and_takes_a_backup(admin_app: App, visit: Open, tmp_path: Path) -> None:
    app = admin_app
    for name in ("ada", "bob"):
        add_driver(app, name, language="en")
    refused = grant(app, "nobody@mailbox.org")
    assert (refused.returncode, refused.stderr) == (
        1,
        f"accounts.admin: no account has the address nobody@mailbox.org in sqlite:///{app.state_dir / 'db.sqlite3'}\n",
    )
    assert grant(app, "ada@mailbox.org").returncode == 0

    bob = log_in_at(visit, app, "bob", Look(language="en"))
    for path in ("/admin", "/nowhere"):
        bob.show("/profile")
        expect_title(bob.page, "Your profile", "en")
        bob.show(path)
        expect_title(bob.page, "My stations", "en")
    expect(bob.page.get_by_text("Administration")).to_have_count(0)
    bob.show("/profile")
    expect_title(bob.page, "Your profile", "en")

    ada = log_in_at(visit, app, "ada", Look(language="en"))
    page = ada.page
    page.get_by_role("link", name="Administration").click()
    expect_title(page, "Administration", "en")
    runs = len(app.query("SELECT 1 FROM etl_runs WHERE finished_at IS NOT NULL"))
    confirm(page, "Load now", "Yes, load now")
    expect(get_main(page).get_by_text("A load was started.")).to_be_visible()
    wait_until(lambda: len(app.query("SELECT 1 FROM etl_runs WHERE finished_at IS NOT NULL")) == runs + 1, 60)
    expect(get_main(page).get_by_test_id("stTable").get_by_text("unchanged")).to_be_visible()

    confirm(page, "Stop", "Yes, stop it")
    expect(get_main(page).get_by_text("It does not run; the next visit starts it when a load is due.")).to_be_visible()
    (app.state_dir / "pid.txt").write_text("999999999\n")
    confirm(page, "Remove pid.txt", "Yes, remove it")
    expect(get_main(page).get_by_text("pid.txt was removed.")).to_be_visible()

    open_section(page, "People", "en")
    ada.wait_for_answers()
    page.reload()
    expect(get_main(page).get_by_role("heading", name="Find an account")).to_be_visible()
    open_section(page, "Audit", "en")
    page.go_back()
    expect(get_main(page).get_by_role("heading", name="Find an account")).to_be_visible()
    settle(page)
    find_account(page, "bob@", "en")
    confirm(page, "Lock", "Yes, lock it")
    expect(get_main(page).get_by_text("The account is locked.")).to_be_visible()
    bob.wait_for_answers()
    bob.page.reload()
    expect_title(bob.page, "This page needs an account", "en")

    open_section(page, "Database", "en")
    get_main(page).get_by_label("Password", exact=True).fill(PASSWORD)
    press(page, "Make a backup")
    spoil_backup(app, bob.page, page)
    downloads: list[Download] = []
    # In a tab of its own, which is closed as soon as the browser knows that it is a file; either may tell of it.
    page.on("download", lambda one: downloads.append(one))
    page.context.on("page", lambda tab: tab.on("download", lambda one: downloads.append(one)))
    get_main(page).get_by_role("link", name="Download the backup").click()
    wait_until(lambda: page.evaluate("true") and downloads, 30)
    expect(get_main(page).get_by_role("link", name="Download the backup")).to_have_count(0)
    path = tmp_path / "backup.sqlite3"
    downloads[0].save_as(path)
    with closing(sqlite3.connect(path)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert copy.execute("SELECT count(*) FROM stations").fetchall() == app.query("SELECT count(*) FROM stations")
        assert copy.execute("SELECT username FROM users ORDER BY id").fetchall() == [("ada",), ("bob",)]
    assert not list(app.state_dir.glob("*backup-*"))
    actions = ["grant", "load", "stop", "remove_pid", "lock", "backup", "download_backup"]
    assert app.query("SELECT action FROM audit ORDER BY id") == [(action,) for action in actions]
    # For the tab, an answer that is saved was never shown.
    ada.problems[:] = [one for one in ada.problems if "/backup/" not in one or "ERR_ABORTED" not in one]


@pytest.mark.parametrize(("width", "theme", "language"), [(1280, "light", "en"), (390, "dark", "fr")])
def test_its_sections_fit(admin_app: App, visit: Open, width: int, theme: str, language: str) -> None:
    for seen, section in walk_as_admin(admin_app, visit, Look(width, theme, "fr"), language):
        expect_sound_layout(seen.page)
        seen.keep_screenshot(f"admin-{section}-{width}-{theme}", whole=True)
