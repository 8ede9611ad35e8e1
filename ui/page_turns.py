"""Runs of pages and of fragments take their turns, as those of the tab that they are for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from errors import CarburoamError
from shares import Client
from ui.reading import get_settings
from ui.turns import TURNS
from ui.visitor import get_client

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def take_turn() -> Iterator[None]:
    """Wait for this tab's turn and have it until the end of the block."""
    try:
        client = get_client(get_settings())
    except (CarburoamError, OSError):  # the page is about to say so
        client = Client()
    # Of one tab Streamlit lets only the last run that was asked for go on: the others stop as soon as they draw.
    with TURNS.take(client, supersedes=True):
        yield


def takes_turn(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate what is drawn as a fragment or a dialog: run again by itself, it runs outside of the page's turn."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        with take_turn():
            return function(*args, **kwargs)

    return call
