"""Whose code a mail holds, and keys of addresses under which no two mailboxes are the same.

Revision ID: 0013
"""

from __future__ import annotations

import logging
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision: str | None = "0012"

logger = logging.getLogger("carburoam.migrations")


def upgrade() -> None:
    op.add_column("outbox", sa.Column("user_id", sa.Integer(), nullable=True))
    users = sa.table("users", sa.column("id"), sa.column("email"), sa.column("email_key"))
    connection = op.get_bind()
    rows = connection.execute(sa.select(users).order_by(users.c.id)).all()
    taken = {row.email_key for row in rows}
    for row in rows:
        key = _make_key(row.email)
        if key == row.email_key:
            continue
        if key in taken:
            # Only where a row was not written by the program, whose keys were coarser: the username still finds it.
            logger.warning("user id=%d keeps its key: another account has the same address", row.id)
            continue
        taken.add(key)
        connection.execute(sa.update(users).where(users.c.id == row.id).values(email_key=key))


def _make_key(email: str) -> str:
    local, _, domain = email.rpartition("@")
    return f"{unicodedata.normalize('NFC', local).lower()}@{'.'.join(map(_encode, domain.lower().split('.')))}"[:254]


def _encode(label: str) -> str:
    """Return a label as the DNS knows it; it is in its normal form, for so is the address that it is of."""
    plain = unicodedata.normalize("NFC", label)
    return plain if plain.isascii() else f"xn--{plain.encode('punycode').decode()}"
