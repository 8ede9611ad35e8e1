"""Single values of the feed: ids, coordinates, prices and dates, each read from its text, or `Unreadable`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from lxml import etree

from models import FUEL_NAMES

PARIS = ZoneInfo("Europe/Paris")
MAX_PRICE_MILLI_EUR = 20_000

FUEL_IDS = {str(fuel_id): fuel_id for fuel_id in FUEL_NAMES}
_IDS_BY_NAME = {name: fuel_id for fuel_id, name in FUEL_NAMES.items()}
_STATION_ID = re.compile("[0-9]{1,9}")
_COORDINATE = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,20})?")
_PRICE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}(:[0-5][0-9]){2}(\.[0-9]+)?")


class Unreadable(Exception):
    """A value that can't be read; the text is the reason under which it is counted."""


def read_station_id(text: str | None) -> int:
    """Read an id: a whole number above 0, of nine digits at most."""
    if not text or not _STATION_ID.fullmatch(text) or not int(text):
        raise Unreadable("station id can't be read")
    return int(text)


def read_coordinate(text: str | None) -> float:
    """Read the number that stands for a latitude or longitude, some with decimals (4857879.09256)."""
    if not text or not _COORDINATE.fullmatch(text.strip()):
        raise Unreadable("coordinates can't be read")
    return float(text)


def find_fuel(element: etree._Element) -> int | None:
    """Return the fuel that an element is of, even if only its name can be read; None for one that isn't known."""
    text = element.get("id") or ""
    if text.isdecimal():
        return FUEL_IDS.get(text)
    return _IDS_BY_NAME.get(element.get("nom") or "")


@lru_cache(maxsize=4096)
def read_price(text: str | None) -> int:
    """Read a price into thousandths of a euro, decimally: a float would put some off by one.

    Until 2022 the feed wrote thousandths without a point ("1479"), since then euros ("1.479").
    """
    if not text or not _PRICE.fullmatch(text):
        raise Unreadable("price can't be read")
    number = Decimal(text)
    price = int(number if "." not in text and number >= 100 else (number * 1000).to_integral_value())
    if not 0 < price <= MAX_PRICE_MILLI_EUR:
        raise Unreadable("price is not one")
    return price


def is_instant(text: str) -> bool:
    """Say whether a text has the form of the feed's dates, be it of a day that never was."""
    return _INSTANT.fullmatch(text) is not None


def read_instant(text: str | None) -> str:
    """Read the feed's date, Paris wall-clock time without an offset, into UTC text.

    A space or, in the newer archives, a T stands between date and time.
    The repeated hour of October is read as the first, the missing one of March with the offset before the jump.
    """
    if not text or not is_instant(text):
        raise Unreadable("date can't be read")
    return _find_utc_hour(f"{text[:10]} {text[11:13]}") + text[13:19] + ".000000"


@lru_cache(maxsize=50_000)
def _find_utc_hour(paris_hour: str) -> str:
    # Every offset of Paris since 1911 but the wartime ones is a whole number of hours, so minutes stay as they are.
    try:
        wall_clock = datetime.fromisoformat(f"{paris_hour}:00").replace(tzinfo=PARIS, fold=0)
        return wall_clock.astimezone(UTC).strftime("%Y-%m-%d %H").zfill(13)
    except (ValueError, OverflowError):
        raise Unreadable("date can't be read") from None


def write_instant(instant: datetime) -> str:
    """Return an instant as UTC text in the form that `read_instant` gives."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
