"""Opening hours: the week as it is stored, and whether a station is open at a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
MINUTES_A_DAY = 24 * 60

Span = tuple[int, int]
Day = tuple[Span, ...]


@dataclass(frozen=True)
class Opening:
    """Whether a station is open (None: not known), and when that changes within a week, in Paris time.

    `changes_at` is None when that isn't known, and when it never changes, which `is_always` tells.
    """

    is_open: bool | None
    changes_at: datetime | None = None
    is_always: bool = False


def parse_week(text: str | None) -> tuple[Day | None, ...] | None:
    """Read a stored week, seven days from Monday, into spans of minutes since midnight.

    The form is "06:00-22:00|08:00-12:00,14:00-18:00||?|...": nothing is a closed day, "?" one that is not known. A span
    that ends before it begins goes past midnight. None when nothing of the week is known.
    """
    if text is None:
        return None
    return tuple(_parse_day(day) for day in text.split("|"))


def find_opening(week: tuple[Day | None, ...] | None, at: datetime) -> Opening:
    """Say whether a station is open `at` a moment. Holidays are not in the feed and so not known here either.

    A day that is not known may hold anything but a span past midnight: those are rare, and a known day is what its own
    hours say.
    """
    if week is None:
        return Opening(None)
    local = at.astimezone(PARIS)
    minute = local.hour * 60 + local.minute
    start = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    unknown_days = [offset for offset in range(8) if week[(local.weekday() + offset) % 7] is None]
    spans = _list_spans(week, local.weekday())
    for opens, closes in spans:
        if opens <= minute < closes:
            if closes - opens >= 7 * MINUTES_A_DAY:
                return Opening(True, is_always=True)
            return Opening(True, None if _runs_into(unknown_days, opens, closes) else _add_minutes(start, closes))
    if 0 in unknown_days:
        return Opening(None)
    later = [opens for opens, _ in spans if opens > minute]
    if not later:
        return Opening(False, is_always=not unknown_days)
    opens = min(later)
    is_known = not unknown_days or opens < unknown_days[0] * MINUTES_A_DAY
    return Opening(False, _add_minutes(start, opens) if is_known else None)


def is_surely_open(text: str, local: datetime) -> bool:
    """Say whether `find_opening` finds that a stored week is open at a moment of Paris; from the days around it alone.

    That takes a fifth of the time, which counts where thousands of stations are asked.
    """
    days, weekday = text.split("|"), local.weekday()
    near = range(-1, 2)
    week = {day: _parse_day(days[day]) for day in ((weekday + offset) % 7 for offset in near)}
    minute = local.hour * 60 + local.minute
    return any(opens <= minute < closes for opens, closes in _list_spans(week, weekday, near))


def is_whole_day(day: Day | None) -> bool:
    """Say whether it is open from midnight to midnight; many stations write 00.01 for the first."""
    return day in (((0, MINUTES_A_DAY),), ((1, MINUTES_A_DAY),))


def _runs_into(unknown_days: list[int], opens: int, closes: int) -> bool:
    """Say whether a span ends only because the day after it isn't known: it is open all of its last day."""
    days, minutes = divmod(closes, MINUTES_A_DAY)
    return not minutes and days in unknown_days and closes - opens >= MINUTES_A_DAY - 1


def _add_minutes(midnight: datetime, minutes: int) -> datetime:
    return (midnight + timedelta(minutes=minutes)).replace(tzinfo=PARIS)


def _list_spans(
    week: Sequence[Day | None] | Mapping[int, Day | None], weekday: int, offsets: Iterable[int] = range(-1, 8)
) -> list[Span]:
    """List the spans from yesterday to a week ahead, or of other days, in minutes since today's midnight.

    Touching ones are joined, and so are those a minute apart: many stations write 00.01 for midnight.
    """
    spans: list[Span] = []
    for offset in offsets:
        for opens, closes in sorted(week[(weekday + offset) % 7] or ()):
            shift = offset * MINUTES_A_DAY
            end = closes if closes > opens else closes + MINUTES_A_DAY
            if spans and spans[-1][1] + 1 >= opens + shift:
                spans[-1] = spans[-1][0], max(spans[-1][1], end + shift)
            else:
                spans.append((opens + shift, end + shift))
    return spans


@lru_cache(maxsize=4096)  # a few hundred differ
def _parse_day(text: str) -> Day | None:
    if text == "?":
        return None
    return tuple((_parse_time(span[:5]), _parse_time(span[6:])) for span in text.split(",") if span)


def _parse_time(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])
