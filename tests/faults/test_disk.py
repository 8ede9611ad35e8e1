"""A disk that is full, and one that can't be written: what was there stays, and with space again all works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import DATABASE, MakeFeed
from loops import IS_WHOLE
from mounts import Disk, mount_disk
from people import list_accounts, open_account, require_sound
from programs import run_command
from snapshots import KnownFeed, learn_feeds, load, look
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from db import open_engine, prepare_database
from settings import Settings

pytestmark = [
    pytest.mark.skipif(DATABASE != "sqlite", reason="the disk that is full is that of the database"),
    pytest.mark.usefixtures("feed_clock"),  # the national figures are compared too
]

MEGABYTES = 12


@pytest.fixture
def disk(settings: Settings) -> Iterator[Disk]:
    with mount_disk(settings.state_dir / "disk", MEGABYTES) as disk:
        yield disk


@pytest.fixture
def house(settings: Settings, disk: Disk) -> Settings:
    """The settings of an installation on that disk."""
    return settings.model_copy(update={"state_dir": disk.folder})


@pytest.fixture
def engine(house: Settings) -> Iterator[Engine]:
    engine = open_engine(house.database)
    prepare_database(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def feeds(house: Settings, engine: Engine, make_feed: MakeFeed) -> list[KnownFeed]:
    return learn_feeds(house, engine, make_feed, stations=400)


@pytest.mark.parametrize("free_bytes", [0, 20_000, 200_000] if IS_WHOLE else [20_000])
def test_a_disk_that_is_full_loses_nothing_and_with_space_again_all_works(
    house: Settings, engine: Engine, disk: Disk, feeds: list[KnownFeed], free_bytes: int
) -> None:
    ada = open_account(engine, house, "ada")
    empty_log(engine)
    disk.fill(free_bytes)
    code, _, errors = run_command(house, "etl.py", "--feed", str(feeds[1].path))
    assert (code, len(errors.splitlines())) == (1, 1), errors
    assert "full" in errors or "No space left" in errors
    assert look(engine) == feeds[0].snapshot, "reading goes on, and nothing is torn"
    disk.clear()
    empty_log(engine)
    disk.fill(0)
    with pytest.raises(OperationalError, match="full"):
        open_account(engine, house, "bob")
    assert list_accounts(engine) == {"ada": ada}
    disk.clear()
    bob = open_account(engine, house, "bob")
    assert list_accounts(engine) == {"ada": ada, "bob": bob}
    load(house, engine, feeds[1])
    require_sound(engine)


def empty_log(engine: Engine) -> None:
    """Write what stands in SQLite's log into its file, so that the next writer needs space."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
