"""What a search of stations can ask besides a place: fuel, radius, road, opening hours, services."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import streamlit as st

from stations.filters import Roads, StationFilters
from ui.place_search import get_fuel, show_fuel_choice, show_radius_choice
from ui.service_names import name_service
from ui.station_search import Facts, find_slot
from ui.texts import _

ADDRESS_KEY = "with"  # the ids of the services in the address: their names there would be of one language
ADDRESS_KEYS = ("open", "automat", "stock", "roads", "motorways", ADDRESS_KEY, "brand")


class Choice(NamedTuple):
    """What was chosen; `fuel_id` None: all fuels."""

    fuel_id: int | None
    filters: StationFilters


def show_filters(facts: Facts, now: datetime) -> Choice:
    """Draw the filters and return what they ask for."""
    fuels = st.container(horizontal=True, gap="medium")
    all_fuels = st.checkbox(_("All fuels"), key="all_fuels", bind="query-params")
    with fuels:
        show_fuel_choice(is_disabled=all_fuels)
        show_radius_choice()
    # Open where the address asks for one of them, and then as the visitor left it.
    is_asked = st.session_state.setdefault("are_filters_asked", not st.query_params.keys().isdisjoint(ADDRESS_KEYS))
    with st.expander(_("More filters"), expanded=is_asked, key="filters", icon=":material/tune:"):
        filters = _choose_filters(facts, now)
    return Choice(None if all_fuels else get_fuel(), filters)


def _choose_filters(facts: Facts, now: datetime) -> StationFilters:
    with st.container(horizontal=True, gap="medium"):
        is_open = st.checkbox(
            _("Open now"),
            key="open",
            bind="query-params",
            help=_("By its hours, or by a card automat that sells day and night. Not those whose hours are not known."),
        )
        has_automat = st.checkbox(_("Card automat day and night"), key="automat", bind="query-params")
        in_stock = st.checkbox(_("In stock"), key="stock", bind="query-params")
        with st.container(horizontal=True, gap="medium", width="content"):  # on one line, whatever wraps
            on_roads = st.checkbox(_("On roads"), value=True, key="roads", bind="query-params")
            on_motorways = st.checkbox(_("On motorways"), value=True, key="motorways", bind="query-params")
    with st.container(horizontal=True, gap="medium"):
        services = _choose_services(facts.services)
        brands = _choose_brands(facts.brands)
    return StationFilters(
        roads=_read_roads(on_roads, on_motorways),
        open_at=find_slot(now) if is_open else None,
        has_automat=has_automat,
        services=services,
        in_stock=in_stock,
        brands=brands,
    )


def _read_roads(on_roads: bool, on_motorways: bool) -> Roads:
    if on_roads == on_motorways:  # neither: nobody wants no station at all
        return "all"
    return "road" if on_roads else "motorway"


def _choose_services(services: Mapping[int, str]) -> tuple[int, ...]:
    if "services" not in st.session_state:
        asked = st.query_params.get(ADDRESS_KEY, "")[:200].split(",")
        st.session_state["services"] = [id_ for id_ in services if str(id_) in asked]
    chosen = st.multiselect(
        _("Services"),
        sorted(services, key=lambda id_: name_service(services[id_]).casefold()),
        format_func=lambda id_: name_service(services[id_]),
        key="services",
        placeholder=_("Any"),
        persist_state="session",
    )
    if chosen:
        st.query_params[ADDRESS_KEY] = ",".join(map(str, sorted(chosen)))
    else:
        st.query_params.pop(ADDRESS_KEY, None)
    return tuple(sorted(chosen))


def _choose_brands(brands: Mapping[str, str]) -> tuple[str, ...]:
    if not brands:  # nobody loaded any
        return ()
    chosen = st.multiselect(
        _("Brands"),
        list(brands),
        format_func=brands.__getitem__,
        key="brand",
        bind="query-params",
        max_selections=10,
        placeholder=_("Any"),
    )
    return tuple(sorted(chosen))
