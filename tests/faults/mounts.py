"""A small file system in memory, made full or read-only; where none may be mounted, tests say so and are skipped."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Disk:
    """A mounted file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, free_bytes: int) -> None:
        """Leave so many bytes free."""
        places = os.statvfs(self.folder)
        with self._filler.open("wb") as file:
            file.write(bytes(places.f_bavail * places.f_frsize - free_bytes))

    def clear(self) -> None:
        """Give the space back."""
        self._filler.unlink()

    def turn_read_only(self) -> None:
        """Let nobody write any more, not even root; nobody may have a file open for writing."""
        run("mount", "-o", "remount,ro", str(self.folder))


@contextmanager
def mount_disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """Mount a file system of that size on a folder until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    try:
        run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {getattr(error, 'stderr', '') or error}")
    try:
        yield Disk(folder)
    finally:
        # Detached at once where a process that is about to end still has a file open.
        run("umount", "--lazy", str(folder))


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
