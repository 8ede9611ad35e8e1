"""Runs of pages take turns: one at a time computes, in order, and nobody waits for who is stuck or only waits."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest

from settings import ROOT
from shares import Client
from ui.turns import Turns

LONG = 600.0  # no turn ends by itself in these tests
SECONDS = 20.0
OTHER_PROGRAMS = 20  # that share a processor with a run, so that it gets a twentieth of it


class Run:
    """A thread that takes a turn and has it until it is told to end: it computes all that time, or waits."""

    def __init__(
        self,
        turns: Turns,
        begun: list[str],
        name: str,
        *,
        is_waiting: bool = False,
        client: Client | None = None,
        supersedes: bool = False,
        processor: int | None = None,
    ) -> None:
        self._processor = processor  # the only one that it may use
        self._client, self._supersedes = client or Client(name), supersedes
        self.has_turn, self.may_end = threading.Event(), threading.Event()
        self._turns, self._begun, self._name, self._is_waiting = turns, begun, name, is_waiting
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        if self._processor is not None:
            os.sched_setaffinity(0, {self._processor})
        with self._turns.take(self._client, supersedes=self._supersedes):
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
    turns, begun = Turns(LONG, LONG), []
    runs = []
    for count, name in enumerate("abc"):
        runs.append(Run(turns, begun, name))
        wait_for_waiting(turns, count)
    for number, run in enumerate(runs):
        assert run.has_turn.wait(SECONDS)
        assert begun == list("abc"[: number + 1])
        run.end()


def test_a_run_that_waits_holds_up_nobody_and_takes_no_other_turn_away_in_the_end() -> None:
    turns, begun = Turns(LONG, LONG), []
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
    turns, begun = Turns(0.05, LONG), []
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


def test_a_run_that_computes_keeps_its_turn() -> None:
    """Its time is read as often as it takes to tell: as long as it computes a tenth of it, nobody else begins."""
    turns, begun = Turns(LONG, LONG), []
    first = Run(turns, begun, "first")
    assert first.has_turn.wait(SECONDS)
    second = Run(turns, begun, "second")
    assert not second.has_turn.wait(0.5)
    first.end()
    assert second.has_turn.wait(SECONDS)
    second.end()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells who waits for a processor")
def test_a_run_that_waits_for_a_processor_keeps_its_turn() -> None:
    """As on a machine that is busy with other programs: it would compute if it could."""
    (processor, *_) = os.sched_getaffinity(0)
    turns, begun = Turns(LONG, LONG), []
    with ExitStack() as stack:
        for _ in range(OTHER_PROGRAMS):
            program = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(program.kill)
            os.sched_setaffinity(program.pid, {processor})
        first = Run(turns, begun, "first", processor=processor)
        assert first.has_turn.wait(SECONDS)
        second = Run(turns, begun, "second")
        assert not second.has_turn.wait(1.0)
        first.end()
        assert second.has_turn.wait(SECONDS)
        second.end()


def test_a_run_that_fails_passes_its_turn_on() -> None:
    turns, begun = Turns(LONG, LONG), []
    with pytest.raises(ZeroDivisionError), turns.take(Client()):
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


@pytest.mark.usefixtures("_always_computing")
def test_who_asks_for_little_waits_for_one_run_of_who_floods() -> None:
    turns, begun = Turns(LONG, LONG), []
    first = Run(turns, begun, "first", client=Client("192.0.2.1", "", "tab 0"))
    assert first.has_turn.wait(SECONDS)
    flood = []
    for number in range(1, 13):
        flood.append(Run(turns, begun, f"flood {number}", client=Client("192.0.2.1", "", f"tab {number}")))
        wait_for_waiting(turns, number)
    other = Run(turns, begun, "other", client=Client("203.0.113.1", "", "tab"))
    wait_for_waiting(turns, 13)
    first.end()
    assert other.has_turn.wait(SECONDS)
    assert begun == ["first", "other"]
    other.end()
    for run in flood:
        run.end()


@pytest.mark.usefixtures("_always_computing")
def test_behind_one_address_who_asks_for_little_waits_for_one_run_of_the_tab_that_floods() -> None:
    turns, begun = Turns(LONG, LONG), []
    flooder, neighbour = Client("192.0.2.1", "", "flooder"), Client("192.0.2.1", "", "neighbour")
    runs = [Run(turns, begun, "first", client=flooder)]
    assert runs[0].has_turn.wait(SECONDS)
    for number in range(1, 6):
        runs.append(Run(turns, begun, f"flood {number}", client=flooder))
        wait_for_waiting(turns, number)
    other = Run(turns, begun, "neighbour", client=neighbour)
    wait_for_waiting(turns, 6)
    runs[0].end()
    assert other.has_turn.wait(SECONDS)
    assert begun == ["first", "neighbour"]
    for run in [other, *runs]:
        run.end()


@pytest.mark.usefixtures("_always_computing")
def test_runs_that_are_superseded_go_on_at_once_and_those_of_others_wait() -> None:
    turns, begun, tab = Turns(LONG, LONG), [], Client("192.0.2.1", "", "tab")
    first = Run(turns, begun, "first")
    assert first.has_turn.wait(SECONDS)
    old = Run(turns, begun, "old", client=tab)
    wait_for_waiting(turns, 1)
    other = Run(turns, begun, "other", client=tab._replace(tab="another"))
    wait_for_waiting(turns, 2)
    new = Run(turns, begun, "new", client=tab, supersedes=True)
    assert old.has_turn.wait(SECONDS)
    wait_for_waiting(turns, 2)
    old.end()
    assert begun == ["first", "old"], "what was superseded has no turn that it could pass on"
    for run in (first, other, new):
        run.end()
    assert set(begun) == {"first", "old", "other", "new"}


def test_within_a_turn_there_is_nothing_to_wait_for() -> None:
    turns = Turns(LONG, LONG)
    with turns.take(Client()), turns.take(Client()):
        pass
    with turns.take(Client("192.0.2.1")):
        pass


@pytest.mark.usefixtures("_always_computing")
def test_who_computes_too_long_holds_up_its_own_driver_and_nobody_else() -> None:
    turns, begun = Turns(LONG, 0.01), []
    late = Run(turns, begun, "late", client=Client("192.0.2.1", "", "tab"))
    assert late.has_turn.wait(SECONDS)
    first = Run(turns, begun, "first", client=Client("203.0.113.1", "", "tab"))
    assert first.has_turn.wait(SECONDS)
    turns._computing_seconds = LONG
    same = Run(turns, begun, "same", client=Client("192.0.2.1", "", "tab"))
    own = Run(turns, begun, "own", client=Client("192.0.2.1", "", "another tab"))
    neighbour = Run(turns, begun, "neighbour", client=Client("192.0.2.1", "7", "tab"))
    wait_for_waiting(turns, 3)
    first.end()
    assert neighbour.has_turn.wait(SECONDS)
    assert begun == ["late", "first", "neighbour"]
    neighbour.end()
    assert not own.has_turn.wait(0.1), "one of the same driver still computes"
    late.end()
    assert own.has_turn.wait(SECONDS)
    own.end()
    assert same.has_turn.wait(SECONDS)
    same.end()
