"""Log-in, and the sessions of browsers that are logged in: looked up on every rerun, ended at once."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, bindparam, delete, insert, or_, select, update

from accounts.addresses import is_known_address, remember_address
from accounts.codes import read_code, spend_code
from accounts.identity import make_key
from accounts.limits import (
    OF_ADDRESS,
    OF_PAIR,
    OF_SITE,
    OF_STRANGER,
    Counted,
    count_failure,
    forget_failures,
    hash_subject,
    list_pairs,
    require_no_pause,
    require_turn,
    take_back,
    take_turn,
    widen,
)
from accounts.passwords import check_password, require_room
from accounts.registration import confirm
from db import begin_writing
from errors import LoginRefused, TooManyAtOnce, TooManyGuesses, TooManyTries
from models import Credential, LoginSession, User

LASTING = timedelta(days=30)  # "stay logged in on this browser"
PASSING = timedelta(hours=12)
SEEN_EVERY = timedelta(hours=1)  # how exactly it is known when a session was last used


@dataclass(frozen=True)
class Driver:
    """Who is logged in, as of this rerun."""

    id: int
    username: str
    email: str
    name: str
    language: str
    role: str

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


@dataclass(frozen=True)
class RenewedSession:
    """A session under its new id: until when it lasts, and whether the browser keeps it when it is closed."""

    session_id: str
    expires_at: datetime
    is_lasting: bool


def log_in(
    engine: Engine,
    secret_key: bytes,
    name: str,
    password: str,
    *,
    code: str = "",
    address: str | None,
    now: datetime,
) -> int:
    """Return the id of the account that has this username or e-mail address, and this password.

    An account whose address was never confirmed also asks for the code that was mailed there, which opens it; of any
    other, `code` is not looked at.

    It takes the engine and not a transaction: checking a password takes a fifth of a second, in which no database may
    be held, and a failure is counted though it raises. `address` is the browser's, None when it isn't known.

    Failures are counted at the address from which they come, so that nobody elsewhere has to wait for them. What they
    add up to in a day is limited too (TooManyGuesses), but for addresses at which the account is known.

    Raises TooManyTries: a pause after failures is not over, or more is asked for than can be checked (TooManyAtOnce);
    the try is not counted.
    Raises LoginRefused: there is no such account, the password is another, the account is locked, or it is not
    confirmed and the code is not right; all take the same time, so that whoever guesses at a locked account does not
    learn its password, and whoever registers does not learn whether the address had an account.
    Raises CodeMalformed: what was typed is no code, whatever the account.
    """
    if code:
        read_code(code)
    name_key = make_key(name)
    client = widen(address) if address else None
    with engine.connect() as connection:  # who is refused takes no turn of those who write
        is_known = _admit(connection, secret_key, name_key, address, now).is_known
    require_room(client, is_known=is_known)
    with begin_writing(engine) as connection:
        admission = _admit(connection, secret_key, name_key, address, now)
        # Counted before it is known, so that a hundred guesses sent at once are not all of them the first.
        count_failure(connection, admission.counted, now)
        if admission.day_key is not None:
            take_turn(connection, secret_key, "login", name_key, now)
    account, is_known = admission.account, admission.is_known
    of_others = [key for key in (*admission.shared, admission.day_key) if key is not None]
    try:
        is_right = check_password(
            password, account.password_hash if account is not None else None, client, is_known=is_known
        )
    except TooManyAtOnce:
        with begin_writing(engine) as connection:
            take_back(connection, [*admission.counted, *of_others], now)
        raise
    if account is None or not is_right or account.locked_at is not None or not (account.confirmed_at or code):
        raise LoginRefused
    user_id = account.user_id
    with begin_writing(engine) as connection:
        current = _find_account(connection, name_key)
        if current is None or current.password_hash != account.password_hash or current.locked_at is not None:
            raise LoginRefused  # changed, locked, or deleted with the account, while it was checked
        is_open = current.confirmed_at is not None or _open_by_code(connection, secret_key, user_id, code, now)
        if is_open:
            # Those under its other name as well: only failures in a row make the driver wait.
            for own_key in (current.username_key, current.email_key):
                forget_failures(connection, list_pairs(secret_key, own_key, address))
            # No more than this try: who has an account could else wipe out what was counted for guesses at others, and
            # who guesses would gain by each log-in of the driver.
            take_back(connection, of_others, now)
            if address:
                remember_address(connection, secret_key, user_id, address, now)
    if not is_open:
        raise LoginRefused
    return int(user_id)


def open_session(connection: Connection, user_id: int, *, is_lasting: bool, browser: str, now: datetime) -> str:
    """Open a session for a driver and return its id, which only the browser's cookie keeps."""
    session_id = secrets.token_hex(32)
    connection.execute(
        insert(LoginSession).values(
            token_hash=hash_session_id(session_id),
            user_id=user_id,
            created_at=now,
            seen_at=now,
            expires_at=now + (LASTING if is_lasting else PASSING),
            browser=browser[:120],
        )
    )
    _note_seen(connection, Credential.user_id == user_id, now)
    return session_id


def find_driver(connection: Connection, session_id: str, now: datetime) -> Driver | None:
    """Return whose session this is; None when it is none, has ended or is over."""
    row = connection.execute(_select_driver(), {"hash": hash_session_id(session_id), "now": now}).first()
    return None if row is None else Driver(*row)


