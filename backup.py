"""The database as a whole: its size, its rows, and a consistent copy of it."""

from __future__ import annotations

import fcntl
import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, func, literal, select, union_all

from db import is_shared
from models import Base

# In the header of an SQLite file: the versions that writing and reading it need, 1 without a log and 2 with one
# (https://www.sqlite.org/fileformat2.html).
_VERSIONS_OFFSET = 18
_WITHOUT_LOG = b"\x01\x01"
_UNNAMED_YET = ".backup-in-progress"  # the name of a copy until SQLite has opened it


def count_rows(connection: Connection) -> dict[str, int]:
    """Return the number of rows of each table, in one query."""
    counts = [select(literal(table.name), func.count()).select_from(table) for table in Base.metadata.sorted_tables]
    rows = connection.execute(union_all(*counts))
    return dict(sorted(rows.all()))


def measure_size(connection: Connection) -> int:
    """Return how many bytes the database takes on the disk, on SQLite with its log."""
    if is_shared(connection.engine):
        return int(connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one())
    path = str(connection.engine.url.database)
    return sum(part.stat().st_size for part in (Path(path), Path(f"{path}-wal")) if part.exists())


def copy_database(engine: Engine, folder: Path) -> IO[bytes]:
    """Return a copy of a SQLite database, open at its start, as of one instant, whatever is written meanwhile.

    It takes room in the folder but has no name there from before the first byte is copied: closed, or left by a
    process that is killed, it is gone. SQLite opens files by name only, so it has one for an instant before: what a
    kill in that instant leaves is empty, and the next copy takes it and its name away.
    """
    path = folder / _UNNAMED_YET
    with _lock(folder):
        # Readable by its owner only.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        copy = os.fdopen(descriptor, "rb")
        try:
            target = sqlite3.connect(path)
        except BaseException:
            copy.close()
            raise
        finally:
            path.unlink()
    try:
        with closing(target), closing(engine.raw_connection()) as source:
            target.execute("PRAGMA journal_mode=OFF")  # a journal would be a file beside it, by name
            driver: Any = source.driver_connection
            driver.backup(target)
        # The source's log is part of the copy already, and a pragma that says so would open a log by name.
        os.pwrite(descriptor, _WITHOUT_LOG, _VERSIONS_OFFSET)
    except BaseException:
        copy.close()
        raise
    return copy


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Let no other thread or process use the one name meanwhile; the lock is on the folder, which leaves no file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make_dump_command(engine: Engine) -> str:
    """Return the command that makes a backup of a PostgreSQL, readable by who makes it; it asks for the password."""
    url = engine.url
    options = {"host": url.host, "port": url.port, "username": url.username, "dbname": url.database}
    named = [f"--{name}={value}" for name, value in options.items() if value is not None]
    return f"(umask 077 && {shlex.join(['pg_dump', '--format=custom', '--file=carburoam.dump', *named])})"
