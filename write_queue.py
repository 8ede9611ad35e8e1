"""Who will write waits here, in this process, before a connection is taken: readers always find one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from errors import DatabaseBusy
from shares import Client, Shares

MAX_WAITING = 4  # of one tab: a person who presses again while nothing happens, and some more


class _Writer:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.has_turn = threading.Event()


class WriteQueue:
    """Lets one writer at a time go on, of those who wait the one whose client wrote least lately; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Writer] = []
        self._is_taken = False
        self._shares = Shares()

    @contextmanager
    def take(self, client: Client, seconds: float) -> Iterator[None]:
        """Wait for one's turn to write and have it until the end of the block.

        Raises DatabaseBusy: others had it for all these seconds, or enough of the same client wait already.
        """
        writer = self._enter(client)
        try:
            if not writer.has_turn.wait(seconds):
                raise DatabaseBusy(f"others were writing for {seconds:g} s")
        except BaseException:
            self._leave(writer)
            raise
        begin = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                # Each costs something, however short.
                self._shares.charge(client, 0.01 + time.monotonic() - begin)
                self._pass_on()

    def _enter(self, client: Client) -> _Writer:
        writer = _Writer(client)
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                writer.has_turn.set()
                return writer
            if client.tab and sum(one.client.is_same_tab(client) for one in self._waiting) >= MAX_WAITING:
                raise DatabaseBusy(f"{MAX_WAITING} changes of the same client wait already")
            self._waiting.append(writer)
        return writer

    def _leave(self, writer: _Writer) -> None:
        """Wait no longer; a turn that came at this moment goes to the next."""
        with self._lock:
            if writer.has_turn.is_set():
                self._pass_on()
            else:
                self._waiting.remove(writer)

    def _pass_on(self) -> None:
        self._is_taken = bool(self._waiting)
        if self._waiting:
            writer = self._shares.choose(self._waiting)
            self._waiting.remove(writer)
            writer.has_turn.set()
