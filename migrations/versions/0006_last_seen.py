"""When a driver was last here, which outlives the sessions of their browsers.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    op.add_column("credentials", sa.Column("last_seen_at", sa.DateTime(), nullable=True))
    op.execute(
        "UPDATE credentials SET last_seen_at = "
        "(SELECT max(seen_at) FROM login_sessions WHERE login_sessions.user_id = credentials.user_id)"
    )
