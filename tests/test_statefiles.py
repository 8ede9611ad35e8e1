"""pid.txt and lastjob.txt as files: what can be believed, and that no reader ever sees a part of a line."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from settings import Settings
from statefiles import CLOCK_LEEWAY, read_lastjob, write_lastjob, write_line

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def test_what_is_written_is_read_back_to_the_second(settings: Settings) -> None:
    write_lastjob(settings, NOW.replace(microsecond=700_000))
    assert read_lastjob(settings, NOW) == NOW


def test_lastjob_is_one_line_of_iso_8601_in_utc(settings: Settings) -> None:
    write_lastjob(settings, NOW.astimezone(timezone(timedelta(hours=2))))
    assert settings.lastjob_file.read_text(encoding="ascii") == "2026-03-10T12:00:00+00:00\n"


@pytest.mark.parametrize(
    "line",
    ["2026-03-10T12:00:00Z", "  2026-03-10T13:00:00+01:00 \n", "20260310T120000Z", "2026-03-10 12:00:00.000+00:00"],
)
def test_any_iso_8601_time_with_its_zone_is_understood(settings: Settings, line: str) -> None:
    settings.lastjob_file.write_text(line, encoding="ascii")
    read_at = read_lastjob(settings, NOW)
    assert read_at == NOW
    assert read_at.tzinfo is UTC


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"yesterday",
        b"1773144000",
        b"2026-03-10",
        b"2026-03-10T11:00:00",  # no time zone
        b"2026-02-30T11:00:00Z",
        b"2026-03-10T11:00:00Z\n2026-03-10T11:30:00Z",
        b"\xff\xfe\x00\x01",
        "2026-03-10T11:00:00Z\u00a0".encode(),
        b"\x00" * 4096,
        b"0001-01-01T00:00:00+14:00",  # before the year 1 in UTC
        b"9999-12-31T23:59:59-14:00",
    ],
    ids=repr,
)
def test_what_cannot_be_read_counts_as_never(settings: Settings, content: bytes) -> None:
    settings.lastjob_file.write_bytes(content)
    assert read_lastjob(settings, NOW) is None


def test_a_missing_file_and_a_folder_in_its_place_count_as_never(settings: Settings) -> None:
    assert read_lastjob(settings, NOW) is None
    settings.lastjob_file.mkdir()
    assert read_lastjob(settings, NOW) is None


def test_a_time_in_the_future_counts_as_never_but_a_clock_that_is_a_little_off_does_not(settings: Settings) -> None:
    write_lastjob(settings, NOW + CLOCK_LEEWAY)
    assert read_lastjob(settings, NOW) == NOW + CLOCK_LEEWAY
    write_lastjob(settings, NOW + CLOCK_LEEWAY + timedelta(seconds=1))
    assert read_lastjob(settings, NOW) is None


def test_a_reader_sees_the_old_line_or_the_new_one(settings: Settings) -> None:
    path = settings.pid_file
    lines = ["1" * 200_000, "2" * 100_000]
    write_line(path, lines[0])
    is_over = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not is_over.is_set():
            seen.add(path.read_text(encoding="ascii"))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        write_line(path, lines[number % 2])
    is_over.set()
    reader.join()
    assert seen <= {f"{line}\n" for line in lines}
    assert [file.name for file in path.parent.iterdir()] == [path.name]
