"""What each fuel costs in the whole country, and the rules by which a price is old or implausible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low
from typing import Literal

from sqlalchemy import Connection, delete, func, insert, select

from models import FUEL_NAMES, FuelFigure, Price

Standing = Literal["fresh", "old", "implausible"]

# E85 and GPLc move rarely: a price of two months may well be today's.
FRESH_DAYS: Mapping[int, int] = {fuel_id: 90 if name in ("E85", "GPLc") else 30 for fuel_id, name in FUEL_NAMES.items()}
# Bounds of a plausible price, in tenths of the national median of its fuel's fresh prices.
PLAUSIBLE_TENTHS = (8, 17)


@dataclass(frozen=True)
class NationalFigure:
    """What a fuel costs in the country: thousandths of a euro per litre, fresh and plausible prices only."""

    fuel_id: int
    median_milli_eur: int
    lowest_milli_eur: int
    station_count: int
    fresh_from: datetime

    def judge(self, price_milli_eur: int, updated_at: datetime) -> Standing:
        """Say whether a price of this fuel can be compared with others; an implausible one is that at any age."""
        if not _is_plausible(price_milli_eur, self.median_milli_eur):
            return "implausible"
        return "fresh" if updated_at >= self.fresh_from else "old"


def judge_price(figure: NationalFigure | None, price_milli_eur: int, updated_at: datetime) -> Standing:
    """Say how a price stands; without a figure of its fuel (nothing fresh in the whole country) it is old."""
    return figure.judge(price_milli_eur, updated_at) if figure is not None else "old"


def list_national_figures(connection: Connection) -> dict[int, NationalFigure]:
    """Return the figures of the last load by fuel, in the order of the fuels' ids; none before the first load."""
    rows = connection.execute(select(FuelFigure.__table__).order_by(FuelFigure.gastype_id))
    return {row.gastype_id: NationalFigure(*row) for row in rows}


def store_figures(connection: Connection) -> None:
    """Work out the figures of the prices that stand in the database, and store them in place of the former.

    Age counts from the newest report there is, not from today, so that a feed of another year can be tried.
    """
    newest_report_at = connection.execute(select(func.max(Price.updated_at))).scalar()
    connection.execute(delete(FuelFigure))
    if newest_report_at is None:
        return
    fresh_from = {fuel_id: newest_report_at - timedelta(days=days) for fuel_id, days in FRESH_DAYS.items()}
    prices: dict[int, list[int]] = defaultdict(list)
    for days in set(FRESH_DAYS.values()):
        fuels = [fuel_id for fuel_id in FRESH_DAYS if FRESH_DAYS[fuel_id] == days]
        # Grouped by the database: many stations ask the same price, and fetching a row costs more than counting it.
        fresh = (
            select(Price.gastype_id, Price.price, func.count())
            .where(Price.gastype_id.in_(fuels), Price.updated_at >= newest_report_at - timedelta(days=days))
            .group_by(Price.gastype_id, Price.price)
        )
        for fuel_id, price, count in connection.execute(fresh):
            prices[fuel_id].extend([price] * count)
    figures = []
    for fuel_id, fuel_prices in sorted(prices.items()):
        median = median_low(fuel_prices)
        plausible = [price for price in fuel_prices if _is_plausible(price, median)]
        figures.append(
            {
                "gastype_id": fuel_id,
                "median_price": median,
                "lowest_price": min(plausible),
                "station_count": len(plausible),
                "fresh_from": fresh_from[fuel_id],
            }
        )
    connection.execute(insert(FuelFigure), figures)


def _is_plausible(price: int, median: int) -> bool:
    lowest_tenths, highest_tenths = PLAUSIBLE_TENTHS
    return median * lowest_tenths <= price * 10 <= median * highest_tenths
