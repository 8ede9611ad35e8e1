"""The database is made, upgraded and opened in the one way that all of the program relies on."""

from __future__ import annotations

import ast
import subprocess
import sys
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from conftest import DATABASE
from sqlalchemy import Connection, Engine, delete, func, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from accounts.identity import make_key
from db import begin_writing, open_engine, prepare_database
from errors import DatabaseNewer
from models import (
    FUEL_NAMES,
    Base,
    Credential,
    EtlRun,
    FeedState,
    GasType,
    Price,
    Station,
    StationBrand,
    StockOut,
    User,
)
from prices.figures import NationalFigures
from settings import ROOT, Settings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
STATION = {
    "id": 1,
    "latitude": 46.2,
    "longitude": 5.2,
    "address": "",
    "town": "Bourg",
    "zip_code": "01000",
    "town_key": "bourg",
    "is_motorway": False,
    "has_automat": False,
    "services": "",
}
FEED = {
    "id": 1,
    "source": "feed.zip",
    "is_sample": False,
    "digest": "0" * 64,
    "etag": "e",
    "last_modified": "m",
    "station_count": 3,
    "price_count": 0,
    "loaded_at": NOW,
}
PRICE = {"station_id": 1, "gastype_id": 1, "price": 1739, "updated_at": NOW}

MIGRATIONS = sorted((ROOT / "migrations" / "versions").glob("*.py"))


def read_pragma(connection: Connection, name: str) -> Any:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def make_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return config


def list_revisions() -> list[str]:
    return [script.revision for script in ScriptDirectory.from_config(make_config()).walk_revisions()]


