"""The engine, transactions, and creating or upgrading the database. No query lives here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url

from settings import ROOT

# How long a writer waits for another on SQLite, in seconds. A load holds the write lock for about a second.
BUSY_SECONDS = 30


def open_engine(url: str) -> Engine:
    """Return an engine for the database at `url`; nothing is connected yet.

    On SQLite the driver's own transaction handling is replaced by plain BEGIN, so that reads see one snapshot and
    schema changes roll back; WAL lets readers go on while a load writes.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def begin_writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that will write, committed at the end and rolled back on an error.

    SQLite takes the write lock at its start: a transaction that reads first and writes later would fail instead of
    waiting when another one wrote in between.
    """
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


def prepare_database(engine: Engine) -> None:
    """Create the database when it is missing and bring its tables to the newest revision.

    Several processes may do so at once: the upgrade is one transaction that takes the write lock first.
    """
    # Imported here: they cost 0.3 s, which nobody who only reads should pay.
    from alembic import command
    from alembic.config import Config

    if engine.dialect.name != "sqlite":
        from sqlalchemy_utils import create_database, database_exists

        if not database_exists(engine.url):
            create_database(engine.url)
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    with begin_writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
