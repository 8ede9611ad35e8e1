"""How a load went: its row in `etl_runs`, and its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, insert, or_, select, update

from db import begin_writing
from feed.download import hide_password
from feed.store import StoreReport
from models import ClearedRuns, EtlRun
from settings import SAMPLE_FEED

Status = Literal["loaded", "unchanged", "refused", "failed"]

SAMPLE_LEEWAY = timedelta(minutes=5)  # longer than the sample takes, even when it waits for another writer
DEAD_AFTER = timedelta(days=1)  # no load runs that long: each of its steps has a time limit
KEPT = timedelta(days=365)


@dataclass(frozen=True)
class LoadReport:
    """How a load ended: `message` is one line; counts are of the feed that was loaded, 0 when it was not."""

    status: Status
    source: str
    message: str
    stations_seen: int = 0
    stations_written: int = 0
    stations_rejected: int = 0
    prices_seen: int = 0
    prices_written: int = 0
    prices_rejected: int = 0

    @property
    def is_success(self) -> bool:
        return self.status in ("loaded", "unchanged")


def close_leftovers(engine: Engine, now: datetime) -> None:
    """Mark the runs that a killed process left open: holding the lock, we know that none of them runs.

    Only the sample may be on its way in without the lock; it takes a second.
    """
    with begin_writing(engine, "feed") as connection:
        _close_stopped(connection, or_(EtlRun.source != SAMPLE_FEED, EtlRun.started_at < now - SAMPLE_LEEWAY), now)


def clear_runs(connection: Connection, now: datetime) -> int:
    """Delete the runs that began a year ago, and return how many; those without an end that can't run any more get one.

    It doesn't need the load lock, which a load that hangs would keep from it.
    """
    _close_stopped(connection, EtlRun.started_at < now - DEAD_AFTER, now)
    is_old = (EtlRun.started_at < now - KEPT) & EtlRun.finished_at.is_not(None)
    counts = connection.execute(select(EtlRun.status, func.count()).where(is_old).group_by(EtlRun.status)).all()
    for status, count in counts:
        is_counted = ClearedRuns.status == status
        if not connection.execute(
            update(ClearedRuns).where(is_counted).values(count=ClearedRuns.count + count)
        ).rowcount:
            connection.execute(insert(ClearedRuns).values(status=status, count=count))
    return connection.execute(delete(EtlRun).where(is_old)).rowcount


def _close_stopped(connection: Connection, which: ColumnElement[bool], now: datetime) -> None:
    connection.execute(
        update(EtlRun)
        .where(EtlRun.finished_at.is_(None), which)
        .values(finished_at=now, status="failed", message="it was stopped before its end")
    )


def open_run(engine: Engine, now: datetime, source: str) -> int:
    """Note that a load begins; return the number of its row."""
    with begin_writing(engine, "feed") as connection:
        return insert_run(connection, now, source)


def insert_run(connection: Connection, now: datetime, source: str) -> int:
    """As `open_run`, within a transaction that is open."""
    result = connection.execute(insert(EtlRun).values(started_at=now, source=hide_password(source), message=""))
    return int(result.inserted_primary_key[0])  # type: ignore[index]  # an insert of one row always has one


def fail_run(engine: Engine, run_id: int, now: datetime, report: LoadReport) -> None:
    """Note how a load ended that stored nothing."""
    with begin_writing(engine, "feed") as connection:
        close_run(connection, run_id, now, report)


def close_run(connection: Connection, run_id: int, now: datetime, report: LoadReport) -> None:
    """Note how a load ended, in the transaction that stores what it brought."""
    connection.execute(update(EtlRun).where(EtlRun.id == run_id).values(finished_at=now, **vars(report)))


def describe(stored: StoreReport) -> str:
    """Write what was stored in one line."""
    parts = [
        f"{stored.stations_seen} stations and {stored.prices_seen} prices seen",
        f"{stored.stations_written} stations and {stored.prices_written} prices written",
    ]
    if stored.stations_left:
        parts.append(f"stations no longer in the feed: {stored.stations_left}")
    if stored.rejections:
        reasons = ", ".join(
            f"{count} x {reason}" + _name_stations(stored.rejected_stations[reason])
            for reason, count in stored.rejections.most_common()
        )
        parts.append(f"rejected: {reasons}")
    return "; ".join(parts)


def _name_stations(ids: Sequence[int]) -> str:
    """Write the first stations of which something was rejected; some have no id that can be read."""
    return f" (station{'s' * (len(ids) > 1)} {', '.join(map(str, ids))})" if ids else ""
