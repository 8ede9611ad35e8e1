"""Standing back: heavy work that can wait takes the time that pages and reads leave."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

NICENESS = 10  # a tenth of a core that a page wants as well


def stand_back() -> None:
    """Let all others go first from now on.

    On Linux this is for the calling thread and what it starts; elsewhere, where it would be for the whole process,
    nothing is changed.
    """
    if sys.platform == "linux":
        os.nice(NICENESS)


def stand_back_as_session() -> None:
    """Let all others go first from now on, those of other sessions too, when this process has a session of its own.

    Linux may share the cores out among sessions first; niceness then counts inside of one (sched(7), autogrouping).
    """
    stand_back()
    if sys.platform == "linux" and os.getsid(0) == os.getpid():
        with suppress(OSError):  # a kernel without it
            Path("/proc/self/autogroup").write_text(f"{NICENESS}\n")
