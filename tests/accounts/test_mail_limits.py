"""How many mails may be asked for, and who is kept from asking by whom."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from conftest import KEY, NOW, PASSWORD, MakeDriver, ReadMails, find_code
from sqlalchemy import Engine

from accounts import admin
from accounts.audit import Actor
from accounts.mail_limits import LIMITS, UNKNOWN_SHARE
from accounts.profile import ask_new_email, change_password
from accounts.recovery import mail_password_code, mail_username, reset_password
from accounts.registration import Registration, confirm_account, mail_confirmation, register
from accounts.sessions import log_in
from db import begin_writing
from errors import AccountError, CodeWrong, EmailTaken, TooManyTries
from settings import Settings

HERE, ELSEWHERE = "192.0.2.1", "198.51.100.1"
HOURS = 30
LATER = NOW + timedelta(hours=1)  # past what opening the accounts has counted
FORM = Registration("new", "new@mailbox.org", "New", PASSWORD)


class Asking:
    """Asks for mails and counts what comes."""

    def __init__(self, engine: Engine, mailing: Settings, read_mails: ReadMails) -> None:
        self.engine, self.mailing, self.read_mails = engine, mailing, read_mails

    def ask(self, name: str, address: str | None, now: datetime = LATER) -> bool:
        """Ask for a code; return whether one was mailed."""
        before = len(self.read_mails())
        mail_password_code(self.engine, self.mailing, KEY, name, address=address, now=now)
        return len(self.read_mails()) > before

    def exhaust(self, action: Callable[[], object], most: int = 1_000) -> int:
        """Do it until it is refused; return how often it was done."""
        for done in range(most):
            try:
                action()
            except TooManyTries:
                return done
        return most


@pytest.fixture
def asking(engine: Engine, mailing: Settings, read_mails: ReadMails) -> Asking:
    return Asking(engine, mailing, read_mails)


def test_one_client_gets_five_mails_an_hour_and_ten_a_day_for_a_name(asking: Asking, make_driver: MakeDriver) -> None:
    make_driver("ada")
    for name in ("ada", "nobody"):
        by_hour = [
            asking.exhaust(lambda name=name, hour=hour: asking.ask(name, HERE, LATER + timedelta(hours=hour)))  # type: ignore[misc]
            for hour in range(HOURS)
        ]
        assert by_hour == [5, 5, *[0] * 22, 5, 5, *[0] * 4]


def test_one_client_that_asks_for_many_names_is_stopped_too(asking: Asking) -> None:
    names = iter(f"name{number}" for number in range(1_000))
    by_hour = [
        asking.exhaust(lambda hour=hour: asking.ask(next(names), HERE, LATER + timedelta(hours=hour)))  # type: ignore[misc]
        for hour in range(8)
    ]
    assert by_hour == [20, 20, 20, 20, 20, 0, 0, 0]
    assert asking.exhaust(lambda: asking.ask(next(names), None)) == 20 * UNKNOWN_SHARE


def test_every_way_to_have_a_mail_sent_is_counted_for_its_client(
    asking: Asking, make_driver: MakeDriver, engine: Engine, mailing: Settings
) -> None:
    ada = make_driver("ada")
    waiting = register(engine, mailing, KEY, FORM, address=ELSEWHERE, now=LATER).user_id
    numbers = iter(range(1_000))

    def ask_new() -> None:
        email = f"new{next(numbers)}@mailbox.org"
        ask_new_email(engine, mailing, KEY, ada, email, PASSWORD, address=HERE, now=LATER)

    def open_account() -> None:
        number = next(numbers)
        form = replace(FORM, username=f"name{number}", email=f"name{number}@mailbox.org")
        register(engine, mailing, KEY, form, address=HERE, now=LATER)

    ways: dict[Callable[[], object], int] = {
        ask_new: LIMITS["driver"].hourly,
        lambda: asking.ask("ada", HERE): 5,
        lambda: mail_username(engine, mailing, KEY, "bob@mailbox.org", address=HERE, now=LATER): 5,
        lambda: mail_confirmation(engine, mailing, KEY, waiting, "new@mailbox.org", address=HERE, now=LATER): 4,
        open_account: 1,
    }
    for way, most in ways.items():
        assert asking.exhaust(way, most) == most
    for way in (open_account, lambda: asking.ask("carol", HERE)):
        assert asking.exhaust(way) == 0


def test_one_driver_gets_five_codes_for_new_addresses_an_hour_from_wherever(
    make_driver: MakeDriver, engine: Engine, mailing: Settings, read_mails: ReadMails, asking: Asking
) -> None:
    eve, bob = make_driver("eve"), make_driver("bob")
    numbers = iter(range(1_000))

    def ask_new(user_id: int, now: datetime = LATER) -> None:
        number = next(numbers)
        email, address = f"stranger{number}@mailbox.org", f"192.0.2.{number}"
        ask_new_email(engine, mailing, KEY, user_id, email, PASSWORD, address=address, now=now)

    before = len(read_mails())
    assert asking.exhaust(lambda: ask_new(eve)) == 5
    assert asking.exhaust(lambda: ask_new(eve, LATER + timedelta(hours=1))) == 5
    assert asking.exhaust(lambda: ask_new(eve, LATER + timedelta(hours=23))) == 0
    assert len(read_mails()) - before == 10
    assert asking.exhaust(lambda: ask_new(bob), 3) == 3


def test_a_stranger_who_asks_too_often_keeps_the_driver_from_no_mail(
    asking: Asking, make_driver: MakeDriver, engine: Engine, mailing: Settings, read_mails: ReadMails
) -> None:
    user_id = make_driver("ada", "ada@mailbox.org")
    for name in ("ada", "ada@mailbox.org", "ADA@MAILBOX.ORG."):
        asking.exhaust(lambda name=name: asking.ask(name, ELSEWHERE))  # type: ignore[misc]
        asking.exhaust(
            lambda name=name: mail_username(engine, mailing, KEY, name, address=ELSEWHERE, now=LATER)  # type: ignore[misc]
        )
    form = Registration("eve", "ada@mailbox.org", "Eve", PASSWORD)
    with suppress(TooManyTries):
        register(engine, mailing, KEY, form, address=ELSEWHERE, now=LATER)
    assert asking.ask("ada", HERE)
    code = find_code(read_mails()[-1].text)
    assert reset_password(engine, mailing, KEY, "ada", code, "another password", address=HERE, now=LATER) == user_id


def test_where_a_driver_has_logged_in_before_no_number_of_strangers_uses_up_the_mails(
    asking: Asking, make_driver: MakeDriver, engine: Engine
) -> None:
    make_driver("ada", "ada@mailbox.org")
    log_in(engine, KEY, "ada", PASSWORD, address=HERE, now=NOW)
    mailed = [asking.ask("ada", f"198.51.100.{number}") for number in range(LIMITS["mailbox"].hourly + 5)]
    assert mailed == [True] * LIMITS["mailbox"].hourly + [False] * 5
    assert not asking.ask("ada@mailbox.org", "203.0.113.1"), "told apart from the username, the two would be linked"
    assert asking.ask("ada", HERE)


def test_what_an_hour_refuses_takes_nothing_of_the_day(asking: Asking, make_driver: MakeDriver) -> None:
    make_driver("ada")
    most = LIMITS["mailbox"]
    for hour in range(most.daily // most.hourly):
        now = LATER + timedelta(hours=hour)
        mailed = [asking.ask("ada", f"198.51.{hour}.{number}", now) for number in range(most.daily + 5)]
        assert mailed.count(True) == most.hourly


def test_one_client_gets_no_more_by_typing_every_name_of_an_account(
    asking: Asking, make_driver: MakeDriver, engine: Engine, mailing: Settings
) -> None:
    make_driver("ada", "ada@mailbox.org")
    before = len(asking.read_mails())
    for name in ("ada", "ada@mailbox.org"):
        asking.exhaust(lambda name=name: asking.ask(name, HERE))  # type: ignore[misc]
    assert len(asking.read_mails()) - before == LIMITS["client_mailbox"].hourly

    register(engine, mailing, KEY, FORM, address=HERE, now=LATER)
    for name in ("new", "new@mailbox.org"):
        asking.exhaust(lambda name=name: asking.ask(name, HERE))  # type: ignore[misc]
    assert len(asking.read_mails()) - before == 2 * LIMITS["client_mailbox"].hourly


def test_without_a_mail_server_a_driver_can_ask_after_few_addresses_too(
    asking: Asking, make_driver: MakeDriver, engine: Engine, settings: Settings
) -> None:
    eve = make_driver("eve")
    make_driver("ada", "ada@mailbox.org")

    def probe() -> None:
        with suppress(EmailTaken):
            ask_new_email(engine, settings, KEY, eve, "ada@mailbox.org", PASSWORD, address=HERE, now=LATER)

    assert asking.exhaust(probe) == LIMITS["driver"].hourly


def test_a_code_stays_good_while_no_more_are_mailed(
    asking: Asking, make_driver: MakeDriver, engine: Engine, mailing: Settings, read_mails: ReadMails
) -> None:
    user_id = make_driver("ada")
    for number in range(LIMITS["mailbox"].hourly):
        asking.ask("ada", f"198.51.100.{number}")
    code = find_code(read_mails()[-1].text)
    assert not asking.ask("ada", "203.0.113.1")
    assert reset_password(engine, mailing, KEY, "ada", code, "another password", address=HERE, now=LATER) == user_id


@pytest.mark.parametrize("write", ["ada@mailbox.org", "ADA@MailBox.org", "ada+{}@mailbox.org", "ada@mailbox。org"])
def test_ways_to_write_one_mailbox_are_counted_as_one(
    engine: Engine, mailing: Settings, read_mails: ReadMails, write: str
) -> None:
    for number in range(LIMITS["mailbox"].hourly + 5):
        form = Registration(f"name{number}", write.format(number), "x", PASSWORD)
        register(engine, mailing, KEY, form, address=f"192.0.2.{number}", now=NOW)
    forms = [Registration("other", email, "x", PASSWORD) for email in ("ada@mailbox.org", "bob@mailbox.org")]
    mailed = []
    for form in forms:
        before = len(read_mails())
        user_id = register(engine, mailing, KEY, form, address="203.0.113.1", now=NOW).user_id
        mailed.append(any(mail.user_id == user_id for mail in read_mails()))
        with pytest.raises(CodeWrong):
            confirm_account(engine, KEY, user_id, "AAAAAAAA", NOW)
        assert len(read_mails()) <= before + 1
    assert mailed == [False, True]


def test_strangers_keep_no_driver_from_a_new_address(
    asking: Asking, make_driver: MakeDriver, engine: Engine, mailing: Settings, read_mails: ReadMails
) -> None:
    ada, eve = make_driver("ada"), make_driver("eve")
    for number in range(LIMITS["mailbox"].hourly + 1):
        asking.ask("new@mailbox.org", f"198.51.100.{number}")
        with suppress(AccountError):
            form = replace(FORM, username=f"eve{number}")
            register(engine, mailing, KEY, form, address=f"203.0.113.{number}", now=LATER)
    asking.exhaust(
        lambda: ask_new_email(engine, mailing, KEY, eve, "new@mailbox.org", PASSWORD, address=ELSEWHERE, now=LATER)
    )
    ask_new_email(engine, mailing, KEY, ada, "new@mailbox.org", PASSWORD, address=HERE, now=LATER)
    assert (read_mails()[-1].recipient, read_mails()[-1].user_id) == ("new@mailbox.org", ada)


def test_no_number_of_drivers_fills_a_mailbox(
    asking: Asking, make_driver: MakeDriver, engine: Engine, mailing: Settings, read_mails: ReadMails
) -> None:
    drivers = [make_driver(f"driver{number}") for number in range(6)]
    before = len(read_mails())
    for number, user_id in enumerate(drivers):
        asking.exhaust(
            lambda user_id=user_id, number=number: ask_new_email(  # type: ignore[misc]
                engine, mailing, KEY, user_id, "new@mailbox.org", PASSWORD, address=f"192.0.2.{number}", now=LATER
            )
        )
    assert len(read_mails()) - before == LIMITS["driver_mailbox"].hourly


def test_changes_of_a_password_are_limited(
    asking: Asking, make_driver: MakeDriver, engine: Engine, mailing: Settings
) -> None:
    ada = make_driver("ada")
    passwords = [PASSWORD, "another long password"]

    def change() -> None:
        change_password(engine, mailing, KEY, ada, *passwords, session_id="", now=LATER)
        passwords.reverse()

    assert asking.exhaust(change) == LIMITS["driver_change"].hourly


def test_an_admin_can_send_a_reset_whatever_strangers_ask_for_but_not_without_end(
    asking: Asking, make_driver: MakeDriver, engine: Engine, mailing: Settings, read_mails: ReadMails
) -> None:
    ada = make_driver("ada")
    for number in range(LIMITS["mailbox"].hourly + 1):
        asking.ask("ada", f"198.51.100.{number}")
    before = len(read_mails())

    def send() -> None:
        with begin_writing(engine) as connection:
            admin.mail_reset(connection, mailing, KEY, Actor(77, "boss"), ada, LATER)

    assert asking.exhaust(send) == LIMITS["admin"].hourly
    assert len(read_mails()) - before == LIMITS["admin"].hourly
