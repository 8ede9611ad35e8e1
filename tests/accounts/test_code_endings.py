"""What ends the codes of an account: every change of its password or address, by whomever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import bcrypt
import pytest
from conftest import KEY, NOW, PASSWORD, MakeDriver, ReadMails, find_code
from sqlalchemy import Engine, func, select

from accounts import admin
from accounts.addresses import is_known_address
from accounts.audit import Actor
from accounts.passwords import hash_password
from accounts.privacy import erase_account
from accounts.profile import ask_new_email, change_password, confirm_new_email, find_new_email, get_profile
from accounts.recovery import mail_password_code, reset_password, set_password
from accounts.registration import Registration, confirm_account, register
from accounts.sessions import log_in
from db import begin_writing
from errors import AccountError, CodeExpired, LoginRefused, PasswordWrong
from models import OutboxMail, VerificationCode
from settings import Settings

NEW_PASSWORD = "another long password"
THIRD_PASSWORD = "and one more password"
BOSS = Actor(77, "boss")
LATER = NOW + timedelta(minutes=1)

Act = Callable[["Account"], None]


class Account:
    """Ada's account, and what can be done to it."""

    def __init__(self, engine: Engine, mailing: Settings, settings: Settings, user_id: int, read: ReadMails) -> None:
        self.engine, self.mailing, self.settings, self.user_id = engine, mailing, settings, user_id
        self.read_mails = read

    def ask_reset(self) -> str:
        mail_password_code(self.engine, self.mailing, KEY, "ada", address=None, now=LATER)
        return find_code(self.read_mails()[-1].text)

    def ask_email(self, email: str = "new@mailbox.org") -> str:
        ask_new_email(self.engine, self.mailing, KEY, self.user_id, email, PASSWORD, address=None, now=LATER)
        return find_code(self.read_mails()[-1].text)

    def spend_reset(self, code: str, password: str = THIRD_PASSWORD) -> None:
        reset_password(self.engine, self.mailing, KEY, "ada", code, password, address=None, now=LATER)

    def spend_email(self, code: str) -> None:
        confirm_new_email(self.engine, self.mailing, KEY, self.user_id, code, LATER)

    def change_password(self) -> None:
        change_password(self.engine, self.mailing, KEY, self.user_id, PASSWORD, NEW_PASSWORD, session_id="", now=LATER)

    def recover(self) -> None:
        self.spend_reset(self.ask_reset(), NEW_PASSWORD)

    def change_email(self) -> None:
        self.spend_email(self.ask_email("newer@mailbox.org"))

    def change_email_without_mails(self) -> None:
        ask_new_email(
            self.engine, self.settings, KEY, self.user_id, "newer@mailbox.org", PASSWORD, address=None, now=LATER
        )

    def lock_and_unlock(self) -> None:
        with begin_writing(self.engine) as connection:
            admin.lock_account(connection, BOSS, self.user_id, LATER)
            admin.unlock_account(connection, BOSS, self.user_id, LATER)

    def erase(self) -> None:
        erase_account(self.engine, self.mailing, KEY, self.user_id, PASSWORD, LATER)

    def erase_by_admin(self) -> None:
        with begin_writing(self.engine) as connection:
            admin.erase_account(connection, self.mailing, KEY, BOSS, self.user_id, LATER)


