"""The database as a whole: its size, its rows, and a consistent copy of it."""

from __future__ import annotations

import shlex
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, func, literal, select, union_all

from db import is_shared
from models import Base

PREFIX = "backup-"


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

    It is a file of the folder that has no name any more: closed, or left by a process that is killed, it is gone.
    What a process left that was killed while it copied goes with the next copy.
    """
    for left in folder.glob(f"{PREFIX}*"):
        left.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=PREFIX) as named:  # readable by its owner only
        with closing(engine.raw_connection()) as source, closing(sqlite3.connect(named.name)) as target:
            driver: Any = source.driver_connection
            driver.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        return Path(named.name).open("rb")


def make_dump_command(engine: Engine) -> str:
    """Return the command that makes a backup of a PostgreSQL, readable by who makes it; it asks for the password."""
    url = engine.url
    options = {"host": url.host, "port": url.port, "username": url.username, "dbname": url.database}
    named = [f"--{name}={value}" for name, value in options.items() if value is not None]
    return f"(umask 077 && {shlex.join(['pg_dump', '--format=custom', '--file=carburoam.dump', *named])})"
