"""Where a visitor's browser is: its address, if that can be believed, and what it calls itself."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import streamlit as st

from settings import Settings

Address = IPv4Address | IPv6Address


def get_address(settings: Settings) -> str | None:
    """Return the address of the browser; None when it isn't known, as behind a proxy that nobody said to trust.

    X-Forwarded-For counts only when the peer is a trusted proxy; then the last address in it that is none counts.
    """
    peer = _parse(st.context.ip_address or "127.0.0.1")
    if peer is None:
        return None
    if any(peer in network for network in settings.proxies):
        forwarded = st.context.headers.get("X-Forwarded-For", "")
        for text in reversed(forwarded.split(",")):
            address = _parse(text)
            if address is None:
                return None
            if not any(address in network for network in settings.proxies):
                return str(address)
        return None
    return None if peer.is_loopback else str(peer)


def get_browser() -> str:
    """Return what the browser calls itself, short enough to be kept and shown."""
    return " ".join((st.context.headers.get("User-Agent") or "").split())[:120]


def is_https() -> bool:
    """Say whether the visitor's address bar says https, whatever proxy stands between."""
    return (st.context.url or "").startswith("https://")


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
