"""How fresh the prices are: when the feed was loaded, and how new what it says is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, func, select

from models import BrandState, FeedState


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

    @property
    def edition(self) -> str:
        """A text that changes with every load: as long as it is the same, so is all that loads write."""
        return "-".join(f"{at.timestamp():.6f}" for at in (self.loaded_at, self.brands_at) if at is not None)


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
