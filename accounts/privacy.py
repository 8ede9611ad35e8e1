"""What is held about a driver: to be downloaded, and to be erased (GDPR, articles 15, 17 and 20)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, select

from accounts.identity import make_key
from accounts.limits import forget_failures, hash_subject
from accounts.messages import queue_message
from accounts.profile import get_profile, require_own_password
from db import begin_writing
from models import FUEL_NAMES, Credential, CustomStation, LoginSession, OutboxMail, User, VerificationCode
from settings import Settings


def export_account(connection: Connection, user_id: int) -> dict[str, Any]:
    """Return everything held about a driver, ready for JSON; never a hash, which would only help an attacker."""
    profile = get_profile(connection, user_id)
    row = connection.execute(
        select(User.created_at, Credential.role, Credential.confirmed_at)
        .join(Credential, Credential.user_id == User.id)
        .where(User.id == user_id)
    ).one()
    sessions = connection.execute(
        select(LoginSession.created_at, LoginSession.seen_at, LoginSession.expires_at, LoginSession.browser).where(
            LoginSession.user_id == user_id
        )
    )
    codes = connection.execute(
        select(VerificationCode.purpose, VerificationCode.created_at, VerificationCode.tries).where(
            VerificationCode.user_id == user_id
        )
    )
    stations = connection.execute(
        select(CustomStation.station_id, CustomStation.custom_name, CustomStation.added_at)
        .where(CustomStation.user_id == user_id)
        .order_by(CustomStation.position)
    )
    return {
        "account": {
            "id": profile.id,
            "username": profile.username,
            "email": profile.email,
            "name": profile.name,
            "language": profile.language,
            "role": row.role,
            "created_at": row.created_at.isoformat(),
            "confirmed_at": row.confirmed_at and row.confirmed_at.isoformat(),
        },
        "fuels_followed": [FUEL_NAMES[fuel_id] for fuel_id in profile.fuels],
        "vehicle": {
            "litres_per_100km": profile.litres_per_100km,
            "km_per_year": profile.km_per_year,
            "tank_litres": profile.tank_litres,
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
        "open_codes": [
            {"purpose": code.purpose, "created_at": code.created_at.isoformat(), "tries": code.tries} for code in codes
        ],
    }


def erase_account(
    engine: Engine, settings: Settings, secret_key: bytes, user_id: int, password: str, now: datetime
) -> None:
    """Delete an account and every row of its driver, log out every browser, and queue one mail of farewell.

    Raises PasswordWrong: nothing is deleted.
    """
    require_own_password(engine, user_id, password)
    with begin_writing(engine) as connection:
        profile = get_profile(connection, user_id)
        connection.execute(delete(OutboxMail).where(OutboxMail.recipient == profile.email))
        forget_failures(
            connection,
            [
                hash_subject(secret_key, kind, make_key(text))
                for kind in ("mail", "code", "login")
                for text in (profile.email, profile.username)
            ],
        )
        connection.execute(delete(User).where(User.id == user_id))
        queue_message(
            connection,
            settings,
            "farewell",
            recipient=profile.email,
            language=profile.language,
            now=now,
            name=profile.name,
            username=profile.username,
        )
