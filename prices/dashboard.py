"""The dashboard: the prices of a driver's own stations, one block a fuel, cheapest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, select

from models import GasType, Price, Station, StationBrand, StockOut
from prices.figures import NationalFigure
from prices.medians import NearbyMedians
from prices.nearby import RANKS, Rank, rank_price
from stations.favourites import Favourite
from stations.geography import Point, find_point
from stations.opening_hours import find_opening, parse_week

AGING = timedelta(days=7)  # from this age on a report is marked


@dataclass(frozen=True)
class FavouritePrice:
    """The price of one fuel at one of a driver's own stations; prices and differences in thousandths of a euro a litre.

    `to_dearest_milli_eur` (never above 0; None where there is no other to compare with) and `to_median_milli_eur`
    compare it with the dearest of the own stations and with the median within 10 km of this one; None where the price
    can't be compared. `is_closed`: closed now, and without an automat that sells all the same. `brand` is empty when
    none is known. `point` is None when the location that the feed gives is doubtful.
    """

    station_id: int
    custom_name: str
    address: str
    town: str
    point: Point | None
    price_milli_eur: int | None
    updated_at: datetime | None
    rank: Rank
    out_since: datetime | None
    is_closed: bool
    brand: str = ""
    to_dearest_milli_eur: int | None = None
    to_median_milli_eur: int | None = None
    nearby_median_milli_eur: int | None = None


@dataclass(frozen=True)
class FuelBlock:
    """One fuel at the own stations: those that can be compared and are open first, cheapest first, then the others."""

    fuel_id: int
    rows: tuple[FavouritePrice, ...]

    @property
    def comparable(self) -> tuple[FavouritePrice, ...]:
        """The rows whose prices are fresh, plausible and in stock."""
        return tuple(row for row in self.rows if row.rank == "fresh" and row.price_milli_eur is not None)


@dataclass(frozen=True)
class Dashboard:
    """A block for each fuel asked for, in that order, and the favourites that are no longer in the feed."""

    blocks: tuple[FuelBlock, ...]
    gone: tuple[Favourite, ...]


def make_dashboard(
    connection: Connection,
    favourites: Sequence[Favourite],
    fuel_ids: Sequence[int],
    figures: Mapping[int, NationalFigure],
    medians: NearbyMedians,
    *,
    loaded_at: datetime,
    as_of: datetime,
    now: datetime,
) -> Dashboard:
    """Return what the favourites ask for these fuels; two queries at most, however many they are.

    Ages count from `as_of`; `now` is when a station is open or closed.
    """
    by_id = {favourite.station_id: favourite for favourite in favourites}
    found = _read_prices(connection, list(by_id), fuel_ids)
    in_feed = {row.id: row for row in found if row.left_feed_at is None}
    places = {id_: point for id_, row in in_feed.items() if (point := find_point(row)) is not None}
    around = medians.find(connection, loaded_at, as_of, figures, places, fuel_ids)
    closed = {id_ for id_, row in in_feed.items() if _is_closed(row, now)}
    blocks = []
    for fuel_id in fuel_ids:
        rows = [
            _make_row(row, by_id[row.id], figures.get(fuel_id), around.get((row.id, fuel_id)), row.id in closed, as_of)
            for row in found
            if row.gastype_id == fuel_id and row.left_feed_at is None and _is_sold(row)
        ]
        blocks.append(FuelBlock(fuel_id, _compare(rows)))
    gone = {row.id for row in found if row.left_feed_at is not None}
    return Dashboard(tuple(blocks), tuple(by_id[id_] for id_ in by_id if id_ in gone))


def _is_sold(row: Row[Any]) -> bool:
    """Say whether a station sells a fuel, be it out of it just now."""
    return row.price is not None or row.is_out


def _read_prices(connection: Connection, station_ids: list[int], fuel_ids: Sequence[int]) -> list[Row[Any]]:
    """Read every pair of a station and a fuel, whether or not it has a price; without a fuel, the stations alone."""
    if not station_ids:
        return []
    return list(connection.execute(_select_prices(), {"station_ids": station_ids, "fuel_ids": list(fuel_ids)}))


@cache
def _select_prices() -> Select[*tuple[Any, ...]]:
    """Build the query once: that takes longer than asking it."""
    return (
        select(
            Station.id,
            Station.address,
            Station.town,
            Station.latitude,
            Station.longitude,
            Station.is_location_doubtful,
            Station.opening_hours,
            Station.has_automat,
            Station.left_feed_at,
            GasType.id.label("gastype_id"),
            Price.price,
            Price.updated_at,
            StockOut.station_id.is_not(None).label("is_out"),
            StockOut.began_at,
            StationBrand.brand,
        )
        .select_from(Station)
        .outerjoin(StationBrand, StationBrand.station_id == Station.id)
        .outerjoin(GasType, GasType.id.in_(bindparam("fuel_ids", expanding=True)))
        .outerjoin(Price, and_(Price.station_id == Station.id, Price.gastype_id == GasType.id))
        .outerjoin(StockOut, and_(StockOut.station_id == Station.id, StockOut.gastype_id == GasType.id))
        .where(Station.id.in_(bindparam("station_ids", expanding=True)))
    )


def _is_closed(row: Row[Any], now: datetime) -> bool:
    return not row.has_automat and find_opening(parse_week(row.opening_hours), now).is_open is False


def _make_row(
    row: Row[Any],
    favourite: Favourite,
    figure: NationalFigure | None,
    median: int | None,
    is_closed: bool,
    as_of: datetime,
) -> FavouritePrice:
    rank = rank_price(figure, row.price, row.updated_at, is_out=row.is_out, out_since=row.began_at, as_of=as_of)
    return FavouritePrice(
        station_id=row.id,
        custom_name=favourite.custom_name,
        address=row.address,
        town=row.town,
        point=find_point(row),
        price_milli_eur=row.price,
        updated_at=row.updated_at,
        rank=rank,
        out_since=row.began_at,
        is_closed=is_closed,
        brand=row.brand or "",
        to_median_milli_eur=row.price - median if rank == "fresh" and median is not None else None,
        nearby_median_milli_eur=median,
    )


def _compare(rows: list[FavouritePrice]) -> tuple[FavouritePrice, ...]:
    fresh = [row.price_milli_eur for row in rows if row.rank == "fresh" and row.price_milli_eur is not None]
    dearest = max(fresh, default=0)
    ranked = sorted(
        rows,
        key=lambda row: (
            RANKS.index(row.rank),
            row.is_closed,
            row.price_milli_eur if row.price_milli_eur is not None else float("inf"),
            row.custom_name,
            row.station_id,
        ),
    )
    return tuple(
        replace(row, to_dearest_milli_eur=row.price_milli_eur - dearest)
        if len(fresh) > 1 and row.rank == "fresh" and row.price_milli_eur is not None
        else row
        for row in ranked
    )
