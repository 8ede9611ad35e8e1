"""A visitor's list of stations, in the session and in the address, and its way into an account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from conftest import KEY, PASSWORD
from known_stations import add_station
from sqlalchemy import Engine, select, update
from streamlit.testing.v1 import AppTest

from accounts.registration import Registration, register
from db import begin_writing
from errors import NotSaved
from models import CustomStation, Station
from settings import Settings
from stations.favourites import add_favourite


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine) -> Iterator[Engine]:
    """A database with fourteen stations, the last of which left the feed."""
    import streamlit as st

    monkeypatch.setenv("CARBUROAM_STATE_DIR", str(settings.state_dir))
    with begin_writing(engine) as connection:
        for station_id in range(1, 15):
            add_station(connection, station_id)
        connection.execute(update(Station).where(Station.id == 14).values(left_feed_at=datetime.now(UTC)))
    st.cache_resource.clear()
    yield engine
    st.cache_resource.clear()


def act() -> None:
    """Run as a script: do to the list what the session says, and show what it then is."""
    import streamlit as st

    from errors import CarburoamError
    from ui.reading import open_reading
    from ui.station_list import carry_over, get_station_list, keep_tried_stations

    own = get_station_list(None)
    error = ""
    for name, *values in st.session_state.get("actions", []):
        try:
            if name == "undo":
                own.restore(st.session_state["removed"])
            elif name == "remove":
                st.session_state["removed"] = own.remove(*values)
            elif name == "keep":
                keep_tried_stations()
            elif name == "carry over":
                carry_over(*values)
            else:
                getattr(own, name)(*values)
        except CarburoamError as refusal:
            error = type(refusal).__name__
    st.session_state["actions"] = []
    with open_reading() as connection:
        st.session_state["shown"] = [(one.station_id, one.custom_name) for one in own.read(connection)]
    st.session_state["error"] = error


def run(at: AppTest, *actions: tuple[object, ...]) -> list[tuple[int, str]]:
    at.session_state["actions"] = list(actions)
    at.run()
    assert not at.exception
    return list(at.session_state["shown"])


def open_list(keep: str = "") -> AppTest:
    at = AppTest.from_function(act, default_timeout=30)
    if keep:
        at.query_params["keep"] = keep
    at.run()
    assert not at.exception
    return at


def name(station_id: int) -> str:
    return f"Guéret, {station_id} Rue de la Gare"


def test_a_list_can_be_changed_in_every_way_and_stands_in_the_address(app: Engine) -> None:
    at = open_list()
    assert run(at, ("add", 2, ""), ("add", 1, "Home"), ("add", 3, "")) == [(2, name(2)), (1, "Home"), (3, name(3))]
    assert at.query_params["keep"] == "2,1,3"
    assert run(at, ("rename", 2, "  Work "), ("rename", 1, " ")) == [(2, "Work"), (1, name(1)), (3, name(3))]
    assert run(at, ("sort", [3, 99, 2])) == [(3, name(3)), (2, "Work"), (1, name(1))]
    assert run(at, ("remove", 2)) == [(3, name(3)), (1, name(1))]
    assert at.query_params["keep"] == "3,1"
    assert run(at, ("undo",)) == [(3, name(3)), (2, "Work"), (1, name(1))]
    assert run(at, ("remove", 1), ("remove", 2), ("remove", 3)) == []
    assert "keep" not in at.query_params


def test_the_address_opens_the_list_in_another_tab(app: Engine) -> None:
    assert open_list("3,1").session_state["shown"] == [(3, name(3)), (1, name(1))]


def test_an_id_that_is_cut_in_two_where_an_address_is_too_long_is_left_out(app: Engine) -> None:
    at = open_list("1,2," * 499 + "13334,3")  # 1,996 letters and four of the five of an id
    assert at.session_state["shown"] == [(1, name(1)), (2, name(2))]
    assert "list_note" not in at.session_state


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (("add", 1, ""), "AlreadyFavourite"),
        (("add", 77, ""), "StationUnknown"),
        (("add", -1, ""), "StationUnknown"),
        (("add", 14, ""), "StationUnknown"),
        (("add", 3, "x" * 10_000), "FavouriteNameRefused"),
        (("rename", 1, "x" * 61), "FavouriteNameRefused"),
        (("rename", 3, "Home"), "FavouriteUnknown"),
        (("remove", 3), "FavouriteUnknown"),
    ],
    ids=str,
)
def test_what_a_list_can_t_take_is_refused_and_nothing_lost(
    app: Engine, action: tuple[object, ...], error: str
) -> None:
    at = open_list("1,2")
    assert run(at, action) == [(1, name(1)), (2, name(2))]
    assert at.session_state["error"] == error


def test_ten_stations_without_an_account_and_no_more(app: Engine) -> None:
    at = open_list(",".join(map(str, range(1, 14))))
    assert [id_ for id_, _ in run(at, ("add", 12, ""))] == list(range(1, 11))
    assert at.session_state["error"] == "FavouritesFull"
    assert len(run(at, ("remove", 4), ("add", 12, ""), ("undo",))) == 10
    assert at.session_state["error"] == "FavouritesFull"


def test_only_stations_that_were_asked_to_be_kept_go_into_the_account(app: Engine, settings: Settings) -> None:
    now = datetime.now(UTC)
    form = Registration("ada", "ada@mailbox.org", "Ada", PASSWORD)
    user_id = register(app, settings, KEY, form, address=None, now=now).user_id
    assert user_id is not None
    with begin_writing(app) as connection:
        add_favourite(connection, user_id, 2, "Work", now)
    at = open_list("3,2,14,1")
    assert len(run(at, ("carry over", user_id))) == 4
    assert at.session_state["asked_to_keep"] == user_id
    assert run(at, ("keep",), ("remove", 1), ("undo",), ("sort", [1, 3]), ("carry over", user_id)) != []  # others
    assert run(at, ("sort", [3, 2]), ("rename", 3, "Home"), ("keep",), ("carry over", user_id)) == []
    with app.connect() as connection:
        kept = connection.execute(
            select(CustomStation.station_id, CustomStation.custom_name).order_by(CustomStation.position)
        ).all()
    assert kept == [(2, "Work"), (3, "Home"), (1, name(1))]  # kept already, and left the feed: as they were
    assert "keep" not in at.query_params


def test_stations_that_could_not_be_saved_are_asked_about(
    app: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ui.station_list import ASKED_KEY, DriverStations

    form = Registration("ada", "ada@mailbox.org", "Ada", PASSWORD)
    user_id = register(app, settings, KEY, form, address=None, now=datetime.now(UTC)).user_id
    at = open_list("1,2,3")
    add = DriverStations.add

    def add_until_the_disk_is_full(self: DriverStations, station_id: int, name: str = "") -> None:
        if station_id == 2:
            raise NotSaved
        add(self, station_id, name)

    with monkeypatch.context() as patch:
        patch.setattr(DriverStations, "add", add_until_the_disk_is_full)
        run(at, ("keep",), ("carry over", user_id))
    assert at.session_state["error"] == "NotSaved"
    assert at.session_state[ASKED_KEY] == user_id
    assert at.query_params["keep"] in ("1,2,3", ["1,2,3"])
