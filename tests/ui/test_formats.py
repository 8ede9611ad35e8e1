"""Prices, distances, ages and times as a reader of French or of English writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from babel.numbers import format_currency
from streamlit.testing.v1 import AppTest

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
NO_BREAK, NARROW_NO_BREAK = "\u00a0", "\u202f"


def call(language: str, name: str, *calls: tuple[Any, ...]) -> list[Any]:
    """Call a function of ui.formats in a session that speaks the language, once for each tuple of arguments."""

    def script(name: str, calls: list) -> None:
        import streamlit as st

        from ui import formats

        st.session_state["answers"] = [getattr(formats, name)(*arguments) for arguments in calls]

    at = AppTest.from_function(script, default_timeout=20, args=(name, calls))
    at.session_state["lang"] = language
    at.run()
    assert not at.exception
    return list(at.session_state["answers"])


def require(name: str, expected: dict[Any, tuple[Any, Any]]) -> None:
    """Require what the function makes of each value, in French and in English."""
    calls = [(value,) for value in expected]
    written = zip(call("fr", name, *calls), call("en", name, *calls), strict=True)
    assert dict(zip(expected, written, strict=True)) == expected


def test_prices_are_written_as_babel_writes_them() -> None:
    prices = [0, 1, 9, 10, 999, 1000, 1739, 99_999, 999_999, 1_000_000, 12_345_678]
    for language, locale, pattern in (("fr", "fr", f"#,##0.000{NO_BREAK}¤"), ("en", "en_GB", "¤#,##0.000")):
        written = [
            format_currency(Decimal(price) / 1000, "EUR", pattern, locale=locale, currency_digits=False)
            for price in prices
        ]
        assert call(language, "format_price", *((price,) for price in prices)) == written


def test_a_price_has_three_decimals_and_never_breaks_before_the_sign() -> None:
    require(
        "format_price",
        {
            1739: (f"1,739{NO_BREAK}€", "€1.739"),
            990: (f"0,990{NO_BREAK}€", "€0.990"),
            1700: (f"1,700{NO_BREAK}€", "€1.700"),
            20_000: (f"20,000{NO_BREAK}€", "€20.000"),
            1: (f"0,001{NO_BREAK}€", "€0.001"),
        },
    )


def test_a_difference_is_in_cents_with_its_sign() -> None:
    require(
        "format_difference",
        {
            -42: ("−4,2 c", "−4.2 c"),
            42: ("+4,2 c", "+4.2 c"),
            0: ("±0,0 c", "±0.0 c"),
            -1: ("−0,1 c", "−0.1 c"),
            1005: ("+100,5 c", "+100.5 c"),
        },
    )


def test_a_distance_has_a_decimal_below_ten_kilometres() -> None:
    numbers = {
        0.0: ("0,0", "0.0"),
        1.234: ("1,2", "1.2"),
        9.94: ("9,9", "9.9"),
        9.95: ("10", "10"),
        9.99: ("10", "10"),
        10.4: ("10", "10"),
        49.7: ("50", "50"),
    }
    require(
        "format_distance",
        {value: (f"{french}{NO_BREAK}km", f"{english}{NO_BREAK}km") for value, (french, english) in numbers.items()},
    )


def test_a_count_groups_its_thousands() -> None:
    require("format_count", {10_002: (f"10{NARROW_NO_BREAK}002", "10,002"), 999: ("999", "999")})


def test_an_age_is_told_in_the_largest_unit_and_a_clock_ahead_is_just_now() -> None:
    ages = {
        timedelta(hours=3): ("il y a 3 heures", "3 hours ago"),
        timedelta(minutes=1): ("il y a 1 minute", "1 minute ago"),
        timedelta(minutes=59): ("il y a 59 minutes", "59 minutes ago"),
        timedelta(minutes=75): ("il y a 1 heure", "1 hour ago"),
        timedelta(days=2): ("il y a 2 jours", "2 days ago"),
        timedelta(days=21): ("il y a 3 semaines", "3 weeks ago"),
        timedelta(days=450): ("il y a 1 an", "1 year ago"),
        timedelta(seconds=59): ("à l'instant", "just now"),
        timedelta(0): ("à l'instant", "just now"),
        timedelta(minutes=-5): ("à l'instant", "just now"),
        timedelta(hours=-23): ("à l'instant", "just now"),
    }
    calls = [(NOW - age, NOW) for age in ages]
    for language, texts in zip(("fr", "en"), zip(*ages.values(), strict=True), strict=True):
        ages_told = [text.replace(" ", NO_BREAK) if any(map(str.isdigit, text)) else text for text in texts]
        assert call(language, "format_age", *calls) == ages_told


def test_a_day_and_an_instant_are_those_of_paris() -> None:
    late = datetime(2023, 11, 22, 23, 30, tzinfo=UTC)  # half past midnight in Paris, the day after
    summer = datetime(2026, 7, 14, 6, 5, tzinfo=UTC)
    first = datetime(2023, 2, 28, 23, 0, tzinfo=UTC)
    eleventh = datetime(2023, 3, 11, 8, 5, tzinfo=UTC)
    require(
        "format_day",
        {
            late: ("23 novembre 2023", "23 November 2023"),
            first: ("1er mars 2023", "1 March 2023"),
            eleventh: ("11 mars 2023", "11 March 2023"),
        },
    )
    require(
        "format_instant",
        {
            late: ("23 novembre 2023 à 00:30", "23 November 2023 at 00:30"),
            summer: ("14 juillet 2026 à 08:05", "14 July 2026 at 08:05"),
            first: ("1er mars 2023 à 00:00", "1 March 2023 at 00:00"),
        },
    )
    require(
        "format_short_instant",
        {
            late: ("23 nov. 00:30", "23 Nov 00:30"),
            first: ("1er mars 00:00", "1 Mar 00:00"),
            eleventh: ("11 mars 09:05", "11 Mar 09:05"),
        },
    )
    require("format_hour", {late: ("00:30", "00:30"), summer: ("08:05", "08:05")})
    require("get_weekday", {late: ("jeudi", "Thursday")})


def test_the_week_begins_on_monday() -> None:
    assert call("fr", "list_weekdays", ()) == [
        ["Lundi", "Mardi", "Mercredi", "Jeudi", "Vendredi", "Samedi", "Dimanche"]
    ]
    assert call("en", "list_weekdays", ()) == [
        ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    ]


def test_a_time_of_opening_hours_has_four_digits() -> None:
    times = {0: "00:00", 1: "00:01", 510: "08:30", 1320: "22:00", 1440: "24:00"}
    require("format_clock", {minutes: (text, text) for minutes, text in times.items()})


@pytest.mark.parametrize(
    ("locale", "chosen", "language"),
    [
        ("fr-FR", None, "fr"),
        ("en-GB", None, "en"),
        ("EN", None, "en"),
        ("de-DE", None, "fr"),
        (None, None, "fr"),
        ("en-US", "fr", "fr"),
        ("fr-FR", "en", "en"),
        ("fr-FR", "xx", "fr"),
        ("en-GB", "", "en"),
    ],
)
def test_the_language_is_the_one_chosen_else_the_browser_s_else_french(
    locale: str | None, chosen: str | None, language: str
) -> None:
    def script() -> None:
        import streamlit as st

        from ui.texts import get_language

        st.session_state["answer"] = get_language()

    at = AppTest.from_function(script, default_timeout=20)
    at.context = {"locale": locale}
    if chosen is not None:
        at.session_state["lang"] = chosen
    at.run()
    assert not at.exception
    assert at.session_state["answer"] == language
