"""Several open codes of an account for one purpose: who asks for a code takes away nobody else's.

Revision ID: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision: str | None = "0013"


def upgrade() -> None:
    # Made anew and empty, since SQLite changes no key: who waits for a code, a quarter of an hour long, asks again.
    op.drop_table("verification_codes")
    op.create_table(
        "verification_codes",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(10), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("payload", sa.String(254), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "purpose", "code_hash", name="pk_verification_codes"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_verification_codes_user_id_users", ondelete="CASCADE"
        ),
    )
