"""The archive is refused when it is no zip of one sound XML file."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile

import pytest

from errors import FeedRefused
from feed.archive import open_archive

XML = b"<pdv_liste>" + bytes(range(32, 127)) * 40 + b"</pdv_liste>"
NAME = "PrixCarburants_instantane.xml"


def write_zip(*names: str, data: bytes = XML, method: int = ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with ZipFile(file, "w", method) as archive:
        for name in names or (NAME,):
            archive.writestr(name, data)
    return file.getvalue()


def write_members(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def read(data: bytes) -> bytes:
    with open_archive(io.BytesIO(data)) as stream:
        return b"".join(iter(lambda: stream.read(1000), b""))


def replace_at_end(data: bytes, signature: bytes, offset: int, form: str, value: int) -> bytes:
    """Put a number into the last record of this signature."""
    position = data.rindex(signature) + offset
    return data[:position] + struct.pack(form, value) + data[position + struct.calcsize(form) :]


@pytest.mark.parametrize("method", [ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA])
def test_the_one_xml_file_of_a_zip_is_read(method: int) -> None:
    assert read(write_zip(method=method)) == XML


APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "


@pytest.mark.parametrize(
    "other",
    [
        "LISEZMOI.txt",
        "Notice: prix.pdf",
        "Version 2..3.md",
        f"__MACOSX/._{NAME}",
        "__MACOSX/",
        f"__macosx/feed/{NAME}",
        f"._{NAME}",
        f"feed/._{NAME}",
        f"feed\\._{NAME}",
        f".cache/{NAME}",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "feed/",
        "old.xml/",
        "old.xml/LISEZMOI.txt",
        f"{NAME}.sha256",
    ],
)
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "last"])
def test_what_is_not_the_feed_is_passed_over(other: str, is_first: bool) -> None:
    members = {other: b"" if other.endswith("/") else APPLE_DOUBLE, NAME: XML}
    assert read(write_members(members if is_first else dict(reversed(members.items())))) == XML


@pytest.mark.parametrize(
    "name", [NAME.upper(), f"feed/{NAME}", f"a/b/{NAME}", f"./{NAME}", f"feed\\{NAME}", "prix..xml"]
)
def test_the_xml_is_found_whatever_its_case_and_folder(name: str) -> None:
    folders = {"feed/": b"", "a/": b"", "a/b/": b""}
    assert read(write_members({**folders, name: XML, f"__MACOSX/._{NAME}": APPLE_DOUBLE})) == XML


def test_limits_are_those_of_the_feed_and_not_of_what_is_passed_over() -> None:
    zeros = bytes(5_000_000)
    assert read(write_members({f"__MACOSX/._{NAME}": zeros, "zeros.bin": zeros, NAME: XML})) == XML


def test_progress_hears_of_bytes_read_and_bytes_in_all() -> None:
    heard: list[tuple[int, int]] = []
    with open_archive(io.BytesIO(write_zip()), lambda *progress: heard.append(progress)) as stream:
        while stream.read(1000):
            pass
    assert [size for _, size in heard] == [len(XML)] * len(heard)
    assert [read for read, _ in heard][:2] == [1000, 2000]
    assert heard[-1][0] == len(XML)


GOOD = write_zip()
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "damaged or no zip"),
        (b"<!DOCTYPE html><html></html>", "damaged or no zip"),
        (XML, "damaged or no zip"),
        (GOOD[: len(GOOD) // 2], "damaged or no zip"),
        (GOOD[:-1], "damaged or no zip"),
        (GOOD[40:], "damaged or no zip"),
        (GOOD[:60] + b"\xff" * 20 + GOOD[80:], "damaged or no zip"),
        (GOOD[:60] + GOOD[90:], "damaged or no zip"),
        # An offset of the directory that lies before the file.
        (replace_at_end(GOOD, END, 16, "<L", 10_000), "damaged or no zip"),
        (replace_at_end(GOOD, CENTRAL, 42, "<L", 10_000), "damaged or no zip"),
        (
            replace_at_end(GOOD, CENTRAL, 8, "<H", 0x800)[:-22].replace(b"instantane", b"instant\xe9ne") + GOOD[-22:],
            "zip",
        ),
        (replace_at_end(GOOD, CENTRAL, 8, "<H", 1), "can't be read"),  # says that it is encrypted
        (replace_at_end(GOOD, CENTRAL, 10, "<H", 99), "can't be read"),  # an unknown compression
        (write_zip("LISEZMOI.txt"), "holds no XML file"),
        (write_zip(f"__MACOSX/._{NAME}", f"._{NAME}", ".DS_Store"), "holds no XML file"),
        (write_zip("old.xml/"), "holds no XML file"),
        (write_zip(NAME, "zweite.xml"), "2 XML files instead of one"),
        (write_zip(NAME, "feed/zweite.XML", f"__MACOSX/._{NAME}"), "2 XML files instead of one"),
        (write_zip(f"jour/{NAME}", f"nuit/{NAME}", "LISEZMOI.txt"), "2 XML files instead of one"),
        (write_zip("../../evil.xml"), "outside itself"),
        (write_zip("/etc/evil.xml"), "outside itself"),
        (write_zip("C:\\evil.xml"), "outside itself"),
        (write_zip("\\\\server\\evil.xml"), "outside itself"),
        (write_zip("c:evil.xml"), "outside itself"),
        (write_zip("feed/../../evil.xml"), "outside itself"),
        (write_zip("feed\\..\\..\\evil.xml"), "outside itself"),
        (write_zip(NAME, "../evil.txt"), "outside itself"),
        (write_zip(NAME, "__MACOSX/../../.evil"), "outside itself"),
        (write_zip(NAME, ".."), "outside itself"),
        (write_zip(data=bytes(5_000_000)), "compressed more than 200 times"),
    ],
)
def test_what_is_no_sound_archive_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(FeedRefused, match=message) as refusal:
        read(data)
    assert "\n" not in str(refusal.value)


def test_an_xml_that_would_be_too_large_is_refused_before_it_is_read() -> None:
    data = replace_at_end(GOOD, CENTRAL, 24, "<L", 500_000_001)
    with pytest.raises(FeedRefused, match="larger than 500 MB"):
        read(data)


def test_an_xml_that_is_larger_than_announced_is_never_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The announced size is what the limits are checked against."""
    data = replace_at_end(GOOD, CENTRAL, 24, "<L", 100)
    with open_archive(io.BytesIO(data)) as stream, pytest.raises(FeedRefused, match="damaged"):
        for _ in range(10):
            assert len(stream.read(60)) <= 100


def test_the_archive_is_never_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read(write_zip()) == XML
    assert list(tmp_path.iterdir()) == []


def test_what_goes_wrong_with_the_content_is_not_taken_for_a_damaged_archive() -> None:
    with pytest.raises(ValueError, match="of the reader"), open_archive(io.BytesIO(GOOD)):
        raise ValueError("of the reader")
