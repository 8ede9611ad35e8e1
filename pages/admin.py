"""The admin's page: loads, outputs, people, mails, data, the database, and what admins did; for admins only."""

from __future__ import annotations

import streamlit as st

from ui.access import require_admin
from ui.admin_actions import show_audit, show_note
from ui.admin_data import show_data
from ui.admin_database import show_database
from ui.admin_loads import show_loads
from ui.admin_mails import show_mails
from ui.admin_outputs import show_outputs
from ui.admin_people import show_people
from ui.callback_marks import view_only
from ui.reading import get_settings
from ui.texts import N_, _

require_admin()

SECTIONS = {
    "loads": (N_("Loads"), show_loads),
    "outputs": (N_("Outputs"), show_outputs),
    "people": (N_("People"), show_people),
    "mails": (N_("Mails"), show_mails),
    "data": (N_("Data"), show_data),
    "database": (N_("Database"), show_database),
    "audit": (N_("Audit"), show_audit),
}


def main() -> None:
    st.title(_("Administration"), anchor=False)
    if not get_settings().can_mail:
        st.info(
            _("Mails are written to files in outputs/mail/, for no CARBUROAM_SMTP_URL is set."),
            icon=":material/mail_off:",
        )
    asked = st.query_params.get("section")
    # The address decides, so that a reload and the browser's Back lead where one was.
    section = st.session_state["admin_section"] = asked if asked in SECTIONS else "loads"
    st.segmented_control(
        _("Section"),
        list(SECTIONS),
        format_func=lambda name: _(SECTIONS[name][0]),
        required=True,
        label_visibility="collapsed",
        key="admin_section",
        on_change=_open_section,
    )
    show_note(section)
    # Only the open one is drawn, and asks the database.
    SECTIONS[section][1]()


@view_only
def _open_section() -> None:
    # By its name and not its label, which the widget itself would write there: that one is in the visitor's language.
    st.query_params["section"] = st.session_state["admin_section"]


main()
