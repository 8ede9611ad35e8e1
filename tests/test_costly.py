"""The search for the costliest requests: it asks what a server answers, and finds the worst of what it asked."""

from __future__ import annotations

import pytest
from conftest import MakeFeed
from own_loop import run_in_own_loop
from sqlalchemy import Engine

from bench.costly import ADMIN, APART, DRIVER, KINDS, Target, list_choices, search_kind
from bench.drivers import add_drivers, make_cookie
from bench.server import run_server
from etl import run_load
from settings import Settings

pytestmark = pytest.mark.slow


def test_every_kind_of_request_is_answered_and_the_worst_comes_first(
    settings: Settings, engine: Engine, make_feed: MakeFeed
) -> None:
    assert run_load(settings.model_copy(update={"feed_url": str(make_feed(stations=300))}), engine).is_success
    add_drivers(engine, ADMIN)
    cookies = {user_id: make_cookie(settings, engine, user_id) for user_id in (DRIVER, ADMIN)}
    choices = list_choices(engine)
    with run_server(settings.model_copy(update={"requests_per_minute": 0})) as server:
        target = Target(server, engine, cookies)
        for kind in (*KINDS, *APART):
            found = run_in_own_loop(search_kind(target, kind, choices, tries=2, again=1))
            assert found
            assert all(ms > 0 and name for ms, name in found)
            assert found == sorted(found, reverse=True)
