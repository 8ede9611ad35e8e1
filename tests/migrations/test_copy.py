"""An installation moves to another database with every row, and nothing of the other one is lost unseen."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import DATABASE, NOW, MakeFeed
from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from accounts.audit import Actor, note_action
from db import begin_writing, open_engine, prepare_database
from errors import CopyRefused
from etl import run_load
from migrations.copy import copy_database, main
from models import Base, Credential, CustomStation, EtlRun, FollowedGasType, LoginSession, Station, User
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
        connection.execute(insert(Credential).values(user_id=ids["ada"], password_hash="one"))
        note_action(connection, Actor(None, "command line"), "grant", NOW, subject="ada", subject_id=ids["ada"])
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


def add_driver(connection: Connection) -> None:
    connection.execute(insert(User).values(make_user("grace")))


def change_profile(connection: Connection) -> None:
    connection.execute(update(User).values(tank_litres=50))


def change_password(connection: Connection) -> None:
    connection.execute(update(Credential).values(password_hash="another"))


def keep_station(connection: Connection) -> None:
    user_id = connection.execute(select(User.id)).scalar_one()
    station_id = connection.execute(select(func.max(Station.id))).scalar_one()
    values = {"user_id": user_id, "station_id": station_id, "custom_name": "", "position": 2, "added_at": NOW}
    connection.execute(insert(CustomStation).values(values))


def remove_station(connection: Connection) -> None:
    connection.execute(delete(CustomStation))


def follow_fuel(connection: Connection) -> None:
    connection.execute(insert(FollowedGasType).values(user_id=select(User.id).scalar_subquery(), gastype_id=5))


def erase_driver(connection: Connection) -> None:
    connection.execute(delete(User))


def act_as_admin(connection: Connection) -> None:
    note_action(connection, Actor(None, "command line"), "load", NOW)


@pytest.mark.parametrize(
    ("act", "table"),
    [
        (add_driver, "users"),
        (change_profile, "users"),
        (change_password, "credentials"),
        (keep_station, "custom_stations"),
        (remove_station, "custom_stations"),
        (follow_fuel, "followed_gas_types"),
        (erase_driver, "users"),
        (act_as_admin, "audit"),
    ],
)
def test_what_people_did_in_the_other_database_since_is_not_lost(
    filled: Engine, engine: Engine, act: Callable[[Connection], None], table: str
) -> None:
    copy_database(filled, engine)
    with begin_writing(engine) as connection:
        act(connection)
    before = read_all(engine)
    with pytest.raises(CopyRefused, match=rf"people have changed .*\b{table}\b.*--replace"):
        copy_database(filled, engine)
    assert read_all(engine) == before
    copy_database(filled, engine, is_replaced=True)
    assert read_all(engine) == read_all(filled)


def test_an_account_that_only_the_other_database_ever_had_is_not_lost(filled: Engine, engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add_driver(connection)
    with pytest.raises(CopyRefused, match="users"):
        copy_database(filled, engine)


def test_a_log_in_in_between_does_not_keep_a_copy_from_being_repeated(filled: Engine, engine: Engine) -> None:
    copy_database(filled, engine)
    with begin_writing(engine) as connection:
        user_id = connection.execute(select(User.id)).scalar_one()
        values = {"token_hash": "0", "user_id": user_id, "created_at": NOW, "seen_at": NOW, "expires_at": NOW}
        connection.execute(insert(LoginSession).values(values))
        connection.execute(update(Credential).values(last_seen_at=NOW))
    copy_database(filled, engine)
    assert read_all(engine) == read_all(filled)


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


def test_the_command_replaces_a_database_only_when_it_is_told_to(
    filled: Engine, engine: Engine, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    urls = [filled.url.render_as_string(hide_password=False), settings.database]
    assert main(urls) == 0
    with begin_writing(engine) as connection:
        keep_station(connection)
    capsys.readouterr()
    assert main(urls) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert main([*urls, "--replace"]) == 0
    assert read_all(engine) == read_all(filled)


def test_a_source_that_is_not_there_is_not_made(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing.sqlite3"
    before = sorted(tmp_path.iterdir())
    assert main([f"sqlite:///{missing}", settings.database]) == 1
    assert capsys.readouterr().err == f"migrations.copy: no such database: {missing}\n"
    assert sorted(tmp_path.iterdir()) == before


def test_a_source_with_other_tables_than_ours_is_left_as_it_is(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE users (id INTEGER)")
        connection.commit()
    before = other.read_bytes()
    assert main([f"sqlite:///{other}", settings.database]) == 1
    assert capsys.readouterr().err == f"migrations.copy: no such database: {other} has none of our tables\n"
    assert other.read_bytes() == before


@pytest.mark.parametrize(
    ("urls", "named"),
    [
        (["SOURCE", "sqlite:////there/is/none.db"], "TO_URL can't be used: "),
        (["SOURCE", "foo"], "TO_URL can't be used: "),
        (["foo", "SOURCE"], "FROM_URL can't be used: "),
        (["mysql://localhost/x", "SOURCE"], "FROM_URL can't be used: "),
    ],
)
def test_a_database_that_cannot_be_used_is_named_in_one_line(
    filled: Engine, capsys: pytest.CaptureFixture[str], urls: list[str], named: str
) -> None:
    known = filled.url.render_as_string(hide_password=False)
    assert main([known if url == "SOURCE" else url for url in urls]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"migrations.copy: {named}")
    assert error.count("\n") == 1


def test_one_database_under_two_names_is_not_copied_onto_itself(
    filled: Engine, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / "link.sqlite3"
    link.symlink_to(str(filled.url.database))
    known = filled.url.render_as_string(hide_password=False)
    names = [[known, f"sqlite:///{link}", "--replace"]]
    if DATABASE == "postgresql":
        assert main([known, settings.database]) == 0
        names.append([settings.database, f"{settings.database}?application_name=other"])
    before = read_all(filled)
    capsys.readouterr()
    for urls in names:
        assert main(urls) == 1
        assert capsys.readouterr() == ("", "migrations.copy: both are the same database\n")
    assert read_all(filled) == before


def test_a_database_of_a_newer_version_is_left_alone(
    filled: Engine, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with begin_writing(filled) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    known = filled.url.render_as_string(hide_password=False)
    assert main([known, settings.database]) == 1
    assert capsys.readouterr().err == (
        "migrations.copy: FROM_URL: the database is of a newer version of this program (revision 9999): use that one, "
        "or the backup made before it\n"
    )
