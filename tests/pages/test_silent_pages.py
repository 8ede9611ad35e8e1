"""A PostgreSQL that takes connections and says nothing, and one that goes away while a page is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import streamlit as st
from page_visit import visit
from silent_server import run_silent_server
from sqlalchemy.exc import OperationalError

from settings import Settings
from ui.reading import get_engine

DEADLINE = 60.0
AWAY = ("The prices can't be read right now", "Please try again in a minute.")

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _silent(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[None]:
    """Let the pages read from such a server."""
    with run_silent_server() as port:
        url = f"postgresql+psycopg://carburoam@127.0.0.1:{port}/carburoam"
        for name, value in (settings.as_environment() | {"CARBUROAM_DATABASE_URL": url}).items():
            monkeypatch.setenv(name, value)
        st.cache_resource.clear()
        yield
        st.cache_resource.clear()


def test_a_page_says_that_the_database_is_away() -> None:
    at = visit()
    (box,) = at.main.error
    assert (box.proto.title, box.value) == AWAY


def test_those_who_come_meanwhile_share_the_wait() -> None:
    """One after the other, thirty would wait for two minutes and a half."""
    pool = ThreadPoolExecutor(30)
    try:
        waits = [pool.submit(get_engine) for _ in range(30)]
        assert {type(wait.exception(DEADLINE)) for wait in waits} == {OperationalError}
    finally:
        pool.shutdown(wait=False)