def find_differences(connection: Connection) -> list[Any]:
    """Return what a migration would have to change for the tables to be those of the models."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return compare_metadata(context, Base.metadata)


# Making and upgrading


def test_a_fresh_database_has_every_table_and_the_fuels(settings: Settings) -> None:
    engine = open_engine(settings.database)
    prepare_database(engine)
    assert set(inspect(engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    with engine.connect() as connection:
        assert {row.id: row.name for row in connection.execute(select(GasType.__table__))} == FUEL_NAMES
    engine.dispose()


def test_the_migrations_make_what_the_models_say(engine: Engine) -> None:
    with engine.connect() as connection:
        assert find_differences(connection) == []
        connection.exec_driver_sql("DROP INDEX ix_stations_town_key")
        connection.exec_driver_sql("ALTER TABLE stations ADD COLUMN stranger TEXT")
        assert len(find_differences(connection)) == 2, "a difference is seen"


@pytest.mark.parametrize("revision", list_revisions())
@pytest.mark.usefixtures("empty_database")
def test_a_database_of_any_revision_is_upgraded_with_its_rows(settings: Settings, revision: str) -> None:
    engine = open_engine(settings.database)
    config = make_config()
    with begin_writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    with begin_writing(engine) as connection:
        connection.execute(insert(EtlRun).values(started_at=NOW, source="before"))
    prepare_database(engine)
    with engine.connect() as connection:
        assert find_differences(connection) == []
        assert connection.scalars(select(EtlRun.source)).all() == ["before"]
    engine.dispose()


def test_a_database_of_a_newer_version_is_refused_and_stays_as_it_is(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseNewer, match=r"is of a newer version of this program \(revision 9999\)"):
        prepare_database(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["9999"]


@pytest.mark.usefixtures("empty_database")
def test_when_a_driver_was_last_here_is_taken_from_the_sessions_there_are(settings: Settings) -> None:
    engine = open_engine(settings.database)
    config = make_config()
    with begin_writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        for id_, name in ((1, "ada"), (2, "bob")):
            connection.exec_driver_sql(
                "INSERT INTO users (id, username, username_key, email, email_key, name, language, created_at) "
                f"VALUES ({id_}, '{name}', '{name}', '{name}', '{name}', '{name}', 'fr', '2023-11-01 00:00:00.000000')"
            )
            connection.exec_driver_sql(
                f"INSERT INTO credentials (user_id, password_hash, role) VALUES ({id_}, 'x', 'driver')"
            )
        for token, hour in (("a", 9), ("b", 7)):
            at = f"'2023-11-23 {hour:02}:00:00.000000'"
            connection.exec_driver_sql(
                "INSERT INTO login_sessions (token_hash, user_id, created_at, seen_at, expires_at, browser) "
                f"VALUES ('{token}', 1, {at}, {at}, {at}, '')"
            )
    prepare_database(engine)
    with engine.connect() as connection:
        rows = connection.execute(select(Credential.user_id, Credential.last_seen_at))
        seen = {row.user_id: row.last_seen_at for row in rows}
    engine.dispose()
    assert seen == {1: datetime(2023, 11, 23, 9, tzinfo=UTC), 2: None}


@pytest.mark.usefixtures("empty_database")
def test_accounts_are_found_by_their_addresses_after_an_upgrade_of_their_keys(settings: Settings) -> None:
    kept = {
        "Ada@straße.de": "ada@strasse.de",
        "Zoé.ﬁ@mailbox.org": "zoé.fi@mailbox.org",
        "bob@mailbox.org": "bob@mailbox.org",
        "eve@faß.例え.jp": "eve@fass.例え.jp",
        "bob@MAILBOX.org": "written by hand",
    }
    engine = open_engine(settings.database)
    config = make_config()
    with begin_writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0012")
        for id_, (email, key) in enumerate(kept.items(), start=1):
            connection.execute(
                text(
                    "INSERT INTO users (id, username, username_key, email, email_key, name, language, created_at) "
                    "VALUES (:id, :name, :name, :email, :key, '', 'fr', '2023-11-01 00:00:00.000000')"
                ),
                {"id": id_, "name": f"driver{id_}", "email": email, "key": key},
            )
    prepare_database(engine)
    with engine.connect() as connection:
        rows = connection.execute(select(User.email, User.email_key).order_by(User.id)).all()
    engine.dispose()
    *found, by_hand = rows
    assert [key for _, key in found] == [make_key(email) for email, _ in found]
    assert by_hand == ("bob@MAILBOX.org", "written by hand")


@pytest.mark.usefixtures("empty_database")
def test_the_names_of_stations_there_are_can_be_searched(settings: Settings) -> None:
    engine = open_engine(settings.database)
    config = make_config()
    with begin_writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        for id_, name in ((1, "Relais de l’Étang"), (2, ""), (3, "½" * 120)):
            connection.exec_driver_sql(
                f"INSERT INTO station_brands (station_id, brand, brand_key, name) VALUES ({id_}, '', '', '{name}')"
            )
    prepare_database(engine)
    with engine.connect() as connection:
        keys = connection.execute(select(StationBrand.name_key).order_by(StationBrand.station_id)).scalars().all()
    engine.dispose()
    assert keys == ["relais de l etang", "", ("1 2" * 40)[:120]]


@pytest.mark.usefixtures("empty_database")
def test_prices_loaded_before_there_were_ranges_stay_judged_by_their_median(settings: Settings) -> None:
    engine = open_engine(settings.database)
    config = make_config()
    with begin_writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        for fuel_id, median in ((1, 1000), (5, 1001)):
            connection.exec_driver_sql(
                "INSERT INTO fuel_figures (gastype_id, median_price, lowest_price, station_count, fresh_from) "
                f"VALUES ({fuel_id}, {median}, 900, 5, '2023-11-01 00:00:00.000000')"
            )
    prepare_database(engine)
    with engine.connect() as connection:
        figures = NationalFigures().find(connection, "", datetime(2023, 12, 1, tzinfo=UTC))
    engine.dispose()
    for fuel_id, prices in ((1, (799, 800, 1700, 1701)), (5, (800, 801, 1701, 1702))):
        standings = [figures[fuel_id].judge(price, NOW) for price in prices]
        assert standings == ["implausible", "fresh", "fresh", "implausible"]


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_knows_no_way_back_and_nothing_that_may_change(path: Path) -> None:
    """What leads back would lose what came since; a migration does next year what it does today."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert imported <= {"alembic", "sqlalchemy", *sys.stdlib_module_names}
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert "upgrade" in functions
    assert "downgrade" not in functions
    assert "batch_alter_table" not in path.read_text(encoding="utf-8"), "it empties what refers to the table on SQLite"


