"""What the pages about accounts share: the look of a form and its fields, wording our errors, the form for a code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from math import ceil

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from accounts.codes import LENGTH as CODE_LENGTH
from accounts.codes import LIFETIME
from accounts.identity import USERNAME_LENGTHS
from accounts.passwords import MIN_LENGTH
from accounts.registration import confirm_account, mail_confirmation
from errors import (
    AccountError,
    CarburoamError,
    CodeExpired,
    CodeMalformed,
    CodeWrong,
    EmailRefused,
    EmailTaken,
    FigureRefused,
    LastAdmin,
    NameRefused,
    NotSaved,
    PasswordRefused,
    PasswordWrong,
    TooManyAtOnce,
    TooManyCodes,
    TooManyGuesses,
    TooManyTries,
    UsernameRefused,
    UsernameTaken,
)
from ui.authentication import begin_session, get_secret_key
from ui.callback_marks import view_only
from ui.formats import escape, format_number
from ui.reading import get_engine, get_mailer, get_settings
from ui.saving import saves, word_not_saved
from ui.texts import _, ngettext
from ui.visitor import get_address

COLUMN_WIDTH_PX = 480  # as wide as a form is filled in well; a phone is narrower and gives all it has


def make_column() -> DeltaGenerator:
    """Return the column in which forms stand."""
    return st.container(width=COLUMN_WIDTH_PX)


@contextmanager
def show_field(field: str, hint: str | None = None) -> Iterator[None]:
    """Draw a field, and close below it what is wrong there, else the hint: it takes the same line, so nothing moves."""
    with st.container(gap="xxsmall"):
        yield
        if error := st.session_state.get("field_errors", {}).get(field):
            show_field_error(word_error(error))
        elif hint:
            st.markdown(f":small[:gray[{hint}]]")


def show_field_error(text: str) -> None:
    """Draw what is wrong at the field just drawn."""
    st.markdown(f":small[:red[:material/error: {text}]]")


def word_range(lowest: float, highest: float) -> str:
    """Return the sentence that says which figures can be meant: Streamlit's own is English, whatever the language."""
    return _("Please give a figure from {lowest} to {highest}.").format(
        lowest=format_number(lowest), highest=format_number(highest)
    )


def get_password_hint() -> str:
    """Return what a new password should be."""
    return _("At least 10 characters, for example a few words.")


def word_error(error: CarburoamError) -> str:
    """Return the sentence that tells a person which rule was broken."""
    match error:
        case TooManyTries():
            return word_wait(error)
        case PasswordRefused():
            return _word_password(error.rule)
        case UsernameRefused():
            shortest, longest = USERNAME_LENGTHS
            return _(
                "{shortest} to {longest} Latin letters, digits, dots, underscores or hyphens, with one letter or digit "
                "at least."
            ).format(shortest=shortest, longest=longest)
        case UsernameTaken():
            return _("Another driver has this username.")
        case EmailRefused():
            return _("This is not an e-mail address.")
        case EmailTaken():
            return _("There is an account with this address already.")
        case NameRefused():
            return _("Please give a name of at most 80 characters.")
        case PasswordWrong():
            return _("This is not your password.")
        case CodeMalformed():
            return _("Please type the code of the mail: {count} letters and digits, never I, L, O, U, 0 or 1.").format(
                count=CODE_LENGTH
            )
        case CodeWrong() | CodeExpired():
            return _("This code is wrong or has expired. A code expires after 15 minutes or 5 tries.")
        case FigureRefused():
            return word_range(error.lowest, error.highest)
        case LastAdmin():
            return _(
                "You are the last admin who can log in. Give the admin role to another account first, under "
                "Administration, People."
            )
        case NotSaved():
            return word_not_saved()
        case _other:
            return _("This did not work. Please try again.")


