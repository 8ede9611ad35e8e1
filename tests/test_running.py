"""The commands of docs/running.md that keep an installation and bring it back do so."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import NOW
from sqlalchemy import Engine, insert, select

from bench.postgres_cluster import HASTY, USER, find_programs, run_cluster
from db import begin_writing, open_engine, prepare_database
from etl import load_sample
from models import EtlRun, Station, User
from settings import ROOT

DOCUMENT = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
SHIPPED = {
    "state_dir": "/var/lib/carburoam/8501",
    "backups": "/var/backups",
    "program": "/opt/carburoam",
    "python": ".venv/bin/python",
    "environment": "/etc/carburoam.env",
    "as_user": "runuser -u carburoam -- ",
    "database": f"postgresql://{USER}@HOST/carburoam",
}


def find_command(start: str, **replaced: str) -> list[str]:
    """Return the command of the document that begins so, its parts with these paths and addresses replaced."""
    return shlex.split(find_line(start, **replaced))


def find_line(start: str, *, end: str = "", **replaced: str) -> str:
    """Return the line of the document that begins and ends so, for a shell, with these paths and addresses replaced."""
    (line,) = (line for line in DOCUMENT.splitlines() if line.startswith(f"    {start}") and line.endswith(end))
    for name, ours in replaced.items():
        assert SHIPPED[name] in line
        line = line.replace(SHIPPED[name], ours)
    return line.strip()


def require_program(name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")


def read_mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def add_user(engine: Engine, name: str) -> None:
    with begin_writing(engine) as connection:
        connection.execute(
            insert(User).values(
                username=name,
                username_key=name,
                email=f"{name}@mailbox.org",
                email_key=f"{name}@mailbox.org",
                name=name,
                language="fr",
                created_at=NOW,
            )
        )


def list_users(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(User.username).order_by(User.id)))


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "state").mkdir()
    engine = open_engine(f"sqlite:///{tmp_path / 'state' / 'db.sqlite3'}")
    prepare_database(engine)
    yield engine
    engine.dispose()


def test_sqlite_is_kept_while_it_is_written_and_brought_back(on_sqlite: Engine, tmp_path: Path) -> None:
    require_program("sqlite3")
    where = {"state_dir": str(tmp_path / "state"), "backups": str(tmp_path)}
    add_user(on_sqlite, "ada")
    with begin_writing(on_sqlite) as connection:
        connection.execute(insert(EtlRun).values(started_at=NOW))
        subprocess.run(["/bin/sh", "-c", find_line("(umask 077 && sqlite3", **where)], check=True)
    assert read_mode(tmp_path / "carburoam.sqlite3") == 0o600
    add_user(on_sqlite, "after")
    on_sqlite.dispose()
    subprocess.run(find_command("rm -f", state_dir=where["state_dir"]), check=True)
    owned = find_command("install -o carburoam", **where)
    subprocess.run([owned[0], *owned[5:]], check=True)  # whoever runs the test can't give files away
    assert list_users(on_sqlite) == ["ada"]
    assert read_mode(tmp_path / "state" / "db.sqlite3") == 0o600
    with on_sqlite.connect() as connection:
        assert connection.scalars(select(EtlRun.id)).all() == [], "a transaction that was not over is in the backup"


def test_the_last_loads_are_told(on_sqlite: Engine, tmp_path: Path) -> None:
    require_program("sqlite3")
    with begin_writing(on_sqlite) as connection:
        connection.execute(insert(EtlRun).values(started_at=NOW, finished_at=NOW, status="refused", message="why"))
    command = find_command('sqlite3 /var/lib/carburoam/8501/db.sqlite3 "SELECT', state_dir=str(tmp_path / "state"))
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.endswith("|refused|why\n")


@pytest.mark.slow
def test_commands_by_hand_have_the_settings_of_the_service(tmp_path: Path) -> None:
    environment, state_dir = tmp_path / "carburoam.env", tmp_path / "served"
    environment.write_text(
        "# settings\nCARBUROAM_FEED_URL='sample'\nCARBUROAM_CONTACT='Ada <ada@mailbox.org> & $HOME'\n"
    )
    where = {
        "program": str(ROOT),
        "python": sys.executable,
        "environment": str(environment),
        "state_dir": str(state_dir),
        "as_user": "",  # whoever runs the test may not become another
    }

    def call(end: str) -> subprocess.CompletedProcess[str]:
        line = find_line("(cd /opt/carburoam", end=end, **where)
        return subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True)

    loaded = call("etl.py)")
    assert (loaded.stdout.partition(":")[0], loaded.stderr, loaded.returncode) == ("loaded", "", 0)
    assert read_mode(state_dir) == 0o700
    granted = call("grant EMAIL)")
    in_database = f"no account has the address EMAIL in sqlite:///{state_dir / 'db.sqlite3'}"
    assert (granted.stdout, granted.stderr) == ("", f"accounts.admin: {in_database}\n")


@pytest.mark.slow
def test_postgresql_is_kept_and_brought_back(tmp_path: Path) -> None:
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with run_cluster(**HASTY) as cluster:
        engine = open_engine(f"{cluster.url}/carburoam")
        prepare_database(engine)
        load_sample(engine, NOW)
        add_user(engine, "ada")
        where = {"database": f"postgresql://{USER}@127.0.0.1:{cluster.port}/carburoam", "backups": str(tmp_path)}
        environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        subprocess.run(["/bin/sh", "-c", find_line("(umask 077 && pg_dump", **where)], check=True, env=environment)
        assert read_mode(tmp_path / "carburoam.dump") == 0o600
        with engine.connect() as connection:
            stations = len(connection.scalars(select(Station.id)).all())
        add_user(engine, "after")
        cluster.execute("DELETE FROM prices", "carburoam")
        engine.dispose()
        subprocess.run(find_command("pg_restore", **where), check=True, env=environment)
        prepare_database(engine)
        assert list_users(engine) == ["ada"]
        add_user(engine, "next")
        with engine.connect() as connection:
            assert len(connection.scalars(select(Station.id)).all()) == stations > 0
        engine.dispose()
