"""Tabs whose log-in was ended elsewhere: whatever is pressed or typed in them changes nothing any more, and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import streamlit as st
from conftest import KEY, PASSWORD, MakeFeed
from page_visit import FIRST_ID, list_texts, run, run_app, visit
from sqlalchemy import Connection, Engine, select, update
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Widget

import etl
from accounts import admin
from accounts.registration import Registration, register
from accounts.sessions import close_sessions, open_session
from db import begin_writing
from errors import DriverUnknown
from models import Base, Credential, User
from settings import ROOT, Settings
from stations.favourites import add_favourite

ADA, GRACE = 1, 2
ENDED = "You are logged out: your log-in is over, or was ended elsewhere."
REFUSED = f"{ENDED} What you just did was not saved."
# Every page of a driver or an admin, with what its address asks for and what is chosen on it before anything is done.
SURFACES: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "first page": ("landing", {"q": "Lyon"}, {}),
    "dashboard": ("dashboard", {"start": "Lyon"}, {}),
    "choosing": ("choose", {"q": "Lyon"}, {"own_station": FIRST_ID}),
    "choosing, the last": ("choose", {}, {"own_station": FIRST_ID + 1}),
    "a dialog": ("choose", {"show": str(FIRST_ID + 2)}, {}),
    "a dialog of an own station": ("choose", {"show": str(FIRST_ID)}, {}),
    "a station": ("station", {"id": str(FIRST_ID + 2)}, {}),
    "an own station": ("station", {"id": str(FIRST_ID)}, {}),
    "profile": ("profile", {}, {}),
    "recovery": ("recover", {}, {}),
    "recovery with a code": ("recover", {}, {"recover_has_code": True}),
    "privacy": ("privacy", {}, {}),
    "about": ("about", {}, {}),
    "loads": ("admin", {"section": "loads"}, {}),
    "outputs": ("admin", {"section": "outputs"}, {}),
    "people": ("admin", {"section": "people"}, {"admin_account_search": "grace"}),
    "mails": ("admin", {"section": "mails"}, {}),
    "data": ("admin", {"section": "data"}, {}),
    "database": ("admin", {"section": "database"}, {}),
    "audit": ("admin", {"section": "audit"}, {}),
}
TYPED = {
    "profile_new": "another long password",
    "profile_email": "elsewhere@mailbox.org",
    "username_email": "grace@mailbox.org",
    "password_name": "grace",
    "profile_name": "Eve",
    "profile_username": "eve",
}
# These are for anyone who has forgotten, logged in or not.
FOR_EVERYONE = {"Mail me a code", "Mail me my username", "Set the new password"}
Key = tuple[str, str]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine, make_feed: MakeFeed) -> Iterator[Settings]:
    """The pages with prices, outputs and two drivers, one of them an admin who keeps two stations."""
    now = datetime.now(UTC)
    feed = settings.model_copy(update={"feed_url": str(make_feed(newest_at=now))})
    assert etl.run_load(feed, engine).is_success
    for name in ("ada", "grace"):
        form = Registration(name, f"{name}@mailbox.org", name.title(), PASSWORD, language="en")
        assert register(engine, settings, KEY, form, address=None, now=now).is_open
    with begin_writing(engine) as connection:
        admin.grant_admin(connection, admin.COMMAND, ADA, now)
        for station_id in (FIRST_ID, FIRST_ID + 1):
            add_favourite(connection, ADA, station_id, "", now)
    settings.outputs_dir.mkdir()
    with run_app(monkeypatch, feed):
        output = settings.outputs_dir / "stdout_1.txt"
        output.write_text("printed")
        yield feed
        output.unlink(missing_ok=True)


def open_page(engine: Engine, surface: str) -> AppTest:
    """Log ada in and open a page, with all that is to be chosen on it."""
    page, query, chosen = SURFACES[surface]
    with begin_writing(engine) as connection:
        session_id = open_session(connection, ADA, is_lasting=False, browser="x", now=datetime.now(UTC))
    at = visit(page, session_id=session_id, **query)
    for key, value in chosen.items():
        try:
            at.get_by_key(key).set_value(value)
        except KeyError:
            at.session_state[key] = value
    return run(at) if chosen else at


def list_widgets(at: AppTest) -> list[Widget]:
    return [node for block in at._tree.children.values() for node in block if isinstance(node, Widget)]


def name_widget(widget: Widget) -> Key:
    """Return a name of a widget that is the same in every session, even where it has no key: its kind and label."""
    key = str(widget.key or "None")
    return widget.type, str(widget.label) if key == "None" else key  # type: ignore[attr-defined]


def use(at: AppTest, key: Key) -> AppTest:
    """Fill in every field, and use the widget of that name: press it, or choose something else."""
    widgets = {name_widget(widget): widget for widget in list_widgets(at)}
    for (kind, name), field in widgets.items():
        if kind == "text_input" and name not in ("q", "start", "admin_account_search"):
            own_name = "Home" if "_name_" in name or "_rename_" in name else PASSWORD
            field.set_value(TYPED.get(name, own_name))  # type: ignore[attr-defined]
        elif kind == "number_input" and name.startswith("profile_"):
            field.set_value(7)  # type: ignore[attr-defined]
    widget: Any = widgets[key]
    match widget.type:
        case "button":
            widget.click()
        case "checkbox" | "toggle":
            widget.set_value(not widget.value)
        case "text_input":
            widget.set_value("typed")
        case "number_input":
            widget.set_value(9)
        case "button_group" if isinstance(widget.value, list):
            widget.set_value([])
        case "button_group" | "multiselect":  # what is chosen in a box of one entry is that entry
            others = [one for one in widget.options if one not in str(widget.value)]
            if others:
                widget.set_value([others[0]] if widget.type == "multiselect" else others[0])
    return at


def read_state(engine: Engine, settings: Settings) -> dict[str, Any]:
    """Return all rows of all tables, and what an admin's buttons do to files."""
    with engine.connect() as connection:
        tables = {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }
    files = sorted(path.name for path in [settings.lastjob_file, *settings.outputs_dir.glob("std*")] if path.exists())
    return tables | {"files": files}


