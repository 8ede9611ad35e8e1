"""How fresh the prices are: when the feed was loaded, and how new what it says is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from models import FeedState


@dataclass(frozen=True)
class Freshness:
    """The loaded feed: when it was loaded, its newest report, and when a feed last named stock-outs (all UTC)."""

    loaded_at: datetime
    newest_report_at: datetime | None
    stock_outs_at: datetime | None
    is_sample: bool


def get_freshness(connection: Connection) -> Freshness | None:
    """Return how fresh the prices are; None when nothing was loaded yet."""
    row = connection.execute(
        select(FeedState.loaded_at, FeedState.newest_report_at, FeedState.stock_outs_at, FeedState.is_sample)
    ).first()
    return None if row is None else Freshness(*row)
