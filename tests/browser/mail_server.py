"""A mail server on loopback, an application that sends its mails there, and what a driver does at its pages."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.controller import Controller
from playwright.sync_api import Locator, Page, expect

from accounts.registration import Registration, confirm, register
from browser.app_process import App, find_free_port, run_app, wait_until
from browser.catalogue import translate
from browser.feeds import KnownStation
from browser.visit import get_main, settle
from db import begin_writing, open_engine
from settings import Settings
from stations.favourites import add_favourite

PASSWORD = "correct horse battery"
COOKIE = "carburoam_login"
MAIL_SECONDS = 30.0


class Mailbox:
    """What the mail server was handed, until it is read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unread: list[EmailMessage] = []

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802
        mail = message_from_bytes(envelope.content, policy=policy.default)  # type: ignore[attr-defined]
        assert isinstance(mail, EmailMessage)
        with self._lock:
            self._unread.append(mail)
        return "250 OK"

    def read(self, recipient: str) -> EmailMessage:
        """Return the oldest mail to an address that was not read yet; wait for it."""
        found: list[EmailMessage] = []

        def take() -> bool:
            with self._lock:
                found.extend([mail for mail in self._unread if mail["To"] == recipient][:1])
                self._unread = [mail for mail in self._unread if mail not in found]
            return bool(found)

        wait_until(take, MAIL_SECONDS, lambda: f"no mail to {recipient}, but {self.list_unread()}")
        return found[0]

    def list_unread(self) -> list[tuple[str, str]]:
        """Return recipient and subject of each mail that was not read."""
        with self._lock:
            return [(str(mail["To"]), str(mail["Subject"])) for mail in self._unread]


@contextmanager
def run_mail_server() -> Iterator[tuple[Mailbox, str]]:
    """Run a mail server until the end of the block; give what it got, and its URL."""
    mailbox, port = Mailbox(), find_free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield mailbox, f"smtp://127.0.0.1:{port}"
    finally:
        controller.stop()


@contextmanager
def run_mailing_app(state_dir: Path, feed_url: str, smtp_url: str) -> Iterator[App]:
    """Run the application until the end of the block, with a mail server."""
    with run_app(state_dir, feed_url, CARBUROAM_SMTP_URL=smtp_url) as app:
        yield app


def read_code(mail: EmailMessage) -> str:
    """Return the code in a mail, which stands alike in its text and its HTML."""
    text, html = read_mail(mail), mail.get_body(("html",))
    match = re.search(r"^([A-Z0-9]{8})$", text, re.MULTILINE)
    assert match is not None, text
    assert html is not None
    assert match[1] in html.get_content()
    return match[1]


def read_mail(mail: EmailMessage) -> str:
    """Return the plain text of a mail."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def add_driver(app: App, username: str, *, language: str = "fr") -> int:
    """Open an account in the database of the app, past its pages, and return the id."""
    settings = Settings(state_dir=app.state_dir)
    engine = open_engine(settings.database)
    form = Registration(username, f"{username}@mailbox.org", username.title(), PASSWORD, language=language)
    opening = register(engine, settings, os.urandom(32), form, address=None, now=datetime.now(UTC))
    with begin_writing(engine) as connection:  # as a mail would have done later
        confirm(connection, opening.user_id, datetime.now(UTC))
    engine.dispose()
    return opening.user_id


def keep_stations(app: App, user_id: int, stations: Iterable[KnownStation]) -> None:
    """Keep stations for a driver in the database of the app, past its pages, each under the name that is offered."""
    engine = open_engine(Settings(state_dir=app.state_dir).database)
    with begin_writing(engine) as connection:
        for station in stations:
            add_favourite(connection, user_id, station.id, "", datetime.now(UTC))
    engine.dispose()


def get_field(page: Page, label: str) -> Locator:
    """Return the field of that label on the page."""
    return get_main(page).get_by_label(label, exact=True)


def press(page: Page, label: str) -> None:
    """Press a button of the page itself, once nothing is being drawn any more."""
    settle(page)
    get_main(page).get_by_role("button", name=label).click()


def fill_in(page: Page, language: str, **texts: str) -> None:
    """Type into fields, each named by its English label with underscores for spaces."""
    for name, text in texts.items():
        get_field(page, translate(LABELS[name], language)).fill(text)


LABELS = {
    "username": "Username",
    "name": "Name",
    "email": "E-mail",
    "password": "Password",
    "login": "Username or e-mail",
    "code": "Code",
    "new_password": "New password",
    "old_password": "Current password",
    "new_email": "New e-mail",
    "own_password": "Your password",
    "email_code": "Code mailed to the new address",
}


def log_in(page: Page, language: str, name: str, password: str = PASSWORD, *, is_lasting: bool = False) -> None:
    """Fill in the form of the log-in page and send it."""
    settle(page)
    fill_in(page, language, login=name, password=password)
    if is_lasting:
        box = get_main(page).get_by_test_id("stCheckbox")
        box.locator("label").click()
        expect(box.get_by_role("checkbox")).to_be_checked()
    press(page, translate("Log in", language))


def say(page: Page, english: str, language: str, **values: object) -> None:
    """Wait until a sentence stands on the page."""
    said = get_main(page).get_by_text(translate(english, language).format(**values))
    expect(said.filter(visible=True)).to_be_visible()  # what was said in another tab may not be gone yet


def expect_title(page: Page, english: str, language: str) -> None:
    """Wait for a page of that title."""
    expect(page.get_by_role("heading", level=1, name=translate(english, language), exact=True)).to_be_visible()
    settle(page)


def expect_cookie(page: Page, *, is_there: bool = True) -> dict[str, object]:
    """Wait until the browser has the cookie of a log-in, or has none, and return it."""

    def find() -> list[dict[str, object]]:
        return [dict(cookie) for cookie in page.context.cookies() if cookie["name"] == COOKIE]

    wait_until(lambda: page.evaluate("true") and bool(find()) == is_there, 30, lambda: str(page.context.cookies()))
    return find()[0] if is_there else {}


def log_out(page: Page, language: str) -> None:
    """Log out by the button on the profile."""
    settle(page)
    page.get_by_role("tab", name=translate("Access", language), exact=True).click()
    get_main(page).get_by_role("button", name=translate("Log out", language), exact=True).click()
