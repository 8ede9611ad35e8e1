"""Which stations a refused feed would take out.

Revision ID: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"


def upgrade() -> None:
    op.add_column("refused_feed", sa.Column("gone_ids", sa.JSON(), nullable=False, server_default="[]"))
