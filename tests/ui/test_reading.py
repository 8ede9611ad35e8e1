"""What pages read from ends with its cache, instead of living on beside what comes in its place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import streamlit as st
from sqlalchemy import Engine, event, select

from ui.reading import get_engine, get_mailer, open_reading


@pytest.fixture(autouse=True)
def _no_caches(engine: Engine) -> Iterator[None]:
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def test_a_mailer_whose_cache_is_cleared_ends() -> None:
    mailer = get_mailer()
    assert mailer._thread.is_alive()
    st.cache_resource.clear()
    mailer._thread.join(30)
    assert not mailer._thread.is_alive()
    assert get_mailer() is not mailer


def test_the_connections_of_an_engine_whose_cache_is_cleared_are_closed() -> None:
    engine = get_engine()
    with open_reading() as first, open_reading() as second:
        held = [connection.connection.driver_connection for connection in (first, second)]
    closed: list[object] = []
    event.listen(engine, "close", lambda connection, _record: closed.append(connection))
    st.cache_resource.clear()
    assert {id(connection) for connection in held} <= {id(connection) for connection in closed}
    with open_reading() as connection:
        assert connection.execute(select(1)).scalar_one() == 1
