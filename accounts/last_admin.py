"""The rule that one admin who can log in stays, whatever is done to accounts."""

from __future__ import annotations

from sqlalchemy import Connection, select

from errors import LastAdmin
from models import Credential


def require_another_admin(connection: Connection, user_id: int) -> None:
    """Let an account be erased, be locked or lose its admin role. Of admins who can't log in, any number may go.

    In the very transaction that does so, begun by `begin_writing`: of two admins who go at once, the second one waits
    for the first and is then the last. Raises LastAdmin.
    """
    able = connection.scalars(
        select(Credential.user_id)
        .where(Credential.role == "admin", Credential.confirmed_at.is_not(None), Credential.locked_at.is_(None))
        .order_by(Credential.user_id)
        .with_for_update()  # on PostgreSQL for whoever did not take turns
    ).all()
    if list(able) == [user_id]:
        raise LastAdmin("this is the last admin who can log in")
