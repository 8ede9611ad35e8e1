"""The CSV of the dashboard, in both dialects, and names that a spreadsheet would run."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from io import StringIO

import pytest
import streamlit as st

from prices.dashboard import Dashboard, FavouritePrice, FuelBlock
from stations.geography import Point
from ui.price_csv import prepare_csv

REPORTED_AT = datetime(2026, 3, 10, 12, 5, tzinfo=UTC)


def make_row(name: str = "Home", **values: object) -> FavouritePrice:
    row: dict[str, object] = {
        "station_id": 1000001,
        "custom_name": name,
        "address": "=1+1",
        "town": "Guéret",
        "point": Point(46.0, 2.0),
        "price_milli_eur": 1739,
        "updated_at": REPORTED_AT,
        "rank": "fresh",
        "out_since": None,
        "is_closed": False,
        "to_dearest_milli_eur": -42,
        "to_median_milli_eur": 15,
    }
    return FavouritePrice(**(row | values))  # type: ignore[arg-type]


def write(language: str, *rows: FavouritePrice) -> str:
    st.session_state["lang"] = language
    data = prepare_csv(Dashboard((FuelBlock(5, rows), FuelBlock(1, ())), ()))()
    assert data.startswith(b"\xef\xbb\xbf")
    return data.decode("utf-8-sig")


@pytest.fixture(autouse=True)
def _forget_language() -> None:
    st.session_state.clear()


def test_french_spreadsheets_get_semicolons_and_decimal_commas() -> None:
    header, row = write("fr", make_row(is_closed=True, brand="Esso")).splitlines()
    assert header.split(";")[:6] == [
        "Carburant",
        "Prix",
        "Écart à votre plus chère, c",
        "Écart à la médiane alentour, c",
        "Station",
        "Marque",
    ]
    assert row == "E10;1,739;-4,2;1,5;Home;Esso;Guéret;'=1+1;1000001;2026-03-10 13:05;fermée en ce moment"


def test_english_ones_get_commas_and_points() -> None:
    out = make_row(
        "Home, sweet",
        rank="out",
        price_milli_eur=None,
        updated_at=None,
        to_dearest_milli_eur=None,
        to_median_milli_eur=None,
    )
    _, row, second = write("en", make_row(), out).splitlines()
    assert row == "E10,1.739,-4.2,1.5,Home,,Guéret,'=1+1,1000001,2026-03-10 13:05,"
    assert second == 'E10,,,,"Home, sweet",,Guéret,\'=1+1,1000001,,out of stock'


@pytest.mark.parametrize(
    "name",
    [
        *("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", '"=1', "'=1"),
        "\uff1d1+1",  # the wide form of an equals sign
    ],
)
def test_a_name_that_begins_like_a_formula_is_text(name: str) -> None:
    for language, mark in (("fr", ";"), ("en", ",")):
        rows = list(csv.reader(StringIO(write(language, make_row(name)), newline=""), delimiter=mark))
        assert rows[1][4] == f"'{name}"
        assert len(rows) == 2


@pytest.mark.parametrize("name", ['say "hi"; ok, fine', "a\nb", "Chez =x=", "100 % - sûr"])
def test_any_other_name_stays_as_it_is(name: str) -> None:
    for language, mark in (("fr", ";"), ("en", ",")):
        rows = list(csv.reader(StringIO(write(language, make_row(name)), newline=""), delimiter=mark))
        assert rows[1][4] == name
