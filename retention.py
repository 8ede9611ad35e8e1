"""What is kept for a time only, and goes by itself: the background process calls this once a day."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from accounts.retention import clear_people
from feed.runs import clear_runs
from mail import clear_failures, give_up_overdue


def clear_expired(connection: Connection, now: datetime) -> dict[str, int]:
    """Delete what has been kept long enough; return how many rows by table.

    In a transaction of `begin_writing`, so that of several servers one does it at a time; doing it again deletes
    nothing more. The periods stand beside what they are of, and the page Privacy tells those of `accounts.retention`.
    """
    return {
        **clear_people(connection, now),
        "outbox": give_up_overdue(connection, now),
        "failed_mails": clear_failures(connection, now),
        "etl_runs": clear_runs(connection, now),
    }
