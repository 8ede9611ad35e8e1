"""How a driver gets in: address and password, and logging out, in the profile."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from accounts.profile import Profile, ask_new_email, call_off_new_email, change_password, confirm_new_email
from accounts.sessions import close_sessions
from errors import NotSaved, PasswordRefused, PasswordWrong
from ui.account_forms import get_password_hint, show_code_hint, show_field
from ui.authentication import end_session, forget_session, get_secret_key, get_session_id, renew_cookie
from ui.callbacks import guarded
from ui.formats import escape
from ui.profile_forms import show_submit, try_each
from ui.reading import begin_change, get_engine, get_settings
from ui.texts import _
from ui.visitor import get_address


def show_access(profile: Profile, driver_id: int, asked: str | None) -> None:
    """Draw the forms; `asked` is the new address that waits for its code, if any."""
    _show_email(profile, driver_id, asked)
    _show_password(driver_id)
    _show_logging_out(driver_id)


def _show_email(profile: Profile, driver_id: int, asked: str | None) -> None:
    """Draw the address, and while another one (`asked`) waits for its code, the form for that."""
    with st.form("email_form", border=True):
        st.subheader(_("E-mail"), anchor=False)
        st.text(profile.email)
        with show_field("email"):
            st.text_input(_("New e-mail"), key="profile_email", max_chars=254, autocomplete="email")
        with show_field("email_password"):
            st.text_input(
                _("Your password"),
                key="profile_email_password",
                type="password",
                max_chars=200,
                autocomplete="current-password",
            )
        show_submit(_("Change the address"), lambda: _save_email(driver_id), "email", "email_code")
    if asked is not None:
        with st.form("email_code", border=True):
            sent = _("We have sent a code to {email}. Type it here to make that your address.")
            st.markdown(sent.format(email=f"**{escape(asked)}**"))
            show_code_hint()
            with show_field("email_code"):
                st.text_input(
                    _("Code mailed to the new address"),
                    key="profile_email_code",
                    max_chars=20,
                    autocomplete="one-time-code",
                )
            with st.container(horizontal=True):
                st.form_submit_button(_("Confirm"), type="primary", on_click=_confirm_email, args=(driver_id,))
                st.form_submit_button(_("Keep the old address"), on_click=_call_off_email, args=(driver_id,))


def _save_email(driver_id: int) -> None:
    def save() -> None:
        ask_new_email(
            get_engine(),
            get_settings(),
            get_secret_key(),
            driver_id,
            st.session_state["profile_email"],
            st.session_state["profile_email_password"],
            address=get_address(get_settings()),
            now=datetime.now(UTC),
        )

    if not try_each({"email": save}):
        errors = st.session_state.get("field_errors", {})
        if isinstance(errors.get("email"), NotSaved):
            return
        if isinstance(errors.get("email"), PasswordWrong):
            errors["email_password"] = errors.pop("email")
    elif get_settings().can_mail:
        st.session_state["profile_note"] = _("A code is on its way to the new address.")
    st.session_state["profile_email_password"] = ""


@guarded
def _confirm_email(driver_id: int) -> None:
    def confirm() -> None:
        confirm_new_email(
            get_engine(),
            get_settings(),
            get_secret_key(),
            driver_id,
            st.session_state["profile_email_code"],
            datetime.now(UTC),
        )

    try_each({"email_code": confirm})


@guarded
def _call_off_email(driver_id: int) -> None:
    def call_off() -> None:
        with begin_change() as connection:
            call_off_new_email(connection, driver_id)

    if try_each({"email_code": call_off}):
        st.session_state["profile_note"] = _("Your address stays as it is.")


def _show_password(driver_id: int) -> None:
    with st.form("password_form", border=True, clear_on_submit=True):
        st.subheader(_("Password"), anchor=False)
        with show_field("old"):
            st.text_input(
                _("Current password"),
                key="profile_old",
                type="password",
                max_chars=200,
                autocomplete="current-password",
            )
        with show_field("new", get_password_hint()):
            st.text_input(
                _("New password"), key="profile_new", type="password", max_chars=200, autocomplete="new-password"
            )
        show_submit(_("Change the password"), lambda: _save_password(driver_id), "old")


def _save_password(driver_id: int) -> None:
    def save() -> None:
        change_password(
            get_engine(),
            get_settings(),
            get_secret_key(),
            driver_id,
            st.session_state["profile_old"],
            st.session_state["profile_new"],
            session_id=get_session_id(),
            address=get_address(get_settings()),
            now=datetime.now(UTC),
        )
        renew_cookie()

    if not try_each({"old": save}):
        errors = st.session_state.get("field_errors", {})
        if isinstance(errors.get("old"), PasswordRefused):
            errors["new"] = errors.pop("old")


def _show_logging_out(driver_id: int) -> None:
    with st.container(border=True):
        st.subheader(_("Logging out"), anchor=False)
        with st.container(horizontal=True):
            st.button(_("Log out"), icon=":material/logout:", on_click=_log_out)
            st.button(
                _("Log out everywhere"), icon=":material/devices:", on_click=_log_out_everywhere, args=(driver_id,)
            )
        with show_field("sessions"):
            pass


@guarded
def _log_out() -> None:
    if try_each({"sessions": end_session}):
        st.session_state.pop("profile_note")


@guarded
def _log_out_everywhere(driver_id: int) -> None:
    def close() -> None:
        with begin_change() as connection:
            close_sessions(connection, driver_id)

    if try_each({"sessions": close}):
        st.session_state.pop("profile_note")
        forget_session()
