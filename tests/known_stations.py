"""Stations put straight into the database, at places and prices that a test can reckon with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from models import FUEL_NAMES, GasType, Price, Station, StockOut, make_town_key

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)  # a Tuesday, 13:00 in Paris
E10, GAZOLE, E85 = 5, 1, 3
CENTRE = (46.0, 2.0)
KM_NORTH = 1 / 111.195  # in degrees of latitude


def add_station(connection: Connection, station_id: int, km: float = 1.0, **values: Any) -> None:
    """Add a station so many kilometres north of the centre."""
    station = {
        "id": station_id,
        "latitude": CENTRE[0] + km * KM_NORTH,
        "longitude": CENTRE[1],
        "address": f"{station_id} Rue de la Gare",
        "town": "Guéret",
        "zip_code": "23000",
        "town_key": make_town_key("Guéret"),
        "is_motorway": False,
        "has_automat": False,
        "services": "",
    }
    if connection.execute(GasType.__table__.select()).first() is None:
        connection.execute(insert(GasType), [{"id": id_, "name": name} for id_, name in FUEL_NAMES.items()])
    connection.execute(insert(Station).values(station | values))


def add_price(
    connection: Connection, station_id: int, price: int, fuel_id: int = E10, days: float = 1, now: datetime = NOW
) -> None:
    """Add a price reported so many days ago."""
    at = now - timedelta(days=days)
    connection.execute(insert(Price).values(station_id=station_id, gastype_id=fuel_id, price=price, updated_at=at))


def add_stock_out(
    connection: Connection, station_id: int, *, fuel_id: int = E10, days: float = 2, now: datetime = NOW
) -> None:
    """Add a stock-out that began so many days ago."""
    began_at = now - timedelta(days=days)
    connection.execute(insert(StockOut).values(station_id=station_id, gastype_id=fuel_id, began_at=began_at))
