"""A forgotten username or password: only who reads the mailbox of an account gets any further.

That includes an account whose address was never confirmed, by a code that was lost: with the new password it is.

Whether a name has an account is told neither by an answer nor by its time: without one, as many rows are read and
written, and the mail, to nobody, waits in the outbox like any other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, or_, select, update

from accounts.addresses import forget_addresses, is_known_address, remember_address
from accounts.codes import (
    count_try,
    end_codes,
    find_code,
    issue_code,
    note_asker,
    read_code,
    spend_code,
    waste_code,
)
from accounts.identity import make_key
from accounts.limits import forget_failures, hash_subject, list_pairs, widen
from accounts.mail_limits import may_mail, take_admin_mail, take_visitor_mail
from accounts.messages import Kind, Person, queue_message
from accounts.passwords import hash_password, require_no_username, require_room, require_strength
from accounts.registration import HAS_CONFIRMED_EMAIL, confirm
from accounts.sessions import close_sessions
from db import begin_writing
from errors import CodeExpired
from models import Credential, User
from settings import Settings

Account = Row[*tuple[Any, ...]]


def mail_username(
    engine: Engine, settings: Settings, secret_key: bytes, email: str, *, address: str | None, now: datetime
) -> None:
    """Mail the username of the account that has this address; for any other the same is done and nothing sent.

    Where the address was never confirmed, the mail says how to go on instead. `address` is the browser's, None when it
    isn't known.

    Raises TooManyTries: this client has asked for too many mails, whether or not there is an account.
    """
    with begin_writing(engine) as connection:
        take_visitor_mail(connection, secret_key, email, address, now)
        account = _find_account(connection, User.email_key == make_key(email))
        may = _may_mail(connection, secret_key, account, email, address, now)
        _queue(connection, settings, "username", account, now, is_sent=may)


def mail_password_code(
    engine: Engine,
    settings: Settings,
    secret_key: bytes,
    name: str,
    *,
    browser: str = "",
    address: str | None,
    now: datetime,
) -> None:
    """Mail a code for a new password to the account of this username or address; for any other nothing is sent.

    In `browser`, which is as in `codes.note_asker`, it can be typed whatever is tried elsewhere. `address` is the
    browser's, None when it isn't known.

    Raises TooManyTries: this client has asked for too many mails, whether or not there is an account.
    """
    with begin_writing(engine) as connection:
        take_visitor_mail(connection, secret_key, name, address, now)
        account = _find_by_name(connection, name)
        may = _may_mail(connection, secret_key, account, name, address, now)
        if account is not None and may:
            _mail_code(connection, settings, secret_key, account, now)
        else:
            # Where no more may be mailed, the code of before stays good.
            code = waste_code(connection, secret_key, now)
            _queue(connection, settings, "password", account, now, code=code, is_sent=False)
        note_asker(connection, secret_key, make_key(name), browser, now)


def mail_code_to_driver(
    connection: Connection, settings: Settings, secret_key: bytes, user_id: int, now: datetime
) -> bool:
    """Mail a code for a new password at an admin's wish; return whether the account is open, to which alone it goes.

    Raises TooManyTries: too many of them.
    """
    take_admin_mail(connection, secret_key, user_id, now)
    account = _find_account(connection, User.id == user_id)
    if account is None or account.confirmed_at is None:
        return False
    _mail_code(connection, settings, secret_key, account, now)
    return True


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
    client = widen(address) if address else None
    require_room(client, is_known=True)  # now, not once a try was counted
    with begin_writing(engine) as connection:
        count_try(connection, secret_key, make_key(name), browser, address, now)
        account = _find_by_name(connection, name)
        # Without an account, as for one that has no open code: 0 is nobody's.
        user_id = int(account.id) if account is not None else 0
        _, error = find_code(connection, secret_key, user_id, "password", code, now)
        if account is not None and error is None:
            require_no_username(password, account.username)  # raised, it takes back that a try was counted
    if account is None or error is not None:
        raise error or CodeExpired
    # Only now, for who has read the mailbox: guesses are to cost as little as they can.
    password_hash = hash_password(password, client, is_known=True)
    with begin_writing(engine) as connection:
        account = _find_by_name(connection, name)
        if account is None or account.id != user_id:
            raise CodeExpired  # deleted, locked or renamed meanwhile
        _, error = spend_code(connection, secret_key, user_id, "password", code, now)
        if error is not None:
            raise error  # spent meanwhile, in another tab
        require_no_username(password, account.username)
        set_password(connection, user_id, password_hash)
        if not account.has_confirmed_email:
            confirm(connection, user_id, now)
        close_sessions(connection, user_id)
        forget_failures(
            connection,
            [
                hash_subject(secret_key, "own", str(user_id)),
                *list_pairs(secret_key, str(user_id), address, "own_pair"),
                *(
                    found
                    for key in (account.username_key, account.email_key)
                    for found in (
                        *list_pairs(secret_key, key, address),
                        *(hash_subject(secret_key, kind, key) for kind in ("login", "code", "code_unknown")),
                    )
                ),
            ],
        )
        if address:
            remember_address(connection, secret_key, user_id, address, now)
        _queue(connection, settings, "password_changed", account, now)
    return user_id


def set_password(connection: Connection, user_id: int, password_hash: str) -> None:
    """Store the hash of a new password; what was proved with the old one counts no more, but the sessions there are."""
    connection.execute(update(Credential).where(Credential.user_id == user_id).values(password_hash=password_hash))
    end_codes(connection, user_id)
    forget_addresses(connection, user_id)


def _find_by_name(connection: Connection, name: str) -> Account | None:
    key = make_key(name)
    return _find_account(connection, or_(User.email_key == key, User.username_key == key))


def _find_account(connection: Connection, which: ColumnElement[bool]) -> Account | None:
    return connection.execute(
        select(
            User.id,
            User.username,
            User.username_key,
            User.email,
            User.email_key,
            User.name,
            User.language,
            Credential.confirmed_at,
            HAS_CONFIRMED_EMAIL,
        )
        .join(Credential, Credential.user_id == User.id)
        .where(which, Credential.locked_at.is_(None))
    ).first()


def _may_mail(
    connection: Connection, secret_key: bytes, account: Account | None, name: str, address: str | None, now: datetime
) -> bool:
    """Say whether a visitor at this address may have one more mail sent to this account, or to nobody."""
    user_id = account.id if account is not None else 0
    if address is not None and is_known_address(connection, secret_key, user_id, address, now):
        return True
    mailbox = (account is not None and account.email) or name
    is_known = account is not None and account.has_confirmed_email
    recipient = mailbox if "@" in mailbox else f"{mailbox}@nowhere.invalid"
    return may_mail(connection, secret_key, recipient, address, now, is_known=is_known)


def _mail_code(connection: Connection, settings: Settings, secret_key: bytes, account: Account, now: datetime) -> None:
    code = issue_code(connection, secret_key, account.id, "password", now)
    _queue(connection, settings, "password", account, now, code=code)


def _queue(
    connection: Connection,
    settings: Settings,
    kind: Kind,
    account: Account | None,
    now: datetime,
    *,
    code: str = "",
    is_sent: bool = True,
) -> None:
    """Queue a mail to the stored address of an account; where there is none, or it is not to be sent, to nobody."""
    is_confirmed = account is not None and account.has_confirmed_email
    queue_message(
        connection,
        settings,
        kind,
        recipient=account.email if account is not None and is_sent else "",
        language=account.language if account is not None else "fr",
        now=now,
        person=Person(account.name, account.username) if account is not None and is_confirmed else None,
        code=code,
        user_id=account.id if account is not None else None,
    )
