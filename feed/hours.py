"""The opening hours of a station: from the feed's XML to the text that `stations.opening_hours` reads."""

from __future__ import annotations

import re
from functools import lru_cache

from lxml import etree

WHOLE_DAY = 24 * 60
MAX_SPANS = 3  # of a day; the real feed has two at most

# The feed writes 06.00; a time without the zero or the minutes, or with seconds, is as clear: 6.00, 6h, 06:00:00.
_TIME = re.compile("([0-9]{1,2})(?:[.:,hH]([0-9]{2})(?:[.:][0-5][0-9])?|[hH])?|([0-9]{2})([0-9]{2})")


def read_hours(hours: etree._Element | None) -> tuple[str | None, bool]:
    """Return the week as `stations.opening_hours` reads it, None when it isn't known, and "has a 24/24 automat"."""
    if hours is None:
        return None, False
    days = ["?"] * 7
    for day in hours.iterchildren("jour"):
        number = day.get("id") or ""
        if number in ("1", "2", "3", "4", "5", "6", "7"):
            days[int(number) - 1] = _read_day(day)
    week = None if set(days) == {"?"} else "|".join(days)
    return week, _is_yes(hours.get("automate-24-24"))


def _is_yes(text: str | None) -> bool:
    return text is not None and text.strip().lower() in ("1", "true", "oui")


def _read_day(day: etree._Element) -> str:
    """Return the spans of a day; "?" (not known) without any or with one that can't be read, unless it is closed.

    Without the one that can't be read it would seem to be closed then. One that lacks a time says nothing.
    """
    if _is_yes(day.get("ferme")):
        return ""
    times = {(hours.get("ouverture") or "", hours.get("fermeture") or "") for hours in day.iterchildren("horaire")}
    whole = {pair for pair in times if all(text.strip() for text in pair)}
    read = {_read_span(*pair) for pair in whole}
    spans = sorted(filter(None, read))
    if None in read or len(spans) > MAX_SPANS or (not spans and (not times or whole != times)):
        return "?"
    return ",".join(spans)


@lru_cache(maxsize=4096)
def _read_span(opening: str, closing: str) -> str | None:
    """Return "06:00-22:00"; nothing when the same time stands twice, by which stations say that they are closed.

    None: it can't be read.
    """
    opens, closes = _read_minutes(opening), _read_minutes(closing)
    if opens is None or closes is None:
        return None
    if opens == closes != 0:
        return ""
    return f"{_write_time(opens)}-{_write_time(WHOLE_DAY if closes in (0, WHOLE_DAY - 1) else closes)}"


def _read_minutes(text: str) -> int | None:
    """Read a time into minutes since midnight, 24.00 as 00.00: which midnight it is, the other time tells."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes = int(match[1] or match[3]), int(match[2] or match[4] or 0)
    if minutes > 59 or hours * 60 + minutes > WHOLE_DAY:
        return None
    return (hours * 60 + minutes) % WHOLE_DAY


def _write_time(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
