"""How the loads went: the last runs, and the feed that was refused for holding too few stations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from errors import RefusedFeedGone
from models import CustomStation, EtlRun, RefusedFeed, Station
from stations.departments import find_department


@dataclass(frozen=True)
class Run:
    """One attempt at a load; without `finished_at` it has no end (yet), nor a status."""

    started_at: datetime
    finished_at: datetime | None
    status: str | None
    source: str
    stations_seen: int
    stations_written: int
    stations_rejected: int
    prices_seen: int
    prices_written: int
    prices_rejected: int
    message: str

    @property
    def seconds(self) -> float | None:
        return None if self.finished_at is None else (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True)
class Refusal:
    """A feed that was refused for holding too few stations; `stations_gone` are those that would leave the feed."""

    source: str
    digest: str
    station_count: int
    station_count_before: int
    stations_gone: int
    refused_at: datetime
    accepted_at: datetime | None


@dataclass(frozen=True)
class DepartmentLoss:
    """How many of the stations that a department has in the feed would leave it; its code is "" where none is known."""

    department: str
    gone: int
    before: int


@dataclass(frozen=True)
class Loss:
    """What the feed that was refused would take out: the departments that lose most first, and what drivers keep."""

    departments: tuple[DepartmentLoss, ...]
    kept_stations: int
    favourites: int


def list_runs(connection: Connection, count: int) -> list[Run]:
    """Return the last runs, the newest first."""
    columns = [getattr(EtlRun, name) for name in Run.__dataclass_fields__]
    return [Run(*row) for row in connection.execute(select(*columns).order_by(EtlRun.id.desc()).limit(count))]


def get_refusal(connection: Connection) -> Refusal | None:
    """Return the feed that waits to be accepted, or for the load that takes it; None when there is none."""
    columns = [getattr(RefusedFeed, name) for name in Refusal.__dataclass_fields__]
    row = connection.execute(select(*columns)).first()
    return None if row is None else Refusal(*row)


def weigh_refusal(connection: Connection) -> Loss:
    """Return what the feed that was refused would take out, of the stations that are in the feed now."""
    gone_ids = set(connection.execute(select(RefusedFeed.gone_ids)).scalar() or ())
    stations = connection.execute(select(Station.id, Station.zip_code).where(Station.left_feed_at.is_(None))).all()
    before = Counter(find_department(row.zip_code) for row in stations)
    gone = Counter(find_department(row.zip_code) for row in stations if row.id in gone_ids)
    favourites = connection.execute(
        select(CustomStation.station_id, func.count().label("times")).group_by(CustomStation.station_id)
    ).all()
    kept = [row.times for row in favourites if row.station_id in gone_ids]
    losses = (DepartmentLoss(department, count, before[department]) for department, count in gone.items())
    return Loss(tuple(sorted(losses, key=lambda one: (-one.gone, one.department))), len(kept), sum(kept))


def accept_refused(connection: Connection, digest: str, now: datetime) -> None:
    """Let the next load take the refused feed of this digest.

    Raises RefusedFeedGone: another one was refused since, or a load succeeded.
    """
    accepted = connection.execute(update(RefusedFeed).where(RefusedFeed.digest == digest).values(accepted_at=now))
    if accepted.rowcount == 0:
        raise RefusedFeedGone


def withdraw_accepted(connection: Connection, digest: str) -> None:
    """Judge the refused feed of this digest as before, though it had been accepted.

    Raises RefusedFeedGone: a load took it already, or another one was refused since.
    """
    own = (RefusedFeed.digest == digest, RefusedFeed.accepted_at.is_not(None))
    if connection.execute(update(RefusedFeed).where(*own).values(accepted_at=None)).rowcount == 0:
        raise RefusedFeedGone
