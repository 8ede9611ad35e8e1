"""Which stations drivers keep most."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from models import CustomStation, Station


@dataclass(frozen=True)
class KeptStation:
    """A station, and by how many drivers it is kept."""

    station_id: int
    address: str
    town: str
    drivers: int


def list_most_kept(connection: Connection, count: int) -> list[KeptStation]:
    """Return the stations that the most drivers keep, those first."""
    drivers = func.count(CustomStation.user_id)
    rows = connection.execute(
        select(Station.id, Station.address, Station.town, drivers)
        .join(CustomStation, CustomStation.station_id == Station.id)
        .group_by(Station.id, Station.address, Station.town)
        .order_by(drivers.desc(), Station.id)
        .limit(count)
    )
    return [KeptStation(*row) for row in rows]
