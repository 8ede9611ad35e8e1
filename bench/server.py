"""The real application as a process of its own, whose CPU time and memory can be read."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil
import requests

from settings import ROOT, Settings
from statefiles import write_lastjob

START_SECONDS = 120.0  # on a machine that does other things besides
STOP_SECONDS = 20.0
NO_FEED = "none.zip"  # in the state dir: should a load be tried after all, it asks no network


@dataclass(frozen=True)
class Server:
    """A running application."""

    url: str
    settings: Settings
    process: psutil.Process

    def read_cpu_seconds(self) -> float:
        """Return the CPU seconds that it has used, the system's work for it included; to a hundredth but on Linux."""
        if sys.platform == "linux":
            return time.clock_gettime(~self.process.pid << 3 | 2)  # as clock_getcpuclockid(3) makes the clock's number
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def read_megabytes(self) -> float:
        """Return how much memory it holds, in MB of 1,000,000 bytes."""
        return float(self.process.memory_info().rss / 1_000_000)


@contextmanager
def run_server(settings: Settings) -> Iterator[Server]:
    """Run the application on the state dir of these settings until the end of the block; no load is due in it."""
    write_lastjob(settings, datetime.now(UTC))
    settings = settings.model_copy(update={"feed_url": str(settings.state_dir / NO_FEED)})
    url = f"http://127.0.0.1:{_find_free_port()}"
    log_path = settings.state_dir / "app.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "streamlit", "run", "app.py"),
                *("--server.port", url.rpartition(":")[2], "--server.address", "127.0.0.1"),
            ],
            cwd=ROOT,
            env=settings.as_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _is_healthy(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the application did not start:\n{log_path.read_text(encoding='utf-8')}")
            time.sleep(0.05)
        yield Server(url, settings, psutil.Process(process.pid))
    finally:
        scheduler = _find_scheduler(settings)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if scheduler is not None:  # it ends with the application; its state dir is about to go
            for left in psutil.wait_procs([scheduler], STOP_SECONDS)[1]:
                left.kill()


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}/_stcore/health", timeout=5).ok
    except requests.RequestException:
        return False


def _find_scheduler(settings: Settings) -> psutil.Process | None:
    try:
        return psutil.Process(int(settings.pid_file.read_text(encoding="ascii")))
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
