"""The stations that a driver keeps: adding, renaming, removing with undo, sorting, and the section that shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st

from errors import (
    AlreadyFavourite,
    CarburoamError,
    FavouriteError,
    FavouriteNameRefused,
    FavouritesFull,
    FavouriteUnknown,
    NotSaved,
    StationUnknown,
)
from models import make_town_key
from prices.nearby import PriceRow
from stations.details import StationDetails
from stations.favourites import MAX_FAVOURITES, MAX_NAME_LENGTH, Favourite, offer_name
from ui.access import PAGES, go_to
from ui.authentication import get_driver
from ui.formats import escape, format_age, format_price
from ui.price_table import name_station
from ui.reading import open_reading, saving
from ui.saving import word_not_saved
from ui.station_list import MAX_TRIED, StationList, get_station_list, keep_tried_stations, show_list_note
from ui.texts import _, ngettext

SHOWN_KEY = "show"  # the station that is open in a dialog, in the address


def read_favourites() -> tuple[StationList, tuple[Favourite, ...]]:
    """Return the list of who is here and what is in it."""
    stations = get_station_list(get_driver())
    with open_reading() as connection:
        return stations, stations.read(connection)


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
            st.text_input(
                _("Your name for it"),
                value=offer_name(station.address, station.town),
                max_chars=MAX_NAME_LENGTH,
                key=key,
            )
            st.form_submit_button(
                _("Add to my stations"),
                type="primary",
                icon=":material/star:",
                on_click=_add,
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
            st.button(_("Sort by name"), key="sort_by_name", on_click=_sort_by, args=(favourites, {}))
            towns = {id_: make_town_key(row.town) for id_, row in rows.items()}
            st.button(_("Sort by town"), key="sort_by_town", on_click=_sort_by, args=(favourites, towns))
        st.page_link(PAGES / "dashboard.py", label=_("See their prices"), icon=":material/star:")
    for favourite in favourites:
        if favourite.station_id == chosen:
            _show_own_station(favourite, favourites, rows.get(favourite.station_id), age_from)
    if not stations.is_lasting:
        _show_way_to_keep(len(favourites))


def open_station(station_id: int) -> None:
    """Let the page open a station in a dialog; it stands in the address, so that the browser's Back closes it."""
    st.query_params[SHOWN_KEY] = str(station_id)


def close_station() -> None:
    """Let no station be open in a dialog."""
    st.query_params.pop(SHOWN_KEY, None)


def word_favourite_error(error: CarburoamError) -> str:
    """Return the sentence that tells a person which rule of the list was broken."""
    match error:
        case AlreadyFavourite():
            return _("This station is already in your list.")
        case FavouriteUnknown():
            return _("This station is no longer in your list; it was removed in another window.")
        case FavouriteNameRefused():
            return _("Please give a name of at most {count} characters.").format(count=MAX_NAME_LENGTH)
        case FavouritesFull() if get_driver() is None:
            return _("Without an account {count} stations can be tried. Remove one first, or open an account.").format(
                count=MAX_TRIED
            )
        case FavouritesFull():
            return _("Your list is full: {count} stations. Remove one first.").format(count=MAX_FAVOURITES)
        case NotSaved():
            return word_not_saved()
        case StationUnknown():
            return _("This station is not in the national feed, or no longer.")
        case _other:
            return _("This did not work. Please try again.")


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
                    on_click=_move,
                    args=(favourite.station_id, step),
                )
        _show_edit_form(favourite, "own")


def _show_edit_form(favourite: Favourite, where: str) -> None:
    key = f"{where}_rename_{favourite.station_id}"
    with st.form(f"{where}_edit", border=False):
        st.text_input(_("Your name for it"), value=favourite.custom_name, max_chars=MAX_NAME_LENGTH, key=key)
        with st.container(horizontal=True, gap="small"):
            st.form_submit_button(
                _("Rename"), icon=":material/edit:", on_click=_rename, args=(favourite.station_id, key, where)
            )
            st.form_submit_button(
                _("Remove"), icon=":material/delete:", on_click=_remove, args=(favourite.station_id, where)
            )


