"""Threads that read for programs and maps: requests wait here, before one is taken, and clients take turns."""

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


class _Request:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.has_place = anyio.Event()


class Places:
    """Lets so many requests go on at once, of those that wait the one whose client held places least lately.

    While others wait, no address is given more than half of the places. For the tasks of one event loop.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._threads = anyio.CapacityLimiter(size)
        self._waiting: list[_Request] = []
        self._held: Counter[str] = Counter()  # by address
        self._shares = Shares()

    async def run(self, client: Client, work: Callable[[], T]) -> T:
        """Wait for a place, do the work in a thread and return what it returns.

        Who is cancelled waits no longer, and leaves the thread to itself.
        """
        async with self.take(client):
            return await anyio.to_thread.run_sync(work, limiter=self._threads, abandon_on_cancel=True)

    @asynccontextmanager
    async def take(self, client: Client) -> AsyncIterator[None]:
        """Wait for a place and have it until the end of the block."""
        request = _Request(client)
        self._waiting.append(request)
        self._pass_on()
        try:
            await request.has_place.wait()
            begin = time.monotonic()
            try:
                yield
            finally:
                self._shares.charge(client, time.monotonic() - begin)
        finally:
            # A place may have come at the moment of leaving.
            if request.has_place.is_set():
                self._held[client.address] -= 1
                self._pass_on()
            else:
                self._waiting.remove(request)

    def _pass_on(self) -> None:
        while self._waiting and self._held.total() < self._size:
            modest = [one for one in self._waiting if self._held[one.client.address] < self._size // 2]
            request = self._shares.choose(modest or self._waiting)
            self._waiting.remove(request)
            # Counted before it is known how long it takes: several may be given a place at once.
            self._shares.charge(request.client, REQUEST_SECONDS)
            self._held = +self._held  # without those who hold none
            self._held[request.client.address] += 1
            request.has_place.set()
