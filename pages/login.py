"""Logging in, and from here to a forgotten password or a new account."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from accounts.registration import mail_confirmation
from accounts.sessions import log_in
from errors import AccountUnconfirmed, LoginRefused, TooManyTries
from ui.access import PAGES, return_to_page
from ui.account_forms import make_column, show_code_form, wait_for_code, word_wait
from ui.authentication import begin_session, get_driver, get_secret_key
from ui.reading import get_engine, get_mailer, get_settings
from ui.saving import saves
from ui.station_list import show_carried_over
from ui.texts import _
from ui.visitor import get_address


def main() -> None:
    if get_driver() is not None:
        return_to_page()
    st.title(_("Log in"), anchor=False)
    show_carried_over()
    with make_column():
        if "pending_account" in st.session_state:
            show_code_form()
        else:
            show_form()


def show_form() -> None:
    with st.form("login", border=True):
        st.text_input(_("Username or e-mail"), key="login_name", max_chars=254, autocomplete="username")
        st.text_input(
            _("Password"), key="login_password", type="password", max_chars=200, autocomplete="current-password"
        )
        st.checkbox(_("Stay logged in on this browser for 30 days"), key="login_lasting")
        st.form_submit_button(_("Log in"), type="primary", on_click=submit)
    if error := st.session_state.pop("login_error", None):
        st.error(error, icon=":material/error:")
    with st.container(horizontal=True):
        st.page_link(PAGES / "recover.py", label=_("Forgotten username or password?"), icon=":material/help:")
        st.page_link(PAGES / "register.py", label=_("Open an account"), icon=":material/person_add:")


@saves("login_error", "login_name")
def submit() -> None:
    now = datetime.now(UTC)
    settings = get_settings()
    try:
        user_id = log_in(
            get_engine(),
            get_secret_key(),
            st.session_state["login_name"],
            st.session_state["login_password"],
            address=get_address(settings),
            now=now,
        )
    except TooManyTries as error:
        st.session_state["login_error"] = word_wait(error)
    except LoginRefused:
        st.session_state["login_error"] = _("This name and this password do not fit together.")
    except AccountUnconfirmed as error:
        wait_for_code(error.user_id)
        try:
            mail_confirmation(get_engine(), settings, get_secret_key(), error.user_id, now, unless_open=True)
            get_mailer().wake()
        except TooManyTries:
            pass  # the code of before may still be good, and the form can ask for another
    else:
        begin_session(user_id, is_lasting=st.session_state["login_lasting"])
    st.session_state["login_password"] = ""


main()
