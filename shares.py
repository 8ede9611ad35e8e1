"""Who has used how much lately: what is scarce goes next to the client that used least, whoever asks most often."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from contextvars import ContextVar
from typing import NamedTuple, Protocol, TypeVar

# After which half of what was used is forgotten. Short, since a newcomer has used nothing, and is served first until
# they have used as much as the others.
HALF_LIFE_SECONDS = 1.0
MAX_KEYS = 10_000  # about 2 MB; who has not used anything for the longest time is forgotten first


class Client(NamedTuple):
    """Who asks, on three levels: an address, a driver behind it, a tab of the driver's.

    Addresses share first, drivers share what theirs gets, and tabs what their driver gets: who opens many tabs takes it
    from nobody else, and drivers behind one address, as in an office or a mobile network, don't from each other. All
    at an address who are not logged in count as one driver.
    """

    address: str = ""  # empty: not known, one for all whose address isn't
    driver: str = ""
    tab: str = ""  # or what else is asked for

    def is_same_tab(self, other: Client) -> bool:
        """Say whether both are one tab, though a driver may have logged in there."""
        return (self.address, self.tab) == (other.address, other.tab)


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
        for key in _list_levels(client):
            self._used[key] = (self._find(key, now) + amount, now)
            self._used.move_to_end(key)
        while len(self._used) > MAX_KEYS:
            self._used.popitem(last=False)

    def choose(self, waiting: Iterable[W]) -> W:
        """Return who is next: who used least lately, on the first level that tells them apart; else who came first.

        Nobody waits for ever: what was used is forgotten while one waits, and those who are served use more.
        """
        now = self._clock()
        found: dict[Client, list[float]] = {}

        def rank(one: W) -> list[float]:
            if one.client not in found:
                found[one.client] = [self._find(key, now) for key in _list_levels(one.client)]
            return found[one.client]

        return min(waiting, key=rank)

    def __len__(self) -> int:
        return len(self._used)

    def _find(self, key: Hashable, now: float) -> float:
        amount, at = self._used.get(key, (0.0, now))
        return amount * math.exp2((at - now) / HALF_LIFE_SECONDS)


def _list_levels(client: Client) -> list[tuple[str, ...]]:
    return [client[:depth] for depth in range(1, len(client) + 1)]
