"""Forgotten usernames and passwords."""

from __future__ import annotations

from datetime import datetime, timedelta

import bcrypt
import pytest
from conftest import KEY, NOW, PASSWORD, MakeDriver, ReadMails, find_code
from sqlalchemy import Engine, insert, select, update

from accounts.limits import QUOTAS, hash_subject
from accounts.profile import require_own_password
from accounts.recovery import mail_password_code, mail_username, reset_password
from accounts.registration import Registration, register
from accounts.sessions import find_driver, log_in, open_session
from db import begin_writing
from errors import (
    CodeExpired,
    CodeMalformed,
    CodeWrong,
    LoginRefused,
    PasswordRefused,
    PasswordWrong,
    TooManyAtOnce,
    TooManyCodes,
    TooManyGuesses,
    TooManyTries,
)
from models import Attempt, Credential, VerificationCode
from settings import Settings

NEW_PASSWORD = "another long password"
LATER = NOW + timedelta(hours=2)
HOME, STRANGE = "192.0.2.1", "192.0.2.66"


def test_a_username_is_mailed_to_its_address_and_to_no_other(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    make_driver("ada", "ada@mailbox.org")
    before = len(read_mails())
    mail_username(engine, mailing, KEY, "ADA@mailbox.org", address=None, now=LATER)
    mail_username(engine, mailing, KEY, "nobody@mailbox.org", address=None, now=LATER)
    mail_username(engine, mailing, KEY, "ada", address=None, now=LATER)
    (mail,) = read_mails()[before:]
    assert mail.recipient == "ada@mailbox.org"
    assert "ada" in mail.text


@pytest.mark.parametrize("name", ["ada", "ada@mailbox.org"])
def test_a_mailed_code_sets_a_new_password_and_logs_every_browser_out(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails, name: str
) -> None:
    user_id = make_driver("ada", "ada@mailbox.org")
    with begin_writing(engine) as connection:
        session_id = open_session(connection, user_id, is_lasting=True, browser="", now=LATER)
    mail_password_code(engine, mailing, KEY, name, address=None, now=LATER)
    code = find_code(read_mails()[-1].text)
    reset_password(engine, mailing, KEY, name, code, NEW_PASSWORD, address=None, now=LATER)
    assert log_in(engine, KEY, "ada", NEW_PASSWORD, address=None, now=LATER) == user_id
    with pytest.raises(LoginRefused):
        log_in(engine, KEY, "ada", PASSWORD, address=None, now=LATER)
    with engine.connect() as connection:
        assert find_driver(connection, session_id, LATER) is None
    with pytest.raises(CodeExpired):
        reset_password(engine, mailing, KEY, name, code, NEW_PASSWORD, address=None, now=LATER)
    assert read_mails()[-1].recipient == "ada@mailbox.org"
    assert NEW_PASSWORD not in read_mails()[-1].text


@pytest.mark.parametrize("password", ["i am ada, hello", "short", NEW_PASSWORD])
def test_without_the_code_nothing_tells_whether_a_name_has_an_account_nor_whose_it_is(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_driver("ada", "a@mailbox.org")
    mail_password_code(engine, mailing, KEY, "ada", address=None, now=LATER)
    hashed: list[bytes] = []
    hash_it = bcrypt.hashpw
    monkeypatch.setattr(bcrypt, "hashpw", lambda *pair: bool(hashed.append(pair[0])) or hash_it(*pair))
    outcomes = {}
    for name in ("ada", "a@mailbox.org", "nobody", "nobody@mailbox.org"):
        hashed.clear()
        with pytest.raises((CodeWrong, CodeExpired, PasswordRefused)) as caught:
            reset_password(engine, mailing, KEY, name, "AAAAAAAA", password, address=None, now=LATER)
        is_code = isinstance(caught.value, CodeWrong | CodeExpired)  # a page says the same for both
        outcomes[name] = (is_code, getattr(caught.value, "rule", ""), len(hashed))
    # A wrong code costs no hash, and none is done that could be told by its time.
    assert set(outcomes.values()) == {(password != "short", "short" if password == "short" else "", 0)}


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_what_can_be_no_code_is_told_alike_of_every_name(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, name: str
) -> None:
    make_driver("ada")
    mail_password_code(engine, mailing, KEY, "ada", address=None, now=LATER)
    for _ in range(40):
        with pytest.raises(CodeMalformed):
            reset_password(engine, mailing, KEY, name, "", NEW_PASSWORD, address=None, now=LATER)


def test_a_weak_password_costs_no_code(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    make_driver("ada")
    mail_password_code(engine, mailing, KEY, "ada", address=None, now=LATER)
    code = find_code(read_mails()[-1].text)
    for _ in range(6):
        with pytest.raises(PasswordRefused):
            reset_password(engine, mailing, KEY, "ada", code, "i am ada, hello", address=None, now=LATER)
    reset_password(engine, mailing, KEY, "ada", code, NEW_PASSWORD, address=None, now=LATER)


def test_the_code_of_another_account_sets_nothing(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    make_driver("ada")
    make_driver("eve")
    mail_password_code(engine, mailing, KEY, "ada", address=None, now=LATER)
    mail_password_code(engine, mailing, KEY, "eve", address=None, now=LATER)
    with pytest.raises(CodeWrong):
        reset_password(
            engine, mailing, KEY, "ada", find_code(read_mails()[-1].text), NEW_PASSWORD, address=None, now=LATER
        )


@pytest.mark.parametrize("hammered", ["ada", "ada@mailbox.org"])
@pytest.mark.parametrize("address", [None, "192.0.2.1"])
def test_the_mailbox_is_a_way_in_whatever_strangers_tried(
    engine: Engine,
    mailing: Settings,
    make_driver: MakeDriver,
    read_mails: ReadMails,
    hammered: str,
    address: str | None,
) -> None:
    user_id = make_driver("ada", "ada@mailbox.org")
    if address is None:
        for _ in range(5):
            with pytest.raises(LoginRefused):
                log_in(engine, KEY, hammered, "wrong", address=None, now=LATER)
    else:  # as if so many had guessed elsewhere
        row = {"subject_hash": hash_subject(KEY, "login", hammered), "times": QUOTAS["login"].times}
        with begin_writing(engine) as connection:
            connection.execute(insert(Attempt).values(**row, last_at=LATER, window_began_at=LATER))
    with pytest.raises(TooManyTries if address is None else TooManyGuesses):
        log_in(engine, KEY, hammered, PASSWORD, address=address, now=LATER)
    for _ in range(5):
        with pytest.raises(PasswordWrong):
            require_own_password(engine, KEY, user_id, "wrong", LATER, address=address)
    mail_password_code(engine, mailing, KEY, "ada", address=None, now=LATER)
    code = find_code(read_mails()[-1].text)
    reset_password(engine, mailing, KEY, "ada", code, NEW_PASSWORD, address=address, now=LATER)
    require_own_password(engine, KEY, user_id, NEW_PASSWORD, LATER, address=address)
    if address:  # at which the driver is known from now on: what goes on elsewhere does not count here
        for host in range(5):
            with pytest.raises(LoginRefused):
                log_in(engine, KEY, hammered, "wrong", address=f"198.51.100.{host}", now=LATER + timedelta(minutes=1))
    assert log_in(engine, KEY, hammered, NEW_PASSWORD, address=address, now=LATER + timedelta(minutes=1)) == user_id


def try_code(
    engine: Engine,
    mailing: Settings,
    code: str = "AAAAAAAA",
    *,
    name: str = "ada",
    browser: str = "",
    address: str | None = None,
    now: datetime = LATER,
) -> type[Exception] | None:
    try:
        reset_password(engine, mailing, KEY, name, code, NEW_PASSWORD, browser=browser, address=address, now=now)
    except (CodeWrong, CodeExpired, TooManyCodes) as error:
        return CodeWrong if isinstance(error, CodeExpired) else type(error)  # a page says the same for both
    return None


@pytest.mark.parametrize("name", ["ada", "nobody"])
@pytest.mark.parametrize(("address", "most"), [(STRANGE, 10), (None, 100)])
def test_ten_thousand_guesses_from_one_address_get_nowhere(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, name: str, address: str | None, most: int
) -> None:
    make_driver("ada")
    mail_password_code(engine, mailing, KEY, name, address=None, now=LATER)
    outcomes = [try_code(engine, mailing, name=name, address=address) for _ in range(most + 5)]
    assert outcomes == [CodeWrong] * most + [TooManyCodes] * 5
    assert try_code(engine, mailing, name=name, address=address, now=LATER + timedelta(hours=1)) is CodeWrong


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_ten_thousand_guesses_from_ten_thousand_addresses_get_nowhere(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, name: str
) -> None:
    make_driver("ada")
    mail_password_code(engine, mailing, KEY, name, address=None, now=LATER)
    outcomes = [try_code(engine, mailing, name=name, address=f"198.51.{n}.1") for n in range(105)]
    assert outcomes == [CodeWrong] * 100 + [TooManyCodes] * 5


def test_the_networks_of_an_ipv6_site_are_one_address(
    engine: Engine, mailing: Settings, make_driver: MakeDriver
) -> None:
    make_driver("ada")
    outcomes = [try_code(engine, mailing, address=f"2001:db8:1:{n:x}::/64") for n in range(11)]
    assert outcomes == [CodeWrong] * 10 + [TooManyCodes]
    assert try_code(engine, mailing, address="2001:db8:2:1::/64") is CodeWrong


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_the_browser_that_asked_has_five_tries_whatever_is_tried_elsewhere(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, name: str
) -> None:
    make_driver("ada")
    mail_password_code(engine, mailing, KEY, name, browser="hers", address=None, now=LATER)
    for host in range(120):  # a botnet, and who shares her address
        try_code(engine, mailing, name=name, address=HOME if host % 2 else f"198.51.{host}.1", browser=f"other {host}")
    assert try_code(engine, mailing, name=name, address=HOME) is TooManyCodes
    outcomes = [try_code(engine, mailing, name=name, address=HOME, browser="hers") for _ in range(6)]
    assert outcomes == [CodeWrong] * 5 + [TooManyCodes]


def test_who_asks_for_a_code_takes_away_nobody_else_s(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    make_driver("ada")
    mail_password_code(engine, mailing, KEY, "ada", browser="hers", address=None, now=LATER)
    code = find_code(read_mails()[-1].text)
    for minute in range(4):
        now = LATER + timedelta(minutes=minute)
        mail_password_code(engine, mailing, KEY, "ada", browser="a stranger's", address=STRANGE, now=now)
        for _ in range(5):
            try_code(engine, mailing, address=STRANGE, browser="a stranger's", now=now)
    now = LATER + timedelta(minutes=5)
    assert try_code(engine, mailing, code, browser="hers", address=HOME, now=now) is None
    with engine.connect() as connection:  # with hers, those of the stranger are good for nothing
        assert connection.execute(select(VerificationCode.user_id)).all() == []


def test_a_full_queue_of_passwords_costs_no_try(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_driver("ada")
    mail_password_code(engine, mailing, KEY, "ada", browser="hers", address=None, now=LATER)
    code = find_code(read_mails()[-1].text)

    def refuse(*_: object, **__: object) -> None:
        raise TooManyAtOnce

    with monkeypatch.context() as patch:
        patch.setattr("accounts.recovery.require_room", refuse)
        for _ in range(6):
            with pytest.raises(TooManyAtOnce):
                try_code(engine, mailing, code, browser="hers", address=HOME)
    for host in range(120):  # so that her own five tries are all she has
        try_code(engine, mailing, address=HOME if host % 2 else f"198.51.{host}.1", browser=f"other {host}")
    assert try_code(engine, mailing, code, browser="hers", address=HOME) is None


def test_a_code_can_be_typed_on_another_device(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    make_driver("ada")
    mail_password_code(engine, mailing, KEY, "ada", browser="at home", address=None, now=LATER)
    for _ in range(60):
        try_code(engine, mailing, address=STRANGE)
    code = find_code(read_mails()[-1].text)
    assert try_code(engine, mailing, code, browser="the phone", address=HOME) is None


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_mails_are_limited_for_names_that_exist_and_that_do_not(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, name: str
) -> None:
    make_driver("ada")
    for _ in range(5):
        mail_password_code(engine, mailing, KEY, name, address=None, now=LATER)
    with pytest.raises(TooManyTries):
        mail_password_code(engine, mailing, KEY, name, address=None, now=LATER)
    mail_password_code(engine, mailing, KEY, name, address=None, now=LATER + timedelta(hours=1))


@pytest.mark.parametrize("name", ["ada", "ada@mailbox.org"])
def test_who_never_confirmed_goes_on_by_a_code_for_a_new_password(
    engine: Engine, mailing: Settings, read_mails: ReadMails, name: str
) -> None:
    user_id = register_only(engine, mailing)
    with pytest.raises(LoginRefused):
        log_in(engine, KEY, "ada", PASSWORD, address=None, now=LATER)
    before = len(read_mails())
    mail_password_code(engine, mailing, KEY, name, address=None, now=LATER)
    (mail,) = read_mails()[before:]
    assert mail.recipient == "ada@mailbox.org"
    assert "evil.example" not in mail.subject + mail.text + mail.html, "words of whoever registered the address"
    with pytest.raises(CodeWrong):
        reset_password(engine, mailing, KEY, name, "ABCDEFGH", NEW_PASSWORD, address=None, now=LATER)
    with pytest.raises(LoginRefused):
        log_in(engine, KEY, "ada", PASSWORD, address=None, now=LATER)
    reset_password(engine, mailing, KEY, name, find_code(mail.text), NEW_PASSWORD, address=None, now=LATER)
    assert log_in(engine, KEY, "ada", NEW_PASSWORD, address=None, now=LATER) == user_id
    with pytest.raises(LoginRefused):
        log_in(engine, KEY, "ada", PASSWORD, address=None, now=LATER)


def test_who_never_confirmed_and_asks_for_the_username_is_told_how_to_go_on(
    engine: Engine, mailing: Settings, read_mails: ReadMails
) -> None:
    register_only(engine, mailing)
    before = len(read_mails())
    mail_username(engine, mailing, KEY, "ada@mailbox.org", address=None, now=LATER)
    (mail,) = read_mails()[before:]
    assert mail.recipient == "ada@mailbox.org"
    assert f"{mailing.base_url}/recover" in mail.text
    assert "evil.example" not in mail.subject + mail.text + mail.html


def test_a_locked_account_is_mailed_nothing(engine: Engine, mailing: Settings, read_mails: ReadMails) -> None:
    register_only(engine, mailing)
    with begin_writing(engine) as connection:
        connection.execute(update(Credential).values(locked_at=NOW))
    before = len(read_mails())
    mail_password_code(engine, mailing, KEY, "ada", address=None, now=LATER)
    mail_username(engine, mailing, KEY, "ada@mailbox.org", address=None, now=LATER)
    assert len(read_mails()) == before


def register_only(engine: Engine, mailing: Settings) -> int:
    """Open an account whose address is not confirmed, under a name that says something."""
    form = Registration("ada", "ada@mailbox.org", "Win at evil.example", PASSWORD)
    opening = register(engine, mailing, KEY, form, address=None, now=NOW)
    assert opening.user_id is not None
    return opening.user_id
