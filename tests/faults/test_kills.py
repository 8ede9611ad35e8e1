"""Processes killed at any moment of a load, with twenty people at work: no torn load, nothing kept is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest
from conftest import MakeFeed
from loops import LOOP_SECONDS, choose
from people import People
from programs import END_SECONDS, run_program
from snapshots import learn_feeds, load
from sqlalchemy import Engine, func, select

from models import EtlRun
from settings import Settings

START_SECONDS = 1.5  # about what a process takes from its start to its first query
STORE_SECONDS = 0.6  # and about what the load takes from there


def has_open_run(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.execute(select(EtlRun.id).where(EtlRun.finished_at.is_(None))).first() is not None


def wait_for_moment(process: subprocess.Popen[str], engine: Engine, random: Random) -> None:
    """Wait until a moment at random: half of the time from the start on, else from the first row of the load on."""
    seconds = random.uniform(0, START_SECONDS + STORE_SECONDS)
    if random.random() < 0.5:
        seconds = random.uniform(0, STORE_SECONDS)
        while process.poll() is None and not has_open_run(engine):
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
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
    rounds = choose(small=2, whole=50)
    killed_in_load = 0
    with People(engine, settings, {feed.snapshot for feed in feeds}) as people:
        for number in range(1, rounds + 1):
            feed = feeds[number % 2]
            settings.lastjob_file.unlink(missing_ok=True)  # so that the background process loads at once
            program = ("etl.py", "scheduler.py")[number // 2 % 2]
            with run_program(settings.model_copy(update={"feed_url": str(feed.path)}), program) as process:
                wait_for_moment(process, engine, random)
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
