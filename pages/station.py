"""One station: where it is, what its fuels cost, what it has run out of, when it is open and what it offers."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from errors import StationUnknown
from prices.fuels import list_station_prices
from stations.details import get_station
from ui.access import PAGES
from ui.authentication import get_driver
from ui.favourite_changes import read_favourites
from ui.formats import escape, format_day
from ui.freshness import count_ages_from, get_shown_freshness, read_figures, show_state
from ui.own_stations import show_add_form
from ui.price_table import make_directions_link, name_station
from ui.reading import open_reading
from ui.station_map import show_place_map
from ui.station_view import (
    describe_place,
    read_station_id,
    show_doubt,
    show_hours,
    show_opening,
    show_prices,
    show_services,
)
from ui.texts import _


def main() -> None:
    freshness = get_shown_freshness()
    now = datetime.now(UTC)
    as_of = count_ages_from(freshness, now)
    with open_reading() as connection:
        figures = read_figures(connection, freshness, as_of)
        try:
            station = get_station(connection, read_station_id("id"))
        except StationUnknown:
            station = None
        prices = () if station is None else list_station_prices(connection, station.id, figures, as_of=as_of)
    show_way_back()
    if station is None or freshness is None:
        st.title(_("This station is not known"), anchor=False)
        st.markdown(_("The link may be wrong, or the station has never been in the national feed."))
        show_state(freshness)
        return
    st.set_page_config(page_title=f"{name_station(station.address, station.town)} · Carburoam")
    st.title(escape(name_station(station.address, station.town)), anchor=False)
    st.markdown(describe_place(station))
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
        show_add_form(station, read_favourites()[1], "station")
        show_prices(prices, freshness, as_of)
        show_hours(station, now)
        show_services(station)
    with where:
        if station.point is not None:
            show_place_map(station.point, name_station(station.address, station.town))
        else:
            show_doubt()
        st.link_button(
            _("Directions"),
            make_directions_link(station.point, station.address, station.zip_code, station.town),
            icon=":material/directions:",
            width="stretch",
        )


def show_way_back() -> None:
    """Draw the link to where the visitor saw the station: the own stations, or else the search."""
    came_from = st.session_state.get("came_from")
    if came_from == "dashboard" or (came_from == "" and get_driver() is not None):  # a driver's first page
        st.page_link(PAGES / "dashboard.py", label=_("Back to my stations"), icon=":material/arrow_back:")
    else:
        st.page_link(
            PAGES / "landing.py",
            label=_("Back to the prices nearby"),
            icon=":material/arrow_back:",
            query_params=st.session_state.get("search"),
        )


main()
