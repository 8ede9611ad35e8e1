"""Usernames, e-mail addresses and names: what they may look like, and under which key they are unique."""

from __future__ import annotations

import string
import unicodedata

from email_validator import EmailNotValidError, validate_email

from errors import EmailRefused, NameRefused, UsernameRefused
from typed import drop_invisible, read_line

USERNAME_LENGTHS = (3, 30)  # no password may hold the username, and two letters are in too many
MAX_NAME_LENGTH = 80
MAX_EMAIL_LENGTH = 254
_MARKS = "._-"


def read_username(text: str) -> str:
    """Return the username as it is shown: letters of the Latin script, digits, dot, underscore and hyphen.

    Look-alikes of other scripts are refused and compatibility forms folded (NFKC), so that no name can pass for
    another; there is no "@" in it, so that it can't pass for an address.

    Raises UsernameRefused: another form.
    """
    username = unicodedata.normalize("NFKC", text[:1000]).strip()
    shortest, longest = USERNAME_LENGTHS
    if not shortest <= len(username) <= longest or not any(map(_is_latin_or_digit, username)):
        raise UsernameRefused
    if not all(_is_latin_or_digit(letter) or letter in _MARKS for letter in username):
        raise UsernameRefused
    return username


def read_email(text: str) -> str:
    """Return the address in its normal form; whether it exists only a mail to it can tell.

    Raises EmailRefused: it is none.
    """
    try:
        return validate_email(text[:1000].strip(), check_deliverability=False).normalized[:MAX_EMAIL_LENGTH]
    except EmailNotValidError:
        raise EmailRefused from None


def read_name(text: str) -> str:
    """Return what a driver wants to be called: one line without control characters.

    Raises NameRefused: empty or longer than 80 characters.
    """
    name = read_line(text, MAX_NAME_LENGTH)
    if not name:
        raise NameRefused
    return name


def make_key(text: str) -> str:
    """Return the form under which a username or an address is unique and looked up."""
    # PostgreSQL takes no NUL, not even to look for it.
    shown = drop_invisible(text[:1000]).strip().replace("\0", "\ufffd")
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())[:254]


def _is_latin_or_digit(letter: str) -> bool:
    if letter in string.digits:
        return True
    return unicodedata.category(letter)[0] == "L" and unicodedata.name(letter, "").startswith("LATIN ")
