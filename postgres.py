"""Connections to PostgreSQL that don't wait for ever for a server that has gone silent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from sqlalchemy.pool import ConnectionPoolEntry

T = TypeVar("T")

CONNECT_SECONDS = 5  # for each host that the URL names; psycopg itself would wait for two minutes
PING_SECONDS = 3.0  # for the question whether a connection of the pool still works
GRACE_SECONDS = 2.0  # in which a server says that it gave up a read that took too long

# libpq's own names. Nothing heard for ten seconds: the network lets go of the connection soon after, whoever waits.
_LIMITS = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}


class Connection(psycopg.Connection[Any]):
    """A connection that is closed when the server doesn't answer a statement within `answer_seconds`; None: no limit.

    libpq has no such limit, and one that the server keeps is of no use where the server itself stands still.
    """

    answer_seconds: float | None = PING_SECONDS

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        limit = self.answer_seconds if timeout is None else timeout
        begin = time.monotonic()
        try:
            return super().wait(gen, interval=interval, timeout=limit)
        except psycopg.OperationalError as error:
            if timeout is not None or limit is None or time.monotonic() - begin < limit:
                raise
            self.close()
            raise psycopg.OperationalError(f"the server did not answer within {limit:g} s") from error


def find_limits(url: URL) -> dict[str, Any]:
    """Return the limits of a connection, but those that the URL sets itself."""
    return {name: value for name, value in _LIMITS.items() if name not in url.query}


def watch_answers(engine: Engine, read_seconds: float | None) -> None:
    """Give up a server that doesn't answer: a connection that is taken from the pool, and reads if they have a limit.

    No statement then takes longer than `read_seconds`, on the server and here, but those after `lift_limit`.
    """

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> Connection:
        return Connection.connect(*arguments, **options)

    @event.listens_for(engine, "connect")
    def _set_up(connection: Connection, _record: ConnectionPoolEntry) -> None:
        if read_seconds is not None:
            connection.execute("SELECT set_config('statement_timeout', %s, false)", [f"{read_seconds:.0f}s"])
            connection.commit()

    @event.listens_for(engine, "checkout")
    def _give(connection: Connection, _record: ConnectionPoolEntry, _proxy: Any) -> None:
        connection.answer_seconds = None if read_seconds is None else read_seconds + GRACE_SECONDS

    @event.listens_for(engine, "checkin")
    def _take_back(connection: Connection | None, _record: ConnectionPoolEntry) -> None:
        if connection is not None:
            connection.answer_seconds = PING_SECONDS


def lift_limit(connection: Any) -> None:
    """Let what this transaction does take as long as it takes; `connection` is the driver's."""
    if isinstance(connection, Connection) and connection.answer_seconds is not None:
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.answer_seconds = None


def shorten_limit(connection: Any) -> None:
    """Wait no longer for the answer to what comes now than for a connection of the pool."""
    if isinstance(connection, Connection):
        connection.answer_seconds = PING_SECONDS


def is_silent(error: DBAPIError) -> bool:
    """Say whether an error is that the server took the connection, or the address answers nothing, and time ran out."""
    return isinstance(error.orig, psycopg.errors.ConnectionTimeout)
