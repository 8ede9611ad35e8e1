"""All contact with streamlit-authenticator: the signed cookie of a log-in, and logging in by it.

The cookie holds, where the library expects a username, an opaque session id that is looked up on every rerun: so a
log-out, a new password or a deleted account counts at once, whatever cookie is still about. One that does not verify
is put aside before the library sees it, which would raise. What a visitor typed never reaches the library. The library
writes its cookie by a script, always with a date; ours is written by `ui.login_cookie`.
"""

from __future__ import annotations

import importlib
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError
from streamlit.runtime import get_instance
from streamlit_authenticator import Authenticate

from accounts.profile import change_language
from accounts.sessions import (
    LASTING,
    PASSING,
    Driver,
    close_session,
    find_driver,
    mark_seen,
    open_session,
    renew_session,
)
from errors import DatabaseBusy, DriverUnknown
from statefiles import read_secret_key
from ui.login_cookie import COOKIE, Claims, draw_writer, read_claims, sign_claims
from ui.page_turns import takes_turn
from ui.reading import begin_change, get_engine, get_settings, open_reading
from ui.station_list import carry_over
from ui.visitor import DRIVER_KEY, get_browser

HOLD_SECONDS = 2.0
MAX_HELD = 64  # each holds the thread of its tab


@st.cache_resource(show_spinner=False)
def get_secret_key() -> bytes:
    """Return the key that signs cookies and codes."""
    return read_secret_key(get_settings())


@st.cache_resource(show_spinner=False)
def _get_holds() -> threading.Semaphore:
    return threading.Semaphore(MAX_HELD)


def hold_back(seconds: float) -> None:
    """Let who tries too often wait for the answer, some seconds at most.

    Answered at once, tabs that try again and again would take the turns of everybody's pages.
    """
    holds = _get_holds()
    if holds.acquire(blocking=False):
        try:
            time.sleep(min(seconds, HOLD_SECONDS))
        finally:
            holds.release()


def restore_driver() -> Driver | None:
    """Return who is logged in, as the database has it now; called first on every rerun.

    A session that has ended logs this tab out; a new tab is logged in by the cookie.
    """
    now = datetime.now(UTC)
    session_id = st.session_state.get("session_id")
    is_new = session_id is None and not st.session_state.get("logged_out")
    if is_new:
        session_id = read_cookie(st.context.cookies.get(COOKIE))
    driver = None
    if session_id is not None:
        with open_reading() as connection:
            driver = find_driver(connection, session_id, now)
    if driver is None:
        if st.session_state.pop("session_id", None) is not None:
            st.session_state["just_left"] = "ended"  # elsewhere: whoever logs out here has none by now
    elif is_new:
        st.session_state["session_id"] = str(session_id)
        st.session_state["cookie_found"] = True
        # Nobody is kept out because this can't be noted now: the next tab notes it.
        with suppress(DatabaseBusy, SQLAlchemyError):
            mark_seen(get_engine(), str(session_id), now)
    st.session_state[DRIVER_KEY] = driver
    return driver


def get_driver() -> Driver | None:
    """Return who is logged in on this rerun."""
    driver = st.session_state.get(DRIVER_KEY)
    return driver if isinstance(driver, Driver) else None


def get_session_id() -> str:
    """Return the id of the session of this browser; "" when nobody is logged in."""
    return str(st.session_state.get("session_id") or "")


def begin_session(user_id: int, *, is_lasting: bool) -> None:
    """Log a driver in on this browser; the cookie is written by the reruns that follow."""
    now = datetime.now(UTC)
    with begin_change() as connection:
        session_id = open_session(connection, user_id, is_lasting=is_lasting, browser=get_browser(), now=now)
        driver = find_driver(connection, session_id, now)
    st.session_state["session_id"] = session_id
    st.session_state["logged_out"] = False
    if driver is not None and not is_language_in_address():
        st.session_state["lang"] = driver.language
    _write_cookie_later(Claims(session_id, now + (LASTING if is_lasting else PASSING), is_lasting))
    carry_over(user_id)


