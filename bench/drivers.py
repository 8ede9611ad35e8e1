"""Accounts and favourites for the benchmarks, inserted in bulk, and the cookie of one that is logged in."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import jwt
from sqlalchemy import Engine, insert

from accounts.passwords import hash_password
from accounts.sessions import LASTING, hash_session_id, open_session
from db import begin_writing
from models import Credential, CustomStation, FollowedGasType, LoginSession, User
from settings import Settings
from statefiles import read_secret_key

PASSWORD = "correct horse battery"  # noqa: S105 - of accounts that live as long as a benchmark
COOKIE = "carburoam_login"  # as ui.authentication calls it
CHUNK = 10_000


def add_drivers(engine: Engine, count: int) -> None:
    """Add so many accounts, "driver1" being the first, each logged in somewhere, all with one password and hash."""
    now = datetime.now(UTC)
    password_hash = hash_password(PASSWORD)
    for start in range(1, count + 1, CHUNK):
        ids = range(start, min(start + CHUNK, count + 1))
        names = {id_: f"driver{id_}" for id_ in ids}
        emails = {id_: f"{name}@mailbox.example" for id_, name in names.items()}
        with begin_writing(engine) as connection:
            connection.execute(
                insert(User),
                [
                    {
                        "id": id_,
                        "username": names[id_],
                        "username_key": names[id_],
                        "email": emails[id_],
                        "email_key": emails[id_],
                        "name": f"Driver {id_}",
                        "language": "en",
                        "created_at": now,
                    }
                    for id_ in ids
                ],
            )
            connection.execute(
                insert(Credential),
                [
                    {
                        "user_id": id_,
                        "password_hash": password_hash,
                        "role": "driver",
                        "confirmed_at": now,
                        "last_seen_at": now,
                    }
                    for id_ in ids
                ],
            )
            connection.execute(
                insert(LoginSession),
                [
                    {
                        "token_hash": hash_session_id(secrets.token_hex(32)),
                        "user_id": id_,
                        "created_at": now,
                        "seen_at": now,
                        "expires_at": now + LASTING,
                    }
                    for id_ in ids
                ],
            )


def add_favourites(
    engine: Engine, user_ids: Sequence[int], stations_each: int, station_ids: Sequence[int], fuels: Sequence[int]
) -> None:
    """Let each of these drivers keep so many stations from all over the country, and follow these fuels."""
    random, now = Random(1), datetime.now(UTC)
    for start in range(0, len(user_ids), CHUNK):
        ids = user_ids[start : start + CHUNK]
        kept = [
            {
                "user_id": id_,
                "station_id": station,
                "custom_name": f"Station {place}",
                "position": place,
                "added_at": now,
            }
            for id_ in ids
            for place, station in enumerate(random.sample(station_ids, stations_each), start=1)
        ]
        with begin_writing(engine) as connection:
            connection.execute(insert(CustomStation), kept)
            connection.execute(
                insert(FollowedGasType), [{"user_id": id_, "gastype_id": fuel} for id_ in ids for fuel in fuels]
            )


def make_cookie(settings: Settings, engine: Engine, user_id: int) -> dict[str, str]:
    """Log a driver in and return the cookie that the browser would keep."""
    now = datetime.now(UTC)
    with begin_writing(engine) as connection:
        session_id = open_session(connection, user_id, is_lasting=True, browser="bench", now=now)
    payload = {"username": session_id, "exp_date": (now + LASTING).timestamp()}
    return {COOKIE: jwt.encode(payload, read_secret_key(settings), algorithm="HS256")}
