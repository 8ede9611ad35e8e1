"""Requests that wait for a database hold up neither a page's files nor anybody else's page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from silent_server import run_silent_server

from bench.server import run_server
from settings import Settings

WAITING = 60  # more than the threads that answer whatever has none of its own
DEADLINE = 60.0


@pytest.mark.slow
def test_points_that_wait_for_a_silent_database_hold_up_no_file(settings: Settings) -> None:
    pool = ThreadPoolExecutor(WAITING)
    with run_silent_server() as port:
        url = f"postgresql+psycopg://carburoam@127.0.0.1:{port}/carburoam"
        with run_server(settings.model_copy(update={"database_url": url})) as server:

            def ask(number: int) -> int:
                return requests.get(f"{server.url}/stations.json?zip={number}", timeout=DEADLINE).status_code

            waiting = [pool.submit(ask, number) for number in range(WAITING)]
            try:
                for path in ("/assets/favicon.png", "/", "/map-style/light.json"):
                    assert requests.get(server.url + path, timeout=DEADLINE).ok
                answered = sum(one.done() for one in waiting)
                assert answered < WAITING // 3, "the files came after most of what waits for the database"
                assert {one.result(DEADLINE) for one in waiting} == {503}
            finally:
                pool.shutdown(wait=False)
