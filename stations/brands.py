"""The brands that stations have, and where that is known from: none of it is in the feed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from models import BrandState, Station, StationBrand


@dataclass(frozen=True)
class Brand:
    """A brand, in its one spelling, and how many stations of the feed have it; `key` is what they are found by."""

    key: str
    name: str
    station_count: int


@dataclass(frozen=True)
class BrandSource:
    """A list that the brands came from: `kind` is prix_carburant or openstreetmap, `source` an address or path."""

    kind: str
    source: str
    station_count: int
    loaded_at: datetime


def list_brands(connection: Connection) -> tuple[Brand, ...]:
    """Return the brands that stations in the feed have, the most common first."""
    station_count = func.count().label("station_count")
    name = func.min(StationBrand.brand).label("name")
    rows = connection.execute(
        select(StationBrand.brand_key, name, station_count)
        .join(Station, Station.id == StationBrand.station_id)
        .where(Station.left_feed_at.is_(None), StationBrand.brand_key != "")
        .group_by(StationBrand.brand_key)
        .order_by(station_count.desc(), StationBrand.brand_key)
    )
    return tuple(Brand(*row) for row in rows)


def list_brand_sources(connection: Connection) -> tuple[BrandSource, ...]:
    """Return the lists that the brands came from, the one that wins first; none when none were ever loaded."""
    rows = connection.execute(
        select(BrandState.kind, BrandState.source, BrandState.station_count, BrandState.loaded_at).order_by(
            BrandState.id
        )
    )
    return tuple(BrandSource(*row) for row in rows)
