"""Forms and buttons that write while the database can't be written to: the page says so, and nothing typed is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import DATABASE, KEY, PASSWORD, MakeFeed
from page_visit import FIRST_ID, find_other_language, list_texts, run, run_app, visit
from sqlalchemy import Engine, event, select
from streamlit.testing.v1 import AppTest

import etl
from accounts import admin
from accounts.registration import Registration, register
from accounts.sessions import open_session
from db import begin_writing, is_shared
from models import AuditRow, Base
from settings import Settings
from stations.favourites import add_favourite

NOT_SAVED = {
    "en": "Nothing was saved: that is not possible right now. Please try again in a minute.",
    "fr": "Rien n'a été enregistré\u00a0: c'est impossible pour l'instant. Réessayez dans une minute.",
}
SECRET = "secret-typed"  # stands in every field of text, and must not be in the log


@dataclass
class Disk:
    """Whether what the pages ask of the database may write to it."""

    is_full: bool = False


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine, make_feed: MakeFeed) -> Iterator[Settings]:
    """The pages with prices and one driver, an admin who keeps two stations, and with no mail server."""
    now = datetime.now(UTC)
    feed = settings.model_copy(update={"feed_url": str(make_feed(newest_at=now))})
    assert etl.run_load(feed, engine).is_success
    form = Registration("ada", "ada@mailbox.org", "Ada", PASSWORD, language="en")
    assert register(engine, settings, KEY, form, address=None, now=now).is_open
    with begin_writing(engine) as connection:
        admin.grant_admin(connection, admin.COMMAND, 1, now)
        for station_id in (FIRST_ID, FIRST_ID + 1):
            add_favourite(connection, 1, station_id, "", now)
    with run_app(monkeypatch, feed):
        yield feed


@pytest.fixture
def disk(app: Settings) -> Disk:
    from ui.reading import get_engine

    disk = Disk()

    shared = is_shared(get_engine())

    @event.listens_for(get_engine(), "checkout")
    def take(connection: Any, *_: object) -> None:
        switch = "SET default_transaction_read_only =" if shared else "PRAGMA query_only ="
        connection.execute(f"{switch} {'on' if disk.is_full else 'off'}")
        connection.commit()

    return disk


def log_in(engine: Engine, page: str) -> AppTest:
    with begin_writing(engine) as connection:
        session_id = open_session(connection, 1, is_lasting=False, browser="x", now=datetime.now(UTC))
    return visit(page, session_id=session_id)


def read_rows(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Return all that people have changed."""
    with engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


def press(at: AppTest, label: str) -> None:
    next(button for button in at.main.button if label in (button.label, button.key)).click()


def press_save(at: AppTest, form: str) -> None:
    next(one for one in at.main.button if one.label == "Save" and one.proto.form_id == form).click()


# The page, whose it is, what is typed into which field, what is pressed.
FORMS: dict[str, tuple[str, bool, dict[str, str], str]] = {
    "log in": ("login", False, {"login_name": "ada", "login_password": PASSWORD}, "Log in"),
    "register": (
        "register",
        False,
        {
            "register_username": "alan",
            "register_name": SECRET,
            "register_email": "secret-typed@mailbox.org",
            "register_password": PASSWORD,
        },
        "Open an account",
    ),
    "forgotten password": ("recover", False, {"password_name": SECRET}, "Mail me a code"),
    "forgotten username": ("recover", False, {"username_email": "secret-typed@mailbox.org"}, "Mail me my username"),
    "name": ("profile", True, {"profile_name": SECRET, "profile_username": SECRET}, "names"),
    "vehicle": ("profile", True, {"profile_km": "12000"}, "vehicle"),
    "e-mail": (
        "profile",
        True,
        {"profile_email": "secret-typed@mailbox.org", "profile_email_password": PASSWORD},
        "Change the address",
    ),
    "password": ("profile", True, {"profile_old": PASSWORD, "profile_new": SECRET}, "Change the password"),
    "log out": ("profile", True, {}, "Log out"),
    "log out everywhere": ("profile", True, {}, "Log out everywhere"),
    "delete": ("profile", True, {"erase_password": PASSWORD}, "Delete my account"),
    "sort": ("choose", True, {}, "sort_by_name"),
}


def fill_in(at: AppTest, typed: dict[str, str]) -> None:
    for key, text in typed.items():
        if text.isdigit():
            at.number_input(key=key).set_value(int(text))
        else:
            at.text_input(key=key).set_value(text)


def submit(at: AppTest, label: str) -> AppTest:
    press_save(at, label) if label in ("names", "vehicle") else press(at, label)
    return run(at)


def list_said(at: AppTest) -> list[str]:
    return [text for text in list_texts(at) if any(sentence in text for sentence in NOT_SAVED.values())]


