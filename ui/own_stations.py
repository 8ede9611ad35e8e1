"""The section that shows the stations that are kept, and the forms to add, rename and remove one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st

from models import make_town_key
from prices.nearby import PriceRow
from stations.details import StationDetails
from stations.favourites import Favourite, offer_name
from ui.access import PAGES, go_to
from ui.favourite_changes import (
    add_station,
    get_owner,
    move_station,
    open_station,
    remove_station,
    rename_station,
    sort_stations,
    undo_removal,
)
from ui.formats import escape, format_age, format_price
from ui.kept_fields import show_kept
from ui.price_table import name_station
from ui.station_list import StationList, keep_tried_stations, show_list_note
from ui.texts import _, ngettext


def show_add_form(station: StationDetails, favourites: Sequence[Favourite], where: str) -> None:
    """Draw the way into the list for a station, or its name if it is in it; `where` tells two forms apart."""
    favourite = next((one for one in favourites if one.station_id == station.id), None)
    if favourite is not None:
        said = _("In your list as {name}.").format(name=f"**{escape(favourite.custom_name)}**")
        st.markdown(f":material/star: {said}")
        _show_edit_form(favourite, where)
    elif station.left_feed_at is None:
        key = f"{where}_name_{station.id}"
        with st.form(f"{where}_add", border=True):
            st.text_input(_("Your name for it"), value=offer_name(station.address, station.town), key=key)
            st.form_submit_button(
                _("Add to my stations"),
                type="primary",
                icon=":material/star:",
                on_click=add_station,
                args=(station.id, key, where),
            )
    if error := st.session_state.pop(f"{where}_error", None):
        st.error(error, icon=":material/error:")


def show_own_stations(
    stations: StationList, favourites: Sequence[Favourite], rows: Mapping[int, PriceRow], age_from: datetime
) -> None:
    """Draw the section of the stations that are kept; `rows` are those of them that are in the feed."""
    st.subheader(
        _("My stations ({count} of {limit})").format(count=len(favourites), limit=stations.limit), anchor=False
    )
    _show_note(stations)
    if not favourites:
        st.markdown(_("Search for a place, click on a station on the map or in the list, and add it. It appears here."))
        return
    labels = _make_labels(favourites)
    if st.session_state.get("own_station") not in labels:  # removed, here or elsewhere
        st.session_state.pop("own_station", None)
    chosen = st.pills(
        _("Choose one to rename, move or remove it"),
        list(labels),
        format_func=labels.__getitem__,
        key="own_station",
        wrap=True,
    )
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if len(favourites) > 1:
            st.button(_("Sort by name"), key="sort_by_name", on_click=sort_stations, args=(favourites, {}))
            towns = {id_: make_town_key(row.town) for id_, row in rows.items()}
            st.button(_("Sort by town"), key="sort_by_town", on_click=sort_stations, args=(favourites, towns))
        st.page_link(PAGES / "dashboard.py", label=_("See their prices"), icon=":material/star:")
    for favourite in favourites:
        if favourite.station_id == chosen:
            _show_own_station(favourite, favourites, rows.get(favourite.station_id), age_from)
    if not stations.is_lasting:
        _show_way_to_keep(len(favourites))


def _show_own_station(
    favourite: Favourite, favourites: Sequence[Favourite], row: PriceRow | None, age_from: datetime
) -> None:
    with st.container(border=True):
        if row is None:
            facts = [_("no longer in the national feed")]
        else:
            facts = [escape(name_station(row.address, row.town)), escape(row.town)]
            if row.price_milli_eur is not None:
                facts.append(format_price(row.price_milli_eur))
            if row.updated_at is not None:
                facts.append(format_age(row.updated_at, age_from))
        st.markdown(f"**{escape(favourite.custom_name)}**  \n:small[{' · '.join(facts)}]")
        place = favourites.index(favourite)
        with st.container(horizontal=True, gap="small"):
            st.button(
                _("Show"),
                key="own_show",
                icon=":material/ev_station:",
                on_click=open_station,
                args=(favourite.station_id,),
            )
            for step, key, icon, label in (
                (-1, "own_up", ":material/arrow_upward:", _("Move up")),
                (1, "own_down", ":material/arrow_downward:", _("Move down")),
            ):
                st.button(
                    label,
                    key=key,
                    icon=icon,
                    disabled=not 0 <= place + step < len(favourites),
                    on_click=move_station,
                    args=(favourite.station_id, step),
                )
        _show_edit_form(favourite, "own")


def _show_edit_form(favourite: Favourite, where: str) -> None:
    key = f"{where}_rename_{favourite.station_id}"
    # Not by `value`: a browser that has the field already would go on showing what was typed, which a rule may change.
    show_kept(key, favourite.custom_name)
    with st.form(f"{where}_edit", border=False):
        st.text_input(_("Your name for it"), key=key)
        with st.container(horizontal=True, gap="small"):
            st.form_submit_button(
                _("Rename"), icon=":material/edit:", on_click=rename_station, args=(favourite.station_id, key, where)
            )
            st.form_submit_button(
                _("Remove"), icon=":material/delete:", on_click=remove_station, args=(favourite.station_id, where)
            )


def _show_note(stations: StationList) -> None:
    """Draw what the last change did, and the way back from a removal, until the next change."""
    show_list_note(stations)
    removed = st.session_state.get("removed_station")
    if removed is None or removed[0] != get_owner():
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(_("{name} was removed.").format(name=f"**{escape(removed[2])}**"))
        st.button(_("Undo"), key="undo", icon=":material/undo:", on_click=undo_removal)


def _show_way_to_keep(count: int) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            ngettext(
                "{count} station, kept in this window and its address only. "
                "A name you give it is in this window alone.",
                "{count} stations, kept in this window and its address only. "
                "Names you give them are in this window alone.",
                count,
            ).format(count=count)
        )
        if st.button(_("Keep these"), key="keep_these", icon=":material/person_add:"):
            keep_tried_stations()
            go_to("register", {})


def _make_labels(favourites: Sequence[Favourite]) -> dict[int, str]:
    """Return what the stations are called in the choice, which can't tell two of the same name apart."""
    labels: dict[int, str] = {}
    for favourite in favourites:
        label, number = escape(favourite.custom_name), 1
        while label in labels.values():
            number += 1
            label = f"{escape(favourite.custom_name)} ({number})"
        labels[favourite.station_id] = label
    return labels
