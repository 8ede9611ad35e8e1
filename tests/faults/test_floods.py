"""One client floods the running server, by every way in; an honest visitor goes on, and afterwards all is as before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil
import pytest
from browser.app_process import wait_until
from browser.mail_server import Mailbox, run_mail_server
from floods import (
    HALVES,
    TABS,
    Count,
    Flood,
    HonestVisitor,
    flood_with_costly_requests,
    flood_with_halves,
    flood_with_log_ins,
    flood_with_mails,
    flood_with_messages,
    flood_with_refused_requests,
    flood_with_tabs,
    is_closed,
    open_half,
    run_in_thread,
)
from loops import IS_WHOLE, LOOP_SECONDS, choose
from pydantic import SecretStr

import etl
from bench.drivers import add_drivers
from bench.server import Server, run_server
from db import open_engine, prepare_database
from feed.generator import FeedRecipe, write_feed
from settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LOOP_SECONDS)]

STATIONS = 3000
SETTLE_SECONDS = 60.0
LOOK_SECONDS = 0.1
MORE_MEGABYTES = 120  # that a flood may take: what is kept of answers and of tabs
MORE_THREADS = 60  # each kind of reader has its own few; pages have Streamlit's
# Beside the connections that the flooder holds: those of others, and three for each of the 128 tabs that Streamlit
# keeps for two minutes after they are closed, should their browsers come back.
MORE_FILES = 60 + 3 * 128
KEPT_SECONDS = 200.0  # until nothing is left of closed tabs
LINES_A_MINUTE = 300
TABS_ALLOWED = 60  # 12, and 48 that wait
MAILS_ALLOWED = 20


class Use(NamedTuple):
    """What the server holds."""

    megabytes: float
    threads: int
    files: int
    connections: int


@pytest.fixture(scope="module")
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    with run_mail_server() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, mailbox: tuple[Mailbox, str]) -> Iterator[Server]:
    """The application behind a proxy that it trusts, with prices, a driver and the limits that it comes with."""
    folder = tmp_path_factory.mktemp("floods")
    feed = folder / "feed.zip"
    write_feed(feed, FeedRecipe(newest_at=datetime.now(UTC), stations=STATIONS, first_id=1_000_001))
    settings = Settings(
        state_dir=folder, feed_url=str(feed), trusted_proxies="127.0.0.1", smtp_url=SecretStr(mailbox[1])
    )
    engine = open_engine(settings.database)
    prepare_database(engine)
    assert etl.run_load(settings, engine).is_success
    add_drivers(engine, 1)
    engine.dispose()
    with run_server(settings) as server:
        with HonestVisitor(server) as visitor:  # so that what everybody needs is there before anything is counted
            wait_until(lambda: visitor.answered > 4 or bool(visitor.failures), SETTLE_SECONDS)
        assert visitor.failures == []
        yield server


def read_use(server: Server) -> Use:
    port = urlsplit(server.url).port  # others of the process lead to its database
    connected = [
        one
        for one in server.process.net_connections("tcp")
        if one.status == psutil.CONN_ESTABLISHED and one.laddr and one.laddr.port == port
    ]
    return Use(server.read_megabytes(), server.process.num_threads(), server.process.num_fds(), len(connected))


def count_lines(server: Server) -> int:
    return (server.settings.state_dir / "app.log").read_bytes().count(b"\n")


@pytest.mark.parametrize(
    "flood",
    [
        flood_with_messages,
        flood_with_tabs,
        flood_with_log_ins,
        flood_with_mails,
        flood_with_costly_requests,
        flood_with_halves,
        flood_with_refused_requests,
    ],
)
def test_a_flood_harms_nobody_else_and_leaves_nothing(
    server: Server, flood: Flood, record_property: Callable[[str, object], None]
) -> None:
    seconds = choose(small=3, whole=90)
    before, lines_before, done = read_use(server), count_lines(server), Count()
    highest = before
    with HonestVisitor(server) as visitor, run_in_thread(lambda: flood(server, seconds, done)):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            highest = Use(*map(max, highest, read_use(server)))
            time.sleep(LOOK_SECONDS)
    lines = count_lines(server) - lines_before
    record_property(
        "figures",
        f"{flood.__name__}: {done.sent} sent, {done.refused} refused, {lines} lines; {before}, then {highest}",
    )
    assert visitor.failures == []
    assert visitor.answered > 0
    assert done.sent > 0
    assert highest.megabytes < before.megabytes + MORE_MEGABYTES
    assert highest.threads <= before.threads + MORE_THREADS
    assert highest.files <= before.files + done.most_open + MORE_FILES
    assert lines <= done.refused + LINES_A_MINUTE * (1 + seconds // 60) // 10
    assert lines <= LINES_A_MINUTE * (1 + seconds // 60)

    wait_until(lambda: read_use(server).connections <= before.connections, SETTLE_SECONDS)
    if IS_WHOLE:
        wait_until(lambda: is_as_before(server, before), KEPT_SECONDS)


def is_as_before(server: Server, before: Use) -> bool:
    """Let somebody come, on which Streamlit forgets closed tabs whose time is over, and look."""
    with HonestVisitor(server) as visitor:
        wait_until(lambda: visitor.answered > 0 or bool(visitor.failures), SETTLE_SECONDS)
    now = read_use(server)
    return now.files <= before.files + 20 and now.threads <= before.threads + 20


def test_a_tab_that_sends_without_end_is_closed_and_so_is_one_too_many(server: Server) -> None:
    messages, tabs = Count(), Count()
    flood_with_messages(server, choose(small=2, whole=30), messages)
    flood_with_tabs(server, choose(small=2, whole=30), tabs)
    assert messages.refused > 0
    assert tabs.refused > 0
    assert tabs.most_open <= TABS_ALLOWED < TABS


def test_a_driver_is_not_buried_in_mails(server: Server, mailbox: tuple[Mailbox, str]) -> None:
    done = Count()
    flood_with_mails(server, choose(small=3, whole=30), done)
    assert done.sent > 0
    assert len(mailbox[0].list_unread()) <= MAILS_ALLOWED


def test_requests_that_are_never_finished_are_given_up(server: Server) -> None:
    held = [open_half(server, "GET / HTTP/1.1\r\nHost: a\r\n") for _ in range(choose(small=5, whole=HALVES))]
    try:
        wait_until(lambda: all(map(is_closed, held)), SETTLE_SECONDS)
    finally:
        for one in held:
            one.close()
