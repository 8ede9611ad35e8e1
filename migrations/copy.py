"""The command `python -m migrations.copy FROM_URL TO_URL`: moves an installation from one database to another."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, delete, func, insert, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError

from db import begin_writing, is_shared, open_engine, prepare_database, read_revision, renew_statistics
from errors import CarburoamError, CopyRefused, DatabaseNewer
from models import AuditRow, Base, Credential, CustomStation, FollowedGasType, User

BATCH_ROWS = 5_000
# What people would miss.
KEPT = tuple(
    Base.metadata.tables[kind.__tablename__] for kind in (User, Credential, FollowedGasType, CustomStation, AuditRow)
)


def copy_database(source: Engine, target: Engine, *, is_replaced: bool = False) -> dict[str, int]:
    """Copy every row into a database of the newest revision, and return how many there are by table.

    It is one transaction: what the target held before is replaced whole, or stays. Doing it again gives the same.
    A target in which people have done something since is left alone, unless it is to be replaced. What counts are their
    accounts, fuels and favourites, and what admins did: sessions, open codes, mails that wait and pauses after failures
    are not compared, and go.

    Raises CopyRefused: what people have in the target is not what they have in the source; or a count differs.
    """
    tables = Base.metadata.sorted_tables
    with source.connect() as reading, begin_writing(target) as writing:
        if not is_replaced:
            _require_nothing_done(reading, writing)
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


def _require_nothing_done(reading: Connection, writing: Connection) -> None:
    """See that the target is new, or as a copy left it: a row less may be an account that its driver has erased."""
    if not any(writing.execute(select(table).limit(1)).first() for table in KEPT):
        return
    differing = [table.name for table in KEPT if _differ(reading, writing, table)]
    if differing:
        raise CopyRefused(
            f"people have changed one of the two since they were the same ({', '.join(differing)}), which would be lost"
            " in the database to copy to; --replace overwrites it all the same"
        )


def _differ(reading: Connection, writing: Connection, table: Table) -> bool:
    def read(connection: Connection) -> Iterator[dict[str, Any]]:
        for rows in _read_batches(connection, table):
            for row in rows:
                row.pop("last_seen_at", None)  # to have looked in changes nothing that one would miss
                yield row

    return any(one != other for one, other in zip_longest(read(reading), read(writing)))


def _read_batches(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    statement = select(table).order_by(*table.primary_key).execution_options(yield_per=BATCH_ROWS)
    for rows in connection.execute(statement).mappings().partitions():
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


def _require_tables(url: str) -> None:
    """See that a database is there and is one of ours, without making or changing anything.

    Raises CopyRefused: it is not.
    """
    parts = make_url(url)
    is_file = parts.get_backend_name() == "sqlite"
    if is_file and not (parts.database and Path(parts.database).is_file()):
        raise CopyRefused(f"no such database: {parts.database}")
    engine = create_engine(url)  # not ours, which would give the file a log
    try:
        with engine.connect() as connection:
            if read_revision(connection) is None:
                raise CopyRefused(f"no such database: {parts.database} has none of our tables")
    finally:
        engine.dispose()


def _is_same(one: Engine, other: Engine) -> bool:
    """Say whether two engines lead to one database, however their URLs spell it."""
    if one.dialect.name != other.dialect.name:
        return False
    if not is_shared(one):
        return Path(str(one.url.database)).samefile(str(other.url.database))
    # No two servers were started in the same microsecond.
    identity = select(func.current_database(), func.pg_postmaster_start_time())
    with one.connect() as first, other.connect() as second:
        return first.execute(identity).one() == second.execute(identity).one()


@contextmanager
def _naming(database: str) -> Iterator[None]:
    """Say of which database it is that it can't be used. Raises CopyRefused."""
    try:
        yield
    except DatabaseNewer as error:
        raise CopyRefused(f"{database}: {error}") from error
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise CopyRefused(f"{database} can't be used: {cause}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Copy, and print the number of rows of each table; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m migrations.copy",
        description="Copy everything from one database to another, when nothing else uses either of them. Both are "
        "first brought to the tables of this version.",
    )
    parser.add_argument("source", metavar="FROM_URL", help="for example sqlite:////srv/carburoam/db.sqlite3")
    parser.add_argument(
        "target", metavar="TO_URL", help="for example postgresql+psycopg://user:password@host/carburoam"
    )
    parser.add_argument(
        "--replace", action="store_true", help="overwrite the target even where people have done something there"
    )
    options = parser.parse_args(arguments)
    try:
        if options.source == options.target:
            raise CopyRefused("both are the same database")
        with _naming("FROM_URL"):
            _require_tables(options.source)
            source = open_engine(options.source)
            prepare_database(source)
        with _naming("TO_URL"):
            target = open_engine(options.target)
            prepare_database(target)
        with _naming("one of the two"):
            if _is_same(source, target):
                raise CopyRefused("both are the same database")
            copied = copy_database(source, target, is_replaced=options.replace)
    except CarburoamError as error:
        print(f"migrations.copy: {error}", file=sys.stderr)
        return 1
    for name, count in copied.items():
        print(f"{name}: {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
