"""Opening an account."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import bcrypt
import pytest
from conftest import KEY, NOW, PASSWORD, MakeDriver, ReadMails, find_code
from sqlalchemy import Engine, func, select

from accounts.people import count_people, find_accounts
from accounts.profile import change_username
from accounts.registration import (
    Opening,
    Registration,
    check_registration,
    confirm_account,
    mail_confirmation,
    register,
)
from accounts.sessions import log_in
from errors import (
    AccountError,
    CodeExpired,
    CodeMalformed,
    CodeWrong,
    EmailTaken,
    LoginRefused,
    TooManyTries,
    UsernameTaken,
)
from models import FollowedGasType, User
from settings import Settings

FORM = Registration("ada", "ada@mailbox.org", "Ada", PASSWORD)


def open_account(engine: Engine, settings: Settings, form: Registration = FORM, **options: object) -> Opening:
    return register(engine, settings, KEY, form, **{"address": None, "now": NOW, **options})  # type: ignore[arg-type]


def count_users(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(User)).scalar_one())


def test_a_mailed_code_confirms_the_address_and_opens_the_account(
    engine: Engine, mailing: Settings, read_mails: ReadMails
) -> None:
    opening = open_account(engine, mailing)
    assert not opening.is_open
    with pytest.raises(LoginRefused):
        log_in(engine, KEY, "ada", PASSWORD, address=None, now=NOW)
    (mail,) = read_mails()
    assert mail.recipient == "ada@mailbox.org"
    confirm_account(engine, KEY, opening.user_id, find_code(mail.text), NOW)
    assert log_in(engine, KEY, "ada", PASSWORD, address=None, now=NOW) == opening.user_id


@pytest.mark.parametrize("name", ["ada", "ADA@mailbox.org"])
def test_the_code_opens_the_account_at_a_log_in_too(
    engine: Engine, mailing: Settings, read_mails: ReadMails, name: str
) -> None:
    opening = open_account(engine, mailing)
    code = find_code(read_mails()[-1].text)

    def attempt(password: str, code: str) -> int:
        return log_in(engine, KEY, name, password, code=code, address="192.0.2.1", now=NOW)

    with pytest.raises(CodeMalformed):
        attempt(PASSWORD, "no code")
    for password, typed in ((PASSWORD, "AAAAAAAA"), ("another password", code)):
        with pytest.raises(LoginRefused):
            attempt(password, typed)
    assert attempt(PASSWORD, code.lower()) == opening.user_id
    assert log_in(engine, KEY, name, PASSWORD, address=None, now=NOW) == opening.user_id
    assert attempt(PASSWORD, code) == opening.user_id  # spent, and not looked at any more
    with pytest.raises(LoginRefused):
        attempt("another password", code)


def test_a_code_that_is_guessed_at_log_ins_is_used_up(engine: Engine, mailing: Settings, read_mails: ReadMails) -> None:
    open_account(engine, mailing)
    for number in range(6):
        at = NOW + timedelta(minutes=number)  # past each pause
        with pytest.raises(LoginRefused):
            log_in(engine, KEY, "ada", PASSWORD, code="AAAAAAAA", address=None, now=at)
    with pytest.raises(LoginRefused):
        code = find_code(read_mails()[-1].text)
        log_in(engine, KEY, "ada", PASSWORD, code=code, address=None, now=NOW + timedelta(minutes=7))


def test_sp95_e10_and_gazole_are_followed_unless_others_are_chosen(engine: Engine, mailing: Settings) -> None:
    open_account(engine, mailing)
    open_account(engine, mailing, replace(FORM, username="bob", email="bob@mailbox.org", fuels=(6,)))
    with engine.connect() as connection:
        fuels = connection.execute(select(FollowedGasType.user_id, FollowedGasType.gastype_id)).all()
    assert sorted(fuels) == [(1, 1), (1, 2), (1, 5), (2, 6)]


def test_each_field_says_what_is_wrong_with_it() -> None:
    errors = check_registration(Registration("a b", "no address", "", "short"))
    assert {field: type(error).__name__ for field, error in errors.items()} == {
        "username": "UsernameRefused",
        "email": "EmailRefused",
        "name": "NameRefused",
        "password": "PasswordRefused",
    }


def test_a_known_address_gets_the_same_answer_and_its_owner_a_mail(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    make_driver("ada", "ada@mailbox.org")
    opening = open_account(engine, mailing, replace(FORM, username="eve", email="ADA@mailbox.org"))
    assert not opening.is_open
    assert read_mails()[-1].recipient == "ada@mailbox.org"
    assert "ada" in read_mails()[-1].text
    assert "eve" not in read_mails()[-1].text
    with engine.connect() as connection:
        addresses = connection.scalars(select(User.email).order_by(User.id)).all()
        found = find_accounts(connection, "e")
        figures = count_people(connection, NOW)
    assert addresses == ["ada@mailbox.org", ""]
    # An admin sees one account.
    assert [account.username for account in found if account.username == "eve"] == []
    assert (figures.accounts, figures.unconfirmed) == (1, 0)
    with pytest.raises(CodeWrong):
        confirm_account(engine, KEY, opening.user_id, "AAAAAAAA", NOW)


@pytest.mark.parametrize("is_known", [False, True])
def test_nothing_tells_afterwards_whether_the_address_had_an_account(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, is_known: bool
) -> None:
    bob = make_driver("bob")
    if is_known:
        make_driver("owner", "ada@mailbox.org", NOW - timedelta(hours=2))
    form = replace(FORM, password="some other password")
    opening = open_account(engine, mailing, form)
    for name in ("ada", "ada@mailbox.org"):
        for code in ("", "AAAAAAAA"):
            with pytest.raises(LoginRefused):
                log_in(engine, KEY, name, form.password, code=code, address=None, now=NOW)
    with pytest.raises((CodeWrong, CodeExpired)):  # a page says the same of both
        confirm_account(engine, KEY, opening.user_id, "AAAAAAAA", NOW)
    for _ in range(4):
        mail_confirmation(engine, mailing, KEY, opening.user_id, "ada@mailbox.org", address=None, now=NOW)
    with pytest.raises(TooManyTries):
        mail_confirmation(engine, mailing, KEY, opening.user_id, "ada@mailbox.org", address=None, now=NOW)
    assert not open_account(engine, mailing, replace(FORM, email="other@mailbox.org")).is_open
    change_username(engine, bob, "ada")


def test_a_taken_username_is_said_openly(engine: Engine, mailing: Settings, make_driver: MakeDriver) -> None:
    make_driver("ada")
    with pytest.raises(UsernameTaken):
        open_account(engine, mailing, replace(FORM, username="ＡDA", email="other@mailbox.org"))


def test_without_a_mail_server_the_account_opens_at_once(engine: Engine, settings: Settings) -> None:
    opening = open_account(engine, settings)
    assert opening.is_open
    assert log_in(engine, KEY, "ada@mailbox.org", PASSWORD, address=None, now=NOW) == opening.user_id
    with pytest.raises(EmailTaken):
        open_account(engine, settings, replace(FORM, username="eve"))


def test_who_never_confirmed_an_address_does_not_keep_it(
    engine: Engine, mailing: Settings, read_mails: ReadMails
) -> None:
    thief = open_account(engine, mailing, replace(FORM, username="thief", password="some other password"))
    stolen_code = find_code(read_mails()[-1].text)
    owner = open_account(engine, mailing)
    with pytest.raises(CodeExpired):
        confirm_account(engine, KEY, thief.user_id, stolen_code, NOW)
    confirm_account(engine, KEY, owner.user_id, find_code(read_mails()[-1].text), NOW)
    with pytest.raises(LoginRefused):
        log_in(engine, KEY, "ada@mailbox.org", "some other password", address=None, now=NOW)


def test_a_username_belongs_to_nobody_until_it_is_confirmed(
    engine: Engine, mailing: Settings, read_mails: ReadMails
) -> None:
    first = open_account(engine, mailing)
    code = find_code(read_mails()[-1].text)
    second = open_account(engine, mailing, replace(FORM, email="other@mailbox.org"))
    with pytest.raises(CodeExpired):
        confirm_account(engine, KEY, first.user_id, code, NOW)
    confirm_account(engine, KEY, second.user_id, find_code(read_mails()[-1].text), NOW)
    with pytest.raises(UsernameTaken):
        open_account(engine, mailing)


def test_a_registration_that_is_refused_takes_nothing_from_who_waits(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    make_driver("ada")
    form = Registration("newcomer", "new@mailbox.org", "Newcomer", PASSWORD)
    waiting = register(engine, mailing, KEY, form, address=None, now=NOW).user_id
    code = find_code(read_mails()[-1].text)
    with pytest.raises(UsernameTaken):
        register(engine, mailing, KEY, replace(form, username="ada"), address="192.0.2.1", now=NOW)
    confirm_account(engine, KEY, waiting, code, NOW)
    assert log_in(engine, KEY, "newcomer", PASSWORD, address=None, now=NOW) == waiting


def test_another_code_can_be_asked_for_a_few_times(engine: Engine, mailing: Settings, read_mails: ReadMails) -> None:
    opening = open_account(engine, mailing)
    for _ in range(4):
        mail_confirmation(engine, mailing, KEY, opening.user_id, "ada@mailbox.org", address=None, now=NOW)
    with pytest.raises(TooManyTries):
        mail_confirmation(engine, mailing, KEY, opening.user_id, "ada@mailbox.org", address=None, now=NOW)
    confirm_account(engine, KEY, opening.user_id, find_code(read_mails()[-1].text), NOW)
    assert len(read_mails()) == 5


def test_registrations_from_one_address_are_limited(engine: Engine, mailing: Settings) -> None:
    forms = [replace(FORM, username=f"ada{n}", email=f"ada{n}@mailbox.org") for n in range(11)]
    for form in forms[:10]:
        open_account(engine, mailing, form, address="192.0.2.1")
    with pytest.raises(TooManyTries):
        open_account(engine, mailing, forms[10], address="192.0.2.1")
    assert open_account(engine, mailing, forms[10], address="192.0.2.2").user_id is not None


@pytest.mark.parametrize("is_known", [True, False], ids=["a site", "unknown addresses"])
def test_registrations_from_many_networks_of_a_site_and_from_nobody_knows_where_are_limited(
    engine: Engine, mailing: Settings, is_known: bool
) -> None:
    def register_next(number: int) -> None:
        address = f"2001:db8:1:{number:x}::/64" if is_known else None
        open_account(
            engine, mailing, replace(FORM, username=f"a{number:03}", email=f"a{number}@b.org"), address=address
        )

    for number in range(100):
        register_next(number)
    with pytest.raises(TooManyTries):
        register_next(100)


def test_a_username_that_is_taken_costs_no_hash(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_driver("ada", "ada@mailbox.org")
    hashed: list[bytes] = []
    hash_it = bcrypt.hashpw
    monkeypatch.setattr(bcrypt, "hashpw", lambda *pair: bool(hashed.append(pair[0])) or hash_it(*pair))
    with pytest.raises(UsernameTaken):
        open_account(engine, mailing, replace(FORM, username="Ada", email="new@mailbox.org"))
    assert hashed == []
    for email in ("ada@mailbox.org", "new@mailbox.org"):  # these are a secret, so both take as long
        open_account(engine, mailing, replace(FORM, username="free", email=email))
        assert len(hashed) == 1
        hashed.clear()


@pytest.mark.parametrize("same", ["username", "email"])
def test_of_fifty_registrations_at_once_exactly_one_wins(engine: Engine, settings: Settings, same: str) -> None:
    forms = [
        replace(
            FORM,
            username="ada" if same == "username" else f"ada{n}",
            email="ada@mailbox.org" if same == "email" else f"ada{n}@mailbox.org",
        )
        for n in range(50)
    ]

    def attempt(form: Registration) -> str:
        try:
            return "won" if open_account(engine, settings, form).is_open else "waits"
        except AccountError as error:
            return type(error).__name__

    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(attempt, forms))
    assert results.count("won") == 1
    assert set(results) <= {"won", "UsernameTaken", "EmailTaken", "TooManyTries"}
    assert count_users(engine) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"username": "<script>alert(1)</script>"},
        {"username": "ada\0"},
        {"name": "x" * 10_000},
        {"email": "x" * 10_000},
        {"email": "'; drop table users; --@mailbox.org"},
        {"password": "x" * 10_000},
    ],
)
def test_hostile_fields_are_refused_and_nothing_is_stored(
    engine: Engine, mailing: Settings, change: dict[str, str]
) -> None:
    with pytest.raises(AccountError):
        open_account(engine, mailing, replace(FORM, **change))  # type: ignore[arg-type]
    assert count_users(engine) == 0


def test_markup_in_a_name_is_kept_as_text(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    opening = open_account(engine, mailing, replace(FORM, name="<b>{code}</b> **x**"))
    confirm_account(engine, KEY, opening.user_id, find_code(read_mails()[-1].text), NOW + timedelta(seconds=1))
    open_account(engine, mailing, replace(FORM, username="eve"))
    assert "&lt;b&gt;{code}&lt;/b&gt;" in read_mails()[-1].html
    assert "<b>{code}</b> **x**" in read_mails()[-1].text