@pytest.fixture
def account(
    engine: Engine, mailing: Settings, settings: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> Account:
    return Account(engine, mailing, settings, make_driver("ada", "ada@mailbox.org"), read_mails)


CODES: dict[str, tuple[Callable[[Account], str], Callable[[Account, str], None]]] = {
    "password": (Account.ask_reset, Account.spend_reset),
    "email": (Account.ask_email, Account.spend_email),
}
CHANGES: dict[str, Act] = {
    "password": Account.change_password,
    "recovery": Account.recover,
    "email": Account.change_email,
    "email, without mails": Account.change_email_without_mails,
    "lock": Account.lock_and_unlock,
    "erasure": Account.erase,
    "erasure by an admin": Account.erase_by_admin,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize(("ask", "spend"), CODES.values(), ids=CODES)
def test_every_change_of_password_or_address_ends_every_open_code_and_its_mail(
    account: Account, ask: Callable[[Account], str], spend: Callable[[Account, str], None], change: Act
) -> None:
    code = ask(account)
    change(account)
    with account.engine.connect() as connection:
        open_codes = connection.execute(
            select(func.count()).select_from(VerificationCode).where(VerificationCode.user_id == account.user_id)
        ).scalar_one()
        unsent = connection.scalars(select(OutboxMail.text)).all()
    assert open_codes == 0
    assert not [text for text in unsent if code in text]
    with pytest.raises(AccountError) as caught:
        spend(account, code)
    assert isinstance(caught.value, CodeExpired)


def test_a_code_mailed_to_the_old_address_takes_no_account_over(account: Account) -> None:
    new_code = account.ask_email()
    code = account.ask_reset()  # to the old address
    account.spend_email(new_code)
    account_after = log_in(account.engine, KEY, "new@mailbox.org", PASSWORD, address=None, now=LATER)
    with pytest.raises(CodeExpired):
        account.spend_reset(code)
    with pytest.raises(LoginRefused):
        log_in(account.engine, KEY, "ada", THIRD_PASSWORD, address=None, now=LATER)
    assert account_after == account.user_id


def test_a_password_set_by_a_code_ends_the_code_that_confirms_the_account(
    engine: Engine, mailing: Settings, read_mails: ReadMails
) -> None:
    form = Registration("ada", "ada@mailbox.org", "Ada", PASSWORD)
    user_id = register(engine, mailing, KEY, form, address=None, now=NOW).user_id
    code = find_code(read_mails()[-1].text)
    mail_password_code(engine, mailing, KEY, "ada", address=None, now=NOW)
    reset = find_code(read_mails()[-1].text)
    reset_password(engine, mailing, KEY, "ada", reset, NEW_PASSWORD, address=None, now=LATER)
    with pytest.raises(CodeExpired):
        confirm_account(engine, KEY, user_id, code, LATER)
    assert not [mail for mail in read_mails() if code in mail.text]


def test_a_registration_that_is_replaced_takes_the_mail_of_its_code_along(
    engine: Engine, mailing: Settings, read_mails: ReadMails
) -> None:
    for name in ("ada", "adele"):
        form = Registration(name, "ada@mailbox.org", "Ada", PASSWORD)
        register(engine, mailing, KEY, form, address=None, now=NOW)
    assert len(read_mails()) == 1


def test_what_another_account_changes_leaves_the_codes_of_this_one_alone(
    account: Account, make_driver: MakeDriver
) -> None:
    eve = make_driver("eve")
    engine, mailing = account.engine, account.mailing
    code = account.ask_reset()
    ask_new_email(engine, mailing, KEY, eve, "ada@mailbox.org", PASSWORD, address=None, now=LATER)
    change_password(engine, mailing, KEY, eve, PASSWORD, NEW_PASSWORD, session_id="", now=LATER)
    assert [mail.recipient for mail in account.read_mails() if code in mail.text] == ["ada@mailbox.org"]
    account.spend_reset(code)


def test_where_a_password_of_before_was_proved_a_driver_is_no_longer_known(account: Account) -> None:
    def list_known() -> list[str]:
        with account.engine.connect() as connection:
            places = ("192.0.2.1", "192.0.2.2")
            return [one for one in places if is_known_address(connection, KEY, account.user_id, one, LATER)]

    for address in ("192.0.2.1", "192.0.2.2"):
        log_in(account.engine, KEY, "ada", PASSWORD, address=address, now=LATER)
    assert list_known() == ["192.0.2.1", "192.0.2.2"]
    change_password(
        account.engine,
        account.mailing,
        KEY,
        account.user_id,
        PASSWORD,
        NEW_PASSWORD,
        session_id="",
        address="192.0.2.2",
        now=LATER,
    )
    assert list_known() == ["192.0.2.2"]
    account.spend_reset(account.ask_reset())
    assert list_known() == []


@pytest.mark.parametrize("asks", ["email", "password", "erasure"])
def test_a_password_that_changes_while_it_is_checked_proves_nothing(
    account: Account, asks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, new_hash = bcrypt.checkpw, hash_password(NEW_PASSWORD, None)

    def check_then_change(password: bytes, hashed: bytes) -> bool:
        is_right = check(password, hashed)
        monkeypatch.setattr(bcrypt, "checkpw", check)
        with begin_writing(account.engine) as connection:
            set_password(connection, account.user_id, new_hash)
        return is_right

    monkeypatch.setattr(bcrypt, "checkpw", check_then_change)
    acts: dict[str, Act] = {
        "email": lambda one: one.ask_email() and None,
        "password": Account.change_password,
        "erasure": Account.erase,
    }
    with pytest.raises(PasswordWrong):
        acts[asks](account)
    with account.engine.connect() as connection:
        assert find_new_email(connection, account.user_id) is None
        assert get_profile(connection, account.user_id).email == "ada@mailbox.org"
    assert log_in(account.engine, KEY, "ada", NEW_PASSWORD, address=None, now=LATER) == account.user_id


def test_a_registration_that_waits_keeps_no_driver_from_an_address_that_a_code_proved(account: Account) -> None:
    code = account.ask_email()
    form = Registration("eve", "new@mailbox.org", "Eve", PASSWORD)
    eve = register(account.engine, account.mailing, KEY, form, address=None, now=LATER).user_id
    confirmation = find_code(account.read_mails()[-1].text)
    account.spend_email(code)
    with pytest.raises(CodeExpired):
        confirm_account(account.engine, KEY, eve, confirmation, LATER)
    with account.engine.connect() as connection:
        assert get_profile(connection, account.user_id).email == "new@mailbox.org"
