"""The door of every callback, fragment and download: the page of a driver acts only while that driver is logged in.

Streamlit calls callbacks before the script runs, runs fragments and dialogs without it, and makes downloads outside of
it. So what `main.py` asks at the beginning of a run is asked here once more, of the database as it is now.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import ParamSpec

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from accounts.sessions import find_driver
from errors import DriverUnknown, NotSaved
from ui.authentication import get_driver, get_session_id, restore_driver
from ui.callback_marks import drop_incomplete
from ui.reading import get_engine, refuse_changes, saving

P = ParamSpec("P")

_DRAWN_FOR = "drawn_for"
_IS_REFUSED = "is_action_refused"


def mark_drawn() -> None:
    """Remember for whom the page is drawn; called once on every run of the whole page."""
    driver = get_driver()
    st.session_state[_DRAWN_FOR] = None if driver is None else (driver.id, driver.is_admin)


def is_still_here() -> bool:
    """Say whether the driver for whom this page was drawn is still logged in here, and an admin if they were one.

    A guest's page belongs to nobody else, so it is always still theirs.
    """
    drawn = st.session_state.get(_DRAWN_FOR)
    if drawn is None:
        return True
    user_id, was_admin = drawn
    driver = restore_driver()
    return driver is not None and driver.id == user_id and (driver.is_admin or not was_admin)


def guarded(callback: Callable[P, object]) -> Callable[P, None]:
    """Decorate a callback that changes something: it is not called once the page's driver is no longer logged in.

    The run that follows says so. While the database can't be asked who is logged in, the callback can save nothing.
    """
    callback = drop_incomplete(callback)

    @wraps(callback)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with saving():
                is_here = is_still_here()
        except NotSaved:
            with refuse_changes():
                callback(*args, **kwargs)
            return
        if is_here:
            callback(*args, **kwargs)
        else:
            st.session_state[_IS_REFUSED] = True

    return call


def while_logged_in(write: Callable[[], bytes]) -> Callable[[], bytes]:
    """Return what writes a download of the page's driver, as long as they are logged in here; a guest's as it is.

    What is returned can be called outside of the session. It raises DriverUnknown once the log-in is over.
    """
    driver, engine, session_id = get_driver(), get_engine(), get_session_id()
    if driver is None:
        return write

    def check_and_write() -> bytes:
        with engine.connect() as connection:
            current = find_driver(connection, session_id, datetime.now(UTC))
        if current is None or current.id != driver.id:
            raise DriverUnknown
        return write()

    return check_and_write


def leave_if_gone() -> None:
    """In a part of a page that runs by itself: draw the whole page anew once its driver is no longer logged in."""
    try:
        is_here = is_still_here()
    except SQLAlchemyError:
        is_here = False  # the whole page says that the database is away
    if not is_here:
        st.rerun()


def take_refusal() -> bool:
    """Say whether something was not done since the last run because its driver is no longer logged in."""
    return bool(st.session_state.pop(_IS_REFUSED, False))
