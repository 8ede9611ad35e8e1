"""The folder `outputs/`: what background processes printed, by name; never its `mail/`, which holds codes."""

from __future__ import annotations

import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

KEPT = timedelta(days=1)
MAX_READ_BYTES = 64 * 1024
MAX_LINES = 200

_NAME = re.compile(r"std(out|err)_\w+\.txt", re.ASCII)


@dataclass(frozen=True)
class Output:
    """A file with something in it; `name` is without its folder."""

    name: str
    size: int
    written_at: datetime


def open_outputs(folder: Path) -> tuple[IO[bytes], IO[bytes]]:
    """Open two new files, for what a process writes to stdout and to stderr.

    They are written at their end, wherever that is by then, so that they can be emptied meanwhile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}_{secrets.token_hex(3)}"
    stdout = (folder / f"stdout_{name}.txt").open("ab")
    try:
        return stdout, (folder / f"stderr_{name}.txt").open("ab")
    except OSError:
        stdout.close()
        raise


def clear_old_outputs(folder: Path) -> None:
    """Delete the files that nothing was written to for a day."""
    oldest = time.time() - KEPT.total_seconds()
    for path in _list_paths(folder):
        # Another app cleared it first, or it can't be removed; neither keeps the next process from starting.
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def clear_outputs(folder: Path, *, is_in_use: bool) -> None:
    """Empty every file, and delete them unless a process may still be writing to one."""
    for path in _list_paths(folder):
        with suppress(FileNotFoundError):
            if is_in_use:
                path.write_bytes(b"")
            else:
                path.unlink()


def list_outputs(folder: Path) -> list[Output]:
    """Return the files that something was written to, the last written first."""
    found = []
    for path in _list_paths(folder):
        with suppress(FileNotFoundError):
            status = path.stat()
            if status.st_size:
                found.append(Output(path.name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC)))
    return sorted(found, key=lambda output: (output.written_at, output.name), reverse=True)


def read_tail(folder: Path, name: str) -> str:
    """Return the last 64 kB of a file of that name; nothing when there is no such one."""
    path = _find(folder, name)
    if path is None:
        return ""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MAX_READ_BYTES))
        if size > MAX_READ_BYTES:
            file.readline()  # the rest of a line whose beginning is left out
        return file.read().decode("utf-8", "replace")


def search_outputs(folder: Path, text: str) -> list[tuple[str, str]]:
    """Return the name of the file and the line of everything that holds a text, whatever its case; 200 at most."""
    wanted, found = text.casefold(), []
    for output in list_outputs(folder):
        path = _find(folder, output.name)
        if path is None:
            continue
        with path.open(encoding="utf-8", errors="replace") as file:
            while line := file.readline(MAX_READ_BYTES):  # a file without line breaks is not read whole
                if wanted in line.casefold():
                    found.append((output.name, line.rstrip("\n")))
                    if len(found) == MAX_LINES:
                        return found
    return found


def _find(folder: Path, name: str) -> Path | None:
    """Return the path of one of our files; None for any other name, and so for every way out of the folder."""
    return next((path for path in _list_paths(folder) if path.name == name), None)


def _list_paths(folder: Path) -> list[Path]:
    """Return our files: no folder, and no link that leads to a file elsewhere."""
    return [
        path
        for path in sorted(folder.glob("std*_*.txt"))
        if _NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink()
    ]
