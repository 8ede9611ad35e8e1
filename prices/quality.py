"""What is doubtful in the loaded feed: implausible prices, old reports, stations that are gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select, and_, func, or_, select

from models import FUEL_NAMES, FuelFigure, Price, Station
from prices.figures import find_fresh_from


@dataclass(frozen=True)
class DoubtfulPrice:
    """A price at a station; thousandths of a euro per litre, as the national median of its fuel beside it, if any."""

    station_id: int
    address: str
    town: str
    fuel_id: int
    price_milli_eur: int
    median_milli_eur: int | None
    updated_at: datetime


@dataclass(frozen=True)
class GoneStation:
    """A station that is no longer in the feed."""

    station_id: int
    address: str
    town: str
    left_feed_at: datetime


@dataclass(frozen=True)
class DoubtfulLocation:
    """A station whose coordinates contradict its postcode."""

    station_id: int
    address: str
    town: str
    zip_code: str
    latitude: float
    longitude: float


@dataclass(frozen=True)
class Quality:
    """How much is doubtful in all, and the first of each kind."""

    implausible_count: int
    implausible: tuple[DoubtfulPrice, ...]
    old_count: int
    oldest: tuple[DoubtfulPrice, ...]
    gone_count: int
    gone: tuple[GoneStation, ...]
    doubtful_location_count: int
    doubtful_locations: tuple[DoubtfulLocation, ...]


def inspect_feed(connection: Connection, count: int, as_of: datetime) -> Quality:
    """Return what is doubtful, at most `count` of each kind: the furthest off, the oldest, the last to go first.

    Ages count from `as_of`.
    """
    is_implausible = or_(Price.price < FuelFigure.plausible_from, Price.price > FuelFigure.plausible_to)
    is_old = or_(*(and_(Price.gastype_id == id_, Price.updated_at < find_fresh_from(id_, as_of)) for id_ in FUEL_NAMES))
    is_doubtful = Station.left_feed_at.is_(None), Station.is_location_doubtful.is_(True)
    distance = func.abs(Price.price - FuelFigure.median_price)
    counts = connection.execute(
        select(
            _count_prices(is_implausible),
            _count_prices(is_old),
            select(func.count()).select_from(Station).where(Station.left_feed_at.is_not(None)).scalar_subquery(),
            select(func.count()).select_from(Station).where(*is_doubtful).scalar_subquery(),
        )
    ).one()
    prices = _select_prices().limit(count)
    implausible = connection.execute(prices.where(is_implausible).order_by(distance.desc(), Price.station_id))
    oldest = connection.execute(prices.where(is_old).order_by(Price.updated_at, Price.station_id))
    gone = connection.execute(
        select(Station.id, Station.address, Station.town, Station.left_feed_at)
        .where(Station.left_feed_at.is_not(None))
        .order_by(Station.left_feed_at.desc(), Station.id)
        .limit(count)
    )
    doubtful_locations = connection.execute(
        select(Station.id, Station.address, Station.town, Station.zip_code, Station.latitude, Station.longitude)
        .where(*is_doubtful)
        .order_by(Station.id)
        .limit(count)
    )
    return Quality(
        counts[0],
        tuple(DoubtfulPrice(*row) for row in implausible),
        counts[1],
        tuple(DoubtfulPrice(*row) for row in oldest),
        counts[2],
        tuple(GoneStation(*row) for row in gone),  # type: ignore[arg-type]  # all of them have left
        counts[3],
        tuple(DoubtfulLocation(*row) for row in doubtful_locations),
    )


def _select_prices() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Station.id,
            Station.address,
            Station.town,
            Price.gastype_id,
            Price.price,
            FuelFigure.median_price,
            Price.updated_at,
        )
        .join(Price, Price.station_id == Station.id)
        .outerjoin(FuelFigure, FuelFigure.gastype_id == Price.gastype_id)
    )


def _count_prices(condition: ColumnElement[bool]) -> ScalarSelect[int]:
    return (
        select(func.count())
        .select_from(Price)
        .outerjoin(FuelFigure, FuelFigure.gastype_id == Price.gastype_id)
        .where(condition)
        .scalar_subquery()
    )
