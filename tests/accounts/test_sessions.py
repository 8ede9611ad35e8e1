"""Log-in, its pauses, and sessions."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from conftest import KEY, NOW, PASSWORD, MakeDriver
from sqlalchemy import Engine, select

from accounts.limits import compute_pause
from accounts.sessions import (
    LASTING,
    PASSING,
    close_session,
    close_sessions,
    find_driver,
    log_in,
    mark_seen,
    open_session,
    renew_session,
)
from db import begin_writing
from errors import LoginRefused, TooManyTries
from models import Credential, LoginSession, User


def attempt(engine: Engine, name: str, password: str, *, address: str | None = None, now: datetime = NOW) -> int:
    return log_in(engine, KEY, name, password, address=address, now=now)


def begin(engine: Engine, user_id: int, *, is_lasting: bool = True) -> str:
    with begin_writing(engine) as connection:
        return open_session(connection, user_id, is_lasting=is_lasting, browser="Firefox", now=NOW)


def is_logged_in(engine: Engine, session_id: str, now: datetime = NOW) -> bool:
    with engine.connect() as connection:
        return find_driver(connection, session_id, now) is not None


@pytest.mark.parametrize("name", ["ada", "ADA", " ada ", "ada@mailbox.org", "Ada@MAILBOX.org"])
def test_username_or_address_log_in_whatever_their_case(engine: Engine, make_driver: MakeDriver, name: str) -> None:
    user_id = make_driver("ada")
    assert attempt(engine, name, PASSWORD) == user_id


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "wrong"),
        ("nobody", PASSWORD),
        ("", ""),
        ("ada", ""),
        ("ada\0", PASSWORD),
        ("%", PASSWORD),
        ("x" * 10_000, "y" * 10_000),
    ],
)
def test_anything_else_is_refused_in_one_way(engine: Engine, make_driver: MakeDriver, name: str, password: str) -> None:
    make_driver("ada")
    with pytest.raises(LoginRefused):
        attempt(engine, name, password)


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_pauses_grow_after_five_failures_for_names_that_exist_and_that_do_not(
    engine: Engine, make_driver: MakeDriver, name: str
) -> None:
    make_driver("ada")
    for _ in range(5):
        with pytest.raises(LoginRefused):
            attempt(engine, name, "wrong")
    with pytest.raises(TooManyTries) as first:
        attempt(engine, name, PASSWORD)
    with pytest.raises(LoginRefused):
        attempt(engine, name, "wrong", now=NOW + timedelta(seconds=1.1))
    with pytest.raises(TooManyTries) as second:
        attempt(engine, name, PASSWORD, now=NOW + timedelta(seconds=1.2))
    assert 0 < first.value.wait_seconds <= 1 < second.value.wait_seconds <= 2


def test_a_pause_never_becomes_a_lock() -> None:
    assert [compute_pause(failures) for failures in (0, 4, 5, 6, 7, 10, 11, 1000)] == [0, 0, 1, 2, 4, 30, 30, 30]


def test_success_and_a_quiet_hour_forget_failures(engine: Engine, make_driver: MakeDriver) -> None:
    make_driver("ada")
    for hours in (0, 2):
        for _ in range(5):
            with pytest.raises(LoginRefused):
                attempt(engine, "ada", "wrong", now=NOW + timedelta(hours=hours))
    later = NOW + timedelta(hours=2, seconds=2)
    attempt(engine, "ada", PASSWORD, now=later)
    with pytest.raises(LoginRefused):
        attempt(engine, "ada", "wrong", now=later)


def test_a_session_is_found_until_it_is_over(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver("ada")
    lasting, passing = begin(engine, user_id), begin(engine, user_id, is_lasting=False)
    assert is_logged_in(engine, lasting, NOW + LASTING - timedelta(seconds=1))
    assert not is_logged_in(engine, lasting, NOW + LASTING)
    assert not is_logged_in(engine, passing, NOW + PASSING)


def test_the_database_does_not_hold_what_the_cookie_holds(engine: Engine, make_driver: MakeDriver) -> None:
    session_id = begin(engine, make_driver("ada"))
    with engine.connect() as connection:
        stored = connection.execute(select(LoginSession.token_hash)).scalar_one()
    assert stored != session_id
    assert not is_logged_in(engine, stored)


def test_logging_out_ends_one_session_everywhere_all_or_all_but_one(engine: Engine, make_driver: MakeDriver) -> None:
    ada, bob = make_driver("ada"), make_driver("bob")
    here, there, elsewhere, other = begin(engine, ada), begin(engine, ada), begin(engine, ada), begin(engine, bob)
    with begin_writing(engine) as connection:
        close_session(connection, here)
    assert [is_logged_in(engine, session) for session in (here, there, elsewhere)] == [False, True, True]
    with begin_writing(engine) as connection:
        close_sessions(connection, ada, but=there)
    assert [is_logged_in(engine, session) for session in (there, elsewhere, other)] == [True, False, True]
    with begin_writing(engine) as connection:
        close_sessions(connection, ada)
    assert [is_logged_in(engine, session) for session in (there, other)] == [False, True]


def test_when_a_session_was_used_is_known_to_the_hour(engine: Engine, make_driver: MakeDriver) -> None:
    session_id = begin(engine, make_driver("ada"))

    def read_seen_at() -> datetime:
        with engine.connect() as connection:
            return connection.execute(select(LoginSession.seen_at)).scalar_one()

    mark_seen(engine, session_id, NOW + timedelta(minutes=59))
    assert read_seen_at() == NOW
    mark_seen(engine, session_id, NOW + timedelta(minutes=61))
    assert read_seen_at() == NOW + timedelta(minutes=61)


def test_when_a_driver_was_here_outlives_the_session(engine: Engine, make_driver: MakeDriver) -> None:
    ada, bob = make_driver("ada"), make_driver("bob")
    session_id = begin(engine, ada)
    mark_seen(engine, session_id, NOW + timedelta(hours=3))
    with begin_writing(engine) as connection:
        close_session(connection, session_id)
        rows = connection.execute(select(Credential.user_id, Credential.last_seen_at))
        seen = {row.user_id: row.last_seen_at for row in rows}
    assert seen == {ada: NOW + timedelta(hours=3), bob: None}


def test_ids_of_drivers_are_never_used_again(engine: Engine, make_driver: MakeDriver) -> None:
    first = make_driver("ada")
    with begin_writing(engine) as connection:
        connection.execute(User.__table__.delete())
    assert make_driver("bob") > first


@pytest.mark.parametrize("is_lasting", [True, False])
def test_a_renewed_session_goes_on_to_its_end_under_another_id_only(
    engine: Engine, make_driver: MakeDriver, is_lasting: bool
) -> None:
    session_id = begin(engine, make_driver("ada"), is_lasting=is_lasting)
    with begin_writing(engine) as connection:
        renewed = renew_session(connection, session_id)
        assert renew_session(connection, session_id) is None
    assert renewed is not None
    new_id, expires_at = renewed.session_id, renewed.expires_at
    assert renewed.is_lasting == is_lasting
    assert expires_at == NOW + (LASTING if is_lasting else PASSING)
    assert not is_logged_in(engine, session_id)
    assert is_logged_in(engine, new_id, expires_at - timedelta(seconds=1))
    assert not is_logged_in(engine, new_id, expires_at)
