"""The language of a visitor, and every text in it: English in the code, French in a gettext catalogue."""

from __future__ import annotations

import streamlit as st

from translations import LANGUAGES, N_, load_catalogue

__all__ = ["LANGUAGES", "N_", "_", "find_browser_language", "get_language", "ngettext"]


def get_language() -> str:
    """Return the language of this session: what was chosen, else what the browser asks for, else French."""
    chosen = st.session_state.get("lang")
    return chosen if chosen in LANGUAGES else find_browser_language()


def find_browser_language() -> str:
    """Return English to a browser that is set to it, and French to any other."""
    return "en" if (st.context.locale or "").lower().startswith("en") else "fr"


def _(message: str) -> str:
    """Return the message in the language of this session."""
    return load_catalogue(get_language()).gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """Return the form of the message that fits the count, in the language of this session."""
    return load_catalogue(get_language()).ngettext(singular, plural, count)
