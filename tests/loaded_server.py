"""The real application with the prices of a few hundred stations, behind a proxy that it trusts: this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import etl
from bench.server import Server, run_server
from db import open_engine, prepare_database
from feed.generator import FeedRecipe, write_feed
from settings import Settings


@contextmanager
def run_loaded_server(folder: Path, **changes: object) -> Iterator[Server]:
    """Run it until the end of the block, with these settings changed."""
    feed = folder / "feed.zip"
    write_feed(feed, FeedRecipe(newest_at=datetime.now(UTC), stations=300, first_id=1_000_001))
    settings = Settings(state_dir=folder, feed_url=str(feed), trusted_proxies="127.0.0.1").model_copy(update=changes)
    engine = open_engine(settings.database)
    prepare_database(engine)
    assert etl.run_load(settings, engine).is_success
    engine.dispose()
    with run_server(settings) as server:
        yield server


def read_log(server: Server) -> str:
    """Return what the application has written."""
    return (server.settings.state_dir / "app.log").read_text(encoding="utf-8")
