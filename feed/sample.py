"""The sample feed: invented stations, so that every page can be tried with no national feed in reach."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from feed.generator import write_sample


@contextmanager
def make_sample(now: datetime) -> Iterator[str]:
    """Write the sample feed, its newest report at `now`, and give the path of its archive; it is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.zip"
        write_sample(path, now)
        yield str(path)
