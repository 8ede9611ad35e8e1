"""A PostgreSQL that takes connections and says nothing: whoever asks the API is told soon that it has no database."""

from __future__ import annotations

import asyncio

import pytest
from asgi_client import Heard, make_outside
from own_loop import run_in_own_loop
from silent_server import run_silent_server

from db import open_engine
from settings import Settings

DEADLINE = 60.0


@pytest.mark.slow
def test_the_api_says_that_it_has_no_database(settings: Settings) -> None:
    with run_silent_server() as port:
        url = f"postgresql+psycopg://carburoam@127.0.0.1:{port}/carburoam"
        client = make_outside(settings, open_engine(url, read_seconds=2).connect)

        async def ask_all() -> list[Heard]:
            async with asyncio.timeout(DEADLINE):
                return await asyncio.gather(*(client.ask("/api/v1/fuels") for _ in range(40)))

        answers = run_in_own_loop(ask_all())
    assert {(answer.status, answer.headers["retry-after"]) for answer in answers} == {(503, "60")}