def _show_note(stations: StationList) -> None:
    """Draw what the last change did, and the way back from a removal, until the next change."""
    show_list_note()
    removed = st.session_state.get("removed_station")
    if removed is None or removed[0] != _get_owner():
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(_("{name} was removed.").format(name=f"**{escape(removed[2])}**"))
        st.button(_("Undo"), key="undo", icon=":material/undo:", on_click=_undo)


def _show_way_to_keep(count: int) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            ngettext(
                "{count} station, kept in this window and its address only.",
                "{count} stations, kept in this window and its address only.",
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


def _add(station_id: int, key: str, where: str) -> None:
    try:
        with saving():
            get_station_list(get_driver()).add(station_id, st.session_state[key])
    except (FavouriteError, NotSaved, StationUnknown) as error:
        _say_what_is_wrong(where, error)
        return
    _note(_("The station is in your list."))


def _rename(station_id: int, key: str, where: str) -> None:
    try:
        with saving():
            get_station_list(get_driver()).rename(station_id, st.session_state[key])
    except (FavouriteError, NotSaved) as error:
        _say_what_is_wrong(where, error)
        return
    _note(_("The new name is saved."))
    del st.session_state[key]


def _remove(station_id: int, where: str) -> None:
    try:
        with saving():
            removed = get_station_list(get_driver()).remove(station_id)
    except (FavouriteError, NotSaved) as error:
        _say_what_is_wrong(where, error)
        return
    _note(None)
    # Whose it was: another driver may log in to this window before it is undone.
    st.session_state["removed_station"] = (_get_owner(), removed.station_id, removed.custom_name, removed.position)


def _undo() -> None:
    removed = st.session_state.pop("removed_station", None)
    if removed is None or removed[0] != _get_owner():
        return
    try:
        with saving():
            get_station_list(get_driver()).restore(Favourite(*removed[1:]))
    except (FavouriteError, NotSaved, StationUnknown) as error:
        _say_in_section(error)
        if isinstance(error, NotSaved):
            st.session_state["removed_station"] = removed
        return
    _note(_("The station is in your list."))


def _move(station_id: int, step: int) -> None:
    try:
        with saving():
            stations, favourites = read_favourites()
            ids = [favourite.station_id for favourite in favourites]
            if station_id not in ids:
                raise FavouriteUnknown(str(station_id))
            place = ids.index(station_id)
            ids.insert(max(0, place + step), ids.pop(place))
            stations.sort(ids)
    except (FavouriteUnknown, NotSaved) as error:
        _say_in_section(error)
        return
    _note(None)


def _sort_by(favourites: Sequence[Favourite], towns: Mapping[int, str]) -> None:
    """Sort by the towns, those without one last, and by name."""
    ranked = sorted(
        favourites,
        key=lambda one: (towns.get(one.station_id, "\uffff") if towns else "", make_town_key(one.custom_name)),
    )
    try:
        with saving():
            get_station_list(get_driver()).sort([favourite.station_id for favourite in ranked])
    except NotSaved as error:
        _say_in_section(error)
        return
    _note(None)


def _note(text: str | None) -> None:
    """Remember what a change did, for the section; the page is to be drawn again, and a dialog closed."""
    st.session_state.pop("removed_station", None)
    st.session_state["list_note"] = None if text is None else ("success", text)
    close_station()


def _say_what_is_wrong(where: str, error: CarburoamError) -> None:
    """Let the form say it, or the section of one's own where it has none."""
    if where == "own":
        _say_in_section(error)
        return
    st.session_state[f"{where}_error"] = word_favourite_error(error)


def _say_in_section(error: CarburoamError) -> None:
    st.session_state["list_note"] = ("error", word_favourite_error(error))


def _get_owner() -> int | None:
    driver = get_driver()
    return None if driver is None else driver.id
