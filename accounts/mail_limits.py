"""How many mails may be asked for, by the hour and by the day.

A stranger may have mails sent to anyone, so that each client (the address of a browser), each driver and each mailbox
has limits of its own. What is counted for a name is counted for the client that typed it: else whoever asks for mails
to a driver would keep that driver from getting one. A mailbox is protected from many clients by a limit of which nobody
is told, for it is one for all names of an account; and which does not count where the driver has logged in before.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from accounts.identity import make_key, make_mailbox_key
from accounts.limits import DAY, HOUR, Quota, count_within
from errors import TooManyTries

UNKNOWN_SHARE = 10  # clients whose address isn't known count as one, which may ask so many times as much

Kind = Literal[
    "client",
    "client_name",
    "client_mailbox",
    "driver",
    "driver_change",
    "driver_mailbox",
    "mailbox",
    "new_mailbox",
    "admin",
]


class Limit(NamedTuple):
    """How many in an hour and in a day."""

    hourly: int
    daily: int


LIMITS: Mapping[Kind, Limit] = {
    "client": Limit(20, 100),  # all that one client asks for
    "client_name": Limit(5, 10),  # what one client asks for with one name or address
    "client_mailbox": Limit(5, 10),  # what one client has sent to one mailbox, whatever names it typed
    "driver": Limit(5, 10),  # codes for a new address that one driver asks for
    "driver_change": Limit(10, 20),  # changes of the password of one driver, who is told of each
    "driver_mailbox": Limit(10, 20),  # such codes to one mailbox, of all drivers
    "mailbox": Limit(20, 60),  # all that visitors have sent to one driver, from where they never logged in
    "new_mailbox": Limit(10, 20),  # all that visitors have sent to the mailbox of nobody who has confirmed it
    "admin": Limit(5, 20),  # resets that admins send to one account
}


def take_visitor_mail(connection: Connection, secret_key: bytes, name: str, address: str | None, now: datetime) -> None:
    """Let a visitor at this address (None: not known) ask for a mail with a username or an e-mail address.

    Raises TooManyTries: this client has asked too often, with this name or in all; whether or not there is an account.
    """
    _take_client(connection, secret_key, address, now)
    counted = make_mailbox_key(name) if "@" in name else make_key(name)
    _take(connection, secret_key, "client_name", f"{address or ''}|{counted}", now)


def take_driver_mail(
    connection: Connection, secret_key: bytes, user_id: int, email: str, address: str | None, now: datetime
) -> None:
    """Let a driver who is logged in have a code mailed to an address that is to become theirs.

    Raises TooManyTries: this driver or this client has asked too often, or drivers have for this mailbox.
    """
    _take_client(connection, secret_key, address, now)
    if address:
        _take(connection, secret_key, "client_name", f"{address}|{make_mailbox_key(email)}", now)
    _take(connection, secret_key, "driver", str(user_id), now)
    _take(connection, secret_key, "driver_mailbox", make_mailbox_key(email), now)


def take_driver_change(connection: Connection, secret_key: bytes, user_id: int, now: datetime) -> None:
    """Let a driver change what they are told of by mail. Raises TooManyTries: too often."""
    _take(connection, secret_key, "driver_change", str(user_id), now)


def take_admin_mail(connection: Connection, secret_key: bytes, user_id: int, now: datetime) -> None:
    """Let an admin have a mail sent to an account. Raises TooManyTries: too many of them."""
    _take(connection, secret_key, "admin", str(user_id), now)


def may_mail(
    connection: Connection, secret_key: bytes, email: str, address: str | None, now: datetime, *, is_known: bool
) -> bool:
    """Say whether one more mail that a visitor at this address asked for may go to a mailbox, and count it.

    `is_known`: the e-mail address is that of a driver, who has confirmed it.

    Nobody is to be told: it would tell which username and which address are of one account.
    """
    mailbox = make_mailbox_key(email)
    if address and _count(connection, secret_key, "client_mailbox", f"{address}|{mailbox}", now):
        return False
    return _count(connection, secret_key, "mailbox" if is_known else "new_mailbox", mailbox, now) == 0


def list_subjects(secret_key: bytes, user_id: int, email: str) -> list[str]:
    """Return under what mails are counted for an account alone, to be forgotten with it."""
    subjects: dict[Kind, str] = dict.fromkeys(("driver", "driver_change", "admin"), str(user_id))
    subjects |= dict.fromkeys(("driver_mailbox", "mailbox", "new_mailbox"), make_mailbox_key(email))
    return [_hash(secret_key, kind, subject, window) for kind, subject in subjects.items() for window in (HOUR, DAY)]


def _take_client(connection: Connection, secret_key: bytes, address: str | None, now: datetime) -> None:
    _take(connection, secret_key, "client", address or "", now, share=1 if address else UNKNOWN_SHARE)


def _take(
    connection: Connection, secret_key: bytes, kind: Kind, subject: str, now: datetime, *, share: int = 1
) -> None:
    if wait_seconds := _count(connection, secret_key, kind, subject, now, share):
        raise TooManyTries(wait_seconds)


def _count(connection: Connection, secret_key: bytes, kind: Kind, subject: str, now: datetime, share: int = 1) -> float:
    # What the hour refuses takes nothing of the day.
    for window, most in zip((HOUR, DAY), LIMITS[kind], strict=True):
        if seconds := count_within(
            connection, _hash(secret_key, kind, subject, window), Quota(most * share, window), now
        ):
            return seconds
    return 0.0


def _hash(secret_key: bytes, kind: Kind, subject: str, window: timedelta) -> str:
    message = f"mail:{kind}:{window.days}:{subject}"
    return hmac.new(secret_key, message.encode(), hashlib.sha256).hexdigest()