@cache
def _select_driver() -> Select[*tuple[Any, ...]]:
    """Build the query of every rerun once: that takes longer than asking it."""
    return (
        select(User.id, User.username, User.email, User.name, User.language, Credential.role)
        .join(LoginSession, LoginSession.user_id == User.id)
        .join(Credential, Credential.user_id == User.id)
        .where(
            LoginSession.token_hash == bindparam("hash"),
            LoginSession.expires_at > bindparam("now"),
            Credential.confirmed_at.is_not(None),
            Credential.locked_at.is_(None),
        )
    )


def mark_seen(engine: Engine, session_id: str, now: datetime) -> None:
    """Note that a session is used, at most once an hour, so that a rerun seldom writes.

    Raises DatabaseBusy or OperationalError: somebody else is writing at this moment. No page waits for that.
    """
    is_stale = (LoginSession.token_hash == hash_session_id(session_id), LoginSession.seen_at < now - SEEN_EVERY)
    with engine.connect() as connection:
        if connection.execute(select(LoginSession.token_hash).where(*is_stale)).first() is None:
            return
    with begin_writing(engine, seconds=0) as connection:
        # The driver first: afterwards the session is no longer stale.
        of_session = select(LoginSession.user_id).where(*is_stale)
        _note_seen(connection, Credential.user_id.in_(of_session), now)
        connection.execute(update(LoginSession).where(*is_stale).values(seen_at=now))


def renew_session(connection: Connection, session_id: str) -> RenewedSession | None:
    """Give a session another id, so that copies of its cookie no longer work.

    None: there is no such session any more.
    """
    new_id = secrets.token_hex(32)
    own = LoginSession.token_hash == hash_session_id(session_id)
    row = connection.execute(select(LoginSession.created_at, LoginSession.expires_at).where(own)).first()
    if row is None:
        return None
    connection.execute(update(LoginSession).where(own).values(token_hash=hash_session_id(new_id)))
    return RenewedSession(new_id, row.expires_at, is_lasting=row.expires_at - row.created_at > PASSING)


def close_session(connection: Connection, session_id: str) -> None:
    """Log out here."""
    connection.execute(delete(LoginSession).where(LoginSession.token_hash == hash_session_id(session_id)))


def close_sessions(connection: Connection, user_id: int, *, but: str | None = None) -> None:
    """Log out everywhere, or everywhere but in the session `but`."""
    statement = delete(LoginSession).where(LoginSession.user_id == user_id)
    if but is not None:
        statement = statement.where(LoginSession.token_hash != hash_session_id(but))
    connection.execute(statement)


def hash_session_id(session_id: str) -> str:
    """Return under what a session is stored: whoever reads the table can't log in with it."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def _open_by_code(connection: Connection, secret_key: bytes, user_id: int, code: str, now: datetime) -> bool:
    """Confirm an account by the code that was mailed to its address; return whether it was the right one."""
    _, error = spend_code(connection, secret_key, user_id, "confirm", code, now)
    if error is None:
        confirm(connection, user_id, now)
    return error is None


def _note_seen(connection: Connection, who: ColumnElement[bool], now: datetime) -> None:
    """Note with the account when its driver was here, for sessions end and go."""
    connection.execute(update(Credential).where(who).values(last_seen_at=now))


class _Admission(NamedTuple):
    """What is known before a password is checked."""

    account: Row[*tuple[Any, ...]] | None
    is_known: bool  # at this address
    counted: Counted  # where a failure counts
    shared: list[str]  # those of them that are not of this name alone
    day_key: str | None  # under what the failures of a day are counted as well


def _admit(connection: Connection, secret_key: bytes, name_key: str, address: str | None, now: datetime) -> _Admission:
    """Let a log-in be tried. Raises TooManyTries, as `log_in`.

    Counted is the name that was typed and not the account: together, its names would tell a stranger which username and
    which e-mail address are of one account.
    """
    account = _find_account(connection, name_key)
    user_id = account.user_id if account is not None else 0
    pair, *stranger = list_pairs(secret_key, name_key, address)
    if address is None:
        admission = _Admission(account, False, {pair: OF_PAIR}, [], None)
    elif is_known_address(connection, secret_key, user_id, address, now):
        # Here only what is tried here, with this name, slows down: neither strangers who hammer the account from
        # elsewhere nor neighbours behind the same address can shut the driver out.
        admission = _Admission(account, True, {pair: OF_PAIR}, [], None)
    else:
        shared = {hash_subject(secret_key, "login_address", address): OF_ADDRESS}
        if (site := widen(address)) != address:
            shared[hash_subject(secret_key, "login_site", site)] = OF_SITE
        counted = {**dict.fromkeys(stranger, OF_STRANGER), **shared}
        admission = _Admission(account, False, counted, list(shared), hash_subject(secret_key, "login", name_key))
    require_no_pause(connection, admission.counted, now)
    if admission.day_key is not None:
        try:
            require_turn(connection, secret_key, "login", name_key, now)
        except TooManyTries as error:
            raise TooManyGuesses(error.wait_seconds) from error
    return admission


def _find_account(connection: Connection, name_key: str) -> Row[*tuple[Any, ...]] | None:
    return connection.execute(
        select(
            Credential.user_id,
            Credential.password_hash,
            Credential.confirmed_at,
            Credential.locked_at,
            User.username_key,
            User.email_key,
        )
        .join(User, User.id == Credential.user_id)
        .where(or_(User.username_key == name_key, User.email_key == name_key))
    ).first()
