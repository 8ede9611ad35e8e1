"""A feed that was refused for holding too few stations: kept, so that an admin can accept that very one.

The publisher's feed changes every ten minutes: by the time somebody has looked, only a copy is still "that one".
"""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from errors import FeedShrunk
from feed.download import Archive
from models import RefusedFeed

# Hidden, so that nothing of a person's is taken for it: the folder is the project's own unless it is set.
REFUSED_FILE = ".refused-feed.zip"

logger = logging.getLogger("carburoam.load")


def keep_refused(
    connection: Connection, folder: Path, archive: Archive, source: str, shrunk: FeedShrunk, now: datetime
) -> None:
    """Keep a refused archive in a folder, readable by its owner, in place of any other; note what it would change.

    Under the load lock. Where there is no room for a copy, one that is accepted is taken where it is published, as on
    a machine that never had it.
    """
    try:
        _keep_copy(folder, archive)
    except OSError as error:
        logger.warning("no copy of the refused feed error=%r", str(error))
    connection.execute(delete(RefusedFeed))
    connection.execute(
        insert(RefusedFeed).values(
            id=1,
            source=source,
            digest=archive.digest,
            station_count=shrunk.station_count,
            station_count_before=shrunk.station_count_before,
            stations_gone=len(shrunk.gone),
            gone_ids=sorted(shrunk.gone),
            refused_at=now,
        )
    )


def remove_copy(folder: Path) -> None:
    """Remove the copy of a refused feed, since a load succeeded: what can't be removed makes no failure of that."""
    with suppress(OSError):
        (folder / REFUSED_FILE).unlink()


def find_accepted(connection: Connection) -> Row[Any] | None:
    """Return the row of the refused feed that an admin has accepted; None when there is none."""
    return connection.execute(select(RefusedFeed.__table__).where(RefusedFeed.accepted_at.is_not(None))).first()


def is_accepted(connection: Connection, digest: str) -> bool:
    """Say whether an admin has accepted the archive of this digest."""
    accepted = find_accepted(connection)
    return accepted is not None and accepted.digest == digest


def forget_refused(connection: Connection) -> None:
    """Forget what was refused, since another load succeeded."""
    connection.execute(delete(RefusedFeed))


def _keep_copy(folder: Path, archive: Archive) -> None:
    draft = folder / f"{REFUSED_FILE}.draft"
    archive.file.seek(0)
    draft.unlink(missing_ok=True)  # left by a process that was killed, of any mode
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as copy:
            shutil.copyfileobj(archive.file, copy)
        draft.replace(folder / REFUSED_FILE)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
