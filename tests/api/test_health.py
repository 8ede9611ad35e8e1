"""Whether the server says that it lives and can work, and to whom it shows its figures."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from asgi_client import Client, Heard, make_outside
from conftest import MakeFeed
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, Engine, text, update
from sqlalchemy.exc import OperationalError
from starlette.types import Message, Receive, Scope, Send

from api import health
from api.metrics import CountSessions, DatabaseCollector, Metrics
from db import begin_writing
from etl import run_load
from models import FeedState
from settings import Settings

LOOPBACK = "127.0.0.1"
PROXY = "10.0.0.1"
SCRAPER = "192.0.2.9"


def fail() -> Connection:
    raise OperationalError("SELECT 1", {}, Exception("secret reason"))


@pytest.fixture
def client(engine: Engine, settings: Settings, make_feed: MakeFeed) -> Client:
    assert run_load(settings.model_copy(update={"feed_url": str(make_feed())}), engine).is_success
    watched = settings.model_copy(update={"trusted_proxies": PROXY, "trusted_scrapers": f"{SCRAPER}, 198.51.100.0/24"})
    return make_outside(watched, engine.connect)


def read_samples(answer: Heard) -> dict[str, float]:
    """Return every sample by its name and the values of its labels."""
    assert answer.status == 200
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_the_process_lives_whatever_becomes_of_the_database(settings: Settings) -> None:
    assert make_outside(settings, fail).get("/healthz").json == {"status": "ok"}


@pytest.mark.parametrize("path", health.HEALTH_PATHS)
def test_what_can_only_be_read_refuses_other_methods_as_a_problem(client: Client, path: str) -> None:
    answer = client.get(path, method="POST", address=LOOPBACK)
    assert (answer.status, answer.headers["content-type"]) == (405, "application/problem+json")
    assert (answer.json["status"], sorted(answer.headers["allow"].split(", "))) == (405, ["GET", "HEAD"])


def test_it_is_ready_when_there_are_prices(client: Client) -> None:
    assert client.get("/readyz").json == {"status": "ready"}


def test_before_the_first_load_it_is_not(engine: Engine, settings: Settings) -> None:
    answer = make_outside(settings, engine.connect).get("/readyz")
    assert (answer.status, answer.json["detail"]) == (503, "nothing was loaded yet")
    assert answer.headers["content-type"] == "application/problem+json"


def test_nor_with_tables_of_an_older_version_but_with_those_of_a_newer_one(client: Client, engine: Engine) -> None:
    with begin_writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'of the future'"))
    assert client.get("/readyz").status == 200
    oldest = health.needs_upgrade.__globals__["_list_revisions"]()[-1]
    with begin_writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :oldest"), {"oldest": oldest})
    assert client.get("/readyz").json["detail"] == "the tables of the database are of an older version"


def test_nor_when_the_database_is_away(settings: Settings) -> None:
    answer = make_outside(settings, fail).get("/readyz")
    assert (answer.status, answer.json["detail"]) == (503, "the database can't be read")


def test_nor_when_it_does_not_answer(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()

    def hang() -> Connection:
        is_over.wait(60)
        return fail()

    monkeypatch.setattr(health, "READY_SECONDS", 0.05)
    client = make_outside(settings, hang)
    assert client.get("/readyz").json["detail"] == "the database does not answer"
    is_over.set()


@pytest.mark.parametrize(
    ("address", "headers", "is_let_in"),
    [
        (LOOPBACK, {}, True),
        ("::1", {}, True),
        ("::ffff:127.0.0.1", {}, True),
        (SCRAPER, {}, True),
        ("198.51.100.77", {}, True),
        (PROXY, {"X-Forwarded-For": SCRAPER}, True),
        ("203.0.113.7", {}, False),
        (PROXY, {}, False),
        (PROXY, {"X-Forwarded-For": "203.0.113.7"}, False),
        (PROXY, {"X-Forwarded-For": f"{SCRAPER}, 203.0.113.7"}, False),
        (PROXY, {"X-Forwarded-For": LOOPBACK}, False),
        ("203.0.113.7", {"X-Forwarded-For": SCRAPER}, False),
        (LOOPBACK, {"X-Forwarded-For": LOOPBACK}, False),
        (LOOPBACK, {"X-Forwarded-For": "203.0.113.7"}, False),
        (LOOPBACK, {"Forwarded": "for=203.0.113.7"}, False),
        (LOOPBACK, {"X-Real-IP": "203.0.113.7"}, False),
        (LOOPBACK, {"Via": "1.1 proxy"}, False),
        ("", {}, False),
    ],
)
def test_figures_are_for_this_machine_and_trusted_addresses(
    client: Client, address: str, headers: dict[str, str], is_let_in: bool
) -> None:
    client.address = address
    answer = client.get("/metrics", headers)
    if is_let_in:
        assert answer.status == 200
    else:
        assert (answer.status, answer.headers["content-type"]) == (403, "application/problem+json")
        assert b"carburoam_" not in answer.body


@pytest.mark.parametrize(
    ("host", "is_let_in"),
    [
        ("localhost", True),
        ("LOCALHOST.:8501", True),
        ("carburoam.localhost:8501", True),
        ("127.0.0.1:8501", True),
        ("192.0.2.1", True),
        ("[::1]:8501", True),
        (socket.gethostname(), True),
        (f"{socket.gethostname().upper()}:8501", True),
        ("evil.example", False),
        ("evil.example:8501", False),
        ("localhost.evil.example", False),
        ("evillocalhost", False),
        ("127.0.0.1.evil.example", False),
        ("[evil.example]", False),
        ("localhost:8501:8501", False),
        ("localhost@evil.example", False),
        ("", False),
    ],
)
def test_a_site_whose_name_leads_to_this_machine_reads_no_figures(client: Client, host: str, is_let_in: bool) -> None:
    answer = client.get("/metrics", {"Host": host}, address=LOOPBACK)
    assert answer.status == (200 if is_let_in else 403)
    assert (b"carburoam_" in answer.body) == is_let_in
    scraped = client.get("/metrics", {"Host": host}, address=SCRAPER)
    assert scraped.status == 200, "who is trusted by address has it from no browser of this machine"


def test_loads_and_ages_are_read_from_the_database(
    client: Client, engine: Engine, settings: Settings, make_feed: MakeFeed
) -> None:
    run_load(settings.model_copy(update={"feed_url": str(settings.state_dir / "none.zip")}), engine)
    samples = read_samples(client.get("/metrics", address=LOOPBACK))
    assert samples["carburoam_database_up"] == 1
    assert (samples["carburoam_loads_total loaded"], samples["carburoam_loads_total failed"]) == (1, 1)
    assert samples["carburoam_loads_total refused"] == 0
    assert samples["carburoam_last_load_seconds loaded"] > 0
    assert samples["carburoam_rejected_records stations"] == 0
    assert samples["carburoam_is_sample"] == 0
    assert samples["process_resident_memory_bytes"] > 1_000_000


def test_ages_count_from_the_load_and_from_the_newest_report(client: Client, engine: Engine) -> None:
    now = datetime.now(UTC)
    with begin_writing(engine) as connection:
        connection.execute(
            update(FeedState).values(
                loaded_at=now - timedelta(hours=2), newest_report_at=now - timedelta(hours=3), is_sample=True
            )
        )
    families = {family.name: family for family in DatabaseCollector(engine.connect, lambda: now).collect()}
    values = {name: family.samples[0].value for name, family in families.items() if family.samples}
    assert values["carburoam_load_age_seconds"] == 7200
    assert values["carburoam_data_age_seconds"] == 10_800
    assert values["carburoam_is_sample"] == 1


def test_figures_of_the_process_are_there_without_the_database(settings: Settings) -> None:
    client = make_outside(settings, fail)
    client.get("/api/v1/fuels")
    samples = read_samples(client.get("/metrics", address=LOOPBACK))
    assert samples["carburoam_database_up"] == 0
    assert samples["carburoam_api_requests_total /api/v1/fuels 503"] == 1
    assert not any(name.startswith("carburoam_loads") for name in samples)


def test_requests_are_counted_by_route_and_status(client: Client) -> None:
    for path in ("/api/v1/stations/1000001", "/api/v1/stations/77", "/api/v1/stations/x", "/api/v1/fuels"):
        client.get(path)
    client.get("/api/v1/fuels", method="POST")
    for number in range(3):
        client.get(f"/api/v1/{number}")
    samples = read_samples(client.get("/metrics", address=LOOPBACK))
    counted = {name: value for name, value in samples.items() if name.startswith("carburoam_api_requests_total")}
    assert {name.partition(" ")[2]: value for name, value in counted.items()} == {
        "/api/v1/stations/{id} 200": 1,
        "/api/v1/stations/{id} 404": 1,
        "/api/v1/stations/{id} 400": 1,
        "/api/v1/fuels 200": 1,
        "/api/v1/fuels 405": 1,
        "none 404": 3,
    }
    assert samples["carburoam_api_request_seconds_count /api/v1/stations/{id}"] == 3


def test_a_tab_is_a_session_as_long_as_it_is_open() -> None:
    metrics, seen = Metrics(fail), []

    def read() -> float | None:
        return metrics.registry.get_sample_value("carburoam_sessions")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(read())
        if scope["path"].startswith("/broken"):
            raise ConnectionResetError

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(_: Message) -> None:
        pass

    counted = CountSessions(app, metrics)
    anyio.run(counted, {"type": "websocket", "path": "/_stcore/stream"}, receive, send)
    anyio.run(counted, {"type": "websocket", "path": "/other"}, receive, send)
    anyio.run(counted, {"type": "http", "path": "/_stcore/stream"}, receive, send)
    with pytest.raises(ConnectionResetError):
        anyio.run(counted, {"type": "websocket", "path": "/broken/_stcore/stream"}, receive, send)
    assert seen == [1, 0, 0, 1]
    assert read() == 0
