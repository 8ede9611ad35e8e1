"""What a click does to the stations that are kept: callbacks that change the list, and say how that went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from stations.favourites import MAX_FAVOURITES, MAX_NAME_LENGTH, Favourite
from ui.authentication import get_driver
from ui.callback_marks import view_only
from ui.callbacks import guarded
from ui.reading import open_reading, saving
from ui.saving import word_not_saved
from ui.station_list import MAX_TRIED, StationList, get_station_list
from ui.texts import _

SHOWN_KEY = "show"  # the station that is open in a dialog, in the address


def read_favourites() -> tuple[StationList, tuple[Favourite, ...]]:
    """Return the list of who is here and what is in it."""
    stations = get_station_list(get_driver())
    with open_reading() as connection:
        return stations, stations.read(connection)


@view_only
def open_station(station_id: int) -> None:
    """Let the page open a station in a dialog; it stands in the address, so that the browser's Back closes it."""
    st.query_params[SHOWN_KEY] = str(station_id)


@view_only
def close_station() -> None:
    """Let no station be open in a dialog."""
    st.query_params.pop(SHOWN_KEY, None)


@guarded
def add_station(station_id: int, key: str, where: str) -> None:
    """Keep a station under the name in the field of that key; what is wrong is said in the form at `where`."""
    try:
        with saving():
            get_station_list(get_driver()).add(station_id, st.session_state[key])
    except (FavouriteError, NotSaved, StationUnknown) as error:
        _say_what_is_wrong(where, error)
        return
    _note(_("The station is in your list."))


@guarded
def rename_station(station_id: int, key: str, where: str) -> None:
    """Call a favourite what stands in the field of that key."""
    try:
        with saving():
            get_station_list(get_driver()).rename(station_id, st.session_state[key])
    except (FavouriteError, NotSaved) as error:
        _say_what_is_wrong(where, error)
        return
    _note(_("The new name is saved."))
    del st.session_state[key]


@guarded
def remove_station(station_id: int, where: str) -> None:
    """Keep a station no longer, and offer the way back."""
    try:
        with saving():
            removed = get_station_list(get_driver()).remove(station_id)
    except (FavouriteError, NotSaved) as error:
        _say_what_is_wrong(where, error)
        return
    _note(None)
    # Whose it was: another driver may log in to this window before it is undone.
    st.session_state["removed_station"] = (get_owner(), removed.station_id, removed.custom_name, removed.position)


@guarded
def undo_removal() -> None:
    """Keep again what was removed last, at its place of before."""
    removed = st.session_state.pop("removed_station", None)
    if removed is None or removed[0] != get_owner():
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


@guarded
def move_station(station_id: int, step: int) -> None:
    """Move a favourite by so many places."""
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


@guarded
def sort_stations(favourites: Sequence[Favourite], towns: Mapping[int, str]) -> None:
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


def get_owner() -> int | None:
    """Return whose the list of this window is; None: a visitor's."""
    driver = get_driver()
    return None if driver is None else driver.id


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
    st.session_state[f"{where}_error"] = _word_error(error)


def _say_in_section(error: CarburoamError) -> None:
    st.session_state["list_note"] = ("error", _word_error(error))


def _word_error(error: CarburoamError) -> str:
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
