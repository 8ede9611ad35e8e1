"""Runs of pages take turns: one at a time computes, in order, and nobody waits for who is stuck or only waits."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from settings import ROOT
from ui.turns import Turns

LONG = 600.0  # no turn ends by itself in these tests
SECONDS = 20.0


class Run:
    """A thread that takes a turn and has it until it is told to end: it computes all that time, or waits."""

    def __init__(self, turns: Turns, begun: list[str], name: str, *, is_waiting: bool = False) -> None:
        self.has_turn, self.may_end = threading.Event(), threading.Event()
        self._turns, self._begun, self._name, self._is_waiting = turns, begun, name, is_waiting
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with self._turns.take():
            self._begun.append(self._name)
            self.has_turn.set()
            if self._is_waiting:
                assert self.may_end.wait(SECONDS)
            while not self.may_end.is_set():
                pass

    def end(self) -> None:
        self.may_end.set()
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()


def wait_for_waiting(turns: Turns, count: int) -> None:
    """Wait until so many runs stand in the queue."""
    pause = threading.Event()
    for _ in range(2000):
        if len(turns._waiting) == count:
            return
        pause.wait(0.01)
    raise AssertionError(f"{len(turns._waiting)} wait")


@pytest.fixture
def _always_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no run seem to wait: on a busy machine, one that computes may not come to it for a while."""
    monkeypatch.setattr("ui.turns.IDLE_SHARE", 0.0)


@pytest.mark.usefixtures("_always_computing")
def test_one_at_a_time_has_a_turn_in_the_order_of_their_coming() -> None:
    turns, begun = Turns(LONG), []
    runs = []
    for count, name in enumerate("abc"):
        runs.append(Run(turns, begun, name))
        wait_for_waiting(turns, count)
    for number, run in enumerate(runs):
        assert run.has_turn.wait(SECONDS)
        assert begun == list("abc"[: number + 1])
        run.end()


def test_a_run_that_waits_holds_up_nobody_and_takes_no_other_turn_away_in_the_end() -> None:
    turns, begun = Turns(LONG), []
    waiting = [Run(turns, begun, name, is_waiting=True) for name in ("database", "mail server", "another")]
    for run in waiting:
        assert run.has_turn.wait(SECONDS)
    begun.clear()
    for name in ("first", "second", "third"):
        run = Run(turns, begun, name)
        assert run.has_turn.wait(SECONDS)
        run.end()
    assert begun == ["first", "second", "third"], "while all of them still wait"
    for run in waiting:
        run.end()


@pytest.mark.usefixtures("_always_computing")
def test_who_takes_too_long_holds_up_nobody_and_takes_no_other_turn_away_in_the_end() -> None:
    turns, begun = Turns(0.05), []
    stuck = Run(turns, begun, "stuck")
    assert stuck.has_turn.wait(SECONDS)
    turns._turn_seconds = LONG
    second = Run(turns, begun, "second")
    assert second.has_turn.wait(SECONDS)
    third = Run(turns, begun, "third")
    wait_for_waiting(turns, 1)
    stuck.end()
    assert begun == ["stuck", "second"]
    second.end()
    assert third.has_turn.wait(SECONDS)
    third.end()


def test_a_run_that_computes_keeps_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is read as often as it takes to tell: as long as it computes a tenth of it, nobody else begins."""
    monkeypatch.setattr("ui.turns.IDLE_SHARE", 0.00001)  # beside others on a busy machine
    turns, begun = Turns(LONG), []
    first = Run(turns, begun, "first")
    assert first.has_turn.wait(SECONDS)
    second = Run(turns, begun, "second")
    assert not second.has_turn.wait(0.5)
    first.end()
    assert second.has_turn.wait(SECONDS)
    second.end()


def test_a_run_that_fails_passes_its_turn_on() -> None:
    turns, begun = Turns(LONG), []
    with pytest.raises(ZeroDivisionError), turns.take():
        raise ZeroDivisionError
    run = Run(turns, begun, "next")
    assert run.has_turn.wait(SECONDS)
    run.end()


def test_the_start_imports_the_libraries_of_pages_and_leaves_what_it_has_imported_out_of_collections() -> None:
    script = """
import gc, sys
import app
assert gc.get_freeze_count() == 0
app.import_libraries()
assert gc.get_freeze_count() > 10_000
assert {"pandas", "pyarrow", "pydeck"} <= set(sys.modules) and "ui.authentication" not in sys.modules
print("imported")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.returncode) == ("imported\n", 0), done.stderr
