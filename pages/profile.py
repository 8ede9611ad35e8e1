"""A driver's own page: name, address, password, language, fuels, vehicle; logging out; leaving."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from accounts.privacy import erase_account, export_account
from accounts.profile import (
    Profile,
    ask_new_email,
    call_off_new_email,
    change_fuels,
    change_name,
    change_password,
    change_username,
    change_vehicle,
    confirm_new_email,
    get_profile,
)
from accounts.sessions import close_sessions
from errors import AccountError, DriverUnknown, FigureRefused, NotSaved, PasswordRefused, PasswordWrong
from models import FUEL_NAMES
from ui.access import PAGES, require_driver
from ui.account_forms import get_password_hint, make_column, show_code_hint, show_field
from ui.authentication import (
    end_session,
    forget_session,
    get_secret_key,
    get_session_id,
    renew_cookie,
    restore_driver,
)
from ui.formats import escape
from ui.kept_fields import is_changed, show_kept
from ui.reading import begin_change, get_engine, get_mailer, get_settings, open_reading, saving
from ui.saving import keep_typed
from ui.texts import _

driver = require_driver()


def main() -> None:
    with open_reading() as connection:
        profile = get_profile(connection, driver.id)
        held = export_account(connection, driver.id)
    st.title(_("Your profile"), anchor=False)
    st.markdown(_("Logged in as {username}.").format(username=f"**{escape(profile.username)}**"))
    about_you, vehicle, password, leaving = make_column().tabs(
        [_("About you"), _("Vehicle"), _("Access"), _("Your data")]  # short: all four must fit on a phone
    )
    with about_you:
        show_names(profile)
    with vehicle:
        show_vehicle(profile)
    with password:
        show_email(profile, next((code["new_email"] for code in held["open_codes"] if code["new_email"]), None))
        show_password()
        show_logging_out()
    with leaving:
        show_leaving(held)


def show_submit(label: str, save: Callable[[], None], *fields: str) -> None:
    """Draw the button of a form, and beside it what was said when one of these fields was saved last."""
    with st.container(horizontal=True):
        st.form_submit_button(label, type="primary", on_click=save)
        # Until the next change, and not only once: writing the cookie runs the page again.
        if (note := st.session_state.get("profile_note")) and st.session_state.get("profile_noted_at") in fields:
            st.success(note, icon=":material/check_circle:")


def show_names(profile: Profile) -> None:
    show_kept("profile_name", profile.name)
    show_kept("profile_username", profile.username)
    with st.form("names", border=True):
        with show_field("name"):
            st.text_input(_("Name"), key="profile_name", max_chars=160, autocomplete="name")
        with show_field("username"):
            st.text_input(_("Username"), key="profile_username", max_chars=60, autocomplete="username")
        show_submit(_("Save"), save_names, "name", "username")


def save_names() -> None:
    def save_name() -> None:
        with begin_change() as connection:
            change_name(connection, driver.id, st.session_state["profile_name"])

    def save_username() -> None:
        change_username(get_engine(), driver.id, st.session_state["profile_username"])

    changes = {"name": save_name, "username": save_username}
    try_each({field: change for field, change in changes.items() if is_changed(f"profile_{field}")})


def show_vehicle(profile: Profile) -> None:
    show_kept("profile_fuels", list(profile.fuels))
    show_kept("profile_litres", profile.litres_per_100km)
    show_kept("profile_km", profile.km_per_year)
    show_kept("profile_tank", profile.tank_litres)
    with st.form("vehicle", border=True):
        st.pills(
            _("Fuels you follow"),
            list(FUEL_NAMES),
            selection_mode="multi",
            format_func=FUEL_NAMES.__getitem__,
            key="profile_fuels",
            wrap=True,
        )
        with show_field("litres_per_100km"):
            st.number_input(
                _("Litres per 100 km"),
                value=None,
                step=0.1,
                format="%.1f",
                key="profile_litres",
                placeholder=_("not given"),
            )
        with show_field("km_per_year"):
            st.number_input(_("Kilometres a year"), value=None, step=1000, key="profile_km", placeholder=_("not given"))
        with show_field("vehicle"), show_field("tank_litres"):
            st.number_input(_("Tank, in litres"), value=None, step=1, key="profile_tank", placeholder=_("not given"))
        show_submit(_("Save"), save_vehicle, "vehicle")


def save_vehicle() -> None:
    def save() -> None:
        state = st.session_state
        with begin_change() as connection:
            kept = get_profile(connection, driver.id)
            if is_changed("profile_fuels"):
                change_fuels(connection, driver.id, tuple(state["profile_fuels"]))
            change_vehicle(
                connection,
                driver.id,
                litres_per_100km=state["profile_litres"] if is_changed("profile_litres") else kept.litres_per_100km,
                km_per_year=state["profile_km"] if is_changed("profile_km") else kept.km_per_year,
                tank_litres=state["profile_tank"] if is_changed("profile_tank") else kept.tank_litres,
            )

    try_each({"vehicle": save})
    errors = st.session_state.get("field_errors", {})
    if isinstance(error := errors.get("vehicle"), FigureRefused):
        st.session_state["field_errors"] = {error.name: error}


def show_email(profile: Profile, asked: str | None) -> None:
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
        show_submit(_("Change the address"), save_email, "email", "email_code")
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
                st.form_submit_button(_("Confirm"), type="primary", on_click=confirm_email)
                st.form_submit_button(_("Keep the old address"), on_click=call_off_email)


def save_email() -> None:
    def save() -> None:
        ask_new_email(
            get_engine(),
            get_settings(),
            get_secret_key(),
            driver.id,
            st.session_state["profile_email"],
            st.session_state["profile_email_password"],
            datetime.now(UTC),
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

    try_each({"email_code": confirm})


def call_off_email() -> None:
    def call_off() -> None:
        with begin_change() as connection:
            call_off_new_email(connection, driver.id)

    if try_each({"email_code": call_off}):
        st.session_state["profile_note"] = _("Your address stays as it is.")


def show_password() -> None:
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
        show_submit(_("Change the password"), save_password, "old")


def save_password() -> None:
    def save() -> None:
        change_password(
            get_engine(),
            get_settings(),
            get_secret_key(),
            driver.id,
            st.session_state["profile_old"],
            st.session_state["profile_new"],
            session_id=get_session_id(),
            now=datetime.now(UTC),
        )
        renew_cookie()

    if not try_each({"old": save}):
        errors = st.session_state.get("field_errors", {})
        if isinstance(errors.get("old"), PasswordRefused):
            errors["new"] = errors.pop("old")


def show_logging_out() -> None:
    with st.container(border=True):
        st.subheader(_("Logging out"), anchor=False)
        with st.container(horizontal=True):
            st.button(_("Log out"), icon=":material/logout:", on_click=log_out)
            st.button(_("Log out everywhere"), icon=":material/devices:", on_click=log_out_everywhere)
        with show_field("sessions"):
            pass


def show_leaving(held: dict[str, Any]) -> None:
    st.download_button(
        _("Download everything held about you"),
        json.dumps(held, ensure_ascii=False, indent=2),
        file_name="carburoam.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
    )
    st.page_link(PAGES / "privacy.py", label=_("What is kept about you, and why"), icon=":material/shield:")
    with st.form("erase", border=True, clear_on_submit=True):
        st.subheader(_("Delete the account"), anchor=False)
        goes = [
            _(
                "Your account, your stations, your fuels, your vehicle and every log-in are deleted at once and for "
                "good."
            )
        ]
        if get_settings().can_mail:
            goes.append(_("One last mail confirms it."))
        st.markdown(" ".join(goes))
        with show_field("erase"):
            st.text_input(
                _("Password"), key="erase_password", type="password", max_chars=200, autocomplete="current-password"
            )
        st.form_submit_button(_("Delete my account"), icon=":material/delete_forever:", on_click=erase)


def log_out() -> None:
    if try_each({"sessions": end_session}):
        st.session_state.pop("profile_note")


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
        forget_session(is_deleted=True)


def require_session() -> None:
    """Let the session of this page change something. Raises DriverUnknown: it was ended since."""
    current = restore_driver()
    if current is None or current.id != driver.id:
        raise DriverUnknown


def try_each(changes: dict[str, Callable[[], None]]) -> bool:
    """Make each change; what is refused is said at its field, and the others are kept.

    A session that was ended elsewhere since this page was drawn changes nothing any more, nor does one whose account
    goes at this very moment: the run that follows shows it logged out.
    """
    st.session_state.pop("profile_note", None)
    errors: dict[str, AccountError | NotSaved] = {}
    for field, change in {"": require_session, **changes}.items():
        try:
            with saving():
                change()
        except NotSaved as error:
            errors[field or next(iter(changes), "name")] = error
            keep_typed(
                *st.session_state["kept_fields"], "profile_email", "profile_email_password", "profile_email_code"
            )
            break
        except AccountError as error:
            errors[field] = error
        except DriverUnknown:
            return False
    st.session_state["field_errors"] = errors
    get_mailer().wake()
    if not errors:
        st.session_state["profile_note"] = _("Saved.")
        st.session_state["profile_noted_at"] = next(iter(changes), "name")  # pressed without a change
    return not errors


main()
