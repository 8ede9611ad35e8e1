"""Fields of a form that show what is kept, also when another tab changed it, and know what was changed in them."""

from __future__ import annotations

import streamlit as st

Value = str | float | list[int] | None


def show_kept(key: str, kept: Value) -> None:
    """Let the field of this key, drawn next, show what is kept, unless it holds what was typed since that changed."""
    shown = st.session_state.setdefault("kept_fields", {})
    if key not in st.session_state or key not in shown or shown[key] != kept:
        st.session_state[key] = kept
    shown[key] = kept


def is_changed(key: str) -> bool:
    """Say whether the field holds something else than it was drawn with.

    Only such a field may be saved: another tab may have changed what this one still shows.
    """
    typed, shown = st.session_state[key], st.session_state["kept_fields"][key]
    return bool(sorted(typed) != sorted(shown) if isinstance(shown, list) else typed != shown)
