"""Limits on how much of a request the server parses: no more than the pages of this site send.

To parse a head of 60 KB costs more than most answers, and a body in chunks of one byte costs a call for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

MAX_HEAD_BYTES = (
    16_384  # the request line and all headers; a browser with the longest of our addresses sends below 4 KB
)
MAX_HEADERS = 100
MAX_BODY_BYTES = 4096  # the one body that a page sends has 2 KB at most
MAX_LEFT_BYTES = 1_000_000  # of a body that nobody reads; who sends more is not read any more
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 34\r\n"
    b"Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    b"Address or headers are too large.\n"
)

_END = b"\r\n\r\n"
_CHUNKED = re.compile(rb"\r\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*([0-9]{1,20})[ \t]*\r\n", re.IGNORECASE)


class RequestBytes:
    """What comes over a connection before it is a websocket's: whole heads and short bodies go to `parse`.

    A longer body, and one in chunks, is left out: the request is answered without it.
    """

    def __init__(
        self, transport: asyncio.Transport, parse: Callable[[bytes], None], refuse: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._parse = parse
        self._refuse = refuse
        self._head = bytearray()
        self._body_bytes = 0  # that are still to come
        self._left_bytes: int | None = None  # how much of a body was left out; None: the next is a head

    def receive(self, data: bytes) -> None:
        """Take in what has come."""
        while data and not self._transport.is_closing():
            if self._left_bytes is not None:
                self._left_bytes += len(data)
                if self._left_bytes > MAX_LEFT_BYTES:
                    self._transport.abort()
                return
            data = self._receive_body(data) if self._body_bytes else self._receive_head(data)

    def _receive_body(self, data: bytes) -> bytes:
        part, rest = data[: self._body_bytes], data[self._body_bytes :]
        self._body_bytes -= len(part)
        self._parse(part)
        return rest

    def _receive_head(self, data: bytes) -> bytes:
        """Return what has come behind the end of the head."""
        searched = max(0, len(self._head) - len(_END) + 1)
        self._head += data
        end = self._head.find(_END, searched)
        size = len(self._head) if end < 0 else end + len(_END)
        head = bytes(self._head[:size])
        if size > MAX_HEAD_BYTES or head.count(b"\n") > MAX_HEADERS + 2 or end == 0:
            self._refuse()
            return b""
        if end < 0:
            return b""
        rest = bytes(self._head[size:])
        self._head.clear()
        length = _LENGTH.search(head)
        self._body_bytes = int(length[1]) if length else 0
        if self._body_bytes > MAX_BODY_BYTES or _CHUNKED.search(head):
            self._left_bytes = 0
        self._parse(head)
        return rest
