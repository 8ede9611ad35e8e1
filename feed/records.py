"""What the parser makes of the feed: stations with their prices and stock-outs, and what of them can't be used."""

from __future__ import annotations

from typing import NamedTuple

STOCK_OUT_REASON = "stock-out: "
REPEATED = "price stands twice"
FUEL_UNREADABLE = "fuel can't be read"


class PriceRecord(NamedTuple):
    """A price as reported: thousandths of a euro per litre, and when, as UTC text in the form the database keeps."""

    fuel_id: int
    price_milli_eur: int
    updated_at: str


class StockOutRecord(NamedTuple):
    """A fuel that the station sells and has run out of, and since when (UTC text; None: not said)."""

    fuel_id: int
    began_at: str | None


class Rejection(NamedTuple):
    """A part of the feed that can't be used: at which station (None: its id can't be read), why, and of which fuel.

    `fuel_id` is None where it is of no fuel, or of one that isn't known.
    """

    station_id: int | None
    reason: str
    fuel_id: int | None = None

    @property
    def is_of_stock_out(self) -> bool:
        return self.reason.startswith(STOCK_OUT_REASON)

    @property
    def may_be_of_any_fuel(self) -> bool:
        """Whether not even the fuel could be read; one that isn't known is another than those that are."""
        return self.fuel_id is None and self.reason.removeprefix(STOCK_OUT_REASON) == FUEL_UNREADABLE

    @property
    def is_repetition(self) -> bool:
        """Whether the price could be read, but stood beside another one of the same fuel."""
        return self.reason == REPEATED


class RejectedStation(NamedTuple):
    """A station that can't be used at all."""

    rejection: Rejection


class StationRecord(NamedTuple):
    """A station with all that the feed says of it; prices and stock-outs that can't be read are in `rejections`.

    Fuels that it does not sell are in neither. `changes_with_time`: the same element says something else later, when
    an end or a beginning that it names has passed.
    """

    id: int
    latitude_deg: float
    longitude_deg: float
    is_location_doubtful: bool
    address: str
    town: str
    zip_code: str
    is_motorway: bool
    has_automat: bool
    opening_hours: str | None
    services: tuple[str, ...]
    prices: tuple[PriceRecord, ...]
    stock_outs: tuple[StockOutRecord, ...]
    rejections: tuple[Rejection, ...]
    price_count: int
    names_stock_outs: bool
    changes_with_time: bool
    fingerprint: int


class UnchangedStation(NamedTuple):
    """A station whose element is what it was at the last load, so that it was not parsed."""

    id: int
    price_count: int
    names_stock_outs: bool
