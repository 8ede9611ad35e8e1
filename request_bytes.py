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

MALFORMED = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 33\r\n"
    b"Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    b"The head of the request is wrong\n"
)

_END = b"\r\n\r\n"
# As RFC 9112 has it. The parser takes more: lines that end with LF alone, headers that go on in the next line. A body
# of which only the parser knew would come to it without a bound.
_HEAD = re.compile(rb"[^\r\n]+\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*\r\n)*\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)", re.IGNORECASE)
_ENCODING = re.compile(rb"\r\ntransfer-encoding:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)", re.IGNORECASE)


def find_body_bytes(head: bytes) -> int | None:
    """Return how long the body is that a head announces, None: in chunks. Raises ValueError: the head is malformed."""
    lengths, encodings = _LENGTH.findall(head), _ENCODING.findall(head)
    if _HEAD.fullmatch(head) is None or len(lengths) + len(encodings) > 1:
        raise ValueError("malformed")
    if encodings:
        if encodings[0].lower() != b"chunked":
            raise ValueError("an encoding that nobody takes")
        return None
    if lengths and re.fullmatch(rb"[0-9]{1,19}", lengths[0]) is None:
        raise ValueError("a length that is no number")
    return int(lengths[0]) if lengths else 0


class RequestBytes:
    """What comes over a connection before it is a websocket's: whole heads and short bodies go to `parse`.

    A longer body, and one in chunks, is left out: the request is answered without it.
    """

    def __init__(
        self, transport: asyncio.Transport, parse: Callable[[bytes], None], refuse: Callable[[bytes], None]
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
            self._refuse(TOO_LARGE)
            return b""
        if end < 0:
            return b""
        rest = bytes(self._head[size:])
        self._head.clear()
        try:
            body_bytes = find_body_bytes(head)
        except ValueError:
            self._refuse(MALFORMED)
            return b""
        if body_bytes is None or body_bytes > MAX_BODY_BYTES:
            self._left_bytes = 0
        else:
            self._body_bytes = body_bytes
        self._parse(head)
        return rest
