"""What the sections of the admin's page share: doing something after asking twice, saying how it went, the audit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from zlib import crc32

import streamlit as st
from sqlalchemy import Connection

from accounts.audit import Actor, list_actions
from accounts.sessions import find_driver
from errors import (
    AccountShut,
    AccountUnconfirmed,
    AdminOnly,
    CarburoamError,
    DriverUnknown,
    LastAdmin,
    NotSaved,
    PasswordWrong,
    RefusedFeedGone,
    TooManyTries,
)
from ui.account_forms import word_error
from ui.authentication import get_session_id
from ui.callbacks import guarded
from ui.formats import escape, format_instant
from ui.reading import begin_change, get_mailer, open_reading
from ui.tables import show_table
from ui.texts import N_, _

# What is done; it raises an error of ours, or OSError, when it can't be, and then leaves no row in the audit.
Change = Callable[[Connection, Actor, datetime], None]

SHOWN_ACTIONS = 100
_WORDS = {
    "grant": N_("gave the admin role"),
    "revoke": N_("took the admin role"),
    "lock": N_("locked the account"),
    "unlock": N_("unlocked the account"),
    "confirm": N_("confirmed the account"),
    "reset": N_("sent a reset mail"),
    "erase": N_("erased the account"),
    "load": N_("started a load"),
    "accept_feed": N_("accepted the refused feed"),
    "withdraw_feed": N_("took back that the refused feed was accepted"),
    "start": N_("started the background process"),
    "stop": N_("stopped the background process"),
    "remove_pid": N_("removed a stale pid.txt"),
    "forget_lastjob": N_("forgot lastjob.txt"),
    "clear_outputs": N_("cleared the outputs"),
    "backup": N_("made a backup"),
    "download_backup": N_("downloaded a backup"),
    "backup_refused": N_("typed a wrong password for a backup"),
}


def show_confirmed(
    label: str, question: str, confirm: str, key: str, change: Change, done: str, *, icon: str, disabled: bool = False
) -> None:
    """Draw a button that asks once more before it does something; `done` is what is said then."""
    # Under another key after each action, and where the question is no longer that one, so that it is closed again.
    count = st.session_state.get("admin_action_count", 0)
    with st.popover(label, icon=icon, disabled=disabled, key=f"{key}_ask_{count}_{crc32(question.encode())}"):
        st.markdown(question)
        st.button(confirm, key=key, type="primary", disabled=disabled, on_click=guarded(act), args=(change, done))


def act(change: Change, done: str) -> bool:
    """Do something as the admin of this session, looked up in the very transaction; return whether it was done.

    For anyone else nothing happens, and the run that follows shows them no such page.
    """
    now = datetime.now(UTC)
    st.session_state["admin_action_count"] = st.session_state.get("admin_action_count", 0) + 1
    try:
        with begin_change() as connection:
            driver = find_driver(connection, get_session_id(), now)
            if driver is None or not driver.is_admin:
                raise AdminOnly
            change(connection, Actor(driver.id, driver.username), now)
    except AdminOnly:
        return False
    except (CarburoamError, OSError) as error:
        _keep_note("error", word_admin_error(error))
        return False
    get_mailer().wake()
    _keep_note("success", done)
    return True


def _keep_note(kind: str, text: str) -> None:
    st.session_state["admin_note"] = (kind, text, st.session_state.get("admin_section"))


def show_note(section: str) -> None:
    """Draw how the last action of a section went, until the next one, or until another section is opened."""
    if note := st.session_state.get("admin_note"):
        kind, text, section_of_it = note
        if section_of_it != section:
            del st.session_state["admin_note"]
            return
        (st.error if kind == "error" else st.success)(
            text, icon=f":material/{'error' if kind == 'error' else 'check'}:"
        )


def forget_done() -> None:
    """Say no longer that an action was done; what kept one from being done is said until the next."""
    if (st.session_state.get("admin_note") or ("",))[0] == "success":
        del st.session_state["admin_note"]


def word_admin_error(error: Exception) -> str:
    """Return the sentence that tells an admin why something was not done."""
    match error:
        case LastAdmin():
            return _("This is the last admin who can log in: name another one first.")
        case AccountShut():
            return _("To an account that is locked or waits for a code, no mail is sent.")
        case AccountUnconfirmed():
            return _("An account that waits for a code can't be an admin's: confirm it first.")
        case RefusedFeedGone():
            return _("Another load came in between: please look again.")
        case DriverUnknown():
            return _("This account is no longer there.")
        case PasswordWrong() | TooManyTries() | NotSaved():
            return word_error(error)
        case _other:
            return _("This did not work. Please try again.")


def show_audit() -> None:
    """Draw what admins did, the last first."""
    with open_reading() as connection:
        actions = list_actions(connection, SHOWN_ACTIONS)
    st.subheader(_("What admins did"), anchor=False)
    if not actions:
        st.markdown(_("Nothing yet."))
        return
    st.caption(_("The last {count} actions; each is kept for a year.").format(count=SHOWN_ACTIONS))
    show_table(
        {
            _("When"): [format_instant(action.at) for action in actions],
            _("Who"): [_name_actor(action.actor) for action in actions],
            _("What"): [_word_action(action.action, action.subject) for action in actions],
        },
        _("What admins did"),
    )


def _name_actor(actor: Actor) -> str:
    return _("command line") if actor.id is None else escape(actor.name)


def _word_action(action: str, subject: str) -> str:
    words = _(_WORDS[action])
    return f"{words} · **{escape(subject)}**" if subject else words
