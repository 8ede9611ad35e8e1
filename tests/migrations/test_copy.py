"""An installation moves to another database with every row, and nothing of the other one is lost unseen."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import DATABASE, NOW, MakeFeed
from sqlalchemy import Engine, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from db import begin_writing, open_engine, prepare_database
from errors import CopyRefused
from etl import run_load
from migrations.copy import copy_database, main
from models import Base, CustomStation, EtlRun, Station, User
from settings import Settings


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Engine]:
    """An installation on SQLite with a feed, and a driver whose two predecessors are gone."""
    engine = open_engine(f"sqlite:///{tmp_path / 'source.sqlite3'}")
    prepare_database(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def filled(source: Engine, settings: Settings, make_feed: MakeFeed) -> Engine:
    feed = settings.model_copy(update={"feed_url": str(make_feed(stations=30))})
    assert run_load(feed, source, now=lambda: NOW).is_success
    with begin_writing(source) as connection:
        for name in ("gone", "ada", "last"):
            connection.execute(insert(User).values(make_user(name)))
        ids = {row.username: row.id for row in connection.execute(select(User.id, User.username))}
        station_id = connection.execute(select(func.min(Station.id))).scalar_one()
        connection.execute(
            insert(CustomStation).values(
                user_id=ids["ada"], station_id=station_id, custom_name="Chez moi | é", position=1, added_at=NOW
            )
        )
        connection.execute(delete(User).where(User.username.in_(["gone", "last"])))
    return source


def make_user(name: str) -> dict[str, object]:
    return {
        "username": name,
        "username_key": name,
        "email": f"{name}@mailbox.org",
        "email_key": f"{name}@mailbox.org",
        "name": name,
        "language": "fr",
        "created_at": NOW,
    }


def read_all(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    with engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }


def test_every_row_is_there_afterwards_and_doing_it_again_changes_nothing(filled: Engine, engine: Engine) -> None:
    before = read_all(filled)
    assert before["prices"]
    assert before["custom_stations"]
    for _ in range(2):
        copied = copy_database(filled, engine)
        assert read_all(engine) == before
        assert copied == {name: len(rows) for name, rows in before.items()}
    assert read_all(filled) == before


def test_ids_that_were_given_away_are_never_used_again(filled: Engine, engine: Engine) -> None:
    copy_database(filled, engine)
    with begin_writing(engine) as connection:
        new = connection.execute(insert(User).values(make_user("new"))).inserted_primary_key
        run = connection.execute(insert(EtlRun).values(started_at=NOW)).inserted_primary_key
        assert (tuple(new or ()), tuple(run or ())) == ((4,) if DATABASE == "postgresql" else (3,), (2,))


def test_accounts_that_only_the_other_database_has_are_not_lost(filled: Engine, engine: Engine) -> None:
    with begin_writing(engine) as connection:
        connection.execute(insert(User).values(make_user("grace")))
    before = read_all(engine)
    with pytest.raises(CopyRefused, match="accounts of its own"):
        copy_database(filled, engine)
    assert read_all(engine) == before


def test_a_copy_that_fails_half_way_leaves_what_was_there(filled: Engine, engine: Engine) -> None:
    copy_database(filled, engine)
    before = read_all(engine)
    with closing(sqlite3.connect(str(filled.url.database))) as connection:  # checks no keys unless it is told to
        connection.execute("INSERT INTO prices VALUES (1, 1, 1, '2026-03-10 12:00:00.000000')")
        connection.commit()
    with pytest.raises(IntegrityError):
        copy_database(filled, engine)
    assert read_all(engine) == before


def test_the_command_prints_what_it_copied(
    filled: Engine, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    url = filled.url.render_as_string(hide_password=False)
    assert main([url, settings.database]) == 0
    assert "users: 1\n" in capsys.readouterr().out
    assert main([url, url]) == 1
    assert capsys.readouterr().err == "migrations.copy: both are the same database\n"


def test_a_database_that_is_not_there_is_named_in_one_line(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sqlite:////there/is/none.db", settings.database]) == 1
    error = capsys.readouterr().err
    assert error.startswith("migrations.copy: a database can't be used: ")
    assert error.count("\n") == 1
