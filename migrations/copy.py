"""The command `python -m migrations.copy FROM_URL TO_URL`: moves an installation from one database to another."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from db import begin_writing, is_shared, open_engine, prepare_database, renew_statistics
from errors import CopyRefused
from models import Base, User

BATCH_ROWS = 5_000


def copy_database(source: Engine, target: Engine) -> dict[str, int]:
    """Copy every row into a database of the newest revision, and return how many there are by table.

    It is one transaction: what the target held before is replaced whole, or stays. Doing it again gives the same.

    Raises CopyRefused: the target has drivers that the source does not know, who would be lost; or a count differs.
    """
    tables = Base.metadata.sorted_tables
    with source.connect() as reading, begin_writing(target) as writing:
        _require_no_other_driver(reading, writing)
        for table in reversed(tables):
            writing.execute(delete(table))
        for table in tables:
            for rows in _read_batches(reading, table):
                writing.execute(insert(table), rows)
            _move_sequence(reading, writing, table)
        renew_statistics(writing, *tables)
        expected, copied = (_count(connection, tables) for connection in (reading, writing))
        if copied != expected:
            differing = [name for name in expected if copied[name] != expected[name]]
            raise CopyRefused(f"the counts of {', '.join(differing)} differ")
    return copied


def _require_no_other_driver(reading: Connection, writing: Connection) -> None:
    known = {(row.id, row.username_key) for row in reading.execute(select(User.id, User.username_key))}
    there = {(row.id, row.username_key) for row in writing.execute(select(User.id, User.username_key))}
    if others := len(there - known):
        raise CopyRefused(f"the database to copy to has accounts of its own ({others}), which would be lost")


def _read_batches(reading: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    result = reading.execution_options(yield_per=BATCH_ROWS).execute(select(table).order_by(*table.primary_key))
    for rows in result.mappings().partitions():
        yield [dict(row) for row in rows]


def _move_sequence(reading: Connection, writing: Connection, table: Table) -> None:
    """Let new ids begin after all that were ever given away, those of deleted rows too."""
    if not table.dialect_options["sqlite"]["autoincrement"] or not is_shared(writing.engine):
        return  # SQLite moves its own when rows come in
    highest = reading.execute(select(func.max(table.c.id))).scalar() or 0
    if reading.dialect.name == "sqlite":
        row = reading.execute(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}).first()
        highest = max(highest, row[0] if row is not None else 0)
    sequence = func.pg_get_serial_sequence(table.name, "id")
    writing.execute(select(func.setval(sequence, max(highest, 1), highest > 0)))


def _count(connection: Connection, tables: Sequence[Table]) -> dict[str, int]:
    return {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables}


def main(arguments: Sequence[str] | None = None) -> int:
    """Copy, and print the number of rows of each table; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m migrations.copy",
        description="Copy everything from one database to another, when nothing else uses either of them.",
    )
    parser.add_argument("source", metavar="FROM_URL", help="for example sqlite:////srv/carburoam/db.sqlite3")
    parser.add_argument(
        "target", metavar="TO_URL", help="for example postgresql+psycopg://user:password@host/carburoam"
    )
    options = parser.parse_args(arguments)
    try:
        if options.source == options.target:
            raise CopyRefused("both are the same database")
        source, target = open_engine(options.source), open_engine(options.target)
        for engine in (source, target):
            prepare_database(engine)
        copied = copy_database(source, target)
    except CopyRefused as error:
        print(f"migrations.copy: {error}", file=sys.stderr)
        return 1
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        print(f"migrations.copy: a database can't be used: {cause}", file=sys.stderr)
        return 1
    for name, count in copied.items():
        print(f"{name}: {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
