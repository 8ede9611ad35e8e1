"""A state dir that nobody can write: it is said in one line, nothing is started over and over, reading goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browser.app_process import find_free_port, is_healthy, wait_until
from conftest import DATABASE, FIRST_ID, MakeFeed
from mounts import Disk, mount_disk
from own_loop import run_in_own_loop
from programs import END_SECONDS, run_command, run_program
from pydantic import SecretStr

from bench.drivers import add_drivers, make_cookie
from bench.postgres_cluster import find_programs, run_cluster
from bench.visitor import open_visit
from db import begin_writing, open_engine, prepare_database
from etl import run_load
from models import EtlRun
from settings import Settings

VISITS = 3


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mount_disk(tmp_path / "disk", 12) as disk:
        yield disk


@pytest.fixture
def house(settings: Settings, disk: Disk, make_feed: MakeFeed) -> Settings:
    """The settings of an installation on that disk."""
    key = SecretStr("k" * 32)
    return settings.model_copy(update={"state_dir": disk.folder, "feed_url": str(make_feed()), "secret_key": key})


def fill_database(settings: Settings) -> dict[str, str]:
    """Load prices, add a driver and return the cookie with which the driver is logged in."""
    engine = open_engine(settings.database)
    prepare_database(engine)
    assert run_load(settings, engine).status == "loaded"
    add_drivers(engine, 1)
    cookies = make_cookie(settings, engine, 1)
    with begin_writing(engine, "feed") as connection:  # as if another machine were loading
        connection.execute(EtlRun.__table__.insert().values(started_at=datetime.now(UTC)))
    engine.dispose()
    return cookies


@contextmanager
def run_app(settings: Settings) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    port = find_free_port()
    where = ("--server.port", str(port), "--server.address", "127.0.0.1")
    with run_program(settings, "-m", "streamlit", "run", "app.py", *where) as process:
        wait_until(lambda: process.poll() is not None or is_healthy(f"http://127.0.0.1:{port}"), END_SECONDS)
        yield f"http://127.0.0.1:{port}", process


async def read_page(url: str, page: str, query: dict[str, str], cookies: dict[str, str]) -> list[str]:
    """Return the texts of a page that was opened and run again a few times."""
    async with open_visit(url, cookies) as visitor:
        await visitor.open_page(page, {"lang": "EN", **query})
        for _ in range(VISITS):
            await visitor.rerun()
        return visitor.list_texts()


def require_no_loop(disk: Disk, process: subprocess.Popen[str], lines: int) -> None:
    """Require that no background process was started over and over, and that the log says in few lines why."""
    assert process.poll() is None
    process.terminate()
    _, errors = process.communicate(timeout=END_SECONDS)
    assert 0 < len(errors.splitlines()) <= lines, errors
    assert "Traceback" not in errors
    assert not (disk.folder / "outputs").exists()


@pytest.mark.skipif(DATABASE != "sqlite", reason="the database is in the state dir")
@pytest.mark.slow
def test_what_cant_be_written_is_said_in_one_line_and_on_every_page(house: Settings, disk: Disk) -> None:
    fill_database(house)
    disk.turn_read_only()
    for program in ("etl.py", "scheduler.py"):
        code, _, errors = run_command(house, program)
        assert (code, len(errors.splitlines())) == (1, 1), errors
        assert errors.startswith(f"{program}: ")
    with run_app(house) as (url, process):
        texts = run_in_own_loop(read_page(url, "", {}, {}))
        assert "The prices can't be read right now" in texts
        require_no_loop(disk, process, lines=1)


@pytest.mark.skipif(find_programs() is None, reason="PostgreSQL is not installed")
@pytest.mark.slow
def test_a_database_elsewhere_is_read_on_with_a_state_dir_that_cant_be_written(house: Settings, disk: Disk) -> None:
    with run_cluster() as cluster:
        house = house.model_copy(update={"database_url": f"{cluster.url}/carburoam"})
        cookies = fill_database(house)
        disk.turn_read_only()
        with run_app(house) as (url, process):
            texts = run_in_own_loop(read_page(url, "station", {"id": str(FIRST_ID)}, cookies))
            assert not any("can't be read" in text or "not set up" in text for text in texts), texts
            assert "Add to my stations" in texts, "prices are shown, and the driver is logged in"
            require_no_loop(disk, process, lines=2)
