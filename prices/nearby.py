"""What a fuel costs at the stations around a place, cheapest first, and what one station asks for each fuel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median_low
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, and_, or_, select

from models import FUEL_NAMES, Price, Station, StationBrand, StockOut
from prices.figures import NationalFigure, Standing
from stations.geography import compute_distance_km, make_box

# How far from the median around, in thousandths of it, the tiers end: much cheaper, cheaper, as most, dearer, much.
TIER_BOUNDS = (-30, -10, 10, 30)

Rank = Literal["fresh", "old", "implausible", "out"]
_RANKS: tuple[Rank, ...] = ("fresh", "out", "old", "implausible")


@dataclass(frozen=True)
class PriceRow:
    """A station and its price of one fuel (thousandths of a euro per litre; None when it is out and names none).

    `difference_milli_eur` is to the median of the fresh prices around, and `tier`, 0 (cheapest) to 4, says how far
    that is; None for a price that is not compared. `rank` says whether it is, and if not, why. `brand` is empty when
    none is known.
    """

    station_id: int
    address: str
    town: str
    zip_code: str
    brand: str
    latitude: float
    longitude: float
    is_motorway: bool
    distance_km: float | None
    price_milli_eur: int | None
    updated_at: datetime | None
    rank: Rank
    out_since: datetime | None
    difference_milli_eur: int | None = None
    tier: int | None = None


@dataclass(frozen=True)
class NearbyPrices:
    """The rows, cheapest first and those that aren't compared last, and the median of the fresh prices among them."""

    rows: tuple[PriceRow, ...]
    median_milli_eur: int | None


@dataclass(frozen=True)
class FuelRow:
    """What one station says of one fuel: its price and age, how that ranks, and a stock-out."""

    fuel_id: int
    price_milli_eur: int | None
    updated_at: datetime | None
    standing: Standing | None
    is_out: bool
    is_out_for_good: bool
    out_since: datetime | None


def list_nearby_prices(
    connection: Connection,
    figure: NationalFigure | None,
    fuel_id: int,
    *,
    latitude: float,
    longitude: float,
    radius_km: float | None,
    zip_prefixes: tuple[str, ...] = (),
) -> NearbyPrices:
    """Return the stations that sell the fuel around a point, or at the postcodes that begin with one of `zip_prefixes`.

    Stations that have run out of it are among them. `figure` judges prices; without it (nothing fresh in the whole
    country) every price is old.
    """
    query = _select_prices(fuel_id)
    if zip_prefixes:
        query = query.where(or_(*(Station.zip_code.startswith(prefix) for prefix in zip_prefixes)))
    elif radius_km is not None:
        box = make_box(latitude, longitude, radius_km)
        query = query.where(
            Station.latitude.between(box.south, box.north), Station.longitude.between(box.west, box.east)
        )
    rows = []
    for row in connection.execute(query):
        distance_km = compute_distance_km(latitude, longitude, row.latitude, row.longitude)
        if zip_prefixes or radius_km is None or distance_km <= radius_km:
            rows.append(_make_row(row, None if zip_prefixes else distance_km, figure))
    return _rank(rows)


def list_station_prices(
    connection: Connection, station_id: int, figures: dict[int, NationalFigure]
) -> tuple[FuelRow, ...]:
    """Return every fuel that a station sells or has run out of, in the order of the fuels' ids."""
    prices = {
        row.gastype_id: row for row in connection.execute(select(Price.__table__).where(Price.station_id == station_id))
    }
    outs = {
        row.gastype_id: row
        for row in connection.execute(select(StockOut.__table__).where(StockOut.station_id == station_id))
    }
    rows = []
    for fuel_id in FUEL_NAMES:
        price, out = prices.get(fuel_id), outs.get(fuel_id)
        if price is None and out is None:
            continue
        rows.append(
            FuelRow(
                fuel_id=fuel_id,
                price_milli_eur=price.price if price else None,
                updated_at=price.updated_at if price else None,
                standing=_judge(figures.get(fuel_id), price.price, price.updated_at) if price else None,
                is_out=out is not None,
                is_out_for_good=bool(out and out.is_permanent),
                out_since=out.began_at if out else None,
            )
        )
    return tuple(rows)


def _select_prices(fuel_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Station.id,
            Station.address,
            Station.town,
            Station.zip_code,
            StationBrand.brand,
            Station.latitude,
            Station.longitude,
            Station.is_motorway,
            Price.price,
            Price.updated_at,
            StockOut.station_id.is_not(None).label("is_out"),
            StockOut.began_at,
        )
        .outerjoin(Price, and_(Price.station_id == Station.id, Price.gastype_id == fuel_id))
        .outerjoin(StockOut, and_(StockOut.station_id == Station.id, StockOut.gastype_id == fuel_id))
        .outerjoin(StationBrand, StationBrand.station_id == Station.id)
        .where(
            Station.left_feed_at.is_(None),
            or_(Price.price.is_not(None), and_(StockOut.station_id.is_not(None), StockOut.is_permanent.is_(False))),
        )
    )


def _make_row(row: Row[Any], distance_km: float | None, figure: NationalFigure | None) -> PriceRow:
    return PriceRow(
        station_id=row.id,
        address=row.address,
        town=row.town,
        zip_code=row.zip_code,
        brand=row.brand or "",
        latitude=row.latitude,
        longitude=row.longitude,
        is_motorway=row.is_motorway,
        distance_km=distance_km,
        price_milli_eur=row.price,
        updated_at=row.updated_at,
        rank="out" if row.is_out else _judge(figure, row.price, row.updated_at),
        out_since=row.began_at,
    )


def _judge(figure: NationalFigure | None, price_milli_eur: int, updated_at: datetime) -> Standing:
    return figure.judge(price_milli_eur, updated_at) if figure is not None else "old"


def _rank(rows: list[PriceRow]) -> NearbyPrices:
    fresh = [row.price_milli_eur for row in rows if row.rank == "fresh" and row.price_milli_eur is not None]
    median = median_low(fresh) if fresh else None
    ranked = sorted(
        rows,
        key=lambda row: (
            _RANKS.index(row.rank),
            row.price_milli_eur if row.price_milli_eur is not None else float("inf"),
            row.distance_km or 0.0,
            row.station_id,
        ),
    )
    return NearbyPrices(tuple(_compare(row, median) for row in ranked), median)


def _compare(row: PriceRow, median: int | None) -> PriceRow:
    if median is None or row.rank != "fresh" or row.price_milli_eur is None:
        return row
    difference = row.price_milli_eur - median
    tier = sum(difference * 1000 > bound * median for bound in TIER_BOUNDS)
    return replace(row, difference_milli_eur=difference, tier=tier)
