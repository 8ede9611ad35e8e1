"""PostgreSQL gone in the middle of loads, with twenty people at work, and a database that another one holds."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random

import pytest
from conftest import MakeFeed
from loops import LOOP_SECONDS, choose
from people import People, list_accounts, open_account
from programs import END_SECONDS, run_program
from snapshots import learn_feeds, load, look
from sqlalchemy import Engine
from test_kills import has_open_run, learn_pace, wait_for_moment

from bench.postgres_cluster import Cluster, find_programs, run_cluster
from db import open_engine, prepare_database
from settings import Settings

pytestmark = pytest.mark.usefixtures("feed_clock")  # the national figures are compared too

HOLD = """
import sys
from contextlib import ExitStack
from db import begin_writing, is_shared, open_engine
from settings import read_settings

engine = open_engine(read_settings().database)
with ExitStack() as stack:
    for turn in ("people", "feed") if is_shared(engine) else ("people",):
        stack.enter_context(begin_writing(engine, turn))
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL that promises what an installation's does: what was committed is on the disk."""
    if find_programs() is None:
        pytest.skip("PostgreSQL is not installed")
    with run_cluster() as cluster:
        yield cluster


def kill(cluster: Cluster) -> None:
    """Kill the server as `kill -9` does; its other processes notice and end."""
    number = int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(number, signal.SIGKILL)


def start_again(cluster: Cluster) -> None:
    """Start the server; after a kill not before the last of its processes has let go of the memory they share."""
    for _ in range(20):
        with suppress(subprocess.CalledProcessError):
            cluster.start()
            return
    raise AssertionError((cluster.folder / "log").read_text())


@pytest.mark.slow
@pytest.mark.timeout(LOOP_SECONDS)
def test_a_postgresql_that_crashes_at_any_moment_of_a_load_harms_nobody(
    settings: Settings, cluster: Cluster, make_feed: MakeFeed, record_property: Callable[[str, object], None]
) -> None:
    settings = settings.model_copy(update={"database_url": f"{cluster.url}/carburoam"})
    engine = open_engine(settings.database)
    prepare_database(engine)
    random = Random(2)
    feeds = learn_feeds(settings, engine, make_feed)
    pace = learn_pace(settings, engine, feeds)
    rounds = choose(small=2, whole=50)
    crashed_in_load = 0
    with People(engine, settings, {feed.snapshot for feed in feeds}, is_away=True) as people:
        for number in range(1, rounds + 1):
            feed = feeds[number % 2]
            with run_program(settings, "etl.py", "--feed", str(feed.path)) as process:
                wait_for_moment(process, engine, random, pace)
                if number % 2:
                    cluster.stop("immediate")
                else:
                    kill(cluster)
                output, errors = process.communicate(timeout=120)
            assert (process.returncode == 0) == bool(output), errors
            assert "Traceback" not in errors
            assert len(errors.splitlines()) <= 1, errors
            start_again(cluster)
            crashed_in_load += has_open_run(engine)
            load(settings, engine, feed)
            assert not people.failures
    assert people.cut_off > 0
    engine.dispose()
    record_property("figures", f"{rounds} crashes, {crashed_in_load} of them in a load; {people.describe()}")


@pytest.mark.slow
def test_who_writes_waits_while_another_holds_the_database(
    settings: Settings, engine: Engine, make_feed: MakeFeed
) -> None:
    feeds = learn_feeds(settings, engine, make_feed)
    with run_program(settings, "-c", HOLD, stdin=subprocess.PIPE) as holder, ThreadPoolExecutor(1) as pool:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with run_program(settings, "etl.py", "--feed", str(feeds[1].path)) as process:
            opening = pool.submit(open_account, engine, settings, "ada")
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(choose(small=3, whole=20))
            assert look(engine) == feeds[0].snapshot, "reading goes on"
            assert not opening.done()
            holder.communicate(timeout=END_SECONDS)
            _, errors = process.communicate(timeout=END_SECONDS)
            assert (process.returncode, errors) == (0, "")
            assert list_accounts(engine) == {"ada": opening.result(END_SECONDS)}
    assert look(engine) == feeds[1].snapshot
