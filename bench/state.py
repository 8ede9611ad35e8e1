"""What the program runs on in a benchmark: feeds, databases that are prepared, and state dirs that are thrown away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from sqlalchemy import Engine

from db import open_engine, prepare_database
from etl import run_load
from feed.generator import FeedRecipe, write_feed
from settings import AS_OF_FEED, ROOT, Settings, read_settings

STATIONS = 10_002  # as many as the real snapshots have
RECIPE = FeedRecipe(newest_at=datetime(2025, 1, 15, 8, 0, tzinfo=UTC), stations=STATIONS, first_id=1_000_001)
OVERNIGHT_SHARE = 0.23  # of the stations report something between the first two real snapshots
# All visitors of a benchmark come from one address.
ONE_ADDRESS = {"connections_per_address": 0, "tabs_per_address": 0, "messages_per_10_seconds": 0}
REAL_FEEDS = Path(os.environ.get("CARBUROAM_TEST_FEEDS", ROOT.parent / "shared" / "feeds"))


class Feeds(NamedTuple):
    """Two snapshots, ten hours apart, and what they are."""

    first: Path
    next: Path
    description: str


class Brands(NamedTuple):
    """Two real lists of brands, the one that wins first, and the feed whose stations they are for."""

    lists: tuple[Path, Path]
    feed: Path


class Databases(NamedTuple):
    """Files that loads start from: with the tables only, and with the first snapshot in them."""

    empty: Path
    loaded: Path


@contextmanager
def open_state(folder: Path, database: Path | None = None) -> Iterator[Settings]:
    """Give settings with a state dir of their own, in it a copy of the database file."""
    with TemporaryDirectory(dir=folder) as name:
        # The feeds are of years ago: without their own clock no price in them is fresh, and there is less to do.
        ours = {"state_dir": Path(name), "database_url": "", "feed_url": "", "as_of": AS_OF_FEED}
        settings = read_settings().model_copy(update=ours | ONE_ADDRESS)
        if database is not None:
            shutil.copy(database, Path(name) / "db.sqlite3")
        yield settings


@contextmanager
def open_database(settings: Settings) -> Iterator[Engine]:
    """Open the database of these settings until the end of the block."""
    engine = open_engine(settings.database)
    try:
        yield engine
    finally:
        engine.dispose()


def prepare_load(settings: Settings, engine: Engine, feed: Path) -> Callable[[], None]:
    """Return the load of a feed; it must end well."""
    settings = settings.model_copy(update={"feed_url": str(feed)})

    def load() -> None:
        report = run_load(settings, engine)
        assert report.is_success, report.message

    return load


def make_databases(folder: Path, feeds: Feeds) -> Databases:
    """Make the files that loads and servers start from."""
    databases = Databases(folder / "empty.sqlite3", folder / "loaded.sqlite3")
    with open_state(folder) as settings:
        with open_database(settings) as engine:
            prepare_database(engine)
        shutil.copy(settings.state_dir / "db.sqlite3", databases.empty)
        with open_database(settings) as engine:
            prepare_load(settings, engine, feeds.first)()
        shutil.copy(settings.state_dir / "db.sqlite3", databases.loaded)
    return databases


def find_feeds(folder: Path) -> Feeds:
    """Return the real snapshots, or generated feeds where they are not."""
    real = sorted(REAL_FEEDS.glob("instantane_*.zip"))
    if len(real) >= 2:
        return Feeds(real[0], real[1], f"{real[0].name}, then {real[1].name}")
    first, following = folder / "first.zip", folder / "next.zip"
    write_feed(first, RECIPE)
    write_feed(following, replace(RECIPE, changed_share=OVERNIGHT_SHARE))
    return Feeds(first, following, f"GENERATED feeds of {STATIONS:,} stations (the real snapshots are not here)")


def find_brands() -> Brands | None:
    """Return the real lists of brands and a feed of their year; None where they are not."""
    folder = REAL_FEEDS.parent / "brands"
    lists = (folder / "stations_name_osm.csv", folder / "stations_name.json")
    feed = REAL_FEEDS / "years" / "instantane_ruptures_2026-06-05.zip"
    return Brands(lists, feed) if all(path.exists() for path in (*lists, feed)) else None
