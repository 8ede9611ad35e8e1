"""Whether a lock is held is asked without taking it: the answer is right for any number who ask, and nobody waits."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import NOW
from sqlalchemy import Engine, insert

from db import begin_writing
from etl import is_load_running
from liveness import is_alive, show_life
from load_lock import hold_lock
from models import EtlRun
from settings import ROOT, Settings

ASKERS = 8
QUESTIONS = 200  # of each: 1,600 in all
SECONDS = 60.0


def test_who_lives_is_seen_and_who_has_left_is_not(tmp_path: Path) -> None:
    path = tmp_path / "life"
    assert is_alive(path) is None, "nobody ever was here"
    with show_life(path):
        assert is_alive(path) is True
    assert is_alive(path) is False
    with show_life(path):
        assert is_alive(path) is True


def test_a_process_that_is_killed_is_seen_no_more(tmp_path: Path) -> None:
    path = tmp_path / "life"
    script = (
        "import sys, pathlib, liveness\n"
        "with liveness.show_life(pathlib.Path(sys.argv[1])): print('lives', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "lives\n"
        assert is_alive(path) is True
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS)
        assert is_alive(path) is False


def test_where_another_file_stands_or_nothing_can_be_made_nobody_can_tell(tmp_path: Path) -> None:
    path = tmp_path / "life"
    path.write_text("a file")
    with show_life(path), show_life(tmp_path / "no folder" / "life"):
        assert is_alive(path) is None
        assert is_alive(tmp_path / "no folder" / "life") is None
    assert path.read_text() == "a file"


def test_whether_a_load_runs_is_answered_rightly_to_all_who_ask_at_once_and_no_load_is_turned_away(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loads start and stop meanwhile; one that found the lock taken, by whomever, would be turned away at once."""
    with begin_writing(engine, "feed") as connection:
        connection.execute(insert(EtlRun).values(started_at=NOW, message=""))  # so that the lock alone tells
    monkeypatch.setattr("load_lock.LOCK_SECONDS", 0)
    asked = threading.Semaphore(0)
    over = threading.Event()
    state: list[tuple[int, bool] | None] = [None]  # what is right; None while a load starts or stops

    def ask(_: int) -> list[bool]:
        """Return of each answer that can be judged whether it was right."""
        right = []
        while len(right) < QUESTIONS and not over.is_set():
            before = state[0]
            answer = is_load_running(settings, engine)
            if before is not None and state[0] is before:
                right.append(answer is before[1])
                asked.release()
        return right

    def show(number: int, is_held: bool) -> None:
        """Let some ask in this state."""
        state[0] = (number, is_held)
        for _ in range(ASKERS):
            asked.acquire(timeout=SECONDS)
        state[0] = None

    def load() -> int:
        number = 0
        try:
            while not over.is_set():
                number += 1
                with hold_lock(settings, engine):
                    show(number, True)
                show(number, False)
        finally:
            over.set()
        return number

    with ThreadPoolExecutor(ASKERS + 1) as pool:
        loading = pool.submit(load)
        answers = [right for found in pool.map(ask, range(ASKERS)) for right in found]
        over.set()
        asked.release(2 * ASKERS)
        loads = loading.result(SECONDS)  # raises LoadRunning: one was turned away
    assert loads >= 10
    assert (len(answers), answers.count(False)) == (ASKERS * QUESTIONS, 0)
