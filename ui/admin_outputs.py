"""The section of the admin's page about what background processes printed."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st
from sqlalchemy import Connection

from accounts.audit import Actor, note_action
from outputs import Output, clear_outputs, list_outputs, read_tail, search_outputs
from scheduler import is_running
from ui.admin_actions import show_confirmed
from ui.formats import format_age, format_number
from ui.reading import get_settings
from ui.texts import _

HEIGHT_PX = 420


def show_outputs() -> None:
    """Draw the section."""
    folder = get_settings().outputs_dir
    outputs = {output.name: output for output in list_outputs(folder)}
    st.subheader(_("What the background processes printed"), anchor=False)
    if not outputs:
        st.markdown(_("Nothing yet."))
        return
    now = datetime.now(UTC)
    text = st.text_input(_("Search in all of them"), key="admin_output_search", max_chars=100)
    if text.strip():
        found = search_outputs(folder, text.strip())
        if found:
            lines = "\n".join(f"{name}: {line}" for name, line in found)
            st.code(lines, language=None, height=HEIGHT_PX, wrap_lines=True)
        else:
            st.markdown(_("No line holds this text."))
    else:
        name = st.selectbox(_("File"), list(outputs), key="admin_output")
        if name in outputs:
            st.caption(_describe(outputs[name], now))
            st.code(read_tail(folder, name) or "–", language=None, height=HEIGHT_PX, wrap_lines=True)
    show_confirmed(
        _("Clear"),
        _("Delete all that was printed. Mails that were written to files stay."),
        _("Yes, delete it"),
        "admin_clear_outputs",
        _clear,
        _("The outputs were cleared."),
        icon=":material/delete:",
    )


def _describe(output: Output, now: datetime) -> str:
    unit, size_of_unit = (_("{number} kB"), 1e3) if output.size < 1e6 else (_("{number} MB"), 1e6)
    size = unit.format(number=format_number(output.size / size_of_unit))
    return f"{size} · {format_age(output.written_at, now)}"


def _clear(connection: Connection, actor: Actor, now: datetime) -> None:
    note_action(connection, actor, "clear_outputs", now)
    clear_outputs(get_settings().outputs_dir, is_in_use=is_running(get_settings()))
