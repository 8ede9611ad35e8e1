"""Logging in, and from here to a forgotten password or a new account."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from accounts.sessions import log_in
from errors import CodeMalformed, LoginRefused, TooManyTries
from ui.access import PAGES, return_to_page
from ui.account_forms import make_column, show_code_form, show_field, word_wait
from ui.authentication import begin_session, get_driver, get_secret_key, hold_back
from ui.callback_marks import view_only
from ui.carry_question import show_coming_over
from ui.reading import get_engine, get_settings
from ui.saving import saves
from ui.texts import _
from ui.visitor import get_address


def main() -> None:
    if get_driver() is not None:
        return_to_page()
    st.title(_("Log in"), anchor=False)
    show_coming_over()
    with make_column():
        if "pending_account" in st.session_state:
            show_code_form()
        else:
            show_form()


def show_form() -> None:
    asks_code = "login_has_code" in st.session_state
    may_have_code = get_settings().can_mail and not asks_code
    with st.form("login", border=True):
        st.text_input(_("Username or e-mail"), key="login_name", max_chars=254, autocomplete="username")
        st.text_input(
            _("Password"), key="login_password", type="password", max_chars=200, autocomplete="current-password"
        )
        if asks_code:
            with show_field("login_code"):
                st.text_input(_("Code"), key="login_code", max_chars=20, autocomplete="one-time-code")
        st.checkbox(_("Stay logged in on this browser for 30 days"), key="login_lasting")
        st.form_submit_button(_("Log in"), type="primary", on_click=submit)
    if error := st.session_state.pop("login_error", None):
        st.error(error, icon=":material/error:")
        if may_have_code:
            st.caption(_("A new account also asks for the code that was mailed to you."))
    with st.container(horizontal=True):
        if may_have_code:
            st.button(_("I have a code for a new account"), icon=":material/password:", on_click=ask_code)
        st.page_link(PAGES / "recover.py", label=_("Forgotten username or password?"), icon=":material/help:")
        st.page_link(PAGES / "register.py", label=_("Open an account"), icon=":material/person_add:")


@view_only
def ask_code() -> None:
    st.session_state["login_has_code"] = True


@saves("login_error", "login_name", "login_code")
def submit() -> None:
    code = st.session_state.get("login_code", "")
    st.session_state["field_errors"] = {}
    try:
        user_id = log_in(
            get_engine(),
            get_secret_key(),
            st.session_state["login_name"],
            st.session_state["login_password"],
            code=code,
            address=get_address(get_settings()),
            now=datetime.now(UTC),
        )
    except CodeMalformed as error:
        st.session_state["field_errors"] = {"login_code": error}
    except TooManyTries as error:
        hold_back(error.wait_seconds)
        st.session_state["login_error"] = word_wait(error)
    except LoginRefused:
        st.session_state["login_error"] = (
            _("This name, this password and this code do not fit together.")
            if code
            else _("This name and this password do not fit together.")
        )
    else:
        st.session_state.pop("login_has_code", None)
        begin_session(user_id, is_lasting=st.session_state["login_lasting"])
    st.session_state["login_password"] = ""


main()