@pytest.mark.usefixtures("empty_database")
def test_of_the_stock_outs_there_are_those_for_good_go_and_the_next_load_reads_their_stations_again(
    settings: Settings,
) -> None:
    engine = open_engine(settings.database)
    config = make_config()
    with begin_writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        connection.execute(insert(FeedState).values(**FEED))
        for id_ in (1, 2, 3):
            connection.execute(insert(Station).values(**STATION | {"id": id_, "fingerprint": id_}))
        for id_, permanent in ((1, "false"), (2, "true")):
            connection.exec_driver_sql(
                "INSERT INTO stock_outs (station_id, gastype_id, began_at, is_permanent) "
                f"VALUES ({id_}, 5, '2023-11-23 09:00:00.000000', {permanent})"
            )
    prepare_database(engine)
    with engine.connect() as connection:
        rows = connection.execute(select(StockOut.__table__)).all()
        fingerprints = connection.scalars(select(Station.fingerprint).order_by(Station.id)).all()
        state = connection.execute(select(FeedState.digest, FeedState.etag, FeedState.last_modified)).one()
    engine.dispose()
    assert [tuple(row) for row in rows] == [(1, 5, datetime(2023, 11, 23, 9, tzinfo=UTC))]
    assert (fingerprints, tuple(state)) == ([None, None, 3], ("", None, None))


def test_preparing_a_database_again_changes_nothing(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        connection.execute(insert(Station).values(**STATION))
    prepare_database(engine)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Station)) == 1
        assert connection.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar() == 1


PREPARE = """
import sys
from db import open_engine, prepare_database
import alembic.command
engine = open_engine(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
prepare_database(engine)
"""


@pytest.mark.parametrize("is_there", [True, False], ids=["an empty one is there", "there is none"])
def test_two_processes_may_make_the_database_at_once(
    settings: Settings, request: pytest.FixtureRequest, is_there: bool
) -> None:
    if is_there:
        request.getfixturevalue("empty_database")
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", PREPARE, settings.database],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                )
            )
            for _ in range(2)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    engine = open_engine(settings.database)
    with engine.connect() as connection:
        assert find_differences(connection) == []
        assert connection.scalar(select(func.count()).select_from(GasType)) == 6
    engine.dispose()


# Connections


@pytest.mark.skipif(DATABASE != "sqlite", reason="these are settings of SQLite's")
def test_every_connection_waits_checks_keys_and_lets_readers_go_on(engine: Engine) -> None:
    with engine.connect() as first, engine.connect() as second, begin_writing(engine) as writer:
        for connection in (first, second, writer):
            assert read_pragma(connection, "foreign_keys") == 1
            assert read_pragma(connection, "busy_timeout") == 30_000
            assert read_pragma(connection, "journal_mode") == "wal"
            assert read_pragma(connection, "synchronous") == 1, "NORMAL: enough with WAL"


def test_a_price_needs_its_station_and_its_fuel(engine: Engine) -> None:
    with pytest.raises(IntegrityError), begin_writing(engine) as connection:
        connection.execute(insert(Price).values(**PRICE))
    with begin_writing(engine) as connection:
        connection.execute(insert(Station).values(**STATION))
    with pytest.raises(IntegrityError), begin_writing(engine) as connection:
        connection.execute(insert(Price).values(**PRICE | {"gastype_id": 7}))


