"""What the mails say, in the driver's language, as plain text and as HTML."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from html import escape
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from accounts.codes import LIFETIME
from accounts.identity import write_domain
from mail import queue_mail
from settings import Settings
from translations import N_, load_catalogue

MINUTES = int(LIFETIME.total_seconds() // 60)
# A mail waits so many seconds: sent at once, the time that a page takes would tell whether there is one to be sent.
PAUSE_SECONDS = (1.0, 3.0)
NOBODY = "nobody@nowhere.invalid"  # in whose place nobody is mailed

Kind = Literal["confirm", "known", "username", "password", "password_changed", "email", "email_changed", "farewell"]


class Person(NamedTuple):
    """What a mail may call its reader, who chose it and has confirmed the address."""

    name: str
    username: str


_SIGNATURE = N_("Carburoam, what fuel costs near you: {url}")
_NOT_YOU = N_("If this was not you, you need not do anything.")
_EXPIRES = N_("It expires in {minutes} minutes.")
_EXPIRES_AND_SECRET = N_("It expires in {minutes} minutes. Nobody from Carburoam will ever ask you for it.")
_SET_PASSWORD = N_("If this was not you, set a new password at once: {url}")

# Subject, then paragraphs; {code} stands in a paragraph of its own.
_MESSAGES: dict[Kind, tuple[str, ...]] = {
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
        _EXPIRES_AND_SECRET,
        N_("Type it where you asked for it, or under “I have a code already” at {url}/recover."),
        _NOT_YOU,
    ),
    "password_changed": (
        N_("Your password at Carburoam was changed"),
        N_("Hello {name}, your password was changed just now, and every other browser was logged out."),
        _SET_PASSWORD,
    ),
    "email_changed": (
        N_("Your address at Carburoam was changed"),
        N_("Hello {name}, from now on mails for your account {username} go to another address, not to this one."),
        _SET_PASSWORD,
    ),
    "farewell": (
        N_("Your account at Carburoam is deleted"),
        N_("Hello {name}, your account {username} and all that was kept with it is deleted. Safe travels!"),
    ),
}

# Those to an address that nobody has confirmed, which may be anybody's: they hold nothing that a person typed, else
# anybody could make us send words of theirs to anyone.
_MESSAGES_TO_ANYONE: dict[Kind, tuple[str, ...]] = {
    "confirm": (
        N_("Your code for Carburoam"),
        N_("Hello, this code confirms your address and opens your account:"),
        "{code}",
        _EXPIRES,
        _NOT_YOU,
    ),
    "known": (
        N_("You already have an account at Carburoam"),
        N_("Hello, someone, probably you, wanted to open an account with this address."),
        N_("It has one already. You can log in with this address, or ask for a new password."),
        _NOT_YOU,
    ),
    "username": (
        N_("Your account at Carburoam"),
        N_("Hello, an account was asked for with this address, but the address was never confirmed."),
        N_(
            "Ask for a new password with this address, here: {url}/recover. The code in the mail opens the account, "
            "and you can log in with the address."
        ),
        _NOT_YOU,
    ),
    "password": (
        N_("Your code for a new password at Carburoam"),
        N_("Hello, this code confirms your address, opens your account and sets its new password:"),
        "{code}",
        _EXPIRES_AND_SECRET,
        _NOT_YOU,
    ),
    "password_changed": (
        N_("Your password at Carburoam was changed"),
        N_("Hello, your password was changed just now, and every other browser was logged out."),
        _SET_PASSWORD,
    ),
    "email": (
        N_("Your code for a new address at Carburoam"),
        N_("Hello, this code makes this the address of your account:"),
        "{code}",
        _EXPIRES,
        _NOT_YOU,
    ),
    "email_changed": (
        N_("Your address at Carburoam was changed"),
        N_("Hello, from now on mails for your account go to another address, not to this one."),
        _SET_PASSWORD,
    ),
    "farewell": (
        N_("Your account at Carburoam is deleted"),
        N_("Hello, your account and all that was kept with it is deleted. Safe travels!"),
    ),
}


def queue_message(
    connection: Connection,
    settings: Settings,
    kind: Kind,
    *,
    recipient: str,
    language: str,
    now: datetime,
    person: Person | None,
    code: str = "",
    user_id: int | None = None,
) -> None:
    """Queue the message of a kind; every text that a person typed is escaped in its HTML.

    `person` is None where the address was never confirmed, or is to become an account's. With a `code` goes the account
    that it is of; such a message expires with it. The others are news, which is still worth sending a day later.
    Without a recipient all is done but sending it, so that it takes as long.
    """
    translate = load_catalogue(language).gettext
    facts = {"code": code, "minutes": MINUTES, "url": settings.base_url, **(person._asdict() if person else {})}
    subject, *paragraphs = (_MESSAGES_TO_ANYONE if person is None else _MESSAGES)[kind]
    lines = [*paragraphs, _SIGNATURE]
    text = "\n\n".join((translate(line) if line != "{code}" else line).format(**facts) for line in lines) + "\n"
    safe = {key: escape(str(value)) for key, value in facts.items()}
    html = "".join(
        f'<p style="font:bold 24px monospace;letter-spacing:3px">{safe["code"]}</p>'
        if line == "{code}"
        else f"<p>{escape(translate(line), quote=False).format(**safe)}</p>"
        for line in lines
    )
    address = write_domain(recipient or NOBODY)
    queue_mail(
        connection,
        recipient=address if recipient else "",
        subject=translate(subject),
        text=text,
        html=f'<!doctype html><html lang="{language}"><meta charset="utf-8"><body>{html}</body></html>',
        now=now,
        expires_at=now + LIFETIME if code else None,
        pause=timedelta(seconds=secrets.SystemRandom().uniform(*PAUSE_SECONDS)),
        user_id=user_id if code else None,
    )
