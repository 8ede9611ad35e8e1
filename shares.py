"""Who has used how much lately: what is scarce goes next to the client that used least, whoever asks most often."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from contextvars import ContextVar
from typing import NamedTuple, Protocol, TypeVar

HALF_LIFE_SECONDS = 10.0  # after which half of what was used is forgotten
MAX_KEYS = 10_000  # about 2 MB; who has not used anything for the longest time is forgotten first


class Client(NamedTuple):
    """Who asks, on two levels: an address, and one of those behind it, such as a tab of a browser.

    Addresses share first, and those behind one share what it gets: who opens many tabs takes it from the own address,
    and a neighbour behind a shared one who uses little is still served first there.
    """

    address: str = ""  # empty: not known, one for all whose address isn't
    tab: str = ""


# Who asks for what this thread does.
CLIENT: ContextVar[Client] = ContextVar("client", default=Client())  # noqa: B039 - it can't be changed


class Waiting(Protocol):
    """Somebody who waits."""

    client: Client


W = TypeVar("W", bound=Waiting)


class Shares:
    """What each client used lately, in any unit; not safe to use from several threads without a lock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # how much, and when that was so

    def charge(self, client: Client, amount: float) -> None:
        """Note that a client used so much."""
        now = self._clock()
        for key in (client.address, client):
            self._used[key] = (self._find(key, now) + amount, now)
            self._used.move_to_end(key)
        while len(self._used) > MAX_KEYS:
            self._used.popitem(last=False)

    def choose(self, waiting: Iterable[W]) -> W:
        """Return who is next: of the address that used least lately, there of the tab that did; else who came first.

        Nobody waits for ever: what was used is forgotten while one waits, and those who are served use more.
        """
        now, found = self._clock(), {}

        def rank(one: W) -> tuple[float, float]:
            if one.client not in found:
                found[one.client] = (self._find(one.client.address, now), self._find(one.client, now))
            return found[one.client]

        return min(waiting, key=rank)

    def __len__(self) -> int:
        return len(self._used)

    def _find(self, key: Hashable, now: float) -> float:
        amount, at = self._used.get(key, (0.0, now))
        return amount * math.exp2((at - now) / HALF_LIFE_SECONDS)
