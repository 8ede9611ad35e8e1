"""What the feed says of fuels that ran out or were given up, and which of it counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lxml import etree

from feed.records import PriceRecord, StockOutRecord
from feed.values import Unreadable, is_instant, read_instant

OLDEST_STOCK_OUT = "2007-01-01"  # what begins or ends earlier (in 1970, in the year 216) has no date
# How strong a statement each type of stock-out is; any other type, the empty one too, is the weakest.
_STRENGTHS = {"definitive": 2, "temporaire": 1}
_WEAKEST = 0


class StockOut(NamedTuple):
    """What one <rupture> says of a fuel: how strongly, since when, and whether that is over.

    `changes_with_time`: it says something else once a date that it names has come.
    """

    fuel_id: int
    strength: int
    began_at: str | None
    is_over: bool
    changes_with_time: bool

    @property
    def is_of_a_sold_fuel(self) -> bool:
        """Only a temporary one is: the others, and those of no known type, are about fuels the station gave up."""
        return self.strength == _STRENGTHS["temporaire"]

    @property
    def rank(self) -> tuple[int, str]:
        return self.strength, self.began_at or ""


def read_stock_out(element: etree._Element, fuel_id: int, now: str) -> StockOut:
    """Read what a <rupture> says of its fuel at that instant (UTC text).

    Raises Unreadable: a date is none, or it has no type, not even an empty one.
    """
    kind = element.get("type")
    if kind is None:
        raise Unreadable("type can't be read")
    began_at, ends_at = _read_date(element.get("debut")), _read_date(element.get("fin"))
    return StockOut(
        fuel_id=fuel_id,
        strength=_STRENGTHS.get(kind, _WEAKEST),
        began_at=None if began_at is not None and began_at > now else began_at,
        is_over=ends_at is not None and ends_at <= now,
        changes_with_time=max(began_at or "", ends_at or "") > now,
    )


def apply_stock_outs(
    prices: tuple[PriceRecord, ...], statements: Sequence[StockOut]
) -> tuple[tuple[PriceRecord, ...], tuple[StockOutRecord, ...]]:
    """Return the prices of the fuels that are sold, and those of these fuels that have run out.

    What is over says nothing. Of what is left the strongest statement about a fuel counts, and among equals the one
    that began last. A fuel that was given up nobody knows when is still sold if it has a price.
    """
    if not statements:
        return prices, ()
    reported_at = {price.fuel_id: price.updated_at for price in prices}
    strongest: dict[int, StockOut] = {}
    for statement in statements:
        if statement.is_over or (statement.began_at and reported_at.get(statement.fuel_id, "") > statement.began_at):
            continue
        known = strongest.get(statement.fuel_id)
        if known is None or statement.rank > known.rank:
            strongest[statement.fuel_id] = statement
    given_up = {one.fuel_id for one in strongest.values() if one.began_at and not one.is_of_a_sold_fuel}
    return (
        tuple(price for price in prices if price.fuel_id not in given_up),
        tuple(StockOutRecord(one.fuel_id, one.began_at) for one in strongest.values() if one.is_of_a_sold_fuel),
    )


def _read_date(text: str | None) -> str | None:
    """Read when a stock-out began or ends into UTC text; None where no date is given, or one that stands for none."""
    if not text or (text < OLDEST_STOCK_OUT and is_instant(text)):
        return None
    return read_instant(text)
