"""What each fuel costs in the whole country, and the rules by which a price is old or implausible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median_low
from threading import Lock
from typing import Literal

from sqlalchemy import Connection, and_, delete, func, insert, select

from models import FUEL_NAMES, FuelFigure, Price, StockOut

Standing = Literal["fresh", "old", "implausible"]

# E85 and GPLc move rarely: a price of two months may well be today's.
FRESH_DAYS: Mapping[int, int] = {fuel_id: 90 if name in ("E85", "GPLc") else 30 for fuel_id, name in FUEL_NAMES.items()}
# How long the figures that a load stored count as those of now: a price may have grown old in them since.
STORED_COUNT_FOR = timedelta(hours=1)
RENEWED_AFTER = timedelta(days=1)  # loads that find the feed unchanged store them again
# A wider gap between two neighbouring prices, in percent of the median, separates the plausible from the isolated.
# Stations differ more in E85 and GPLc: in 2019 the cheapest E85 was at 0.72 of the median, and true.
GAP_PERCENT: Mapping[int, int] = {fuel_id: 7 if name in ("E85", "GPLc") else 4 for fuel_id, name in FUEL_NAMES.items()}
# No more of a fuel's fresh prices than this are isolated at either end; beyond a gap with more, stations are dear or
# cheap together. Of fewer than 50 prices this is none: there, honest prices lie as far apart as errors do.
MAX_ISOLATED_PERCENT = 2


@dataclass(frozen=True)
class NationalFigure:
    """What a fuel costs in the country: thousandths of a euro per litre, fresh and plausible prices only.

    A price from `plausible_from_milli_eur` to `plausible_to_milli_eur` is plausible, both included. One reported
    before `fresh_from` is old.
    """

    fuel_id: int
    median_milli_eur: int
    lowest_milli_eur: int
    station_count: int
    fresh_from: datetime
    plausible_from_milli_eur: int
    plausible_to_milli_eur: int

    def judge(self, price_milli_eur: int, updated_at: datetime) -> Standing:
        """Say whether a price of this fuel can be compared with others; an implausible one is that at any age."""
        if not self.plausible_from_milli_eur <= price_milli_eur <= self.plausible_to_milli_eur:
            return "implausible"
        return "fresh" if updated_at >= self.fresh_from else "old"


def judge_price(figure: NationalFigure | None, price_milli_eur: int, updated_at: datetime) -> Standing:
    """Say how a price stands; without a figure of its fuel (nothing fresh in the whole country) it is old."""
    return figure.judge(price_milli_eur, updated_at) if figure is not None else "old"


class NationalFigures:
    """The national figures, kept for every session of this process as far as loads haven't stored them; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._key: tuple[str, datetime] | None = None
        self._computed: dict[int, NationalFigure] = {}

    def find(self, connection: Connection, edition: str, as_of: datetime) -> dict[int, NationalFigure]:
        """Return the figures as of that instant by fuel, in the order of the fuels' ids; no fresh price, no figure.

        `edition` is that of the Freshness. Those of the last load count for an hour; after it, or where ages count from
        another time, they are recomputed, once an hour.
        """
        stored = _read_figures(connection)
        if _are_as_of(stored, as_of, STORED_COUNT_FOR):
            return _move_to(stored, as_of)
        key = (edition, as_of.replace(minute=0, second=0, microsecond=0))
        with self._lock:
            if self._key == key:
                return _move_to(self._computed, as_of)
        computed = compute_figures(connection, key[1])
        with self._lock:
            self._key, self._computed = key, computed
        return _move_to(computed, as_of)


def renew_figures(connection: Connection, as_of: datetime) -> None:
    """Store the figures as of that instant, unless those that are stored are of the same day: what reads recomputes."""
    if not _are_as_of(_read_figures(connection), as_of, RENEWED_AFTER):
        store_figures(connection, as_of)


def store_figures(connection: Connection, as_of: datetime) -> None:
    """Compute the figures of the prices in the database, and store them in place of the former."""
    connection.execute(delete(FuelFigure))
    rows = [
        {
            "gastype_id": figure.fuel_id,
            "median_price": figure.median_milli_eur,
            "lowest_price": figure.lowest_milli_eur,
            "station_count": figure.station_count,
            "fresh_from": figure.fresh_from,
            "plausible_from": figure.plausible_from_milli_eur,
            "plausible_to": figure.plausible_to_milli_eur,
        }
        for figure in compute_figures(connection, as_of).values()
    ]
    if rows:
        connection.execute(insert(FuelFigure), rows)


