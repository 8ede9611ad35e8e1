"""The mark of callbacks that need no door; without imports, so that everything can use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


def view_only(callback: Callable[P, None]) -> Callable[P, None]:
    """Mark a callback that changes only what this tab shows, and so may be called whoever is logged in."""
    return callback
