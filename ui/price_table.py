"""The tables that answer "what does it cost": stations cheapest first, two lines each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from textwrap import wrap
from types import MappingProxyType
from urllib.parse import quote

import streamlit as st

from models import FUEL_NAMES
from prices.dashboard import AGING, FavouritePrice, FuelBlock
from prices.fuels import FuelRow
from prices.nearby import PriceRow, Rank
from stations.geography import Point
from translations import N_, load_catalogue
from ui.callback_marks import view_only
from ui.formats import (
    CACHED,
    escape,
    format_age,
    format_count,
    format_day,
    format_difference,
    format_distance,
    format_price,
)
from ui.station_links import make_station_link
from ui.tables import show_table
from ui.texts import _, get_language

MAX_LISTED = 200  # stations in a list: nobody reads on, and each costs as much as ten on a map
BADGE_LENGTH = 36
MAX_PLACES = 20_000  # twice the stations that there are: some 5 MB
LINE_LENGTH = 20  # of what is said under the mouse: near the rim of a map the rest of a line is cut off


OUT_RANKS = ("out", "long_out")
# A line that ends where a word does, in a text without a longer word or any other space than one between two words.
_LINE = re.compile(rf"(.{{1,{LINE_LENGTH}}})(?: |$)")
_NOT_PLAIN = re.compile(rf"[^ ]{{{LINE_LENGTH + 1}}}|  |[^\S ]|^ | $")


def show_price_table(
    rows: Sequence[PriceRow],
    fuel_name: str,
    age_from: datetime,
    own_names: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """Draw the rows in their order, ages counted from `age_from`, those that are kept with the names of their own."""
    stations = [_write_station(row, age_from, own_names.get(row.station_id, "")) for row in rows]
    alt = _("Stations that sell {fuel}, cheapest first").format(fuel=fuel_name)
    _show_table(rows, [_write_price(row) for row in rows], stations, alt)


def show_own_prices(block: FuelBlock, fuel_name: str, age_from: datetime) -> None:
    """Draw a driver's own stations in the order of the block, ages counted from `age_from`."""
    language, minute = get_language(), age_from.replace(second=0, microsecond=0)
    prices = [_write_own_price(row, language) for row in block.rows]
    stations = [_write_own_station(row, minute, language) for row in block.rows]
    alt = _("Your stations that sell {fuel}, cheapest first").format(fuel=fuel_name)
    _show_table(block.rows, prices, stations, alt)


def _show_table(
    rows: Sequence[PriceRow] | Sequence[FavouritePrice], prices: list[str], stations: list[str], alt: str
) -> None:
    go_there = _("Go there")
    links = [f"[{go_there}]({make_directions_link(row.point, row.address, row.town)})" for row in rows]
    show_table({_("Price"): prices, _("Station"): stations, _("Directions"): links}, alt)


def show_station_table(
    rows: Sequence[PriceRow],
    prices: Mapping[int, Sequence[FuelRow]],
    age_from: datetime,
    own_names: Mapping[int, str],
) -> None:
    """Draw stations of which no fuel was asked for, each with all its prices."""
    show_table(
        {
            _("Prices"): [_write_prices(prices.get(row.station_id, ())) for row in rows],
            _("Station"): [_write_station(row, age_from, own_names.get(row.station_id, "")) for row in rows],
        },
        _("Stations with their prices"),
    )


def show_more_or_end(shown: int, total: int, show_more: Callable[[], None]) -> None:
    """Draw the button that lists more stations, or say that the list ends; nothing where all are in it."""
    if shown >= total:
        return
    if shown < MAX_LISTED:
        st.button(
            _("Show more stations"), key="show_more", on_click=view_only(show_more), icon=":material/expand_more:"
        )
    else:
        st.caption(
            _("The list shows {count} stations at most. Narrow the search to see others, or look at the map.").format(
                count=format_count(MAX_LISTED)
            )
        )


def make_directions_link(point: Point | None, *address: str) -> str:
    """Return a link that opens directions to a point, in the maps application of a phone if it has one.

    Without a point it leads to the address, of which that application may know more than the feed.
    """
    destination = " ".join(filter(None, address)) if point is None else f"{point.latitude:.5f},{point.longitude:.5f}"
    return f"https://www.google.com/maps/dir/?api=1&destination={quote(destination, safe='')}"


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
    """Write what a station sells now; what it has run out of has no price to go by."""
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
    if badges := _write_badges(write_note(row), write_doubt(row)):
        lines.append(badges)
    return "  \n".join(lines)


