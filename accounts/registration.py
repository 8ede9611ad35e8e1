"""Opening an account: register, confirm the address by a mailed code."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, not_, select, update

from accounts.codes import forget_code, issue_code, read_code, spend_code
from accounts.identity import make_key, read_email, read_name, read_username
from accounts.limits import take_turn, widen
from accounts.mail_limits import may_mail, take_visitor_mail
from accounts.messages import Person, queue_message
from accounts.passwords import hash_password, require_password, require_room
from db import begin_writing
from errors import AccountError, EmailTaken, UsernameTaken
from models import Credential, FollowedGasType, OutboxMail, User
from settings import Settings

DEFAULT_FUELS = (2, 5, 1)  # SP95, E10, Gazole
# Whether a mail has confirmed the address: not where an account was opened without one, at the moment it was made.
HAS_CONFIRMED_EMAIL = (Credential.confirmed_at != User.created_at).label("has_confirmed_email")

# Who waits for a code keeps neither name nor address; what an admin locked stays taken.
_IS_WAITING = Credential.confirmed_at.is_(None) & Credential.locked_at.is_(None)


@dataclass(frozen=True)
class Registration:
    """What a visitor typed to get an account."""

    username: str
    email: str
    name: str
    password: str
    fuels: tuple[int, ...] = DEFAULT_FUELS
    language: str = "fr"


@dataclass(frozen=True)
class Opening:
    """An account to be confirmed, or (`is_open`) one that can be used at once since no mail can be sent."""

    user_id: int
    is_open: bool


def check_registration(form: Registration) -> dict[str, AccountError]:
    """Return what is wrong at each field, before anything is looked up; nothing when all of them pass."""
    errors: dict[str, AccountError] = {}
    checks: dict[str, Callable[[], object]] = {
        "username": lambda: read_username(form.username),
        "email": lambda: read_email(form.email),
        "name": lambda: read_name(form.name),
        # A username that is none is not looked for in the password: one of a single letter is in most of them.
        "password": lambda: require_password(form.password, "\0" if "username" in errors else form.username),
    }
    for field, check in checks.items():
        try:
            check()
        except AccountError as error:
            errors[field] = error
    return errors


def register(
    engine: Engine, settings: Settings, secret_key: bytes, form: Registration, *, address: str | None, now: datetime
) -> Opening:
    """Open an account, to be confirmed by the code that is mailed to its address.

    Where the address has an account, its owner gets a mail that says so and the visitor the same answer as anyone, in
    the same time. To that end there is an account all the same, without an address, so that nobody is mailed its code:
    whatever is asked of it afterwards is answered as of any other that waits, with the same work. Until it is
    confirmed, an account can't log in and keeps neither name nor address. Where no mail can be sent, all that would
    help nobody and a known address is said openly.

    Raises UsernameTaken: usernames are no secret.
    Raises EmailTaken: another account has the address, and no mail server is set.
    Raises TooManyTries: too many registrations, or mails, from this browser's address; or more passwords are to be
    hashed than the server takes (TooManyAtOnce).
    Raises AccountError: as `check_registration`.
    """
    for error in check_registration(form).values():
        raise error
    email, username = read_email(form.email), read_username(form.username)
    client = widen(address) if address else None
    require_room(client)  # now, not once the limits have counted
    with begin_writing(engine) as connection:
        if address:
            take_turn(connection, secret_key, "register", address, now)
        if address is None or client != address:
            take_turn(connection, secret_key, "register_many", client or "", now)
        take_visitor_mail(connection, secret_key, email, address, now)
        # Nothing is freed yet: a registration that is refused for its username is to cost nobody else theirs.
        is_taken = connection.execute(
            select(User.id)
            .join(Credential, Credential.user_id == User.id)
            .where(User.username_key == make_key(username), not_(_IS_WAITING))
        ).first()
    if is_taken:
        # The username is asked first: it is no secret, and a visitor with a free one learns nothing of the address.
        raise UsernameTaken
    password_hash = hash_password(form.password, client)
    with begin_writing(engine) as connection:
        forget_unconfirmed(connection, make_key(username), make_key(email))
        if connection.execute(select(User.id).where(User.username_key == make_key(username))).first() is not None:
            raise UsernameTaken  # meanwhile
        owner = find_owner(connection, email)
        if owner is not None and not settings.can_mail:
            raise EmailTaken
        user_id = _insert_account(connection, form, username, email if owner is None else "", password_hash, now)
        if not settings.can_mail:
            confirm(connection, user_id, now)
            return Opening(user_id, is_open=True)
        is_known = owner is not None and owner.has_confirmed_email and owner.locked_at is None
        recipient = email if may_mail(connection, secret_key, email, address, now, is_known=is_known) else ""
        code = issue_code(connection, secret_key, user_id, "confirm", now)
        if owner is None:
            queue_message(
                connection,
                settings,
                "confirm",
                recipient=recipient,
                language=form.language,
                now=now,
                person=None,
                code=code,
                user_id=user_id,
            )
        else:
            queue_message(
                connection,
                settings,
                "known",
                recipient=owner.email if recipient and owner.confirmed_at is not None else "",
                language=owner.language,
                now=now,
                person=Person(owner.name, owner.username) if owner.has_confirmed_email else None,
            )
    return Opening(user_id, is_open=False)


def confirm_account(engine: Engine, secret_key: bytes, user_id: int, code: str, now: datetime) -> None:
    """Confirm the address of an account by the code that was mailed to it.

    Raises CodeMalformed: what was typed is no code.
    Raises CodeWrong or CodeExpired: a page should say the same for both.
    """
    read_code(code)
    with begin_writing(engine) as connection:
        _, error = spend_code(connection, secret_key, user_id, "confirm", code, now)
        if error is None:
            confirm(connection, user_id, now)
    if error is not None:
        raise error


def mail_confirmation(
    engine: Engine,
    settings: Settings,
    secret_key: bytes,
    user_id: int,
    email: str,
    *,
    address: str | None,
    now: datetime,
) -> None:
    """Mail a new code to an account that is not confirmed yet; nothing when it is, or when there is none.

    `email` is what was typed to get the account, `address` the browser's, None when it isn't known.

    Raises TooManyTries: this client has asked for too many mails, whether or not one is sent.
    """
    with begin_writing(engine) as connection:
        take_visitor_mail(connection, secret_key, email, address, now)
        row = connection.execute(
            select(User.email, User.language)
            .join(Credential, Credential.user_id == User.id)
            .where(User.id == user_id, Credential.confirmed_at.is_(None))
        ).first()
        # Where no mail may go, the code of before stays good.
        if row is not None and may_mail(connection, secret_key, email, address, now, is_known=False):
            queue_message(
                connection,
                settings,
                "confirm",
                recipient=row.email,
                language=row.language,
                now=now,
                person=None,
                code=issue_code(connection, secret_key, user_id, "confirm", now),
                user_id=user_id,
            )


def confirm(connection: Connection, user_id: int, now: datetime) -> None:
    """Mark an account as confirmed, so that its driver can log in."""
    connection.execute(update(Credential).where(Credential.user_id == user_id).values(confirmed_at=now))
    forget_code(connection, user_id, "confirm")


def find_owner(connection: Connection, email: str) -> Row[*tuple[Any, ...]] | None:
    """Return whose address it is."""
    return connection.execute(
        select(
            User.email,
            User.name,
            User.username,
            User.language,
            Credential.confirmed_at,
            Credential.locked_at,
            HAS_CONFIRMED_EMAIL,
        )
        .join(Credential, Credential.user_id == User.id)
        .where(User.email_key == make_key(email))
    ).first()


def _insert_account(
    connection: Connection, form: Registration, username: str, email: str, password_hash: str, now: datetime
) -> int:
    result = connection.execute(
        insert(User).values(
            username=username,
            username_key=make_key(username),
            email=email,
            # Without an address it has a key that nobody can type: none begins with a space.
            email_key=make_key(email) if email else f" {secrets.token_hex(16)}",
            name=read_name(form.name),
            language=form.language,
            created_at=now,
        )
    )
    user_id = int(result.inserted_primary_key[0])  # type: ignore[index]  # an insert of one row always has one
    connection.execute(insert(Credential).values(user_id=user_id, password_hash=password_hash, role="driver"))
    set_fuels(connection, user_id, form.fuels)
    return user_id


def set_fuels(connection: Connection, user_id: int, fuels: tuple[int, ...]) -> None:
    """Let a driver follow these fuels and no others."""
    connection.execute(delete(FollowedGasType).where(FollowedGasType.user_id == user_id))
    if fuels:
        connection.execute(
            insert(FollowedGasType), [{"user_id": user_id, "gastype_id": fuel_id} for fuel_id in sorted(set(fuels))]
        )


def forget_unconfirmed(connection: Connection, username_key: str | None = None, email_key: str | None = None) -> None:
    """Free a name and an address that someone took and has not confirmed.

    At once: of several who try an address, the one to open the account must be the one who reads its mailbox, with the
    password of that very registration; and a name that is kept for a while would tell that its address was free.
    """
    stale = (
        select(User.id)
        .join(Credential, Credential.user_id == User.id)
        .where((User.username_key == username_key) | (User.email_key == email_key), _IS_WAITING)
    )
    connection.execute(delete(OutboxMail).where(OutboxMail.user_id.in_(stale)))
    connection.execute(delete(User).where(User.id.in_(stale)))
