"""The small files of the state dir that say what the background process did: pid.txt and lastjob.txt."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from settings import Settings

CLOCK_LEEWAY = timedelta(minutes=2)


def read_lastjob(settings: Settings, now: datetime) -> datetime | None:
    """Return when a load last succeeded; None when never, or when the file can't be believed."""
    try:
        text = settings.lastjob_file.read_text(encoding="ascii")
        written_at = datetime.fromisoformat(text.strip())
        if written_at.tzinfo is None:
            return None
        finished_at = written_at.astimezone(UTC)
    except (OSError, ValueError, OverflowError):
        return None
    return finished_at if finished_at <= now + CLOCK_LEEWAY else None


def write_lastjob(settings: Settings, now: datetime) -> None:
    """Note that a load succeeded at `now`."""
    write_line(settings.lastjob_file, now.astimezone(UTC).isoformat(timespec="seconds"))


def forget_lastjob(settings: Settings) -> None:
    """Forget when a load last succeeded, so that one is due."""
    settings.lastjob_file.unlink(missing_ok=True)


def read_secret_key(settings: Settings) -> bytes:
    """Return the key that signs cookies and codes: the one of the settings, else one made once and kept in a file.

    Several processes may ask for it first at once; all of them get the same.
    """
    if key := settings.secret_key.get_secret_value():
        return key.encode()
    path = settings.state_dir / "secret.key"
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32) + "\n", encoding="ascii")
        with suppress(FileExistsError):
            path.hardlink_to(draft)  # unlike a rename, this never replaces the key of another process
        draft.unlink()
    return path.read_text(encoding="ascii").strip().encode()


def write_line(path: Path, line: str) -> None:
    """Write a file of one line so that a reader sees the old line or the new one, never a part of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(line + "\n", encoding="ascii")
    draft.replace(path)