def test_prices_go_with_their_station(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        connection.execute(insert(Station).values(**STATION))
        connection.execute(insert(Price).values(**PRICE))
    with begin_writing(engine) as connection:
        connection.execute(delete(Station))
        assert connection.scalar(select(func.count()).select_from(Price)) == 0


def test_opening_an_engine_makes_no_file(tmp_path: Path) -> None:
    open_engine(f"sqlite:///{tmp_path / 'db.sqlite3'}").dispose()
    assert list(tmp_path.iterdir()) == []


# Transactions


def test_a_writer_waits_for_another(engine: Engine) -> None:
    """It begins by taking its turn, so that what it reads is what the other one wrote."""
    asking, inside = threading.Event(), threading.Event()
    seen: list[int | None] = []

    def write() -> None:
        asking.set()
        with begin_writing(engine) as connection:
            inside.set()
            seen.append(connection.scalar(select(func.count()).select_from(Station)))
            connection.execute(insert(Station).values(**STATION | {"id": 2}))

    second = threading.Thread(target=write)
    with begin_writing(engine) as connection:
        second.start()
        assert asking.wait(10)
        connection.execute(insert(Station).values(**STATION))
        assert not inside.wait(0.3)
    assert inside.wait(10)
    second.join(10)
    assert seen == [1]
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Station)) == 2


def test_a_writer_that_fails_leaves_nothing(engine: Engine) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(insert(Station).values(**STATION))
        connection.exec_driver_sql("CREATE TABLE stranger (id INTEGER)")
        raise LookupError

    with pytest.raises(LookupError), begin_writing(engine) as connection:
        fail(connection)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Station)) == 0
    assert "stranger" not in inspect(engine).get_table_names(), "tables are rolled back too"


def test_a_reader_keeps_one_snapshot_while_another_writes(engine: Engine) -> None:
    count = select(func.count()).select_from(Station)
    with engine.connect() as reader:
        assert reader.scalar(count) == 0
        with begin_writing(engine) as connection:
            connection.execute(insert(Station).values(**STATION))
        assert reader.scalar(count) == 0
        reader.rollback()
        assert reader.scalar(count) == 1


# The file


def list_modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def test_a_new_database_and_its_log_are_their_owner_s_alone(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    prepare_database(engine)
    with begin_writing(engine) as connection:
        connection.execute(insert(EtlRun).values(started_at=NOW))
        modes = list_modes(tmp_path)
    engine.dispose()
    assert modes == {"new.sqlite3": 0o600, "new.sqlite3-wal": 0o600, "new.sqlite3-shm": 0o600}


def test_a_database_that_is_there_keeps_the_mode_that_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    path.touch()
    path.chmod(0o640)
    engine = open_engine(f"sqlite:///{path}")
    prepare_database(engine)
    engine.dispose()
    assert list_modes(tmp_path)["old.sqlite3"] == 0o640


def test_what_is_in_memory_makes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite://", "sqlite:///:memory:"):
        with open_engine(url).connect() as connection:
            assert connection.scalar(select(1)) == 1
    assert list(tmp_path.iterdir()) == []


# Values


def test_an_instant_is_kept_in_utc_and_comes_back_aware(engine: Engine) -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    with begin_writing(engine) as connection:
        connection.execute(insert(EtlRun).values(started_at=elsewhere))
        assert connection.scalar(select(EtlRun.started_at)) == NOW
        assert connection.scalar(select(EtlRun.started_at)).utcoffset() == timedelta(0)
        raw = connection.exec_driver_sql("SELECT CAST(started_at AS VARCHAR) FROM etl_runs").scalar_one()
    assert raw.removesuffix(".000000") == "2026-03-10 12:00:00"


def test_an_instant_without_a_zone_is_refused(engine: Engine) -> None:
    with pytest.raises(StatementError, match="needs a time zone"), begin_writing(engine) as connection:
        connection.execute(insert(EtlRun).values(started_at=NOW.replace(tzinfo=None)))


def test_the_number_of_a_run_is_never_used_again(engine: Engine) -> None:
    ids = []
    for _ in range(2):
        with begin_writing(engine) as connection:
            connection.execute(insert(EtlRun).values(started_at=NOW))
            ids.append(connection.scalar(select(func.max(EtlRun.id))))
            connection.execute(delete(EtlRun))
    assert ids == [1, 2]
