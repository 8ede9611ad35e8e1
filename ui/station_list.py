"""The stations that are kept: a driver's in the database, a visitor's in the session and in the address.

Pages see one kind of list and never ask whose it is, so that what can be tried without an account is the real thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import streamlit as st
from sqlalchemy import Connection

from accounts.sessions import Driver
from errors import AlreadyFavourite, FavouritesFull, FavouriteUnknown, StationUnknown
from stations.details import get_station
from stations.favourites import (
    MAX_FAVOURITES,
    Favourite,
    add_favourite,
    list_favourites,
    make_favourites,
    offer_name,
    read_custom_name,
    remove_favourite,
    rename_favourite,
    restore_favourite,
    sort_favourites,
)
from ui.reading import begin_change, open_reading
from ui.texts import _, ngettext

MAX_TRIED = 10  # stations that a visitor may choose without an account
MAX_ADDRESS_LENGTH = 2000  # letters of the ids in an address that are read
ADDRESS_KEY = "keep"  # the ids of a visitor's stations in the address of a page
ASKED_KEY = "asked_to_keep"  # the driver who is asked whether to keep the stations of before the log-in


class StationList(Protocol):
    """A list of favourites, whoever keeps it; each change is saved at once and raises our errors."""

    is_lasting: bool
    limit: int

    def read(self, connection: Connection) -> tuple[Favourite, ...]:
        """Return the favourites in their order."""

    def add(self, station_id: int, custom_name: str) -> None:
        """Keep a station. Raises StationUnknown, AlreadyFavourite, FavouritesFull, FavouriteNameRefused."""

    def rename(self, station_id: int, custom_name: str) -> None:
        """Call a favourite otherwise. Raises FavouriteUnknown, FavouriteNameRefused."""

    def remove(self, station_id: int) -> Favourite:
        """Keep a station no longer. Raises FavouriteUnknown."""

    def restore(self, favourite: Favourite) -> None:
        """Undo a removal. Raises StationUnknown, AlreadyFavourite, FavouritesFull."""

    def sort(self, station_ids: Sequence[int]) -> None:
        """Put the favourites into that order."""


class DriverStations:
    """The favourites of a driver who is logged in."""

    is_lasting = True
    limit = MAX_FAVOURITES

    def __init__(self, driver_id: int) -> None:
        self._driver_id = driver_id

    def read(self, connection: Connection) -> tuple[Favourite, ...]:
        return list_favourites(connection, self._driver_id)

    def add(self, station_id: int, custom_name: str) -> None:
        with begin_change() as connection:
            add_favourite(connection, self._driver_id, station_id, custom_name, datetime.now(UTC))

    def rename(self, station_id: int, custom_name: str) -> None:
        with begin_change() as connection:
            rename_favourite(connection, self._driver_id, station_id, custom_name)

    def remove(self, station_id: int) -> Favourite:
        with begin_change() as connection:
            return remove_favourite(connection, self._driver_id, station_id)

    def restore(self, favourite: Favourite) -> None:
        with begin_change() as connection:
            restore_favourite(connection, self._driver_id, favourite, datetime.now(UTC))

    def sort(self, station_ids: Sequence[int]) -> None:
        with begin_change() as connection:
            sort_favourites(connection, self._driver_id, station_ids)


class VisitorStations:
    """The handful of stations of a visitor: the ids in the address too, the names in the session alone."""

    is_lasting = False
    limit = MAX_TRIED

    def read(self, connection: Connection) -> tuple[Favourite, ...]:
        tried = get_tried()
        known = make_favourites(connection, tried)
        favourites = known[:MAX_TRIED]
        if len(favourites) < len(tried):
            set_tried({favourite.station_id: tried[favourite.station_id] for favourite in favourites})
            notes = [_word_unknown(len(tried) - len(known))] if len(known) < len(tried) else []
            notes += [_word_too_many(len(known))] if len(known) > MAX_TRIED else []
            st.session_state["list_note"] = ("warning", " ".join(notes))
        return favourites

    def add(self, station_id: int, custom_name: str) -> None:
        with open_reading() as connection:
            station = get_station(connection, station_id)
        if station.left_feed_at is not None:
            raise StationUnknown(str(station_id))
        name = read_custom_name(custom_name, offer_name(station.address, station.town))
        tried = get_tried()
        if station_id in tried:
            raise AlreadyFavourite(str(station_id))
        if len(tried) >= MAX_TRIED:
            raise FavouritesFull(str(MAX_TRIED))
        set_tried({**tried, station_id: name})

    def rename(self, station_id: int, custom_name: str) -> None:
        tried = get_tried()
        if station_id not in tried:
            raise FavouriteUnknown(str(station_id))
        set_tried({**tried, station_id: read_custom_name(custom_name, "")})

    def remove(self, station_id: int) -> Favourite:
        tried = get_tried()
        if station_id not in tried:
            raise FavouriteUnknown(str(station_id))
        position = list(tried).index(station_id) + 1
        name = tried.pop(station_id)
        set_tried(tried)
        return Favourite(station_id, name, position)

    def restore(self, favourite: Favourite) -> None:
        tried = get_tried()
        if favourite.station_id in tried:
            raise AlreadyFavourite(str(favourite.station_id))
        if len(tried) >= MAX_TRIED:
            raise FavouritesFull(str(MAX_TRIED))
        entries = list(tried.items())
        entries.insert(favourite.position - 1, (favourite.station_id, favourite.custom_name))
        set_tried(dict(entries))

    def sort(self, station_ids: Sequence[int]) -> None:
        tried = get_tried()
        ranked = [*(id_ for id_ in station_ids if id_ in tried), *(id_ for id_ in tried if id_ not in set(station_ids))]
        set_tried({id_: tried[id_] for id_ in dict.fromkeys(ranked)})


def show_list_note(own: StationList) -> None:
    """Draw what the last change of the list did, or what of an address was left out, until the next change."""
    if (note := st.session_state.get("list_note")) is not None:
        _show_note(*note)
    elif own.is_lasting:
        show_carried_over()


def show_carried_over() -> None:
    """Draw what became of the stations that went over to the account, until another page is shown."""
    carried = st.session_state.get("carried_over")
    # Worded only now: the account may have another language.
    if carried is not None and (note := _word_carried_over(**carried)) is not None:
        _show_note(*note)


def _show_note(kind: str, text: str) -> None:
    show, icon = {
        "error": (st.error, ":material/error:"),
        "warning": (st.warning, ":material/warning:"),
        "success": (st.success, ":material/check:"),
    }[kind]
    show(text, icon=icon)


def get_station_list(driver: Driver | None) -> StationList:
    """Return the list of who is here."""
    return VisitorStations() if driver is None else DriverStations(driver.id)


def show_tried_in_address() -> None:
    """Let the address of whatever page a visitor is on hold their stations: a reload must not lose them."""
    set_tried(get_tried())


def keep_tried_stations() -> None:
    """Let the visitor's stations go over to the account that is opened, or logged in to, next in this session.

    Only for a click of the visitor beside their names: a link may name any. It counts for these very stations.
    """
    st.session_state["keep_tried"] = list(get_tried())


def is_keeping_said() -> bool:
    """Say whether the visitor has said so of the stations that are here now."""
    return st.session_state.get("keep_tried") == list(get_tried())


def carry_over(user_id: int) -> None:
    """Add the stations that a visitor said to keep to the account that was just opened or logged in to.

    The way leads to the dashboard then, wherever they were chosen; what came of it is said there. About stations of
    which nobody said so, as those of a link, the driver is asked (`ui.carry_question`).
    """
    for key in ("carried_over", ASKED_KEY):
        st.session_state.pop(key, None)
    is_said = is_keeping_said()
    st.session_state.pop("keep_tried", None)
    if not (tried := get_tried()):
        return
    st.session_state[ASKED_KEY] = user_id  # what can't be saved is asked about
    if is_said:
        add_tried(user_id, tried)
        forget_tried()
        st.session_state["return_to"] = ("dashboard", {})


def add_tried(user_id: int, tried: Mapping[int, str]) -> None:
    """Add stations of a visitor, with their names, to an account, and remember what came of it, to be said."""
    own = DriverStations(user_id)
    carried = dict.fromkeys(("added", "there", "too_many", "unknown"), 0)
    for station_id, name in tried.items():
        try:
            own.add(station_id, name)
            carried["added"] += 1
        except AlreadyFavourite:
            carried["there"] += 1
        except FavouritesFull:
            carried["too_many"] += 1
        except StationUnknown:
            carried["unknown"] += 1
    st.session_state["carried_over"] = carried


def forget_tried() -> None:
    """Forget the stations of before the log-in, and ask about them no longer."""
    st.session_state.pop(ASKED_KEY, None)
    set_tried({})


def get_tried() -> dict[int, str]:
    """Return the visitor's ids and names: those of the session, or, when it begins, of the address."""
    tried = st.session_state.get("tried_stations")
    if tried is None:
        tried = dict.fromkeys(_read_ids(st.query_params.get(ADDRESS_KEY, "")), "")
    return dict(tried)


