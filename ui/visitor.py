"""Where a visitor's browser is: its address, if that can be believed, and what it calls itself."""

from __future__ import annotations

import secrets

import streamlit as st

from origins import FORWARDED_FOR, find_address, name_network
from settings import Settings
from shares import Client

TAB_KEY, DRIVER_KEY = "tab", "driver"

_XSRF_COOKIE = "_streamlit_xsrf"


def get_address(settings: Settings) -> str | None:
    """Return by what the address of the browser is counted and known, which is its whole network on IPv6.

    None when it isn't known, as behind a proxy that nobody said to trust.
    """
    peer = st.context.ip_address or "127.0.0.1"
    address = find_address(peer, st.context.headers.get_all(FORWARDED_FOR), settings.proxies)
    return None if address is None else name_network(address)


def get_browser_secret(settings: Settings) -> str:
    """Return what this browser alone knows, of all that may come from its address; else that address, or nothing.

    It is the random value in the cookie that Streamlit gives every browser, which keeps it.
    """
    if cookie := st.context.cookies.get(_XSRF_COOKIE):
        return f"cookie {cookie}"
    address = get_address(settings)
    return f"address {address}" if address else ""


def get_client(settings: Settings) -> Client:
    """Return by what this tab is known where clients share what is scarce."""
    tab = st.session_state.setdefault(TAB_KEY, secrets.token_hex(8))
    driver = st.session_state.get(DRIVER_KEY)  # of the run before, as this one has not asked yet
    return Client(get_address(settings) or "", "" if driver is None else str(driver.id), tab)


def get_browser() -> str:
    """Return what the browser calls itself, short enough to be kept and shown."""
    return " ".join((st.context.headers.get("User-Agent") or "").split())[:120]
