"""The real application as a process of its own, with a state dir of its own, started and stopped as a person would."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from settings import ROOT

START_SECONDS = 60.0  # on a machine that does other things besides
LOAD_SECONDS = 60.0
STOP_SECONDS = 15.0


@dataclass(frozen=True)
class App:
    """A running application."""

    url: str
    state_dir: Path

    def query(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Return rows of its database; none as long as it has no such table."""
        path = self.state_dir / "db.sqlite3"
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as connection:
                return connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error) or "unable to open" in str(error):
                return []
            raise

    def load(self, feed: Path) -> None:
        """Load a feed from outside, as `python etl.py --feed FILE` does."""
        subprocess.run(
            [sys.executable, "etl.py", "--feed", str(feed)],
            cwd=ROOT,
            env=make_environment(self.state_dir, ""),
            check=True,
            capture_output=True,
            timeout=LOAD_SECONDS,
        )


@contextmanager
def run_app(state_dir: Path, feed_url: str, *, is_loading: bool = False, **settings: str) -> Iterator[App]:
    """Run the application until the end of the block; it has prices when the block begins, unless `is_loading`.

    `settings` are more of them, by the names that they have in the environment.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    port = find_free_port()
    app = App(f"http://127.0.0.1:{port}", state_dir)
    log_path = state_dir / "app.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "streamlit", "run", "app.py"),
                *("--server.port", str(port), "--server.address", "127.0.0.1"),
            ],
            cwd=ROOT,
            env=make_environment(state_dir, feed_url) | settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(
            lambda: process.poll() is not None or is_healthy(app.url), START_SECONDS, lambda: log_path.read_text()
        )
        assert process.poll() is None, log_path.read_text()
        if not is_loading:
            wait_until(lambda: app.query("SELECT 1 FROM feed_state"), LOAD_SECONDS, lambda: log_path.read_text())
        yield app
        # What a browser says is never taken for forged.
        assert re.findall(r".* socket status=(?:closed|dropped) .*", log_path.read_text()) == []
    finally:
        scheduler = find_scheduler(state_dir)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            if scheduler is not None:
                _, alive = psutil.wait_procs([scheduler], STOP_SECONDS)
                for left in alive:
                    left.kill()
                assert not alive, "the background process goes on after the end of the application"
    assert not (state_dir / "pid.txt").exists(), "the background process left pid.txt behind"


def make_environment(state_dir: Path, feed_url: str) -> dict[str, str]:
    """Return this process's environment without the settings of this machine.

    Tests open more pages in a minute than people do, all from one address.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARBUROAM_")}
    ours = {"STATE_DIR": str(state_dir), "FEED_URL": feed_url, "REQUESTS_PER_MINUTE": "1200"}
    return kept | {f"CARBUROAM_{name}": value for name, value in ours.items()}


def find_scheduler(state_dir: Path) -> psutil.Process | None:
    """Return the background process that `pid.txt` names."""
    try:
        return psutil.Process(int((state_dir / "pid.txt").read_text()))
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None


def find_free_port() -> int:
    """Return a port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_until(condition: Callable[[], object], seconds: float, explain: Callable[[], str] = str) -> None:
    """Wait until `condition` is true."""
    assert comes_true(condition, seconds), f"not within {seconds} s: {explain()}"


def comes_true(condition: Callable[[], object], seconds: float) -> bool:
    """Say whether `condition` is true within so many seconds, as soon as it is."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
