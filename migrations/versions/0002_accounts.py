"""Accounts: drivers, their credentials, codes, sessions and fuels, limits, and the outbox of mails.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"

INSTANT = sa.DateTime()


def _owner(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"fk_{table}_user_id_users", ondelete="CASCADE"),
    ]


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(30), nullable=False),
        sa.Column("username_key", sa.String(90), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_key", sa.String(254), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("litres_per_100km", sa.Double(), nullable=True),
        sa.Column("km_per_year", sa.Integer(), nullable=True),
        sa.Column("tank_litres", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username_key", name="uq_users_username_key"),
        sa.UniqueConstraint("email_key", name="uq_users_email_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "credentials",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("password_hash", sa.String(80), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("confirmed_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("user_id", name="pk_credentials"),
        *_owner("credentials"),
    )
    op.create_table(
        "followed_gas_types",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("gastype_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "gastype_id", name="pk_followed_gas_types"),
        *_owner("followed_gas_types"),
        sa.ForeignKeyConstraint(["gastype_id"], ["gas_types.id"], name="fk_followed_gas_types_gastype_id_gas_types"),
    )
    op.create_table(
        "verification_codes",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(10), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("payload", sa.String(254), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "purpose", name="pk_verification_codes"),
        *_owner("verification_codes"),
    )
    op.create_table(
        "login_sessions",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("browser", sa.String(120), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_login_sessions"),
        *_owner("login_sessions"),
    )
    op.create_index("ix_login_sessions_user_id", "login_sessions", ["user_id"])
    op.create_table(
        "attempts",
        sa.Column("subject_hash", sa.String(64), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.Column("window_began_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("subject_hash", name="pk_attempts"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(120), nullable=False),
        sa.Column("recipient", sa.String(254), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_next_try_at", "outbox", ["next_try_at"])
