"""The queue of the work that passwords cost on purpose: bounded, and fair between those who ask for it."""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from errors import TooManyAtOnce
from niceness import stand_back

# One core is left to the pages, of which a process computes one at a time.
WORKERS = max(1, (os.cpu_count() or 1) - 1)
MAX_WAITING = 64
MAX_WAITING_EACH = 16
STRANGERS_TURN = 4  # each so many turns theirs comes first
PATIENCE_SECONDS = 15.0  # what the longest queue takes on a machine that does nothing else

T = TypeVar("T")


class HashQueue:
    """Hands out the turns of a few threads that stand back for all others; safe to use from any thread.

    Clients take turns, so that who asks for much waits behind themselves. Those who are known go first: a driver at an
    address of theirs is not to wait for a crowd of strangers. Each kind has a limit of its own, and strangers every
    fourth turn, so that neither keeps the other out.
    """

    def __init__(
        self,
        workers: int = WORKERS,
        max_waiting: int = MAX_WAITING,
        max_waiting_each: int = MAX_WAITING_EACH,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._patience_seconds = patience_seconds
        self._threads = ThreadPoolExecutor(workers, "password", stand_back)
        self._free = workers
        self._most_each = max(1, workers // 2)
        self._lock = threading.Lock()
        self._busy: Counter[str | None] = Counter()
        self._known = _Line(max_waiting, max_waiting_each)
        self._strangers = _Line(max_waiting, max_waiting_each)
        self._given = 0

    def require_room(self, client: str | None, *, is_known: bool = False) -> None:
        """Let a client begin with what will end in `work`. Raises TooManyAtOnce: it would not be taken now."""
        with self._lock:
            self._get_line(is_known).require_room(client)

    def work(self, job: Callable[[], T], client: str | None, *, is_known: bool = False) -> T:
        """Do a job when it is the client's turn, and return what it returns; None stands for all clients not known.

        Raises TooManyAtOnce: too many wait already, of all or of this client, or the turn did not come in time.
        """
        turn = threading.Event()
        with self._lock:
            line = self._get_line(is_known)
            line.require_room(client)
            line.add(client, turn)
            self._pass_on()
        if not turn.wait(self._patience_seconds):
            with self._lock:
                if not turn.is_set():
                    line.remove(client, turn)
                    raise TooManyAtOnce
        try:
            return self._threads.submit(job).result()
        finally:
            with self._lock:
                self._free += 1
                self._busy[client] -= 1
                self._busy += Counter()  # forgets who has none left
                self._pass_on()

    def count_waiting(self) -> int:
        """Return how many wait for their turn."""
        with self._lock:
            return self._known.count + self._strangers.count

    def _get_line(self, is_known: bool) -> _Line:
        return self._known if is_known else self._strangers

    def _pass_on(self) -> None:
        while self._free and (found := self._take_next()):
            client, turn = found
            self._given += 1
            self._free -= 1
            self._busy[client] += 1
            turn.set()

    def _take_next(self) -> tuple[str | None, threading.Event] | None:
        lines = [self._known, self._strangers]
        if self._given % STRANGERS_TURN == STRANGERS_TURN - 1:
            lines.reverse()
        for line in lines:
            if found := line.take(lambda client: self._busy[client] < self._most_each):
                return found
        return None


class _Line:
    """Those who wait, by client; the client whose turn is next comes first."""

    def __init__(self, max_waiting: int, max_waiting_each: int) -> None:
        self._max_waiting = max_waiting
        self._max_waiting_each = max_waiting_each
        self._waiting: OrderedDict[str | None, deque[threading.Event]] = OrderedDict()
        self.count = 0

    def require_room(self, client: str | None) -> None:
        # Those who are not known are many people, of whom each has one turn to wait for.
        most_each = self._max_waiting if client is None else self._max_waiting_each
        if self.count >= self._max_waiting or len(self._waiting.get(client, ())) >= most_each:
            raise TooManyAtOnce

    def add(self, client: str | None, turn: threading.Event) -> None:
        self._waiting.setdefault(client, deque()).append(turn)
        self.count += 1

    def remove(self, client: str | None, turn: threading.Event) -> None:
        self._waiting[client].remove(turn)
        self.count -= 1
        if not self._waiting[client]:
            del self._waiting[client]

    def take(self, may_begin: Callable[[str | None], bool]) -> tuple[str | None, threading.Event] | None:
        """Take out whose turn it is; None when nobody waits who may begin."""
        for client, turns in self._waiting.items():
            if may_begin(client):
                self.count -= 1
                turn = turns.popleft()
                self._waiting.move_to_end(client)
                if not turns:
                    del self._waiting[client]
                return client, turn
        return None
