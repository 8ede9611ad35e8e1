"""Where a request comes from: the address of who sent it, as far as that can be believed."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

FORWARDED_FOR = "x-forwarded-for"
FORWARDED_PROTO = "x-forwarded-proto"
_OF_PROXIES = frozenset({"forwarded", FORWARDED_FOR, FORWARDED_PROTO, "x-forwarded-host", "x-real-ip", "via"})
_WITH_PORT = re.compile(r"\[([^\[\]]*)\](?::\d+)?|([\d.]+):\d+")  # [2001:db8::1]:443, 192.0.2.1:443


def find_address(peer: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> Address | None:
    """Return the address of who sent a request; None when it isn't known, as behind a proxy that nobody trusts.

    `peer` is the other end of the connection, `forwarded` the values of all X-Forwarded-For headers: they count only
    when the peer is a trusted proxy; then the last address in them that is none counts.
    """
    address = read_address(peer)
    if address is None:
        return None
    if is_in(address, proxies):
        for text in reversed(",".join(forwarded).split(",")):
            address = read_address(_strip_port(text.strip()))
            if address is None or not is_in(address, proxies):
                return address
        return None
    return None if address.is_loopback else address


def name_network(address: Address) -> str:
    """Return by what name an address is counted: on IPv6 by that of the 2^64 which a home has at its disposal."""
    return str(IPv6Network((address, 64), strict=False) if isinstance(address, IPv6Address) else address)


def is_from_this_machine(peer: str, header_names: Collection[str]) -> bool:
    """Say whether a program of this machine asks by itself, and no proxy for somebody else (names in small letters)."""
    address = read_address(peer)
    return address is not None and address.is_loopback and _OF_PROXIES.isdisjoint(header_names)


def is_in(address: Address, networks: Sequence[Network]) -> bool:
    """Say whether an address lies in one of the networks."""
    return any(address in network for network in networks)


def read_address(text: str) -> Address | None:
    """Return the address that a text is, an IPv4 one where it is written as IPv6; None when it is none."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _strip_port(text: str) -> str:
    """Return an address without the port and the brackets that some proxies write it with."""
    match = _WITH_PORT.fullmatch(text)
    return text if match is None else match[1] or match[2] or ""
