"""What the page Privacy promises is held against a database after a simulated year."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from conftest import KEY, PASSWORD, MakeDriver
from page_visit import find_other_language, list_rows, list_texts, read, run_app, visit
from sqlalchemy import Engine, func, select

from accounts.audit import Actor, note_action
from accounts.recovery import mail_password_code
from accounts.registration import Registration, register
from accounts.retention import HELD, Held
from accounts.sessions import log_in, open_session
from db import begin_writing
from errors import LoginRefused
from feed.runs import LoadReport, close_run, insert_run
from models import Base, Credential, EtlRun, User
from retention import clear_expired
from settings import Settings

DAY = timedelta(days=1)
STEP = 2 * DAY
STEPS = 396 // 2


@pytest.fixture
def year(engine: Engine, mailing: Settings, make_driver: MakeDriver) -> datetime:
    """More than a year in which something is done every other day; its end, when what is over has been deleted."""
    began_at = datetime.now(UTC).replace(microsecond=0)
    ada = make_driver("ada", now=began_at)
    for day in range(STEPS):
        now = began_at + day * STEP
        for name in ("ada", f"visitor{day}"):  # the former gets a mail that she has an account
            form = Registration(f"visitor{day}", f"{name}@mailbox.org", "Visitor", PASSWORD)
            register(engine, mailing, KEY, form, address=f"192.0.2.{day % 250}", now=now)
        with suppress(LoginRefused):
            log_in(engine, KEY, f"guess{day}", PASSWORD, address=f"198.51.100.{day % 250}", now=now)
        log_in(engine, KEY, "ada", PASSWORD, address=f"2001:db8::{day}", now=now)
        mail_password_code(engine, mailing, KEY, "ada", address=None, now=now)
        with begin_writing(engine) as connection:
            open_session(connection, ada, is_lasting=bool(day % 2), browser="Firefox", now=now)
            note_action(connection, Actor(ada, "ada"), "reset", now, subject="ada", subject_id=ada)
            run_id = insert_run(connection, now, "https://feed.example")
            if day % 3:  # of the others, the process was killed
                close_run(connection, run_id, now, LoadReport("loaded", "https://feed.example", "fine"))
        with begin_writing(engine) as connection:
            clear_expired(connection, now + timedelta(minutes=30))
    return now + timedelta(minutes=30)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, mailing: Settings, engine: Engine) -> Iterator[Settings]:
    with run_app(monkeypatch, mailing):
        yield mailing


def read_period(how_long: str) -> timedelta | None:
    """Return the longest time that a sentence of the page names; None when it names none."""
    found = [
        timedelta(**{unit: int(number)})
        for number, unit in re.findall(r"(\d+) (days|hours|minutes)", how_long.split(";")[0])
    ]
    return max(found, default=None)


def list_ages(engine: Engine, held: Held, now: datetime) -> list[timedelta]:
    """Return how long each row has been kept, the longest first."""
    assert held.table is not None
    assert held.since is not None
    with engine.connect() as connection:
        query = select(held.since).select_from(held.table)
        if held.only is not None:
            query = query.where(held.only)
        return sorted((now - at for at in connection.execute(query).scalars()), reverse=True)


def test_after_a_year_each_promise_of_the_page_is_true(engine: Engine, year: datetime, page: Settings) -> None:
    rows = list_rows(visit("privacy"))
    names = [name for name in HELD if name != "mail_files"]  # they are sent here
    assert len(rows) == len(names)
    kept = {}
    for name, (what, how_long) in zip(names, rows, strict=True):
        held, period = HELD[name], read_period(how_long)
        if period is None:
            assert how_long.startswith("until you "), what
            continue
        ages = list_ages(engine, held, year)
        assert all(age <= period + DAY for age in ages), what
        kept[name] = (period, ages)
    # And no sooner: what was done in that time is there, but what ends by itself.
    for name in ("unconfirmed", "addresses", "audit"):
        period, ages = kept[name]
        assert len(ages) >= period // STEP, name
    for name in ("log_ins", "mails", "tries"):
        assert kept[name][1], name
    with engine.connect() as connection:
        opened = connection.execute(select(User.username).join(Credential).where(Credential.confirmed_at.is_not(None)))
        assert opened.scalars().all() == ["ada"]
        runs = connection.execute(select(EtlRun.started_at, EtlRun.status)).all()
    assert len(runs) == 366 // 2
    assert {run.status for run in runs if run.started_at < year - DAY} == {"loaded", "failed"}


def test_every_table_about_people_is_told_on_the_page() -> None:
    tables = {table.name for table in Base.metadata.tables.values() if {"user_id", "recipient"} & set(table.c.keys())}
    told = {held.table.__tablename__ for held in HELD.values() if held.table is not None}
    # Their vehicle is told with the fuels, their credentials with the password.
    assert {*tables, "users", "attempts", "audit"} <= told


def test_files_of_mails_are_told_where_mails_are_files(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine
) -> None:
    with run_app(monkeypatch, settings):
        what, how_long = list_rows(visit("privacy"))[-1]
    assert what.startswith("Mails, as files")
    assert read_period(how_long) == HELD["mail_files"].longest


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_page_is_in_one_language(page: Settings, language: str) -> None:
    at = visit("privacy", lang=language.upper())
    assert find_other_language([read(text) for text in list_texts(at)], language) == []
    assert not [cell for row in list_rows(at) for cell in row if "{" in cell]


def test_nothing_but_what_is_told_is_deleted(engine: Engine, make_driver: MakeDriver) -> None:
    now = datetime.now(UTC)
    make_driver("ada", now=now)
    with engine.connect() as connection:
        before = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in Base.metadata.sorted_tables
        }
    with begin_writing(engine) as connection:
        assert set(clear_expired(connection, now).values()) == {0}
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            count = connection.execute(select(func.count()).select_from(table)).scalar_one()
            assert count == before[table.name], table.name
