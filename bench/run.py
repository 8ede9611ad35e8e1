"""What every group of benchmarks is made of: interleaved runs, fresh processes, and the table that is printed."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from settings import ROOT

Job = Callable[[], float]
AsyncJob = Callable[[], Awaitable[float]]
Unit = Literal["s", "ms", "MB", "1/s", "cores", "%", ""]

# Starts the process to be measured from one that is small: by vfork the peak of the parent counts as the child's.
_LAUNCHER = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
_DECIMALS: Mapping[Unit, int] = {"s": 3, "ms": 1, "MB": 0, "1/s": 1, "cores": 2, "%": 1, "": 0}
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Line:
    """One line of the table. The limit is for the ratio to the floor, or for the value where there is no floor.

    With `is_least` the value may not be below it, instead of not above.
    """

    what: str
    value: float
    unit: Unit = "s"
    floor: float | None = None
    limit: float | None = None
    is_least: bool = False

    @property
    def ratio(self) -> float | None:
        return None if self.floor is None else self.value / self.floor

    @property
    def verdict(self) -> str:
        if self.limit is None:
            return ""
        measured = self.value if self.ratio is None else self.ratio
        return "ok" if (measured >= self.limit if self.is_least else measured <= self.limit) else "MISSED"


@dataclass(frozen=True)
class Table:
    """What a group has measured, under a heading that says of what and how often."""

    heading: str
    lines: Sequence[Line]


def print_table(table: Table) -> None:
    """Print a table in Markdown, so that it can be pasted."""
    columns = ("what", "median", "floor", "ratio", "limit", "verdict")
    rows = [columns, *map(_format_line, table.lines)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
    print(f"\n{table.heading}\n")
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print(f"| {' | '.join(cells)} |")
        if number == 0:
            print(f"|{'|'.join('-' * (width + 2) for width in widths)}|")


def measure(runs: int, jobs: Mapping[str, Job]) -> dict[str, float]:
    """Return each job's median; the jobs take turns, so that what else goes on in the machine hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for run in range(runs):
        say(f"run {run + 1} of {runs}")
        for name, job in jobs.items():
            seconds[name].append(job())
    say("")
    return {name: median(values) for name, values in seconds.items()}


async def measure_async(runs: int, jobs: Mapping[str, AsyncJob]) -> dict[str, float]:
    """Return each job's median, as `measure` does."""
    values: dict[str, list[float]] = {name: [] for name in jobs}
    for run in range(runs):
        say(f"run {run + 1} of {runs}")
        for name, job in jobs.items():
            values[name].append(await job())
    say("")
    return {name: median(of_job) for name, of_job in values.items()}


def time_call(function: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Return how many seconds of CPU a call takes, with no garbage of the one before.

    CPU time, of all threads and of the system in our name, because elapsed time says more of what else the machine
    does: with two busy neighbours the ratios of elapsed times were off by half.
    """
    gc.collect()
    start = clock()
    function()
    return clock() - start


def run_fresh(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[str, float]:
    """Run Python in a process of its own; return what it printed, and its peak memory in MB of 1,000,000 bytes."""
    command = [sys.executable, "-c", _LAUNCHER, sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    *printed, peak = done.stdout.splitlines()
    return "\n".join(printed), int(peak) * _MAXRSS_BYTES / 1_000_000


def _format_line(line: Line) -> tuple[str, ...]:
    ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
    limit = "" if line.limit is None else f"{line.limit:g}"
    if limit and line.floor is None:
        limit = f"{limit} {line.unit}".rstrip()
    if limit and line.is_least:
        limit = f"at least {limit}"
    return line.what, _format(line.value, line.unit), _format(line.floor, line.unit), ratio, limit, line.verdict


def _format(value: float | None, unit: Unit) -> str:
    return "" if value is None else f"{value:.{_DECIMALS[unit]}f} {unit}".rstrip()


def say(text: str) -> None:
    """Tell a person who waits how far it is."""
    if sys.stderr.isatty():
        print(f"\r{text:30}\r", end="", file=sys.stderr, flush=True)
