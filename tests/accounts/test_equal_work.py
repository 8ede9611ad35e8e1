"""Nothing that is done for a known name or address is left out, or done besides, for an unknown one.

Counted are statements, hashes and rows, for these take the time; how long they take is `python -m bench accounts`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import bcrypt
import pytest
from conftest import KEY, NOW, PASSWORD, MakeDriver
from sqlalchemy import Engine, event, func, select, update

from accounts.profile import ask_new_email
from accounts.recovery import mail_password_code, mail_username
from accounts.registration import Registration, confirm_account, mail_confirmation, register
from accounts.sessions import log_in
from db import begin_writing
from errors import AccountError, LoginRefused
from models import Attempt, Base, Credential, OutboxMail, User, VerificationCode
from settings import Settings

LATER = NOW + timedelta(hours=2)
CLIENTS = (f"192.0.2.{number}" for number in count(1))  # each asks for the first time
WHO = ("confirmed", "waiting", "locked", "locked.waiting")


@dataclass
class Work:
    """What was done: the first word of every statement, how many hashes were computed, which rows there are more."""

    statements: list[str] = field(default_factory=list)
    hashes: int = 0
    rows: dict[str, int] = field(default_factory=dict)


Measure = Callable[[Callable[[], object]], Work]


@pytest.fixture
def measure(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Give a function that says what work another one does."""

    def count_rows() -> dict[str, int]:
        with engine.connect() as connection:
            counts = {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in Base.metadata.sorted_tables
            }
        # A code for nobody is written where there are no accounts to refer to.
        counts["codes"] = counts.pop(VerificationCode.__tablename__) + counts.pop(Attempt.__tablename__)
        return counts

    def run(action: Callable[[], object]) -> Work:
        work = Work()
        before = count_rows()

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            work.statements.append(statement.split()[0])

        def count_hash(function: Callable[..., Any]) -> Callable[..., Any]:
            def hash_and_count(*arguments: Any) -> Any:
                work.hashes += 1
                return function(*arguments)

            return hash_and_count

        event.listen(engine, "before_cursor_execute", note)
        try:
            with monkeypatch.context() as patch:
                for name in ("hashpw", "checkpw"):
                    patch.setattr(bcrypt, name, count_hash(getattr(bcrypt, name)))
                action()
        finally:
            event.remove(engine, "before_cursor_execute", note)
        after = count_rows()
        work.rows = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        return work

    return run


@pytest.fixture
def _accounts(engine: Engine, mailing: Settings, make_driver: MakeDriver) -> None:
    """An account of every kind, by the name of which it is called."""
    for name in ("confirmed", "locked"):
        make_driver(name)
    for name in ("waiting", "locked.waiting"):
        form = Registration(name, f"{name}@mailbox.org", name, PASSWORD)
        register(engine, mailing, KEY, form, address=None, now=NOW)
    with begin_writing(engine) as connection:
        locked = select(User.id).where(User.username.in_(["locked", "locked.waiting"]))
        connection.execute(update(Credential).where(Credential.user_id.in_(locked)).values(locked_at=NOW))


@pytest.mark.usefixtures("_accounts")
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("write", ["{}", "{}@mailbox.org"])
def test_a_code_for_a_name_without_an_account_is_as_much_work(
    engine: Engine, mailing: Settings, measure: Measure, who: str, write: str
) -> None:
    def ask(name: str) -> Work:
        client = next(CLIENTS)
        return measure(lambda: mail_password_code(engine, mailing, KEY, write.format(name), address=client, now=LATER))

    for name in (who, "nobody"):  # so that each mailbox is asked for once more
        ask(name)
    assert ask(who) == ask("nobody")


@pytest.mark.usefixtures("_accounts")
@pytest.mark.parametrize("who", WHO)
def test_a_username_for_an_address_without_an_account_is_as_much_work(
    engine: Engine, mailing: Settings, measure: Measure, who: str
) -> None:
    def ask(name: str) -> Work:
        client = next(CLIENTS)
        return measure(lambda: mail_username(engine, mailing, KEY, f"{name}@mailbox.org", address=client, now=LATER))

    for name in (who, "nobody"):
        ask(name)
    assert ask(who) == ask("nobody")


@pytest.mark.usefixtures("_accounts")
@pytest.mark.parametrize("who", [*WHO, "without.mail"])
def test_a_registration_with_a_known_address_is_as_much_work_and_so_is_all_that_follows(
    engine: Engine, mailing: Settings, settings: Settings, measure: Measure, who: str
) -> None:
    form = Registration("without.mail", "without.mail@mailbox.org", "x", PASSWORD)
    register(engine, settings, KEY, form, address=None, now=NOW)

    def list_work(email: str) -> list[Work]:
        name = f"new.{email.partition('@')[0]}"
        mail_username(engine, mailing, KEY, email, address=next(CLIENTS), now=LATER)
        client = next(CLIENTS)
        opened: list[int] = []

        def open_account() -> None:
            form = Registration(name, email, "New", "some other password")
            opened.append(register(engine, mailing, KEY, form, address=client, now=LATER).user_id)

        def guess() -> None:
            with suppress(AccountError):
                confirm_account(engine, KEY, opened[0], "AAAAAAAA", LATER)

        def send_again() -> None:
            mail_confirmation(engine, mailing, KEY, opened[0], email, address=client, now=LATER)

        def log_in_with_code() -> None:
            with suppress(LoginRefused):
                log_in(engine, KEY, name, "some other password", code="AAAAAAAA", address=client, now=LATER)

        def recover() -> None:
            mail_password_code(engine, mailing, KEY, name, address=client, now=LATER)

        done = [measure(action) for action in (open_account, guess, send_again, log_in_with_code)]
        recover()
        return [*done, measure(recover)]

    known, unknown = list_work(f"{who}@mailbox.org"), list_work("nobody@mailbox.org")
    if who == "waiting":  # it makes way: its rows go
        known[0].rows = unknown[0].rows
    assert known == unknown
    assert unknown[0].hashes == 1


@pytest.mark.usefixtures("_accounts")
@pytest.mark.parametrize("who", WHO)
def test_a_change_to_a_known_address_is_as_much_work(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, measure: Measure, who: str
) -> None:
    eve = make_driver("eve")

    def ask(name: str) -> Work:
        email, client = f"{name}@mailbox.org", next(CLIENTS)
        return measure(lambda: ask_new_email(engine, mailing, KEY, eve, email, PASSWORD, address=client, now=LATER))

    ask("stranger")
    for name in (who, "nobody"):
        ask(name)
    assert ask(who) == ask("nobody")


def test_a_mail_to_nobody_waits_as_long_as_any_and_is_never_sent_nor_told_of(
    engine: Engine, mailing: Settings, make_driver: MakeDriver
) -> None:
    make_driver("ada")
    for name in ("ada", "nobody"):
        mail_password_code(engine, mailing, KEY, name, address=None, now=LATER)
    with engine.connect() as connection:
        *_, to_ada, to_nobody = connection.execute(select(OutboxMail.__table__).order_by(OutboxMail.id)).all()
    assert (to_ada.recipient, to_nobody.recipient) == ("ada@mailbox.org", "")
    for mail in (to_ada, to_nobody):
        assert mail.next_try_at > mail.created_at == LATER
        assert mail.expires_at == to_ada.expires_at