def log_out_everywhere(connection: Connection) -> None:
    close_sessions(connection, ADA)


def lock(connection: Connection) -> None:
    connection.execute(update(Credential).where(Credential.user_id == ADA).values(locked_at=datetime.now(UTC)))


def list_refused(at: AppTest) -> list[str]:
    return [box.value for box in at.main.warning if "was not saved" in box.value]


def use_each(
    app: Settings, engine: Engine, surface: str, end: Callable[[Connection], None]
) -> dict[str, tuple[bool, AppTest]]:
    """Use each widget of a page in a tab of its own whose log-in has just ended; say which changed anything."""
    keys = [name_widget(widget) for widget in list_widgets(open_page(engine, surface)) if not widget.disabled]  # type: ignore[attr-defined]
    assert keys
    used = {}
    for key in keys:
        at = open_page(engine, surface)
        if key not in {name_widget(widget) for widget in list_widgets(at)}:
            continue  # of the account that a use before has changed
        with begin_writing(engine) as connection:
            end(connection)
        before = read_state(engine, app)
        run(use(at, key))
        used[key[1]] = (read_state(engine, app) != before, at)
    return used


@pytest.mark.parametrize("surface", SURFACES)
def test_whatever_is_used_in_a_tab_whose_log_in_was_ended_changes_nothing(
    app: Settings, engine: Engine, surface: str
) -> None:
    for key, (is_changed, at) in use_each(app, engine, surface, log_out_everywhere).items():
        assert not is_changed or any(label in key for label in FOR_EVERYONE), key
        assert at.session_state["driver"] is None, key
        if key != "lang":  # the other language is shown, though not kept
            assert {ENDED, REFUSED} & {box.value for box in at.main.warning}, key
            links = {node.proto.label for node in at.main.get("page_link")}
            assert links & {"Log in", "Log in again", "Back to log in"}, (key, links)


# How the test above would miss a callback that changes something: if using its widget did nothing.
# Not what starts a process, at once or with the next run.
CHANGING = {
    "choosing": {"sort_by_name", "sort_by_town", "own_down", "FormSubmitter:own_edit-Rename"},
    "choosing, the last": {"own_up", "FormSubmitter:own_edit-Remove"},
    "a dialog": {"FormSubmitter:dialog_add-Add to my stations"},
    "a dialog of an own station": {"FormSubmitter:dialog_edit-Rename", "FormSubmitter:dialog_edit-Remove"},
    "a station": {"FormSubmitter:station_add-Add to my stations"},
    "an own station": {"FormSubmitter:station_edit-Rename", "FormSubmitter:station_edit-Remove"},
    "profile": {
        *("FormSubmitter:names-Save", "FormSubmitter:vehicle-Save", "FormSubmitter:email_form-Change the address"),
        *("FormSubmitter:password_form-Change the password", "Log out", "Log out everywhere", "lang"),
    },
    "outputs": {"admin_clear_outputs"},
    "people": {f"admin_{action}_{GRACE}" for action in ("reset", "lock", "grant", "erase")},
}


