"""Limits: how often something may be done for an account or from an address, and growing pauses after failures.

All are in the database, so that servers which share one count together.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Literal, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from errors import TooManyTries
from models import Attempt

Kind = Literal[
    "register",
    "register_many",
    "code",
    "code_address",
    "code_unknown",
    "code_asked",
    "login",
    "login_pair",
    "login_address",
    "login_site",
    "own",
    "own_pair",
]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KEPT = DAY  # after the last time that something was counted


class Quota(NamedTuple):
    """How many in a period that begins with the first, for one subject (an account, an e-mail address, ...)."""

    times: int
    period: timedelta


# Those whose address isn't known share one that is larger.
QUOTAS: Mapping[Kind, Quota] = {
    "register": Quota(10, HOUR),
    "register_many": Quota(100, HOUR),  # from a site, see `widen`, or from all addresses that are not known
    "code": Quota(100, HOUR),  # codes tried for a name, outside of the browser that asked for one
    "code_address": Quota(10, HOUR),  # the same, from one address
    "code_unknown": Quota(100, HOUR),
    "code_asked": Quota(5, timedelta(minutes=15)),  # the same, in a browser that asked for one: granted by asking
    "login": Quota(500, DAY),  # failed log-ins with a name, from all addresses at which its account is not known
    "own": Quota(200, DAY),  # the same of passwords that are typed again in a session
}


class Pauses(NamedTuple):
    """How failures make one wait: not at all up to `free`, then 1, 2, 4, ... seconds up to 30.

    From `many` failures on, where there is such a number, it is half an hour. Without a failure for as long as
    `forgotten_after` they are forgotten.
    """

    free: int
    forgotten_after: timedelta
    many: int | None = None


OF_PAIR = Pauses(5, HOUR)  # an account at an address where it is known, or at all those that are not known
OF_STRANGER = Pauses(5, DAY, many=20)  # an account at any other address: 68 guesses a day
OF_ADDRESS = Pauses(20, HOUR)  # all accounts at an address, which may be that of many people
OF_SITE = Pauses(100, HOUR)  # all accounts at the addresses of a site, see `widen`
LONGEST_PAUSE_SECONDS = 30.0
MANY_PAUSE_SECONDS = 1800.0

Counted = Mapping[str, Pauses]  # under what a failure is counted, and how it makes one wait there


def hash_subject(secret_key: bytes, kind: Kind, subject: str) -> str:
    """Return under what a subject is counted, from which nobody without the key can tell who it is."""
    return hmac.new(secret_key, f"{kind}:{subject}".encode(), hashlib.sha256).hexdigest()


def widen(address: str) -> str:
    """Return the site of an address: on IPv6 the /48, 2^16 networks that may be one person's; on IPv4 itself."""
    return str(ip_network(address, strict=False).supernet(new_prefix=48)) if ":" in address else address


def list_pairs(secret_key: bytes, subject: str, address: str | None, kind: Kind = "login_pair") -> list[str]:
    """Return under what failures of a subject at an address are counted: where it is known, and where it is not."""
    if address is None:
        return [hash_subject(secret_key, kind, f"|{subject}")]
    return [
        hash_subject(secret_key, kind, f"{address}|{subject}"),
        hash_subject(secret_key, kind, f"stranger {widen(address)}|{subject}"),
    ]


def take_turn(connection: Connection, secret_key: bytes, kind: Kind, subject: str, now: datetime) -> None:
    """Count one more of a kind.

    Raises TooManyTries: the quota of this period is used up; nothing more is counted.
    """
    if wait_seconds := count_within(connection, hash_subject(secret_key, kind, subject), QUOTAS[kind], now):
        raise TooManyTries(wait_seconds)


def count_within(connection: Connection, key: str, quota: Quota, now: datetime) -> float:
    """Count one more; return 0, or the seconds until the period is over.

    Where the quota is used up, nothing more is counted.
    """
    row = connection.execute(select(Attempt.__table__).where(Attempt.subject_hash == key)).first()
    if row is None:
        _start(connection, key, now)
    elif not 0 <= (now - row.window_began_at) / quota.period < 1:
        _restart(connection, key, now)
    elif row.times >= quota.times:
        return float((row.window_began_at + quota.period - now).total_seconds())
    else:
        connection.execute(
            update(Attempt).where(Attempt.subject_hash == key).values(times=Attempt.times + 1, last_at=now)
        )
    return 0.0


