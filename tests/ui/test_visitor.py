"""Where a visitor's browser is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import streamlit as st
from starlette.datastructures import Headers

from settings import Settings
from ui.visitor import get_address, get_browser_secret


@pytest.mark.parametrize(
    ("seen", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", None),
        ("::1", None),
        ("127.0.0.2", None),
    ],
)
def test_a_home_counts_as_one_on_ipv6(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, seen: str, counted: str | None
) -> None:
    monkeypatch.setattr(st, "context", SimpleNamespace(ip_address=seen, headers=_Headers()))
    assert get_address(settings) == counted


@pytest.mark.parametrize(
    ("cookies", "seen", "secret"),
    [
        ({"_streamlit_xsrf": "2|abc"}, "203.0.113.7", "cookie 2|abc"),
        ({"_streamlit_xsrf": "address 203.0.113.7"}, "203.0.113.7", "cookie address 203.0.113.7"),
        ({}, "203.0.113.7", "address 203.0.113.7"),
        ({}, "127.0.0.1", ""),
    ],
)
def test_a_browser_is_known_by_its_cookie_and_nobody_can_pass_for_who_has_none(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, cookies: dict[str, str], seen: str, secret: str
) -> None:
    monkeypatch.setattr(st, "context", SimpleNamespace(ip_address=seen, headers=_Headers(), cookies=cookies))
    assert get_browser_secret(settings) == secret


class _Headers(Headers):
    def get_all(self, key: str) -> list[str]:
        return self.getlist(key)
