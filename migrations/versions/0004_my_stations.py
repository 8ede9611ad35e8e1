"""Favourites, brands, and addresses in a form that can be searched.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"

INSTANT = sa.DateTime()


def upgrade() -> None:
    op.add_column("stations", sa.Column("address_key", sa.String(300), nullable=False, server_default=""))
    # The next load reads every station anew, which fills the column.
    op.execute("UPDATE stations SET fingerprint = NULL")
    op.execute("UPDATE feed_state SET digest = '', etag = NULL, last_modified = NULL")
    op.create_table(
        "station_brands",
        sa.Column("station_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("brand", sa.String(60), nullable=False),
        sa.Column("brand_key", sa.String(60), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.PrimaryKeyConstraint("station_id", name="pk_station_brands"),
    )
    op.create_index("ix_station_brands_brand_key", "station_brands", ["brand_key"])
    op.create_table(
        "brand_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("source", sa.String(500), nullable=False),
        sa.Column("station_count", sa.Integer(), nullable=False),
        sa.Column("loaded_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_brand_state"),
    )
    op.create_table(
        "custom_stations",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("custom_name", sa.String(60), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "station_id", name="pk_custom_stations"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_custom_stations_user_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["station_id"], ["stations.id"], name="fk_custom_stations_station_id_stations", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_custom_stations_station_id", "custom_stations", ["station_id"])
