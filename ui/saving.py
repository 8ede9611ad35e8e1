"""Callbacks that write: when the database can't, the form says so and keeps what was typed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import streamlit as st

from errors import NotSaved
from ui.callbacks import guarded
from ui.reading import saving
from ui.texts import _

P = ParamSpec("P")


def saves(slot: str, *fields: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Decorate a guarded callback: when what it does can't be saved, `slot` of the session says so to the form.

    `fields` are the keys of what was typed, to be kept even where the form can't be drawn until the database is back.
    """

    def decorate(callback: Callable[P, None]) -> Callable[P, None]:
        @guarded
        @wraps(callback)
        def call(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                with saving():
                    callback(*args, **kwargs)
            except NotSaved:
                st.session_state[slot] = word_not_saved()
                keep_typed(*fields)

        return call

    return decorate


def word_not_saved() -> str:
    """Return the sentence that says that a change was not made and what to do."""
    return _("Nothing was saved: that is not possible right now. Please try again in a minute.")


def keep_typed(*fields: str) -> None:
    """Keep what stands in fields that may not be drawn by the run that follows."""
    for field in fields:
        if field in st.session_state:
            # Set by us, a value outlives the field; the field's own would go with it.
            st.session_state[field] = st.session_state[field]
