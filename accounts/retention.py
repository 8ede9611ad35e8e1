"""What is kept about people and for how long: the page Privacy tells it and `clear_people` keeps it, from one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, SQLColumnExpression, and_, delete, or_, select

from accounts import addresses, audit, codes, limits, sessions
from mail import FILES_KEPT, GIVE_UP_AFTER
from models import (
    Attempt,
    AuditRow,
    Base,
    Credential,
    CustomStation,
    FollowedGasType,
    KnownAddress,
    LoginSession,
    OutboxMail,
    User,
    VerificationCode,
)

UNCONFIRMED_KEPT = timedelta(days=7)


@dataclass(frozen=True)
class Held:
    """Something kept about people in a table, or in files where there is none.

    With `longest`, rows go that long after `since`, and at `until` where they name an end of their own. Without, their
    driver says when: with the account at the latest.
    """

    table: type[Base] | None
    longest: timedelta | None = None
    since: SQLColumnExpression[datetime] | None = None
    until: SQLColumnExpression[datetime] | SQLColumnExpression[datetime | None] | None = None
    only: ColumnElement[bool] | None = None  # the rows that it is about; none: all of the table


# An account that waits for its code. What an admin locked stays taken, and a code that is still good may yet come in.
_IS_UNCONFIRMED = and_(
    User.id.in_(select(Credential.user_id).where(Credential.confirmed_at.is_(None), Credential.locked_at.is_(None))),
    User.id.not_in(select(VerificationCode.user_id)),
)

HELD: Mapping[str, Held] = {
    "account": Held(User),
    "unconfirmed": Held(User, UNCONFIRMED_KEPT, User.created_at, only=_IS_UNCONFIRMED),
    "password": Held(Credential),
    "vehicle": Held(FollowedGasType),
    "stations": Held(CustomStation),
    "log_ins": Held(LoginSession, sessions.LASTING, LoginSession.created_at, LoginSession.expires_at),
    "last_seen": Held(Credential),
    "addresses": Held(KnownAddress, addresses.KEPT, KnownAddress.seen_at),
    "codes": Held(VerificationCode, codes.LIFETIME, VerificationCode.created_at),
    "tries": Held(Attempt, limits.KEPT, Attempt.last_at),
    "audit": Held(AuditRow, audit.KEPT, AuditRow.at),
    "mails": Held(OutboxMail, GIVE_UP_AFTER, OutboxMail.created_at, OutboxMail.expires_at),
    "mail_files": Held(None, FILES_KEPT),  # deleted by the worker that writes them
}


def clear_people(connection: Connection, now: datetime) -> dict[str, int]:
    """Delete what has been kept long enough; return how many rows by table."""
    counts = {}
    for held in reversed(tuple(HELD.values())):  # codes before the accounts that wait for them
        if held.table in (None, OutboxMail) or held.longest is None or held.since is None:
            continue  # without a table or a period; mails are given up, with their reason
        is_over: ColumnElement[bool] = held.since <= now - held.longest
        if held.until is not None:
            is_over = or_(is_over, held.until <= now)
        if held.only is not None:
            is_over = and_(is_over, held.only)
        counts[held.table.__tablename__] = connection.execute(delete(held.table).where(is_over)).rowcount
    return counts
