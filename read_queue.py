"""Requests of programs and maps wait here before they take a thread to read with: clients take turns."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
import anyio.to_thread

from shares import Client, Shares

T = TypeVar("T")

REQUEST_SECONDS = 0.01  # what each costs at least, however short


class _Reader:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.has_turn = anyio.Event()


class ReadQueue:
    """Lets so many readers go on at once, of those who wait the one whose client read least lately.

    While others wait, no address is given more than half of the turns. For the tasks of one event loop.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._threads = anyio.CapacityLimiter(size)
        self._waiting: list[_Reader] = []
        self._reading: Counter[str] = Counter()  # by address
        self._shares = Shares()

    async def run(self, client: Client, work: Callable[[], T]) -> T:
        """Wait for one's turn, do the work in a thread and return its result.

        Who is cancelled waits no longer, and leaves the thread to itself.
        """
        async with self.take(client):
            return await anyio.to_thread.run_sync(work, limiter=self._threads, abandon_on_cancel=True)

    @asynccontextmanager
    async def take(self, client: Client) -> AsyncIterator[None]:
        """Wait for one's turn and have it until the end of the block."""
        reader = _Reader(client)
        self._waiting.append(reader)
        self._pass_on()
        try:
            await reader.has_turn.wait()
            begin = time.monotonic()
            try:
                yield
            finally:
                self._shares.charge(client, time.monotonic() - begin)
        finally:
            # A turn may have come at the moment of leaving.
            if reader.has_turn.is_set():
                self._reading[client.address] -= 1
                self._pass_on()
            else:
                self._waiting.remove(reader)

    def _pass_on(self) -> None:
        while self._waiting and self._reading.total() < self._size:
            modest = [one for one in self._waiting if self._reading[one.client.address] < self._size // 2]
            reader = self._shares.choose(modest or self._waiting)
            self._waiting.remove(reader)
            # Counted before it is known how long it takes: several may be given a turn at once.
            self._shares.charge(reader.client, REQUEST_SECONDS)
            self._reading = +self._reading  # without those who read nothing now
            self._reading[reader.client.address] += 1
            reader.has_turn.set()
