"""The question whether the stations that a tab held before its driver logged in are to be kept, which names them.

A link may name any stations, so none goes into an account unasked.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from accounts.sessions import Driver
from stations.favourites import list_favourites, make_favourites
from ui.callbacks import guarded
from ui.formats import escape
from ui.reading import open_reading
from ui.saving import saves
from ui.station_list import (
    ASKED_KEY,
    MAX_TRIED,
    add_tried,
    forget_tried,
    get_tried,
    is_keeping_said,
    show_carried_over,
)
from ui.texts import _, ngettext

LIST_PAGES = ("", "dashboard", "choose")  # those of one's own stations say themselves what became of them


def show_coming_over() -> None:
    """Say, where one logs in or opens an account, what will become of the stations of this tab."""
    if not (count := min(len(get_tried()), MAX_TRIED)):
        return
    if is_keeping_said():
        text = ngettext(
            "{count} station will be added to the account.", "{count} stations will be added to the account.", count
        )
    else:
        text = ngettext(
            "After you log in, we will ask whether to keep the {count} station of this tab.",
            "After you log in, we will ask whether to keep the {count} stations of this tab.",
            count,
        )
    st.info(text.format(count=count), icon=":material/star:")


def show_carry_question(driver: Driver, page: str) -> None:
    """Ask the driver about the stations of before the log-in, until there is an answer; then say what it did."""
    if st.session_state.get(ASKED_KEY) != driver.id:
        if page not in LIST_PAGES:
            show_carried_over()
        return
    with open_reading() as connection:
        kept = {favourite.station_id for favourite in list_favourites(connection, driver.id)}
        known = make_favourites(connection, get_tried())
    tried = {one.station_id: one.custom_name for one in known if one.station_id not in kept}
    tried = dict(list(tried.items())[:MAX_TRIED])
    if not tried:
        forget_tried()
        return
    with st.container(border=True):
        question = (
            _("Keep this station in your list: {names}?")
            if len(tried) == 1
            else _("Keep these {count} stations in your list: {names}?")
        )
        names = ", ".join(f"**{escape(name)}**" for name in tried.values())
        st.markdown(question.format(count=len(tried), names=names))
        with st.container(horizontal=True, gap="small"):
            st.button(_("Yes"), key="carry_yes", type="primary", on_click=_keep, args=(driver.id, tried))
            st.button(_("No"), key="carry_no", on_click=guarded(forget_tried))
        if error := st.session_state.pop("carry_error", None):
            st.error(error, icon=":material/error:")


@saves("carry_error")
def _keep(user_id: int, tried: Mapping[int, str]) -> None:
    add_tried(user_id, tried)
    forget_tried()
