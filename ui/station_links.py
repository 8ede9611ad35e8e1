"""The way from a list or a map to a station's page, in the same session and with one step back."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ui.callback_marks import view_only
from ui.texts import get_language

# A link in a table opens a new tab, which knows nothing of this session; a plain click shall stay in this one. And
# `st.switch_page` leaves an entry in the history that holds neither the search nor the station, where Back ends up.
# So the browser is sent there as its own Back and Forward do it.
_JS = """
export default function (component) {
  const { data, setTriggerValue } = component
  const go = (address) => {
    if (location.pathname + location.search === address) return
    history.pushState({}, "", address)
    dispatchEvent(new PopStateEvent("popstate", { state: {} }))
  }
  const follow = (event) => {
    const link = event.target.closest && event.target.closest('a[href^="/station?id="]')
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0) return
    event.preventDefault()
    if (data.stays) setTriggerValue("opened", Number(new URL(link.href).searchParams.get("id")))
    else go(link.getAttribute("href"))
  }
  if (data.address) go(data.address)
  document.addEventListener("click", follow)
  return () => document.removeEventListener("click", follow)
}
"""

_station_links = st.components.v2.component("station_links", js=_JS)


def make_station_link(station_id: int) -> str:
    """Return the address of a station's page, in the language of this session wherever it is opened."""
    return f"/station?id={station_id}&lang={get_language().upper()}"


def follow_station_links(clicked: int | None) -> None:
    """Let the links to stations on this page stay in this session, and go to the station clicked on, if any."""
    address = None if clicked is None else make_station_link(clicked)
    _station_links(key="station_links", data={"address": address}, height=1)


def open_station_links(*, on_open: Callable[[int], None]) -> None:
    """Let the links to stations stay on this page: `on_open` is called, as a callback, with the id of the station."""

    @view_only
    def take() -> None:
        state = st.session_state.get("station_openers")
        opened = None if state is None else state.opened
        if isinstance(opened, int):
            on_open(opened)

    _station_links(key="station_openers", data={"address": None, "stays": True}, on_opened_change=take, height=1)