# Most reruns change nothing of what stands in the cells: kept by all that goes into them.
@lru_cache(maxsize=CACHED)
def _write_own_price(row: FavouritePrice, _language: str) -> str:
    if row.price_milli_eur is None:
        return "–"
    price = format_price(row.price_milli_eur)
    if row.rank != "fresh":
        return f":gray[{price}]"
    lines = [f"**{price}**"]
    for difference, name in (
        (row.to_dearest_milli_eur, _("vs max")),
        (row.to_median_milli_eur, _("vs median")),
    ):
        if difference is not None:
            lines.append(f":small[{_write_difference(difference)} {name}]".replace(" ", "\u00a0"))  # in one line
    return "  \n".join(lines)


@lru_cache(maxsize=CACHED)
def _write_own_station(row: FavouritePrice, age_from: datetime, _language: str) -> str:
    facts = [escape(row.brand)] if row.brand else []
    if not row.custom_name.startswith(row.town):  # as the name does that is offered
        facts.append(escape(row.town))
    if row.updated_at is not None:
        facts.append(write_age(row.updated_at, age_from))
    lines = [write_station_link(row), f":small[{' · '.join(facts)}]"]
    if badges := _write_badges(write_note(row), _("closed now") if row.is_closed else "", write_doubt(row)):
        lines.append(badges)
    return "  \n".join(lines)


def write_station_link(row: FavouritePrice) -> str:
    """Write a driver's name of a station as a link to its page."""
    return f"[{escape(row.custom_name)}]({make_station_link(row.station_id)})"


def write_age(updated_at: datetime, age_from: datetime) -> str:
    """Write the age of a report, marked from seven days on."""
    age = format_age(updated_at, age_from)
    return f":orange[:material/schedule:\u00a0{age}]" if age_from - updated_at >= AGING else age


def write_doubt(row: PriceRow | FavouritePrice) -> str:
    """Say that the location of a station is doubtful; nothing when it is not."""
    return _("location doubtful") if row.point is None else ""


def _write_badges(*notes: str) -> str:
    return " ".join(mark_note(note) for note in notes if note)


def write_note(row: PriceRow | FavouritePrice) -> str:
    """Say why a price is not compared with the others; nothing when it is."""
    if row.rank == "old":
        return _("old price")
    if row.rank == "implausible":
        return _("implausible price")
    if row.rank in OUT_RANKS:
        return write_stock_out(row.out_since, is_long=row.rank == "long_out")
    return ""


def mark_note(note: str) -> str:
    """Write a note as a badge or, since badges are not wrapped and a phone is narrow, a long one as coloured text."""
    return f":orange-badge[{note}]" if len(note) <= BADGE_LENGTH else f":orange[{note}]"


def write_stock_out(since: datetime | None, *, is_long: bool, language: str | None = None) -> str:
    """Say that a fuel has run out; of what may have been forgotten since, that this was reported.

    In the language of this session or, outside of any, in the one named.
    """
    translate = load_catalogue(language or get_language()).gettext
    if since is None:
        return translate(N_("out of stock"))
    text = N_("reported out of stock since {day}") if is_long else N_("out of stock since {day}")
    return translate(text).format(day=format_day(since, language))


def list_stock_out_lines(rank: Rank, out_since: datetime | None, language: str | None = None) -> list[str]:
    """Return what is said of a stock-out under the mouse, in lines that a map has room for; none when there is none."""
    if rank not in OUT_RANKS:
        return []
    return wrap(write_stock_out(out_since, is_long=rank == "long_out", language=language), LINE_LENGTH)


# A load changes next to nothing of what stands here; to write it all takes as long as everything else of a map.
@lru_cache(maxsize=MAX_PLACES)
def write_place(brand: str, name: str, town: str) -> str:
    """Write brand, name and town as a map says them: in short lines, the town where the name doesn't say it."""
    lines = [
        text if len(text) <= LINE_LENGTH else wrap_line(text)
        for text in (brand, name, "" if town in name else town)
        if text
    ]
    # deck.gl takes a text that begins with @@ for an expression, wherever it stands.
    return "\n".join(lines).replace("@@", "@\u2060@")


def wrap_line(text: str) -> str:
    """Break a text into lines that a map has room for, as textwrap does, which takes ten times as long."""
    if _NOT_PLAIN.search(text):
        return "\n".join(wrap(text, LINE_LENGTH, break_on_hyphens=False))
    return "\n".join(_LINE.findall(text))