@pytest.mark.parametrize(
    ("surface", "name"), [(surface, name) for surface, names in CHANGING.items() for name in sorted(names)]
)
def test_the_same_uses_change_something_while_the_driver_is_logged_in(
    app: Settings, engine: Engine, surface: str, name: str
) -> None:
    at = open_page(engine, surface)
    (key,) = [name_widget(widget) for widget in list_widgets(at) if name_widget(widget)[1] == name]
    before = read_state(engine, app)
    run(use(at, key))
    assert read_state(engine, app) != before


@pytest.mark.parametrize("end", [log_out_everywhere, lock])
@pytest.mark.parametrize("surface", ["a dialog", "profile", "people"])
def test_it_is_so_however_the_log_in_was_ended(
    app: Settings, engine: Engine, surface: str, end: Callable[[Connection], None]
) -> None:
    at = open_page(engine, surface)
    with begin_writing(engine) as connection:
        end(connection)
    before = read_state(engine, app)
    run(use(at, ("button", sorted(CHANGING[surface])[0])))
    assert read_state(engine, app) == before
    assert list_refused(at) == [REFUSED]


def test_an_admin_whose_rights_were_taken_away_changes_nothing_and_is_told(app: Settings, engine: Engine) -> None:
    at = open_page(engine, "people")
    with begin_writing(engine) as connection:
        admin.grant_admin(connection, admin.COMMAND, GRACE, datetime.now(UTC))
        admin.revoke_admin(connection, admin.COMMAND, ADA, datetime.now(UTC))
    before = read_state(engine, app)
    run(use(at, ("button", f"admin_lock_{GRACE}")))
    assert read_state(engine, app) == before
    assert list_refused(at) == [
        "Your log-in has changed since this page was drawn, so what you just did was not saved."
    ]
    assert at.session_state["driver"].id == ADA
    assert not [text for text in list_texts(at) if "grace@" in text]


def test_what_was_said_of_a_log_in_that_ended_is_not_said_to_who_is_logged_in_again(
    app: Settings, engine: Engine
) -> None:
    at = open_page(engine, "people")
    at.session_state["just_left"] = "ended"
    run(at)
    assert list_refused(at) == []
    assert "You are logged out" not in " ".join(list_texts(at))


def test_a_driver_who_was_made_an_admin_goes_on_in_the_page_that_is_open(app: Settings, engine: Engine) -> None:
    with begin_writing(engine) as connection:
        admin.grant_admin(connection, admin.COMMAND, GRACE, datetime.now(UTC))
        admin.revoke_admin(connection, admin.COMMAND, ADA, datetime.now(UTC))
    at = open_page(engine, "profile")
    with begin_writing(engine) as connection:
        admin.grant_admin(connection, admin.COMMAND, ADA, datetime.now(UTC))
    run(use(at, ("button", "FormSubmitter:names-Save")))
    with engine.connect() as connection:
        assert connection.execute(select(User.name).where(User.id == ADA)).scalar_one() == "Eve"


def test_what_was_searched_is_still_there_and_the_log_in_leads_back_to_it(app: Settings, engine: Engine) -> None:
    at = open_page(engine, "choosing")
    with begin_writing(engine) as connection:
        log_out_everywhere(connection)
    run(use(at, ("button", "sort_by_name")))
    assert at.text_input(key="q").value == "Lyon"
    at.switch_page(str(ROOT / "pages" / "login.py"))
    run(at)
    at.text_input(key="login_name").set_value("ada")
    at.text_input(key="login_password").set_value(PASSWORD)
    (button,) = [button for button in at.main.button if button.label == "Log in"]
    run(button.click())
    assert [title.value for title in at.main.title] == ["Choose your stations"]
    assert at.query_params["q"] == "Lyon"
    assert not at.main.warning


def test_a_guest_goes_on_whatever_happens_to_accounts(app: Settings, engine: Engine) -> None:
    at = visit("station", id=str(FIRST_ID + 2))
    with begin_writing(engine) as connection:
        log_out_everywhere(connection)
    run(use(at, ("button", "FormSubmitter:station_add-Add to my stations")))
    assert at.query_params["keep"] == str(FIRST_ID + 2)
    assert not at.main.warning


@pytest.mark.parametrize("page", ["profile", "dashboard"])
def test_a_download_that_was_offered_before_is_refused(app: Settings, engine: Engine, page: str) -> None:
    made: list[Callable[[], bytes]] = []
    at = open_page(engine, page)
    keep = DeltaGenerator.download_button

    def note(self: DeltaGenerator, label: str, data: Any, *rest: Any, **options: Any) -> bool:
        made.append(data)
        return keep(self, label, data, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeltaGenerator, "download_button", note)
        patch.setattr("streamlit.download_button", partial(note, st._main))
        run(at)
    (write,) = made
    assert write()
    with begin_writing(engine) as connection:
        log_out_everywhere(connection)
    with pytest.raises(DriverUnknown):
        write()