def set_tried(tried: dict[int, str]) -> None:
    """Let these be the visitor's stations, in the address too."""
    st.session_state["tried_stations"] = tried
    if tried:
        st.query_params[ADDRESS_KEY] = ",".join(map(str, tried))
    else:
        st.query_params.pop(ADDRESS_KEY, None)


def _word_carried_over(*, added: int, there: int, too_many: int, unknown: int) -> tuple[str, str] | None:
    """Return the note that says what became of so many stations each; None when there were none."""
    said = [
        (
            added,
            ngettext("{count} station was added to your list.", "{count} stations were added to your list.", added),
        ),
        (
            there,
            ngettext("{count} station was in your list already.", "{count} stations were in your list already.", there),
        ),
        (
            too_many,
            ngettext(
                "{count} station was left out: your list is full, with {limit} stations.",
                "{count} stations were left out: your list is full, with {limit} stations.",
                too_many,
            ),
        ),
        (
            unknown,
            ngettext(
                "{count} station is not in the national feed and was left out.",
                "{count} stations are not in the national feed and were left out.",
                unknown,
            ),
        ),
    ]
    sentences = [text.format(count=count, limit=MAX_FAVOURITES) for count, text in said if count]
    if not sentences:
        return None
    return ("warning" if too_many or unknown else "success", " ".join(sentences))


def _word_too_many(count: int) -> str:
    return _("This address names {count} stations; the first {limit} were taken, which is what can be tried.").format(
        count=count, limit=MAX_TRIED
    )


def _word_unknown(count: int) -> str:
    return ngettext(
        "{count} station in this address is not known and was left out.",
        "{count} stations in this address are not known and were left out.",
        count,
    ).format(count=count)


def _read_ids(text: str) -> list[int]:
    """Read the ids in an address, which anybody may have written."""
    if len(text) > MAX_ADDRESS_LENGTH:  # the last id may be cut in two
        text = text[:MAX_ADDRESS_LENGTH].rpartition(",")[0]
    parts = [part for part in text.split(",") if part.isascii() and part.isdigit()]
    return list(dict.fromkeys(map(int, parts)))
