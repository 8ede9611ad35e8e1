"""How often one address may ask, and what becomes of those whose address isn't known."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from ipaddress import ip_address
from typing import Any

import pytest
from asgi_client import Client, make_outside
from own_loop import run_in_own_loop
from sqlalchemy import Engine

from api.limits import (
    HEAD_BYTES,
    MAX_BUCKETS,
    PROMPT_REFUSALS,
    UNKNOWN,
    UNKNOWN_SHARE,
    Buckets,
    LimitRequests,
    Limits,
    name_bucket,
)
from api.metrics import Metrics
from errors import TooManyRequests
from settings import Settings

FUELS = "/api/v1/fuels"
PROXY = "10.0.0.1"


@pytest.fixture
def client(engine: Engine, settings: Settings) -> Client:
    limited = settings.model_copy(update={"requests_per_minute": 3, "trusted_proxies": PROXY})
    return make_outside(limited, engine.connect)


def count_answers(client: Client, times: int, address: str = "203.0.113.7", forwarded: str = "") -> int:
    """Return how many of so many requests were not refused."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return [client.get(FUELS, headers, address=address).status for _ in range(times)].count(503)


def test_who_asks_too_often_is_told_when_to_come_again(client: Client) -> None:
    assert count_answers(client, 3) == 3
    answer = client.get(FUELS, {"Origin": "https://elsewhere.example"})
    assert answer.status == 429
    assert answer.json["detail"].startswith("Too many requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert count_answers(client, 1, "203.0.113.8") == 1


def test_addresses_that_do_not_exist_count_too(client: Client) -> None:
    statuses = [client.get("/api/v1/nothing").status for _ in range(4)]
    assert statuses == [404, 404, 404, 429]


@pytest.mark.parametrize("path", [FUELS, f"{FUELS}?{'a' * HEAD_BYTES}"], ids=["headers", "address"])
def test_a_request_with_much_to_read_counts_for_several(client: Client, path: str) -> None:
    headers = {"Cookie": "a" * HEAD_BYTES} if path == FUELS else {}
    assert [client.get(path, headers).status for _ in range(2)].count(429) == 1
    assert count_answers(client, 2) == 1, "two of three were taken at once"


def test_behind_a_trusted_proxy_each_browser_is_counted_alone(client: Client) -> None:
    assert count_answers(client, 5, PROXY, "198.51.100.1") == 3
    assert count_answers(client, 5, PROXY, "198.51.100.2") == 3


def test_a_header_of_a_stranger_makes_nobody_another(client: Client) -> None:
    answered = sum(count_answers(client, 1, "203.0.113.9", f"198.51.100.{number}") for number in range(5))
    assert answered == 3


def test_those_whose_address_is_not_known_share_a_larger_bucket(client: Client) -> None:
    assert count_answers(client, 40, "127.0.0.1") == 3 * UNKNOWN_SHARE
    assert count_answers(client, 1, "203.0.113.7") == 1


def test_health_and_figures_are_not_limited(client: Client) -> None:
    assert {client.get("/healthz").status for _ in range(10)} == {200}


def test_without_a_limit_nobody_is_refused(engine: Engine, settings: Settings) -> None:
    client = make_outside(settings.model_copy(update={"requests_per_minute": 0}), engine.connect)
    assert count_answers(client, 200) == 200


def make_scope(address: str) -> dict[str, Any]:
    return {"type": "http", "path": "/stations.json", "client": (address, 50_000), "headers": []}


def test_what_is_computed_is_counted_as_it_took_and_fills_again_with_time() -> None:
    now = [0.0]
    limits = Limits(10, (), lambda: now[0])  # half a second of CPU a minute

    def compute(address: str) -> int:
        try:
            with limits.compute(make_scope(address)):
                begin = time.thread_time()
                while time.thread_time() - begin < 0.3:
                    pass
        except TooManyRequests as error:
            return error.seconds
        return 0

    assert compute("203.0.113.7") == 0
    seconds = compute("203.0.113.7")
    assert seconds > 0
    assert compute("203.0.113.8") == 0, "another address"
    now[0] += seconds
    assert compute("203.0.113.7") == 0


def test_what_needs_next_to_nothing_is_hardly_counted() -> None:
    limits = Limits(10, (), lambda: 0.0)
    for _ in range(50):
        with limits.compute(make_scope("203.0.113.7")):
            pass


def test_what_fails_gives_back_what_it_did_not_need() -> None:
    limits = Limits(10, (), lambda: 0.0)
    for _ in range(50):
        with pytest.raises(ZeroDivisionError), limits.compute(make_scope("203.0.113.7")):
            raise ZeroDivisionError


def test_many_at_once_do_not_compute_more_than_their_budget() -> None:
    """What is under way is counted before it is known how much it takes."""
    limits = Limits(10, (), lambda: 0.0)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(limits.compute(make_scope("203.0.113.7")))
        with pytest.raises(TooManyRequests):
            stack.enter_context(limits.compute(make_scope("203.0.113.7")))


def test_without_a_limit_everything_is_computed() -> None:
    limits = Limits(0, (), lambda: 0.0)
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(limits.compute(make_scope("203.0.113.7")))


def test_a_bucket_fills_again_bit_by_bit_and_never_over() -> None:
    now = [0.0]
    buckets = Buckets(6, lambda: now[0])
    assert [buckets.take("a") for _ in range(6)] == [0.0] * 6
    assert buckets.take("a") == pytest.approx(10)
    now[0] = 9.0
    assert buckets.take("a") == pytest.approx(1)
    now[0] = 10.0
    assert buckets.take("a") == 0
    now[0] = 10_000.0
    assert [buckets.take("a") > 0 for _ in range(8)] == [False] * 6 + [True] * 2


def test_no_more_buckets_are_kept_than_fit() -> None:
    buckets = Buckets(1, lambda: 0.0)
    for number in range(MAX_BUCKETS + 500):
        buckets.take(str(number))
    assert len(buckets) == MAX_BUCKETS
    assert buckets.take(str(MAX_BUCKETS + 499)) > 0


def test_a_home_has_one_bucket_on_ipv6() -> None:
    first, second = ip_address("2001:db8:1:2::1"), ip_address("2001:db8:1:2:ffff::9")
    assert name_bucket(first) == name_bucket(second) != name_bucket(ip_address("2001:db8:1:3::1"))
    assert name_bucket(ip_address("203.0.113.7")) == "203.0.113.7"
    assert name_bucket(None) == UNKNOWN


def test_a_burst_of_files_is_a_part_of_what_a_minute_allows() -> None:
    now = 0.0
    buckets = Buckets(60, lambda: now, burst=0.2)
    assert [buckets.take("a") for _ in range(13)] == [0.0] * 12 + [1.0]
    now = 5.0
    assert [buckets.take("a") for _ in range(6)] == [0.0] * 5 + [1.0]
    now = 500.0
    assert sum(buckets.take("a") == 0 for _ in range(60)) == 12


def test_who_goes_on_after_refusals_waits_for_each_and_nobody_else_does(engine: Engine) -> None:
    limits = Limits(1, (), lambda: 0.0)
    middleware = LimitRequests(answer_nothing, limits, Metrics(engine.connect))
    told: list[str] = []

    async def ask(address: str) -> None:
        statuses: list[int] = []

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {"type": "http", "method": "GET", "path": FUELS, "query_string": b""}
        scope |= {"headers": [], "client": (address, 1)}
        await middleware(scope, never_hear, send)
        told.extend(f"{address} {status}" for status in statuses)

    async def ask_all() -> None:
        for address in ("203.0.113.1", "203.0.113.2"):
            await ask(address)  # this one is answered
        for _ in range(PROMPT_REFUSALS):
            await ask("203.0.113.1")
        told.clear()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ask("203.0.113.1"))
            await asyncio.sleep(0)
            await ask("203.0.113.2")
            assert told == ["203.0.113.2 429"]
        assert told == ["203.0.113.2 429", "203.0.113.1 429"]

    run_in_own_loop(ask_all())


async def answer_nothing(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def never_hear() -> Any:
    raise AssertionError("nothing is asked of who is refused")
