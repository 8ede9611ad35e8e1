"""The lock that one load at a time holds: a file among processes, and a lock of the database among machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine

from db import hold_load_lock, is_load_lock_held, is_shared
from errors import LoadRunning
from liveness import is_alive, show_life
from settings import Settings

LOCK_FILE = "load.lock"  # held while a load runs, never deleted
LIFE_FILE = "load.alive"
LOCK_SECONDS = 300  # longer than any load takes: two downloads and their storing


@contextmanager
def hold_lock(settings: Settings, engine: Engine) -> Iterator[None]:
    """Hold the load lock: a file among the processes of this machine, and one of the database among machines.

    Raises LoadRunning: another load did not end within five minutes.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(settings.state_dir / LOCK_FILE, timeout=LOCK_SECONDS))
            stack.enter_context(hold_load_lock(engine, LOCK_SECONDS))
        except (Timeout, TimeoutError):
            raise LoadRunning("another load is still running") from None
        stack.enter_context(show_life(settings.state_dir / LIFE_FILE))
        yield


def is_lock_held(settings: Settings, connection: Connection) -> bool:
    """Say whether somebody holds the load lock.

    It only looks: no load waits for those who ask, and however many ask at once, each gets the right answer.
    """
    if is_shared(connection.engine):
        return is_load_lock_held(connection)
    return bool(is_alive(settings.state_dir / LIFE_FILE))
