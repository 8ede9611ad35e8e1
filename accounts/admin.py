"""What an admin may do to an account. Also the command `python -m accounts.admin grant|revoke EMAIL`.

Each of these rules changes the account and adds a row to the audit in the caller's transaction; that the actor is an
admin is the caller's to know. None of them reads or sets a password.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, Connection, select, update
from sqlalchemy.exc import SQLAlchemyError

from accounts import registration
from accounts.audit import Action, Actor, note_action
from accounts.codes import end_codes
from accounts.identity import make_key
from accounts.last_admin import require_another_admin
from accounts.privacy import erase_driver
from accounts.recovery import mail_code_to_driver
from accounts.sessions import close_sessions
from db import begin_writing, open_engine, prepare_database
from errors import AccountShut, AccountUnconfirmed, CarburoamError, DriverUnknown, SettingRefused
from models import Credential, User
from settings import Settings, read_settings

COMMAND = Actor(None, "command line")


def grant_admin(connection: Connection, actor: Actor, user_id: int, now: datetime) -> bool:
    """Give the admin role; return False where it is there already. Raises DriverUnknown, as every rule here may.

    Raises AccountUnconfirmed: it still waits for its code, and goes when somebody else registers its name.
    """
    if _is_admin(connection, user_id):
        return False
    if connection.execute(select(Credential.confirmed_at).where(Credential.user_id == user_id)).scalar() is None:
        raise AccountUnconfirmed("this account waits for the code that confirms its address, so it can't be an admin's")
    _change(connection, actor, "grant", user_id, now, role="admin")
    return True


def revoke_admin(connection: Connection, actor: Actor, user_id: int, now: datetime) -> bool:
    """Take the admin role; return False where there is none. Raises LastAdmin."""
    if not _is_admin(connection, user_id):
        return False
    require_another_admin(connection, user_id)
    _change(connection, actor, "revoke", user_id, now, role="driver")
    return True


def lock_account(connection: Connection, actor: Actor, user_id: int, now: datetime) -> None:
    """Lock an account: nobody can log in to it, and its sessions and codes end at once. Raises LastAdmin."""
    require_another_admin(connection, user_id)
    _change(connection, actor, "lock", user_id, now, locked_at=now)
    close_sessions(connection, user_id)
    end_codes(connection, user_id)


def unlock_account(connection: Connection, actor: Actor, user_id: int, now: datetime) -> None:
    """Open a locked account again, with the password that it had."""
    _change(connection, actor, "unlock", user_id, now, locked_at=None)


def confirm_account(connection: Connection, actor: Actor, user_id: int, now: datetime) -> None:
    """Let in an account whose code never came; its address stays one that no mail has confirmed."""
    _note(connection, actor, "confirm", user_id, now)
    opened_at = connection.execute(
        select(User.created_at)
        .join(Credential, Credential.user_id == User.id)
        .where(User.id == user_id, Credential.confirmed_at.is_(None))
    ).scalar()
    if opened_at is not None:
        registration.confirm(connection, user_id, opened_at)


def mail_reset(
    connection: Connection, settings: Settings, secret_key: bytes, actor: Actor, user_id: int, now: datetime
) -> None:
    """Mail a code for a new password to the account's address, as its driver can ask for it.

    Raises AccountShut: to a locked or unconfirmed account none is sent.
    Raises TooManyTries: too many mails to it in an hour.
    """
    _note(connection, actor, "reset", user_id, now)
    if not mail_code_to_driver(connection, settings, secret_key, user_id, now):
        raise AccountShut


def erase_account(
    connection: Connection, settings: Settings, secret_key: bytes, actor: Actor, user_id: int, now: datetime
) -> None:
    """Delete an account as its driver can, and queue the same mail of farewell. Raises LastAdmin."""
    _note(connection, actor, "erase", user_id, now)
    erase_driver(connection, settings, secret_key, user_id, now)


def find_by_email(connection: Connection, email: str) -> int:
    """Return the id of the account of an address. Raises DriverUnknown: there is none; the text names the database."""
    user_id = connection.execute(select(User.id).where(User.email_key == make_key(email))).scalar()
    if user_id is None:
        raise DriverUnknown(f"no account has the address {email} in {_name_database(connection.engine.url)}")
    return user_id


def _is_admin(connection: Connection, user_id: int) -> bool:
    role = connection.execute(select(Credential.role).where(Credential.user_id == user_id)).scalar()
    if role is None:
        raise DriverUnknown
    return role == "admin"


def _change(
    connection: Connection, actor: Actor, action: Action, user_id: int, now: datetime, **values: object
) -> None:
    _note(connection, actor, action, user_id, now)
    connection.execute(update(Credential).where(Credential.user_id == user_id).values(**values))


def _note(connection: Connection, actor: Actor, action: Action, user_id: int, now: datetime) -> None:
    username = connection.execute(select(User.username).where(User.id == user_id)).scalar()
    if username is None:
        raise DriverUnknown
    note_action(connection, actor, action, now, subject=username, subject_id=user_id)


def _require_file(url: URL) -> None:
    """See that a SQLite database is there, which would else be made, without any account. Raises SettingRefused."""
    if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).is_file()):
        where = "CARBUROAM_STATE_DIR or CARBUROAM_DATABASE_URL says where it is"
        raise SettingRefused(f"there is no database {_name_database(url)}; {where}")


def _name_database(url: URL) -> str:
    return url.difference_update_query(["password"]).render_as_string(hide_password=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Give or take the admin role in the database of the settings; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m accounts.admin", description="Give the admin role to an account, or take it."
    )
    parser.add_argument("action", choices=("grant", "revoke"))
    parser.add_argument("email", metavar="EMAIL", help="the address of the account")
    options = parser.parse_args(arguments)
    change, done, already = (
        (grant_admin, "is an admin", "is an admin already")
        if options.action == "grant"
        else (revoke_admin, "is no longer an admin", "is no admin")
    )
    try:
        settings = read_settings()
        engine = open_engine(settings.database)
        _require_file(engine.url)
        prepare_database(engine)
        with begin_writing(engine) as connection:
            is_changed = change(connection, COMMAND, find_by_email(connection, options.email), datetime.now(UTC))
    except (CarburoamError, OSError) as error:
        print(f"accounts.admin: {error}", file=sys.stderr)
        return 1
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        print(f"accounts.admin: the database can't be used: {cause}", file=sys.stderr)
        return 1
    print(f"{options.email} {done if is_changed else already}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
