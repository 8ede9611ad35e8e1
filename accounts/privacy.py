"""What is held about a driver: to be downloaded, and to be erased (GDPR, articles 15, 17 and 20)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, or_, select

from accounts.codes import end_codes
from accounts.identity import make_key, write_domain
from accounts.last_admin import require_another_admin
from accounts.limits import forget_failures, hash_subject
from accounts.mail_limits import list_subjects
from accounts.messages import queue_message
from accounts.profile import get_profile, require_own_password, require_same_password
from db import begin_writing
from errors import DriverUnknown
from models import (
    FUEL_NAMES,
    AuditRow,
    Credential,
    CustomStation,
    FollowedGasType,
    KnownAddress,
    LoginSession,
    OutboxMail,
    User,
    VerificationCode,
)
from settings import Settings


def export_account(connection: Connection, user_id: int) -> dict[str, Any]:
    """Return everything held about a driver, ready for JSON; never a hash, which would only help an attacker.

    Raises DriverUnknown.
    """
    # The account once for each action of an admin, or once.
    rows = connection.execute(
        select(
            User.__table__,
            Credential.role,
            Credential.confirmed_at,
            Credential.locked_at,
            Credential.last_seen_at,
            AuditRow.at.label("done_at"),
            AuditRow.action,
        )
        .join(Credential, Credential.user_id == User.id)
        .outerjoin(AuditRow, AuditRow.subject_id == User.id)
        .where(User.id == user_id)
        .order_by(AuditRow.id)
    ).all()
    if not rows:
        raise DriverUnknown
    row = rows[0]
    fuels = connection.execute(
        select(FollowedGasType.gastype_id)
        .where(FollowedGasType.user_id == user_id)
        .order_by(FollowedGasType.gastype_id)
    ).scalars()
    sessions = connection.execute(
        select(LoginSession.created_at, LoginSession.seen_at, LoginSession.expires_at, LoginSession.browser).where(
            LoginSession.user_id == user_id
        )
    )
    addresses = connection.execute(
        select(KnownAddress.seen_at).where(KnownAddress.user_id == user_id).order_by(KnownAddress.seen_at)
    ).scalars()
    codes = connection.execute(
        select(
            VerificationCode.purpose, VerificationCode.created_at, VerificationCode.tries, VerificationCode.payload
        ).where(VerificationCode.user_id == user_id)
    )
    mails = connection.execute(
        select(OutboxMail.subject, OutboxMail.created_at)
        .where(or_(OutboxMail.recipient == write_domain(row.email), OutboxMail.user_id == user_id))
        .order_by(OutboxMail.id)
    )
    stations = connection.execute(
        select(CustomStation.station_id, CustomStation.custom_name, CustomStation.added_at)
        .where(CustomStation.user_id == user_id)
        .order_by(CustomStation.position)
    )
    return {
        "account": {
            "id": row.id,
            "username": row.username,
            "email": row.email,
            "name": row.name,
            "language": row.language,
            "role": row.role,
            "created_at": row.created_at.isoformat(),
            # Opened without a mail, an account has an address that nobody confirmed.
            "confirmed_at": row.confirmed_at.isoformat() if row.confirmed_at not in (None, row.created_at) else None,
            "locked_at": row.locked_at and row.locked_at.isoformat(),
            "last_seen_at": row.last_seen_at and row.last_seen_at.isoformat(),
        },
        "fuels_followed": [FUEL_NAMES[fuel_id] for fuel_id in fuels],
        "vehicle": {
            "litres_per_100km": row.litres_per_100km,
            "km_per_year": row.km_per_year,
            "tank_litres": row.tank_litres,
        },
        "stations_kept": [
            {"station_id": station.station_id, "name": station.custom_name, "since": station.added_at.isoformat()}
            for station in stations
        ],
        "logged_in_browsers": [
            {
                "browser": session.browser,
                "since": session.created_at.isoformat(),
                "last_seen_at": session.seen_at.isoformat(),
                "until": session.expires_at.isoformat(),
            }
            for session in sessions
        ],
        "known_addresses": [{"last_log_in_at": seen_at.isoformat()} for seen_at in addresses],
        "open_codes": [
            {
                "purpose": code.purpose,
                "created_at": code.created_at.isoformat(),
                "tries": code.tries,
                "new_email": code.payload or None,
            }
            for code in codes
        ],
        "mails_to_be_sent": [{"subject": mail.subject, "since": mail.created_at.isoformat()} for mail in mails],
        "done_by_admins": [
            {"at": one.done_at.isoformat(), "action": one.action} for one in rows if one.done_at is not None
        ],
    }


def erase_account(
    engine: Engine,
    settings: Settings,
    secret_key: bytes,
    user_id: int,
    password: str,
    now: datetime,
    *,
    address: str | None = None,
) -> None:
    """Delete an account and every row of its driver, log out every browser, and queue one mail of farewell.

    Raises PasswordWrong or TooManyTries: as `require_own_password`. Raises LastAdmin: no other admin could log in.
    Nothing is deleted then.
    """
    password_hash = require_own_password(engine, secret_key, user_id, password, now, address=address)
    with begin_writing(engine) as connection:
        require_same_password(connection, user_id, password_hash)
        erase_driver(connection, settings, secret_key, user_id, now)


def erase_driver(connection: Connection, settings: Settings, secret_key: bytes, user_id: int, now: datetime) -> None:
    """As `erase_account`, without asking who wants it. Raises DriverUnknown or LastAdmin."""
    require_another_admin(connection, user_id)
    profile = get_profile(connection, user_id)
    end_codes(connection, user_id)
    connection.execute(delete(OutboxMail).where(OutboxMail.recipient == write_domain(profile.email)))
    counted = [
        hash_subject(secret_key, kind, make_key(text))
        for kind in ("code", "code_unknown", "login")
        for text in (profile.email, profile.username)
    ]
    forget_failures(connection, [*counted, *list_subjects(secret_key, user_id, profile.email)])
    connection.execute(delete(User).where(User.id == user_id))
    queue_message(
        connection,
        settings,
        "farewell",
        recipient=profile.email,
        language=profile.language,
        now=now,
        person=profile.person,
    )
