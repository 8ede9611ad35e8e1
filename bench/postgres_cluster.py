"""A PostgreSQL of the tests' and the benchmarks' own: a private cluster on a loopback port, gone with its process."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import psycopg

USER = "carburoam"
# Nothing here is to outlive a power cut: without waiting for the disk a test takes a tenth of the time.
HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Cluster:
    """A running cluster; `url` without the name of a database, ready for one."""

    port: int
    folder: Path
    owner: str | None
    programs: Path

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement outside a transaction."""
        with psycopg.connect(
            f"host=127.0.0.1 port={self.port} user={USER} dbname={database}", autocommit=True
        ) as connection:
            connection.execute(statement.encode())

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs as the owner of the cluster; the server refuses to run as root."""
        subprocess.run(
            [self.programs / program, *arguments],
            check=True,
            user=self.owner,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def start(self) -> None:
        """Start the server, also after it was stopped or killed, and wait until it answers."""
        self.run("pg_ctl", "-D", "data", "-l", "log", "-w", "-t", "60", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; "immediate" is what a crash is."""
        self.run("pg_ctl", "-D", "data", "-m", mode, "-w", "stop")


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's server programs, the newest version's; None where there are none."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent  # a link to it may stand where the other programs have none
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return folders[-1].parent if folders else None


@contextmanager
def run_cluster(**settings: str) -> Iterator[Cluster]:
    """Make a cluster with these settings of postgresql.conf in a folder of its own, run it, and remove it.

    Raises FileNotFoundError: PostgreSQL is not installed.
    """
    programs = find_programs()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed")
    folder = Path(mkdtemp(prefix="carburoam-postgres-"))
    owner = "postgres" if os.geteuid() == 0 else None
    if owner is not None:
        account = pwd.getpwnam(owner)
        os.chown(folder, account.pw_uid, account.pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cluster = Cluster(port, folder, owner, programs)
    try:
        cluster.run("initdb", "-D", "data", "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        options = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": "", **settings}
        with (folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in options.items())
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
