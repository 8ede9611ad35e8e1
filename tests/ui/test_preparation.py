"""What all readers share is made before the first of them asks, and again after each load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import event, update
from sqlalchemy.exc import OperationalError

import etl
from db import begin_writing
from feed.generator import FeedRecipe, write_feed
from models import FUEL_NAMES, FeedState
from settings import Settings
from ui import preparation
from ui.reading import get_engine
from ui.station_points import answer_points


@pytest.fixture
def country(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Settings]:
    archive = tmp_path / "feed.zip"
    write_feed(archive, FeedRecipe(newest_at=datetime.now(UTC), stations=100))
    settings = Settings(state_dir=tmp_path, feed_url=str(archive))
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()
    assert etl.run_load(settings, get_engine()).is_success
    monkeypatch.setattr(preparation, "POLL_SECONDS", 0.01)
    yield settings
    get_engine().dispose()
    st.cache_resource.clear()


def count_long_queries() -> int:
    """Ask for the points of every fuel; return how many queries went through all stations."""
    queries: list[str] = []
    event.listen(get_engine(), "before_cursor_execute", lambda *args: queries.append(args[2]))
    for fuel_id in FUEL_NAMES:
        assert answer_points({"fuel": str(fuel_id)}, {}).status == 200
    assert queries
    return sum("FROM stations" in query and " IN " not in query for query in queries)


async def wait_for(prepared: list[str], count: int) -> None:
    deadline = time.monotonic() + 60
    while len(prepared) < count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The editions that were prepared to the end."""
    editions: list[str] = []
    list_parts = preparation.list_parts

    def list_parts_and_end(freshness: preparation.Freshness, hour: datetime) -> list[preparation.Part]:
        return [*list_parts(freshness, hour), lambda _: editions.append(freshness.edition)]

    monkeypatch.setattr(preparation, "list_parts", list_parts_and_end)
    return editions


def test_readers_find_made_what_they_share_after_each_load(country: Settings, prepared: list[str]) -> None:
    async def prepare_twice() -> None:
        task = asyncio.create_task(preparation.keep_prepared())
        await wait_for(prepared, 1)
        assert await asyncio.to_thread(count_long_queries) == 0
        with begin_writing(get_engine()) as connection:
            connection.execute(update(FeedState).values(loaded_at=datetime.now(UTC) + timedelta(minutes=1)))
        await wait_for(prepared, 2)
        assert await asyncio.to_thread(count_long_queries) == 0
        task.cancel()

    assert count_long_queries() > 0
    st.cache_resource.clear()
    asyncio.run(prepare_twice())
    assert len(set(prepared)) == len(prepared) == 2


def test_a_database_out_of_reach_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, country: Settings, prepared: list[str]
) -> None:
    find_edition, failures = preparation.find_edition, [OperationalError("", {}, Exception()), OSError()]

    def fail_at_first() -> object:
        if failures:
            raise failures.pop()
        return find_edition()

    async def prepare() -> None:
        task = asyncio.create_task(preparation.keep_prepared())
        await wait_for(prepared, 1)
        task.cancel()

    monkeypatch.setattr(preparation, "find_edition", fail_at_first)
    asyncio.run(prepare())
    assert not failures
