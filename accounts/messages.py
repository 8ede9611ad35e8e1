"""What the mails say, in the driver's language, as plain text and as HTML."""

from __future__ import annotations

from datetime import datetime
from html import escape

from sqlalchemy import Connection

from accounts.codes import LIFETIME
from mail import queue_mail
from settings import Settings
from translations import N_, load_catalogue

MINUTES = int(LIFETIME.total_seconds() // 60)

_SIGNATURE = N_("Carburoam, what fuel costs near you: {url}")
_NOT_YOU = N_("If this was not you, you need not do anything.")

# Subject, then paragraphs; {code} stands in a paragraph of its own. Those to an address that was not confirmed hold
# nothing that was typed into the form of registration: else anybody could make us send words of theirs to anyone.
_MESSAGES: dict[str, tuple[str, ...]] = {
    "confirm": (
        N_("Your code for Carburoam"),
        N_("Hello, this code confirms your address and opens your account:"),
        "{code}",
        N_("It is good for {minutes} minutes."),
        _NOT_YOU,
    ),
    "known": (
        N_("You already have an account at Carburoam"),
        N_("Hello {name}, someone, probably you, wanted to open an account with this address."),
        N_("It has one already, with the username {username}. You can log in, or ask for a new password."),
        _NOT_YOU,
    ),
    "username": (
        N_("Your username at Carburoam"),
        N_("Hello {name}, your username is: {username}"),
        _NOT_YOU,
    ),
    "password": (
        N_("Your code for a new password at Carburoam"),
        N_("Hello {name}, with this code you can set a new password:"),
        "{code}",
        N_("It is good for {minutes} minutes. Nobody of Carburoam will ever ask you for it."),
        N_("Type it where you asked for it, or under “I have a code already” at {url}/recover."),
        _NOT_YOU,
    ),
    "username_unconfirmed": (
        N_("Your account at Carburoam is not open yet"),
        N_("Hello, an account was asked for with this address, but the address was never confirmed."),
        N_("Ask for a new password with this address, here: {url}/recover. The code in the mail opens the account."),
        _NOT_YOU,
    ),
    "password_unconfirmed": (
        N_("Your code for a new password at Carburoam"),
        N_("Hello, this code confirms your address, opens your account and sets its new password:"),
        "{code}",
        N_("It is good for {minutes} minutes. Nobody of Carburoam will ever ask you for it."),
        _NOT_YOU,
    ),
    "password_changed": (
        N_("Your password at Carburoam was changed"),
        N_("Hello {name}, your password was changed just now, and every other browser was logged out."),
        N_("If this was not you, set a new password at once: {url}"),
    ),
    "email": (
        N_("Your code for a new address at Carburoam"),
        N_("Hello {name}, this code makes this the address of your account {username}:"),
        "{code}",
        N_("It is good for {minutes} minutes."),
        _NOT_YOU,
    ),
    "email_changed": (
        N_("Your address at Carburoam was changed"),
        N_("Hello {name}, from now on mails for your account {username} go to another address, not to this one."),
        N_("If this was not you, set a new password at once: {url}"),
    ),
    "farewell": (
        N_("Your account at Carburoam is deleted"),
        N_("Hello {name}, your account {username} and all that was kept with it is deleted. Safe travels!"),
    ),
}


def queue_message(
    connection: Connection,
    settings: Settings,
    kind: str,
    *,
    recipient: str,
    language: str,
    now: datetime,
    name: str,
    username: str = "",
    code: str = "",
) -> None:
    """Queue the message of a kind; every text that a person typed is escaped in its HTML.

    A message with a code expires with it. The others are news, which is still worth sending a day later.
    """
    translate = load_catalogue(language).gettext
    facts = {"name": name, "username": username, "code": code, "minutes": MINUTES, "url": settings.base_url}
    subject, *paragraphs = _MESSAGES[kind]
    lines = [*paragraphs, _SIGNATURE]
    text = "\n\n".join((translate(line) if line != "{code}" else line).format(**facts) for line in lines) + "\n"
    safe = {key: escape(str(value)) for key, value in facts.items()}
    html = "".join(
        f'<p style="font:bold 24px monospace;letter-spacing:3px">{safe["code"]}</p>'
        if line == "{code}"
        else f"<p>{escape(translate(line), quote=False).format(**safe)}</p>"
        for line in lines
    )
    queue_mail(
        connection,
        recipient=recipient,
        subject=translate(subject),
        text=text,
        html=f'<!doctype html><html lang="{language}"><meta charset="utf-8"><body>{html}</body></html>',
        now=now,
        expires_at=now + LIFETIME if code else None,
    )