def is_language_in_address() -> bool:
    """Say whether the address names the language: a link did, or a visitor chose it, who has no account to keep it."""
    return bool(st.session_state.get("is_language_in_address"))


def keep_language() -> None:
    """Keep the language that was just chosen as that of the driver who is logged in, if any, else in the address."""
    language = st.session_state["lang"]
    if language is None:  # nothing was chosen: the widget made way for another one, as when an account goes
        return
    for key in ("profile_note", "visitor_note", "list_note", "admin_note"):  # said in the language of before
        st.session_state.pop(key, None)
    if (driver := restore_driver()) is not None:
        # Deleted at this very moment: the run that follows shows it logged out.
        with suppress(DriverUnknown), begin_change() as connection:
            change_language(connection, driver.id, language)
    elif not is_language_in_address():
        st.session_state["is_language_in_address"] = True
        st.query_params["lang"] = language.upper()


def renew_cookie() -> None:
    """Go on under another session id in this browser: whoever copied its cookie is logged out."""
    with begin_change() as connection:
        renewed = renew_session(connection, get_session_id())
    if renewed is not None:
        st.session_state["session_id"] = renewed.session_id
        _write_cookie_later(Claims(renewed.session_id, renewed.expires_at, renewed.is_lasting))


def end_session() -> None:
    """Log out here."""
    with begin_change() as connection:
        close_session(connection, get_session_id())
    forget_session()


def forget_session(*, is_deleted: bool = False) -> None:
    """Forget, in this browser, a session that is over: by logging out, or with its account (`is_deleted`)."""
    st.session_state.pop("session_id", None)
    st.session_state[DRIVER_KEY] = None
    st.session_state["logged_out"] = True
    st.session_state["just_left"] = "deleted" if is_deleted else "here"
    _write_cookie_later(None)


def draw_cookie() -> None:
    """Let the library log in by a cookie that was found, and write the one that is due; to be called last in a run.

    What their components are drawn by is run again as soon as the browser has drawn them. So that is a fragment: a page
    that runs again of itself loses what was pressed at that moment, and first values of fields not drawn yet.
    """
    with st.sidebar:
        _draw_cookie()


@st.fragment
@takes_turn
def _draw_cookie() -> None:
    if st.session_state.pop("cookie_found", False) and (driver := get_driver()) is not None:
        _log_in_by_cookie(get_session_id(), driver)
    _write_cookie()


def _write_cookie() -> None:
    """Write the cookie that is due, on every run until the browser reports it: a run may overtake its component."""
    due = st.session_state.get("cookie_due")
    if due is not None and draw_writer(*due):
        st.session_state.pop("cookie_due")


def _write_cookie_later(claims: Claims | None) -> None:
    """Let the runs that follow write the cookie; None: let them take it away."""
    count = st.session_state["cookie_count"] = st.session_state.get("cookie_count", 0) + 1
    token = "" if claims is None else sign_claims(get_secret_key(), claims)
    # Another component for every writing: each reports once.
    st.session_state["cookie_due"] = (token, f"cookie_{count}")


def serve_component() -> None:
    """Let the server answer with the files of the library's component; to be called as the application starts.

    It does so by itself only where the component is first imported by a page. A route may do that before.
    """
    module = importlib.import_module("extra_streamlit_components.CookieManager")
    get_instance().component_registry.register_component(module._component_func)


def read_cookie(token: str | None) -> str | None:
    """Return the session id in the cookie of a log-in, if the cookie is ours and not over."""
    claims = read_claims(get_secret_key(), token)
    return None if claims is None else claims.session_id


def _log_in_by_cookie(session_id: str, driver: Driver) -> None:
    """Let the library log in by the cookie, knowing the one account at stake."""
    account: dict[str, object] = {"name": driver.name, "email": driver.email, "roles": [driver.role], "password": "-"}
    _make_authenticate({session_id: account}).login("unrendered")


def _make_authenticate(accounts: dict[str, dict[str, object]]) -> Authenticate:
    return Authenticate(
        {"usernames": accounts},
        cookie_name=COOKIE,
        cookie_key=get_secret_key().decode(),
        cookie_expiry_days=LASTING.days,
        auto_hash=False,
        login_sleep_time=0,
    )
