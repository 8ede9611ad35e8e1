"""Limits: how often something may be done for an account or from an address, and growing pauses after failures."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, delete, insert, select, update

from errors import TooManyTries
from models import Attempt

# How many in an hour, for one subject (an account, an e-mail address, the address of a browser).
HOURLY = {"register": 10, "code": 30}
WINDOW = timedelta(hours=1)
LONGEST_WINDOW = timedelta(days=1)
FREE_FAILURES = 5
LONGEST_PAUSE_SECONDS = 30.0

Kind = Literal["register", "code", "login", "login_pair", "login_address", "own"]


def hash_subject(secret_key: bytes, kind: Kind, subject: str) -> str:
    """Return under what a subject is counted, from which nobody without the key can tell who it is."""
    return hmac.new(secret_key, f"{kind}:{subject}".encode(), hashlib.sha256).hexdigest()


def take_turn(connection: Connection, secret_key: bytes, kind: Kind, subject: str, now: datetime) -> None:
    """Count one more of a kind.

    Raises TooManyTries: the limit of this hour is reached; nothing more is counted.
    """
    if wait_seconds := count_within(connection, hash_subject(secret_key, kind, subject), HOURLY[kind], WINDOW, now):
        raise TooManyTries(wait_seconds)


def count_within(connection: Connection, key: str, most: int, window: timedelta, now: datetime) -> float:
    """Count one more in the window that began with the first; return 0, or the seconds until the window is over.

    Where there were as many as may be, nothing more is counted.
    """
    row = connection.execute(select(Attempt.__table__).where(Attempt.subject_hash == key)).first()
    if row is None:
        _start(connection, key, now)
    elif now - row.window_began_at >= window or now < row.window_began_at:
        _restart(connection, key, now)
    elif row.times >= most:
        return float((row.window_began_at + window - now).total_seconds())
    else:
        connection.execute(
            update(Attempt).where(Attempt.subject_hash == key).values(times=Attempt.times + 1, last_at=now)
        )
    return 0.0


def compute_pause(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row: none up to 5, then 1, 2, 4, ... up to 30."""
    return 0.0 if failures < FREE_FAILURES else min(2.0 ** (failures - FREE_FAILURES), LONGEST_PAUSE_SECONDS)


def require_no_pause(connection: Connection, keys: list[str], now: datetime) -> None:
    """Let a password be tried.

    Raises TooManyTries: a pause after failures is not over for one of the subjects.
    """
    rows = connection.execute(select(Attempt.times, Attempt.last_at).where(Attempt.subject_hash.in_(keys)))
    waits = [compute_pause(row.times) - abs((now - row.last_at).total_seconds()) for row in rows]
    if (longest := max(waits, default=0.0)) > 0:
        raise TooManyTries(longest)


def count_failure(connection: Connection, keys: list[str], now: datetime) -> None:
    """Count a failure for each subject; failures are forgotten after a quiet hour."""
    for key in keys:
        row = connection.execute(select(Attempt.last_at).where(Attempt.subject_hash == key)).first()
        if row is None:
            _start(connection, key, now)
        elif now - row.last_at >= WINDOW:
            _restart(connection, key, now)
        else:
            connection.execute(
                update(Attempt).where(Attempt.subject_hash == key).values(times=Attempt.times + 1, last_at=now)
            )


def forget_failures(connection: Connection, keys: list[str]) -> None:
    """Start from none again: a try succeeded."""
    connection.execute(delete(Attempt).where(Attempt.subject_hash.in_(keys)))


def take_back(connection: Connection, keys: list[str]) -> None:
    """Take back one failure of each subject, and leave those of before."""
    connection.execute(
        update(Attempt).where(Attempt.subject_hash.in_(keys), Attempt.times > 0).values(times=Attempt.times - 1)
    )


def _start(connection: Connection, key: str, now: datetime) -> None:
    connection.execute(insert(Attempt).values(subject_hash=key, times=1, last_at=now, window_began_at=now))


def _restart(connection: Connection, key: str, now: datetime) -> None:
    connection.execute(
        update(Attempt).where(Attempt.subject_hash == key).values(times=1, last_at=now, window_began_at=now)
    )
