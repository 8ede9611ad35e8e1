"""Asking for a place: a box for a town or postcode, "near me", examples, and the choice among places of one name."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from models import FUEL_NAMES
from stations.departments import DEPARTMENTS
from stations.places import MAX_QUERY_LENGTH, Place, parse_point
from ui.callback_marks import view_only
from ui.formats import escape
from ui.near_me import Position, show_near_me, word_refusal
from ui.reading import open_reading
from ui.station_search import find_asked_places
from ui.texts import _

FUELS = tuple(FUEL_NAMES)
RADII_KM = (2, 5, 10, 20, 50)
RADIUS_KM = 10
EXAMPLES = ("Paris", "Lyon", "Marseille", "Toulouse", "Nantes", "Strasbourg")
SEARCH = ("q", "at", "in", "fuel", "radius")  # what the address of a search is made of


def show_place_box(label: str, placeholder: str) -> None:
    """Draw the box for a text and the button that asks the browser where the visitor is."""
    text, position = st.columns([4, 1], vertical_alignment="bottom")
    with text:
        st.text_input(
            label,
            key="q",
            type="search",
            placeholder=placeholder,
            max_chars=MAX_QUERY_LENGTH,
            bind="query-params",
            on_change=forget_place,
        )
    with position:
        show_near_me(on_position=_take_position)


def show_fuel_choice(*, is_disabled: bool = False) -> None:
    """Draw the choice of a fuel."""
    st.pills(
        _("Fuel"),
        FUELS,
        default=FUELS[0],
        required=True,
        format_func=FUEL_NAMES.__getitem__,
        key="fuel",
        bind="query-params",
        wrap=True,
        disabled=is_disabled,
    )


def show_radius_choice() -> None:
    """Draw the choice of how far around a place to look."""
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


def get_fuel() -> int:
    """Return the fuel that is chosen; an address that says `fuel=` and no more leaves none chosen."""
    return int(st.session_state["fuel"] or FUELS[0])


def get_radius_km() -> int:
    """Return the radius that is chosen."""
    return int(st.session_state["radius"] or RADIUS_KM)


def restore_place() -> None:
    """Take up the place of before, which the navigation drops from the address, as long as the text is the same."""
    before = st.session_state.get("search", {})
    if before.get("q", "") == st.session_state["q"] and not {"at", "in"} & set(st.query_params):
        for name in ("at", "in"):
            if name in before:
                st.query_params[name] = before[name]
    st.session_state["search"] = {name: st.query_params[name] for name in SEARCH if name in st.query_params}


@view_only
def forget_place() -> None:
    """A new text takes the place of the town chosen for the former one, and of "near me"."""
    for name in ("at", "in"):
        st.query_params.pop(name, None)
    for name in ("refusal", "rows_shown", "choose_rows", "search"):
        st.session_state.pop(name, None)


def choose_place(edition: str) -> Place | None:
    """Return the place that is asked for; None, with a sentence on the page, when it is not clear which.

    `edition` is that of the Freshness that the page shows.
    """
    show_refusal()
    if "at" in st.query_params:
        return read_position()
    query = get_query()
    if not query:
        show_examples()
        return None
    with open_reading() as connection:
        places = pick_asked_places(find_asked_places(connection, edition, query))
    if not places:
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
    if len(places) == 1:
        return places[0]
    offer_places(places)
    return None


def show_refusal() -> None:
    """Say why "near me" gave no place, if it was asked for."""
    if refusal := st.session_state.get("refusal"):
        st.warning(word_refusal(refusal), icon=":material/location_off:")


def read_position() -> Place | None:
    """Return the point that the address names; None, with a sentence on the page, when that is none."""
    point = parse_point(st.query_params["at"])
    if point is not None:
        return Place(_("your position"), "", *point, station_count=0)
    st.warning(_("The place in this link can't be read. Search for a town or a postcode instead."))
    return None


def get_query() -> str:
    """Return the text that is asked for, as much of it as the box takes; "" for none."""
    return str(st.session_state["q"])[:MAX_QUERY_LENGTH].strip()


def pick_asked_places(places: Sequence[Place]) -> list[Place]:
    """Return the one place in the department that was chosen, if there is one, or all."""
    asked = [place for place in places if place.department == st.query_params.get("in")]
    return asked or list(places)


def show_examples() -> None:
    """Draw towns to begin with."""
    st.caption(_("Search for a town, or try one of these:"))
    with st.container(horizontal=True, gap="small"):
        for town in EXAMPLES:
            st.button(town, key=f"example_{town}", on_click=_take_town, args=(town, ""))


def offer_places(places: list[Place]) -> None:
    """Ask which of several places is meant."""
    st.markdown(_("Several places are called that. Which one do you mean?"))
    with st.container(horizontal=True, gap="small"):
        for place in places:
            st.button(
                escape(name_place(place)),
                key=f"place_{place.name}_{place.department}",
                on_click=_take_town,
                args=(place.name, place.department),
            )


def name_place(place: Place) -> str:
    """Return what a place is called, with its department where that says more."""
    department = DEPARTMENTS.get(place.department)
    return f"{place.name} ({department})" if department and department not in place.name else place.name


@view_only
def _take_position(position: Position) -> None:
    forget_place()
    if position.point is None:
        st.session_state["refusal"] = position.refusal
    else:
        st.session_state["q"] = ""
        st.query_params["at"] = f"{position.point[0]},{position.point[1]}"


@view_only
def _take_town(name: str, department: str) -> None:
    forget_place()
    st.session_state["q"] = name
    if department:
        st.query_params["in"] = department
