"""What the pages about accounts say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from errors import TooManyTries
from ui import texts
from ui.account_forms import word_error


@pytest.fixture
def _in_english() -> Iterator[None]:
    token = texts._held.set("en")
    yield
    texts._held.reset(token)


@pytest.mark.usefixtures("_in_english")
@pytest.mark.parametrize(
    ("seconds", "wait"),
    [
        (0.1, "1 second"),
        (89, "89 seconds"),
        (90, "2 minutes"),
        (3600, "60 minutes"),
        (89 * 60, "89 minutes"),
        (90 * 60, "2 hours"),
        (86_400, "24 hours"),
    ],
)
def test_how_long_to_wait_is_told_in_a_unit_that_fits(seconds: float, wait: str) -> None:
    assert word_error(TooManyTries(seconds)) == f"Too many tries. Please wait {wait}."
