"""Processes killed at any moment of a load, with twenty people at work: no torn load, nothing kept is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

import pytest
from conftest import MakeFeed
from loops import LOOP_SECONDS, choose
from people import People
from programs import END_SECONDS, run_command, run_program
from snapshots import KnownFeed, learn_feeds, load
from sqlalchemy import Engine, func, select

from models import EtlRun
from settings import Settings

pytestmark = pytest.mark.usefixtures("feed_clock")  # the national figures are compared too

POLL_SECONDS = 0.005  # a small part of what a load takes


class Pace(NamedTuple):
    """What a load takes on this machine: seconds from the start of its process to its first row, and from there on."""

    start_seconds: float
    store_seconds: float


def learn_pace(settings: Settings, engine: Engine, feeds: Sequence[KnownFeed]) -> Pace:
    """Load both feeds by the command, the first one last, and see what that took."""
    for feed in reversed(feeds):
        began_at = datetime.now(UTC)
        code, _, errors = run_command(settings, "etl.py", "--feed", str(feed.path))
        assert (code, errors) == (0, "")
    with engine.connect() as connection:
        run = connection.execute(
            select(EtlRun.started_at, EtlRun.finished_at).order_by(EtlRun.id.desc()).limit(1)
        ).one()
    return Pace((run.started_at - began_at).total_seconds(), (run.finished_at - run.started_at).total_seconds())


def has_open_run(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.execute(select(EtlRun.id).where(EtlRun.finished_at.is_(None))).first() is not None


def wait_for_moment(process: subprocess.Popen[str], engine: Engine, random: Random, pace: Pace) -> None:
    """Wait until a moment at random: half of the time from the start on, else from the first row of the load on."""
    seconds = random.uniform(0, pace.start_seconds + pace.store_seconds)
    if random.random() < 0.5:
        seconds = random.uniform(0, pace.store_seconds)
        while process.poll() is None and not has_open_run(engine):
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_SECONDS)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


@pytest.mark.slow
@pytest.mark.timeout(LOOP_SECONDS)
def test_loads_that_are_killed_at_any_moment_harm_nobody(
    settings: Settings,
    engine: Engine,
    make_feed: MakeFeed,
    record_property: Callable[[str, object], None],
) -> None:
    random = Random(1)
    feeds = learn_feeds(settings, engine, make_feed)
    pace = learn_pace(settings, engine, feeds)
    rounds = choose(small=2, whole=50)
    killed_in_load = 0
    with People(engine, settings, {feed.snapshot for feed in feeds}) as people:
        for number in range(1, rounds + 1):
            feed = feeds[number % 2]
            settings.lastjob_file.unlink(missing_ok=True)  # so that the background process loads at once
            program = ("etl.py", "scheduler.py")[number // 2 % 2]
            with run_program(settings.model_copy(update={"feed_url": str(feed.path)}), program) as process:
                wait_for_moment(process, engine, random, pace)
                process.kill()
                process.wait(END_SECONDS)
            killed_in_load += has_open_run(engine)
            load(settings, engine, feed)
            assert not has_open_run(engine)
            assert not people.failures
    with engine.connect() as connection:
        stopped = connection.scalar(select(func.count()).where(EtlRun.message == "it was stopped before its end"))
    assert stopped == killed_in_load
    record_property("figures", f"{rounds} killed, {killed_in_load} of them in a load; {people.describe()}")