def word_wait(error: TooManyTries) -> str:
    """Return the sentence that says how long to wait, or what else to do."""
    match error:
        case TooManyAtOnce():
            return _("Many people are logging in right now; try again in a few seconds.")
        case TooManyGuesses():
            return _(
                "Too many wrong passwords were tried with this name today. Log in where you have before, ask for a new "
                "password by mail, or try again tomorrow."
            )
        case TooManyCodes():
            return _(
                "Too many codes were tried for this name. Please ask for another one here, and type it in this browser."
            )
    seconds = max(1, ceil(error.wait_seconds))
    if seconds < 90:
        return ngettext(
            "Too many tries. Please wait {count} second.", "Too many tries. Please wait {count} seconds.", seconds
        ).format(count=seconds)
    minutes = ceil(seconds / 60)
    if minutes < 90:
        return ngettext(
            "Too many tries. Please wait {count} minute.", "Too many tries. Please wait {count} minutes.", minutes
        ).format(count=minutes)
    hours = ceil(minutes / 60)
    return ngettext(
        "Too many tries. Please wait {count} hour.", "Too many tries. Please wait {count} hours.", hours
    ).format(count=hours)


def show_code_hint() -> None:
    """Draw when a code expires, and where to look for its mail."""
    if get_settings().can_mail:
        st.caption(
            _("It expires in {count} minutes. If it does not arrive, check your spam folder.").format(
                count=int(LIFETIME.total_seconds() // 60)
            )
        )


def show_code_form() -> None:
    """Draw the form for the code that confirms an address and opens the account."""
    sent = _("We have sent a code to {email}. Type it here to open your account.")
    st.markdown(sent.format(email=f"**{escape(st.session_state['pending_email'])}**"))
    show_code_hint()
    with st.form("confirm", border=True):
        with show_field("confirm_code"):
            st.text_input(_("Code"), key="confirm_code", max_chars=20, autocomplete="one-time-code")
        st.form_submit_button(_("Confirm"), type="primary", on_click=_submit_code)
    if error := st.session_state.pop("code_error", None):
        st.error(error, icon=":material/error:")
    if note := st.session_state.pop("code_note", None):
        st.info(note)
    with st.container(horizontal=True):
        st.button(_("Send another code"), on_click=_send_again)
        st.button(_("Start again"), on_click=start_again)


def wait_for_code(user_id: int, email: str) -> None:
    """Let the form for the code be shown; `email` is the address that was typed, to which it went."""
    st.session_state["pending_account"] = user_id
    st.session_state["pending_email"] = email


@view_only
def start_again() -> None:
    """Wait for no code any more."""
    for key in ("pending_account", "pending_email"):
        st.session_state.pop(key, None)


@saves("code_error", "confirm_code")
def _submit_code() -> None:
    user_id = st.session_state["pending_account"]
    try:
        confirm_account(get_engine(), get_secret_key(), user_id, st.session_state["confirm_code"], datetime.now(UTC))
    except AccountError as error:
        st.session_state["field_errors"] = {"confirm_code": error}
        return
    st.session_state["field_errors"] = {}
    start_again()
    begin_session(user_id, is_lasting=False)


@saves("code_error", "confirm_code")
def _send_again() -> None:
    settings = get_settings()
    try:
        mail_confirmation(
            get_engine(),
            settings,
            get_secret_key(),
            st.session_state["pending_account"],
            st.session_state["pending_email"],
            address=get_address(settings),
            now=datetime.now(UTC),
        )
    except TooManyTries as error:
        st.session_state["code_error"] = word_wait(error)
        return
    get_mailer().wake()
    st.session_state["field_errors"] = {}
    st.session_state["code_note"] = _("Another code is on its way. Use the newest one you receive.")


def _word_password(rule: str) -> str:
    if rule == "short":
        return _("At least {count} characters, please; any will do.").format(count=MIN_LENGTH)
    if rule == "long":
        return _("This password is too long: 72 bytes at most.")
    if rule == "username":
        return _("The password must not hold your username.")
    return _("This password is among the most common ones. Please choose another.")
