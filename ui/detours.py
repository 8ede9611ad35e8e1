"""Worth the detour? What a fill-up at each of the own stations gains against the nearest one, from where one starts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from errors import PlaceUnknown
from models import FUEL_NAMES
from prices.dashboard import FuelBlock
from prices.savings import ROAD_FACTOR, Detour, Vehicle, compare_detours
from stations.geography import Point
from stations.places import MAX_QUERY_LENGTH, find_places, parse_point
from ui.account_forms import show_field_error, word_range
from ui.callback_marks import view_only
from ui.formats import escape, format_distance, format_euros, format_number, format_price
from ui.near_me import Position, show_near_me, word_refusal
from ui.place_search import name_place
from ui.price_table import write_age, write_station_link
from ui.reading import open_reading
from ui.tables import show_table
from ui.texts import _, ngettext

LITRES = (5, 2000)
POINT_KEY = "near"  # a start that the browser told, in the address


def show_detours(blocks: Sequence[FuelBlock], vehicle: Vehicle, age_from: datetime) -> None:
    """Draw the choice of fuel, fill-up and start, and what each station gains; all of it is kept in the address."""
    by_fuel = {block.fuel_id: block for block in blocks if block.comparable}
    if not by_fuel:
        return
    st.subheader(_("Worth the detour?"), anchor=False)
    fuel_id, litres = _choose(list(by_fuel), vehicle)
    start = _find_start()
    if start is None:
        return
    name, point = start
    located = [row for row in by_fuel[fuel_id].comparable if row.point is not None]
    if not located:
        st.info(_("The location of these stations is doubtful, so their distance isn't known."), icon=":material/help:")
        return
    detours = compare_detours(by_fuel[fuel_id], vehicle, litres, point)
    if not detours:
        st.info(
            _("From {place}, the way to your stations and back would burn the whole fill-up.").format(place=name),
            icon=":material/public:",
        )
        return
    _show_table(detours, age_from)
    notes = [_("From {place}: gain of a fill-up of {litres} L against the nearest station, less the fuel for the way.")]
    if too_far := len(located) - len(detours):
        notes.append(
            ngettext(
                "{count} station is so far away that the way would burn the whole fill-up.",
                "{count} stations are so far away that the way would burn the whole fill-up.",
                too_far,
            ).format(count=too_far)
        )
    if doubtful := len(by_fuel[fuel_id].comparable) - len(located):
        notes.append(
            ngettext(
                "{count} station is left out because its location is doubtful.",
                "{count} stations are left out because their location is doubtful.",
                doubtful,
            ).format(count=doubtful)
        )
    notes.append(_("Assumed: distances as the crow flies × {factor}, {consumption} L/100 km, there and back."))
    st.caption(
        " ".join(notes).format(
            place=name,
            litres=format_number(litres),
            factor=format_number(ROAD_FACTOR),
            consumption=format_number(vehicle.consumption),
        )
    )


def _choose(fuel_ids: list[int], vehicle: Vehicle) -> tuple[int, float]:
    """Draw fuel, litres and start; return the fuel and the litres."""
    with st.container(border=True):
        with st.container(horizontal=True, gap="medium", vertical_alignment="top"):
            chosen = st.pills(
                _("Fuel of the fill-up"),
                fuel_ids,
                default=fuel_ids[0],
                required=True,
                format_func=FUEL_NAMES.__getitem__,
                key="detour",
                bind="query-params",
                wrap=True,
            )
            with st.container(gap="xxsmall", width=160):
                litres: float | None = st.number_input(
                    _("Fill-up, in litres"),
                    value=vehicle.fill_up_litres,
                    step=5,
                    key="litres",
                    bind="query-params",
                )
                if litres is not None and not LITRES[0] <= litres <= LITRES[1]:
                    show_field_error(word_range(*LITRES))
                    litres = None
        text, position = st.columns([4, 1], vertical_alignment="bottom")
        with text:
            st.text_input(
                _("Start: town or postcode"),
                key="start",
                type="search",
                placeholder=_("Town, postcode or its first digits"),
                max_chars=MAX_QUERY_LENGTH,
                bind="query-params",
                on_change=_forget_point,
            )
        with position:
            show_near_me(on_position=_take_position)
    return chosen or fuel_ids[0], litres or vehicle.fill_up_litres


def _find_start() -> tuple[str, Point] | None:
    """Return the start, its name ready for Markdown; None, with a sentence on the page, when it is not known."""
    if refusal := st.session_state.get("start_refusal"):
        st.warning(word_refusal(refusal), icon=":material/location_off:")
        return None
    if POINT_KEY in st.query_params:
        point = parse_point(st.query_params[POINT_KEY])
        if point is not None:
            return _("your position"), Point(*point)
        st.warning(_("The place in this link can't be read. Search for a town or a postcode instead."))
        return None
    query = st.session_state["start"][:MAX_QUERY_LENGTH].strip()
    if not query:
        st.caption(_("Say where you start: press “Near me”, or type a town."))
        return None
    try:
        with open_reading() as connection:
            places = find_places(connection, query)
    except PlaceUnknown:
        st.info(
            _("We know no place to start from called “{query}”. Try a postcode or a larger town nearby.").format(
                query=escape(query)
            ),
            icon=":material/search_off:",
        )
        return None
    if len(places) > 1:
        st.caption(_("Several places are called that; this is the largest. A postcode tells them apart."))
    return escape(name_place(places[0])), Point(places[0].latitude, places[0].longitude)


@view_only
def _forget_point() -> None:
    st.query_params.pop(POINT_KEY, None)
    st.session_state.pop("start_refusal", None)


@view_only
def _take_position(position: Position) -> None:
    _forget_point()
    if position.point is None:
        st.session_state["start_refusal"] = position.refusal
    else:
        st.session_state["start"] = ""
        st.query_params[POINT_KEY] = f"{position.point[0]},{position.point[1]}"


def _show_table(detours: Sequence[Detour], age_from: datetime) -> None:
    show_table(
        {
            _("Gain"): [_write_gain(detour) for detour in detours],
            _("Station"): [_write_station(detour, age_from) for detour in detours],
            _("Pays up to"): [
                "–" if detour.pays_up_to_km is None else format_distance(detour.pays_up_to_km) for detour in detours
            ],
        },
        _("What a fill-up gains at each of your stations, the most first"),
    )


def _write_gain(detour: Detour) -> str:
    if detour.is_nearest:
        nearest = _("nearest")
        return f":gray[{nearest}]"
    cents = round(detour.gain_eur * 100)
    color = "green" if cents > 0 else "orange" if cents < 0 else "gray"
    sign = "+" if cents > 0 else ""
    return f":{color}[**{sign}{format_euros(cents / 100, has_cents=True)}**]"


def _write_station(detour: Detour, age_from: datetime) -> str:
    row = detour.row
    facts = [format_distance(detour.distance_km), format_price(row.price_milli_eur or 0)]
    if row.updated_at is not None:
        facts.append(write_age(row.updated_at, age_from))
    lines = [write_station_link(row), f":small[{' · '.join(facts)}]"]
    if row.is_closed:
        closed = _("closed now")
        lines.append(f":orange-badge[{closed}]")
    return "  \n".join(lines)
