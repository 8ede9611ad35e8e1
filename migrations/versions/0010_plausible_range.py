"""The range of plausible prices of each fuel.

Revision ID: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"


def upgrade() -> None:
    for name in ("plausible_from", "plausible_to"):
        op.add_column("fuel_figures", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    # Prices stay judged as they were, by 0.8 to 1.7 times the median, until the next load finds the range.
    figures = sa.table(
        "fuel_figures",
        sa.column("median_price", sa.Integer),
        sa.column("plausible_from", sa.Integer),
        sa.column("plausible_to", sa.Integer),
    )
    op.execute(
        sa.update(figures).values(
            plausible_from=(figures.c.median_price * 8 + 9) // 10, plausible_to=figures.c.median_price * 17 // 10
        )
    )
