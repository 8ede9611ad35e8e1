"""PostgreSQL that takes connections and says nothing, at the start or in the middle: who reads gives it up soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from silent_server import run_silent_server, stand_still
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from bench.postgres_cluster import Cluster, find_programs, run_cluster
from db import begin_writing, open_engine, prepare_database

DEADLINE = 60.0  # no answer at all: without limits it would be minutes, or for ever

pytestmark = pytest.mark.slow


def call(function: Callable[[], object]) -> object:
    """Call in a thread and return the result; fail when it takes too long, instead of waiting on."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(function).result(DEADLINE)
    finally:
        pool.shutdown(wait=False)


def name_error(function: Callable[[], object]) -> str:
    """Return the kind of error that a use of the database ends with; "" when it works."""
    try:
        call(function)
    except SQLAlchemyError as error:
        return type(getattr(error, "orig", None) or error).__name__
    return ""


def read(engine: Engine) -> object:
    with engine.connect() as connection:
        return connection.execute(select(1)).scalar_one()


@pytest.fixture
def silent_url() -> Iterator[str]:
    with run_silent_server() as port:
        yield f"postgresql+psycopg://carburoam@127.0.0.1:{port}/carburoam"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    if find_programs() is None:
        pytest.skip("PostgreSQL is not installed")
    with run_cluster(fsync="off") as cluster:
        yield cluster


@pytest.fixture
def engine_of(cluster: Cluster) -> Iterator[Engine]:
    """An engine as pages have it, with a short limit."""
    engine = open_engine(f"{cluster.url}/carburoam", read_seconds=2)
    prepare_database(engine)
    yield engine
    engine.dispose()


def test_the_first_host_that_answers_is_taken(cluster: Cluster, silent_url: str) -> None:
    port = silent_url.rpartition(":")[2].partition("/")[0]
    url = f"postgresql+psycopg://carburoam@/postgres?host=127.0.0.1:{port}&host=127.0.0.1:{cluster.port}"
    assert call(lambda: read(open_engine(url))) == 1


def test_a_url_may_set_a_limit_itself(silent_url: str) -> None:
    assert name_error(lambda: read(open_engine(f"{silent_url}?connect_timeout=2"))) == "ConnectionTimeout"


def test_a_server_that_stands_still_is_given_up_by_who_reads_and_found_again_later(
    cluster: Cluster, engine_of: Engine
) -> None:
    with engine_of.connect() as connection:
        connection.execute(select(1))
        with stand_still(cluster):
            assert name_error(lambda: connection.execute(select(1))) == "OperationalError", "in the middle"
            assert name_error(lambda: read(engine_of)) == "ConnectionTimeout", "at the start"
    assert call(lambda: read(engine_of)) == 1


def test_a_read_that_takes_too_long_is_given_up_on_the_server_and_a_write_is_not(engine_of: Engine) -> None:
    with engine_of.connect() as connection:
        assert name_error(lambda: connection.execute(select(func.pg_sleep(30)))) == "QueryCanceled"
    with begin_writing(engine_of) as connection:
        connection.execute(select(func.pg_sleep(2.5)))
    with engine_of.connect() as connection:
        assert connection.execute(select(func.current_setting("statement_timeout"))).scalar_one() == "2s"


def test_what_loads_has_no_limit(cluster: Cluster) -> None:
    engine = open_engine(f"{cluster.url}/postgres")
    with engine.connect() as connection:
        assert connection.execute(select(func.current_setting("statement_timeout"))).scalar_one() == "0"
    engine.dispose()


def test_who_finds_no_connection_free_waits_no_longer_than_for_a_new_one(engine_of: Engine) -> None:
    held = [engine_of.connect() for _ in range(30)]
    try:
        assert name_error(engine_of.connect) == "TimeoutError"
    finally:
        for connection in held:
            connection.close()


def test_no_limit_is_set_on_sqlite(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'db.sqlite3'}", read_seconds=1)
    assert read(engine) == 1
    engine.dispose()