def find_fresh_from(fuel_id: int, as_of: datetime) -> datetime:
    """Return the instant before which a report of the fuel is old."""
    return as_of - timedelta(days=FRESH_DAYS[fuel_id])


def compute_figures(connection: Connection, as_of: datetime) -> dict[int, NationalFigure]:
    """Compute the figures of the prices in the database that are fresh as of that instant, by fuel."""
    prices: dict[int, list[int]] = defaultdict(list)
    in_stock: dict[int, list[int]] = defaultdict(list)
    for days in set(FRESH_DAYS.values()):
        fuels = [fuel_id for fuel_id in FRESH_DAYS if FRESH_DAYS[fuel_id] == days]
        # Grouped by the database: many stations ask the same price, and fetching a row costs more than counting it.
        fresh = (
            select(Price.gastype_id, Price.price, func.count(), func.count(StockOut.station_id))
            .outerjoin(StockOut, and_(StockOut.station_id == Price.station_id, StockOut.gastype_id == Price.gastype_id))
            .where(Price.gastype_id.in_(fuels), Price.updated_at >= as_of - timedelta(days=days))
            .group_by(Price.gastype_id, Price.price)
        )
        for fuel_id, price, count, out_count in connection.execute(fresh):
            prices[fuel_id].extend([price] * count)
            if out_count < count:
                in_stock[fuel_id].append(price)
    figures = {}
    for fuel_id, fuel_prices in sorted(prices.items()):
        lowest, highest = find_plausible_range(fuel_id, fuel_prices)
        plausible = [price for price in fuel_prices if lowest <= price <= highest]
        figures[fuel_id] = NationalFigure(
            fuel_id=fuel_id,
            median_milli_eur=median_low(fuel_prices),
            # At a price of stations that all ran out nobody can buy.
            lowest_milli_eur=min(
                (price for price in in_stock[fuel_id] if lowest <= price <= highest), default=min(plausible)
            ),
            station_count=len(plausible),
            fresh_from=find_fresh_from(fuel_id, as_of),
            plausible_from_milli_eur=lowest,
            plausible_to_milli_eur=highest,
        )
    return figures


def _read_figures(connection: Connection) -> dict[int, NationalFigure]:
    rows = connection.execute(select(FuelFigure.__table__).order_by(FuelFigure.gastype_id))
    return {row.gastype_id: NationalFigure(*row) for row in rows}


def _are_as_of(figures: Mapping[int, NationalFigure], as_of: datetime, leeway: timedelta) -> bool:
    """Say whether these figures are of about that instant; that there are none says of no instant."""
    if not figures:
        return False
    computed_as_of = min(figure.fresh_from + timedelta(days=FRESH_DAYS[id_]) for id_, figure in figures.items())
    return abs(as_of - computed_as_of) <= leeway


def _move_to(figures: Mapping[int, NationalFigure], as_of: datetime) -> dict[int, NationalFigure]:
    """Return the figures so that they judge prices as of that instant."""
    return {id_: replace(figure, fresh_from=find_fresh_from(id_, as_of)) for id_, figure in figures.items()}


def find_plausible_range(fuel_id: int, fresh_prices: Sequence[int]) -> tuple[int, int]:
    """Return the lowest and the highest plausible price of a fuel, given all of its fresh ones; there is at least one.

    Walking outward from the median, the first gap wider than GAP_PERCENT of the median beyond which lie at most
    MAX_ISOLATED_PERCENT of the prices ends the range; half and twice the median end it in any case. An older price
    may lie within the gap: it is plausible as far beyond the last fresh price as a gap may be wide.
    """
    median = median_low(fresh_prices)
    gap = median * GAP_PERCENT[fuel_id] // 100
    few = len(fresh_prices) * MAX_ISOLATED_PERCENT // 100
    least, most = (median + 1) // 2, median * 2
    lowest = _find_end(sorted((p for p in fresh_prices if least <= p <= median), reverse=True), gap, few)
    highest = _find_end(sorted(p for p in fresh_prices if median <= p <= most), gap, few)
    return (
        least if lowest is None else max(least, lowest - gap),
        most if highest is None else min(most, highest + gap),
    )


def _find_end(prices: Sequence[int], gap: int, few: int) -> int | None:
    """Return the last price before the gap that ends the range: the first wide one before the last `few` prices."""
    steps = pairwise(prices[-few - 1 :])
    return next((price for price, next_price in steps if abs(next_price - price) > gap), None)
