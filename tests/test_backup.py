"""The backup is a whole database as of one instant, and leaves no file behind."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from conftest import DATABASE, NOW, MakeFeed
from sqlalchemy import Engine, create_engine, insert, make_url

from backup import copy_database, count_rows, make_dump_command, measure_size
from db import begin_writing, open_engine
from etl import run_load
from models import AuditRow
from settings import ROOT, Settings

# Makes copies of a state dir's database and says of each whether it is sound.
COPIER = """
import sqlite3, sys
from pathlib import Path
from backup import copy_database
from db import open_engine
folder = Path(sys.argv[1])
engine = open_engine(f"sqlite:///{folder / 'db.sqlite3'}")
for _ in range(int(sys.argv[2])):
    copy = sqlite3.connect(":memory:")
    with copy_database(engine, folder) as file:
        copy.deserialize(file.read())
    print(*copy.execute("PRAGMA integrity_check").fetchone(), flush=True)
"""

# Makes a copy and is killed by itself when SQLite opens the file.
KILLED_AT_THE_NAME = """
import os, signal, sqlite3
from pathlib import Path
from backup import copy_database
from db import open_engine
folder = Path({folder!r})
engine = open_engine(f"sqlite:///{{folder / 'db.sqlite3'}}")
sqlite3.connect = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
copy_database(engine, folder)
"""


def list_names(folder: Path) -> set[str]:
    """Return what lies in a state dir, but for what SQLite keeps beside the database while it is open."""
    names = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    return names - {f"db.sqlite3-{suffix}" for suffix in ("wal", "shm")}


def check(file: IO[bytes]) -> str:
    """Return what SQLite's own check says of a copy, which is closed."""
    with file, closing(sqlite3.connect(":memory:")) as copy:
        copy.deserialize(file.read())
        (answer,) = copy.execute("PRAGMA integrity_check").fetchone()
        copy.execute("SELECT count(*) FROM stations")
        return str(answer)


