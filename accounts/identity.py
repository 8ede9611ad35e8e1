"""Usernames, e-mail addresses and names: what they may look like, and under which key they are unique."""

from __future__ import annotations

import string
import unicodedata

import idna
from email_validator import EmailNotValidError, validate_email

from errors import EmailRefused, NameRefused, UsernameRefused
from typed import drop_invisible, read_line

USERNAME_LENGTHS = (3, 30)  # no password may hold the username, and two letters are in too many
MAX_NAME_LENGTH = 80
MAX_EMAIL_LENGTH = 254  # of its key too, in which a domain may be longer than as it is shown
_MARKS = "._-"
_DOTS_IGNORED = ("gmail.com", "googlemail.com")
_FULL_WIDTH_AT = str.maketrans("＠﹫", "@@")  # as some keyboards write it


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
        email = validate_email(text[:1000].strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        raise EmailRefused from None
    if max(len(email), len(_fold_email(email))) > MAX_EMAIL_LENGTH:
        raise EmailRefused
    return email


def read_name(text: str) -> str:
    """Return what a driver wants to be called: one line without control characters.

    Raises NameRefused: empty or longer than 80 characters.
    """
    name = read_line(text, MAX_NAME_LENGTH)
    if not name:
        raise NameRefused
    return name


def make_key(text: str) -> str:
    """Return the form under which a username or an address is unique and looked up.

    Usernames are folded widely (NFKC and case), so that none passes for another. Addresses are not: two of different
    mailboxes never share a key. Their domain counts in the form that the DNS knows (IDNA 2008 after UTS 46: "straße.de"
    is not "strasse.de"), the part before it in small letters and composed (NFC), for no provider tells those apart.
    Only an address holds an "@", so that no username has the key of an address.
    """
    # PostgreSQL takes no NUL, not even to look for it.
    shown = drop_invisible(text[:1000]).strip().replace("\0", "\ufffd").translate(_FULL_WIDTH_AT)
    if "@" in shown:
        return _fold_email(shown)[:MAX_EMAIL_LENGTH]
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())[:MAX_EMAIL_LENGTH]


def make_mailbox_key(email: str) -> str:
    """Return under what the mails to an address are counted: as `make_key`, without a tag ("ada+tag@mailbox.org").

    Most providers deliver all tags of an address to one mailbox, and Google whatever dots are in it
    (https://support.google.com/mail/answer/7436150). No more than counting may be done by it.
    """
    local, at, domain = make_key(email).rpartition("@")
    mailbox = local.partition("+")[0] or local
    if domain in _DOTS_IGNORED:
        mailbox, domain = mailbox.replace(".", ""), _DOTS_IGNORED[0]
    return f"{mailbox}{at}{domain}"


def write_domain(email: str) -> str:
    """Return an address with its domain as the DNS and every mail server know it, in ASCII."""
    local, at, domain = email.rpartition("@")
    return f"{local}{at}{_encode_domain(domain)}"


def _fold_email(text: str) -> str:
    local, _, domain = text.rpartition("@")
    return f"{unicodedata.normalize('NFC', local).lower()}@{_encode_domain(domain)}"


def _encode_domain(domain: str) -> str:
    """Return the ASCII form of a domain, or its small letters where the DNS could not know it."""
    if len(domain) > MAX_EMAIL_LENGTH:  # idna's time grows faster than the text
        return domain.lower()
    try:
        name = idna.uts46_remap(domain, std3_rules=False, transitional=False).removesuffix(".")
        return idna.encode(name).decode("ascii")
    except idna.IDNAError:
        return unicodedata.normalize("NFC", domain).lower()


def _is_latin_or_digit(letter: str) -> bool:
    if letter in string.digits:
        return True
    return unicodedata.category(letter)[0] == "L" and unicodedata.name(letter, "").startswith("LATIN ")
