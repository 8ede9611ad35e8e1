"""Favourites: keeping stations, naming, removing and sorting them, each driver apart from the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from conftest import MakeDriver
from known_stations import NOW, add_station
from sqlalchemy import Engine, delete, select, update

from db import begin_writing
from errors import (
    AlreadyFavourite,
    FavouriteError,
    FavouriteNameRefused,
    FavouritesFull,
    FavouriteUnknown,
    StationUnknown,
)
from models import CustomStation, Station, User
from stations.favourites import (
    MAX_FAVOURITES,
    Favourite,
    add_favourite,
    list_favourites,
    make_favourites,
    offer_name,
    remove_favourite,
    rename_favourite,
    restore_favourite,
    sort_favourites,
)


@pytest.fixture
def ada(engine: Engine, make_driver: MakeDriver) -> int:
    """A driver, in a country of three stations."""
    with begin_writing(engine) as connection:
        for station_id in (1, 2, 3):
            add_station(connection, station_id)
    return make_driver("ada")


def keep(engine: Engine, user_id: int, *station_ids: int, name: str = "") -> None:
    for station_id in station_ids:
        with begin_writing(engine) as connection:
            add_favourite(connection, user_id, station_id, name, NOW)


def list_kept(engine: Engine, user_id: int) -> list[tuple[int, str]]:
    with engine.connect() as connection:
        return [(one.station_id, one.custom_name) for one in list_favourites(connection, user_id)]


def test_two_drivers_can_keep_one_station(engine: Engine, ada: int, make_driver: MakeDriver) -> None:
    grace = make_driver("grace")
    keep(engine, ada, 1, name="Home")
    keep(engine, grace, 1, name="Work")
    assert list_kept(engine, ada) == [(1, "Home")]
    assert list_kept(engine, grace) == [(1, "Work")]
    with begin_writing(engine) as connection:
        rename_favourite(connection, grace, 1, "Office")
        remove_favourite(connection, ada, 1)
    assert list_kept(engine, ada) == []
    assert list_kept(engine, grace) == [(1, "Office")]


def test_a_station_is_kept_as_the_last_under_its_town_and_address_or_a_name_of_ones_own(
    engine: Engine, ada: int
) -> None:
    keep(engine, ada, 2)
    keep(engine, ada, 1, name="  Near \u202e the\tschool \n")
    assert list_kept(engine, ada) == [(2, "Guéret, 2 Rue de la Gare"), (1, "Near the school")]


def test_adding_a_station_twice_says_so_and_changes_nothing(engine: Engine, ada: int) -> None:
    keep(engine, ada, 1, name="Home")
    with pytest.raises(AlreadyFavourite):
        keep(engine, ada, 1, name="Other")
    assert list_kept(engine, ada) == [(1, "Home")]


@pytest.mark.parametrize("station_id", [0, -1, 77, 2**31, 2**63])
def test_an_id_of_no_station_is_refused(engine: Engine, ada: int, station_id: int) -> None:
    with pytest.raises(StationUnknown):
        keep(engine, ada, station_id)
    with engine.connect() as connection:
        assert make_favourites(connection, {station_id: ""}) == ()


@pytest.mark.parametrize("name", ["x" * 61, "<b>" * 3000])
def test_a_name_that_is_too_long_is_refused(engine: Engine, ada: int, name: str) -> None:
    with pytest.raises(FavouriteNameRefused):
        keep(engine, ada, 1, name=name)
    keep(engine, ada, 1, name="x" * 60)
    with pytest.raises(FavouriteNameRefused), begin_writing(engine) as connection:
        rename_favourite(connection, ada, 1, name)
    assert list_kept(engine, ada) == [(1, "x" * 60)]


@pytest.mark.parametrize("name", ["**b** [x](javascript:alert(1)) | <script>", "=1+1", "'; DROP TABLE users", "‮ gros"])
def test_a_name_is_kept_as_it_was_typed_but_for_what_can_t_be_seen(engine: Engine, ada: int, name: str) -> None:
    keep(engine, ada, 1, name=name)
    assert list_kept(engine, ada) == [(1, name.replace("\u202e ", ""))]


def test_a_name_of_nothing_but_spaces_is_the_offered_one(engine: Engine, ada: int) -> None:
    keep(engine, ada, 1, name=" \u200b \t")
    with begin_writing(engine) as connection:
        rename_favourite(connection, ada, 1, "Home")
        rename_favourite(connection, ada, 1, " \u200f ")
    assert list_kept(engine, ada) == [(1, "Guéret, 1 Rue de la Gare")]


@pytest.mark.parametrize(
    ("address", "town", "offered"),
    [
        ("1 Rue de la Gare", "Guéret", "Guéret, 1 Rue de la Gare"),
        ("", "Guéret", "Guéret"),
        ("", "", "?"),
        ("Route " * 20, "Guéret", "Guéret, Route Route Route Route Route Route Route Route…"),
        ("x" * 300, "Guéret", "Guéret,…"),
        ("", "y" * 120, "y" * 59 + "…"),
    ],
)
def test_the_offered_name_fits(address: str, town: str, offered: str) -> None:
    assert offer_name(address, town) == offered
    assert len(offered) <= 60


def test_fifty_stations_and_no_more(engine: Engine, ada: int) -> None:
    with begin_writing(engine) as connection:
        for station_id in range(4, 53):
            add_station(connection, station_id)
    keep(engine, ada, *range(1, 51))
    with pytest.raises(FavouritesFull):
        keep(engine, ada, 51)
    with pytest.raises(AlreadyFavourite):  # a full list still says so
        keep(engine, ada, 50)
    with begin_writing(engine) as connection:
        removed = remove_favourite(connection, ada, 7)
    keep(engine, ada, 51)
    with pytest.raises(FavouritesFull), begin_writing(engine) as connection:
        restore_favourite(connection, ada, removed, NOW)
    assert [id_ for id_, _ in list_kept(engine, ada)] == [*range(1, 7), *range(8, 52)]


@pytest.mark.parametrize("station_ids", [(60, 61), (60, 60)], ids=["two stations", "one station"])
def test_two_tabs_that_add_at_once_keep_one_more_and_never_more_than_fifty(
    engine: Engine, ada: int, station_ids: tuple[int, int]
) -> None:
    with begin_writing(engine) as connection:
        for station_id in range(4, 62):
            add_station(connection, station_id)
    keep(engine, ada, *range(1, MAX_FAVOURITES))
    both = Barrier(2, timeout=30)

    def add(station_id: int) -> type[FavouriteError] | None:
        both.wait()
        try:
            keep(engine, ada, station_id)
        except FavouriteError as error:
            return type(error)
        return None

    with ThreadPoolExecutor(2) as tabs:
        answers = list(tabs.map(add, station_ids))
    loser = AlreadyFavourite if station_ids[0] == station_ids[1] else FavouritesFull
    assert sorted(answers, key=str) == sorted([None, loser], key=str)
    assert len(list_kept(engine, ada)) == MAX_FAVOURITES


def test_what_is_removed_can_be_restored_at_its_place(engine: Engine, ada: int) -> None:
    keep(engine, ada, 1, 2, 3)
    with begin_writing(engine) as connection:
        rename_favourite(connection, ada, 2, "Home")
        removed = remove_favourite(connection, ada, 2)
    assert removed == Favourite(2, "Home", 2)
    assert [id_ for id_, _ in list_kept(engine, ada)] == [1, 3]
    with begin_writing(engine) as connection:
        restore_favourite(connection, ada, removed, NOW)
    assert list_kept(engine, ada)[1] == (2, "Home")
    with pytest.raises(AlreadyFavourite), begin_writing(engine) as connection:
        restore_favourite(connection, ada, removed, NOW)


def test_nothing_of_another_driver_can_be_renamed_or_removed(engine: Engine, ada: int, make_driver: MakeDriver) -> None:
    grace = make_driver("grace")
    keep(engine, ada, 1, name="Home")
    with pytest.raises(FavouriteUnknown), begin_writing(engine) as connection:
        rename_favourite(connection, grace, 1, "Mine")
    with pytest.raises(FavouriteUnknown), begin_writing(engine) as connection:
        remove_favourite(connection, grace, 1)
    with begin_writing(engine) as connection:
        sort_favourites(connection, grace, (1,))
    assert list_kept(engine, ada) == [(1, "Home")]
    assert list_kept(engine, grace) == []


def test_a_removal_in_two_tabs_is_told_to_the_second(engine: Engine, ada: int) -> None:
    keep(engine, ada, 1)
    with begin_writing(engine) as connection:
        remove_favourite(connection, ada, 1)
    with pytest.raises(FavouriteUnknown), begin_writing(engine) as connection:
        remove_favourite(connection, ada, 1)


def test_sorting_puts_what_was_added_elsewhere_meanwhile_last(engine: Engine, ada: int) -> None:
    keep(engine, ada, 1, 2, 3)
    with begin_writing(engine) as connection:
        sort_favourites(connection, ada, (2, 99, 1))
    assert [id_ for id_, _ in list_kept(engine, ada)] == [2, 1, 3]
    with begin_writing(engine) as connection:
        sort_favourites(connection, ada, ())
    assert [id_ for id_, _ in list_kept(engine, ada)] == [2, 1, 3]


def test_a_station_that_left_the_feed_stays_kept_and_is_not_added_anew(engine: Engine, ada: int) -> None:
    keep(engine, ada, 1)
    with begin_writing(engine) as connection:
        connection.execute(update(Station).where(Station.id < 3).values(left_feed_at=NOW))
        rename_favourite(connection, ada, 1, "Gone")
        removed = remove_favourite(connection, ada, 1)
        restore_favourite(connection, ada, removed, NOW)
    assert list_kept(engine, ada) == [(1, "Gone")]
    with pytest.raises(StationUnknown):
        keep(engine, ada, 2)


def test_a_station_that_is_no_longer_in_the_database_can_t_be_restored(engine: Engine, ada: int) -> None:
    keep(engine, ada, 1)
    with begin_writing(engine) as connection:
        removed = remove_favourite(connection, ada, 1)
        connection.execute(delete(Station).where(Station.id == 1))
    with pytest.raises(StationUnknown), begin_writing(engine) as connection:
        restore_favourite(connection, ada, removed, NOW)


def test_a_driver_who_leaves_takes_the_list_along_and_nobody_else_s(
    engine: Engine, ada: int, make_driver: MakeDriver
) -> None:
    grace = make_driver("grace")
    keep(engine, ada, 1, 2)
    keep(engine, grace, 1)
    with begin_writing(engine) as connection:
        connection.execute(delete(User).where(User.id == ada))
    with engine.connect() as connection:
        assert connection.execute(select(CustomStation.user_id, CustomStation.station_id)).all() == [(grace, 1)]


def test_a_list_without_an_account_keeps_its_order_and_drops_what_is_no_station(engine: Engine, ada: int) -> None:
    with engine.connect() as connection:
        assert make_favourites(connection, {3: "", 77: "", 1: "Home"}) == (
            Favourite(3, "Guéret, 3 Rue de la Gare", 1),
            Favourite(1, "Home", 2),
        )