def require_turn(connection: Connection, secret_key: bytes, kind: Kind, subject: str, now: datetime) -> None:
    """Count nothing, but raise TooManyTries where `take_turn` would."""
    key = hash_subject(secret_key, kind, subject)
    times, period = QUOTAS[kind]
    row = connection.execute(
        select(Attempt.window_began_at).where(Attempt.subject_hash == key, Attempt.times >= times)
    ).first()
    if row is not None and 0 <= (now - row.window_began_at) / period < 1:
        raise TooManyTries((row.window_began_at + period - now).total_seconds())


def grant_turns(connection: Connection, secret_key: bytes, kind: Kind, subject: str, now: datetime) -> None:
    """Begin the quota of a subject, or begin it anew: it has none by itself."""
    key = hash_subject(secret_key, kind, subject)
    forget_failures(connection, [key])
    connection.execute(insert(Attempt).values(subject_hash=key, times=0, last_at=now, window_began_at=now))


def use_granted_turn(connection: Connection, secret_key: bytes, kind: Kind, subject: str, now: datetime) -> bool:
    """Count one of a quota that was granted; return whether there was one left."""
    times, period = QUOTAS[kind]
    used = connection.execute(
        update(Attempt)
        .where(
            Attempt.subject_hash == hash_subject(secret_key, kind, subject),
            Attempt.times < times,
            Attempt.window_began_at > now - period,
        )
        .values(times=Attempt.times + 1, last_at=now)
    )
    return used.rowcount == 1


def compute_pause(failures: int, pauses: Pauses = OF_PAIR) -> float:
    """Return the seconds to wait after so many failures in a row."""
    if failures < pauses.free:
        return 0.0
    if pauses.many is not None and failures >= pauses.many:
        return MANY_PAUSE_SECONDS
    return min(2.0 ** min(failures - pauses.free, 10), LONGEST_PAUSE_SECONDS)


def require_no_pause(connection: Connection, counted: Counted, now: datetime) -> None:
    """Let a password be tried.

    Raises TooManyTries: a pause after failures is not over for one of the subjects.
    """
    rows = connection.execute(
        select(Attempt.subject_hash, Attempt.times, Attempt.last_at).where(Attempt.subject_hash.in_(counted))
    )
    waits = [
        compute_pause(row.times, counted[row.subject_hash]) - abs((now - row.last_at).total_seconds()) for row in rows
    ]
    if (longest := max(waits, default=0.0)) > 0:
        raise TooManyTries(longest)


def count_failure(connection: Connection, counted: Counted, now: datetime) -> None:
    """Count a failure for each subject."""
    for key, pauses in counted.items():
        row = connection.execute(select(Attempt.last_at).where(Attempt.subject_hash == key)).first()
        if row is None:
            _start(connection, key, now)
        elif now - row.last_at >= pauses.forgotten_after:
            _restart(connection, key, now)
        else:
            connection.execute(
                update(Attempt).where(Attempt.subject_hash == key).values(times=Attempt.times + 1, last_at=now)
            )


def forget_failures(connection: Connection, keys: Iterable[str]) -> None:
    """Start from none again: a try succeeded."""
    connection.execute(delete(Attempt).where(Attempt.subject_hash.in_(list(keys))))


def take_back(connection: Connection, keys: Iterable[str], now: datetime) -> None:
    """Take back one of each subject that was counted at this moment, and leave those of before.

    The pause of before, which was over, does not begin again.
    """
    ours = Attempt.subject_hash.in_(list(keys))
    connection.execute(
        update(Attempt).where(ours, Attempt.last_at == now).values(last_at=now - timedelta(seconds=MANY_PAUSE_SECONDS))
    )
    connection.execute(update(Attempt).where(ours, Attempt.times > 0).values(times=Attempt.times - 1))


def _start(connection: Connection, key: str, now: datetime) -> None:
    connection.execute(insert(Attempt).values(subject_hash=key, times=1, last_at=now, window_began_at=now))


def _restart(connection: Connection, key: str, now: datetime) -> None:
    connection.execute(
        update(Attempt).where(Attempt.subject_hash == key).values(times=1, last_at=now, window_began_at=now)
    )
