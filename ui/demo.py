"""What a visitor without an account has in place of a profile: fuels and a vehicle of the session, and "keep these"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product

import streamlit as st

from accounts.profile import FIGURES, round_figure
from accounts.registration import DEFAULT_FUELS
from errors import FavouriteError, PlaceUnknown
from models import FUEL_NAMES, sort_fuels
from prices.nearby import list_nearby_prices
from prices.savings import Vehicle
from stations.favourites import Favourite
from stations.places import find_places
from ui.access import go_to
from ui.account_forms import show_field_error, word_range
from ui.callback_marks import view_only
from ui.callbacks import guarded
from ui.formats import escape
from ui.freshness import count_ages_from, get_shown_freshness, read_figures
from ui.reading import open_reading
from ui.station_list import MAX_TRIED, StationList, keep_tried_stations
from ui.texts import _

FUELS_KEY = "fuels"
EXAMPLES = ("Lyon", "Paris", "Marseille", "Toulouse", "Nantes")
EXAMPLE_SIZE = 5
EXAMPLE_RADII_KM = (3.0, 10.0)


def choose_fuels() -> tuple[int, ...]:
    """Draw the choice of the fuels that a visitor follows; it is kept in the address and for the session."""
    # The address says what differs from the default, so the default stays the same; what was chosen before one went
    # to another page, which takes it out of the address, is taken up again.
    kept = st.session_state.get("tried_fuels")
    if kept is not None and FUELS_KEY not in st.session_state and FUELS_KEY not in st.query_params:
        st.session_state[FUELS_KEY] = list(kept)
    chosen = st.pills(
        _("Fuels"),
        list(FUEL_NAMES),
        selection_mode="multi",
        default=sort_fuels(DEFAULT_FUELS),
        format_func=FUEL_NAMES.__getitem__,
        key=FUELS_KEY,
        bind="query-params",
        wrap=True,
    )
    fuels = sort_fuels(chosen)
    st.session_state["tried_fuels"] = fuels
    return fuels


def get_tried_fuels() -> tuple[int, ...]:
    """Return the fuels of this visitor, to begin an account with."""
    return tuple(st.session_state.get("tried_fuels") or sort_fuels(DEFAULT_FUELS))


def get_tried_vehicle() -> Vehicle:
    """Return the vehicle of this visitor, as far as it was told."""
    return Vehicle(**st.session_state.get("tried_vehicle", {}))


def show_tried_vehicle() -> None:
    """Draw the figures of a visitor's vehicle, which take effect at once and stay in the session."""
    told = st.session_state.get("tried_vehicle", {})
    with st.popover(_("Your vehicle"), icon=":material/directions_car:"):
        for name, label, step in (
            ("litres_per_100km", _("Litres per 100 km"), 0.1),
            ("km_per_year", _("Kilometres a year"), 1000),
            ("tank_litres", _("Tank, in litres"), 1),
        ):
            lowest, highest = FIGURES[name]
            with st.container(gap="xxsmall"):
                figure = st.number_input(
                    label,
                    value=told.get(name),
                    step=step,
                    key=f"tried_{name}",
                    placeholder=_("not given"),
                    on_change=_keep_vehicle,
                )
                if figure is not None and not lowest <= figure <= highest:
                    show_field_error(word_range(lowest, highest))


def show_keep_offer(favourites: Sequence[Favourite]) -> None:
    """Draw the way from trying to keeping, beside the names of what is kept then."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        tried = _("You are trying this without an account: your stations are in this tab and its address only.")
        names = ", ".join(escape(favourite.custom_name) for favourite in favourites)
        st.markdown(f"{tried}  \n:small[{names}]")
        if st.button(_("Keep these"), key="keep_these", type="primary", icon=":material/bookmark_added:"):
            keep_tried_stations()
            go_to("register", {})


def show_example_offer(own: StationList) -> None:
    """Draw the button that fills the list with a few stations around a town."""
    st.button(
        _("Try with an example"), key="example", icon=":material/auto_awesome:", on_click=_take_example, args=(own,)
    )


@view_only
def _keep_vehicle() -> None:
    """Keep what was typed, but for a figure that no vehicle has: what was told before stays."""
    told = dict(st.session_state.get("tried_vehicle", {}))
    for name, (lowest, highest) in FIGURES.items():
        figure = st.session_state[f"tried_{name}"]
        if figure is None or lowest <= figure <= highest:
            told[name] = round_figure(name, figure)
    st.session_state["tried_vehicle"] = told


@guarded
def _take_example(own: StationList) -> None:
    fuel_id = get_tried_fuels()[0]
    freshness = get_shown_freshness()
    as_of = count_ages_from(freshness, datetime.now(UTC))
    with open_reading() as connection:
        figure = read_figures(connection, freshness, as_of).get(fuel_id)
        # Around a large town the smallest circle holds enough.
        for town, radius_km in product(EXAMPLES, EXAMPLE_RADII_KM):
            try:
                place = find_places(connection, town)[0]
            except PlaceUnknown:
                continue
            nearby = list_nearby_prices(
                connection,
                figure,
                fuel_id,
                as_of=as_of,
                latitude=place.latitude,
                longitude=place.longitude,
                radius_km=radius_km,
            )
            nearest = sorted(nearby.rows, key=lambda row: (row.rank != "fresh", row.distance_km or 0.0))
            fresh = sum(row.rank == "fresh" for row in nearest)
            if fresh >= EXAMPLE_SIZE or (radius_km == EXAMPLE_RADII_KM[-1] and len(nearest) > 1):
                break
        else:
            return
    for row in nearest[: min(EXAMPLE_SIZE, MAX_TRIED)]:
        try:
            own.add(row.station_id, "")
        except FavouriteError:
            continue
