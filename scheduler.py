"""The background process and its guard: pid.txt, lastjob.txt and outputs/. Also the command `python scheduler.py`.

It knows no SQL: it calls `etl`, which it imports only when it holds the lock, since that costs half a second.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psutil
from filelock import FileLock, Timeout

from errors import CarburoamError
from liveness import is_alive, show_life
from logs import set_up_logging
from niceness import stand_back_as_session
from outputs import clear_old_outputs, open_outputs
from settings import ROOT, Settings, read_settings
from statefiles import CLOCK_LEEWAY, read_lastjob, write_line

if TYPE_CHECKING:
    from sqlalchemy import Engine

LOCK_FILE = "scheduler.lock"  # held by a scheduler as long as it lives, never deleted
LIFE_FILE = "scheduler.alive"
LOCK_SECONDS = 2.0  # how long a second process waits for the first to be gone
CHECK_SECONDS = 0.5  # how often pid.txt and lastjob.txt are looked at
CLEAR_EVERY = timedelta(days=1)  # what is kept for a time only is deleted
CLEAR_CHECK_SECONDS = 600.0  # how often it is looked whether that is due; after a failure it is tried again by then
SAMPLE_AFTER_SECONDS = 8.0  # without an answer of the feed, an empty database gets the sample by then
FIRST_RETRY_SECONDS = 60.0
START_PAUSE_SECONDS = 10.0  # between two starts by one app
YOUNG_SECONDS = 60.0  # who ends earlier has failed, and the next start by that app waits twice as long

logger = logging.getLogger("carburoam.scheduler")


@dataclass(frozen=True)
class Running:
    """A living background process."""

    pid: int
    started_at: datetime


def is_running(settings: Settings) -> bool:
    """Say whether `pid.txt` names a living scheduler: a process that runs this script, while this state dir has one.

    No clock is asked, since it may have been set meanwhile. Only where no scheduler could ever show that it lives does
    the age of the process count: it is not younger than the file.
    """
    return _find_process(settings) is not None


def find_running(settings: Settings) -> Running | None:
    """Return the background process that `pid.txt` names; None when it names none that lives."""
    process = _find_process(settings)
    if process is None:
        return None
    try:
        return Running(process.pid, datetime.fromtimestamp(process.create_time(), UTC))
    except psutil.Error:
        return None


def stop_running(settings: Settings) -> int | None:
    """Ask the background process to stop, as `kill` does; return its pid, None when `pid.txt` names none of ours.

    psutil looks once more whether the number is still that very process's before it sends the signal.
    """
    process = _find_process(settings)
    if process is None:
        return None
    try:
        process.terminate()
    except psutil.Error:
        return None
    return process.pid


def remove_stale_pid(settings: Settings) -> bool:
    """Remove a `pid.txt` that names no living scheduler; return whether there was one to remove.

    Under the lock that a scheduler holds as long as it lives: none can write its own `pid.txt` in between.
    """
    try:
        with FileLock(settings.state_dir / LOCK_FILE, timeout=0):
            if is_running(settings):
                return False
            settings.pid_file.unlink()
    except (Timeout, OSError):
        return False
    return True


def start_load(settings: Settings) -> int:
    """Start one load now, as `python etl.py` does, without waiting for it; return its pid.

    The load lock lets one load at a time run; its outcome is in `etl_runs`. Raises OSError: it can't be started.
    """
    process = _start_process(settings, "etl.py")
    threading.Thread(target=process.wait, name="reaper", daemon=True).start()
    logger.info("load pid=%d", process.pid)
    return process.pid


def _find_process(settings: Settings) -> psutil.Process | None:
    try:
        pid = int(settings.pid_file.read_text(encoding="ascii"))
        lives = is_alive(settings.state_dir / LIFE_FILE)
        if lives is False:
            return None
        written_at = settings.pid_file.stat().st_mtime
        process = psutil.Process(pid)
        is_ours = (
            any(Path(part).name == Path(__file__).name for part in process.cmdline())
            and process.status() != psutil.STATUS_ZOMBIE
            and (lives or process.create_time() <= written_at + 2)
        )
    except (OSError, ValueError, OverflowError, psutil.Error):
        return None
    return process if is_ours else None


class Starter:
    """Starts the background process for one app: at most one in ten seconds, more rarely when they die young."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._tried_at: float | None = None
        self._ended_at: float | None = None  # when the last one was first seen gone, or could not be started
        self._failures = 0

    def ensure_running(self, settings: Settings, *, even_if_recent: bool = False) -> bool:
        """Start the background process if none lives and a load is due; return whether one was started.

        It only reads files and never waits, so a page may call it on every run. `even_if_recent` is for the start of
        the app: the process then waits until a load is due, whether or not visitors come.
        """
        if is_running(settings):
            return False
        now = datetime.now(UTC)
        last = read_lastjob(settings, now)
        if not even_if_recent and last and now - last < timedelta(seconds=settings.refresh_seconds):
            return False
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._start(settings)
        finally:
            self._lock.release()

    def stop(self) -> None:
        """Let the process end, as the end of the app would."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _start(self, settings: Settings) -> bool:
        now = self._clock()
        if self._tried_at is not None:
            if self._ended_at is None:
                if self._process is not None and self._process.poll() is None:
                    return False  # on its way to pid.txt, or to its end
                self._ended_at = now
            if now - self._tried_at < START_PAUSE_SECONDS * 2 ** min(self._failures, 6):
                return False
            died_young = self._ended_at - self._tried_at < YOUNG_SECONDS
            self._failures = self._failures + 1 if died_young else 0
        self.stop()
        self._tried_at, self._ended_at = now, None
        try:
            self._process = _start_process(settings, "scheduler.py", "--end-with-stdin")
        except OSError as error:
            # A page must not break on a full disk or a folder that can't be written.
            self._process, self._ended_at = None, now
            logger.warning("start error=%r", str(error))
            return False
        # Waited for, so that a process that was killed is gone from the system and not only ended.
        threading.Thread(target=self._process.wait, name="reaper", daemon=True).start()
        logger.info("start pid=%d", self._process.pid)
        return True


def _start_process(settings: Settings, script: str, *options: str) -> subprocess.Popen[bytes]:
    """Start one of our commands, which prints into `outputs/` and outlives this call."""
    clear_old_outputs(settings.outputs_dir)
    stdout, stderr = open_outputs(settings.outputs_dir)
    with stdout, stderr:
        return subprocess.Popen(
            [sys.executable, str(ROOT / script), *options],
            stdin=subprocess.PIPE if options else subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=settings.as_environment(),
            start_new_session=True,
        )


def compute_wait(now: datetime, last_success: datetime | None, refresh_seconds: float) -> float:
    """Return the seconds until the next load is due: 0 when none succeeded, or the clock was set back to before it."""
    if last_success is None or last_success > now + CLOCK_LEEWAY:
        return 0.0
    return max(0.0, refresh_seconds - (now - last_success).total_seconds())


def compute_pause(failures: int, first_seconds: float, refresh_seconds: float) -> float:
    """Return the seconds to wait after so many failures in a row: 1, 2, 4, ... times the first, up to the interval."""
    return min(first_seconds * float(2 ** min(failures - 1, 20)), refresh_seconds)


class Scheduler:
    """The background process itself, holding the lock: loads when due until it is asked to stop."""

    def __init__(self, settings: Settings, first_retry_seconds: float = FIRST_RETRY_SECONDS) -> None:
        self._settings = settings
        self._first_retry_seconds = first_retry_seconds
        self._stop = threading.Event()

    def run(self, *, end_with: IO[bytes] | None = None) -> None:
        """Run until a signal, the loss of `pid.txt` or the end of `end_with` (the pipe that the app holds open)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        write_line(self._settings.pid_file, str(os.getpid()))
        if end_with is not None:
            threading.Thread(target=self._wait_for_end, args=(end_with,), daemon=True).start()
        threading.Thread(target=self._run_loads, name="loads", daemon=True).start()
        try:
            while not self._stop.wait(CHECK_SECONDS) and self._owns_pid_file():
                pass
        finally:
            self._stop.set()
            if self._owns_pid_file():
                self._settings.pid_file.unlink(missing_ok=True)
            logger.info("stop pid=%d", os.getpid())

    def _owns_pid_file(self) -> bool:
        try:
            return self._settings.pid_file.read_text(encoding="ascii").strip() == str(os.getpid())
        except (OSError, ValueError):
            return False

    def _wait_for_end(self, pipe: IO[bytes]) -> None:
        while pipe.read(1024):
            pass
        self._stop.set()

    def _run_loads(self) -> None:
        """The timed thread; where it can't go on (a database URL that can't be read), the process has nothing to do."""
        try:
            self._load_when_due()
        except Exception:
            # A thread that dies in silence would leave a process behind that holds pid.txt and never loads.
            logger.exception("loads status=failed")
        finally:
            self._stop.set()

    def _load_when_due(self) -> None:
        """Wait until a load is due, load, and again."""
        import db

        engine = db.open_engine(self._settings.database)
        last_success = self._find_last_success(engine)
        self._start_others(engine)
        failures = 0
        while self._wait_until_due(last_success, failures):
            try:
                succeeded = self._load(engine)
            except Exception:
                # The process must outlive whatever one load runs into; the log has the whole of it.
                logger.exception("load status=failed")
                succeeded = False
            failures = 0 if succeeded else failures + 1
            if succeeded:
                # Not always now: another machine that shares the database may have loaded it a while ago.
                now = datetime.now(UTC)
                last_success = read_lastjob(self._settings, now) or now
            else:
                logger.warning("retry failures=%d", failures)

    def _start_others(self, engine: Engine) -> None:
        """Start the threads of what must neither wait for a load nor hold one up.

        That is sending the mails which an app left behind, and deleting once a day what is kept for a time only. Like
        the loads, they end with the process.
        """
        import mail

        mail.Mailer(engine, self._settings)
        threading.Thread(target=self._clear_daily, args=(engine,), name="clearing", daemon=True).start()

    def _clear_daily(self, engine: Engine) -> None:
        import db
        import retention

        cleared_at: datetime | None = None
        while not self._stop.is_set():
            now = datetime.now(UTC)
            # By the clock, for a machine may sleep; and by one that was set back it would else be due in a year.
            if cleared_at is None or not timedelta(0) <= now - cleared_at < CLEAR_EVERY:
                try:
                    with db.begin_writing(engine) as connection:
                        counts = retention.clear_expired(connection, now)
                    cleared_at = now
                    logger.info("clear %s", " ".join(f"{table}={count}" for table, count in counts.items()))
                except Exception:
                    # A database that is away for a while; what is due today is still due then.
                    logger.exception("clear status=failed")
            self._stop.wait(CLEAR_CHECK_SECONDS)

    def _find_last_success(self, engine: Engine) -> datetime | None:
        """Return when the feed of the settings was last loaded; None when the database holds another or nothing."""
        import db
        import etl

        try:
            db.prepare_database(engine)
            is_loaded = etl.find_last_load(self._settings, engine) is not None
        except Exception:
            # A database out of reach may come back: the loads try again, with growing pauses.
            logger.exception("database status=failed")
            is_loaded = False
        return read_lastjob(self._settings, datetime.now(UTC)) if is_loaded else None

    def _wait_until_due(self, last_success: datetime | None, failures: int) -> bool:
        """Wait, in short steps since the clock may be set and lastjob.txt removed; return False when asked to stop.

        Who removes lastjob.txt wants a load at once. Where none ever was (the sample writes none), none is due.
        """
        interval = self._settings.refresh_seconds
        retry_at = time.monotonic() + compute_pause(failures, self._first_retry_seconds, interval) if failures else None
        was_there = False
        is_told = False
        while not self._stop.is_set():
            if retry_at is not None:
                seconds = retry_at - time.monotonic()
            else:
                seconds = compute_wait(datetime.now(UTC), last_success, interval)
            is_there = self._settings.lastjob_file.exists()
            if seconds <= 0 or (was_there and not is_there):
                return True
            was_there = is_there
            if not is_told:
                logger.info("wait seconds=%.0f", seconds)
                is_told = True
            self._stop.wait(min(seconds, CHECK_SECONDS))
        return False

    def _load(self, engine: Engine) -> bool:
        import db
        import etl

        db.prepare_database(engine)
        interval = timedelta(seconds=self._settings.refresh_seconds)
        if etl.has_stations(engine):
            return etl.run_load(self._settings, engine, unless_loaded_within=interval).is_success
        # Nothing to show yet: a feed that doesn't answer must not keep a visitor from trying the pages.
        timer = threading.Timer(SAMPLE_AFTER_SECONDS, lambda: etl.load_sample(engine, datetime.now(UTC)))
        timer.daemon = True
        timer.start()
        is_success = False
        try:
            is_success = etl.run_load(self._settings, engine, unless_loaded_within=interval).is_success
        finally:
            timer.cancel()
            if not is_success:
                etl.load_sample(engine, datetime.now(UTC))
        return is_success


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the background process; a second one leaves in silence. Return the exit code."""
    parser = argparse.ArgumentParser(prog="scheduler.py", description="Load the feed whenever a load is due.")
    parser.add_argument("--end-with-stdin", action="store_true", help="stop when standard input ends")
    options = parser.parse_args(arguments)
    set_up_logging()
    try:
        settings = read_settings()
        settings.make_state_dir()
        with (
            FileLock(settings.state_dir / LOCK_FILE, timeout=LOCK_SECONDS),
            show_life(settings.state_dir / LIFE_FILE),
        ):
            Scheduler(settings).run(end_with=sys.stdin.buffer if options.end_with_stdin else None)
    except Timeout:
        return 0
    except (CarburoamError, OSError) as error:
        print(f"scheduler.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    stand_back_as_session()
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Without waiting for a load in flight: its transaction was never committed, so the database forgets it.
    os._exit(code)
