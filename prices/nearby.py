"""What a fuel costs at the stations around a place, cheapest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from statistics import median_low
from typing import Any, Literal

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    false,
    literal,
    null,
    or_,
    select,
)

from models import Price, Station, StationBrand, StockOut
from prices.figures import NationalFigure, judge_price
from stations.filters import StationFilters, list_conditions, make_opening_judge
from stations.geography import Point, compute_distance_km, find_point, make_box

# How far from the median around, in thousandths of it, the tiers end: much cheaper, cheaper, as most, dearer, much.
TIER_BOUNDS = (-30, -10, 10, 30)

# A stock-out that began longer ago than this may have been forgotten by the station.
LONG_STOCK_OUT = timedelta(days=90)

Rank = Literal["fresh", "old", "implausible", "out", "long_out", "unpriced"]
RANKS: tuple[Rank, ...] = ("fresh", "out", "old", "implausible", "unpriced", "long_out")
NO_FILTERS = StationFilters()


@dataclass(frozen=True)
class PriceRow:
    """A station and its price of one fuel (thousandths of a euro per litre; None when it is out and names none).

    `difference_milli_eur` is to the median of the fresh prices around, and `tier`, 0 (cheapest) to 4, says how far
    that is; None for a price that is not compared. `rank` says whether it is, and if not, why: "unpriced" is a
    station of which no fuel was asked for, or that does not sell it, "long_out" one that ran out so long ago that it
    may have forgotten to say that it sells again. `brand` is empty when none is known. `point` is None when the
    location that the feed gives is doubtful.
    """

    station_id: int
    address: str
    town: str
    zip_code: str
    brand: str
    point: Point | None
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


def list_nearby_prices(
    connection: Connection,
    figure: NationalFigure | None,
    fuel_id: int | None,
    *,
    as_of: datetime,
    latitude: float | None = None,
    longitude: float | None = None,
    radius_km: float | None = None,
    zip_prefixes: tuple[str, ...] = (),
    zip_codes: tuple[str, ...] = (),
    filters: StationFilters = NO_FILTERS,
) -> NearbyPrices:
    """Return the stations that sell the fuel around a point, or at the postcodes that begin with one of `zip_prefixes`.

    A station whose location is doubtful is around no point. Those at one of `zip_codes`, the postcodes of the place
    that lies around the point, are among the stations all the same, without a distance.
    With neither, those of the whole country, compared with its own median unless words of an address were given. No
    fuel: every station, unpriced and the nearest first. Stations that have run out of the fuel are among them, if they
    may be. `figure` judges prices; without it (nothing fresh in the whole country) every price is old. Ages count
    from `as_of`.
    """
    query = _select_sellers(fuel_id, in_stock=filters.in_stock).where(*list_conditions(filters))
    around: dict[str, Any] = {}
    if zip_prefixes:
        query = query.where(or_(*(Station.zip_code.startswith(prefix) for prefix in zip_prefixes)))
    elif latitude is not None and longitude is not None and radius_km is not None:
        query = query.where(_is_around(has_zip_codes=bool(zip_codes)))
        around = asdict(make_box(latitude, longitude, radius_km)) | ({"zip_codes": zip_codes} if zip_codes else {})
    is_open = make_opening_judge(filters.open_at) if filters.open_at is not None else None
    rows = []
    for row in connection.execute(query, around):
        if is_open is not None and not is_open(row.opening_hours, row.has_automat):
            continue
        if zip_prefixes or latitude is None or longitude is None or row.is_location_doubtful:
            rows.append(_make_row(row, None, figure, as_of))
            continue
        distance_km = compute_distance_km(latitude, longitude, row.latitude, row.longitude)
        if radius_km is None or distance_km <= radius_km:
            rows.append(_make_row(row, distance_km, figure, as_of))
    is_national = latitude is None and not zip_prefixes and not filters.words
    return _rank(rows, figure.median_milli_eur if is_national and figure is not None else _find_median(rows))


def list_price_rows(
    connection: Connection,
    figure: NationalFigure | None,
    fuel_id: int | None,
    station_ids: Sequence[int],
    median_milli_eur: int | None,
    *,
    as_of: datetime,
) -> dict[int, PriceRow]:
    """Return those of the stations that are in the feed, by id, each with its price compared with that median."""
    if not station_ids:
        return {}
    rows = [
        _make_row(row, None, figure, as_of)
        for row in connection.execute(_select_prices(fuel_id).where(Station.id.in_(station_ids)))
    ]
    return {row.station_id: _compare(row, median_milli_eur) for row in rows}


def rank_price(
    figure: NationalFigure | None,
    price_milli_eur: int,
    updated_at: datetime,
    *,
    is_out: bool,
    out_since: datetime | None,
    as_of: datetime,
) -> Rank:
    """Say how a price ranks; without a figure (nothing fresh in the whole country) every price is old."""
    if is_out:
        return "long_out" if is_long_out(out_since, as_of) else "out"
    return judge_price(figure, price_milli_eur, updated_at)


def is_long_out(out_since: datetime | None, as_of: datetime) -> bool:
    """Say whether a stock-out began so long ago that it may have been forgotten; one without a date did not."""
    return out_since is not None and as_of - out_since > LONG_STOCK_OUT


# Queries are built once, as far as they are alike: that takes longer than asking them.
@cache
def _select_prices(fuel_id: int | None) -> Select[*tuple[Any, ...]]:
    """Select all stations of the feed with their price of the fuel, if they have one and a fuel was asked for."""
    stations = (
        Station.id,
        Station.address,
        Station.town,
        Station.zip_code,
        StationBrand.brand,
        Station.latitude,
        Station.longitude,
        Station.is_location_doubtful,
        Station.is_motorway,
        Station.has_automat,
        Station.opening_hours,
    )
    in_feed, is_branded = Station.left_feed_at.is_(None), StationBrand.station_id == Station.id
    if fuel_id is None:
        nothing = (null().label("price"), null().label("updated_at"), false().label("is_out"), null().label("began_at"))
        return select(*stations, *nothing).select_from(Station).outerjoin(StationBrand, is_branded).where(in_feed)
    return (
        select(
            *stations,
            Price.price,
            Price.updated_at,
            StockOut.station_id.is_not(None).label("is_out"),
            StockOut.began_at,
        )
        .select_from(Station)
        .outerjoin(Price, and_(Price.station_id == Station.id, Price.gastype_id == fuel_id))
        .outerjoin(StockOut, and_(StockOut.station_id == Station.id, StockOut.gastype_id == fuel_id))
        .outerjoin(StationBrand, is_branded)
        .where(in_feed)
    )


@cache
def _select_sellers(fuel_id: int | None, *, in_stock: bool) -> Select[*tuple[Any, ...]]:
    """Select those that sell the fuel, or anything where none was asked for; who has run out too, unless `in_stock`."""
    query = _select_prices(fuel_id)
    if fuel_id is None:
        return query.where(_sells_anything()) if in_stock else query
    if in_stock:
        return query.where(Price.price.is_not(None), StockOut.station_id.is_(None))
    return query.where(or_(Price.price.is_not(None), StockOut.station_id.is_not(None)))


@cache
def _is_around(*, has_zip_codes: bool) -> ColumnElement[bool]:
    in_box = and_(
        Station.latitude.between(bindparam("south"), bindparam("north")),
        Station.longitude.between(bindparam("west"), bindparam("east")),
        Station.is_location_doubtful.is_(False),
    )
    if not has_zip_codes:
        return in_box
    zip_codes: BindParameter[tuple[str, ...]] = bindparam("zip_codes", expanding=True)
    return or_(in_box, and_(Station.zip_code.in_(zip_codes), Station.is_location_doubtful.is_(True)))


def _sells_anything() -> ColumnElement[bool]:
    is_out = exists().where(StockOut.station_id == Price.station_id, StockOut.gastype_id == Price.gastype_id)
    return exists(select(literal(1)).where(Price.station_id == Station.id, ~is_out))


def _make_row(row: Row[Any], distance_km: float | None, figure: NationalFigure | None, as_of: datetime) -> PriceRow:
    return PriceRow(
        station_id=row.id,
        address=row.address,
        town=row.town,
        zip_code=row.zip_code,
        brand=row.brand or "",
        point=find_point(row),
        is_motorway=row.is_motorway,
        distance_km=distance_km,
        price_milli_eur=row.price,
        updated_at=row.updated_at,
        rank=(
            rank_price(figure, row.price, row.updated_at, is_out=row.is_out, out_since=row.began_at, as_of=as_of)
            if row.is_out or row.price is not None
            else "unpriced"
        ),
        out_since=row.began_at,
    )


def _find_median(rows: list[PriceRow]) -> int | None:
    fresh = [row.price_milli_eur for row in rows if row.rank == "fresh" and row.price_milli_eur is not None]
    return median_low(fresh) if fresh else None


def _rank(rows: list[PriceRow], median: int | None) -> NearbyPrices:
    ranked = sorted(
        rows,
        key=lambda row: (
            RANKS.index(row.rank),
            row.price_milli_eur if row.price_milli_eur is not None else float("inf"),
            row.distance_km if row.distance_km is not None else float("inf"),
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
