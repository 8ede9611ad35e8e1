"""Prices, distances, ages and times as a reader of French or English writes them (Babel), and text made safe."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time, format_timedelta, get_day_names
from babel.numbers import format_currency, format_decimal

from translations import load_catalogue
from ui.texts import N_, _, get_language

PARIS = ZoneInfo("Europe/Paris")
CACHED = 4096  # results of each kind

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&\"'=^@])")
# What becomes an emoji, an icon, a link, an address or an arrow after Markdown was read, whatever was escaped in it.
_SHORTCUTS = re.compile(r"(\\:(?=\S)|\\@|www(?=\\\.)|\\[-<>~](?=\\[-=>]))", re.IGNORECASE)
_WORD_JOINER = "\u2060"


def escape(text: str) -> str:
    """Return a text that Markdown shows letter for letter, whatever a person or the feed wrote into it."""
    return _SHORTCUTS.sub(rf"\1{_WORD_JOINER}", _MARKDOWN.sub(r"\\\1", " ".join(text.split())))


def escape_code(text: str) -> str:
    """Return a text as code in Markdown: unlike `escape` it adds no invisible letter, so it can be copied as it is.

    For addresses and the like. It can't stand within a :directive[], of which a bracket in it would be the end.
    """
    line = " ".join(text.split())
    if "`" not in line:
        return f"`{line}`" if line else ""
    fence = "`" * (max(map(len, re.findall("`+", line))) + 1)
    return f"{fence} {line} {fence}"


def format_price(milli_eur: float, language: str | None = None, *, decimals: int = 3) -> str:
    """1739 -> "1,739 €" or "€1.739", in the language of this session or, outside of any, in the one named."""
    return _write_price(milli_eur, language or _get_locale(), decimals)


def format_difference(milli_eur: int, language: str | None = None) -> str:
    """-42 -> "−4,2 c" (cents per litre, with a sign), in the language of this session or the one named."""
    number = _write_number(Decimal(abs(milli_eur)) / 10, "0.0", language or _get_locale())
    sign = "±" if milli_eur == 0 else "−" if milli_eur < 0 else "+"
    translate = load_catalogue(language or get_language()).gettext
    return translate(N_("{sign}{number} c")).format(sign=sign, number=number)


def format_euros(euros: float, *, has_cents: bool = False) -> str:
    """45.5 -> "46 €" or "€46"; with cents, "45,50 €" or "€45.50". An amount below zero has a real minus sign."""
    amount = Decimal(euros).quantize(Decimal("0.01" if has_cents else "1"), ROUND_HALF_UP)
    return _write_euros(amount, _get_locale(), "#,##0.00" if has_cents else "#,##0")


def format_number(number: float) -> str:
    """6.5 -> "6,5" or "6.5"; no digits that say nothing."""
    return _write_number(number, "#,##0.#", _get_locale())


def format_distance(kilometres: float) -> str:
    """1.234 -> "1,2 km"; from 10 km on whole ones."""
    pattern = "0" if kilometres >= 9.95 else "0.0"
    return _write_number(round(kilometres, 1), pattern, _get_locale()) + "\u00a0km"


def format_count(number: int) -> str:
    """10002 -> "10 002" or "10,002"."""
    return _write_number(number, None, _get_locale())


def format_age(at: datetime, now: datetime) -> str:
    """Say how long ago an instant was: "il y a 3 heures"; a clock that is ahead reads "just now"."""
    age = now - at
    if age < timedelta(minutes=1):
        return _("just now")
    return _write_age(round(age.total_seconds() / 60), _get_locale())


def format_day(at: datetime, language: str | None = None) -> str:
    """Write the day of an instant in Paris: "23 novembre 2023", in the language of this session or the one named."""
    return _write_first(format_date(at.astimezone(PARIS).date(), "long", locale=language or _get_locale()))


def format_instant(at: datetime) -> str:
    """Write an instant in Paris time: "23 novembre 2023 à 09:20"."""
    pattern = "d MMMM y 'à' HH:mm" if _get_locale() == "fr" else "d MMMM y 'at' HH:mm"
    return _write_first(format_datetime(at.astimezone(PARIS), pattern, locale=_get_locale()))


def format_short_instant(at: datetime) -> str:
    """Write an instant of these weeks in Paris time: "23 nov. 09:20"."""
    return _write_first(format_datetime(at.astimezone(PARIS), "d MMM HH:mm", locale=_get_locale()))


def format_clock(minutes: int) -> str:
    """1320 -> "22:00"; midnight at the end of a day is 24:00."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def format_hour(at: datetime) -> str:
    """Write the time of day of an instant in Paris."""
    return format_time(at.astimezone(PARIS), "HH:mm", locale=_get_locale())


def list_weekdays() -> list[str]:
    """Return the names of the days from Monday, in the language of this session."""
    names = get_day_names("wide", locale=_get_locale())
    return [names[day].capitalize() for day in range(7)]


def get_weekday(at: datetime) -> str:
    """Return the name of the day of an instant in Paris, as inside a sentence."""
    return str(get_day_names("wide", locale=_get_locale())[at.astimezone(PARIS).weekday()])


# Babel takes its time, and a page says the same prices and ages again and again.
@lru_cache(maxsize=CACHED)
def _write_price(milli_eur: float, locale: str, decimals: int) -> str:
    if isinstance(milli_eur, int) and decimals == 3 and 0 <= milli_eur < 1_000_000:
        # Nearly every price: without Babel, which takes thirty times as long for the same text.
        euros, thousandths = divmod(milli_eur, 1000)
        return f"{euros},{thousandths:03}\u00a0€" if locale == "fr" else f"€{euros}.{thousandths:03}"
    number = "#,##0." + decimals * "0"
    amount = (Decimal(milli_eur) / 1000).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    pattern = f"{number}\u00a0¤" if locale == "fr" else f"¤{number}"
    return format_currency(amount, "EUR", pattern, locale=locale, currency_digits=False)


@lru_cache(maxsize=CACHED)
def _write_euros(amount: Decimal, locale: str, number: str) -> str:
    pattern = f"{number}\u00a0¤" if locale == "fr" else f"¤{number}"
    sign = "−" if amount < 0 else ""
    return sign + format_currency(abs(amount), "EUR", pattern, locale=locale, currency_digits=False)


@lru_cache(maxsize=CACHED)
def _write_number(number: float | Decimal, pattern: str | None, locale: str) -> str:
    return format_decimal(number, pattern, locale=locale)


@lru_cache(maxsize=CACHED)
def _write_age(minutes: int, locale: str) -> str:
    age = timedelta(minutes=-minutes)
    text = format_timedelta(age, granularity="minute", threshold=1.2, add_direction=True, locale=locale)
    return text.replace(" ", "\u00a0")  # so that a table breaks before it


def _write_first(date: str) -> str:
    """Write the first day of a month as French does, "1er mars", which Babel does not."""
    return f"1er{date[1:]}" if date.startswith("1 ") and _get_locale() == "fr" else date


def _get_locale() -> str:
    return {"fr": "fr", "en": "en_GB"}[get_language()]