@contextmanager
def start_copies(folder: Path, times: int) -> Iterator[subprocess.Popen[str]]:
    """Start a process that makes copies, one after the other, and says "ok" after each."""
    command = [sys.executable, "-c", COPIER, str(folder), str(times)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


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
        before = list_names(settings.state_dir)
        for number in range(5):
            path = tmp_path / f"copy{number}.sqlite3"
            with copy_database(engine, settings.state_dir) as file:
                assert list_names(settings.state_dir) == before
                path.write_bytes(file.read())
            with closing(sqlite3.connect(path)) as copy:
                assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert copy.execute("PRAGMA journal_mode").fetchall() == [("delete",)]
                assert copy.execute("SELECT count(*) % 2 FROM audit").fetchall() == [(0,)]
    finally:
        is_over.set()
        writer.join()
    opened = open_engine(f"sqlite:///{path}")
    with opened.connect() as copied, engine.connect() as connection:
        expected, found = count_rows(connection), count_rows(copied)
    opened.dispose()
    assert {**found, "audit": 0} == {**expected, "audit": 0}


@pytest.mark.skipif(DATABASE != "sqlite", reason="PostgreSQL has pg_dump")
def test_nothing_that_lies_in_the_folder_is_touched(engine: Engine, settings: Settings) -> None:
    names = ["backup-2026-03.sqlite3", "backup-", "backup.sqlite3", ".backup-2026-03", "old/backup-1.sqlite3"]
    for folder in ("backup-2026", "backup-folder.sqlite3", ".backup-x", "old"):
        (settings.state_dir / folder).mkdir()
    for name in names:
        (settings.state_dir / name).write_text("an admin's own")
    (settings.state_dir / "backup-link").symlink_to(settings.state_dir / "nowhere")
    before = list_names(settings.state_dir)
    assert check(copy_database(engine, settings.state_dir)) == "ok"
    assert list_names(settings.state_dir) == before
    assert {(settings.state_dir / name).read_text() for name in names} == {"an admin's own"}


@pytest.mark.skipif(DATABASE != "sqlite", reason="PostgreSQL has pg_dump")
def test_several_copies_can_be_made_at_once(engine: Engine, settings: Settings) -> None:
    before = list_names(settings.state_dir)
    with ThreadPoolExecutor(4) as pool, ExitStack() as processes:
        copies = [pool.submit(copy_database, engine, settings.state_dir) for _ in range(12)]
        started = [processes.enter_context(start_copies(settings.state_dir, 4)) for _ in range(2)]
        assert {check(copy.result()) for copy in copies} == {"ok"}
        assert [process.communicate()[0].split() for process in started] == [["ok"] * 4] * 2
    assert list_names(settings.state_dir) == before


@pytest.mark.skipif(DATABASE != "sqlite", reason="PostgreSQL has pg_dump")
def test_a_process_that_is_killed_while_it_makes_copies_leaves_nothing_that_the_next_copy_does_not_take_away(
    engine: Engine, settings: Settings
) -> None:
    before = list_names(settings.state_dir)
    with start_copies(settings.state_dir, 1_000_000) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ok\n"
        process.kill()
        process.wait()
    # The kill may have met the instant in which a copy has a name, and no content yet.
    left = list_names(settings.state_dir) - before
    assert len(left) <= 1
    assert [name for name in left if (settings.state_dir / name).stat().st_size] == []
    assert check(copy_database(engine, settings.state_dir)) == "ok"
    assert list_names(settings.state_dir) == before


@pytest.mark.skipif(DATABASE != "sqlite", reason="PostgreSQL has pg_dump")
def test_what_a_kill_in_the_instant_of_the_name_leaves_is_taken_away(engine: Engine, settings: Settings) -> None:
    before = list_names(settings.state_dir)
    script = KILLED_AT_THE_NAME.format(folder=str(settings.state_dir))
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert len(list_names(settings.state_dir) - before) == 1
    assert check(copy_database(engine, settings.state_dir)) == "ok"
    assert list_names(settings.state_dir) == before


@pytest.mark.skipif(DATABASE != "sqlite", reason="PostgreSQL has pg_dump")
def test_no_copy_has_a_name_while_it_is_made(engine: Engine, settings: Settings) -> None:
    """So that it does not matter when a process is killed."""
    named: list[set[str]] = []
    copy = sqlite3.Connection.backup

    class Watched(sqlite3.Connection):
        def backup(self, *arguments: Any, **options: Any) -> None:
            named.append(list_names(settings.state_dir))
            copy(self, *arguments, **options)
            named.append(list_names(settings.state_dir))

    before = list_names(settings.state_dir)
    watched = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(settings.state_dir / "db.sqlite3", factory=Watched)
    )
    assert check(copy_database(watched, settings.state_dir)) == "ok"
    watched.dispose()
    assert named == [before, before]


@pytest.mark.skipif(DATABASE != "sqlite", reason="PostgreSQL has pg_dump")
def test_a_copy_is_readable_by_its_owner_only(engine: Engine, settings: Settings) -> None:
    with copy_database(engine, settings.state_dir) as file:
        assert os.fstat(file.fileno()).st_mode & 0o777 == 0o600


@pytest.mark.skipif(DATABASE != "sqlite", reason="PostgreSQL has pg_dump")
def test_a_copy_that_fails_leaves_nothing(settings: Settings) -> None:
    (settings.state_dir / "other.sqlite3").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    broken = create_engine(f"sqlite:///{settings.state_dir / 'other.sqlite3'}")
    with pytest.raises(sqlite3.DatabaseError):
        copy_database(broken, settings.state_dir)
    broken.dispose()
    assert list_names(settings.state_dir) == {"other.sqlite3"}


def test_the_command_for_postgresql_holds_no_password() -> None:
    engine = open_engine("sqlite://")
    engine.url = make_url("postgresql+psycopg://us%20er:s3cret@db.example:5433/carburoam")
    assert make_dump_command(engine) == (
        "(umask 077 && pg_dump --format=custom --file=carburoam.dump --host=db.example --port=5433 '--username=us er' "
        "--dbname=carburoam)"
    )
