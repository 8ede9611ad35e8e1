"""The engine, transactions, locks, and creating or upgrading the database. No query of a table lives here."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock
from typing import Any, Literal
from weakref import WeakKeyDictionary

from sqlalchemy import (
    Connection,
    Engine,
    FromClause,
    column,
    create_engine,
    event,
    func,
    literal_column,
    make_url,
    select,
    table,
)
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.util import LRUCache

from errors import DatabaseNewer
from settings import ROOT
from shares import CLIENT
from write_queue import WriteQueue

# How long a writer waits for others in all, in seconds. A load holds the write lock for about a second.
BUSY_SECONDS = 30
# How long pages and the API wait for an answer of PostgreSQL: several hundred times what their longest read takes.
READ_SECONDS = 8.0

# To be executed with where a query has another form for each thing that was asked. SQLAlchemy keeps what it compiled,
# some 200 KB of a long one, for 500 forms of each engine: whoever asked for ever others filled 150 MB with them.
OF_MANY_FORMS: Mapping[str, Any] = {"compiled_cache": LRUCache(64)}

# PostgreSQL's advisory locks are numbers; these are ours. People's changes and those of a load take turns apart.
Turn = Literal["people", "feed"]
_TURNS: dict[Turn, int] = {"people": 731_600_001, "feed": 731_600_002}
_UPGRADE = 731_600_003
_LOAD = 731_600_004
# Who will write waits for the other writers of this process before a connection is taken, so that however many wait,
# one of them holds a connection and those who read find one.
_QUEUES: WeakKeyDictionary[Engine, dict[Turn, WriteQueue]] = WeakKeyDictionary()
_QUEUES_LOCK = Lock()
# Connections that are kept open, more when those are in use, and how long who finds none free waits for one.
_POOL: dict[str, Any] = {"pool_size": 10, "max_overflow": 20, "pool_timeout": 5}
LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's error code of a lock that was waited for in vain


def open_engine(url: str, *, read_seconds: float | None = None) -> Engine:
    """Return an engine for the database at `url`; nothing is connected yet.

    On SQLite the driver's own transaction handling is replaced by plain BEGIN, so that reads see one snapshot and
    schema changes roll back; WAL lets readers go on while a load writes; a new file is its owner's alone. On PostgreSQL
    a reader asks for one snapshot, a server that answers nothing is given up, and no statement outside of
    `begin_writing` takes longer than `read_seconds`.
    Errors don't tell the values of a statement: they end in the log, and may be of a person.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return _open_server(url, read_seconds)
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        hide_parameters=True,
        **({} if make_url(url).database in (None, "", ":memory:") else _POOL),
    )

    @event.listens_for(engine, "do_connect")
    def _make(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
        if not options.get("uri"):
            _make_file(arguments[0])

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        _turn_to_wal(cursor)
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _open_server(url: str, read_seconds: float | None) -> Engine:
    # Imported here: without a database of that kind nothing needs the driver.
    import postgres

    limits = postgres.find_limits(make_url(url))
    engine = create_engine(
        url,
        connect_args=limits,
        pool_pre_ping=True,
        **_POOL,
        isolation_level="REPEATABLE READ",
        hide_parameters=True,
    )
    postgres.watch_answers(engine, read_seconds)
    return engine


def _make_file(path: str) -> None:
    """Make a missing database readable by its owner only: it holds addresses and hashes of passwords.

    SQLite would make it as the umask says; to its -wal and -shm it gives the mode of the file. What can't be made is
    SQLite's to tell.
    """
    if path and path != ":memory:":
        with suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _turn_to_wal(cursor: Any) -> None:
    """Let readers go on while one writes; lasting, so that only the first connection to a new file has to wait.

    When two make a file at once, the second is told at once that it is locked: SQLite's own waiting is not for this.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def is_shared(engine: Engine) -> bool:
    """Say whether several machines may use this database at once: SQLite is a file of one machine."""
    return engine.dialect.name != "sqlite"


@contextmanager
def begin_writing(engine: Engine, turn: Turn = "people", seconds: float = BUSY_SECONDS) -> Iterator[Connection]:
    """Open a transaction that will write, committed at the end and rolled back on an error.

    Writers take turns from their start, on every database: a transaction that reads first and writes later would else
    fail, or write from what another one changed in between. SQLite has one turn for all. Those of one process are
    served as `Shares` says, by the `CLIENT` for whom they write.

    Raises DatabaseBusy: others of this process were writing for so many seconds, 0: at this moment; or enough changes
    of the same client wait already. Raises OperationalError: it was another process, or the database is out of reach.
    """
    ends_at = time.monotonic() + seconds
    with _find_queue(engine, turn).take(CLIENT.get(), seconds):
        milliseconds = max(1, round(1000 * (ends_at - time.monotonic())))
        if is_shared(engine):
            with _begin_on_server(engine, turn, milliseconds) as connection:
                yield connection
        else:
            with _begin_in_file(engine, milliseconds) as connection:
                yield connection


@contextmanager
def _begin_in_file(engine: Engine, milliseconds: int) -> Iterator[Connection]:
    with engine.connect().execution_options(writes=True) as connection:
        _set_busy_timeout(connection, milliseconds)
        try:
            transaction = connection.begin()
        finally:
            # The connection is somebody else's next.
            _set_busy_timeout(connection, 1000 * BUSY_SECONDS)
        with transaction:
            yield connection


@contextmanager
def _begin_on_server(engine: Engine, turn: Turn, milliseconds: int) -> Iterator[Connection]:
    import postgres

    # Not REPEATABLE READ: its snapshot would be older than the turn that it waited for.
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as connection, connection.begin():
        postgres.lift_limit(connection.connection.driver_connection)
        _take_lock(connection, _TURNS[turn], milliseconds)
        yield connection


def _set_busy_timeout(connection: Connection, milliseconds: int) -> None:
    # Not through SQLAlchemy, which would begin a transaction.
    driver_connection: Any = connection.connection.driver_connection
    driver_connection.execute(f"PRAGMA busy_timeout={milliseconds}").close()


def _find_queue(engine: Engine, turn: Turn) -> WriteQueue:
    """Return the queue of this process; SQLite has one for all turns."""
    with _QUEUES_LOCK:
        queues = _QUEUES.setdefault(engine, {})
        return queues.setdefault(turn if is_shared(engine) else "people", WriteQueue())


@contextmanager
def hold_load_lock(engine: Engine, seconds: float) -> Iterator[None]:
    """Hold the lock that one load at a time has among all machines that share a PostgreSQL; on SQLite there is one.

    Raises TimeoutError: another machine held it all that time.
    """
    if not is_shared(engine):
        yield
        return
    import postgres

    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            connection.execute(select(func.set_config("lock_timeout", f"{seconds:.0f}s", False)))
            connection.execute(select(func.pg_advisory_lock(_LOAD)))
        except OperationalError as error:
            connection.invalidate()
            if getattr(error.orig, "sqlstate", "") == LOCK_NOT_AVAILABLE:
                raise TimeoutError from error
            raise
        try:
            yield
        finally:
            # Closed rather than given back: with it the lock goes, whatever became of the connection meanwhile. But not
            # at once, and who comes next or asks should not find it held.
            with suppress(DBAPIError):
                postgres.shorten_limit(connection.connection.driver_connection)
                connection.execute(select(func.pg_advisory_unlock(_LOAD)))
            connection.invalidate()


def is_load_lock_held(connection: Connection) -> bool:
    """Say whether some machine holds the load lock of a shared database; it is looked up, not tried."""
    locks = table("pg_locks", *(column(name) for name in ("locktype", "database", "classid", "objid", "objsubid")))
    databases = table("pg_database", column("oid"), column("datname"))
    here = select(databases.c.oid).where(databases.c.datname == func.current_database()).scalar_subquery()
    # A number of 64 bits is kept in two halves.
    held = select(locks.c.objid).where(
        locks.c.locktype == "advisory",
        locks.c.database == here,
        locks.c.classid == _LOAD >> 32,
        locks.c.objid == _LOAD & 0xFFFF_FFFF,
        locks.c.objsubid == 1,
        literal_column("granted"),
    )
    return connection.execute(held.limit(1)).first() is not None


def renew_statistics(connection: Connection, *tables: FromClause) -> None:
    """Let PostgreSQL count anew what is in tables that were filled, to plan its queries by; SQLite needs no count.

    Its own daemon comes a minute later, and to a table of a few rows never: until then every read of prices by station
    goes through all of them.
    """
    if is_shared(connection.engine):
        names = [connection.dialect.identifier_preparer.format_table(table) for table in tables]
        connection.exec_driver_sql(f"ANALYZE {', '.join(names)}")


def prepare_database(engine: Engine) -> None:
    """Create the database when it is missing and bring its tables to the newest revision.

    Several processes may do so at once: the upgrade is one transaction that takes a lock first.
    Raises DatabaseNewer: its tables are of a revision that this program doesn't know.
    """
    # Imported here: they cost 0.3 s, which nobody who only reads should pay.
    from alembic import command
    from alembic.config import Config

    if is_shared(engine):
        _create_database(engine)
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    with begin_writing(engine) as connection:
        if is_shared(engine):
            _take_lock(connection, _UPGRADE)
        revision = read_revision(connection)
        if revision is not None and revision not in _list_revisions():
            raise DatabaseNewer(
                f"the database is of a newer version of this program (revision {revision}): use that one, or the "
                "backup made before it"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def read_revision(connection: Connection) -> str | None:
    """Return the revision that the tables are of; None where there are none of ours."""
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def needs_upgrade(connection: Connection) -> bool:
    """Say whether the tables are missing or of an older revision than this program's; a newer one will do.

    While servers are replaced one by one, the first of the new ones has brought the tables ahead of the others.
    """
    revision = read_revision(connection)
    newest, *older = _list_revisions()
    return revision is None or (revision != newest and revision in older)


@cache
def _list_revisions() -> tuple[str, ...]:
    """Return the revisions that this program knows, the newest first."""
    from alembic.script import ScriptDirectory

    return tuple(script.revision for script in ScriptDirectory(str(ROOT / "migrations")).walk_revisions())


def _create_database(engine: Engine) -> None:
    from sqlalchemy_utils import create_database, database_exists

    import postgres

    try:
        engine.connect().close()
        return
    except OperationalError as error:
        if postgres.is_silent(error):
            raise  # one wait is enough
    url = engine.url.update_query_dict({name: str(value) for name, value in postgres.find_limits(engine.url).items()})
    try:
        if not database_exists(url):
            create_database(url)
    except DBAPIError:
        # Another process was quicker, or the server answers with an error of its own, which is then raised again.
        if not database_exists(url):
            raise


def _take_lock(connection: Connection, number: int, milliseconds: int = 1000 * BUSY_SECONDS) -> None:
    """Wait for one of our locks, to be held until the end of the transaction."""
    connection.execute(
        select(func.set_config("lock_timeout", f"{milliseconds}ms", True), func.pg_advisory_xact_lock(number))
    )
