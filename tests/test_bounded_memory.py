"""Whoever asks for ever other things fills no memory of the running server with what it keeps of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
import requests

import etl
from bench.server import run_server
from db import open_engine, prepare_database
from feed.generator import FeedRecipe, write_feed
from settings import Settings

pytestmark = pytest.mark.slow

MORE_MEGABYTES = 60
REQUESTS = 400


def make_search(random: Random) -> dict[str, str]:
    """Make a search that was never asked, in a form that was never asked."""
    search = {
        "fuel": str(random.randint(1, 6)),
        "zip": ",".join({str(random.randrange(10, 100)) for _ in range(random.randint(1, 39))}),
        "services": ",".join({str(random.randint(1, 60)) for _ in range(random.randint(1, 39))}),
        "words": " ".join(random.sample("abcdefghilmnoprstuv", random.randint(1, 8))),
    }
    return {name: value for name, value in search.items() if name == "fuel" or random.random() < 0.7}


def test_searches_of_ever_other_forms_fill_no_memory(tmp_path: Path) -> None:
    write_feed(tmp_path / "feed.zip", FeedRecipe(newest_at=datetime.now(UTC), stations=300, first_id=1_000_001))
    settings = Settings(state_dir=tmp_path, feed_url=str(tmp_path / "feed.zip"), requests_per_minute=0)
    engine = open_engine(settings.database)
    prepare_database(engine)
    assert etl.run_load(settings, engine).is_success
    engine.dispose()
    random = Random(1)
    with run_server(settings) as server, requests.Session() as session:

        def ask() -> int:
            return session.get(f"{server.url}/stations.json", params=make_search(random), timeout=60).status_code

        assert {ask() for _ in range(REQUESTS // 4)} == {200}
        before = server.read_megabytes()
        assert {ask() for _ in range(REQUESTS)} == {200}
        assert server.read_megabytes() - before < MORE_MEGABYTES
