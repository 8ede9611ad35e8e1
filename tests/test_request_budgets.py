"""The real application refuses what one address asks too often, on every route, and nobody for what others do."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

import etl
from bench.server import Server, run_server
from db import open_engine, prepare_database
from feed.generator import FeedRecipe, write_feed
from settings import Settings

pytestmark = pytest.mark.slow

MANY = 150  # more than any kind of route may be asked here
HOUSES = count(1)
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Protocol": "streamlit",
}


class Heard(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Visitor:
    """Somebody behind a proxy that the application trusts, at an address of their own."""

    def __init__(self, server: Server) -> None:
        self._netloc = urlsplit(server.url).netloc
        self._address = f"203.0.113.{next(HOUSES)}"

    def ask(self, path: str, **headers: str) -> Heard:
        connection = http.client.HTTPConnection(self._netloc, timeout=60)
        try:
            connection.request("GET", path, headers={"X-Forwarded-For": self._address, **headers})
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Heard(answer.status, names, b"" if answer.status == 101 else answer.read())
        finally:
            connection.close()

    def ask_until_refused(self, path: str, **headers: str) -> tuple[list[int], Heard]:
        """Return how requests were answered until one was refused, and that refusal."""
        statuses: list[int] = []
        for _ in range(MANY):
            heard = self.ask(path, **headers)
            if heard.status == 429:
                return statuses, heard
            statuses.append(heard.status)
        raise AssertionError(f"{path} was answered {MANY} times")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The application with the smallest limit: one request to the API a minute."""
    folder = tmp_path_factory.mktemp("budgets")
    write_feed(folder / "feed.zip", FeedRecipe(newest_at=datetime.now(UTC), stations=300, first_id=1_000_001))
    settings = Settings(
        state_dir=folder, feed_url=str(folder / "feed.zip"), requests_per_minute=1, trusted_proxies="127.0.0.1"
    )
    engine = open_engine(settings.database)
    prepare_database(engine)
    assert etl.run_load(settings, engine).is_success
    engine.dispose()
    with run_server(settings) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "status", "least", "speaks_json"),
    [
        ("/api/v1/fuels", 200, 1, True),
        ("/api/v1/nothing", 404, 1, True),
        ("/stations.json?zip=69", 200, 5, True),
        ("/healthz", 200, 5, True),
        ("/readyz", 200, 5, True),
        ("/metrics", 403, 5, True),
        ("/backup/guessed", 404, 1, False),
        ("/", 200, 10, False),
        ("/a-page", 200, 10, False),
        ("/map-style/light.json", 200, 10, False),
        ("/assets/favicon.png", 200, 10, False),
        ("/assets/none", 404, 10, False),
        ("/_stcore/host-config", 200, 10, False),
    ],
)
def test_every_route_has_a_limit(server: Server, path: str, status: int, least: int, speaks_json: bool) -> None:
    statuses, refusal = Visitor(server).ask_until_refused(path)
    assert set(statuses) == {status}
    assert len(statuses) >= least
    assert int(refusal.headers["retry-after"]) > 0
    assert refusal.headers["cache-control"] == "no-store"
    assert refusal.headers["x-content-type-options"] == "nosniff"
    if speaks_json:
        assert refusal.headers["content-type"] == "application/problem+json"
        text = json.loads(refusal.body)["detail"]
    else:
        text = refusal.body.decode()
    assert text.startswith("Too many requests from this address; the next one may come in ")
    assert Visitor(server).ask(path).status == status, "another address"


def test_the_tabs_that_an_address_opens_have_a_limit(server: Server) -> None:
    visitor = Visitor(server)
    statuses, refusal = visitor.ask_until_refused("/_stcore/stream", **UPGRADE, Origin=server.url)
    assert statuses == [101]
    assert int(refusal.headers["retry-after"]) > 0
    assert visitor.ask("/").status == 200


def test_what_a_page_needs_takes_nothing_of_the_budget_of_programs(server: Server) -> None:
    visitor = Visitor(server)
    visitor.ask_until_refused("/assets/favicon.png")
    assert visitor.ask("/api/v1/status").status == 200
    assert visitor.ask("/stations.json?zip=69").status == 200


def test_who_asks_from_this_machine_after_its_health_is_never_refused(server: Server) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    for path in ["/healthz", "/readyz", "/metrics"] * 40:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, path
    connection.close()


def test_what_has_to_be_computed_has_a_budget_of_its_own_and_what_was_computed_needs_none(server: Server) -> None:
    first, second = Visitor(server), Visitor(server)
    assert first.ask("/stations.json?fuel=5&brands=esso,avia&lang=en").status == 200
    refusal = first.ask("/stations.json?fuel=6&brands=esso,avia&lang=en")
    assert refusal.status == 429
    assert json.loads(refusal.body)["status"] == 429
    assert int(refusal.headers["retry-after"]) > 0
    assert first.ask("/stations.json?lang=en&brands=avia,esso,esso&fuel=05&load=old").status == 200, (
        "the same, computed"
    )
    assert second.ask("/stations.json?fuel=6&brands=esso,avia&lang=en").status == 200, "another address"
    assert first.ask("/stations.json?fuel=6&brands=esso,avia&lang=en").status == 200, "which computed it"


def test_the_limits_can_be_watched(server: Server) -> None:
    Visitor(server).ask_until_refused("/api/v1/status")
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.request("GET", "/metrics")
    assert b'carburoam_refused_requests_total{kind="api"}' in connection.getresponse().read()
    connection.close()
