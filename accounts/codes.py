"""Codes that are mailed: bound to an account and a purpose, short-lived, spent once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from errors import AccountError, CodeExpired, CodeMalformed, CodeWrong
from models import Attempt, OutboxMail, VerificationCode

ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # nothing that is read as something else: no I, L, O, U, 0, 1
LENGTH = 8
LIFETIME = timedelta(minutes=15)
MAX_TRIES = 5

Purpose = Literal["confirm", "password", "email"]


class Spending(NamedTuple):
    """How spending a code went: what it was issued with, or the error to raise once the try is committed."""

    payload: str
    error: AccountError | None


def issue_code(
    connection: Connection, secret_key: bytes, user_id: int, purpose: Purpose, now: datetime, payload: str = ""
) -> str:
    """Make a new code in place of any open one for that purpose, and return it; only a keyed hash is stored."""
    code = _make_code()
    forget_code(connection, user_id, purpose)
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
    """Make the open code for a purpose good for nothing; return how many there were."""
    result = connection.execute(
        delete(VerificationCode).where(VerificationCode.user_id == user_id, VerificationCode.purpose == purpose)
    )
    return result.rowcount


def end_codes(connection: Connection, user_id: int) -> None:
    """Make every open code of an account good for nothing, and send none that is still to be mailed.

    For what was proved by them counted for a password and an address that the account has no more.
    """
    connection.execute(delete(VerificationCode).where(VerificationCode.user_id == user_id))
    connection.execute(delete(OutboxMail).where(OutboxMail.user_id == user_id))


def waste_code(connection: Connection, secret_key: bytes, now: datetime) -> str:
    """Do the work of `issue_code` where there is no account: as many reads and writes, for a code of nobody."""
    code, own = _make_code(), _hash_code(secret_key, 0, "password", "")
    connection.execute(delete(Attempt).where(Attempt.subject_hash == own))
    connection.execute(insert(Attempt).values(subject_hash=own, times=1, last_at=now, window_began_at=now))
    return code


def spend_code(
    connection: Connection, secret_key: bytes, user_id: int, purpose: Purpose, code: str, now: datetime
) -> Spending:
    """Spend a code. A wrong one counts as a try, so the error is returned and not raised: the caller commits first.

    The try is counted by one UPDATE before the code is looked at, so that guesses sent at once are all counted.

    Raises CodeMalformed: as `read_code`; no try is counted.
    """
    typed = read_code(code)
    row_is = (VerificationCode.user_id == user_id, VerificationCode.purpose == purpose)
    counted = connection.execute(
        update(VerificationCode)
        .where(*row_is, VerificationCode.tries < MAX_TRIES, VerificationCode.created_at > now - LIFETIME)
        .values(tries=VerificationCode.tries + 1)
    )
    if counted.rowcount != 1:
        return Spending("", CodeExpired())
    row = connection.execute(select(VerificationCode.code_hash, VerificationCode.payload).where(*row_is)).one()
    expected = _hash_code(secret_key, user_id, purpose, typed)
    if not hmac.compare_digest(row.code_hash, expected):
        return Spending("", CodeWrong())
    if forget_code(connection, user_id, purpose) != 1:
        return Spending("", CodeExpired())
    return Spending(row.payload, None)


def _make_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def _hash_code(secret_key: bytes, user_id: int, purpose: Purpose, code: str) -> str:
    return hmac.new(secret_key, f"code:{user_id}:{purpose}:{code}".encode(), hashlib.sha256).hexdigest()
