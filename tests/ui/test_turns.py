"""Runs of pages take turns: one at a time, in order, and nobody waits for who is stuck."""

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
    """A thread that takes a turn and has it until it is told to end."""

    def __init__(self, turns: Turns, begun: list[str], name: str) -> None:
        self.has_turn, self.may_end = threading.Event(), threading.Event()
        self._turns, self._begun, self._name = turns, begun, name
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with self._turns.take():
            self._begun.append(self._name)
            self.has_turn.set()
            assert self.may_end.wait(SECONDS)

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


def test_who_is_stuck_holds_up_nobody_and_takes_no_other_turn_away_in_the_end() -> None:
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
