"""Damage to any bytes: edits at a share of their length, so that one means something in every input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Edit = tuple[str, float, Any]

TOKENS = b"""<pdv |</pdv>|<pdv_liste>|<prix |<rupture |<!--|]]>|<![CDATA[|<?x?>|&#0;|&x;|<!DOCTYPE a []>|id="|"|<|>
    |/|&#x10FFFF;|UTF-16|UTF-8|\x00|99999999999999|-|1e309|9999-12-31 23:59:59|0001-01-01 00:00:00""".split(b"|")


def damage(data: bytes, changes: Sequence[Edit]) -> bytes:
    """Return the bytes after these edits: each a kind, a position from 0 to 1, and a length, a mask or a token."""
    for kind, position, what in changes:
        at = int(position * len(data))
        match kind:
            case "delete":
                data = data[:at] + data[at + what :]
            case "double":
                data = data[: at + what] + data[at:]
            case "flip":
                data = data[:at] + bytes(byte ^ what for byte in data[at : at + 1]) + data[at + 1 :]
            case "swap":
                data = data[:at] + data[at + what : at + 2 * what] + data[at : at + what] + data[at + 2 * what :]
            case "insert":
                data = data[:at] + what + data[at:]
    return data
