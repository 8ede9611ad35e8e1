"""What fuels cost within 10 km of stations: worked out once for each load and hour."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median_low
from threading import Lock

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from db import OF_MANY_FORMS
from models import Price, Station, StockOut
from prices.figures import NationalFigure
from stations.geography import Point, find_chord, find_direction, make_box

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
    medians: dict[Key, int | None] = dict.fromkeys((id_, fuel_id) for id_ in stations for fuel_id in fuel_ids)
    known = [figures[fuel_id] for fuel_id in fuel_ids if fuel_id in figures]
    boxes = [make_box(latitude, longitude, RADIUS_KM) for latitude, longitude in stations.values()]
    if not known or not boxes:
        return medians
    # A row a station, its fresh prices side by side: fetching a row for each of them would take most of the time.
    prices = (func.max(case((_is_fresh(figure), Price.price))) for figure in known)
    query = (
        select(Station.latitude, Station.longitude, *prices)
        .join(Price, Price.station_id == Station.id)
        .outerjoin(StockOut, and_(StockOut.station_id == Station.id, StockOut.gastype_id == Price.gastype_id))
        .where(
            or_(
                *(
                    and_(Station.latitude.between(box.south, box.north), Station.longitude.between(box.west, box.east))
                    for box in boxes
                )
            ),
            Station.left_feed_at.is_(None),
            Station.is_location_doubtful.is_(False),
            StockOut.station_id.is_(None),
        )
        .group_by(Station.id)
        .order_by(Station.latitude)
    )
    rows = connection.execute(query, execution_options=OF_MANY_FORMS).all()
    places = [(*find_direction(row[0], row[1]), row[2:]) for row in rows]
    latitudes = [row[0] for row in rows]
    most = find_chord(RADIUS_KM) ** 2
    for (station_id, (latitude, longitude)), box in zip(stations.items(), boxes, strict=True):
        x, y, z = find_direction(latitude, longitude)
        around = [
            offers
            for other_x, other_y, other_z, offers in places[
                bisect_left(latitudes, box.south) : bisect_right(latitudes, box.north)
            ]
            if (x - other_x) ** 2 + (y - other_y) ** 2 + (z - other_z) ** 2 <= most
        ]
        for figure, column in zip(known, zip(*around, strict=True), strict=False):  # no column where nobody is around
            if fresh := [price for price in column if price is not None]:
                medians[station_id, figure.fuel_id] = median_low(fresh)
    return medians


def _is_fresh(figure: NationalFigure) -> ColumnElement[bool]:
    """Let the database find what `NationalFigure.judge` calls fresh: nothing is made of all the other prices."""
    return and_(
        Price.gastype_id == figure.fuel_id,
        Price.price.between(figure.plausible_from_milli_eur, figure.plausible_to_milli_eur),
        Price.updated_at >= figure.fresh_from,
    )