@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_can_not_be_saved_says_so_and_keeps_what_was_typed(
    app: Settings, engine: Engine, disk: Disk, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    page, is_driver, typed, label = FORMS[form]
    at = log_in(engine, page) if is_driver else visit(page)
    before = read_rows(engine)
    disk.is_full = True
    fill_in(at, typed)
    submit(at, label)
    assert len(list_said(at)) == 1
    for key, text in typed.items():
        field = at.number_input(key=key) if text.isdigit() else at.text_input(key=key)
        assert str(field.value) == text, key
    assert read_rows(engine) == before
    causes = [record.getMessage() for record in caplog.records if record.name == "carburoam.pages"]
    assert len(causes) == 1
    assert "readonly" in causes[0].lower().replace("-", "")  # SQLite words it, PostgreSQL has a name for it
    assert not [text for text in ("ada", "alan", SECRET, PASSWORD) if text in caplog.text]
    disk.is_full = False
    submit(at, label)
    assert list_said(at) == []
    assert read_rows(engine) != before


def test_it_is_said_in_the_language_of_the_page(app: Settings, disk: Disk) -> None:
    at = visit("login", lang="FR")
    fill_in(at, {"login_name": "ada", "login_password": PASSWORD})
    disk.is_full = True
    submit(at, "Se connecter")
    assert [error.value for error in at.main.error] == [NOT_SAVED["fr"]]
    assert find_other_language(list_texts(at), "fr") == []


def test_a_new_password_by_a_code_that_can_not_be_saved_costs_no_code(
    app: Settings, engine: Engine, disk: Disk
) -> None:
    at = visit("recover")
    at.session_state["recover_name"] = "ada"
    run(at)
    before = read_rows(engine)
    disk.is_full = True
    fill_in(at, {"reset_code": "ABCDEFGH", "reset_password": "another long password"})
    submit(at, "Set the new password")
    assert [error.value for error in at.main.error] == [NOT_SAVED["en"]]
    assert at.text_input(key="reset_code").value == "ABCDEFGH"
    assert read_rows(engine) == before


def test_a_station_that_can_not_be_saved_keeps_the_name_typed_for_it(app: Settings, engine: Engine, disk: Disk) -> None:
    at = log_in(engine, "station")
    at.query_params["id"] = str(FIRST_ID + 2)
    run(at)
    disk.is_full = True
    (field,) = [one for one in at.main.text_input if one.label == "Your name for it"]
    field.set_value("Home")
    submit(at, "Add to my stations")
    assert [error.value for error in at.main.error] == [NOT_SAVED["en"]]
    assert at.text_input(key=field.key).value == "Home"


def test_a_removal_that_can_not_be_undone_now_can_be_later(app: Settings, engine: Engine, disk: Disk) -> None:
    at = log_in(engine, "choose")
    at.get_by_key("own_station").set_value(FIRST_ID)
    run(at)
    before = read_rows(engine)["custom_stations"]
    for is_full, label in ((True, "Remove"), (True, "own_down"), (False, "Remove"), (True, "undo"), (False, "undo")):
        disk.is_full = is_full
        submit(at, label)
        assert [error.value for error in at.main.error] == [NOT_SAVED["en"]] * is_full, label
    assert [row[:2] for row in read_rows(engine)["custom_stations"]] == [row[:2] for row in before]


def test_an_admin_s_action_that_can_not_be_saved_is_told(app: Settings, engine: Engine, disk: Disk) -> None:
    at = log_in(engine, "admin")
    disk.is_full = True
    at.button(key="admin_load").click()
    run(at)
    assert [error.value for error in at.main.error] == [NOT_SAVED["en"]]
    with engine.connect() as connection:
        assert connection.execute(select(AuditRow.action)).scalars().all() == ["grant"]


def test_the_sidebar_says_when_nothing_was_saved(app: Settings, engine: Engine, disk: Disk) -> None:
    at = log_in(engine, "about")
    disk.is_full = True
    run(at.sidebar.button(key="sidebar_log_out").click())
    assert [error.value for error in at.sidebar.error] == [NOT_SAVED["en"]]
    run(at.get_by_key("lang").set_value("fr"))
    assert [error.value for error in at.sidebar.error] == [NOT_SAVED["fr"]]


@pytest.mark.skipif(DATABASE != "sqlite", reason="the file of the database is taken away")
def test_what_was_typed_is_there_again_once_the_database_is(app: Settings, engine: Engine) -> None:
    from ui.reading import get_engine

    typed = {"register_username": "alan", "register_name": "Alan", "register_email": "alan@mailbox.org"}
    at = visit("register")
    fill_in(at, typed | {"register_password": PASSWORD})
    path = app.state_dir / "db.sqlite3"
    get_engine().dispose()
    engine.dispose()
    path.rename(path.with_suffix(".away"))
    path.mkdir()
    submit(at, "Open an account")
    assert [error.value for error in at.main.error] == ["Please try again in a minute."]
    path.rmdir()
    path.with_suffix(".away").rename(path)
    run(at)
    assert [error.value for error in at.main.error] == [NOT_SAVED["en"]]
    assert {key: at.text_input(key=key).value for key in typed} == typed
