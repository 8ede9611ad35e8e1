"""A PostgreSQL that takes connections and says nothing: whoever asks the API is told soon that it has no database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from asgi_client import make_outside
from silent_server import run_silent_server

from db import open_engine
from settings import Settings

DEADLINE = 60.0


@pytest.mark.slow
def test_the_api_says_that_it_has_no_database(settings: Settings) -> None:
    pool = ThreadPoolExecutor(40)
    try:
        with run_silent_server() as port:
            url = f"postgresql+psycopg://carburoam@127.0.0.1:{port}/carburoam"
            client = make_outside(settings, open_engine(url, read_seconds=2).connect)
            answers = [pool.submit(client.get, "/api/v1/fuels") for _ in range(40)]
            statuses = {(answer.result(DEADLINE).status, answer.result().headers["retry-after"]) for answer in answers}
        assert statuses == {(503, "60")}
    finally:
        pool.shutdown(wait=False)
