"""What a station asks for each fuel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, or_, select, true

from models import FUEL_NAMES, GasType, Price, Station, StockOut
from prices.figures import NationalFigure, Standing, judge_price
from prices.nearby import is_long_out


@dataclass(frozen=True)
class FuelRow:
    """What one station says of one fuel: its price and age, how that ranks, and a stock-out.

    `is_long_out`: it began so long ago that the station may have forgotten to say that it sells again.
    """

    fuel_id: int
    price_milli_eur: int | None
    updated_at: datetime | None
    standing: Standing | None
    is_out: bool
    is_long_out: bool
    out_since: datetime | None


def list_fuel_prices(
    connection: Connection, figures: Mapping[int, NationalFigure], station_ids: Iterable[int], *, as_of: datetime
) -> dict[int, tuple[FuelRow, ...]]:
    """Return every fuel that each of the stations sells or has run out of, the most sold fuel first.

    Ages count from `as_of`; what ran out so long ago that it may have been forgotten comes last.
    """
    found: dict[int, list[FuelRow]] = {station_id: [] for station_id in station_ids}
    if not found:
        return {}
    for row in connection.execute(_select_fuel_prices(), {"station_ids": list(found)}):
        found[row.id].append(
            FuelRow(
                fuel_id=row.fuel_id,
                price_milli_eur=row.price,
                updated_at=row.updated_at,
                standing=None
                if row.price is None
                else judge_price(figures.get(row.fuel_id), row.price, row.updated_at),
                is_out=row.is_out,
                is_long_out=is_long_out(row.began_at, as_of),
                out_since=row.began_at,
            )
        )
    order = list(FUEL_NAMES)
    return {
        id_: tuple(sorted(rows, key=lambda row: (row.is_long_out, order.index(row.fuel_id))))
        for id_, rows in found.items()
    }


def list_station_prices(
    connection: Connection, station_id: int, figures: Mapping[int, NationalFigure], *, as_of: datetime
) -> tuple[FuelRow, ...]:
    """Return what `list_fuel_prices` returns, of one station."""
    return list_fuel_prices(connection, figures, [station_id], as_of=as_of)[station_id]


@cache
def _select_fuel_prices() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Station.id,
            GasType.id.label("fuel_id"),
            Price.price,
            Price.updated_at,
            StockOut.station_id.is_not(None).label("is_out"),
            StockOut.began_at,
        )
        .select_from(Station)
        .join(GasType, true())
        .outerjoin(Price, and_(Price.station_id == Station.id, Price.gastype_id == GasType.id))
        .outerjoin(StockOut, and_(StockOut.station_id == Station.id, StockOut.gastype_id == GasType.id))
        .where(
            Station.id.in_(bindparam("station_ids", expanding=True)),
            or_(Price.price.is_not(None), StockOut.station_id.is_not(None)),
        )
    )
