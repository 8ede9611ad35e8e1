"""The address that a request comes from, and what proxies and strangers say of it."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from origins import find_address, is_from_this_machine

PROXIES = (ip_network("10.0.0.0/8"), ip_network("::1/128"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("2001:db8::7", [], "2001:db8::7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("::1", [" 198.51.100.1 "], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.66, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.66", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, unknown"], None),
        ("10.0.0.1", ["10.0.0.2"], None),
        ("10.0.0.1", [""], None),
        ("10.0.0.1", [], None),
        ("127.0.0.1", [], None),
        ("127.0.0.1", ["198.51.100.1"], None),
        ("testclient", [], None),
        ("", [], None),
    ],
    ids=str,
)
def test_the_last_address_that_a_trusted_proxy_vouches_for_counts(
    peer: str, forwarded: list[str], address: str | None
) -> None:
    found = find_address(peer, forwarded, PROXIES)
    assert (None if found is None else str(found)) == address


@pytest.mark.parametrize(
    ("peer", "headers", "is_ours"),
    [
        ("127.0.0.1", ("host", "user-agent"), True),
        ("127.8.8.8", (), True),
        ("::1", (), True),
        ("::ffff:127.0.0.1", (), True),
        ("127.0.0.1", ("x-forwarded-for",), False),
        ("127.0.0.1", ("x-forwarded-proto",), False),
        ("127.0.0.1", ("via",), False),
        ("10.0.0.1", (), False),
        ("", (), False),
    ],
    ids=str,
)
def test_a_program_of_this_machine_asks_through_no_proxy(peer: str, headers: tuple[str, ...], is_ours: bool) -> None:
    assert is_from_this_machine(peer, headers) is is_ours
