"""A forgotten username or password."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from accounts.identity import read_email
from accounts.recovery import mail_password_code, mail_username, reset_password
from errors import AccountError, EmailRefused, NotSaved, PasswordRefused, TooManyTries
from ui.access import PAGES, return_to_page
from ui.account_forms import get_password_hint, make_column, show_code_hint, show_field, word_wait
from ui.authentication import begin_session, get_driver, get_secret_key
from ui.callback_marks import view_only
from ui.reading import get_engine, get_mailer, get_settings
from ui.saving import saves
from ui.texts import _
from ui.visitor import get_address, get_browser_secret


def main() -> None:
    st.title(_("Forgotten username or password"), anchor=False)
    with make_column():
        # Kept until another page is shown, and not only once: a load that ends runs the page again.
        if get_driver() is not None and (note := st.session_state.get("visitor_note")):
            st.success(note, icon=":material/check_circle:")
            if st.button(_("Go on"), type="primary"):
                return_to_page()
        else:
            show_step()


def show_step() -> None:
    if not get_settings().can_mail:
        st.info(_("This installation sends no mails: its admin finds them in its folder outputs/mail."))
    if note := st.session_state.pop("recover_note", None):
        st.success(note, icon=":material/mail:")
    if error := st.session_state.pop("recover_error", None):
        st.error(error, icon=":material/error:")
    if st.session_state.get("recover_name"):
        show_new_password()
    elif st.session_state.get("recover_has_code"):
        show_new_password(asks_name=True)
    else:
        show_requests()


def show_requests() -> None:
    with st.form("forgotten_password", border=True):
        st.subheader(_("I forgot my password"), anchor=False)
        st.text_input(_("Username or e-mail"), key="password_name", max_chars=254, autocomplete="username")
        st.form_submit_button(_("Mail me a code"), type="primary", on_click=request_code)
    with st.form("forgotten_username", border=True):
        st.subheader(_("I forgot my username"), anchor=False)
        with show_field("username_email"):
            st.text_input(_("E-mail"), key="username_email", max_chars=254, autocomplete="email")
        st.form_submit_button(_("Mail me my username"), type="primary", on_click=request_username)
    with st.container(horizontal=True, vertical_alignment="center"):
        # For who has loaded the page anew since, or reads the mail on another device.
        st.button(_("I have a code already"), icon=":material/password:", on_click=ask_name_and_code)
        show_way_back()


def show_new_password(*, asks_name: bool = False) -> None:
    if not asks_name:
        st.markdown(_("If there is an account of that name, a code was mailed to its address."))
        show_code_hint()
    with st.form("new_password", border=True):
        if asks_name:
            st.text_input(_("Username or e-mail"), key="reset_name", max_chars=254, autocomplete="username")
        with show_field("reset_code"):
            st.text_input(_("Code"), key="reset_code", max_chars=20, autocomplete="one-time-code")
        with show_field("reset_password", get_password_hint()):
            st.text_input(
                _("New password"), key="reset_password", type="password", max_chars=200, autocomplete="new-password"
            )
        st.form_submit_button(_("Set the new password"), type="primary", on_click=submit_new_password)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(_("Start again"), on_click=start_again)
        show_way_back()


def show_way_back() -> None:
    st.page_link(PAGES / "login.py", label=_("Back to log in"), icon=":material/login:")


@saves("recover_error", "password_name")
def request_code() -> None:
    name = st.session_state["password_name"]
    try:
        settings = get_settings()
        mail_password_code(
            get_engine(),
            settings,
            get_secret_key(),
            name,
            browser=get_browser_secret(settings),
            address=get_address(settings),
            now=datetime.now(UTC),
        )
    except TooManyTries as error:
        st.session_state["recover_error"] = word_wait(error)
        return
    get_mailer().wake()
    st.session_state["recover_name"] = name or "-"


@view_only
def ask_name_and_code() -> None:
    st.session_state["field_errors"] = {}
    st.session_state["recover_has_code"] = True


@view_only
def start_again() -> None:
    st.session_state["field_errors"] = {}
    for key in ("recover_name", "recover_has_code"):
        st.session_state.pop(key, None)


@saves("recover_error", "username_email")
def request_username() -> None:
    email = st.session_state["username_email"]
    st.session_state["field_errors"] = {}
    try:
        read_email(email)
        settings = get_settings()
        mail_username(
            get_engine(), settings, get_secret_key(), email, address=get_address(settings), now=datetime.now(UTC)
        )
    except EmailRefused as error:
        st.session_state["field_errors"] = {"username_email": error}
        return
    except TooManyTries as error:
        st.session_state["recover_error"] = word_wait(error)
        return
    get_mailer().wake()
    st.session_state["recover_note"] = _("If there is an account with that address, its username was mailed to it.")


@saves("recover_error", "reset_name", "reset_code")
def submit_new_password() -> None:
    state = st.session_state
    try:
        user_id = reset_password(
            get_engine(),
            get_settings(),
            get_secret_key(),
            state.get("recover_name") or state["reset_name"],
            state["reset_code"],
            state["reset_password"],
            browser=get_browser_secret(get_settings()),
            address=get_address(get_settings()),
            now=datetime.now(UTC),
        )
    except PasswordRefused as error:
        state["field_errors"] = {"reset_password": error}
        return
    except AccountError as error:
        state["field_errors"] = {"reset_code": error}
        return
    get_mailer().wake()
    start_again()
    try:
        begin_session(user_id, is_lasting=False)
    except NotSaved:
        state["recover_note"] = _(
            "Your new password is set, and every browser is logged out. You can log in with it now."
        )
    else:
        state["visitor_note"] = _("Your new password is set and you are logged in. Every other browser is logged out.")


main()
