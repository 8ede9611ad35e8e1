"""The programs of the project as processes of their own, killed with the end of the block at the latest."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from settings import ROOT, Settings

END_SECONDS = 60.0  # on a machine that does other things besides


@contextmanager
def run_program(
    settings: Settings, *arguments: str, stdin: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[str]]:
    """Run a program of the project, as `python ARGUMENTS` does, until the end of the block at the latest."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=settings.as_environment() | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=END_SECONDS)


def run_command(settings: Settings, *arguments: str, seconds: float = END_SECONDS) -> tuple[int, str, str]:
    """Run a program to its end and return its exit code, its output and what it said on stderr."""
    with run_program(settings, *arguments) as process:
        output, errors = process.communicate(timeout=seconds)
        return process.returncode, output, errors
