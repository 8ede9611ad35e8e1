"""One station, with all that does not move every day: where it is, when it is open, what it offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, String, cast, func, literal, select

from errors import StationUnknown
from models import Service, Station, StationBrand
from stations.geography import Point, find_point
from stations.opening_hours import Day, parse_week

MAX_ID = 2**31 - 1


@dataclass(frozen=True)
class StationDetails:
    """A station; `week` as `parse_week` reads it; `services` by the feed's names, in alphabetical order.

    `point` is None when the location that the feed gives is doubtful. `brand` and `name` come from another source than
    the feed, and are empty when it says nothing.
    """

    id: int
    point: Point | None
    address: str
    town: str
    zip_code: str
    brand: str
    name: str
    is_motorway: bool
    has_automat: bool
    week: tuple[Day | None, ...] | None
    services: tuple[str, ...]
    left_feed_at: datetime | None


def list_services(connection: Connection) -> dict[int, str]:
    """Return the kinds of service that stations offer: ids with the feed's names."""
    return {row.id: row.name for row in connection.execute(select(Service.id, Service.name).order_by(Service.id))}


def list_spots(connection: Connection) -> Sequence[Row[int, float, float, str | None, str, str]]:
    """Return id, latitude, longitude, brand (None when none is known), address and town of all that stand on a map."""
    return connection.execute(
        select(Station.id, Station.latitude, Station.longitude, StationBrand.brand, Station.address, Station.town)
        .outerjoin(StationBrand, StationBrand.station_id == Station.id)
        .where(Station.left_feed_at.is_(None), Station.is_location_doubtful.is_(False))
    ).all()


def get_station(connection: Connection, station_id: int) -> StationDetails:
    """Return a station, also one that has left the feed.

    Raises StationUnknown: none has that id.
    """
    if not 0 < station_id <= MAX_ID:
        raise StationUnknown(str(station_id))
    is_offered = Station.services.contains(literal("|") + cast(Service.id, String) + "|")
    rows = connection.execute(
        select(
            Station.__table__,
            func.coalesce(StationBrand.brand, "").label("brand"),
            func.coalesce(StationBrand.name, "").label("name"),
            Service.name.label("service"),
        )
        .select_from(Station)
        .outerjoin(StationBrand, StationBrand.station_id == Station.id)
        .outerjoin(Service, is_offered)
        .where(Station.id == station_id)
        .order_by(Service.name)
    ).all()
    if not rows:
        raise StationUnknown(str(station_id))
    row = rows[0]
    return StationDetails(
        id=row.id,
        point=find_point(row),
        address=row.address,
        town=row.town,
        zip_code=row.zip_code,
        brand=row.brand,
        name=row.name,
        is_motorway=row.is_motorway,
        has_automat=row.has_automat,
        week=parse_week(row.opening_hours),
        services=tuple(one.service for one in rows if one.service is not None),
        left_feed_at=row.left_feed_at,
    )
