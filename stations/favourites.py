"""Favourites: the stations that a driver keeps, under names and in an order of the driver's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import shorten
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from errors import AlreadyFavourite, FavouriteNameRefused, FavouritesFull, FavouriteUnknown, StationUnknown
from models import CustomStation, Station, User
from stations.details import MAX_ID
from typed import read_line

MAX_FAVOURITES = 50
MAX_NAME_LENGTH = 60


@dataclass(frozen=True)
class Favourite:
    """A station that is kept: what its driver calls it, and its place in their own order (the smallest first)."""

    station_id: int
    custom_name: str
    position: int


def offer_name(address: str, town: str) -> str:
    """Return what a station may be called until its driver knows better: town and address."""
    name = " ".join(", ".join(filter(None, (town, address))).split()) or "?"
    if len(name) <= MAX_NAME_LENGTH:
        return name
    whole_words = shorten(name, MAX_NAME_LENGTH, placeholder="…")
    return whole_words if whole_words != "…" else f"{name[: MAX_NAME_LENGTH - 1]}…"


def read_custom_name(text: str, offered: str) -> str:
    """Return the name that a driver typed, or the offered one when they typed none.

    Raises FavouriteNameRefused: longer than 60 characters.
    """
    name = read_line(text, MAX_NAME_LENGTH)
    if name is None:
        raise FavouriteNameRefused
    return name or offered


def list_favourites(connection: Connection, user_id: int) -> tuple[Favourite, ...]:
    """Return a driver's favourites in their own order."""
    return tuple(Favourite(*row) for row in connection.execute(_select_own(user_id)))


def make_favourites(connection: Connection, names: Mapping[int, str]) -> tuple[Favourite, ...]:
    """Return, in that order, what is kept without an account: ids with their names, "" for the offered one.

    Ids of no station are left out.
    """
    ids = [station_id for station_id in names if 0 < station_id <= MAX_ID]
    rows = connection.execute(select(Station.id, Station.address, Station.town).where(Station.id.in_(ids)))
    offered = {row.id: offer_name(row.address, row.town) for row in rows}
    known = [station_id for station_id in ids if station_id in offered]
    return tuple(
        Favourite(station_id, names[station_id] or offered[station_id], position)
        for position, station_id in enumerate(known, start=1)
    )


def add_favourite(connection: Connection, user_id: int, station_id: int, custom_name: str, now: datetime) -> Favourite:
    """Keep a station, as the last one.

    Raises StationUnknown: no station of the feed has that id.
    Raises AlreadyFavourite, FavouritesFull, FavouriteNameRefused.
    """
    station = _find_station(connection, station_id)
    if station is None or station.left_feed_at is not None:
        raise StationUnknown(str(station_id))
    name = read_custom_name(custom_name, offer_name(station.address, station.town))
    _lock_list(connection, user_id)
    last = connection.execute(select(func.max(CustomStation.position)).where(CustomStation.user_id == user_id)).scalar()
    favourite = Favourite(station_id, name, (last or 0) + 1)
    _insert(connection, user_id, favourite, now)
    return favourite


def restore_favourite(connection: Connection, user_id: int, favourite: Favourite, now: datetime) -> None:
    """Keep again what was removed, at its place of before.

    Raises StationUnknown: the station is no longer in the database. Raises AlreadyFavourite, FavouritesFull.
    """
    if _find_station(connection, favourite.station_id) is None:
        raise StationUnknown(str(favourite.station_id))
    _lock_list(connection, user_id)
    _insert(connection, user_id, favourite, now)


def rename_favourite(connection: Connection, user_id: int, station_id: int, custom_name: str) -> None:
    """Call a favourite otherwise; without a name it is called by town and address again.

    Raises FavouriteUnknown, FavouriteNameRefused.
    """
    station = _find_station(connection, station_id)
    name = read_custom_name(custom_name, "" if station is None else offer_name(station.address, station.town))
    changed = connection.execute(update(CustomStation).where(*_is_own(user_id, station_id)).values(custom_name=name))
    if changed.rowcount != 1:
        raise FavouriteUnknown(str(station_id))


def remove_favourite(connection: Connection, user_id: int, station_id: int) -> Favourite:
    """Keep a station no longer; return what it was, with which it can be restored.

    Raises FavouriteUnknown: it is not in the driver's list, any more or at all.
    """
    row = connection.execute(_select_own(user_id).where(CustomStation.station_id == station_id)).first()
    removed = connection.execute(delete(CustomStation).where(*_is_own(user_id, station_id)))
    if row is None or removed.rowcount != 1:
        raise FavouriteUnknown(str(station_id))
    return Favourite(*row)


def sort_favourites(connection: Connection, user_id: int, station_ids: Sequence[int]) -> None:
    """Put the favourites into that order; those that are not named, added elsewhere meanwhile, come last."""
    _lock_list(connection, user_id)
    places = {station_id: place for place, station_id in enumerate(station_ids)}
    favourites = list_favourites(connection, user_id)
    ranked = sorted(favourites, key=lambda favourite: places.get(favourite.station_id, len(places)))
    for position, favourite in enumerate(ranked, start=1):
        if favourite.position != position:
            connection.execute(
                update(CustomStation).where(*_is_own(user_id, favourite.station_id)).values(position=position)
            )


def _select_own(user_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(CustomStation.station_id, CustomStation.custom_name, CustomStation.position)
        .where(CustomStation.user_id == user_id)
        .order_by(CustomStation.position, CustomStation.added_at, CustomStation.station_id)
    )


def _is_own(user_id: int, station_id: int) -> tuple[Any, Any]:
    return CustomStation.user_id == user_id, CustomStation.station_id == station_id


def _find_station(connection: Connection, station_id: int) -> Row[*tuple[Any, ...]] | None:
    if not 0 < station_id <= MAX_ID:
        return None
    return connection.execute(
        select(Station.address, Station.town, Station.left_feed_at).where(Station.id == station_id)
    ).first()


def _lock_list(connection: Connection, user_id: int) -> None:
    """Let one transaction at a time change a driver's list: SQLite has one writer, others lock the driver's row."""
    connection.execute(select(User.id).where(User.id == user_id).with_for_update())


def _insert(connection: Connection, user_id: int, favourite: Favourite, now: datetime) -> None:
    count = connection.execute(
        select(func.count()).select_from(CustomStation).where(CustomStation.user_id == user_id)
    ).scalar_one()
    try:
        with connection.begin_nested():
            connection.execute(
                insert(CustomStation).values(
                    user_id=user_id,
                    station_id=favourite.station_id,
                    custom_name=favourite.custom_name,
                    position=favourite.position,
                    added_at=now,
                )
            )
            if count >= MAX_FAVOURITES:
                raise FavouritesFull(str(MAX_FAVOURITES))
    except IntegrityError:
        raise AlreadyFavourite(str(favourite.station_id)) from None
