"""The way of a backup to the browser: a ticket that is good once and for a minute, then the answer of a route."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import StreamingResponse

from accounts.audit import Actor, note_action
from accounts.sessions import find_driver
from backup import copy_database
from db import begin_writing
from errors import DatabaseBusy
from ui.authentication import read_cookie
from ui.login_cookie import COOKIE
from ui.reading import get_engine, get_settings, open_reading

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

GOOD_SECONDS = 60.0
CHUNK_BYTES = 256 * 1024


class Tickets:
    """The tickets that wait to be spent, each with the session of the admin it was made for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[str, float]] = {}

    def make(self, session_id: str) -> str:
        """Return a new ticket."""
        ticket = secrets.token_urlsafe(32)
        with self._lock:
            self._waiting = {one: row for one, row in self._waiting.items() if row[1] > self._clock()}
            self._waiting[ticket] = (session_id, self._clock() + GOOD_SECONDS)
        return ticket

    def is_good(self, ticket: str) -> bool:
        """Say whether a ticket can still be spent."""
        with self._lock:
            return self._waiting.get(ticket, ("", 0.0))[1] > self._clock()

    def spend(self, ticket: str, session_id: str) -> bool:
        """Spend a ticket that was made for this session; False, and nothing is spent, when it is none or too old."""
        with self._lock:
            owner, good_until = self._waiting.get(ticket, ("", 0.0))
            if owner != session_id or good_until <= self._clock():
                return False
            del self._waiting[ticket]
            return True


class Backup(StreamingResponse):
    """An answer with a copy of the database, which is gone as soon as nobody reads on: it is as large as that."""

    def __init__(self, file: IO[bytes], headers: Mapping[str, str]) -> None:
        parts = iter(partial(file.read, CHUNK_BYTES), b"")
        super().__init__(parts, media_type="application/vnd.sqlite3", headers=headers)
        self.file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the copy, or as much of it as is taken."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.file.close()


@st.cache_resource(show_spinner=False)
def get_tickets() -> Tickets:
    """Return the tickets of this app."""
    return Tickets()


def make_address(ticket: str) -> str:
    """Return where a ticket is spent."""
    return f"/backup/{ticket}"


def take_backup(ticket: str, cookies: Mapping[str, str]) -> Backup | None:
    """Copy the database for who spends a ticket; None for anyone but the admin, in the browser, that it was made for.

    That they are an admin is looked up once more: they may have been locked since they asked.
    """
    session_id = read_cookie(cookies.get(COOKIE))
    if session_id is None or not get_tickets().spend(ticket, session_id):
        return None
    now = datetime.now(UTC)
    with open_reading() as connection:
        driver = find_driver(connection, session_id, now)
    if driver is None or not driver.is_admin:
        return None
    file = copy_database(get_engine(), get_settings().state_dir)
    try:
        with begin_writing(get_engine()) as connection:
            note_action(connection, Actor(driver.id, driver.username), "download_backup", now)
    except (SQLAlchemyError, DatabaseBusy):
        file.close()
        raise
    return Backup(
        file,
        {
            "Content-Length": str(os.fstat(file.fileno()).st_size),
            "Content-Disposition": f'attachment; filename="carburoam-{now:%Y%m%dT%H%M%SZ}.sqlite3"',
            "Cache-Control": "no-store",
        },
    )
