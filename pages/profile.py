"""A driver's own page: name, address, password, language, fuels, vehicle; logging out; leaving."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from accounts.privacy import erase_account, export_account
from accounts.profile import (
    KM_PER_YEAR,
    LITRES_PER_100KM,
    TANK_LITRES,
    Profile,
    ask_new_email,
    change_fuels,
    change_name,
    change_password,
    change_username,
    change_vehicle,
    confirm_new_email,
    get_profile,
)
from accounts.sessions import close_sessions
from errors import AccountError, PasswordRefused
from models import FUEL_NAMES
from ui.access import PAGES, require_driver
from ui.account_forms import show_field_error
from ui.authentication import (
    end_session,
    forget_session,
    get_secret_key,
    get_session_id,
    renew_cookie,
    restore_driver,
)
from ui.formats import escape
from ui.reading import begin_change, get_engine, get_mailer, get_settings, open_reading
from ui.texts import _

driver = require_driver()


def main() -> None:
    with open_reading() as connection:
        profile = get_profile(connection, driver.id)
    st.title(_("Your profile"), anchor=False)
    st.markdown(_("Logged in as {username}.").format(username=f"**{escape(profile.username)}**"))
    with st.container():  # there even when empty: what follows must keep its place, or the first tab is opened again
        # Until the next change, and not only once: writing the cookie runs the page again.
        if note := st.session_state.get("profile_note"):
            st.success(note, icon=":material/check_circle:")
    about_you, vehicle, password, leaving = st.tabs(
        [_("About you"), _("Vehicle"), _("Access"), _("Your data")]  # short: all four must fit on a phone
    )
    with about_you:
        show_names(profile)
    with vehicle:
        show_vehicle(profile)
    with password:
        show_email(profile)
        show_password()
    with leaving:
        show_leaving(profile)


def show_names(profile: Profile) -> None:
    with st.form("names", border=True):
        st.text_input(_("Name"), value=profile.name, key="profile_name", max_chars=160, autocomplete="name")
        show_field_error("name")
        st.text_input(
            _("Username"), value=profile.username, key="profile_username", max_chars=60, autocomplete="username"
        )
        show_field_error("username")
        st.form_submit_button(_("Save"), type="primary", on_click=save_names)


def save_names() -> None:
    def save_name() -> None:
        with begin_change() as connection:
            change_name(connection, driver.id, st.session_state["profile_name"])

    def save_username() -> None:
        change_username(get_engine(), driver.id, st.session_state["profile_username"])

    try_each({"name": save_name, "username": save_username})


def show_vehicle(profile: Profile) -> None:
    with st.form("vehicle", border=True):
        st.pills(
            _("Fuels you follow"),
            list(FUEL_NAMES),
            selection_mode="multi",
            default=list(profile.fuels),
            format_func=FUEL_NAMES.__getitem__,
            key="profile_fuels",
            wrap=True,
        )
        st.number_input(
            _("Litres per 100 km"),
            value=profile.litres_per_100km,
            min_value=LITRES_PER_100KM[0],
            max_value=LITRES_PER_100KM[1],
            step=0.1,
            format="%.1f",
            key="profile_litres",
            placeholder=_("not told"),
        )
        st.number_input(
            _("Kilometres a year"),
            value=profile.km_per_year,
            min_value=KM_PER_YEAR[0],
            max_value=KM_PER_YEAR[1],
            step=1000,
            key="profile_km",
            placeholder=_("not told"),
        )
        st.number_input(
            _("Tank, in litres"),
            value=profile.tank_litres,
            min_value=TANK_LITRES[0],
            max_value=TANK_LITRES[1],
            step=1,
            key="profile_tank",
            placeholder=_("not told"),
        )
        show_field_error("vehicle")
        st.form_submit_button(_("Save"), type="primary", on_click=save_vehicle)


def save_vehicle() -> None:
    def save() -> None:
        state = st.session_state
        with begin_change() as connection:
            change_fuels(connection, driver.id, tuple(state["profile_fuels"]))
            change_vehicle(
                connection,
                driver.id,
                litres_per_100km=state["profile_litres"],
                km_per_year=state["profile_km"],
                tank_litres=state["profile_tank"],
            )

    try_each({"vehicle": save})


def show_email(profile: Profile) -> None:
    with st.form("email_form", border=True):
        st.subheader(_("E-mail"), anchor=False)
        st.text(profile.email)
        st.text_input(_("New e-mail"), key="profile_email", max_chars=254, autocomplete="email")
        show_field_error("email")
        st.form_submit_button(_("Change the address"), on_click=save_email)
    if st.session_state.get("email_asked") == driver.id:
        with st.form("email_code", border=True):
            st.text_input(
                _("Code mailed to the new address"),
                key="profile_email_code",
                max_chars=20,
                autocomplete="one-time-code",
            )
            show_field_error("email_code")
            st.form_submit_button(_("Confirm"), type="primary", on_click=confirm_email)


def save_email() -> None:
    def save() -> None:
        ask_new_email(
            get_engine(),
            get_settings(),
            get_secret_key(),
            driver.id,
            st.session_state["profile_email"],
            datetime.now(UTC),
        )

    if try_each({"email": save}) and get_settings().can_mail:
        st.session_state["email_asked"] = driver.id
        st.session_state["profile_note"] = _("A code is on its way to the new address.")


def confirm_email() -> None:
    def confirm() -> None:
        confirm_new_email(
            get_engine(),
            get_settings(),
            get_secret_key(),
            driver.id,
            st.session_state["profile_email_code"],
            datetime.now(UTC),
        )

    if try_each({"email_code": confirm}):
        st.session_state.pop("email_asked", None)


def show_password() -> None:
    with st.form("password_form", border=True, clear_on_submit=True):
        st.subheader(_("Password"), anchor=False)
        st.text_input(
            _("Password of today"),
            key="profile_old",
            type="password",
            max_chars=200,
            autocomplete="current-password",
        )
        show_field_error("old")
        st.text_input(
            _("New password"),
            key="profile_new",
            type="password",
            max_chars=200,
            autocomplete="new-password",
            help=_("At least 10 characters. A few words in a row make a good one."),
        )
        show_field_error("new")
        st.form_submit_button(_("Change the password"), on_click=save_password)


def save_password() -> None:
    def save() -> None:
        change_password(
            get_engine(),
            get_settings(),
            driver.id,
            st.session_state["profile_old"],
            st.session_state["profile_new"],
            session_id=get_session_id(),
            now=datetime.now(UTC),
        )

    if try_each({"old": save}):
        renew_cookie()
    else:
        errors = st.session_state.get("field_errors", {})
        if isinstance(errors.get("old"), PasswordRefused):
            errors["new"] = errors.pop("old")


def show_leaving(profile: Profile) -> None:
    with st.container(horizontal=True):
        st.button(_("Log out"), icon=":material/logout:", on_click=end_session)
        st.button(_("Log out everywhere"), icon=":material/devices:", on_click=log_out_everywhere)
    with open_reading() as connection:
        data = export_account(connection, profile.id)
    st.download_button(
        _("Download everything held about you"),
        json.dumps(data, ensure_ascii=False, indent=2),
        file_name="carburoam.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
    )
    st.page_link(PAGES / "privacy.py", label=_("What is kept about you, and why"), icon=":material/shield:")
    with st.form("erase", border=True, clear_on_submit=True):
        st.subheader(_("Delete the account"), anchor=False)
        st.markdown(
            _(
                "Your account, your stations, your fuels, your vehicle and every log-in are deleted at once and for "
                "good. One last mail confirms it."
            )
        )
        st.text_input(
            _("Password"), key="erase_password", type="password", max_chars=200, autocomplete="current-password"
        )
        show_field_error("erase")
        st.form_submit_button(_("Delete my account"), icon=":material/delete_forever:", on_click=erase)


def log_out_everywhere() -> None:
    def close() -> None:
        with begin_change() as connection:
            close_sessions(connection, driver.id)

    if try_each({"sessions": close}):
        st.session_state.pop("profile_note")
        forget_session()


def erase() -> None:
    def delete() -> None:
        erase_account(
            get_engine(),
            get_settings(),
            get_secret_key(),
            driver.id,
            st.session_state["erase_password"],
            datetime.now(UTC),
        )

    if try_each({"erase": delete}):
        st.session_state.pop("profile_note")
        st.session_state["visitor_note"] = _("Your account is deleted, and all that was kept with it. Safe travels!")
        forget_session()


def try_each(changes: dict[str, Callable[[], None]]) -> bool:
    """Make each change; what is refused is said at its field, and the others are kept.

    A session that was ended elsewhere since this page was drawn changes nothing any more.
    """
    st.session_state.pop("profile_note", None)
    current = restore_driver()
    if current is None or current.id != driver.id:
        return False
    errors: dict[str, AccountError] = {}
    for field, change in changes.items():
        try:
            change()
        except AccountError as error:
            errors[field] = error
    st.session_state["field_errors"] = errors
    get_mailer().wake()
    if not errors:
        st.session_state["profile_note"] = _("Saved.")
    return not errors


main()
