"""Runs of pages take turns: one at a time computes, the others wait in the order in which they came.

Python lets one thread of a process compute at a time. Runs that all compute at once are not done sooner, they are all
done late, and what they lose by interrupting one another makes a busy server slower than it needs to be. A run that
waits instead, for a database or anything else, holds nobody up: its turn passes on, and it goes on beside the others.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_SECONDS = 0.01  # how often the next in the queue looks at who has the turn
IDLE_SHARE = 0.1  # who computes for less of that time waits for something
# Several times what a run takes. Who takes longer goes on beside the next, also where no thread's time can be read.
TURN_SECONDS = 0.25


class _Turn:
    """A run in the queue, made by its own thread."""

    def __init__(self) -> None:
        self.has_come = False
        self.news = threading.Event()  # it is the first in the queue now, or has its turn
        self._read_seconds = _find_clock()
        self._looked_at = self._seconds = 0.0

    def begin(self) -> None:
        self.has_come = True
        self._looked_at, self._seconds = time.monotonic(), self._read_seconds()
        self.news.set()

    def waits(self) -> bool:
        """Say whether the run has hardly computed since the last look, which was long enough ago to tell."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return False
        seconds = self._read_seconds()
        is_idle = seconds - self._seconds < IDLE_SHARE * (now - self._looked_at)
        self._looked_at, self._seconds = now, seconds
        return is_idle


class Turns:
    """A queue of runs; safe to use from any thread."""

    def __init__(self, turn_seconds: float = TURN_SECONDS) -> None:
        self._turn_seconds = turn_seconds
        self._lock = threading.Lock()
        self._waiting: deque[_Turn] = deque()
        self._turn: _Turn | None = None  # whose it is
        self._ends = 0.0

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for one's turn and have it until the end of the block, or until one waits or takes too long."""
        turn = _Turn()
        with self._lock:
            self._waiting.append(turn)
            if self._turn is None:
                self._pass_on()
            is_first = self._is_first(turn)
        while not turn.has_come:
            # Only the first looks: a hundred that wait are not to wake a hundred times as often.
            turn.news.wait(LOOK_SECONDS if is_first else None)
            with self._lock:
                turn.news.clear()
                has_turn = self._turn if self._is_first(turn) else None
                if has_turn is not None and (has_turn.waits() or time.monotonic() >= self._ends):
                    self._pass_on()
                is_first = self._is_first(turn)
        try:
            yield
        finally:
            with self._lock:
                if self._turn is turn:
                    self._pass_on()

    def _is_first(self, turn: _Turn) -> bool:
        return bool(self._waiting) and self._waiting[0] is turn

    def _pass_on(self) -> None:
        self._turn = self._waiting.popleft() if self._waiting else None
        if self._turn is not None:
            self._ends = time.monotonic() + self._turn_seconds
            self._turn.begin()
            if self._waiting:
                self._waiting[0].news.set()


def _find_clock() -> Callable[[], float]:
    """Return what reads, from any thread, for how many seconds this thread has computed.

    Where a thread can't be asked by another, it seems to compute all the time.
    """
    try:
        number = time.pthread_getcpuclockid(threading.get_ident())
    except (AttributeError, OSError):
        return time.monotonic
    return lambda: time.clock_gettime(number)


TURNS = Turns()
