"""What computes takes turns: one at a time, of those who wait the one whose client computed least lately.

Python lets one thread of a process compute at a time. Runs that all compute at once are not done sooner, they are all
done late, and what they lose by interrupting one another makes a busy server slower than it needs to be. A run that
waits instead, for a database or anything else, holds nobody up: its turn passes on, and it goes on beside the others.

What pages, the map and the API compute is shared by client and not by run: whoever asks for much waits for their own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shares import Client, Shares

LOOK_SECONDS = 0.01  # how often one of those who wait looks at who has the turn
IDLE_SHARE = 0.1  # who computes for less of that time, and would not if it could, waits for something
# Who computes for longer goes on beside the next, so that two do. Meanwhile those of the same tab wait, and those of
# the same driver's other tabs until that has taken several times what a run takes. The first is twice what a run
# computes; the second also counts where no thread's time can be read.
COMPUTING_SECONDS, TURN_SECONDS = 0.04, 0.25


class _Turn:
    """A run in the queue, made by its own thread."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.has_come = False
        self.news = threading.Event()  # it is the one to look now, or has its turn
        self._read_seconds = _find_clock()
        self._thread_id = threading.get_native_id()
        self.ends_at = 0.0
        self._looked_at = self._seconds = self._settled = self._begun = self._delay = 0.0

    def begin(self, turn_seconds: float) -> None:
        self.has_come = True
        self.ends_at = time.monotonic() + turn_seconds
        self._looked_at, self._seconds = time.monotonic(), self._read_seconds()
        self._delay = _read_delay(self._thread_id)
        self._settled = self._begun = self._seconds
        self.news.set()

    def waits(self) -> bool:
        """Say whether the run has hardly computed since the last look, which was long enough ago to tell.

        Who has only waited for a processor, on a machine that is busy with other programs, does not wait for anything.
        """
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return False
        seconds, delay = self._read_seconds(), _read_delay(self._thread_id)
        used = seconds - self._seconds + delay - self._delay
        is_idle = used < IDLE_SHARE * (now - self._looked_at) and not _is_runnable(self._thread_id)
        self._looked_at, self._seconds, self._delay = now, seconds, delay
        return is_idle

    def count_seconds(self) -> float:
        """Return for how many seconds the run has computed since it has its turn."""
        return self._read_seconds() - self._begun

    def settle(self) -> float:
        """Return for how many seconds the run has computed since this was last asked."""
        before, self._settled = self._settled, self._read_seconds()
        return self._settled - before


class Turns:
    """A queue of runs; safe to use from any thread."""

    def __init__(self, turn_seconds: float = TURN_SECONDS, computing_seconds: float = COMPUTING_SECONDS) -> None:
        self._turn_seconds, self._computing_seconds = turn_seconds, computing_seconds
        self._lock = threading.Lock()
        self._shares = Shares()
        self._waiting: list[_Turn] = []
        self._turn: _Turn | None = None  # whose it is
        self._late: list[_Turn] = []  # who computes beside it
        self._own = threading.local()

    @contextmanager
    def take(self, client: Client, *, supersedes: bool = False) -> Iterator[None]:
        """Wait for one's turn and have it until the end of the block, or until one waits or takes too long.

        Within a block of the same thread there is nothing to wait for. With `supersedes` the runs of this tab that
        wait are over: they go on at once, to find that out.
        """
        if getattr(self._own, "is_in_block", False):
            yield
            return
        turn = _Turn(client)
        try:
            self._wait(turn, supersedes=supersedes)
            self._own.is_in_block = True
            yield
        finally:
            self._own.is_in_block = False
            self._leave(turn)

    def _wait(self, turn: _Turn, *, supersedes: bool) -> None:
        with self._lock:
            for old in [one for one in self._waiting if supersedes and one.client.is_same_tab(turn.client)]:
                self._release(old)
            self._waiting.append(turn)
            if self._turn is None:
                self._pass_on()
            looks = self._looks(turn)
        while not turn.has_come:
            # Only one looks: a hundred that wait are not to wake a hundred times as often.
            turn.news.wait(LOOK_SECONDS if looks else None)
            with self._lock:
                turn.news.clear()
                looks = self._looks(turn)
                if looks:
                    self._look()
                    looks = self._looks(turn)

    def _look(self) -> None:
        """Pass the turn on if who has it waits or takes too long, or if who kept others from it no longer does."""
        self._late = [one for one in self._late if not one.waits()]
        if self._turn is not None:
            is_late = self._turn.count_seconds() >= self._computing_seconds or time.monotonic() >= self._turn.ends_at
            if is_late:
                self._late.append(self._turn)
            elif not self._turn.waits():
                return
        self._pass_on()

    def _leave(self, turn: _Turn) -> None:
        with self._lock:
            if turn in self._late:
                self._late.remove(turn)
            if turn.has_come:
                self._shares.charge(turn.client, turn.settle())
            elif turn in self._waiting:
                self._release(turn)
            if self._turn is turn or self._turn is None:
                self._pass_on()

    def _looks(self, turn: _Turn) -> bool:
        return bool(self._waiting) and self._waiting[0] is turn

    def _pass_on(self) -> None:
        if self._turn is not None:
            self._shares.charge(self._turn.client, self._turn.settle())
        now = time.monotonic()
        tabs = [one.client for one in self._late]
        drivers = [one.client[:2] for one in self._late if now < one.ends_at]
        may_come = [one for one in self._waiting if one.client not in tabs and one.client[:2] not in drivers]
        self._turn = self._shares.choose(may_come) if may_come else None
        if self._turn is not None:
            self._release(self._turn)

    def _release(self, turn: _Turn) -> None:
        """Let a run that waits go on."""
        looked = self._looks(turn)
        self._waiting.remove(turn)
        turn.begin(self._turn_seconds)
        if looked and self._waiting:
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


def _read_delay(thread_id: int) -> float:
    """Return for how many seconds a thread of this process has waited for a processor; 0 where nobody tells.

    The second number of https://docs.kernel.org/scheduler/sched-stats.html, without the wait that is not over.
    """
    try:
        numbers = Path(f"/proc/self/task/{thread_id}/schedstat").read_bytes().split()
        return int(numbers[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def _is_runnable(thread_id: int) -> bool:
    """Say whether a thread of this process runs or waits for a processor; False where nobody tells."""
    try:
        return Path(f"/proc/self/task/{thread_id}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"R"
    except (OSError, IndexError):
        return False


TURNS = Turns()
