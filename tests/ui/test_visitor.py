"""Where a visitor's browser is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import streamlit as st
from starlette.datastructures import Headers

from settings import Settings
from ui.visitor import get_address


@pytest.mark.parametrize(
    ("seen", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", None),
    ],
)
def test_a_home_counts_as_one_on_ipv6(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, seen: str, counted: str | None
) -> None:
    monkeypatch.setattr(st, "context", SimpleNamespace(ip_address=seen, headers=_Headers()))
    assert get_address(settings) == counted


class _Headers(Headers):
    def get_all(self, key: str) -> list[str]:
        return self.getlist(key)
