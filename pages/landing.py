"""The first page: what a fuel costs around a place, cheapest first, and in the whole country."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from errors import PlaceUnknown
from models import FUEL_NAMES
from prices.figures import NationalFigure, list_national_figures
from prices.nearby import NearbyPrices, list_nearby_prices
from stations.departments import DEPARTMENTS
from stations.geography import compute_distance_km
from stations.places import Place, find_places, parse_point
from ui.access import PAGES
from ui.authentication import get_driver
from ui.formats import escape, format_count, format_instant, format_price
from ui.freshness import count_ages_from, get_shown_freshness, show_state
from ui.near_me import Position, show_near_me
from ui.price_table import show_price_table
from ui.reading import open_reading
from ui.station_links import follow_station_links
from ui.station_map import show_price_map
from ui.texts import _, ngettext

FUELS = (5, 1, 6, 2, 3, 4)  # the most sold first
RADII_KM = (2, 5, 10, 20, 50)
RADIUS_KM = 10
EXAMPLES = ("Paris", "Lyon", "Marseille", "Toulouse", "Nantes", "Strasbourg")
SEARCH = ("q", "at", "in", "fuel", "radius")  # what the address of a search is made of
REFUSALS = {
    "denied": lambda: _("Your browser was told not to say where you are. Search for a town or a postcode instead."),
    "unavailable": lambda: _("Your browser can't find out where you are. Search for a town or a postcode instead."),
    "timeout": lambda: _("Finding out where you are took too long. Try again, or search for a town."),
    "unsupported": lambda: _("This browser can't say where you are. Search for a town or a postcode instead."),
}
ROWS_AT_FIRST = 10
ROWS_MORE = 20


def main() -> None:
    freshness = get_shown_freshness()
    with open_reading() as connection:
        figures = list_national_figures(connection)
    st.title(_("What does fuel cost near you?"), anchor=False)
    st.markdown(_("The official prices of every filling station in France, the cheapest first."))
    show_state(freshness)
    show_search()
    restore_place()
    st.session_state["search"] = {name: st.query_params[name] for name in SEARCH if name in st.query_params}
    if freshness is None:
        return
    if (place := choose_place()) is not None:
        show_answer(place, figures, count_ages_from(freshness, datetime.now(UTC)))
    show_national(figures)
    if get_driver() is None:
        show_account_offer()
    if freshness.newest_report_at is not None:
        st.caption(
            _("Last load: {loaded} · newest report: {newest} (Paris time)").format(
                loaded=format_instant(freshness.loaded_at), newest=format_instant(freshness.newest_report_at)
            )
        )


def show_search() -> None:
    with st.container(border=True):
        text, position = st.columns([4, 1], vertical_alignment="bottom")
        with text:
            st.text_input(
                _("Town or postcode"),
                key="q",
                type="search",
                placeholder=_("Town, postcode or its first digits"),
                max_chars=80,
                bind="query-params",
                on_change=forget_place,
            )
        with position:
            show_near_me(take_position)
        with st.container(horizontal=True, gap="medium"):
            st.pills(
                _("Fuel"),
                FUELS,
                default=FUELS[0],
                required=True,
                format_func=FUEL_NAMES.__getitem__,
                key="fuel",
                bind="query-params",
                wrap=True,
            )
            st.segmented_control(
                _("Within, in km"),
                RADII_KM,
                default=RADIUS_KM,
                required=True,
                format_func=str,
                key="radius",
                bind="query-params",
                wrap=True,
            )


def restore_place() -> None:
    """Take up the place of before, which the navigation drops from the address, as long as the text is the same."""
    before = st.session_state.get("search", {})
    if before.get("q", "") != st.session_state["q"] or {"at", "in"} & set(st.query_params):
        return
    for name in ("at", "in"):
        if name in before:
            st.query_params[name] = before[name]


def forget_place() -> None:
    """A new text takes the place of the town chosen for the former one, and of "near me"."""
    for name in ("at", "in"):
        st.query_params.pop(name, None)
    for name in ("refusal", "rows_shown", "search"):
        st.session_state.pop(name, None)


def take_position(position: Position) -> None:
    forget_place()
    if position.point is None:
        st.session_state["refusal"] = position.refusal
    else:
        st.session_state["q"] = ""
        st.query_params["at"] = f"{position.point[0]},{position.point[1]}"


def take_town(name: str, department: str) -> None:
    forget_place()
    st.session_state["q"] = name
    if department:
        st.query_params["in"] = department


def choose_place() -> Place | None:
    """Return the place that is asked for; None, with a sentence on the page, when it is not clear which."""
    if refusal := st.session_state.get("refusal"):
        st.warning(REFUSALS[refusal](), icon=":material/location_off:")
    if "at" in st.query_params:
        point = parse_point(st.query_params["at"])
        if point is not None:
            return Place(_("your position"), "", *point, station_count=0)
        st.warning(_("The place in this link can't be read. Search for a town or a postcode instead."))
        return None
    query = st.session_state["q"].strip()
    if not query:
        show_examples()
        return None
    try:
        with open_reading() as connection:
            places = find_places(connection, query)
    except PlaceUnknown:
        st.info(
            _("Check the spelling, try the postcode or its first digits, or a larger town nearby."),
            title=(
                _("No station at a postcode that begins with {digits}").format(digits=escape(query))
                if query.isdigit()
                else _("No station in a place called “{query}”").format(query=escape(query))
            ),
            icon=":material/search_off:",
        )
        return None
    asked = [place for place in places if place.department == st.query_params.get("in")]
    if len(places) == 1 or len(asked) == 1:
        return (asked or list(places))[0]
    offer_places(asked or list(places))
    return None


def show_examples() -> None:
    st.caption(_("Search for a town, or try one of these:"))
    with st.container(horizontal=True, gap="small"):
        for town in EXAMPLES:
            st.button(town, key=f"example_{town}", on_click=take_town, args=(town, ""))


def offer_places(places: list[Place]) -> None:
    st.markdown(_("Several places are called that. Which one do you mean?"))
    with st.container(horizontal=True, gap="small"):
        for place in places:
            st.button(
                escape(name_place(place)),
                key=f"place_{place.name}_{place.department}",
                on_click=take_town,
                args=(place.name, place.department),
            )


def name_place(place: Place) -> str:
    department = DEPARTMENTS.get(place.department)
    return f"{place.name} ({department})" if department and department not in place.name else place.name


def show_answer(place: Place, figures: dict[int, NationalFigure], age_from: datetime) -> None:
    # An address that says `fuel=` and no more leaves none chosen.
    fuel_id, radius_km = st.session_state["fuel"] or FUELS[0], st.session_state["radius"] or RADIUS_KM
    fuel = FUEL_NAMES[fuel_id]
    with open_reading() as connection:
        nearby = list_nearby_prices(
            connection,
            figures.get(fuel_id),
            fuel_id,
            latitude=place.latitude,
            longitude=place.longitude,
            radius_km=radius_km,
            zip_prefixes=place.zip_prefixes,
        )
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
        shown = st.session_state.setdefault("rows_shown", ROWS_AT_FIRST)
        show_price_table(nearby.rows[:shown], fuel, age_from)
        if len(nearby.rows) > shown:
            st.button(_("Show more stations"), key="show_more", on_click=show_more_rows, icon=":material/expand_more:")
    with chart:
        reach_km = radius_km if not place.zip_prefixes else measure_reach_km(nearby, place)
        follow_station_links(show_price_map(nearby.rows, place.latitude, place.longitude, reach_km))


def show_more_rows() -> None:
    st.session_state["rows_shown"] = st.session_state.get("rows_shown", ROWS_AT_FIRST) + ROWS_MORE


def measure_reach_km(nearby: NearbyPrices, place: Place) -> float:
    return max(compute_distance_km(place.latitude, place.longitude, row.latitude, row.longitude) for row in nearby.rows)


def summarize(nearby: NearbyPrices) -> str:
    count = len(nearby.rows)
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


def widen() -> None:
    st.session_state["radius"] = RADII_KM[-1]


def show_account_offer() -> None:
    with st.container(border=True):
        st.markdown(_("Keep your stations, see the cheapest first, and what that saves in a year."))
        with st.container(horizontal=True):
            st.page_link(PAGES / "register.py", label=_("Open an account"), icon=":material/person_add:")
            st.page_link(PAGES / "login.py", label=_("Log in"), icon=":material/login:")


def show_national(figures: dict[int, NationalFigure]) -> None:
    st.subheader(_("In the whole country"), anchor=False)
    if not figures:
        st.info(_("No fresh price is known yet."))
        return
    with st.grid(3, min_column_width=150, gap="small") as grid:
        for fuel_id in FUELS:
            if (figure := figures.get(fuel_id)) is None:
                continue
            with grid.cell(), st.container(border=True, height="stretch", gap="xsmall"):
                st.metric(_("{fuel}, median").format(fuel=FUEL_NAMES[fuel_id]), format_price(figure.median_milli_eur))
                st.caption(
                    _("lowest {price}  \n{stations}").format(
                        price=format_price(figure.lowest_milli_eur),
                        stations=ngettext("{count} station", "{count} stations", figure.station_count).format(
                            count=format_count(figure.station_count)
                        ),
                    )
                )


main()
