"""The accounts as an admin sees them: how many, who is active, what they follow, and one by one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, ScalarSelect, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from accounts.codes import LIFETIME, MAX_TRIES
from accounts.identity import make_key
from models import Credential, CustomStation, FollowedGasType, User, VerificationCode, sort_fuels

MAX_FOUND = 20


@dataclass(frozen=True)
class PeopleFigures:
    """How many accounts there are and what they keep; who is active was here in those days, logged out since or not."""

    accounts: int
    active_7_days: int
    active_30_days: int
    admins: int
    locked: int
    unconfirmed: int
    stations_kept: int
    codes_open: int
    codes_expired: int


@dataclass(frozen=True)
class Account:
    """An account, without anything that lets one log in; `seen_at` is None when nobody ever logged in to it."""

    id: int
    username: str
    email: str
    name: str
    role: str
    created_at: datetime
    confirmed_at: datetime | None
    locked_at: datetime | None
    seen_at: datetime | None
    stations_kept: int

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


def count_people(connection: Connection, now: datetime) -> PeopleFigures:
    """Count the accounts and what they keep, in one query."""
    is_open = (VerificationCode.created_at > now - LIFETIME) & (VerificationCode.tries < MAX_TRIES)
    # The others only seem to be accounts, to those who registered with another driver's address.
    has_address = Credential.user_id.not_in(select(User.id).where(User.email == ""))
    row = connection.execute(
        select(
            _count(Credential.user_id, has_address),
            _count(Credential.user_id, Credential.last_seen_at > now - timedelta(days=7)),
            _count(Credential.user_id, Credential.last_seen_at > now - timedelta(days=30)),
            _count(Credential.user_id, Credential.role == "admin"),
            _count(Credential.user_id, Credential.locked_at.is_not(None)),
            _count(Credential.user_id, Credential.confirmed_at.is_(None), has_address),
            select(func.count()).select_from(CustomStation).scalar_subquery(),
            select(func.count()).select_from(VerificationCode).where(is_open).scalar_subquery(),
            select(func.count()).select_from(VerificationCode).where(~is_open).scalar_subquery(),
        )
    ).one()
    return PeopleFigures(*row)


def count_followed(connection: Connection) -> dict[int, int]:
    """Return how many drivers follow each fuel, the most followed first."""
    rows = connection.execute(select(FollowedGasType.gastype_id, func.count()).group_by(FollowedGasType.gastype_id))
    counts = dict(rows.all())
    return {fuel_id: counts[fuel_id] for fuel_id in sorted(sort_fuels(counts), key=lambda id_: -counts[id_])}


def find_accounts(connection: Connection, text: str) -> list[Account]:
    """Return at most 20 accounts whose username or address holds a text, in the order of their usernames."""
    key = make_key(text)
    held = or_(User.username_key.contains(key, autoescape=True), User.email_key.contains(key, autoescape=True))
    kept = select(func.count()).select_from(CustomStation).where(CustomStation.user_id == User.id).scalar_subquery()
    rows = connection.execute(
        select(
            User.id,
            User.username,
            User.email,
            User.name,
            Credential.role,
            User.created_at,
            Credential.confirmed_at,
            Credential.locked_at,
            Credential.last_seen_at,
            kept,
        )
        .join(Credential, Credential.user_id == User.id)
        .where(held, User.email != "")
        .order_by(User.username_key)
        .limit(MAX_FOUND)
    )
    return [Account(*row) for row in rows]


def _count(user_id: InstrumentedAttribute[int], *conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    """Count different drivers."""
    return select(func.count(user_id.distinct())).where(*conditions).scalar_subquery()
