"""The names of stations in a form that can be searched.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from models import make_town_key

revision = "0007"
down_revision: str | None = "0006"

NAME_LENGTH = 120


def upgrade() -> None:
    op.add_column("station_brands", sa.Column("name_key", sa.String(NAME_LENGTH), nullable=False, server_default=""))
    # Filled here, not by the next load: the list of brands is loaded by hand, and may never be again.
    brands = sa.table("station_brands", sa.column("station_id"), sa.column("name"), sa.column("name_key"))
    connection = op.get_bind()
    named = connection.execute(sa.select(brands.c.station_id, brands.c.name).where(brands.c.name != "")).all()
    if named:
        connection.execute(
            sa.update(brands).where(brands.c.station_id == sa.bindparam("id")).values(name_key=sa.bindparam("key")),
            [{"id": row.station_id, "key": make_town_key(row.name)[:NAME_LENGTH]} for row in named],
        )


def downgrade() -> None:
    with op.batch_alter_table("station_brands") as batch:
        batch.drop_column("name_key")
