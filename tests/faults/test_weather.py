"""What is around: a feed that is now good, now slow, now broken; a mail server that is away; another load at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from browser.app_process import wait_until
from browser.mail_server import run_mail_server
from conftest import KEY, PASSWORD, MakeFeed
from loops import LOOP_SECONDS, choose
from people import Reader
from programs import END_SECONDS, run_program
from pydantic import SecretStr
from snapshots import learn_feeds, look
from sqlalchemy import Engine, select
from web_server import Answer, Behaviour, Exchange, WebServer

from accounts.codes import LIFETIME
from accounts.registration import Registration, register
from mail import send_due
from models import EtlRun
from settings import Settings

pytestmark = pytest.mark.usefixtures("feed_clock")  # the national figures are compared too

RESTLESS = """
from logs import set_up_logging
from scheduler import Scheduler
from settings import read_settings

set_up_logging()
Scheduler(read_settings().model_copy(update={"refresh_seconds": 1}), first_retry_seconds=0.1).run()
"""
DOWNLOAD_TRIES = 3  # of one load, where the server says that it has an error


def list_runs(engine: Engine, after: int = 0) -> list[EtlRun]:
    with engine.connect() as connection:
        return list(connection.execute(select(EtlRun.__table__).where(EtlRun.id > after).order_by(EtlRun.id)))  # type: ignore[arg-type]


def send_slowly(data: bytes) -> Behaviour:
    """Make an answer that stops half-way for a while."""

    def answer(exchange: Exchange) -> None:
        exchange.send(Answer(headers=(("Content-Length", str(len(data))),)))
        exchange.wfile.write(data[: len(data) // 2])
        exchange.wfile.flush()
        exchange.server.closing.wait(1)
        exchange.wfile.write(data[len(data) // 2 :])

    return answer


def make_weather(random: Random, feeds: list[bytes], count: int) -> list[Answer | Behaviour]:
    """Make so many loads' worth of answers, of every kind some."""
    answers: list[Answer | Behaviour] = []
    for number in range(count):
        feed = random.choice(feeds)
        match number % 5:
            case 0:
                answers.append(Answer(200, feed))
            case 1:
                answers += [Answer(503)] * DOWNLOAD_TRIES
            case 2:
                answers.append(send_slowly(feed))
            case 3:
                answers.append(Answer(200, feed[: random.randrange(len(feed))]))
            case _:
                answers.append(Answer(200, b"<html>We are being repaired</html>"))
    return answers


@pytest.mark.slow
@pytest.mark.timeout(LOOP_SECONDS)
def test_a_feed_that_flaps_never_harms_and_is_loaded_whenever_it_is_good(
    settings: Settings, engine: Engine, make_feed: MakeFeed, record_property: Callable[[str, object], None]
) -> None:
    first, second = learn_feeds(settings, engine, make_feed, stations=200)
    before = list_runs(engine)[-1].id
    files = [first.path.read_bytes(), second.path.read_bytes()]
    count = choose(small=5, whole=50)
    reader = Reader(engine, {first.snapshot, second.snapshot})
    with WebServer() as server:
        url = server.lay_out("/feed.zip", *make_weather(Random(5), files, count), Answer(200, files[0]))
        changed = settings.model_copy(update={"feed_url": url})
        with run_program(changed, "-c", RESTLESS) as process:

            def is_over() -> bool:
                reader.work()
                runs = list_runs(engine, before)
                return len(runs) > count and runs[-1].finished_at is not None and look(engine) == first.snapshot

            wait_until(is_over, LOOP_SECONDS)
            assert process.poll() is None, "one process all the while"
    ends = Counter(run.status for run in list_runs(engine, before)[:count])
    good, unreachable = -(-count // 5) + count * 2 // 5 - count // 5, count // 5
    assert ends["loaded"] + ends["unchanged"] == good
    assert ends["failed"] == unreachable
    assert ends["refused"] == count - good - unreachable
    record_property("figures", f"{count} loads, {reader.times} reads, {dict(ends)}")


def test_mails_wait_for_a_mail_server_that_is_away_and_go_once_each(settings: Settings, engine: Engine) -> None:
    now = datetime.now(UTC)
    away = settings.model_copy(update={"smtp_url": SecretStr("smtp://127.0.0.1:1")})
    addresses = [f"ada{number}@mailbox.org" for number in range(10)]
    for number, address in enumerate(addresses):
        form = Registration(f"ada{number}", address, "Ada", PASSWORD)
        opening = register(engine, away, KEY, form, address=None, now=now)
        assert not opening.is_open, "registering goes on"
        assert send_due(engine, away, lambda: now) == 0
    with run_mail_server() as (mailbox, url):
        back = settings.model_copy(update={"smtp_url": SecretStr(url)})
        later = now + LIFETIME - timedelta(seconds=1)  # the codes in them are still good
        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(lambda _: send_due(engine, back, lambda: later), range(4))) == len(addresses)
        assert send_due(engine, back, lambda: later + timedelta(days=1)) == 0
        assert sorted(recipient for recipient, _ in mailbox.list_unread()) == sorted(addresses)


@pytest.mark.slow
def test_of_four_loads_at_once_each_ends_well_and_one_after_the_other(
    settings: Settings, engine: Engine, make_feed: MakeFeed
) -> None:
    feeds = learn_feeds(settings, engine, make_feed, stations=400)
    before = list_runs(engine)[-1].id

    def run(number: int) -> tuple[int | None, str]:
        with run_program(settings, "etl.py", "--feed", str(feeds[number % 2].path)) as process:
            _, errors = process.communicate(timeout=END_SECONDS)
            return process.returncode, errors

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(4))) == [(0, "")] * 4
    runs = list_runs(engine, before)
    assert {run.status for run in runs} <= {"loaded", "unchanged"}
    assert all(earlier.finished_at <= later.started_at for earlier, later in pairwise(runs))
    assert look(engine) == next(feed.snapshot for feed in feeds if str(feed.path) == runs[-1].source)
