"""How fresh the prices are: when the feed was loaded, and how new what it says is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, func, select

from models import BrandState, FeedState
from settings import AS_OF_FEED

# A feed whose newest report is older than this is frozen, or a snapshot of another time, or loads have failed for long.
LIVE = timedelta(days=1)


@dataclass(frozen=True)
class Freshness:
    """The loaded feed: when it was loaded, its newest report, and when a feed last named stock-outs (all UTC).

    `brands_at`: when brands were last loaded, if ever.
    """

    loaded_at: datetime
    newest_report_at: datetime | None
    stock_outs_at: datetime | None
    is_sample: bool
    brands_at: datetime | None = None

    def is_out_of_date(self, now: datetime) -> bool:
        """Say whether nothing in it was reported within a day of the real now."""
        return self.newest_report_at is not None and now - self.newest_report_at > LIVE

    @property
    def edition(self) -> str:
        """A text that changes with every load: as long as it is the same, so is all that loads write."""
        return "-".join(f"{at.timestamp():.6f}" for at in (self.loaded_at, self.brands_at) if at is not None)


def find_as_of(setting: str, newest_report_at: datetime | None, now: datetime) -> datetime:
    """Return the instant from which ages of prices and stock-outs count, for everything that asks.

    That is now, or with the setting CARBUROAM_AS_OF=feed the newest report of the loaded feed, if it has any.
    """
    return newest_report_at if setting == AS_OF_FEED and newest_report_at is not None else now


def get_freshness(connection: Connection) -> Freshness | None:
    """Return how fresh the prices are; None when nothing was loaded yet."""
    row = connection.execute(_select_freshness()).first()
    return None if row is None else Freshness(*row)


@cache
def _select_freshness() -> Select[*tuple[Any, ...]]:
    """Build the query of every rerun once: that takes longer than asking it."""
    return select(
        FeedState.loaded_at,
        FeedState.newest_report_at,
        FeedState.stock_outs_at,
        FeedState.is_sample,
        select(func.max(BrandState.loaded_at)).scalar_subquery(),
    )
