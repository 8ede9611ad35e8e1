"""Twenty people at work while something breaks: ten read the prices, ten keep stations and open accounts."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from random import Random
from types import TracebackType

from conftest import FIRST_ID, KEY, PASSWORD
from snapshots import LASTING_STATIONS, STATIONS, read_snapshot
from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError

from accounts.registration import Registration, register
from db import begin_writing, is_shared
from models import User
from settings import Settings
from stations.favourites import add_favourite, list_favourites, remove_favourite

READERS = WRITERS = 10
READ_PAUSE_SECONDS = 0.25
WRITE_PAUSE_SECONDS = 0.1
CHOICE = range(FIRST_ID, FIRST_ID + 40)  # of the stations that no feed of these tests leaves out


def open_account(engine: Engine, settings: Settings, username: str) -> int:
    """Register a driver as the page does, without a mail server: the account opens at once."""
    form = Registration(username, f"{username}@mailbox.org", "Ada", PASSWORD)
    opening = register(engine, settings, KEY, form, address=None, now=datetime.now(UTC))
    assert opening.user_id is not None
    return opening.user_id


def list_accounts(engine: Engine) -> dict[str, int]:
    """Return the id of each account by its username."""
    with engine.connect() as connection:
        return {row.username: row.id for row in connection.execute(select(User.username, User.id))}


class Reader:
    """Reads the price tables in one transaction, again and again; what it sees must be one feed's."""

    pause_seconds = READ_PAUSE_SECONDS

    def __init__(self, engine: Engine, snapshots: Collection[str]) -> None:
        self._engine = engine
        self._snapshots = snapshots
        self.times = 0

    def work(self) -> None:
        with self._engine.connect() as connection:
            assert read_snapshot(connection) in self._snapshots, "a torn load"
        self.times += 1


class Writer:
    """Keeps and drops stations and opens accounts, and knows what the database said it has done."""

    pause_seconds = WRITE_PAUSE_SECONDS

    def __init__(self, engine: Engine, settings: Settings, name: str, stations: int) -> None:
        self._engine = engine
        self._settings = settings
        self._name = name
        self._random = Random(name)
        self._doubtful: int | None = None  # a station whose change was cut off: done, or not
        self.times = 0
        self.user_id = open_account(engine, settings, name)
        self.accounts = {name: self.user_id}
        self.kept: set[int] = set()
        # One that every second feed leaves out is kept all the same.
        last = FIRST_ID + stations - 1
        with begin_writing(engine) as connection:
            add_favourite(connection, self.user_id, last, "", datetime.now(UTC))
        self.kept.add(last)

    def work(self) -> None:
        self._settle()
        if self.times % 5 == 4:
            username = f"{self._name}x{self.times}x{self._random.randrange(10**6)}"
            self.accounts[username] = open_account(self._engine, self._settings, username)
        else:
            self._change(self._random.choice(CHOICE))
        self.times += 1

    def read(self) -> set[int]:
        """Return what the database says that this driver keeps."""
        with self._engine.connect() as connection:
            return {favourite.station_id for favourite in list_favourites(connection, self.user_id)}

    def _change(self, station: int) -> None:
        self._doubtful = station
        with begin_writing(self._engine) as connection:
            if station in self.kept:
                remove_favourite(connection, self.user_id, station)
            else:
                add_favourite(connection, self.user_id, station, "", datetime.now(UTC))
        self.kept ^= {station}
        self._doubtful = None

    def _settle(self) -> None:
        """After a change that was cut off, see whether it was done; all others must be as they were."""
        if self._doubtful is None:
            return
        found = self.read()
        assert found - {self._doubtful} == self.kept - {self._doubtful}, "a kept station was lost"
        self.kept, self._doubtful = found, None


class People:
    """All of them, each in a thread, until the end of the block; then nothing that was kept may be lost."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        snapshots: Collection[str],
        *,
        is_away: bool = False,
        stations: int = STATIONS,
    ) -> None:
        """`is_away` says that the database may go away meanwhile: who is cut off asks again."""
        assert stations * LASTING_STATIONS // STATIONS >= len(CHOICE)
        self._engine = engine
        self._forgiven: tuple[type[Exception], ...] = (DBAPIError,) if is_away else ()
        self._over = threading.Event()
        self.readers = [Reader(engine, snapshots) for _ in range(READERS)]
        self.writers = [Writer(engine, settings, f"writer{number}", stations) for number in range(WRITERS)]
        self.failures: list[BaseException] = []
        self.cut_off = 0
        everybody: Sequence[Reader | Writer] = (*self.readers, *self.writers)
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in everybody]

    def __enter__(self) -> People:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)
        if error is None:
            self.check()

    def check(self) -> None:
        """Require that nobody failed and that all that was kept is there."""
        if self.failures:
            raise self.failures[0]
        assert min(one.times for one in (*self.readers, *self.writers)) > 0
        accounts = list_accounts(self._engine)
        for writer in self.writers:
            writer._settle()
            assert writer.read() == writer.kept
            assert writer.accounts.items() <= accounts.items(), "an account was lost"
        require_sound(self._engine)

    def describe(self) -> str:
        """Return how much they did, in one line."""
        reads = sum(reader.times for reader in self.readers)
        writes = sum(writer.times for writer in self.writers)
        accounts = sum(len(writer.accounts) for writer in self.writers)
        return f"{reads} reads, {writes} writes, {accounts} accounts, {self.cut_off} cut off"

    def _run(self, one: Reader | Writer) -> None:
        while not self._over.is_set():
            try:
                one.work()
            except self._forgiven:
                self.cut_off += 1
            except BaseException as error:  # noqa: BLE001 - told by the thread of the test
                self.failures.append(error)
                return
            self._over.wait(one.pause_seconds)


def require_sound(engine: Engine) -> None:
    """Require that SQLite finds nothing wrong with its file; PostgreSQL has no such question."""
    if is_shared(engine):
        return
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
