"""Choosing stations: the same ones on a map and in a list, found by a search and filters; one's own are shown apart."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import astuple, replace
from datetime import UTC, datetime
from typing import NamedTuple

import streamlit as st

from models import FUEL_NAMES, make_town_key
from prices.fuels import list_fuel_prices
from prices.nearby import NearbyPrices, list_price_rows
from stations.filters import StationFilters, split_words
from stations.geography import measure_reach_km
from stations.places import Place
from ui.favourite_changes import open_station, read_favourites
from ui.formats import escape, format_count, format_price
from ui.freshness import count_ages_from, get_shown_freshness, show_state
from ui.own_stations import show_own_stations
from ui.place_search import (
    get_query,
    get_radius_km,
    name_place,
    offer_places,
    pick_asked_places,
    read_position,
    restore_place,
    show_place_box,
    show_refusal,
)
from ui.price_table import MAX_LISTED, show_more_or_end, show_price_table, show_station_table
from ui.reading import open_reading
from ui.station_dialog import show_asked_station
from ui.station_filters import Choice, show_filters
from ui.station_links import open_station_links
from ui.station_map import View, find_view, show_choosing_map
from ui.station_points import make_label, make_points, make_points_link
from ui.station_search import StationSearch, find_asked_places, find_stations, read_facts, search_place
from ui.texts import _, get_language, ngettext

COUNTRY = (46.6, 2.4)
COUNTRY_RADIUS_KM = 550
ROWS_AT_FIRST = 20
ROWS_MORE = 20


class Asked(NamedTuple):
    """What is searched: a place, words of an address, or, with neither, the whole country."""

    place: Place | None = None
    text: str = ""


def main() -> None:
    freshness = get_shown_freshness()
    st.title(_("Choose your stations"), anchor=False)
    st.markdown(_("Find the stations you drive past, and keep them in your list."))
    show_state(freshness)
    if freshness is None:
        return
    now = datetime.now(UTC)
    as_of = count_ages_from(freshness, now)
    own_section = st.container()
    with open_reading() as connection:
        facts = read_facts(connection, freshness.edition, as_of)
    with st.container(border=True):
        show_place_box(_("Town, postcode or part of an address"), _("Lyon, 69003, avenue de la Gare …"))
        choice = show_filters(facts, now)
    restore_place()
    show_refusal()
    asked = choose_place(freshness.edition, facts.brands, as_of)
    search = make_search(asked, choice)
    stations, favourites = read_favourites()
    with open_reading() as connection:
        found = find_stations(connection, freshness.edition, search, as_of)
        own = list_price_rows(
            connection,
            facts.figures.get(search.fuel_id or 0),
            search.fuel_id,
            [favourite.station_id for favourite in favourites],
            found.median_milli_eur,
            as_of=as_of,
        )
        shown = found.rows[: min(MAX_LISTED, st.session_state.get("choose_rows", ROWS_AT_FIRST))]
        prices = (
            {}
            if search.fuel_id
            else list_fuel_prices(connection, facts.figures, [row.station_id for row in shown], as_of=as_of)
        )
    names = {favourite.station_id: favourite.custom_name for favourite in favourites}
    with own_section:
        show_own_stations(stations, favourites, own, as_of)
    st.subheader(write_heading(asked, search), anchor=False)
    st.caption(summarize(found, search))
    chart, table = st.columns(2, gap="medium")
    with chart:
        points = make_points(own.values(), lambda row: make_label(row, names[row.station_id]))
        show_choosing_map(
            make_points_link(search, freshness.edition, get_language()),
            points,
            keep_view(asked, found),
            on_click=open_station,
        )
    with table:
        if not found.rows:
            show_nothing_found(asked, search)
        elif search.fuel_id is None:
            show_station_table(shown, prices, as_of, names)
        else:
            show_price_table(shown, FUEL_NAMES[search.fuel_id], as_of, names)
        show_more_or_end(len(shown), found.total, show_more_rows)
    open_station_links(on_open=open_station)
    show_asked_station(freshness, facts.figures, favourites)


def choose_place(edition: str, brand_keys: Collection[str], as_of: datetime) -> Asked:
    """Return what is asked for: a text that is no town or postcode, or several, is looked for in addresses."""
    if "at" in st.query_params:
        return Asked(read_position())
    query = get_query()
    if not query:
        return Asked()
    if make_town_key(query) in brand_keys:
        return Asked(None, query)
    with open_reading() as connection:
        found = find_asked_places(connection, edition, query, may_be_address=True)
        has_postcode = any(letter.isdigit() for letter in query)
        if not found and has_postcode and (at_postcode := find_asked_places(connection, edition, query)):
            words = StationSearch(filters=StationFilters(words=split_words(query)))
            found = () if find_stations(connection, edition, words, as_of).rows else at_postcode
    places = pick_asked_places(found)
    if len(places) == 1:
        return Asked(places[0])
    if places:
        offer_places(places)
    elif not split_words(query):
        st.info(_("Search with letters or digits, please."), icon=":material/search_off:")
        return Asked()
    return Asked(None, query)


def make_search(asked: Asked, choice: Choice) -> StationSearch:
    place, fuel_id, filters = asked.place, choice.fuel_id, choice.filters
    if asked.text:
        return StationSearch(fuel_id, filters=replace(filters, words=split_words(asked.text)))
    if place is None:
        return StationSearch(fuel_id, filters=filters)
    return search_place(place, fuel_id, get_radius_km(), filters)


def write_heading(asked: Asked, search: StationSearch) -> str:
    fuel = _("All fuels") if search.fuel_id is None else FUEL_NAMES[search.fuel_id]
    if asked.text:
        return _("{fuel} at “{text}”").format(fuel=fuel, text=escape(asked.text))
    if asked.place is None:
        return _("{fuel} in the whole country").format(fuel=fuel)
    name = escape(name_place(asked.place))
    if search.radius_km is None:
        return _("{fuel} in {place}").format(fuel=fuel, place=name)
    return _("{fuel} within {radius} km of {place}").format(fuel=fuel, radius=search.radius_km, place=name)


def summarize(found: NearbyPrices, search: StationSearch) -> str:
    count = found.total
    stations = ngettext("{count} station", "{count} stations", count).format(count=format_count(count))
    if search.fuel_id is None:
        if search.point is not None:
            return _("{stations}, the nearest first.").format(stations=stations)
        return _("{stations}, in the order of their postcodes.").format(stations=stations)
    if found.median_milli_eur is None:
        return _("{stations}, none with a price that can be compared.").format(stations=stations)
    median = format_price(found.median_milli_eur)
    if search.is_national:
        return _("{stations}, the cheapest first; the median of the country is {median}.").format(
            stations=stations, median=median
        )
    return _("{stations}, the cheapest first; their median is {median}.").format(stations=stations, median=median)


def show_nothing_found(asked: Asked, search: StationSearch) -> None:
    if asked.text:
        st.info(
            _("Check the spelling, use fewer words or fewer filters, or try the postcode."),
            title=_("No station at “{query}”").format(query=escape(asked.text)),
            icon=":material/search_off:",
        )
    elif search.filters == StationFilters():
        st.info(
            _("There is no station here that sells this. Try a wider circle or another place."),
            icon=":material/search_off:",
        )
    else:
        st.info(_("No station here meets all that you ask for. Try fewer filters."), icon=":material/search_off:")


def keep_view(asked: Asked, found: NearbyPrices) -> View:
    """Return where the map looks: what it showed when this place was first searched, whatever the filters are now."""
    key = (asked.text, None if asked.place is None else astuple(asked.place))
    kept = st.session_state.get("map_view")
    if kept is None or kept[0] != key:
        kept = st.session_state["map_view"] = (key, tuple(find_first_view(asked, found)))
    return View(*kept[1])


def find_first_view(asked: Asked, found: NearbyPrices) -> View:
    place = asked.place
    if place is not None and not place.zip_prefixes:
        return find_view(place.latitude, place.longitude, get_radius_km())
    if place is None and not asked.text:
        return find_view(*COUNTRY, COUNTRY_RADIUS_KM)
    points = found.list_positions()
    if not points:
        return find_view(*COUNTRY, COUNTRY_RADIUS_KM)
    latitudes, longitudes = zip(*points, strict=True)
    middle = (min(latitudes) + max(latitudes)) / 2, (min(longitudes) + max(longitudes)) / 2
    return find_view(*middle, max(2.0, measure_reach_km(middle, points)))


def show_more_rows() -> None:
    st.session_state["choose_rows"] = st.session_state.get("choose_rows", ROWS_AT_FIRST) + ROWS_MORE


main()
