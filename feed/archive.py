"""The archive of the feed: a zip file that holds one XML file, read as a stream."""

from __future__ import annotations

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, cast

from errors import FeedRefused

MAX_XML_BYTES = 500_000_000
MAX_RATIO = 200  # the real feed is compressed 12.5 times

# What the zip reader raises for damaged bytes; the last four come of damaged offsets, lengths and names.
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, OverflowError, struct.error)

# A path from the root, of a drive, or up and out; either separator, since either writes zips.
_OUTSIDE = re.compile(r"[/\\]|[A-Za-z]:|(?:.*[/\\])?\.\.(?:[/\\]|$)", re.DOTALL)

Progress = Callable[[int, int], None]


@contextmanager
def open_archive(file: IO[bytes], on_progress: Progress | None = None) -> Iterator[IO[bytes]]:
    """Open the XML inside the archive for reading; `on_progress` hears of bytes read and bytes in all.

    Raises FeedRefused: no zip, no or several XML files in it, a member that names a place outside, too large a file,
    or, while it is read, damaged data.
    """
    with _refuse_damage():
        archive = zipfile.ZipFile(file)
    with archive:
        with _refuse_damage():
            member = _find_xml(archive.infolist())
            stream = archive.open(member)
        with stream:
            yield cast(IO[bytes], _CheckedStream(stream, member.file_size, on_progress))


@contextmanager
def _refuse_damage() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise FeedRefused(f"the archive is damaged or no zip file: {str(error) or type(error).__name__}") from error
    except (NotImplementedError, RuntimeError) as error:  # unknown compression; encrypted
        raise FeedRefused(f"the archive can't be read: {error}") from error


def _find_xml(members: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    if any(_OUTSIDE.match(member.filename) for member in members):
        raise FeedRefused("the archive names a file outside itself")
    found = [member for member in members if _is_xml(member.filename)]
    if len(found) != 1:
        holds = f"{len(found)} XML files instead of one" if found else "no XML file"
        raise FeedRefused(f"the archive holds {holds}")
    size, packed = found[0].file_size, max(found[0].compress_size, 1)
    if size > MAX_XML_BYTES:
        raise FeedRefused(f"the XML would be larger than {MAX_XML_BYTES // 1_000_000} MB")
    if size / packed > MAX_RATIO:
        raise FeedRefused(f"the XML is compressed more than {MAX_RATIO} times")
    return found[0]


def _is_xml(name: str) -> bool:
    """Say whether a member is an XML file that somebody put in, and not what a system adds for itself.

    macOS keeps a `._name.xml` of each file beside it or under `__MACOSX/`, of no more use than `.DS_Store`.
    """
    parts = re.split(r"[/\\]", name.lower())
    is_hidden = any((part.startswith(".") and part != ".") or part == "__macosx" for part in parts)
    return parts[-1].endswith(".xml") and not is_hidden


class _CheckedStream:
    """The XML as a stream that never gives more than its archive announced."""

    def __init__(self, stream: IO[bytes], size: int, on_progress: Progress | None) -> None:
        self._stream = stream
        self._size = size
        self._on_progress = on_progress
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        with _refuse_damage():
            data = self._stream.read(size)
        self._read += len(data)
        if self._read > self._size:
            raise FeedRefused("the XML is larger than its archive says")
        if self._on_progress is not None:
            self._on_progress(self._read, self._size)
        return data
