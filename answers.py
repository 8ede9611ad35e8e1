"""Answers over HTTP that stay right until something is loaded: ETag, "not modified", gzip."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from headers import takes_gzip


@dataclass(frozen=True)
class Answer:
    """What a route answers: a status, headers and a body."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Content:
    """JSON, plain and compressed."""

    plain: bytes

    @cached_property
    def compressed(self) -> bytes:
        """The JSON in gzip's form."""
        return gzip.compress(self.plain, 1, mtime=0)


def answer_content(key: str, headers: Mapping[str, str], keep_seconds: int, make: Callable[[], Content]) -> Answer:
    """Answer a request with these headers (names in small letters) with the content that stands under the key.

    As long as the key is the same, so must be the content: who has it already is told so, and it is not made. Nothing
    in it may be of a person, since anyone may keep it for `keep_seconds`.
    """
    kept = {
        "ETag": f'W/"{hashlib.sha256(key.encode()).hexdigest()[:32]}"',
        "Cache-Control": f"public, max-age={keep_seconds}",
        "Vary": "Accept-Encoding",
    }
    if _knows(headers.get("if-none-match", ""), kept["ETag"]):
        return Answer(304, kept)
    content = make()
    kept["Content-Type"] = "application/json"
    if takes_gzip(headers.get("accept-encoding", "")):
        return Answer(200, {**kept, "Content-Encoding": "gzip"}, content.compressed)
    return Answer(200, kept, content.plain)


def _knows(if_none_match: str, etag: str) -> bool:
    known = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return "*" in known or etag.removeprefix("W/") in known
