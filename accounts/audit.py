"""The audit: what admins did, to whom or what, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, get_args

from sqlalchemy import Connection, insert, select

from models import AuditRow

KEPT = timedelta(days=365)

Action = Literal[
    "grant",
    "revoke",
    "lock",
    "unlock",
    "confirm",
    "reset",
    "erase",
    "load",
    "accept_feed",
    "withdraw_feed",
    "start",
    "stop",
    "remove_pid",
    "forget_lastjob",
    "clear_outputs",
    "backup",
    "download_backup",
    "backup_refused",
]
ACTIONS: tuple[Action, ...] = get_args(Action)


class Actor(NamedTuple):
    """Who acts: an admin by id and username, or the command line, which has no id."""

    id: int | None
    name: str


@dataclass(frozen=True)
class AuditedAction:
    """One row of the audit; `subject` is a username, or what else it was done to, and may be empty."""

    at: datetime
    actor: Actor
    action: str
    subject: str


def note_action(
    connection: Connection,
    actor: Actor,
    action: Action,
    now: datetime,
    *,
    subject: str = "",
    subject_id: int | None = None,
) -> None:
    """Add a row, in the transaction of what it tells of."""
    connection.execute(
        insert(AuditRow).values(
            at=now,
            admin_id=actor.id,
            admin_name=actor.name,
            action=action,
            subject_id=subject_id,
            subject=subject[:200],
        )
    )


def list_actions(connection: Connection, count: int) -> list[AuditedAction]:
    """Return the last actions, the newest first."""
    rows = connection.execute(
        select(AuditRow.at, AuditRow.admin_id, AuditRow.admin_name, AuditRow.action, AuditRow.subject)
        .order_by(AuditRow.id.desc())
        .limit(count)
    )
    return [AuditedAction(row.at, Actor(row.admin_id, row.admin_name), row.action, row.subject) for row in rows]
