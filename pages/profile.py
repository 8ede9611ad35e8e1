"""A driver's own page: name, address, password, language, fuels, vehicle; logging out; leaving."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import streamlit as st

from accounts.privacy import erase_account, export_account
from accounts.profile import (
    Profile,
    change_fuels,
    change_name,
    change_username,
    change_vehicle,
    find_new_email,
    get_profile,
)
from models import FUEL_NAMES
from ui.access import PAGES, require_driver
from ui.account_forms import make_column, show_field
from ui.authentication import forget_session, get_secret_key
from ui.callbacks import guarded, while_logged_in
from ui.exports import show_export
from ui.formats import escape
from ui.kept_fields import is_changed, show_kept
from ui.profile_access import show_access
from ui.profile_forms import show_submit, try_each
from ui.reading import begin_change, get_engine, get_settings, open_reading
from ui.texts import _
from ui.visitor import get_address

driver = require_driver()


def main() -> None:
    with open_reading() as connection:
        profile = get_profile(connection, driver.id)
        new_email = find_new_email(connection, driver.id)
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
        show_access(profile, driver.id, new_email)
    with leaving:
        show_leaving()


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
    def save_fuels() -> None:
        if is_changed("profile_fuels"):
            with begin_change() as connection:
                change_fuels(connection, driver.id, tuple(st.session_state["profile_fuels"]))

    def save_figure(name: str, field: str) -> None:
        if is_changed(field):
            with begin_change() as connection:
                change_vehicle(connection, driver.id, **{name: st.session_state[field]})

    figures = {"litres_per_100km": "profile_litres", "km_per_year": "profile_km", "tank_litres": "profile_tank"}
    try_each({"vehicle": save_fuels, **{name: partial(save_figure, name, field) for name, field in figures.items()}})


def prepare_export() -> Callable[[], bytes]:
    """Return a function that writes the file when it is asked for."""
    engine = get_engine()

    def write() -> bytes:
        with engine.connect() as connection:
            return json.dumps(export_account(connection, driver.id), ensure_ascii=False, indent=2).encode()

    return write


def show_leaving() -> None:
    show_export(
        _("Download everything held about you"),
        while_logged_in(prepare_export()),
        file_name="carburoam.json",
        mime="application/json",
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


@guarded
def erase() -> None:
    def delete() -> None:
        erase_account(
            get_engine(),
            get_settings(),
            get_secret_key(),
            driver.id,
            st.session_state["erase_password"],
            datetime.now(UTC),
            address=get_address(get_settings()),
        )

    if try_each({"erase": delete}):
        st.session_state.pop("profile_note")
        forget_session(is_deleted=True)


main()
