"""Writers of one process wait for each other before they take a connection, and no client keeps the others out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, func, select

from db import begin_writing
from errors import DatabaseBusy
from models import EtlRun
from shares import CLIENT, Client
from write_queue import MAX_WAITING, WriteQueue

SECONDS = 60.0
HOME, OFFICE = Client("192.0.2.1", "", "tab"), Client("198.51.100.1", "", "tab")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(50) as pool:
        yield pool


class Writers:
    """Writers in threads, and in which order they had their turn."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.queue = WriteQueue()
        self.served: list[Client] = []
        self._pool = pool

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Write until the end of the block."""
        with self.queue.take(Client(), SECONDS):
            yield

    def begin(self, client: Client) -> Future[None]:
        """Let a writer come, who waits or is refused when this returns."""
        before = len(self.queue._waiting)
        writer = self._pool.submit(self._write, client)
        pause = threading.Event()
        while len(self.queue._waiting) == before and not writer.done():
            pause.wait(0.005)
        return writer

    def _write(self, client: Client) -> None:
        with self.queue.take(client, SECONDS):
            self.served.append(client)


def test_one_writes_at_a_time_and_who_comes_second_from_elsewhere_waits_for_one_of_the_first_only(
    pool: ThreadPoolExecutor,
) -> None:
    writers = Writers(pool)
    tabs = [Client("192.0.2.1", "", f"tab {number}") for number in range(16)]
    with writers.hold():
        waiting = [writers.begin(client) for client in [*tabs, OFFICE]]
        assert writers.served == []
    for writer in waiting:
        writer.result(SECONDS)
    assert writers.served.index(OFFICE) == 1


def test_of_one_tab_a_few_wait_and_the_next_is_refused_at_once(pool: ThreadPoolExecutor) -> None:
    writers = Writers(pool)
    with writers.hold():
        waiting = [writers.begin(HOME) for _ in range(MAX_WAITING)]
        with pytest.raises(DatabaseBusy, match="wait already"):
            writers.begin(HOME).result(SECONDS)
        waiting += [writers.begin(HOME._replace(tab="another")), writers.begin(OFFICE)]
    for writer in waiting:
        writer.result(SECONDS)
    assert len(writers.served) == MAX_WAITING + 2


def test_who_waits_in_vain_is_told_and_takes_nobody_s_turn(pool: ThreadPoolExecutor) -> None:
    writers = Writers(pool)
    with writers.hold():
        with pytest.raises(DatabaseBusy, match=r"writing for 0\.01 s"), writers.queue.take(HOME, 0.01):
            pass
        waiting = writers.begin(OFFICE)
    waiting.result(SECONDS)
    assert writers.served == [OFFICE]


def test_a_writer_that_fails_passes_its_turn_on() -> None:
    queue = WriteQueue()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), queue.take(HOME, 0):
            raise ZeroDivisionError
    with queue.take(OFFICE, 0):
        pass


def test_however_many_wait_to_write_one_connection_is_taken(engine: Engine, pool: ThreadPoolExecutor) -> None:
    came = threading.Semaphore(0)

    def write(number: int) -> None:
        CLIENT.set(Client(str(number), "", "tab"))
        came.release()
        with begin_writing(engine):
            pass

    with begin_writing(engine):
        waiting = [pool.submit(write, number) for number in range(40)]
        for _ in waiting:
            assert came.acquire(timeout=SECONDS)
        for _ in range(5):  # more than a pool would have left
            with engine.connect() as connection:
                assert connection.execute(select(func.count()).select_from(EtlRun)).scalar_one() == 0
        assert not any(writer.done() for writer in waiting)
    for writer in waiting:
        writer.result(SECONDS)


def test_who_may_not_wait_gives_up_at_once(engine: Engine, pool: ThreadPoolExecutor) -> None:
    def write() -> None:
        with begin_writing(engine, seconds=0):
            pass

    with begin_writing(engine), pytest.raises(DatabaseBusy):
        pool.submit(write).result(SECONDS)
    pool.submit(write).result(SECONDS)
