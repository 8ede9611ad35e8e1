"""The addresses from which a driver has logged in: there, what strangers do to the account slows nobody down."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from models import KnownAddress

KEPT = timedelta(days=90)  # after the last log-in from there


def is_known_address(connection: Connection, secret_key: bytes, user_id: int, address: str, now: datetime) -> bool:
    """Say whether this driver has logged in from this address, not too long ago."""
    row = connection.execute(
        select(KnownAddress.seen_at).where(
            *_is_row(secret_key, user_id, address),
            KnownAddress.seen_at > now - KEPT,
        )
    ).first()
    return row is not None


def remember_address(connection: Connection, secret_key: bytes, user_id: int, address: str, now: datetime) -> None:
    """Note that this driver has proved who they are from this address."""
    seen = update(KnownAddress).where(*_is_row(secret_key, user_id, address)).values(seen_at=now)
    if connection.execute(seen).rowcount == 0:
        connection.execute(
            insert(KnownAddress).values(
                user_id=user_id, address_hash=_hash_address(secret_key, user_id, address), seen_at=now
            )
        )


def forget_addresses(connection: Connection, user_id: int) -> None:
    """Know this driver nowhere: the password that was proved there is no longer theirs."""
    connection.execute(delete(KnownAddress).where(KnownAddress.user_id == user_id))


def _is_row(secret_key: bytes, user_id: int, address: str) -> tuple[ColumnElement[bool], ...]:
    return (
        KnownAddress.user_id == user_id,
        KnownAddress.address_hash == _hash_address(secret_key, user_id, address),
    )


def _hash_address(secret_key: bytes, user_id: int, address: str) -> str:
    """Bound to the account, so that the table doesn't tell which drivers share an address."""
    return hmac.new(secret_key, f"known:{user_id}:{address}".encode(), hashlib.sha256).hexdigest()
