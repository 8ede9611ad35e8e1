"""What fuels cost within 10 km of stations: worked out once for each load and hour."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median_low
from threading import Lock

from sqlalchemy import Connection, and_, or_, select

from models import Price, Station, StockOut
from prices.figures import NationalFigure
from stations.geography import Point, compute_distance_km, make_box

RADIUS_KM = 10.0

Key = tuple[int, int]  # a station and a fuel


class NearbyMedians:
    """The medians of the last load and hour, kept for every session of this process; threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._key: tuple[datetime, datetime] | None = None
        self._medians: dict[Key, int | None] = {}

    def find(
        self,
        connection: Connection,
        loaded_at: datetime,
        as_of: datetime,
        figures: Mapping[int, NationalFigure],
        stations: Mapping[int, Point],
        fuel_ids: Sequence[int],
    ) -> dict[Key, int | None]:
        """Return the median of the fresh prices within 10 km of each station, by id, for each fuel.

        Thousandths of a euro per litre; None where no price around can be compared. At most one query, and none for
        stations that were asked for since `loaded_at` in the hour of `as_of`.
        """
        key = (loaded_at, as_of.replace(minute=0, second=0, microsecond=0))
        with self._lock:
            if key != self._key:
                self._key, self._medians = key, {}
            medians = self._medians  # the dictionary of this load, even when another load comes in meanwhile
            missing = {id_ for id_ in stations if any((id_, fuel_id) not in medians for fuel_id in fuel_ids)}
        if missing:
            found = compute_medians(connection, figures, {id_: stations[id_] for id_ in missing}, fuel_ids)
            with self._lock:
                medians.update(found)
        return {(id_, fuel_id): medians[id_, fuel_id] for id_ in stations for fuel_id in fuel_ids}


def compute_medians(
    connection: Connection,
    figures: Mapping[int, NationalFigure],
    stations: Mapping[int, Point],
    fuel_ids: Sequence[int],
) -> dict[Key, int | None]:
    """Return the median of the fresh, plausible prices in stock within 10 km of each station, for each fuel."""
    boxes = [make_box(latitude, longitude, RADIUS_KM) for latitude, longitude in stations.values()]
    query = (
        select(Station.latitude, Station.longitude, Price.gastype_id, Price.price, Price.updated_at)
        .join(Price, Price.station_id == Station.id)
        .outerjoin(StockOut, and_(StockOut.station_id == Station.id, StockOut.gastype_id == Price.gastype_id))
        .where(
            or_(
                *(
                    and_(Station.latitude.between(box.south, box.north), Station.longitude.between(box.west, box.east))
                    for box in boxes
                )
            ),
            Price.gastype_id.in_(fuel_ids),
            Station.left_feed_at.is_(None),
            Station.is_location_doubtful.is_(False),
            StockOut.station_id.is_(None),
        )
        .order_by(Station.latitude)
    )
    offers = [
        (latitude, longitude, fuel_id, price)
        for latitude, longitude, fuel_id, price, updated_at in connection.execute(query)
        if fuel_id in figures and figures[fuel_id].judge(price, updated_at) == "fresh"
    ]
    latitudes = [offer[0] for offer in offers]
    medians: dict[Key, int | None] = {}
    for (station_id, (latitude, longitude)), box in zip(stations.items(), boxes, strict=True):
        around: dict[int, list[int]] = {fuel_id: [] for fuel_id in fuel_ids}
        for other in offers[bisect_left(latitudes, box.south) : bisect_right(latitudes, box.north)]:
            if (
                box.west <= other[1] <= box.east
                and compute_distance_km(latitude, longitude, other[0], other[1]) <= RADIUS_KM
            ):
                around[other[2]].append(other[3])
        for fuel_id, prices in around.items():
            medians[station_id, fuel_id] = median_low(prices) if prices else None
    return medians
