"""What the API says of stations, fuels and loads, as it goes out in JSON. Its schemas are those of `api.openapi`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from answers import Content
from api.loads import Load, get_last_load
from api.parameters import StationQuery
from api.sources import BRANDS, PRICES
from models import FUEL_NAMES
from prices.figures import FRESH_DAYS, NationalFigure
from prices.freshness import Freshness, get_freshness
from prices.fuels import FuelRow, list_fuel_prices
from prices.nearby import list_nearby_prices
from settings import VERSION
from stations.brands import list_brand_sources
from stations.details import get_station
from stations.geography import Point
from stations.opening_hours import Day

Body = dict[str, Any]


def write_body(body: Body) -> Content:
    """Return a body as it goes out."""
    return Content(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())


@dataclass(frozen=True)
class LoadedFeed:
    """The loaded feed as an answer finds it: the real now, and the instant from which ages count."""

    freshness: Freshness
    figures: Mapping[int, NationalFigure]
    as_of: datetime
    now: datetime


def describe_stations(connection: Connection, feed: LoadedFeed, query: StationQuery) -> Body:
    """Return the stations around a point: by the price of the fuel, or the nearest first where none was asked for."""
    nearby = list_nearby_prices(
        connection,
        None if query.fuel_id is None else feed.figures.get(query.fuel_id),
        query.fuel_id,
        as_of=feed.as_of,
        latitude=query.latitude,
        longitude=query.longitude,
        radius_km=query.radius_km,
    )
    rows = nearby.rows[: query.limit]
    prices = list_fuel_prices(connection, feed.figures, [row.station_id for row in rows], as_of=feed.as_of)
    return {
        "feed": describe_feed(feed.freshness, feed.now),
        "near": _describe_point(Point(query.latitude, query.longitude)),
        "radius_km": query.radius_km,
        "fuel": None if query.fuel_id is None else FUEL_NAMES[query.fuel_id],
        **_describe_price("median", None if query.fuel_id is None else nearby.median_milli_eur),
        "total": nearby.total,
        "stations": [
            {
                "id": row.station_id,
                "brand": row.brand or None,
                "address": row.address,
                "town": row.town,
                "zip_code": row.zip_code,
                **_describe_point(row.point),
                "is_motorway": row.is_motorway,
                "distance_km": None if row.distance_km is None else round(row.distance_km, 3),
                "prices": _describe_prices(prices[row.station_id], feed.as_of, query.fuel_id),
            }
            for row in rows
        ],
    }


def describe_station(connection: Connection, feed: LoadedFeed, station_id: int) -> Body:
    """Return one station, also one that has left the feed.

    Raises StationUnknown: none has that id.
    """
    station = get_station(connection, station_id)
    prices = list_fuel_prices(connection, feed.figures, [station_id], as_of=feed.as_of)
    return {
        "feed": describe_feed(feed.freshness, feed.now),
        "station": {
            "id": station.id,
            "brand": station.brand or None,
            "name": station.name or None,
            "address": station.address,
            "town": station.town,
            "zip_code": station.zip_code,
            **_describe_point(station.point),
            "is_location_doubtful": station.point is None,
            "is_motorway": station.is_motorway,
            "has_automat": station.has_automat,
            "services": list(station.services),
            "opening_hours": None if station.week is None else [_describe_day(day) for day in station.week],
            "left_feed_at": write_instant(station.left_feed_at),
            "prices": _describe_prices(prices[station_id], feed.as_of),
        },
    }


def describe_fuels(feed: LoadedFeed) -> Body:
    """Return the fuels and what they cost in the whole country."""
    return {
        "feed": describe_feed(feed.freshness, feed.now),
        "fuels": [_describe_fuel(fuel_id, name, feed.figures) for fuel_id, name in FUEL_NAMES.items()],
    }


def describe_status(connection: Connection, now: datetime) -> Body:
    """Return what was loaded last, and where it comes from."""
    freshness, load = get_freshness(connection), get_last_load(connection)
    brands = dict.fromkeys(source.kind for source in list_brand_sources(connection))
    is_invented = freshness is not None and freshness.is_sample
    return {
        "version": VERSION,
        "feed": None if freshness is None else describe_feed(freshness, now),
        "last_load": None if load is None else _describe_load(load),
        "sources": [*([] if is_invented else [PRICES]), *(BRANDS[kind] for kind in brands)],
    }


def describe_feed(freshness: Freshness, now: datetime) -> Body:
    """Return how fresh the loaded feed is, whether it is out of date, and whether it was invented."""
    return {
        "loaded_at": write_instant(freshness.loaded_at),
        "newest_report_at": write_instant(freshness.newest_report_at),
        "stock_outs_at": write_instant(freshness.stock_outs_at),
        "is_out_of_date": freshness.is_out_of_date(now),
        "is_sample": freshness.is_sample,
    }


def write_instant(at: datetime | None) -> str | None:
    """Return an instant in ISO 8601, UTC, to the second."""
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _describe_point(point: Point | None) -> Body:
    """Return a point to a tenth of a metre: the feed's own figures pretend to much more."""
    latitude, longitude = (None, None) if point is None else point
    return {
        "latitude": None if latitude is None else round(latitude, 6),
        "longitude": None if longitude is None else round(longitude, 6),
    }


def _describe_prices(rows: Iterable[FuelRow], as_of: datetime, fuel_id: int | None = None) -> list[Body]:
    return [
        {
            "fuel": FUEL_NAMES[row.fuel_id],
            **_describe_price("price", row.price_milli_eur),
            "reported_at": write_instant(row.updated_at),
            "age_hours": _count_hours(row.updated_at, as_of),
            "status": row.standing,
            "standing": row.standing,
            "stock_out": (
                {"since": write_instant(row.out_since), "is_old": row.is_long_out, "for_good": False}
                if row.is_out
                else None
            ),
        }
        for row in rows
        if fuel_id in (None, row.fuel_id)
    ]


def _describe_price(name: str, milli_eur: int | None) -> Body:
    return {f"{name}_milli_eur": milli_eur, f"{name}_eur": None if milli_eur is None else milli_eur / 1000}


def _count_hours(at: datetime | None, as_of: datetime) -> int | None:
    return None if at is None else max(0, int((as_of - at).total_seconds() // 3600))


def _describe_fuel(fuel_id: int, name: str, figures: Mapping[int, NationalFigure]) -> Body:
    figure = figures.get(fuel_id)
    return {
        "id": fuel_id,
        "name": name,
        "fresh_days": FRESH_DAYS[fuel_id],
        **_describe_price("median", None if figure is None else figure.median_milli_eur),
        **_describe_price("lowest", None if figure is None else figure.lowest_milli_eur),
        "station_count": 0 if figure is None else figure.station_count,
    }


def _describe_day(day: Day | None) -> list[Body] | None:
    if day is None:
        return None
    return [{"opens": _write_clock(opens), "closes": _write_clock(closes)} for opens, closes in day]


def _write_clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _describe_load(load: Load) -> Body:
    return {
        "status": load.status,
        "started_at": write_instant(load.started_at),
        "finished_at": write_instant(load.finished_at),
        "seconds": round(load.seconds, 3),
        "stations_seen": load.stations_seen,
        "stations_written": load.stations_written,
        "stations_rejected": load.stations_rejected,
        "prices_seen": load.prices_seen,
        "prices_written": load.prices_written,
        "prices_rejected": load.prices_rejected,
    }
