"""Passwords: the rules for new ones, and checking them with bcrypt, whose hashes streamlit-authenticator shares."""

from __future__ import annotations

from functools import lru_cache, partial

import bcrypt

from accounts.hashing import HashQueue
from accounts.identity import make_key
from errors import PasswordRefused

MIN_LENGTH = 10
MAX_BYTES = 72  # bcrypt takes no more
COMMON_COUNT = 10_000
ROUNDS = 12


def require_password(password: str, username: str) -> None:
    """Let a new password pass: length counts, not which kinds of characters are in it (NIST SP 800-63B).

    Raises PasswordRefused: as `require_strength`, or holding the username.
    """
    require_strength(password)
    require_no_username(password, username)


def require_strength(password: str) -> None:
    """Let a new password pass as far as can be said without knowing whose it is.

    Raises PasswordRefused: shorter than 10 characters, longer than 72 bytes, or among the 10,000 most common.
    """
    if len(password) < MIN_LENGTH:
        raise PasswordRefused("short")
    if len(password.encode()) > MAX_BYTES:
        raise PasswordRefused("long")
    if "\0" in password or password.lower() in _list_common():
        raise PasswordRefused("common")


def require_no_username(password: str, username: str) -> None:
    """Let a new password pass that does not hold the username. Raises PasswordRefused: it does."""
    if make_key(username) in make_key(password):
        raise PasswordRefused("username")


def hash_password(password: str, client: str | None = None, *, is_known: bool = False) -> str:
    """Return the bcrypt hash of a password; it takes a fifth of a second on purpose, and waits for the client's turn.

    `client` and `is_known` are as in `HashQueue.work`. Raises TooManyAtOnce.
    """
    job = partial(bcrypt.hashpw, password.encode(), bcrypt.gensalt(ROUNDS))
    return _get_queue().work(job, client, is_known=is_known).decode()


def check_password(
    password: str, password_hash: str | None, client: str | None = None, *, is_known: bool = False
) -> bool:
    """Say whether the password is right, with exactly one bcrypt check, also when there is no account (None).

    Nothing else takes as long as a check whatever the machine does besides, so that nobody can tell by the time.
    `client` and `is_known` are as in `HashQueue.work`. Raises TooManyAtOnce.
    """
    encoded = password.encode()
    fits = len(encoded) <= MAX_BYTES and b"\0" not in encoded
    job = partial(bcrypt.checkpw, encoded if fits else b"-", (password_hash or _get_idle_hash()).encode())
    is_right = _get_queue().work(job, client, is_known=is_known)
    return is_right and fits and password_hash is not None


def require_room(client: str | None, *, is_known: bool = False) -> None:
    """Let a client begin with what will hash a password. Raises TooManyAtOnce: the queue has no place for it."""
    _get_queue().require_room(client, is_known=is_known)


def prepare() -> None:
    """Make what the first check would otherwise have to, so that it takes no longer than any other."""
    _get_idle_hash()


@lru_cache(maxsize=1)
def _get_queue() -> HashQueue:
    """Return the one queue of this process: without it a flood of log-ins takes the cores from the pages."""
    return HashQueue()


@lru_cache(maxsize=1)
def _get_idle_hash() -> str:
    """Return the hash that is checked where there is no account, so that its absence takes as long."""
    return hash_password("nobody has this password")


@lru_cache(maxsize=1)
def _list_common() -> frozenset[str]:
    # Imported here: the lists of names and words beside it cost memory, which only registering should need.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(list(FREQUENCY_LISTS["passwords"])[:COMMON_COUNT])
