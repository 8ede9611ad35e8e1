"""Only stock-outs of fuels that are sold: a fuel that was given up, or a stock-out of no known type, is none.

Which of the stored ones are of no known type is said in the feed alone: the next load reads these stations again,
whether or not the feed has changed.

Revision ID: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"


def upgrade() -> None:
    stations = sa.table("stations", sa.column("id"), sa.column("fingerprint"))
    stock_outs = sa.table("stock_outs", sa.column("station_id"), sa.column("is_permanent", sa.Boolean()))
    feed_state = sa.table("feed_state", sa.column("digest"), sa.column("etag"), sa.column("last_modified"))
    is_asked = stations.c.id.in_(sa.select(stock_outs.c.station_id))
    op.execute(stations.update().where(is_asked).values(fingerprint=None))
    op.execute(feed_state.update().values(digest="", etag=None, last_modified=None))
    op.execute(stock_outs.delete().where(stock_outs.c.is_permanent))
    op.drop_column("stock_outs", "is_permanent")
