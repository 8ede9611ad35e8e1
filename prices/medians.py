"""What fuels cost within 10 km of stations: read once for each load and hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import Lock

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from models import Price, Station, StockOut
from prices.figures import NationalFigure
from stations.geography import Point, compute_distances_km, make_box

RADIUS_KM = 10.0
_NO_PRICE = 2**31 - 1  # comes after every price

Key = tuple[int, int]  # a station and a fuel


class NearbyMedians:
    """The medians of the last load and hour, kept for every session of this process; threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._key: tuple[datetime, datetime] | None = None
        self._prices: FreshPrices | None = None

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

        Thousandths of a euro per litre; None where no price around can be compared. One query for who is the first to
        ask since `loaded_at` in the hour of `as_of`; none for all others.
        """
        if not stations:
            return {}
        prices = self.get_prices(connection, loaded_at, as_of, figures)
        found = {id_: prices.find_medians(point) for id_, point in stations.items()}
        return {(id_, fuel_id): found[id_].get(fuel_id) for id_ in stations for fuel_id in fuel_ids}

    def get_prices(
        self, connection: Connection, loaded_at: datetime, as_of: datetime, figures: Mapping[int, NationalFigure]
    ) -> FreshPrices:
        """Return the prices of a load in the hour of `as_of`; those that many ask for at once are read once."""
        key = (loaded_at, as_of.replace(minute=0, second=0, microsecond=0))
        with self._lock:
            if self._prices is None or key != self._key:
                self._prices, self._key = FreshPrices(connection, figures), key
            return self._prices


class FreshPrices:
    """The fresh, plausible prices in stock of all stations that stand on a map, and the medians that were asked for.

    As arrays: around fifty stations lie ten thousand prices.
    """

    def __init__(self, connection: Connection, figures: Mapping[int, NationalFigure]) -> None:
        """Read the prices; `figures` says by fuel which of them are fresh and plausible."""
        self._fuel_ids = list(figures)
        # A row a station, its prices side by side: fetching a row for each of them would take most of the time.
        prices = (
            func.coalesce(func.max(case((_is_fresh(figure), Price.price))), _NO_PRICE) for figure in figures.values()
        )
        query = (
            select(Station.latitude, Station.longitude, *prices)
            .join(Price, Price.station_id == Station.id)
            .outerjoin(StockOut, and_(StockOut.station_id == Station.id, StockOut.gastype_id == Price.gastype_id))
            .where(
                Station.left_feed_at.is_(None),
                Station.is_location_doubtful.is_(False),
                StockOut.station_id.is_(None),
            )
            .group_by(Station.id)
            .order_by(Station.latitude)
        )
        rows = list(map(tuple, connection.execute(query)))
        table = np.array(rows, dtype=np.float64).reshape(len(rows), 2 + len(self._fuel_ids))
        self._latitudes, self._longitudes = table[:, 0].copy(), table[:, 1].copy()
        self._prices = table[:, 2:].astype(np.int32)
        self._medians: dict[Point, dict[int, int]] = {}

    def find_medians(self, point: Point) -> dict[int, int]:
        """Return the median of the prices within 10 km of a point, by fuel; none of a fuel that has no price there."""
        if (medians := self._medians.get(point)) is None:
            medians = self._medians[point] = self._compute_medians(point)
        return medians

    def _compute_medians(self, point: Point) -> dict[int, int]:
        box = make_box(*point, RADIUS_KM)
        start, end = self._latitudes.searchsorted((box.south, box.north))
        distances_km = compute_distances_km(*point, self._latitudes[start:end], self._longitudes[start:end])
        around = np.sort(self._prices[start:end][distances_km <= RADIUS_KM], axis=0)
        counts = (around < _NO_PRICE).sum(axis=0)
        return {
            fuel_id: int(around[(count - 1) // 2, column])
            for column, (fuel_id, count) in enumerate(zip(self._fuel_ids, counts.tolist(), strict=True))
            if count
        }


def _is_fresh(figure: NationalFigure) -> ColumnElement[bool]:
    """Let the database find what `NationalFigure.judge` calls fresh: nothing is made of all the other prices."""
    return and_(
        Price.gastype_id == figure.fuel_id,
        Price.price.between(figure.plausible_from_milli_eur, figure.plausible_to_milli_eur),
        Price.updated_at >= figure.fresh_from,
    )
