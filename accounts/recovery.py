"""A forgotten username or password: only who reads the mailbox of an account gets any further.

That includes an account whose address was never confirmed, by a code that was lost: with the new password it is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, or_, select, update

from accounts.addresses import remember_address
from accounts.codes import count_try, find_code, forget_code, issue_code, note_asker, read_code, spend_code
from accounts.identity import make_key
from accounts.limits import forget_failures, hash_subject, list_pairs, take_turn, widen
from accounts.messages import queue_message
from accounts.passwords import hash_password, require_no_username, require_strength
from accounts.registration import confirm
from accounts.sessions import close_sessions
from db import begin_writing
from errors import CodeExpired
from models import Credential, OutboxMail, User
from settings import Settings


def mail_username(engine: Engine, settings: Settings, secret_key: bytes, email: str, now: datetime) -> None:
    """Mail the username of the account that has this address; for any other the same is done and nothing sent.

    Where the account was never confirmed, the mail says how to go on instead.

    Raises TooManyTries: too many mails to this address in an hour, whether or not it has an account.
    """
    with begin_writing(engine) as connection:
        take_turn(connection, secret_key, "mail", make_key(email), now)
        account = _find_account(connection, make_key(email), by_username=False)
        _queue(connection, settings, "username", account, now)


def mail_password_code(
    engine: Engine, settings: Settings, secret_key: bytes, name: str, now: datetime, *, browser: str = ""
) -> None:
    """Mail a code for a new password to the account of this username or address; for any other nothing is sent.

    In `browser`, which is as in `codes.note_asker`, it can be typed whatever is tried elsewhere.

    Raises TooManyTries: too many mails for this name in an hour, whether or not it has an account.
    """
    with begin_writing(engine) as connection:
        queue_password_code(connection, settings, secret_key, name, now)
        note_asker(connection, secret_key, make_key(name), browser, now)


def queue_password_code(
    connection: Connection,
    settings: Settings,
    secret_key: bytes,
    name: str,
    now: datetime,
    *,
    even_unconfirmed: bool = True,
) -> bool:
    """As `mail_password_code`, in a transaction of the caller; return whether there is an account to mail to."""
    take_turn(connection, secret_key, "mail", make_key(name), now)
    account = _find_account(connection, make_key(name))
    if account is not None and account.confirmed_at is None and not even_unconfirmed:
        account = None
    code = issue_code(connection, secret_key, account.id, "password", now) if account is not None else ""
    _queue(connection, settings, "password", account, now, code=code)
    return account is not None


def reset_password(
    engine: Engine,
    settings: Settings,
    secret_key: bytes,
    name: str,
    code: str,
    password: str,
    *,
    browser: str = "",
    address: str | None,
    now: datetime,
) -> int:
    """Set a new password with the mailed code, and return whose it is.

    Every browser is logged out and the driver is told by mail.

    A weak password costs no code. Whether it holds the username is looked at only once the code was right: else a
    stranger would learn from it which names and addresses have an account, and could guess at the username of one.
    Whoever reads the mailbox gets in: the account is confirmed if it was not, the failures of before are forgotten, and
    `address`, the browser's, is one that the account knows from now on.

    Raises CodeMalformed: what was typed is no code; that costs no try.
    Raises PasswordRefused: as `require_password`; the code stays good.
    Raises CodeWrong or CodeExpired: a page should say the same for both, since no account gives the latter.
    Raises TooManyCodes: as `codes.count_try`.
    Raises TooManyAtOnce: too many hash passwords right now; the code stays good.
    """
    read_code(code)
    require_strength(password)
    key = make_key(name)
    with begin_writing(engine) as connection:
        count_try(connection, secret_key, key, browser, address, now)
        account = _find_account(connection, key)
        # Without an account, as for one that has no open code: 0 is nobody's.
        user_id = int(account.id) if account is not None else 0
        _, error = find_code(connection, secret_key, user_id, "password", code, now)
        if account is not None and error is None:
            require_no_username(password, account.username)  # raised, it takes back that a try was counted
    if account is None or error is not None:
        raise error or CodeExpired
    # Only now, for who has read the mailbox: guesses are to cost as little as they can.
    password_hash = hash_password(password, widen(address) if address else None, is_known=True)
    with begin_writing(engine) as connection:
        account = _find_account(connection, key)
        if account is None or account.id != user_id:
            raise CodeExpired  # deleted, locked or renamed meanwhile
        _, error = spend_code(connection, secret_key, user_id, "password", code, now)
        if error is not None:
            raise error  # spent meanwhile, in another tab
        require_no_username(password, account.username)
        forget_code(connection, user_id, "password")
        set_password(connection, user_id, password_hash)
        if account.confirmed_at is None:
            confirm(connection, user_id, now)
        close_sessions(connection, user_id)
        forget_failures(
            connection,
            [
                hash_subject(secret_key, "own", str(user_id)),
                *list_pairs(secret_key, str(user_id), address, "own_pair"),
                *(
                    found
                    for text in map(make_key, (account.username, account.email))
                    for found in (
                        *list_pairs(secret_key, text, address),
                        *(hash_subject(secret_key, kind, text) for kind in ("login", "code", "code_unknown")),
                    )
                ),
            ],
        )
        if address:
            remember_address(connection, secret_key, user_id, address, now)
        _queue(connection, settings, "password_changed", account, now)
    return user_id


def set_password(connection: Connection, user_id: int, password_hash: str) -> None:
    """Store the hash of a new password."""
    connection.execute(update(Credential).where(Credential.user_id == user_id).values(password_hash=password_hash))


def _find_account(connection: Connection, key: str, *, by_username: bool = True) -> Row[*tuple[Any, ...]] | None:
    has_name = or_(User.email_key == key, User.username_key == key) if by_username else User.email_key == key
    return connection.execute(
        select(User.id, User.username, User.email, User.name, User.language, Credential.confirmed_at)
        .join(Credential, Credential.user_id == User.id)
        .where(has_name, Credential.locked_at.is_(None))
    ).first()


def _queue(
    connection: Connection,
    settings: Settings,
    kind: str,
    account: Row[*tuple[Any, ...]] | None,
    now: datetime,
    code: str = "",
) -> None:
    """Queue the mail; without an account one is written and taken back, so that its absence takes as long."""
    if account is not None and account.confirmed_at is None and kind in ("username", "password"):
        kind = f"{kind}_unconfirmed"
    queue_message(
        connection,
        settings,
        kind,
        recipient=account.email if account is not None else "",
        language=account.language if account is not None else "fr",
        now=now,
        name=account.name if account is not None else "",
        username=account.username if account is not None else "",
        code=code,
    )
    connection.execute(delete(OutboxMail).where(OutboxMail.recipient == ""))
