"""Where a visitor's browser is: its address, if that can be believed, and what it calls itself."""

from __future__ import annotations

import streamlit as st

from origins import FORWARDED_FOR, find_address, name_network
from settings import Settings


def get_address(settings: Settings) -> str | None:
    """Return by what the address of the browser is counted and known, which is its whole network on IPv6.

    None when it isn't known, as behind a proxy that nobody said to trust.
    """
    address = find_address(
        st.context.ip_address or "127.0.0.1", st.context.headers.get_all(FORWARDED_FOR), settings.proxies
    )
    return None if address is None else name_network(address)


def get_browser() -> str:
    """Return what the browser calls itself, short enough to be kept and shown."""
    return " ".join((st.context.headers.get("User-Agent") or "").split())[:120]
