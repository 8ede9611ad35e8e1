"""What every test starts from: a state dir of its own, a database of its own, and feeds made on the spot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from db import open_engine, prepare_database
from feed.generator import FeedRecipe, write_feed
from settings import ROOT, Settings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
REAL_FEEDS = Path(os.environ.get("CARBUROAM_TEST_FEEDS", ROOT.parent / "shared" / "feeds"))
FIRST_ID = 1_000_001  # of generated stations that stand for real ones

MakeFeed = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("CARBUROAM_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CARBUROAM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setitem(Settings.model_config, "env_file", None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    return Settings(state_dir=state_dir)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = open_engine(settings.database)
    prepare_database(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def make_feed(tmp_path: Path) -> MakeFeed:
    """Give a function that writes a generated feed of "real" stations and returns the path of its archive."""
    count = 0

    def make(**recipe: Any) -> Path:
        nonlocal count
        count += 1
        path = tmp_path / f"feed{count}.zip"
        write_feed(path, FeedRecipe(**{"newest_at": NOW, "stations": 40, "first_id": FIRST_ID, **recipe}))
        return path

    return make


@pytest.fixture
def real_feeds() -> list[Path]:
    """The three real snapshots, oldest first."""
    feeds = sorted(REAL_FEEDS.glob("instantane_*.zip"))
    if len(feeds) != 3:
        pytest.skip(f"the real snapshots are not in {REAL_FEEDS.name}/ beside the project")
    return feeds
