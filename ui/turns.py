"""Runs of pages take turns: one at a time computes, the others wait in the order in which they came.

Python lets one thread of a process compute at a time. Runs that all compute at once are not done sooner, they are all
done late, and what they lose by interrupting one another makes a busy server slower than it needs to be.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

# Several times what a run takes. Who takes longer waits for something, and nobody else should wait for that.
TURN_SECONDS = 0.25


class Turns:
    """A queue of runs; safe to use from any thread."""

    def __init__(self, turn_seconds: float = TURN_SECONDS) -> None:
        self._turn_seconds = turn_seconds
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._turn: threading.Event | None = None  # whose it is
        self._ends = 0.0

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for one's turn and have it until the end of the block; a turn that lasts too long goes on beside it."""
        turn = threading.Event()
        with self._lock:
            self._waiting.append(turn)
            if self._turn is None:
                self._pass_on()
        while not turn.wait(max(0.0, self._ends - time.monotonic())):
            with self._lock:
                if time.monotonic() >= self._ends:
                    self._pass_on()
        try:
            yield
        finally:
            with self._lock:
                if self._turn is turn:
                    self._pass_on()

    def _pass_on(self) -> None:
        self._turn = self._waiting.popleft() if self._waiting else None
        if self._turn is not None:
            self._ends = time.monotonic() + self._turn_seconds
            self._turn.set()


TURNS = Turns()
