"""When a mail expires, why it was not sent, and the count of runs that were deleted.

Revision ID: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision: str | None = "0011"

INSTANT = sa.DateTime()


def upgrade() -> None:
    op.add_column("outbox", sa.Column("expires_at", INSTANT, nullable=True))
    op.add_column("outbox", sa.Column("last_error", sa.String(200), nullable=True))
    op.create_table(
        "failed_mails",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("failed_at", INSTANT, nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_failed_mails"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cleared_runs",
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("status", name="pk_cleared_runs"),
    )
