"""Codes that are mailed: bound to an account and a purpose, short-lived, spent once.

Only who is logged in, or knows the password of a new account, can type a code that confirms an address: there is one,
and five tries use it up. A code for a new password anybody can ask for and type who knows a name. So none takes away
another, and tries use up none: they are counted for the browser that asked, for each address, and for all others
together. With 30 to the 8 codes, what these limits allow in a year gets nobody in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, insert, select, true, update

from accounts.limits import grant_turns, take_turn, use_granted_turn, widen
from errors import AccountError, CodeExpired, CodeMalformed, CodeWrong, TooManyCodes, TooManyTries
from models import Attempt, OutboxMail, VerificationCode

ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # nothing that is read as something else: no I, L, O, U, 0, 1
LENGTH = 8
LIFETIME = timedelta(minutes=15)
MAX_TRIES = 5  # of a code, or in a browser that asked for one

Purpose = Literal["confirm", "password", "email"]


class Spending(NamedTuple):
    """How spending a code went: what it was issued with, or the error to raise once the try is committed."""

    payload: str
    error: AccountError | None


def issue_code(
    connection: Connection, secret_key: bytes, user_id: int, purpose: Purpose, now: datetime, payload: str = ""
) -> str:
    """Make a new code and return it; only a keyed hash is stored.

    It takes the place of any open one for that purpose, but for a new password: there, a stranger asks as well.
    """
    code = _make_code()
    replaced = VerificationCode.created_at <= now - LIFETIME if purpose == "password" else true()
    connection.execute(delete(VerificationCode).where(*_is_of(user_id, purpose), replaced))
    connection.execute(
        insert(VerificationCode).values(
            user_id=user_id,
            purpose=purpose,
            code_hash=_hash_code(secret_key, user_id, purpose, code),
            created_at=now,
            tries=0,
            payload=payload,
        )
    )
    return code


def read_code(text: str) -> str:
    """Return the code as it was issued, whatever case, spaces and hyphens it was typed with.

    Raises CodeMalformed: no code looks like this, so that nothing has to be asked, nor a try counted.
    """
    code = "".join(letter for letter in text[:100].upper() if letter.isalnum())
    if len(code) != LENGTH or not set(code) <= set(ALPHABET):
        raise CodeMalformed
    return code


def forget_code(connection: Connection, user_id: int, purpose: Purpose) -> int:
    """Make the open codes for a purpose invalid; return how many there were."""
    return connection.execute(delete(VerificationCode).where(*_is_of(user_id, purpose))).rowcount


def end_codes(connection: Connection, user_id: int) -> None:
    """Make every open code of an account invalid, and send none that is still to be mailed.

    For what was proved by them counted for a password and an address that the account has no more.
    """
    connection.execute(delete(VerificationCode).where(VerificationCode.user_id == user_id))
    connection.execute(delete(OutboxMail).where(OutboxMail.user_id == user_id))


def waste_code(connection: Connection, secret_key: bytes, now: datetime) -> str:
    """Do the work of `issue_code` where there is no account: as many reads and writes, for a code of nobody."""
    code = _make_code()
    own = _hash_code(secret_key, 0, "password", code)
    connection.execute(delete(Attempt).where(Attempt.subject_hash == own))
    connection.execute(insert(Attempt).values(subject_hash=own, times=1, last_at=now, window_began_at=now))
    return code


def spend_code(
    connection: Connection, secret_key: bytes, user_id: int, purpose: Purpose, code: str, now: datetime
) -> Spending:
    """Spend a code. A wrong one counts as a try, so the error is returned and not raised: the caller commits first.

    Raises CodeMalformed: as `read_code`; no try is counted.
    """
    spending = find_code(connection, secret_key, user_id, purpose, code, now)
    if spending.error is None:
        own = VerificationCode.code_hash == _hash_code(secret_key, user_id, purpose, read_code(code))
        connection.execute(delete(VerificationCode).where(*_is_of(user_id, purpose), own))
    return spending


def find_code(
    connection: Connection, secret_key: bytes, user_id: int, purpose: Purpose, code: str, now: datetime
) -> Spending:
    """As `spend_code`, but a code that is right stays good.

    The try is counted by one UPDATE before the code is looked at, so that guesses sent at once are all counted; that
    of a code for a new password by `count_try`.
    """
    expected = _hash_code(secret_key, user_id, purpose, read_code(code))
    is_open = (*_is_of(user_id, purpose), VerificationCode.created_at > now - LIFETIME)
    if purpose != "password":
        counted = connection.execute(
            update(VerificationCode)
            .where(*is_open, VerificationCode.tries < MAX_TRIES)
            .values(tries=VerificationCode.tries + 1)
        )
        if counted.rowcount != 1:
            return Spending("", CodeExpired())
    rows = connection.execute(select(VerificationCode.code_hash, VerificationCode.payload).where(*is_open)).all()
    if not rows:
        return Spending("", CodeExpired())
    for row in rows:
        if hmac.compare_digest(row.code_hash, expected):
            return Spending(row.payload, None)
    return Spending("", CodeWrong())


def note_asker(connection: Connection, secret_key: bytes, name_key: str, browser: str, now: datetime) -> None:
    """Keep five tries for the browser that asks for a code, whatever is tried elsewhere; of any name, as it was typed.

    `browser` is what only that browser knows of itself; empty where it knows nothing.
    """
    if browser:
        grant_turns(connection, secret_key, "code_asked", f"{browser}|{name_key}", now)


def count_try(
    connection: Connection, secret_key: bytes, name_key: str, browser: str, address: str | None, now: datetime
) -> None:
    """Count a code that is tried for a name, whether or not it has an account.

    Raises TooManyCodes: the browser has not asked for one, or used its five tries up, and from its address or from all
    others together too many were tried.
    """
    if browser and use_granted_turn(connection, secret_key, "code_asked", f"{browser}|{name_key}", now):
        return
    try:
        if address is None:
            take_turn(connection, secret_key, "code_unknown", name_key, now)
        else:
            take_turn(connection, secret_key, "code_address", f"{widen(address)}|{name_key}", now)
            take_turn(connection, secret_key, "code", name_key, now)
    except TooManyTries as error:
        raise TooManyCodes(error.wait_seconds) from error


def _is_of(user_id: int, purpose: Purpose) -> tuple[ColumnElement[bool], ...]:
    return VerificationCode.user_id == user_id, VerificationCode.purpose == purpose


def _make_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def _hash_code(secret_key: bytes, user_id: int, purpose: Purpose, code: str) -> str:
    return hmac.new(secret_key, f"code:{user_id}:{purpose}:{code}".encode(), hashlib.sha256).hexdigest()
