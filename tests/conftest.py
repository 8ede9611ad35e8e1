"""What every test starts from: a state dir of its own, a database of its own, and feeds made on the spot."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, Row, select

from accounts import passwords
from accounts.registration import Registration, confirm_account, register
from bench.postgres_cluster import HASTY, Cluster, run_cluster
from db import open_engine, prepare_database
from feed.generator import FeedRecipe, write_feed
from models import OutboxMail
from settings import ROOT, Settings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
REAL_FEEDS = Path(os.environ.get("CARBUROAM_TEST_FEEDS", ROOT.parent / "shared" / "feeds"))
FIRST_ID = 1_000_001  # of generated stations that stand for real ones

KEY = b"k" * 32
PASSWORD = "correct horse battery"

# "postgresql": every test gets its database there instead of in a file. Read now: tests begin without such settings.
DATABASE = os.environ.get("CARBUROAM_TEST_DATABASE", "sqlite")
CLUSTER: list[Cluster] = []
NAMED: dict[Path, str] = {}  # the state dirs that a test asked the database of, and what it is called

MakeFeed = Callable[..., Path]
MakeDriver = Callable[..., int]
ReadMails = Callable[[], list[Row[Any]]]


def pytest_configure(config: pytest.Config) -> None:
    hands_out = getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput")
    if DATABASE != "postgresql" or hands_out:  # a cluster for each process that runs tests
        return
    running = run_cluster(**HASTY, max_connections="300")
    CLUSTER.append(running.__enter__())
    config.add_cleanup(lambda: running.__exit__(None, None, None))
    # What is made of this template has the tables already, as a database of an installation has.
    engine = open_engine(f"{CLUSTER[0].url}/template1")
    prepare_database(engine)
    engine.dispose()
    as_environment = Settings.as_environment
    Settings.database = property(lambda self: self.database_url or f"{CLUSTER[0].url}/{name_database(self.state_dir)}")  # type: ignore[assignment,method-assign]
    Settings.as_environment = lambda self: as_environment(self) | {"CARBUROAM_DATABASE_URL": self.database}  # type: ignore[method-assign]


def name_database(state_dir: Path) -> str:
    """Return the name of the database that stands for the one in this state dir."""
    return NAMED.setdefault(state_dir, f"t{sha256(str(state_dir).encode()).hexdigest()[:20]}")


@pytest.fixture(autouse=True)
def _drop_databases(tmp_path: Path) -> Iterator[None]:
    """Drop the test's own databases; those that a whole module shares go with the cluster."""
    yield
    for state_dir in [path for path in NAMED if path.is_relative_to(tmp_path)]:
        CLUSTER[0].execute(f"DROP DATABASE IF EXISTS {NAMED.pop(state_dir)} WITH (FORCE)")


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("CARBUROAM_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CARBUROAM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setitem(Settings.model_config, "env_file", None)


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "ROUNDS", 4)
    passwords._get_idle_hash.cache_clear()


@pytest.fixture
def feed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ages count from the newest report of the feed: to be asked for before the settings."""
    monkeypatch.setenv("CARBUROAM_AS_OF", "feed")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    return Settings(state_dir=state_dir)


@pytest.fixture
def empty_database(settings: Settings) -> None:
    """Make the database without any table; on SQLite there is nothing to make."""
    for cluster in CLUSTER:
        cluster.execute(f"CREATE DATABASE {name_database(settings.state_dir)} TEMPLATE template0")


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


@pytest.fixture(scope="session")
def real_feeds() -> list[Path]:
    """The three real snapshots of two days, oldest first."""
    return _require_feeds("instantane_*.zip", 3)


@pytest.fixture(scope="session")
def all_real_feeds() -> list[Path]:
    """The real snapshots of 2019 to 2026, oldest first."""
    return _require_feeds("**/instantane_*.zip", 6)


def _require_feeds(pattern: str, count: int) -> list[Path]:
    if not REAL_FEEDS.parent.is_dir():
        pytest.skip(f"there is no {REAL_FEEDS.parent.name}/ beside the project")
    feeds = sorted(REAL_FEEDS.glob(pattern), key=lambda path: path.stem.partition("20")[2])
    assert len(feeds) == count, f"{count} real snapshots belong into {REAL_FEEDS}"
    return feeds


@pytest.fixture
def mailing(settings: Settings) -> Settings:
    """Settings with a mail server, at which nobody listens: mails stay in the outbox."""
    return settings.model_copy(update={"smtp_url": SecretStr("smtp://127.0.0.1:1")})


@pytest.fixture
def read_mails(engine: Engine) -> ReadMails:
    """Give a function that returns the mails in the outbox, the oldest first."""

    def read() -> list[Row[Any]]:
        with engine.connect() as connection:
            to_somebody = select(OutboxMail.__table__).where(OutboxMail.recipient != "").order_by(OutboxMail.id)
            return list(connection.execute(to_somebody))

    return read


@pytest.fixture
def make_driver(engine: Engine, mailing: Settings, read_mails: ReadMails) -> MakeDriver:
    """Give a function that registers and confirms a driver and returns the id."""

    def make(username: str = "ada", email: str = "", now: datetime = NOW) -> int:
        form = Registration(username, email or f"{username}@mailbox.org", username.title(), PASSWORD)
        opening = register(engine, mailing, KEY, form, address=None, now=now)
        # Later than it was made: at the same moment is where no mail confirmed the address.
        later = now + timedelta(seconds=1)
        confirm_account(engine, KEY, opening.user_id, find_code(read_mails()[-1].text), later)
        return opening.user_id

    return make


def find_code(text: str) -> str:
    """Return the code that the text of a mail holds."""
    match = re.search(r"^([A-Z0-9]{8})$", text, re.MULTILINE)
    assert match is not None, text
    return match[1]
