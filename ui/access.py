"""Who may see a page, and the way back to where one came from after logging in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import streamlit as st

from accounts.sessions import Driver
from settings import ROOT
from ui.authentication import get_driver
from ui.callbacks import take_refusal
from ui.place_search import SEARCH
from ui.station_list import ADDRESS_KEY
from ui.texts import _

PAGES = ROOT / "pages"
DEMO = (ADDRESS_KEY, "fuels")  # what a visitor tries, in the address; an account has its own


def require_driver() -> Driver:
    """Return who is logged in; a visitor is told that the page needs an account, and the page ends here."""
    driver = get_driver()
    if driver is not None:
        return driver
    st.title(_("This page needs an account"), anchor=False)
    st.markdown(_("Log in, or open an account: it is free and takes a minute."))
    with st.container(horizontal=True):
        st.page_link(PAGES / "login.py", label=_("Log in"), icon=":material/login:")
        st.page_link(PAGES / "register.py", label=_("Open an account"), icon=":material/person_add:")
    st.stop()


def require_admin() -> Driver:
    """Return the admin who is logged in; anyone else sees what stands at an address that leads nowhere."""
    driver = get_driver()
    if driver is not None and driver.is_admin:
        return driver
    st.title(_("Page not found"), anchor=False)
    st.stop()


def note_leaving(driver: Driver | None) -> None:
    """Remember how the log-in of this tab has just ended, if it has, and whether anything was not saved."""
    left, is_refused = st.session_state.pop("just_left", None), take_refusal()
    if is_refused and driver is not None:
        st.session_state["left_note"] = "revoked"
    elif left is not None:
        st.session_state["left_note"] = "refused" if left == "ended" and is_refused else left


def show_left_note(driver: Driver | None, page: str) -> None:
    """Say why who was logged in a moment ago no longer is; nothing to who has just pressed "Log out"."""
    # Until another page is shown, and not only once: a load that ends runs the page again.
    note = st.session_state.get("left_note")
    if (driver is not None) != (note == "revoked"):  # logged in, or out, again since
        return
    match note:
        case "deleted":
            text = _("Your account is deleted, and all that was kept with it. Safe travels!")
            st.success(text, icon=":material/check_circle:")
        case "ended" | "refused":
            text = _("You are logged out: your log-in is over, or was ended elsewhere.")
            if note == "refused":
                text += " " + _("What you just did was not saved.")
            st.warning(text, icon=":material/logout:")
            if page not in PRIVATE_PAGES + ACCOUNT_PAGES:  # those ask for it themselves
                st.page_link(PAGES / "login.py", label=_("Log in again"), icon=":material/login:")
        case "revoked":
            text = _("Your log-in has changed since this page was drawn, so what you just did was not saved.")
            st.warning(text, icon=":material/remove_moderator:")


def remember_page(path: str) -> None:
    """Remember where a visitor is, unless that is a page about logging in, to lead back there afterwards.

    What was wrong in a form of another page is forgotten, and what was said there.
    """
    if (before := st.session_state.get("path")) != path:
        st.session_state["path"], st.session_state["came_from"] = path, before
        for key in ("field_errors", "profile_note", "visitor_note", "left_note", "list_note", "admin_note"):
            st.session_state.pop(key, None)
        if path not in ACCOUNT_PAGES and before not in ACCOUNT_PAGES:  # said only on the page after logging in
            st.session_state.pop("carried_over", None)
    if path not in ACCOUNT_PAGES:
        st.session_state["return_to"] = (path, st.query_params.to_dict())


def return_to_page() -> None:
    """Go back to where the visitor came from before logging in; from a first page without a search, to the own one."""
    # Kept until another page is shown: a rerun may overtake the switch to it, and asks again.
    path, query = st.session_state.get("return_to", ("", {}))
    name = path if path in RETURN_PAGES else "landing" if is_search(query) else "dashboard"
    go_to(name, {key: query[key] for key in query if key not in DEMO})


def go_to(name: str, query: Mapping[str, str]) -> NoReturn:
    """Show the page of that name in pages/, with that in its address."""
    # The language goes along with its widget, and Streamlit refuses to be told what a widget tells it.
    st.switch_page(PAGES / f"{name}.py", query_params={key: query[key] for key in query if key != "lang"})


def is_search(query: Mapping[str, object]) -> bool:
    """Say whether an address asks for prices nearby."""
    return any(name in query for name in SEARCH)


PRIVATE_PAGES = ("profile",)
ACCOUNT_PAGES = ("login", "register", "recover")
RETURN_PAGES = ("dashboard", "choose", "station", "about", "profile", "privacy")
