"""Which locations are doubtful. The feed is read again as a whole: how it is read has changed.

Revision ID: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"


def upgrade() -> None:
    op.add_column(
        "stations", sa.Column("is_location_doubtful", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.execute("UPDATE feed_state SET digest = '', etag = NULL, last_modified = NULL")
