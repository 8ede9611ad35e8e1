"""The language of a visitor, and every text in it: English in the code, French in a gettext catalogue."""

from __future__ import annotations

from contextvars import ContextVar

import streamlit as st

from translations import LANGUAGES, N_, guess_language, load_catalogue

__all__ = ["LANGUAGES", "N_", "_", "find_browser_language", "get_language", "hold_language", "ngettext"]


# What `hold_language` holds: asking the session for every one of a page's texts is a tenth of its time.
_held: ContextVar[str | None] = ContextVar("language", default=None)


def hold_language() -> None:
    """Hold the language as it is now until the next rerun of this session."""
    _held.set(None)
    _held.set(get_language())


def get_language() -> str:
    """Return the language of this session: what was chosen, else what the browser asks for, else French."""
    if (held := _held.get()) is not None:
        return held
    chosen = st.session_state.get("lang")
    return chosen if chosen in LANGUAGES else find_browser_language()


def find_browser_language() -> str:
    """Return English to a browser that is set to it, and French to any other."""
    return guess_language(st.context.locale)


def _(message: str) -> str:
    """Return the message in the language of this session."""
    return load_catalogue(get_language()).gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """Return the form of the message that fits the count, in the language of this session."""
    return load_catalogue(get_language()).ngettext(singular, plural, count)
