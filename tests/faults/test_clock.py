"""The clock of the machine set forward and back: times are passed in, the machine's own is never touched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import KEY, NOW, PASSWORD, MakeDriver, MakeFeed
from snapshots import learn_feeds, look
from sqlalchemy import Engine

from accounts.sessions import find_driver, log_in, open_session
from db import begin_writing
from errors import LoginRefused
from etl import LoadReport, run_load
from mail import queue_mail, send_due
from scheduler import compute_wait
from settings import Settings
from statefiles import read_lastjob

pytestmark = pytest.mark.usefixtures("feed_clock")  # the national figures are compared too

YEAR = timedelta(days=365)
INTERVAL = timedelta(hours=6)


def test_loads_go_on_when_the_clock_is_a_year_ahead_and_then_right_again(
    settings: Settings, engine: Engine, make_feed: MakeFeed
) -> None:
    first, second = learn_feeds(settings, engine, make_feed, stations=100)
    right = datetime.now(UTC)

    def load(path: Path, now: datetime) -> LoadReport:
        changed = settings.model_copy(update={"feed_url": str(path)})
        return run_load(changed, engine, now=lambda: now, unless_loaded_within=INTERVAL)

    assert load(second.path, right + YEAR).status == "loaded"
    assert look(engine) == second.snapshot
    assert read_lastjob(settings, right) is None, "a load of next year is not believed"
    assert compute_wait(right, right + YEAR, INTERVAL.total_seconds()) == 0
    assert load(first.path, right).status == "loaded"
    assert look(engine) == first.snapshot
    assert read_lastjob(settings, right) == right.replace(microsecond=0)


def test_a_clock_that_is_a_year_behind_costs_no_price(settings: Settings, engine: Engine, make_feed: MakeFeed) -> None:
    first, second = learn_feeds(settings, engine, make_feed, stations=100)
    changed = settings.model_copy(update={"feed_url": str(second.path)})
    report = run_load(changed, engine, now=lambda: NOW - YEAR)
    assert report.status in ("loaded", "refused")
    assert report.prices_rejected > 0, "they seem to come from the future"
    with engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM prices").scalar_one()
    assert kept >= 0.7 * report.prices_seen
    assert run_load(settings.model_copy(update={"feed_url": str(first.path)}), engine).status == "loaded"
    assert look(engine) == first.snapshot


@pytest.mark.parametrize("ahead", [YEAR, -YEAR])
def test_a_mail_that_was_written_under_a_wrong_clock_goes_at_once_and_once(
    engine: Engine, settings: Settings, ahead: timedelta
) -> None:
    with begin_writing(engine) as connection:
        queue_mail(connection, recipient="ada@mailbox.org", subject="Hi", text="x", html="x", now=NOW + ahead)
    assert send_due(engine, settings, lambda: NOW) == 1
    assert send_due(engine, settings, lambda: NOW + ahead) == 0


@pytest.mark.parametrize("ahead", [YEAR, -YEAR])
def test_accounts_and_sessions_made_under_a_wrong_clock_work_when_it_is_right(
    engine: Engine, make_driver: MakeDriver, ahead: timedelta
) -> None:
    ada = make_driver("ada", now=NOW + ahead)
    for _ in range(20):
        with pytest.raises(LoginRefused):
            log_in(engine, KEY, f"nobody{_}", "wrong", address=None, now=NOW + ahead)
    assert log_in(engine, KEY, "ada", PASSWORD, address=None, now=NOW) == ada
    with begin_writing(engine) as connection:
        session_id = open_session(connection, ada, is_lasting=True, browser="", now=NOW)
    with engine.connect() as connection:
        driver = find_driver(connection, session_id, NOW)
    assert driver is not None
    assert make_driver("bob", now=NOW) != ada
