"""How much of each loop runs: a small part with the other tests, the whole with `make faults`."""

from __future__ import annotations

import os

# Read now: tests begin without such settings.
IS_WHOLE = os.environ.get("CARBUROAM_TEST_FAULTS") == "whole"
LOOP_SECONDS = 1800 if IS_WHOLE else 300  # before pytest ends a loop that hangs


def choose(*, small: int, whole: int) -> int:
    """Return how often, or for how long, something is done in this run."""
    return whole if IS_WHOLE else small
