"""The queue of the work that passwords cost: whose turn it is, and how many may wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from accounts.hashing import HashQueue
from errors import TooManyAtOnce

SECONDS = 20.0


class Jobs:
    """Jobs of a queue, which note whose they are and go on until they are told to end."""

    def __init__(self, queue: HashQueue) -> None:
        self._queue = queue
        self._begun = threading.Condition()
        self._begun_by: list[str | None] = []
        self._steps = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self.refused = 0

    def add(self, client: str | None, times: int = 1, *, is_known: bool = False) -> None:
        """Let a client ask for work, so many times; return once each is at work, waits or was refused."""
        for _ in range(times):
            before = self._count()
            thread = threading.Thread(target=self._ask, args=(client, is_known), daemon=True)
            self._threads.append(thread)
            thread.start()
            pause = threading.Event()
            for _ in range(2000):
                if self._count() > before:
                    break
                pause.wait(0.01)
            else:
                raise AssertionError("neither at work nor waiting")

    def end(self, times: int) -> list[str | None]:
        """End one job after the other; return whose began meanwhile, in their order."""
        begun_before = len(self._begun_by)
        for _ in range(times):
            expected = len(self._begun_by) + (self._queue.count_waiting() > 0)
            self._steps.release()
            with self._begun:
                assert self._begun.wait_for(lambda: len(self._begun_by) >= expected, SECONDS)  # noqa: B023 - at once
        return self._begun_by[begun_before:]

    def close(self) -> None:
        for _ in self._threads:
            self._steps.release()
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()

    def _count(self) -> int:
        return len(self._begun_by) + self._queue.count_waiting() + self.refused

    def _ask(self, client: str | None, is_known: bool) -> None:
        def job() -> None:
            with self._begun:
                self._begun_by.append(client)
                self._begun.notify_all()
            assert self._steps.acquire(timeout=SECONDS)

        try:
            self._queue.work(job, client, is_known=is_known)
        except TooManyAtOnce:
            self.refused += 1


@contextmanager
def open_queue(workers: int = 1, max_waiting: int = 64, max_waiting_each: int = 16) -> Iterator[Jobs]:
    jobs = Jobs(HashQueue(workers, max_waiting, max_waiting_each))
    try:
        yield jobs
    finally:
        jobs.close()


def test_who_asks_for_much_waits_behind_themselves() -> None:
    with open_queue() as jobs:
        jobs.add("flood", 10)
        jobs.add("ada")
        jobs.add("bob", 2)
        assert jobs.end(6) == ["flood", "ada", "bob", "flood", "bob", "flood"]


def test_a_driver_who_is_known_waits_for_no_crowd() -> None:
    with open_queue() as jobs:
        for host in range(30):
            jobs.add(f"198.51.100.{host}")
        jobs.add("ada", is_known=True)
        assert jobs.end(2) == ["ada", "198.51.100.1"]


def test_known_drivers_who_never_stop_leave_every_fourth_turn_to_strangers() -> None:
    with open_queue() as jobs:
        jobs.add("ada", 8, is_known=True)
        jobs.add("198.51.100.1", 2)
        assert jobs.end(8) == [*["ada"] * 2, "198.51.100.1", *["ada"] * 3, "198.51.100.1", "ada"]


def test_one_client_leaves_threads_to_the_others() -> None:
    with open_queue(workers=4) as jobs:
        jobs.add("flood", 10)
        assert jobs.end(0) == []
        jobs.add("ada")
        jobs.add("bob")
        assert jobs.end(1)[-1:] == ["flood"]  # all four were at work: two of the flood's, hers and his


def test_a_crowd_is_refused_beyond_the_bound_and_known_drivers_are_not() -> None:
    with open_queue(max_waiting=8, max_waiting_each=4) as jobs:
        jobs.add("flood", 10)  # one at work, four waiting
        assert jobs.refused == 5
        for host in range(10):
            jobs.add(f"198.51.100.{host}")
        assert jobs.refused == 5 + 6
        jobs.add(None)
        assert jobs.refused == 5 + 7
        jobs.add("ada", is_known=True)
        assert jobs.refused == 5 + 7
        assert jobs.end(1) == ["ada"]


def test_those_who_are_not_known_may_wait_up_to_the_bound_of_all() -> None:
    with open_queue(max_waiting=8, max_waiting_each=4) as jobs:
        jobs.add(None, 12)
        assert jobs.refused == 3


def test_room_is_told_before_the_work_begins() -> None:
    queue = HashQueue(1, 2, 1)
    jobs = Jobs(queue)
    jobs.add("flood", 2)
    with pytest.raises(TooManyAtOnce):
        queue.require_room("flood")
    queue.require_room("ada")
    queue.require_room("flood", is_known=True)
    jobs.close()
    queue.require_room("flood")


def test_a_job_that_fails_passes_its_turn_on() -> None:
    queue = HashQueue(1, 2, 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            queue.work(lambda: 1 // 0, "ada")
    assert queue.work(lambda: 1, "ada") == 1
    assert queue.count_waiting() == 0


def test_who_waits_too_long_is_refused_and_leaves_the_queue() -> None:
    queue = HashQueue(1, patience_seconds=0.05)
    jobs = Jobs(queue)
    jobs.add("flood")
    for _ in range(3):
        with pytest.raises(TooManyAtOnce):
            queue.work(lambda: 1, "ada")
    assert queue.count_waiting() == 0
    jobs.close()
    assert queue.work(lambda: 1, "ada") == 1
