"""The table that answers "what does it cost": stations cheapest first, two lines each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from models import FUEL_NAMES
from prices.nearby import FuelRow, PriceRow
from ui.formats import escape, format_age, format_day, format_difference, format_distance, format_price
from ui.station_links import make_station_link
from ui.texts import _


def show_price_table(
    rows: Sequence[PriceRow],
    fuel_name: str,
    age_from: datetime,
    own_names: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """Draw the rows in their order, ages counted from `age_from`, those that are kept with the names of their own."""
    go_there = _("Go there")
    cells = pd.DataFrame(
        {
            _("Price"): [_write_price(row) for row in rows],
            _("Station"): [_write_station(row, age_from, own_names.get(row.station_id, "")) for row in rows],
            _("Directions"): [f"[{go_there}]({make_directions_link(row.latitude, row.longitude)})" for row in rows],
        }
    )
    st.table(
        cells,
        border="horizontal",
        hide_index=True,
        alt=_("Stations that sell {fuel}, cheapest first").format(fuel=fuel_name),
    )


def show_station_table(
    rows: Sequence[PriceRow],
    prices: Mapping[int, Sequence[FuelRow]],
    age_from: datetime,
    own_names: Mapping[int, str],
) -> None:
    """Draw stations of which no fuel was asked for, each with all its prices."""
    st.table(
        pd.DataFrame(
            {
                _("Prices"): [_write_prices(prices.get(row.station_id, ())) for row in rows],
                _("Station"): [_write_station(row, age_from, own_names.get(row.station_id, "")) for row in rows],
            }
        ),
        border="horizontal",
        hide_index=True,
        alt=_("Stations with their prices"),
    )


def make_directions_link(latitude: float, longitude: float) -> str:
    """Return a link that opens directions to a point, in the maps application of a phone if it has one."""
    query = urlencode({"api": 1, "destination": f"{latitude:.5f},{longitude:.5f}"})
    return f"https://www.google.com/maps/dir/?{query}"


def name_station(address: str, town: str) -> str:
    """Return what a station is called: its address, or its town where the feed has none."""
    return address or _("Station in {town}").format(town=town)


def _write_price(row: PriceRow) -> str:
    if row.price_milli_eur is None:
        return "–"
    price = format_price(row.price_milli_eur)
    if row.difference_milli_eur is None:
        return f":gray[{price}]"
    return f"**{price}**  \n:small[{_write_difference(row.difference_milli_eur)}]"


def _write_prices(rows: Sequence[FuelRow]) -> str:
    """Write what a station sells now; what it has run out of, or gave up, has no price to go by."""
    sold = [row for row in rows if row.price_milli_eur is not None and not row.is_out]
    lines = []
    for row in sold:
        price = format_price(row.price_milli_eur or 0)
        lines.append(f"{FUEL_NAMES[row.fuel_id]} " + (f"**{price}**" if row.standing == "fresh" else f":gray[{price}]"))
    return "  \n".join(f":small[{line}]" for line in lines) or "–"


def _write_difference(milli_eur: int) -> str:
    color = "green" if milli_eur < 0 else "orange" if milli_eur > 0 else "gray"
    return f":{color}[{format_difference(milli_eur)}]"


def _write_station(row: PriceRow, age_from: datetime, own_name: str) -> str:
    facts = [escape(row.brand)] if row.brand else []
    facts.append(escape(row.town))
    if row.distance_km is not None:
        facts.append(format_distance(row.distance_km))
    if row.updated_at is not None:
        facts.append(format_age(row.updated_at, age_from))
    if row.is_motorway:
        facts.append(_("motorway"))
    name = escape(name_station(row.address, row.town))
    lines = [f"[{name}]({make_station_link(row.station_id)})", f":small[{' · '.join(facts)}]"]
    if own_name:
        lines.append(f":violet[:material/star: {escape(own_name)}]")  # no badge: those are not wrapped
    if note := _write_note(row):
        lines.append(f":orange-badge[{note}]")
    return "  \n".join(lines)


def _write_note(row: PriceRow) -> str:
    """Say why a price is not compared with the others."""
    if row.rank == "old":
        return _("old price")
    if row.rank == "implausible":
        return _("implausible price")
    if row.rank == "out" and row.out_since is not None:
        return _("out of stock since {day}").format(day=format_day(row.out_since))
    return _("out of stock") if row.rank == "out" else ""
