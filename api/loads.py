"""The loads that there were, as programs are told of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from models import ClearedRuns, EtlRun


@dataclass(frozen=True)
class Load:
    """An attempt at a load that has ended: loaded, unchanged, refused or failed."""

    status: str
    started_at: datetime
    finished_at: datetime
    stations_seen: int
    stations_written: int
    stations_rejected: int
    prices_seen: int
    prices_written: int
    prices_rejected: int

    @property
    def seconds(self) -> float:
        return max(0.0, (self.finished_at - self.started_at).total_seconds())


def get_last_load(connection: Connection, statuses: Sequence[str] = ()) -> Load | None:
    """Return the last load that has ended, of those that ended in one of the ways if some are named."""
    query = (
        select(
            EtlRun.status,
            EtlRun.started_at,
            EtlRun.finished_at,
            EtlRun.stations_seen,
            EtlRun.stations_written,
            EtlRun.stations_rejected,
            EtlRun.prices_seen,
            EtlRun.prices_written,
            EtlRun.prices_rejected,
        )
        .where(EtlRun.finished_at.is_not(None))
        .order_by(EtlRun.id.desc())
        .limit(1)
    )
    row = connection.execute(query.where(EtlRun.status.in_(statuses)) if statuses else query).first()
    return None if row is None else Load(**row._mapping)


def count_loads(connection: Connection) -> dict[str, int]:
    """Return how many loads have ended in each way, those counted in whose runs were deleted for their age."""
    kept = select(EtlRun.status, func.count()).where(EtlRun.finished_at.is_not(None)).group_by(EtlRun.status)
    counts: Counter[str] = Counter()
    for query in (kept, select(ClearedRuns.status, ClearedRuns.count)):
        counts += Counter({status: count for status, count in connection.execute(query) if status is not None})
    return dict(counts)
