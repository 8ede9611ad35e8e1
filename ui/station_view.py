"""What there is to say of one station: its road, prices, stock-outs, opening hours and services."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from models import FUEL_NAMES, make_town_key
from prices.freshness import Freshness
from prices.fuels import FuelRow
from stations.details import StationDetails
from stations.opening_hours import Day, Opening, find_opening, is_whole_day
from ui.formats import (
    PARIS,
    escape,
    format_age,
    format_clock,
    format_hour,
    format_instant,
    format_price,
    get_weekday,
    list_weekdays,
)
from ui.price_table import mark_note, write_stock_out
from ui.service_names import name_service
from ui.tables import show_table
from ui.texts import _


def read_station_id(name: str) -> int:
    """Return the id in the address under that name; 0, which no station has, for what is no id."""
    text = st.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0


def describe_place(station: StationDetails) -> str:
    """Say where the station lies: its town and road, after its brand and name as far as these are known."""
    texts = [station.brand, station.name if make_town_key(station.name) != make_town_key(station.brand) else ""]
    road = _("on a motorway") if station.is_motorway else _("on a road")
    return " · ".join(
        [*(escape(text) for text in texts if text), f"{escape(station.zip_code)} {escape(station.town)}", road]
    )


def show_doubt() -> None:
    """Draw why the station stands on no map."""
    st.warning(
        _("The national feed gives it coordinates far away from its postcode, so it isn't shown on a map."),
        title=_("Location doubtful"),
        icon=":material/wrong_location:",
    )


def show_opening(station: StationDetails, now: datetime) -> None:
    """Draw whether it is open now."""
    opening = find_opening(station.week, now)
    with st.container(horizontal=True, gap="small"):
        if opening.is_open:
            st.badge(_write_open(opening, now), icon=":material/check_circle:", color="green")
        elif opening.is_open is False:
            st.badge(_write_closed(opening, now), icon=":material/cancel:", color="orange")
        else:
            st.badge(_("Opening hours not known"), icon=":material/help:", color="gray")
        if station.has_automat:
            st.badge(_("Card automat day and night"), icon=":material/credit_card:", color="blue")


def _write_open(opening: Opening, now: datetime) -> str:
    if opening.is_always:
        return _("Open day and night")
    if opening.changes_at is None:
        return _("Open now")
    return _("Open now, until {time}").format(time=_write_change(opening.changes_at, now))


def _write_closed(opening: Opening, now: datetime) -> str:
    if opening.is_always:
        return _("Closed")
    if opening.changes_at is None:
        return _("Closed now")
    return _("Closed now, opens {time}").format(time=_write_change(opening.changes_at, now))


def _write_change(at: datetime, now: datetime) -> str:
    """Write when it opens or closes: the hour, with the day before it when it is not today."""
    local = at.astimezone(PARIS)
    is_today = local.date() == now.astimezone(PARIS).date()
    return format_hour(at) if is_today else f"{get_weekday(at)} {format_hour(at)}"


def show_prices(rows: tuple[FuelRow, ...], freshness: Freshness, age_from: datetime) -> None:
    """Draw the prices of its fuels, and their stock-outs."""
    st.subheader(_("Prices"), anchor=False)
    if not rows:
        st.info(_("This station reports no price and no stock-out."), icon=":material/money_off:")
        return
    show_table(
        {
            _("Fuel"): [f"**{FUEL_NAMES[row.fuel_id]}**" for row in rows],
            _("Price"): [_write_price(row) for row in rows],
            _("Reported"): [_write_report(row, age_from) for row in rows],
        },
        _("Prices of this station by fuel"),
    )
    if any(row.is_out for row in rows) and freshness.stock_outs_at not in (None, freshness.loaded_at):
        st.caption(
            _("Stock-outs as of {instant}; the feed loaded since says nothing of them.").format(
                instant=format_instant(freshness.stock_outs_at)
            )
        )


def _write_price(row: FuelRow) -> str:
    if row.price_milli_eur is None:
        return "–"
    price = format_price(row.price_milli_eur)
    return f"**{price}**" if row.standing == "fresh" and not row.is_out else f":gray[{price}]"


def _write_report(row: FuelRow, age_from: datetime) -> str:
    parts = [format_age(row.updated_at, age_from)] if row.updated_at is not None else []
    notes = [write_stock_out(row.out_since, is_long=row.is_long_out)] if row.is_out else []
    if row.standing == "old":
        notes.append(_("old price"))
    if row.standing == "implausible":
        notes.append(_("implausible price"))
    return "  \n".join([*parts, *map(mark_note, notes)])


def show_hours(station: StationDetails, now: datetime) -> None:
    """Draw its week."""
    st.subheader(_("Opening hours"), anchor=False)
    if station.week is None:
        st.caption(_("The station says nothing of its opening hours."))
        return
    today = now.astimezone(PARIS).weekday()
    days = [f"**{name}**" if index == today else name for index, name in enumerate(list_weekdays())]
    hours = [f"**{_write_day(day)}**" if index == today else _write_day(day) for index, day in enumerate(station.week)]
    show_table({_("Day"): days, _("Open"): hours}, _("Opening hours by day"), hide_header=True)
    if station.has_automat and not all(map(is_whole_day, station.week)):
        st.caption(_("Outside these hours, the card automat sells fuel day and night."))


def _write_day(day: Day | None) -> str:
    if day is None:
        return _("not known")
    if not day:
        return _("closed")
    if is_whole_day(day):
        return _("day and night")
    return ", ".join(f"{format_clock(opens)} – {format_clock(closes)}" for opens, closes in day)


def show_services(station: StationDetails) -> None:
    """Draw what it offers besides fuel."""
    st.subheader(_("Services"), anchor=False)
    if not station.services:
        st.caption(_("The station names no services."))
        return
    st.markdown(" ".join(f":gray-badge[{escape(name_service(name))}]" for name in station.services))
