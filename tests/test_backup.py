"""The backup is a whole database as of one instant, and leaves no file behind."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from conftest import DATABASE, NOW, MakeFeed
from sqlalchemy import Engine, insert, make_url

from backup import PREFIX, copy_database, count_rows, make_dump_command, measure_size
from db import begin_writing, open_engine
from etl import run_load
from models import AuditRow
from settings import Settings


def test_rows_and_size_are_told(engine: Engine, settings: Settings, make_feed: MakeFeed) -> None:
    run_load(settings.model_copy(update={"feed_url": str(make_feed(stations=30))}), engine, now=lambda: NOW)
    with engine.connect() as connection:
        rows = count_rows(connection)
        assert (rows["stations"], rows["users"], rows["etl_runs"]) == (30, 0, 1)
        assert measure_size(connection) > 50_000
        if DATABASE == "sqlite":
            files = [settings.state_dir / f"db.sqlite3{suffix}" for suffix in ("", "-wal")]
            assert all(path.stat().st_size for path in files)
            assert measure_size(connection) == sum(path.stat().st_size for path in files)


@pytest.mark.skipif(DATABASE != "sqlite", reason="PostgreSQL has pg_dump")
def test_a_backup_has_every_row_and_no_half_transaction_while_others_write(
    engine: Engine, settings: Settings, make_feed: MakeFeed, tmp_path: Path
) -> None:
    run_load(settings.model_copy(update={"feed_url": str(make_feed(stations=30))}), engine, now=lambda: NOW)
    is_over = threading.Event()

    def write_pairs() -> None:
        while not is_over.is_set():
            with begin_writing(engine) as connection:
                for _ in range(2):
                    connection.execute(
                        insert(AuditRow).values(at=NOW, admin_name="ada", action="load", subject="", subject_id=None)
                    )

    writer = threading.Thread(target=write_pairs)
    writer.start()
    try:
        for number in range(5):
            path = tmp_path / f"copy{number}.sqlite3"
            with copy_database(engine, settings.state_dir) as file:
                path.write_bytes(file.read())
            with closing(sqlite3.connect(path)) as copy:
                assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert copy.execute("PRAGMA journal_mode").fetchall() == [("delete",)]
                assert copy.execute("SELECT count(*) % 2 FROM audit").fetchall() == [(0,)]
            assert not list(settings.state_dir.glob(f"{PREFIX}*"))
    finally:
        is_over.set()
        writer.join()
    opened = open_engine(f"sqlite:///{path}")
    with opened.connect() as copied, engine.connect() as connection:
        expected, found = count_rows(connection), count_rows(copied)
    opened.dispose()
    assert {**found, "audit": 0} == {**expected, "audit": 0}


@pytest.mark.skipif(DATABASE != "sqlite", reason="PostgreSQL has pg_dump")
def test_what_a_killed_copy_left_goes_with_the_next(engine: Engine, settings: Settings) -> None:
    (settings.state_dir / f"{PREFIX}left").touch()
    copy_database(engine, settings.state_dir).close()
    assert not list(settings.state_dir.glob(f"{PREFIX}*"))


def test_the_command_for_postgresql_holds_no_password() -> None:
    engine = open_engine("sqlite://")
    engine.url = make_url("postgresql+psycopg://us%20er:s3cret@db.example:5433/carburoam")
    assert make_dump_command(engine) == (
        "(umask 077 && pg_dump --format=custom --file=carburoam.dump --host=db.example --port=5433 '--username=us er' "
        "--dbname=carburoam)"
    )
