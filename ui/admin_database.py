"""The section of the admin's page about the database: its size, its rows, a backup to download."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import streamlit as st
from sqlalchemy import Connection

from accounts.audit import Actor, note_action
from accounts.profile import require_own_password
from backup import count_rows, make_dump_command, measure_size
from db import is_shared
from errors import AccountError, NotSaved, PasswordWrong
from ui.account_forms import show_field
from ui.admin_actions import act
from ui.authentication import get_driver, get_secret_key, get_session_id
from ui.backup_download import get_tickets, make_address
from ui.callbacks import guarded, leave_if_gone
from ui.formats import format_count, format_number
from ui.page_turns import takes_turn
from ui.reading import begin_change, get_engine, get_settings, open_reading, saving
from ui.tables import show_table
from ui.texts import _
from ui.visitor import get_address

POLL_SECONDS = 2.0


def show_database() -> None:
    """Draw the section."""
    with open_reading() as connection:
        size, rows = measure_size(connection), count_rows(connection)
    st.subheader(_("Size"), anchor=False)
    st.markdown(_("{size} MB on the disk.").format(size=f"**{format_number(size / 1e6)}**"))
    st.subheader(_("Backup"), anchor=False)
    if is_shared(get_engine()):
        st.markdown(_("This database is a PostgreSQL. This command makes a backup, on any machine that reaches it:"))
        st.code(make_dump_command(get_engine()), language=None, wrap_lines=True)
    else:
        _show_backup()
    st.subheader(_("Rows"), anchor=False)
    counts = [format_count(count) for count in rows.values()]
    show_table({_("Table"): [f"`{name}`" for name in rows], _("Rows"): counts}, _("Rows"))


def _show_backup() -> None:
    if ticket := st.session_state.get("backup_ticket"):
        _offer_backup(ticket)
        return
    st.markdown(
        _(
            "A copy of the whole database as of one instant. It holds addresses and hashes of passwords: keep it as "
            "safe as the database."
        )
    )
    with st.form("backup", border=True, clear_on_submit=True):
        with show_field("backup"):
            st.text_input(
                _("Password"), key="backup_password", type="password", max_chars=200, autocomplete="current-password"
            )
        st.form_submit_button(_("Make a backup"), icon=":material/archive:", on_click=_make_ticket)


@st.fragment(run_every=POLL_SECONDS)
@takes_turn
def _offer_backup(ticket: str) -> None:
    """Draw the link until it is spent, which no rerun tells of, or its minute is over."""
    leave_if_gone()
    if get_tickets().is_good(ticket):
        st.markdown(_("The backup can be downloaded once, within a minute."))
        st.link_button(_("Download the backup"), make_address(ticket), icon=":material/download:", type="primary")
        return
    for key in ("backup_ticket", "admin_note"):
        st.session_state.pop(key, None)
    st.rerun(scope="app")


@guarded
def _make_ticket() -> None:
    driver = get_driver()
    if driver is None or not driver.is_admin:
        return
    try:
        with saving():
            require_own_password(
                get_engine(),
                get_secret_key(),
                driver.id,
                st.session_state["backup_password"],
                datetime.now(UTC),
                address=get_address(get_settings()),
            )
    except (AccountError, NotSaved) as error:
        st.session_state["field_errors"] = {"backup": error}
        if isinstance(error, PasswordWrong):
            with suppress(NotSaved), begin_change() as connection:
                note_action(connection, Actor(driver.id, driver.username), "backup_refused", datetime.now(UTC))
        return
    st.session_state["field_errors"] = {}
    if act(_note, _("The backup is ready.")):
        st.session_state["backup_ticket"] = get_tickets().make(get_session_id())


def _note(connection: Connection, actor: Actor, now: datetime) -> None:
    note_action(connection, actor, "backup", now)
