"""Whether somebody holds a lock, asked without taking it: the holder keeps a pipe open, which the kernel closes.

Asking a lock by taking it gives wrong answers to all who ask in that moment, and turns away who wants it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def show_life(path: Path) -> Iterator[None]:
    """Let others see, until the end of the block or of this process, that somebody lives who holds the lock.

    Only who holds the lock may call this. Where the file system has no named pipes, nobody can tell.
    """
    pipe: int | None = None
    # Kept and never deleted, as the lock file is: whoever asks finds either no pipe yet or the one that counts.
    with suppress(OSError, AttributeError):
        os.mkfifo(path, 0o600)
    with suppress(OSError):
        pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield
    finally:
        if pipe is not None:
            os.close(pipe)


def is_alive(path: Path) -> bool | None:
    """Say whether somebody shows life under this path; None: that can't be told. It disturbs nobody and never waits."""
    try:
        pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        return False if error.errno == errno.ENXIO else None  # nobody has it open to read
    try:
        return True if stat.S_ISFIFO(os.fstat(pipe).st_mode) else None
    finally:
        os.close(pipe)
