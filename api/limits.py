"""How often one address may ask: a bucket of requests for each, filled again bit by bit; of this server alone."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from math import ceil
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from api.problems import make_problem
from origins import FORWARDED_FOR, Address, Network, find_address, name_network

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

MAX_BUCKETS = 10_000  # about 2 MB; who has not asked for the longest time is forgotten first
UNKNOWN = ""  # the one bucket of all whose address isn't known
UNKNOWN_SHARE = 10  # so many times what one address may ask


class Buckets:
    """The buckets of all addresses; threads may share it."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, and when that was so

    def take(self, key: str) -> float:
        """Take a request from a bucket; return 0, or the seconds to wait until there is one."""
        size = float(self._per_minute * (UNKNOWN_SHARE if key == UNKNOWN else 1))
        now = self._clock()
        with self._lock:
            left, at = self._buckets.pop(key, (size, now))
            left = min(size, left + (now - at) * size / 60)
            is_there = left >= 1
            self._buckets[key] = (left - 1 if is_there else left, now)
            if len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
        return 0.0 if is_there else (1 - left) * 60 / size

    def __len__(self) -> int:
        return len(self._buckets)


def name_bucket(address: Address | None) -> str:
    """Return the bucket of an address: that of its network, and one for all unknown ones."""
    return UNKNOWN if address is None else name_network(address)


class LimitRequests:
    """ASGI middleware that refuses requests beyond so many a minute from one address; 0: none."""

    def __init__(self, app: ASGIApp, per_minute: int, proxies: Sequence[Network]) -> None:
        self._app = app
        self._proxies = proxies
        self._buckets = Buckets(per_minute) if per_minute else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._buckets is None:
            await self._app(scope, receive, send)
            return
        peer = scope["client"][0] if scope.get("client") else ""
        address = find_address(peer, Headers(scope=scope).getlist(FORWARDED_FOR), self._proxies)
        seconds = ceil(self._buckets.take(name_bucket(address)))
        if not seconds:
            await self._app(scope, receive, send)
            return
        detail = f"Too many requests from this address; the next one may come in {seconds} s."
        await make_problem(429, detail, {"Retry-After": str(seconds)})(scope, receive, send)
