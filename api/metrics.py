"""What those who run the server watch, in Prometheus' text form, from a registry of our own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api.loads import count_loads, get_last_load
from prices.freshness import get_freshness

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATUSES = ("loaded", "unchanged", "refused", "failed")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
SESSIONS_PATH = "/_stcore/stream"  # the websocket that a tab holds as long as it is open


class Metrics:
    """What this process counts by itself, and the registry that has all of it."""

    def __init__(self, open_reading: Callable[[], Connection]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "carburoam_api_requests", "Requests to the API.", ("route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "carburoam_api_request_seconds",
            "How long requests to the API took.",
            ("route",),
            registry=self.registry,
            buckets=BUCKETS,
        )
        self.refused = Counter(
            "carburoam_refused_requests",
            "Requests refused because their address asked too often.",
            ("kind",),
            registry=self.registry,
        )
        self.sessions = Gauge(
            "carburoam_sessions", "Tabs that are open on this server, by their websockets.", registry=self.registry
        )
        ProcessCollector(registry=self.registry)
        self.registry.register(DatabaseCollector(open_reading))


class DatabaseCollector(Collector):
    """Reads, whenever it is asked, what loads left in the database; what can't be read is left out."""

    def __init__(
        self, open_reading: Callable[[], Connection], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._open_reading = open_reading
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Yield the families; the first says whether the database could be read."""
        try:
            with self._open_reading() as connection:
                families = [*self._read_loads(connection), *self._read_ages(connection)]
        except (SQLAlchemyError, OSError):
            families = None
        yield GaugeMetricFamily(
            "carburoam_database_up", "Whether the database can be read.", value=0 if families is None else 1
        )
        yield from families or ()

    def _read_loads(self, connection: Connection) -> Iterator[Metric]:
        counts = count_loads(connection)
        loads = CounterMetricFamily("carburoam_loads", "Loads that have ended, by how.", labels=("status",))
        seconds = GaugeMetricFamily(
            "carburoam_last_load_seconds", "How long the last load that ended so took.", labels=("status",)
        )
        for status in STATUSES:
            loads.add_metric((status,), counts.get(status, 0))
            if (load := get_last_load(connection, (status,))) is not None:
                seconds.add_metric((status,), load.seconds)
        yield loads
        yield seconds
        if (stored := get_last_load(connection, ("loaded",))) is not None:
            rejected = GaugeMetricFamily(
                "carburoam_rejected_records", "Records of the feed that the last load rejected.", labels=("kind",)
            )
            rejected.add_metric(("stations",), stored.stations_rejected)
            rejected.add_metric(("prices",), stored.prices_rejected)
            yield rejected

    def _read_ages(self, connection: Connection) -> Iterator[Metric]:
        freshness = get_freshness(connection)
        if freshness is None:
            return
        now = self._now()
        yield GaugeMetricFamily(
            "carburoam_load_age_seconds",
            "Time since the feed was last loaded or found unchanged.",
            value=(now - freshness.loaded_at).total_seconds(),
        )
        if freshness.newest_report_at is not None:
            yield GaugeMetricFamily(
                "carburoam_data_age_seconds",
                "Time since the newest price was reported.",
                value=(now - freshness.newest_report_at).total_seconds(),
            )
        yield GaugeMetricFamily(
            "carburoam_is_sample", "Whether the prices are invented ones.", value=int(freshness.is_sample)
        )


class MeasureRequests:
    """ASGI middleware that counts the requests of the API by route and status, and how long they took."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, start, outer = 500, time.perf_counter(), scope.get("route")

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            # Only addresses that there are become labels: of the others there is no end.
            route = scope.get("route")
            name = "none" if route is outer else f"{scope['root_path']}{getattr(route, 'path', '')}"
            self._metrics.requests.labels(name, str(status)).inc()
            self._metrics.seconds.labels(name).observe(time.perf_counter() - start)


class CountSessions:
    """ASGI middleware that counts the tabs that are open."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket" or not scope["path"].endswith(SESSIONS_PATH):
            await self._app(scope, receive, send)
            return
        with self._metrics.sessions.track_inprogress():
            await self._app(scope, receive, send)
