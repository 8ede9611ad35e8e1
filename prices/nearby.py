"""What a fuel costs at the stations around a place, cheapest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from math import inf
from statistics import median_low
from typing import Any, Literal, overload

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    String,
    and_,
    bindparam,
    case,
    exists,
    literal,
    null,
    or_,
    select,
    type_coerce,
)

from db import OF_MANY_FORMS
from models import Price, Station, StationBrand, StockOut, UtcDateTime, make_instant_reader
from prices.figures import NationalFigure, judge_price
from stations.filters import StationFacts, StationFilters, find_ids, list_conditions, make_opening_judge
from stations.geography import Point, compute_distance_km, find_point, make_box

# How far from the median around, in thousandths of it, the tiers end: much cheaper, cheaper, as most, dearer, much.
TIER_BOUNDS = (-30, -10, 10, 30)

# A stock-out that began longer ago than this may have been forgotten by the station.
LONG_STOCK_OUT = timedelta(days=90)

Rank = Literal["fresh", "old", "implausible", "out", "long_out", "unpriced"]
RANKS: tuple[Rank, ...] = ("fresh", "out", "old", "implausible", "unpriced", "long_out")
NO_FILTERS = StationFilters()
MAX_INTEGER = 2**31 - 1  # of a database


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


# What a map says of a price: the price, its rank, since when the station is out, and its tier, as in a PriceRow.
PriceFacts = tuple[int | None, Rank, datetime | None, int | None]
# A station on a map, by its id.
PricePoint = tuple[int, PriceFacts]


class PriceRows(Sequence[PriceRow]):
    """Rows in the order of their list. Each is made when asked for: of thousands found, a page shows twenty."""

    def __init__(
        self,
        rows: Sequence[Row[Any]],
        distances_km: Mapping[int, float],
        median_milli_eur: int | None,
        read_instant: Callable[[Any], datetime | None],
    ) -> None:
        self._rows = rows
        self._distances_km = distances_km
        self._median = median_milli_eur
        self._read_instant = read_instant

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> PriceRow: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[PriceRow, ...]: ...
    def __getitem__(self, index: int | slice) -> PriceRow | tuple[PriceRow, ...]:
        if isinstance(index, slice):
            return tuple(map(self._make_row, self._rows[index]))
        return self._make_row(self._rows[index])

    def _make_row(self, row: Row[Any]) -> PriceRow:
        return _make_row(row, self._distances_km.get(row.id), self._median, self._read_instant)


@dataclass(frozen=True)
class NearbyPrices:
    """The rows, cheapest first and those that aren't compared last, and the median of the fresh prices of all found.

    `found` are all, as `_select_prices` selects them, of which `rows` may be the first only.
    """

    rows: PriceRows
    median_milli_eur: int | None
    found: Sequence[Sequence[Any]]
    read_instant: Callable[[Any], datetime | None]

    @property
    def total(self) -> int:
        """How many were found."""
        return len(self.found)

    def list_positions(self) -> list[tuple[float, float]]:
        """Return where those found lie whose location is not doubtful, latitude and longitude, in their order."""
        return [(row[5], row[6]) for row in self.found if not row[2]]

    def list_points(self) -> list[PricePoint]:
        """Return all that stand on a map, in their order: those found whose location is not doubtful."""
        facts = _Facts(self.median_milli_eur, self.read_instant)
        return [(row[4], facts[row[0], row[1], row[3]]) for row in self.found if not row[2]]


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
    most: int | None = None,
) -> NearbyPrices:
    """Return the stations that sell the fuel around a point, or at the postcodes that begin with one of `zip_prefixes`.

    A station whose location is doubtful is around no point. Those at one of `zip_codes`, the postcodes of the place
    that lies around the point, are among the stations all the same, without a distance.
    With neither, those of the whole country, compared with its own median unless words of an address were given. No
    fuel: every station, unpriced and the nearest first. Stations that have run out of the fuel are among them, if they
    may be. `figure` judges prices; without it (nothing fresh in the whole country) every price is old. Ages count
    from `as_of`.

    `most`: no more than the first rows are wanted, though the points of all are. Around a point, where hundreds are
    found, not thousands, it is quicker to read all rows.
    """
    has_hours, is_brief = filters.open_at is not None, most is not None
    query = _select_sellers(fuel_id, in_stock=filters.in_stock, has_hours=has_hours, is_brief=is_brief)
    query = query.where(*list_conditions(filters))
    values: dict[str, Any] = _list_bounds(figure, as_of)
    is_around = not zip_prefixes and latitude is not None and longitude is not None
    is_national = not is_around and not zip_prefixes and not filters.words
    if zip_prefixes:
        query = query.where(or_(*(Station.zip_code.startswith(prefix) for prefix in zip_prefixes)))
    elif latitude is not None and longitude is not None and radius_km is not None:
        query = query.where(_is_around(has_zip_codes=bool(zip_codes)))
        values |= asdict(make_box(latitude, longitude, radius_km)) | ({"zip_codes": zip_codes} if zip_codes else {})
    rows: Sequence[Row[Any]] = connection.execute(query, values, execution_options=OF_MANY_FORMS).all()
    if filters.open_at is not None:
        is_open = make_opening_judge(filters.open_at)
        rows = [row for row in rows if is_open(row.opening_hours, row.has_automat)]
    distances_km: dict[int, float] = {}
    if is_around and latitude is not None and longitude is not None:
        distances_km = {
            row.id: compute_distance_km(latitude, longitude, row.latitude, row.longitude)
            for row in rows
            if not row.is_location_doubtful
        }
        rows = sorted(
            (row for row in rows if radius_km is None or distances_km.get(row.id, 0.0) <= radius_km),
            key=lambda row: (row.place, inf if row.price is None else row.price, distances_km.get(row.id, inf), row.id),
        )
    median = figure.median_milli_eur if is_national and figure is not None else _find_median(rows)
    read_instant = make_instant_reader(connection.dialect)
    if most is None:
        return NearbyPrices(PriceRows(rows, distances_km, median, read_instant), median, rows, read_instant)
    whole = _read_whole(connection, figure, fuel_id, [row.id for row in rows[:most]], as_of)
    # Plain tuples, since thousands are kept: the garbage collector visits every row each time, but no such tuple.
    found = list(map(tuple, rows))
    return NearbyPrices(PriceRows(whole, distances_km, median, read_instant), median, found, read_instant)


def narrow_prices(
    connection: Connection,
    national: NearbyPrices,
    facts: Mapping[int, StationFacts],
    figure: NationalFigure | None,
    fuel_id: int | None,
    *,
    as_of: datetime,
    zip_prefixes: tuple[str, ...],
    filters: StationFilters,
    most: int,
) -> NearbyPrices:
    """Return what `list_nearby_prices` would for no point, of the brief rows of all stations that sell the fuel.

    To judge what is kept of them, and to find the ids of others, takes a fraction of what it takes to find and fetch
    their prices again.
    """
    found = national.found
    conditions = list_conditions(replace(filters, words=()))
    if filters.in_stock and fuel_id is None:
        conditions.append(_sells_anything())
    elif filters.in_stock:
        found = [row for row in found if row[1] is not None and RANKS[row[0]] not in ("out", "long_out")]
    if zip_prefixes or filters.words or filters.open_at is not None:
        ids = find_ids(facts, filters, zip_prefixes)
        found = [row for row in found if row[4] in ids]
    if conditions:
        query = select(Station.id).where(Station.left_feed_at.is_(None), *conditions)
        ids = set(connection.scalars(query, execution_options=OF_MANY_FORMS))
        found = [row for row in found if row[4] in ids]
    is_national = not zip_prefixes and not filters.words
    median = national.median_milli_eur if is_national else _find_median(found)
    whole = _read_whole(connection, figure, fuel_id, [row[4] for row in found[:most]], as_of)
    rows = PriceRows(whole, {}, median, national.read_instant)
    return NearbyPrices(rows, median, found, national.read_instant)


def list_price_rows(
    connection: Connection,
    figure: NationalFigure | None,
    fuel_id: int | None,
    station_ids: Sequence[int],
    median_milli_eur: int | None,
    *,
    as_of: datetime,
) -> dict[int, PriceRow]:
    """Return those of the stations that are in the feed, by id and in that order; prices compare with the median."""
    read_instant = make_instant_reader(connection.dialect)
    rows = _read_whole(connection, figure, fuel_id, sorted(station_ids), as_of)
    return {row.id: _make_row(row, None, median_milli_eur, read_instant) for row in rows}


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


# Queries are built once, as far as they are alike: that takes longer than asking them. Instants and flags come as the
# database has them: to make Python's of thousands takes as long as the query, and few are ever looked at.
@cache
def _select_prices(fuel_id: int | None, *, has_hours: bool = False, is_brief: bool = False) -> Select[*tuple[Any, ...]]:
    """Select all stations of the feed with their price of the fuel, if they have one and a fuel was asked for.

    In the order of their list, as far as no distance counts. Brief rows hold what a PricePoint needs: to fetch the
    rest of thousands takes longer than to find them.
    """
    in_feed, is_branded = Station.left_feed_at.is_(None), StationBrand.station_id == Station.id
    is_doubtful = _as_stored(Station.is_location_doubtful, Integer)
    spot = (Station.id, Station.latitude, Station.longitude)
    rest = (
        StationBrand.brand,
        Station.address,
        Station.town,
        Station.zip_code,
        _as_stored(Station.is_motorway, Integer),
    )
    hours = (Station.has_automat, Station.opening_hours) if has_hours else ()
    if fuel_id is None:
        unpriced = literal(RANKS.index("unpriced")).label("place")
        price, out_since, updated_at = (null().label(name) for name in ("price", "out_since", "updated_at"))
        columns = (unpriced, price, is_doubtful, out_since, *spot)
        if is_brief:
            return select(*columns, *hours).select_from(Station).where(in_feed).order_by(Station.id)
        return (
            select(*columns, *rest, updated_at, *hours)
            .select_from(Station)
            .outerjoin(StationBrand, is_branded)
            .where(in_feed)
            .order_by(Station.id)
        )
    place = _find_place().label("place")
    began_at, reported_at = _as_stored(StockOut.began_at, String, "out_since"), _as_stored(Price.updated_at, String)
    more = () if is_brief else (*rest, reported_at)
    query = (
        select(place, Price.price, is_doubtful, began_at, *spot, *more, *hours)
        .select_from(Station)
        .outerjoin(Price, and_(Price.station_id == Station.id, Price.gastype_id == fuel_id))
        .outerjoin(StockOut, and_(StockOut.station_id == Station.id, StockOut.gastype_id == fuel_id))
        .where(in_feed)
        .order_by(place, Price.price.nulls_last(), Station.id)
    )
    return query if is_brief else query.outerjoin(StationBrand, is_branded)


def _find_place() -> ColumnElement[int]:
    """Find the place in RANKS of what `rank_price` says of a price, by the bounds that `_list_bounds` lists."""
    is_out = StockOut.station_id.is_not(None)
    is_long = StockOut.began_at < bindparam("long_out_before", type_=UtcDateTime())
    is_plausible = Price.price.between(bindparam("plausible_from"), bindparam("plausible_to"))
    is_fresh = Price.updated_at >= bindparam("fresh_from", type_=UtcDateTime())
    ranks: tuple[tuple[ColumnElement[bool], Rank], ...] = (
        (and_(is_out, is_long), "long_out"),
        (is_out, "out"),
        (Price.price.is_(None), "unpriced"),
        (~is_plausible, "implausible"),
        (is_fresh, "fresh"),
    )
    return case(*((condition, RANKS.index(rank)) for condition, rank in ranks), else_=RANKS.index("old"))


@cache
def _select_sellers(
    fuel_id: int | None, *, in_stock: bool, has_hours: bool, is_brief: bool
) -> Select[*tuple[Any, ...]]:
    """Select those that sell the fuel, or anything where none was asked for; who has run out too, unless `in_stock`."""
    query = _select_prices(fuel_id, has_hours=has_hours, is_brief=is_brief)
    if fuel_id is None:
        return query.where(_sells_anything()) if in_stock else query
    if in_stock:
        return query.where(Price.price.is_not(None), StockOut.station_id.is_(None))
    return query.where(or_(Price.price.is_not(None), StockOut.station_id.is_not(None)))


def _read_whole(
    connection: Connection,
    figure: NationalFigure | None,
    fuel_id: int | None,
    station_ids: Sequence[int],
    as_of: datetime,
) -> list[Row[Any]]:
    """Read the whole rows of stations that are in the feed, in the order of their ids as given."""
    if not station_ids:
        return []
    query = _select_prices(fuel_id).where(Station.id.in_(station_ids)).order_by(None)
    rows = {row.id: row for row in connection.execute(query, _list_bounds(figure, as_of))}
    return [rows[id_] for id_ in station_ids if id_ in rows]


def _as_stored(column: Any, kind: Any, name: str = "") -> ColumnElement[Any]:
    """Name the column's type otherwise, so that nothing is made of what the database's driver returns."""
    return type_coerce(column, kind).label(name or column.key)


def _list_bounds(figure: NationalFigure | None, as_of: datetime) -> dict[str, Any]:
    """Return what the queries compare prices and instants with; without a figure every price is plausible and old."""
    return {
        "plausible_from": 0 if figure is None else figure.plausible_from_milli_eur,
        "plausible_to": MAX_INTEGER if figure is None else figure.plausible_to_milli_eur,
        "fresh_from": None if figure is None else figure.fresh_from,
        "long_out_before": as_of - LONG_STOCK_OUT,
    }


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


class _Facts(dict[tuple[int, int | None, Any], PriceFacts]):
    """What a map says of prices, by place in RANKS, price and start of the stock-out: many stations have the same."""

    def __init__(self, median: int | None, read_instant: Callable[[Any], datetime | None]) -> None:
        super().__init__()
        self._median = median
        self._read_instant = read_instant

    def __missing__(self, key: tuple[int, int | None, Any]) -> PriceFacts:
        place, price, out_since = key
        is_compared = place == 0 and price is not None and self._median is not None
        tier = _find_tier(price, self._median) if is_compared else None  # type: ignore[arg-type]
        self[key] = facts = (price, RANKS[place], self._read_instant(out_since), tier)
        return facts


def _make_row(
    row: Row[Any], distance_km: float | None, median: int | None, read_instant: Callable[[Any], datetime | None]
) -> PriceRow:
    difference = row.price - median if row.place == 0 and median is not None else None
    return PriceRow(
        station_id=row.id,
        address=row.address,
        town=row.town,
        zip_code=row.zip_code,
        brand=row.brand or "",
        point=find_point(row),
        is_motorway=bool(row.is_motorway),
        distance_km=distance_km,
        price_milli_eur=row.price,
        updated_at=read_instant(row.updated_at),
        rank=RANKS[row.place],
        out_since=read_instant(row.out_since),
        difference_milli_eur=difference,
        tier=None if difference is None or median is None else _find_tier(row.price, median),
    )


def _find_median(rows: Sequence[Sequence[Any]]) -> int | None:
    """Return the median of the fresh prices, which come first."""
    fresh = [row[1] for row in rows if row[0] == 0]
    return median_low(fresh) if fresh else None


def _find_tier(price: int, median: int) -> int:
    return sum((price - median) * 1000 > bound * median for bound in TIER_BOUNDS)
