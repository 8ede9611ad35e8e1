"""The feed: fuels, stations, prices, stock-outs, figures and runs.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None

INSTANT = sa.DateTime()


def upgrade() -> None:
    gas_types = op.create_table(
        "gas_types",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gas_types"),
    )
    op.create_table(
        "services",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_services"),
        sa.UniqueConstraint("name", name="uq_services_name"),
    )
    op.create_table(
        "stations",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("latitude", sa.Double(), nullable=False),
        sa.Column("longitude", sa.Double(), nullable=False),
        sa.Column("address", sa.String(300), nullable=False),
        sa.Column("town", sa.String(120), nullable=False),
        sa.Column("zip_code", sa.String(10), nullable=False),
        sa.Column("town_key", sa.String(120), nullable=False),
        sa.Column("is_motorway", sa.Boolean(), nullable=False),
        sa.Column("has_automat", sa.Boolean(), nullable=False),
        sa.Column("opening_hours", sa.String(300), nullable=True),
        sa.Column("services", sa.Text(), nullable=False),
        sa.Column("left_feed_at", INSTANT, nullable=True),
        sa.Column("fingerprint", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_stations"),
    )
    op.create_index("ix_stations_latitude_longitude", "stations", ["latitude", "longitude"])
    op.create_index("ix_stations_town_key", "stations", ["town_key"])
    op.create_index("ix_stations_zip_code", "stations", ["zip_code"])
    for table, *columns in (
        (
            "prices",
            sa.Column("price", sa.Integer(), nullable=False),
            sa.Column("updated_at", INSTANT, nullable=False),
        ),
        (
            "stock_outs",
            sa.Column("began_at", INSTANT, nullable=True),
            sa.Column("is_permanent", sa.Boolean(), nullable=False),
        ),
    ):
        op.create_table(
            table,
            sa.Column("station_id", sa.Integer(), nullable=False),
            sa.Column("gastype_id", sa.Integer(), nullable=False),
            *columns,
            sa.PrimaryKeyConstraint("station_id", "gastype_id", name=f"pk_{table}"),
            sa.ForeignKeyConstraint(
                ["station_id"], ["stations.id"], name=f"fk_{table}_station_id_stations", ondelete="CASCADE"
            ),
            sa.ForeignKeyConstraint(["gastype_id"], ["gas_types.id"], name=f"fk_{table}_gastype_id_gas_types"),
        )
    op.create_table(
        "fuel_figures",
        sa.Column("gastype_id", sa.Integer(), nullable=False),
        sa.Column("median_price", sa.Integer(), nullable=False),
        sa.Column("lowest_price", sa.Integer(), nullable=False),
        sa.Column("station_count", sa.Integer(), nullable=False),
        sa.Column("fresh_from", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("gastype_id", name="pk_fuel_figures"),
        sa.ForeignKeyConstraint(["gastype_id"], ["gas_types.id"], name="fk_fuel_figures_gastype_id_gas_types"),
    )
    op.create_table(
        "feed_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(500), nullable=False),
        sa.Column("is_sample", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("etag", sa.String(200), nullable=True),
        sa.Column("last_modified", sa.String(100), nullable=True),
        sa.Column("station_count", sa.Integer(), nullable=False),
        sa.Column("price_count", sa.Integer(), nullable=False),
        sa.Column("newest_report_at", INSTANT, nullable=True),
        sa.Column("loaded_at", INSTANT, nullable=False),
        sa.Column("stock_outs_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_feed_state"),
    )
    counts = [
        sa.Column(f"{things}_{what}", sa.Integer(), nullable=False)
        for things in ("stations", "prices")
        for what in ("seen", "written", "rejected")
    ]
    op.create_table(
        "etl_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("status", sa.String(20), nullable=True),
        sa.Column("source", sa.String(500), nullable=False),
        *counts,
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_etl_runs"),
        sqlite_autoincrement=True,
    )
    fuels = ((1, "Gazole"), (2, "SP95"), (3, "E85"), (4, "GPLc"), (5, "E10"), (6, "SP98"))
    op.bulk_insert(gas_types, [{"id": fuel_id, "name": name} for fuel_id, name in fuels])
