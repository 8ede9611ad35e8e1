"""Opening an account."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from accounts.registration import Registration, check_registration, register
from errors import AccountError, EmailTaken, UsernameTaken
from models import FUEL_NAMES
from ui.access import PAGES, return_to_page
from ui.account_forms import get_password_hint, make_column, show_code_form, show_field, wait_for_code, word_error
from ui.authentication import begin_session, get_driver, get_secret_key
from ui.carry_question import show_coming_over
from ui.demo import get_tried_fuels
from ui.reading import get_engine, get_mailer, get_settings
from ui.saving import saves
from ui.texts import _, get_language
from ui.visitor import get_address


def main() -> None:
    if get_driver() is not None:
        return_to_page()
    st.title(_("Open an account"), anchor=False)
    show_coming_over()
    with make_column():
        if "pending_account" in st.session_state:
            show_code_form()
        else:
            show_form()


def show_form() -> None:
    st.markdown(_("Keep your stations, see the cheapest first, and what that saves in a year."))
    with st.form("register", border=True):
        with show_field("username"):
            st.text_input(_("Username"), key="register_username", max_chars=60, autocomplete="username")
        with show_field("name"):
            st.text_input(_("Name"), key="register_name", max_chars=160, autocomplete="name")
        with show_field("email"):
            st.text_input(_("E-mail"), key="register_email", max_chars=254, autocomplete="email")
        with show_field("password", get_password_hint()):
            st.text_input(
                _("Password"), key="register_password", type="password", max_chars=200, autocomplete="new-password"
            )
        st.pills(
            _("Fuels you follow"),
            list(FUEL_NAMES),
            selection_mode="multi",
            default=list(get_tried_fuels()),
            format_func=FUEL_NAMES.__getitem__,
            key="register_fuels",
            wrap=True,
        )
        st.form_submit_button(_("Open an account"), type="primary", on_click=submit)
    if error := st.session_state.pop("register_error", None):
        st.error(error, icon=":material/error:")
    if not get_settings().can_mail:
        st.caption(_("This installation sends no mails, so your address is not confirmed."))
    else:
        st.caption(_("Have you a code already? Log in with your new name, your password and the code."))
    with st.container(horizontal=True):
        st.page_link(PAGES / "login.py", label=_("I have an account"), icon=":material/login:")
        st.page_link(PAGES / "privacy.py", label=_("What is kept about you, and why"), icon=":material/shield:")


@saves("register_error", "register_username", "register_name", "register_email")
def submit() -> None:
    state = st.session_state
    form = Registration(
        username=state["register_username"],
        email=state["register_email"],
        name=state["register_name"],
        password=state["register_password"],
        fuels=tuple(state["register_fuels"]),
        language=get_language(),
    )
    errors = check_registration(form)
    state["field_errors"] = errors
    if errors:
        return
    settings = get_settings()
    try:
        opening = register(
            get_engine(),
            settings,
            get_secret_key(),
            form,
            address=get_address(settings),
            now=datetime.now(UTC),
        )
    except UsernameTaken as error:
        state["field_errors"] = {"username": error}
    except EmailTaken as error:
        state["field_errors"] = {"email": error}
    except AccountError as error:
        state["register_error"] = word_error(error)
    else:
        get_mailer().wake()
        if opening.is_open:
            begin_session(opening.user_id, is_lasting=False)
        else:
            wait_for_code(opening.user_id, form.email.strip())


main()
