"""The table of the dashboard as a CSV file that a spreadsheet opens with a double click."""

from __future__ import annotations

import csv
from collections.abc import Callable
from io import StringIO
from itertools import chain

from models import FUEL_NAMES
from prices.dashboard import Dashboard, FavouritePrice
from ui.formats import PARIS
from ui.price_table import write_doubt, write_note
from ui.texts import _, get_language

# What a spreadsheet takes for the beginning of a formula, the wide forms too, also after a space or a quotation mark.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def prepare_csv(board: Dashboard) -> Callable[[], bytes]:
    """Return a function that writes the file in the language of this session, to be called where there is none.

    French spreadsheets want semicolons and decimal commas. Prices in euros a litre, differences in cents.
    """
    is_french = get_language() == "fr"
    header = [
        _("Fuel"),
        _("Price"),
        _("Difference to your dearest, c"),
        _("Difference to the median nearby, c"),
        _("Station"),
        _("Brand"),
        _("Town"),
        _("Address"),
        _("Number in the feed"),
        _("Reported (Paris)"),
        _("Note"),
    ]
    notes = {
        id(row): ", ".join(filter(None, (write_note(row), _("closed now") if row.is_closed else "", write_doubt(row))))
        for row in chain.from_iterable(block.rows for block in board.blocks)
    }

    def write() -> bytes:
        text = StringIO()
        writer = csv.writer(text, delimiter=";" if is_french else ",")
        writer.writerow(header)
        for block in board.blocks:
            for row in block.rows:
                writer.writerow(_list_cells(FUEL_NAMES[block.fuel_id], row, notes[id(row)], is_french=is_french))
        return text.getvalue().encode("utf-8-sig")  # the mark tells a spreadsheet which letters these are

    return write


def _list_cells(fuel: str, row: FavouritePrice, note: str, *, is_french: bool) -> list[str]:
    def write_number(value: int | None, divisor: int, digits: int) -> str:
        number = "" if value is None else f"{value / divisor:.{digits}f}"
        return number.replace(".", ",") if is_french else number

    reported = "" if row.updated_at is None else row.updated_at.astimezone(PARIS).strftime("%Y-%m-%d %H:%M")
    return [
        fuel,
        write_number(row.price_milli_eur, 1000, 3),
        write_number(row.to_dearest_milli_eur, 10, 1),
        write_number(row.to_median_milli_eur, 10, 1),
        _neutralise(row.custom_name),
        _neutralise(row.brand),
        _neutralise(row.town),
        _neutralise(row.address),
        str(row.station_id),
        reported,
        note,
    ]


def _neutralise(text: str) -> str:
    """Keep a text that a person or the feed wrote from being run as a formula (CSV injection, OWASP)."""
    return f"'{text}" if text.lstrip(" '\"").startswith(_FORMULA) or text.startswith(_FORMULA) else text
