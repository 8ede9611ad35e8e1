"""Opening an account: register, confirm the address by a mailed code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from accounts.codes import forget_code, issue_code, read_code, spend_code
from accounts.identity import make_key, read_email, read_name, read_username
from accounts.limits import take_turn, widen
from accounts.messages import queue_message
from accounts.passwords import hash_password, require_password, require_room
from db import begin_writing
from errors import AccountError, CodeWrong, EmailTaken, UsernameTaken
from models import Credential, FollowedGasType, User
from settings import Settings

DEFAULT_FUELS = (2, 5, 1)  # SP95, E10, Gazole


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
    """An account to be confirmed, or (`is_open`) one that can be used at once since no mail can be sent.

    `user_id` is None where the address has an account already: the visitor sees the same as anyone.
    """

    user_id: int | None
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
    the same time; where no mail can be sent, that would help nobody and it is said openly. Nothing that can be asked
    afterwards tells the two apart: until it is confirmed, an account can't log in and keeps neither name nor address.

    Raises UsernameTaken: usernames are no secret.
    Raises EmailTaken: another account has the address, and no mail server is set.
    Raises TooManyTries: too many registrations from this browser's address, or mails to this e-mail address; or more
    passwords are to be hashed than the server takes (TooManyAtOnce).
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
        take_turn(connection, secret_key, "mail", make_key(email), now)
        forget_unconfirmed(connection, make_key(username), make_key(email))
        is_taken = connection.execute(select(User.id).where(User.username_key == make_key(username))).first()
    if is_taken:
        raise UsernameTaken
    password_hash = hash_password(form.password, client)
    try:
        with begin_writing(engine) as connection:
            user_id = _insert_account(connection, form, username, email, password_hash, now)
            if not settings.can_mail:
                confirm(connection, user_id, now)
                return Opening(user_id, is_open=True)
            _mail_code(connection, settings, secret_key, user_id, email, form.language, now)
    except IntegrityError:
        with begin_writing(engine) as connection:
            return _answer_taken(connection, settings, make_key(username), make_key(email), now)
    return Opening(user_id, is_open=False)


def confirm_account(engine: Engine, secret_key: bytes, user_id: int | None, code: str, now: datetime) -> None:
    """Confirm the address of an account by the code that was mailed to it; `user_id` as in `Opening`.

    Raises CodeMalformed: what was typed is no code.
    Raises CodeWrong or CodeExpired: a page should say the same for both, since None is always wrong.
    """
    read_code(code)
    if user_id is None:
        raise CodeWrong
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
    user_id: int | None,
    email: str,
    now: datetime,
) -> None:
    """Mail a new code to an account that is not confirmed yet; nothing when it is, or when there is none.

    `user_id` is as in `Opening`, `email` what was typed to get it.

    Raises TooManyTries: too many mails to this address in an hour, whether or not one is sent.
    """
    with begin_writing(engine) as connection:
        take_turn(connection, secret_key, "mail", make_key(email), now)
        row = connection.execute(
            select(User.email, User.language)
            .join(Credential, Credential.user_id == User.id)
            .where(User.id == user_id, Credential.confirmed_at.is_(None))
        ).first()
        if row is not None and user_id is not None:
            _mail_code(connection, settings, secret_key, user_id, row.email, row.language, now)


def confirm(connection: Connection, user_id: int, now: datetime) -> None:
    """Mark an account as confirmed, so that its driver can log in."""
    connection.execute(update(Credential).where(Credential.user_id == user_id).values(confirmed_at=now))
    forget_code(connection, user_id, "confirm")


def _mail_code(
    connection: Connection,
    settings: Settings,
    secret_key: bytes,
    user_id: int,
    email: str,
    language: str,
    now: datetime,
) -> None:
    code = issue_code(connection, secret_key, user_id, "confirm", now)
    queue_message(connection, settings, "confirm", recipient=email, language=language, now=now, name="", code=code)


def _insert_account(
    connection: Connection, form: Registration, username: str, email: str, password_hash: str, now: datetime
) -> int:
    result = connection.execute(
        insert(User).values(
            username=username,
            username_key=make_key(username),
            email=email,
            email_key=make_key(email),
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


def forget_unconfirmed(connection: Connection, username_key: str, email_key: str | None = None) -> None:
    """Free a name and an address that someone took and has not confirmed.

    At once: of several who try an address, the one to open the account must be the one who reads its mailbox, with the
    password of that very registration; and a name that is kept for a while would tell that its address was free.
    """
    stale = (
        select(User.id)
        .join(Credential, Credential.user_id == User.id)
        .where(
            (User.username_key == username_key) | (User.email_key == email_key),
            Credential.confirmed_at.is_(None),
            Credential.locked_at.is_(None),  # what an admin locked stays taken
        )
    )
    connection.execute(delete(User).where(User.id.in_(stale)))


def _answer_taken(
    connection: Connection, settings: Settings, username_key: str, email_key: str, now: datetime
) -> Opening:
    owner = connection.execute(
        select(User.id, User.name, User.username, User.email, User.language, Credential.confirmed_at)
        .join(Credential, Credential.user_id == User.id)
        .where(User.email_key == email_key)
    ).first()
    if owner is None or connection.execute(select(User.id).where(User.username_key == username_key)).first():
        # The username is asked first: it is no secret, and a visitor with a free one learns nothing of the address.
        raise UsernameTaken
    if not settings.can_mail:
        raise EmailTaken
    if owner.confirmed_at is not None:
        queue_message(
            connection,
            settings,
            "known",
            recipient=owner.email,
            language=owner.language,
            now=now,
            name=owner.name,
            username=owner.username,
        )
    return Opening(None, is_open=False)
