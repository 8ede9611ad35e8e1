"""The first page: what a fuel costs around a place, cheapest first, and in the whole country."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from models import FUEL_NAMES
from prices.figures import NationalFigure
from prices.nearby import NearbyPrices
from stations.filters import StationFilters
from stations.geography import measure_reach_km
from stations.places import Place
from ui.access import PAGES
from ui.authentication import get_driver
from ui.callback_marks import view_only
from ui.formats import escape, format_count, format_price
from ui.freshness import count_ages_from, get_shown_freshness, read_figures, show_load_times, show_state
from ui.place_search import (
    FUELS,
    RADII_KM,
    choose_place,
    get_fuel,
    get_radius_km,
    name_place,
    restore_place,
    show_fuel_choice,
    show_place_box,
    show_radius_choice,
)
from ui.price_table import MAX_LISTED, show_more_or_end, show_price_table
from ui.reading import open_reading
from ui.station_links import follow_station_links
from ui.station_map import find_view, show_price_map
from ui.station_points import make_points_link
from ui.station_search import find_stations, search_place
from ui.tables import show_table
from ui.texts import _, get_language, ngettext

ROWS_AT_FIRST = 10
ROWS_MORE = 20


def main() -> None:
    freshness = get_shown_freshness()
    as_of = count_ages_from(freshness, datetime.now(UTC))
    with open_reading() as connection:
        figures = read_figures(connection, freshness, as_of)
    st.title(_("What does fuel cost near you?"), anchor=False)
    show_state(freshness)
    st.markdown(_("The official prices of every filling station in France, the cheapest first."))
    show_search()
    restore_place()
    if freshness is None:
        return
    if (place := choose_place(freshness.edition)) is not None:
        show_answer(place, freshness.edition, as_of)
    show_national(figures)
    if get_driver() is None:
        show_account_offer()
    show_load_times(freshness)


def show_search() -> None:
    with st.container(border=True):
        show_place_box(_("Town or postcode"), _("Town, postcode or its first digits"))
        with st.container(horizontal=True, gap="medium"):
            show_fuel_choice()
            show_radius_choice()


def show_answer(place: Place, edition: str, as_of: datetime) -> None:
    fuel_id, radius_km = get_fuel(), get_radius_km()
    fuel = FUEL_NAMES[fuel_id]
    search = search_place(place, fuel_id, radius_km, StationFilters())
    with open_reading() as connection:
        nearby = find_stations(connection, edition, search, as_of)
    name = escape(name_place(place))
    if place.zip_prefixes:
        heading = _("{fuel} in {place}").format(fuel=fuel, place=name)
    else:
        heading = _("{fuel} within {radius} km of {place}").format(fuel=fuel, radius=radius_km, place=name)
    st.subheader(heading, anchor=False)
    if not nearby.rows:
        show_nothing_found(radius_km, place)
        return
    st.caption(summarize(nearby))
    table, chart = st.columns([3, 2], gap="medium")
    with table:
        shown = nearby.rows[: min(MAX_LISTED, st.session_state.setdefault("rows_shown", ROWS_AT_FIRST))]
        show_price_table(shown, fuel, as_of)
        show_more_or_end(len(shown), nearby.total, show_more_rows)
    with chart:
        reach_km: float = radius_km
        if place.zip_prefixes:
            reach_km = measure_reach_km((place.latitude, place.longitude), nearby.list_positions())
        points_link = make_points_link(search, edition, get_language())
        view = find_view(place.latitude, place.longitude, reach_km)
        follow_station_links(show_price_map(points_link, view))


def show_more_rows() -> None:
    st.session_state["rows_shown"] = st.session_state.get("rows_shown", ROWS_AT_FIRST) + ROWS_MORE


def summarize(nearby: NearbyPrices) -> str:
    count = nearby.total
    stations = ngettext("{count} station", "{count} stations", count).format(count=format_count(count))
    if nearby.median_milli_eur is None:
        return _("{stations}, none with a price that can be compared.").format(stations=stations)
    return _("{stations}, median {median}. The difference to it stands below each price, in cents a litre.").format(
        stations=stations, median=format_price(nearby.median_milli_eur)
    )


def show_nothing_found(radius_km: int, place: Place) -> None:
    if place.zip_prefixes or radius_km == RADII_KM[-1]:
        st.info(_("No station here sells this fuel. Try another fuel or another place."), icon=":material/search_off:")
    else:
        st.info(_("No station here sells this fuel. Try another fuel or a wider circle."), icon=":material/search_off:")
        st.button(
            _("Search within {radius} km").format(radius=RADII_KM[-1]), on_click=widen, icon=":material/zoom_out_map:"
        )


@view_only
def widen() -> None:
    st.session_state["radius"] = RADII_KM[-1]


def show_account_offer() -> None:
    with st.container(border=True):
        st.markdown(_("Keep your stations, see the cheapest first, and what that saves in a year."))
        with st.container(horizontal=True):
            st.page_link(PAGES / "register.py", label=_("Open an account"), icon=":material/person_add:")
            st.page_link(PAGES / "login.py", label=_("Log in"), icon=":material/login:")
            st.page_link(PAGES / "dashboard.py", label=_("Try it without an account"), icon=":material/star:")


def show_national(figures: dict[int, NationalFigure]) -> None:
    st.subheader(_("In the whole country"), anchor=False)
    if not figures:
        st.info(_("No fresh price is known."))
        return
    known = [(FUEL_NAMES[fuel_id], figures[fuel_id]) for fuel_id in FUELS if fuel_id in figures]
    # One element: cards of four for each fuel were a third of all that a search sends.
    show_table(
        {
            _("Fuel"): [f"**{name}**" for name, _figure in known],
            _("Median"): [f"**{format_price(figure.median_milli_eur)}**" for _name, figure in known],
            _("Lowest"): [format_price(figure.lowest_milli_eur) for _name, figure in known],
            _("Stations"): [format_count(figure.station_count) for _name, figure in known],
        },
        _("What each fuel costs in the whole country"),
    )


main()
