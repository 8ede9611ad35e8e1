"""One station: where it is, what its fuels cost, what it has run out of, when it is open and what it offers."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from errors import StationUnknown
from models import FUEL_NAMES, make_town_key
from prices.figures import list_national_figures
from prices.freshness import Freshness, get_freshness
from prices.nearby import FuelRow, list_station_prices
from settings import ROOT
from stations.details import StationDetails, get_station
from stations.opening_hours import Day, find_opening, is_whole_day
from ui.formats import (
    PARIS,
    escape,
    format_age,
    format_clock,
    format_day,
    format_hour,
    format_instant,
    format_price,
    get_weekday,
    list_weekdays,
)
from ui.freshness import count_ages_from, show_state
from ui.price_table import make_directions_link, name_station
from ui.reading import open_reading
from ui.service_names import name_service
from ui.station_map import show_place_map
from ui.texts import _


def main() -> None:
    with open_reading() as connection:
        freshness = get_freshness(connection)
        figures = list_national_figures(connection)
        try:
            station = get_station(connection, read_station_id())
        except StationUnknown:
            station = None
        prices = list_station_prices(connection, station.id, figures) if station is not None else ()
    st.page_link(
        ROOT / "pages" / "landing.py",
        label=_("Back to the prices nearby"),
        icon=":material/arrow_back:",
        query_params=st.session_state.get("search"),
    )
    if station is None or freshness is None:
        st.title(_("This station is not known"), anchor=False)
        st.markdown(_("The link may be wrong, or the station has never been in the national feed."))
        show_state(freshness)
        return
    now = datetime.now(UTC)
    st.set_page_config(page_title=f"{name_station(station.address, station.town)} · Carburoam")
    st.title(escape(name_station(station.address, station.town)), anchor=False)
    st.markdown(f"{write_brand(station)}{escape(station.zip_code)} {escape(station.town)} · {describe_road(station)}")
    show_state(freshness)
    if station.left_feed_at is not None:
        st.warning(
            _("It has been missing since {day}, so there are no prices of it.").format(
                day=format_day(station.left_feed_at)
            ),
            title=_("This station is no longer in the national feed"),
        )
    facts, where = st.columns([3, 2], gap="medium")
    with facts:
        show_opening(station, now)
        show_prices(prices, freshness, count_ages_from(freshness, now))
        show_hours(station, now)
        show_services(station)
    with where:
        show_place_map(station.latitude, station.longitude, name_station(station.address, station.town))
        st.link_button(
            _("Directions"),
            make_directions_link(station.latitude, station.longitude),
            icon=":material/directions:",
            width="stretch",
        )


def read_station_id() -> int:
    text = st.query_params.get("id", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0


def write_brand(station: StationDetails) -> str:
    """Write the brand and the name, when they are known and not one and the same, before the town."""
    texts = [station.brand, station.name if make_town_key(station.name) != make_town_key(station.brand) else ""]
    return "".join(f"{escape(text)} · " for text in texts if text)


def describe_road(station: StationDetails) -> str:
    return _("on a motorway") if station.is_motorway else _("on a road")


def show_opening(station: StationDetails, now: datetime) -> None:
    opening = find_opening(station.week, now)
    with st.container(horizontal=True, gap="small"):
        if opening.is_open:
            until = write_change(opening.changes_at, now)
            st.badge(
                _("Open now, until {time}").format(time=until) if until else _("Open day and night"),
                icon=":material/check_circle:",
                color="green",
            )
        elif opening.is_open is False:
            at = write_change(opening.changes_at, now)
            st.badge(
                _("Closed now, opens {time}").format(time=at) if at else _("Closed"),
                icon=":material/cancel:",
                color="orange",
            )
        else:
            st.badge(_("Opening hours not known"), icon=":material/help:", color="gray")
        if station.has_automat:
            st.badge(_("Card automat day and night"), icon=":material/credit_card:", color="blue")


def write_change(at: datetime | None, now: datetime) -> str:
    """Write when it opens or closes: the hour, with the day before it when it is not today."""
    if at is None:
        return ""
    local = at.astimezone(PARIS)
    is_today = local.date() == now.astimezone(PARIS).date()
    return format_hour(at) if is_today else f"{get_weekday(at)} {format_hour(at)}"


def show_prices(rows: tuple[FuelRow, ...], freshness: Freshness, age_from: datetime) -> None:
    st.subheader(_("Prices"), anchor=False)
    if not rows:
        st.info(_("This station reports no price and no stock-out."), icon=":material/money_off:")
        return
    st.table(
        pd.DataFrame(
            {
                _("Fuel"): [f"**{FUEL_NAMES[row.fuel_id]}**" for row in rows],
                _("Price"): [write_price(row) for row in rows],
                _("Reported"): [write_report(row, age_from) for row in rows],
            }
        ),
        border="horizontal",
        hide_index=True,
        alt=_("Prices of this station by fuel"),
    )
    if any(row.is_out for row in rows) and freshness.stock_outs_at not in (None, freshness.loaded_at):
        st.caption(
            _("Stock-outs as of {instant}; the feed loaded since says nothing of them.").format(
                instant=format_instant(freshness.stock_outs_at)
            )
        )


def write_price(row: FuelRow) -> str:
    if row.price_milli_eur is None:
        return "–"
    price = format_price(row.price_milli_eur)
    return f"**{price}**" if row.standing == "fresh" and not row.is_out else f":gray[{price}]"


def write_report(row: FuelRow, age_from: datetime) -> str:
    parts = [format_age(row.updated_at, age_from)] if row.updated_at is not None else []
    notes = [write_stock_out(row)] if row.is_out else []
    if row.standing == "old":
        notes.append(_("old price"))
    if row.standing == "implausible":
        notes.append(_("implausible price"))
    return "  \n".join([*parts, *(f":orange-badge[{note}]" for note in notes)])


def write_stock_out(row: FuelRow) -> str:
    if row.out_since is None:
        return _("no longer sold") if row.is_out_for_good else _("out of stock")
    day = format_day(row.out_since)
    if row.is_out_for_good:
        return _("no longer sold since {day}").format(day=day)
    return _("out of stock since {day}, temporarily").format(day=day)


def show_hours(station: StationDetails, now: datetime) -> None:
    st.subheader(_("Opening hours"), anchor=False)
    if station.week is None:
        st.caption(_("The station says nothing of its opening hours."))
        return
    today = now.astimezone(PARIS).weekday()
    days = [f"**{name}**" if index == today else name for index, name in enumerate(list_weekdays())]
    hours = [f"**{write_day(day)}**" if index == today else write_day(day) for index, day in enumerate(station.week)]
    st.table(
        pd.DataFrame({_("Day"): days, _("Open"): hours}),
        border="horizontal",
        hide_index=True,
        hide_header=True,
        alt=_("Opening hours by day"),
    )
    if station.has_automat and not all(map(is_whole_day, station.week)):
        st.caption(_("Outside these hours, the card automat sells fuel day and night."))


def write_day(day: Day | None) -> str:
    if day is None:
        return _("not known")
    if not day:
        return _("closed")
    if is_whole_day(day):
        return _("day and night")
    return ", ".join(f"{format_clock(opens)} – {format_clock(closes)}" for opens, closes in day)


def show_services(station: StationDetails) -> None:
    st.subheader(_("Services"), anchor=False)
    if not station.services:
        st.caption(_("The station names no services."))
        return
    st.markdown(" ".join(f":gray-badge[{escape(name_service(name))}]" for name in station.services))


main()
