"""The benchmarks' visitor without a browser, on the real application, and the sessions of the soak."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import FIRST_ID, MakeFeed
from own_loop import run_in_own_loop
from sqlalchemy import Engine, func, select

from bench import floor
from bench.api import CLIENTS, list_paths, read_at_full_speed, read_paced
from bench.drivers import PASSWORD, add_drivers, make_cookie
from bench.run import Line
from bench.scale import count_writes
from bench.server import Server, run_server
from bench.soak import Notes, Plan, hold_session, list_choices
from bench.state import ONE_ADDRESS
from bench.visitor import VisitFailed, Visitor, open_visit
from db import open_engine, prepare_database
from etl import run_load
from models import Base, User
from settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def server(settings: Settings, engine: Engine, make_feed: MakeFeed) -> Iterator[Server]:
    """The application with prices and two accounts."""
    assert run_load(settings.model_copy(update={"feed_url": str(make_feed())}), engine).is_success
    add_drivers(engine, 2)
    with run_server(settings.model_copy(update=ONE_ADDRESS)) as server:
        yield server


def read_page(visitor: Visitor) -> str:
    return "\n".join(visitor.list_texts())


def test_a_visitor_opens_pages_and_searches(server: Server, engine: Engine) -> None:
    town = list_choices(engine).towns[0]

    async def visit() -> None:
        async with open_visit(server.url) as visitor:
            assert await visitor.open_page("about", {"lang": "EN"}) > 0
            assert "About Carburoam" in visitor.list_texts()
            await visitor.open_page("")
            assert "About Carburoam" not in visitor.list_texts()
            await visitor.change("q", town)
            await visitor.change("radius", ["50"])
            assert "E10 within 50 km of" in read_page(visitor)
            await visitor.change("fuel", ["Gazole"])
            assert "Gazole within 50 km of" in read_page(visitor)
            await visitor.rerun()
            assert "Gazole within 50 km of" in read_page(visitor)
            await visitor.change("lang", ["FR"])
            assert "Gazole à moins de 50 km" in read_page(visitor)
            await visitor.open_page("station", {"id": str(FIRST_ID)})
            assert "Retour aux prix" in read_page(visitor)
            with pytest.raises(VisitFailed, match="no widget 'fuel'"):
                await visitor.change("fuel", ["Gazole"])

    run_in_own_loop(visit())


def test_a_visitor_logs_in_by_the_form_and_by_the_cookie(server: Server, settings: Settings, engine: Engine) -> None:
    async def visit() -> None:
        async with open_visit(server.url, make_cookie(settings, engine, 2)) as driver:
            await driver.open_page("about", {"lang": "EN"})
            assert "Logged in as **driver2**." in driver.list_texts()
            await driver.press("sidebar_log_out")
            assert "Logged in as **driver2**." not in driver.list_texts()
        async with open_visit(server.url) as visitor:
            await visitor.open_page("login", {"lang": "EN"})
            await visitor.submit("login", {"login_name": "driver1", "login_password": "another password"})
            assert visitor.list_errors() == ["This name and this password do not fit together."]
            await visitor.submit("login", {"login_name": "driver1", "login_password": PASSWORD})
            assert visitor.list_errors() == []
            assert "Logged in as **driver1**." in visitor.list_texts()

    run_in_own_loop(visit())


def test_a_session_of_the_soak_finds_nothing_wrong(server: Server, engine: Engine) -> None:
    notes, now = Notes(), time.monotonic()
    plan = Plan(server.url, list_choices(engine), pause_seconds=0, start=now, warm=now, end=now + 2)
    run_in_own_loop(hold_session(plan, 1, None, notes))
    assert notes.errors == []
    assert len(notes.openings) == 1
    assert notes.actions
    assert server.read_cpu_seconds() > 0
    assert server.read_megabytes() > 50


def test_a_limit_is_the_most_that_is_allowed_or_the_least() -> None:
    for value, most, least in ((95.9, "ok", "MISSED"), (96, "ok", "ok"), (96.1, "MISSED", "ok")):
        assert Line("share", value, "%", limit=96).verdict == most
        assert Line("share", value, "%", limit=96, is_least=True).verdict == least
        assert Line("share", value, "%", floor=1, limit=96, is_least=True).verdict == least


def test_the_floor_fills_every_column_of_the_tables(make_feed: MakeFeed, tmp_path: Path) -> None:
    database = tmp_path / "floor.sqlite3"
    engine = open_engine(f"sqlite:///{database}")
    prepare_database(engine)
    rows = floor.build_rows(make_feed())
    with floor.open_tables(database) as tables:
        floor.insert_rows(tables, rows)
    with engine.connect() as connection:
        for name, built in rows._asdict().items():
            table = Base.metadata.tables[name]
            assert set(floor.COLUMNS[name]) == set(table.columns.keys())
            assert connection.execute(select(func.count()).select_from(table)).scalar() == len(built) > 0
    engine.dispose()


def test_the_readers_of_the_api_are_answered(server: Server, engine: Engine) -> None:
    paths, answered = list_paths(engine), threading.Event()
    assert len(read_at_full_speed(server.url, paths[: 2 * CLIENTS], 60)) == 2 * CLIENTS
    milliseconds = read_paced(server.url, paths[: 2 * CLIENTS], lambda: answered.wait(2))
    assert len(milliseconds) == 2 * CLIENTS
    assert min(milliseconds) > 0


def test_writers_that_take_turns_lose_nothing(engine: Engine) -> None:
    add_drivers(engine, 4)
    done = count_writes(engine, 4, seconds=0.3)
    assert done >= 4
    with engine.connect() as connection:
        names = connection.scalars(select(User.name)).all()
    # The last name of each says how many it wrote before that one.
    assert done == sum(int(name.split()[1]) + 1 for name in names)
