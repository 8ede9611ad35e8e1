"""A station in a dialog, opened by a click on a map or in a list, with the way into one's own list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from errors import StationUnknown
from prices.figures import NationalFigure
from prices.freshness import Freshness
from prices.fuels import FuelRow, list_station_prices
from stations.details import StationDetails, get_station
from stations.favourites import Favourite
from ui.access import PAGES
from ui.callbacks import is_still_here
from ui.favourite_changes import SHOWN_KEY, close_station
from ui.formats import escape, format_day
from ui.freshness import count_ages_from, show_banners
from ui.own_stations import show_add_form
from ui.page_turns import takes_turn
from ui.price_table import make_directions_link, name_station
from ui.reading import open_reading
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


def show_asked_station(
    freshness: Freshness, figures: Mapping[int, NationalFigure], favourites: Sequence[Favourite]
) -> None:
    """Draw the dialog of the station that the address says is open."""
    if SHOWN_KEY not in st.query_params:
        return
    as_of = count_ages_from(freshness, datetime.now(UTC))
    with open_reading() as connection:
        try:
            station = get_station(connection, read_station_id(SHOWN_KEY))
        except StationUnknown:
            st.dialog(_("This station is not known"), on_dismiss=close_station)(_show_unknown)()
            return
        prices = list_station_prices(connection, station.id, figures, as_of=as_of)
    title = escape(name_station(station.address, station.town))
    is_first = True

    @takes_turn
    def show() -> None:
        nonlocal is_first
        if not is_first:  # with the page itself, which has just asked
            _close_if_gone()
        is_first = False
        _show_station(station, prices, freshness, favourites)

    st.dialog(title, width="medium", on_dismiss=close_station)(show)()


@takes_turn
def _show_unknown() -> None:
    _close_if_gone()
    st.markdown(_("This station is not in the national feed, or no longer."))


def _close_if_gone() -> None:
    """Leave the dialog once its driver is no longer logged in: the page below it says so."""
    with suppress(SQLAlchemyError):  # what is shown stays
        if not is_still_here():
            close_station()
            st.rerun()


def _show_station(
    station: StationDetails, prices: tuple[FuelRow, ...], freshness: Freshness, favourites: Sequence[Favourite]
) -> None:
    """Draw the inside of the dialog, which runs again by itself when something in it is used."""
    if SHOWN_KEY not in st.query_params:  # what was done in it closes it, and changes the page
        st.rerun()
    now = datetime.now(UTC)
    st.markdown(describe_place(station))
    if station.left_feed_at is not None:
        st.warning(
            _("It has been missing since {day}, so there are no prices of it.").format(
                day=format_day(station.left_feed_at)
            ),
            title=_("This station is no longer in the national feed"),
        )
    show_opening(station, now)
    show_add_form(station, favourites, "dialog")
    show_banners(freshness)  # the dialog hides those of the page
    show_prices(prices, freshness, count_ages_from(freshness, now))
    show_hours(station, now)
    show_services(station)
    if station.point is None:
        show_doubt()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.link_button(
            _("Directions"),
            make_directions_link(station.point, station.address, station.zip_code, station.town),
            icon=":material/directions:",
        )
        st.page_link(
            PAGES / "station.py",
            label=_("The page of this station"),
            icon=":material/ev_station:",
            query_params={"id": str(station.id)},
        )
