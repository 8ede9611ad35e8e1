"""How often one address may ask, for each kind of route: a bucket that fills again bit by bit; of this server alone.

One setting gives the budget of all kinds: what a program may ask of the API in a minute. A page needs some sixty files
at the first visit, and many visitors may share an address, so that files have a larger one; what has to be computed is
counted in seconds of CPU.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING, Literal, get_args

import anyio
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

from api.health import HEALTH_PATHS
from api.problems import make_problem
from errors import TooManyRequests
from origins import FORWARDED_FOR, Address, Network, find_address, is_from_this_machine, name_network
from shares import Client

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from api.metrics import Metrics

Kind = Literal["api", "points", "backup", "health", "tabs", "files"]

MAX_BUCKETS = 10_000  # about 2 MB; who has not asked for the longest time is forgotten first
UNKNOWN = ""  # the one bucket of all whose address isn't known
UNKNOWN_SHARE = 10  # so many times what one address may ask
# How many requests a minute for each that the setting allows of the API.
SHARES: dict[Kind, float] = {"api": 1, "points": 5, "backup": 0.1, "health": 5, "tabs": 0.5, "files": 50}
# What part of a minute's may be asked for at once: all, but of files, so that no burst of them fills seconds.
BURSTS: dict[Kind, float] = {"files": 0.2}
PROMPT_REFUSALS = 60  # a minute; whoever goes on asking waits for each, so that refusing costs next to nothing
REFUSAL_SECONDS = 1.0
MAX_HELD = 2_000  # refusals that wait at a time, of all addresses together
COMPUTING_SECONDS = 0.05  # of CPU for each request that the setting allows: with its default, a tenth of a core
ADVANCE_SECONDS = 0.25  # taken before it is known how long an answer takes: what the longest does
HEAD_BYTES = 4096  # of a request that counts for one; those of our own pages have less
GONE_SECONDS = 5.0
POINTS_PATH = "/stations.json"
BACKUP_PATH = "/backup/"
# What speaks JSON is refused in JSON.
IN_PROBLEMS: frozenset[Kind] = frozenset({"api", "points", "health"})


class Buckets:
    """The buckets of all addresses; threads may share it. What is in them is requests, or seconds of CPU."""

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic, burst: float = 1.0) -> None:
        self._per_minute = per_minute
        self._burst = burst  # what part of it a full bucket holds
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and when that was so

    def take(self, key: str, amount: float = 1.0) -> float:
        """Take from a bucket; return 0, or the seconds to wait until enough is there.

        A full one always has enough: it may owe the rest.
        """
        size, rate = self._find_size(key), self._find_rate(key)
        wanted = min(amount, size)
        with self._lock:
            left = self._fill(key, size)
            is_there = left >= wanted
            self._keep(key, left - amount if is_there else left)
        return 0.0 if is_there else (wanted - left) * 60 / rate

    def give_back(self, key: str, amount: float) -> None:
        """Put back what was taken too much; below 0: take what was taken too little."""
        size = self._find_size(key)
        with self._lock:
            self._keep(key, min(size, self._fill(key, size) + amount))

    def __len__(self) -> int:
        return len(self._buckets)

    def _find_rate(self, key: str) -> float:
        return self._per_minute * (UNKNOWN_SHARE if key == UNKNOWN else 1)

    def _find_size(self, key: str) -> float:
        return self._find_rate(key) * self._burst

    def _fill(self, key: str, size: float) -> float:
        now = self._clock()
        left, at = self._buckets.get(key, (size, now))
        return min(size, left + (now - at) * self._find_rate(key) / 60)

    def _keep(self, key: str, left: float) -> None:
        self._buckets[key] = (left, self._clock())
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)


def weigh_request(scope: Scope) -> int:
    """Return how many requests this one counts as: long addresses and headers cost as much to read as several."""
    size = len(scope["path"]) + len(scope["query_string"])
    size += sum(len(name) + len(value) for name, value in scope["headers"])
    return 1 + size // HEAD_BYTES


def name_bucket(address: Address | None) -> str:
    """Return the bucket of an address: that of its network, and one for all unknown ones."""
    return UNKNOWN if address is None else name_network(address)


def find_kind(scope: Scope) -> Kind:
    """Return the kind of route that a request goes to."""
    path = scope["path"]
    if scope["type"] == "websocket":
        return "tabs"
    if path == "/api" or path.startswith("/api/"):
        return "api"
    if path == POINTS_PATH:
        return "points"
    if path.startswith(BACKUP_PATH):
        return "backup"
    return "health" if path in HEALTH_PATHS else "files"


class Limits:
    """What one address may ask of the whole application in a minute; threads may share it. 0: any number."""

    def __init__(
        self, per_minute: int, proxies: Sequence[Network], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._proxies = proxies
        self._requests = {
            kind: Buckets(SHARES[kind] * per_minute, clock, BURSTS.get(kind, 1.0))
            for kind in get_args(Kind)
            if per_minute
        }
        self._refusals = Buckets(PROMPT_REFUSALS, clock)
        self._computing = Buckets(COMPUTING_SECONDS * per_minute, clock) if per_minute else None

    def take_request(self, scope: Scope, kind: Kind) -> int:
        """Count a request; return 0, or the whole seconds after which its address may ask again."""
        if not self._requests or (kind == "health" and is_from_this_machine(find_peer(scope), _list_names(scope))):
            return 0
        return ceil(self._requests[kind].take(self._find_bucket(scope), weigh_request(scope)))

    @contextmanager
    def compute(self, scope: Scope) -> Iterator[None]:
        """Count the CPU of this thread until the end of the block for the address that asked.

        Raises TooManyRequests: what its requests had to compute in the last minute was too much.
        """
        if self._computing is None:
            yield
            return
        key = self._find_bucket(scope)
        if seconds := ceil(self._computing.take(key, ADVANCE_SECONDS)):
            raise TooManyRequests(seconds)
        begin = time.thread_time()
        try:
            yield
        finally:
            self._computing.give_back(key, ADVANCE_SECONDS - (time.thread_time() - begin))

    def is_refused_often(self, scope: Scope) -> bool:
        """Count a refusal; say whether its address has had too many to be told at once."""
        return self._refusals.take(self._find_bucket(scope)) > 0

    def find_client(self, scope: Scope, what: str) -> Client:
        """Return by what a request is known where clients share what is scarce; `what` is asked for."""
        return Client(self._find_bucket(scope), tab=what)

    def _find_bucket(self, scope: Scope) -> str:
        forwarded = Headers(scope=scope).getlist(FORWARDED_FOR)
        return name_bucket(find_address(find_peer(scope), forwarded, self._proxies))


class LimitRequests:
    """ASGI middleware that refuses what is beyond the limits: files and pages in a sentence, the rest as problems."""

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics) -> None:
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        kind = find_kind(scope)
        seconds = self._limits.take_request(scope, kind)
        if not seconds:
            await self._app(scope, receive, send)
            return
        self._metrics.refused.labels(kind).inc()
        if self._limits.is_refused_often(scope) and self._held < MAX_HELD:
            self._held += 1
            try:
                await anyio.sleep(REFUSAL_SECONDS)
            finally:
                self._held -= 1
        refusal = refuse(seconds, in_problems=kind in IN_PROBLEMS)
        if scope["type"] == "websocket":
            await refuse_handshake(refusal, scope, receive, send)
        else:
            await refusal(scope, receive, send)


def refuse(seconds: int, *, in_problems: bool) -> Response:
    """Return the answer to who has asked too often and may ask again after so many seconds."""
    detail = f"Too many requests from this address; the next one may come in {seconds} s."
    headers = {"Retry-After": str(seconds), "Cache-Control": "no-store"}
    if not in_problems:
        return PlainTextResponse(f"{detail}\n", 429, headers)
    # A page of any other site may ask the API, and is to be told why it is refused.
    readable = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
    return make_problem(429, detail, headers | readable)


async def refuse_handshake(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer who opens a websocket with a refusal, where the server can; a browser shows no page what is in it."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1013})  # try again later
        return
    await refusal(scope, receive, send)
    # uvicorn logs an error when this returns before the connection is gone: it then takes the handshake for unfinished.
    # It says at once that the client has left, and again when that is so.
    with anyio.move_on_after(GONE_SECONDS):
        for _ in range(2):
            while (await receive())["type"] != "websocket.disconnect":
                pass


def find_peer(scope: Scope) -> str:
    """Return the other end of the connection; empty when it isn't known."""
    return str(scope["client"][0]) if scope.get("client") else ""


def _list_names(scope: Scope) -> list[str]:
    return Headers(scope=scope).keys()
