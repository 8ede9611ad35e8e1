"""What an admin may do to an account, the row that each action leaves, and the command that names the first admin."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import KEY, NOW, PASSWORD, MakeDriver, ReadMails, find_code
from sqlalchemy import Connection, Engine, make_url, select

from accounts import admin
from accounts.audit import Actor, list_actions, note_action
from accounts.people import count_followed, count_people, find_accounts
from accounts.privacy import erase_account, export_account
from accounts.profile import ask_new_email, confirm_new_email
from accounts.recovery import mail_password_code, reset_password
from accounts.registration import Registration, register
from accounts.sessions import close_sessions, find_driver, log_in, open_session
from db import begin_writing
from errors import AccountShut, AccountUnconfirmed, CodeExpired, DriverUnknown, LastAdmin, LoginRefused, UsernameTaken
from models import AuditRow, Credential, LoginSession, User, VerificationCode
from retention import clear_expired
from settings import Settings

Rule = Callable[[Connection, Actor, int, datetime], None]
BOSS = Actor(77, "boss")
RULES: dict[str, Rule] = {
    "grant": admin.grant_admin,
    "revoke": admin.revoke_admin,
    "lock": admin.lock_account,
    "unlock": admin.unlock_account,
    "confirm": admin.confirm_account,
}


def do(engine: Engine, rule: Rule, user_id: int) -> None:
    with begin_writing(engine) as connection:
        rule(connection, BOSS, user_id, NOW)


def mail_reset(engine: Engine, settings: Settings, user_id: int) -> None:
    with begin_writing(engine) as connection:
        admin.mail_reset(connection, settings, KEY, BOSS, user_id, NOW)


def erase(engine: Engine, settings: Settings, user_id: int) -> None:
    with begin_writing(engine) as connection:
        admin.erase_account(connection, settings, KEY, BOSS, user_id, NOW)


def begin(engine: Engine, user_id: int) -> str:
    with begin_writing(engine) as connection:
        return open_session(connection, user_id, is_lasting=True, browser="Firefox", now=NOW)


def list_rows(engine: Engine) -> list[tuple[int | None, str, str, int | None, str]]:
    with engine.connect() as connection:
        rows = connection.execute(select(AuditRow.__table__).order_by(AuditRow.id))
        return [(row.admin_id, row.admin_name, row.action, row.subject_id, row.subject) for row in rows]


def get_role(engine: Engine, user_id: int) -> str:
    with engine.connect() as connection:
        return str(connection.execute(select(Credential.role).where(Credential.user_id == user_id)).scalar_one())


# Locking


def test_a_locked_account_is_logged_out_at_once_and_let_in_again_when_unlocked(
    engine: Engine, make_driver: MakeDriver
) -> None:
    ada = make_driver("ada")
    session_id = begin(engine, ada)
    do(engine, admin.lock_account, ada)
    with engine.connect() as connection:
        assert find_driver(connection, session_id, NOW) is None
        assert connection.execute(select(LoginSession.user_id)).all() == []
    with pytest.raises(LoginRefused):
        log_in(engine, KEY, "ada", PASSWORD, address=None, now=NOW)
    do(engine, admin.unlock_account, ada)
    assert log_in(engine, KEY, "ada", PASSWORD, address=None, now=NOW) == ada


def test_a_session_that_a_locked_account_still_gets_is_worth_nothing(engine: Engine, make_driver: MakeDriver) -> None:
    ada = make_driver("ada")
    do(engine, admin.lock_account, ada)
    session_id = begin(engine, ada)
    with engine.connect() as connection:
        assert find_driver(connection, session_id, NOW) is None


def test_a_locked_account_gets_no_code_and_can_spend_none(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    ada = make_driver("ada")
    mail_password_code(engine, mailing, KEY, "ada", address=None, now=NOW)
    code = find_code(read_mails()[-1].text)
    do(engine, admin.lock_account, ada)
    sent = len(read_mails())
    mail_password_code(engine, mailing, KEY, "ada", address=None, now=NOW)
    assert len(read_mails()) == sent
    with pytest.raises(CodeExpired):
        reset_password(engine, mailing, KEY, "ada", code, "another long password", address=None, now=NOW)
    with pytest.raises(AccountShut):
        mail_reset(engine, mailing, ada)
    assert [row[2] for row in list_rows(engine)] == ["lock"]


def test_an_account_that_waits_for_its_code_becomes_no_admin_before_it_is_confirmed(
    engine: Engine, mailing: Settings
) -> None:
    register(engine, mailing, KEY, Registration("ada", "ada@mailbox.org", "Ada", PASSWORD), address=None, now=NOW)
    with engine.connect() as connection:
        ada = connection.execute(select(User.id)).scalar_one()
    with pytest.raises(AccountUnconfirmed, match="waits for the code that confirms its address"):
        do(engine, admin.grant_admin, ada)
    assert (get_role(engine, ada), list_rows(engine)) == ("driver", [])
    do(engine, admin.confirm_account, ada)
    with engine.connect() as connection:
        assert not connection.execute(select(VerificationCode.purpose)).all(), "nobody has a use for its code any more"
    do(engine, admin.grant_admin, ada)
    assert get_role(engine, ada) == "admin"


def test_registering_again_does_not_take_the_place_of_a_locked_account(engine: Engine, mailing: Settings) -> None:
    form = Registration("ada", "ada@mailbox.org", "Ada", PASSWORD)
    user_id = register(engine, mailing, KEY, form, address=None, now=NOW).user_id
    assert user_id is not None
    do(engine, admin.lock_account, user_id)
    opening = register(
        engine,
        mailing,
        KEY,
        Registration("other", "ada@mailbox.org", "Ada", PASSWORD),
        address=None,
        now=NOW + timedelta(hours=1),
    )
    assert opening.user_id != user_id
    with engine.connect() as connection:
        addresses = connection.execute(select(User.username, User.email).order_by(User.id)).all()
        assert addresses == [("ada", "ada@mailbox.org"), ("other", "")]


# The last admin


@pytest.mark.parametrize("rule", ["revoke", "lock", "erase"])
def test_the_last_admin_who_can_log_in_stays_one(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, rule: str
) -> None:
    ada, bob = make_driver("ada"), make_driver("bob")
    for user_id in (ada, bob):
        do(engine, admin.grant_admin, user_id)
    do(engine, admin.lock_account, bob)  # an admin, but none who can log in
    before = list_rows(engine)

    def try_it(user_id: int) -> None:
        if rule == "erase":
            erase(engine, mailing, user_id)
        else:
            do(engine, RULES[rule], user_id)

    with pytest.raises(LastAdmin):
        try_it(ada)
    assert (get_role(engine, ada), list_rows(engine)) == ("admin", before)
    do(engine, admin.unlock_account, bob)
    try_it(ada)


def test_the_last_admin_can_not_erase_their_own_account_either(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    ada, bob = make_driver("ada"), make_driver("bob")
    do(engine, admin.grant_admin, ada)
    before = len(read_mails())
    with pytest.raises(LastAdmin):
        erase_account(engine, mailing, KEY, ada, PASSWORD, NOW)
    assert (get_role(engine, ada), len(read_mails())) == ("admin", before)
    do(engine, admin.grant_admin, bob)
    erase_account(engine, mailing, KEY, ada, PASSWORD, NOW)
    with pytest.raises(LastAdmin):
        erase_account(engine, mailing, KEY, bob, PASSWORD, NOW)


@pytest.mark.parametrize("rule", ["erase", "lock", "revoke"])
def test_of_admins_who_go_at_once_one_stays(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, rule: str
) -> None:
    admins = [make_driver(f"ada{number}") for number in range(4)]
    for user_id in admins:
        do(engine, admin.grant_admin, user_id)
    together = threading.Barrier(len(admins))

    def go(user_id: int) -> bool:
        together.wait(20)
        try:
            if rule == "erase":
                erase_account(engine, mailing, KEY, user_id, PASSWORD, NOW)
            else:
                do(engine, RULES[rule], user_id)
        except LastAdmin:
            return False
        return True

    with ThreadPoolExecutor(len(admins)) as pool:
        assert sorted(pool.map(go, admins)) == [False, True, True, True]
    with engine.connect() as connection:
        able = select(Credential.user_id).where(Credential.role == "admin", Credential.locked_at.is_(None))
        assert len(connection.execute(able).all()) == 1


def test_no_path_but_the_rules_ends_an_admin(
    engine: Engine, settings: Settings, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    ada = make_driver("ada")
    do(engine, admin.grant_admin, ada)
    for name, email in (("ada", "eve@mailbox.org"), ("eve", "ada@mailbox.org")):
        with suppress(UsernameTaken):
            register(engine, mailing, KEY, Registration(name, email, "Eve", PASSWORD), address=None, now=NOW)
    ask_new_email(
        engine, settings, KEY, ada, "new@mailbox.org", PASSWORD, address=None, now=NOW
    )  # unconfirmed, for no mails are sent
    ask_new_email(engine, mailing, KEY, ada, "newer@mailbox.org", PASSWORD, address=None, now=NOW)
    confirm_new_email(engine, mailing, KEY, ada, find_code(read_mails()[-1].text), NOW)
    with begin_writing(engine) as connection:
        clear_expired(connection, NOW + timedelta(days=800))
    assert log_in(engine, KEY, "ada", PASSWORD, address=None, now=NOW + timedelta(days=800)) == ada
    with pytest.raises(LastAdmin):
        erase_account(engine, mailing, KEY, ada, PASSWORD, NOW)


# The audit


def test_every_action_leaves_a_row_that_stays_when_the_account_goes(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    ada, bob = make_driver("ada"), make_driver("bob")
    do(engine, admin.grant_admin, bob)
    for name in RULES:
        do(engine, RULES[name], ada)
    mail_reset(engine, mailing, ada)
    with engine.connect() as connection:
        exported = export_account(connection, ada)["done_by_admins"]
    erase(engine, mailing, ada)
    done = [*RULES, "reset", "erase"]
    assert list_rows(engine)[1:] == [(77, "boss", action, ada, "ada") for action in done]
    assert [one["action"] for one in exported] == done[:-1]
    assert [mail.subject for mail in read_mails() if mail.recipient == "ada@mailbox.org"] == [
        "Votre compte Carburoam a été supprimé"
    ]
    with engine.connect() as connection:
        assert connection.execute(select(User.username)).scalars().all() == ["bob"]


@pytest.mark.parametrize("name", list(RULES))
def test_what_fails_half_way_leaves_neither_change_nor_row(engine: Engine, make_driver: MakeDriver, name: str) -> None:
    ada, bob = make_driver("ada"), make_driver("bob")
    do(engine, admin.grant_admin, bob)
    before = list_rows(engine)
    with engine.connect() as connection:
        credentials = connection.execute(select(Credential.__table__)).all()
    with pytest.raises(ZeroDivisionError), begin_writing(engine) as connection:
        RULES[name](connection, BOSS, ada, NOW)
        raise ZeroDivisionError
    assert list_rows(engine) == before
    with engine.connect() as connection:
        assert connection.execute(select(Credential.__table__)).all() == credentials
    with pytest.raises(DriverUnknown):
        do(engine, RULES[name], 12345)


def test_the_last_actions_come_first(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        note_action(connection, BOSS, "load", NOW)
        note_action(connection, BOSS, "stop", NOW + timedelta(seconds=1), subject="4711")
        assert [(one.action, one.subject) for one in list_actions(connection, 10)] == [("stop", "4711"), ("load", "")]
        assert [one.action for one in list_actions(connection, 1)] == ["stop"]


# The people


def test_people_are_counted_by_what_they_keep_and_when_they_were_there(
    engine: Engine, mailing: Settings, make_driver: MakeDriver
) -> None:
    ada, bob, eve = (make_driver(name) for name in ("ada", "bob", "eve"))
    register(engine, mailing, KEY, Registration("new", "new@mailbox.org", "New", PASSWORD), address=None, now=NOW)
    do(engine, admin.grant_admin, ada)
    for user_id, days in ((ada, 2), (ada, 1), (bob, 8), (eve, 31)):
        with begin_writing(engine) as connection:
            seen_at = NOW - timedelta(days=days)
            open_session(connection, user_id, is_lasting=True, browser="Firefox", now=seen_at)
    with begin_writing(engine) as connection:
        close_sessions(connection, ada)  # logged out, and yet they were here
    do(engine, admin.lock_account, eve)
    with engine.connect() as connection:
        figures = count_people(connection, NOW)
        later = count_people(connection, NOW + timedelta(hours=1))
        assert count_followed(connection) == {1: 4, 2: 4, 5: 4}
        assert [account.seen_at for account in find_accounts(connection, "ada")] == [NOW - timedelta(days=1)]
    assert (figures.accounts, figures.active_7_days, figures.active_30_days) == (4, 1, 2)
    assert (figures.admins, figures.locked, figures.unconfirmed) == (1, 1, 1)
    assert (figures.codes_open, figures.codes_expired) == (1, 0)
    assert (later.codes_open, later.codes_expired) == (0, 1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ADA", ["ada"]),
        ("mailbox", ["ada", "bob"]),
        ("%", []),
        ("a_a", []),
        ("\0", []),
        ("\u2060ada@\u2060mail\u00ad", ["ada"]),
    ],
)
def test_an_account_is_found_by_a_part_of_its_name_or_address(
    engine: Engine, make_driver: MakeDriver, text: str, found: list[str]
) -> None:
    make_driver("bob")
    make_driver("ada")
    with engine.connect() as connection:
        assert [account.username for account in find_accounts(connection, text)] == found


# The command


def test_the_command_gives_and_takes_the_role(
    engine: Engine, make_driver: MakeDriver, capsys: pytest.CaptureFixture[str]
) -> None:
    ada, bob = make_driver("ada"), make_driver("bob")
    assert admin.main(["grant", "ADA@\u2060mailbox.org\u200b"]) == 0
    assert admin.main(["grant", "bob@mailbox.org"]) == 0
    assert admin.main(["revoke", "ada@mailbox.org"]) == 0
    assert (get_role(engine, ada), get_role(engine, bob)) == ("driver", "admin")
    assert capsys.readouterr().out.splitlines()[-1] == "ada@mailbox.org is no longer an admin"
    assert list_rows(engine)[0] == (None, "command line", "grant", ada, "ada")


@pytest.mark.parametrize(("action", "said"), [("grant", "is an admin already"), ("revoke", "is no admin")])
def test_the_command_says_what_was_so_already_and_writes_nothing_down(
    engine: Engine, make_driver: MakeDriver, capsys: pytest.CaptureFixture[str], action: str, said: str
) -> None:
    ada, _bob = make_driver("ada"), make_driver("bob")
    do(engine, admin.grant_admin, ada)
    before = list_rows(engine)
    assert admin.main([action, "ada@mailbox.org" if action == "grant" else "bob@mailbox.org"]) == 0
    assert capsys.readouterr().out.rstrip().endswith(f"@mailbox.org {said}")
    assert list_rows(engine) == before


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["revoke", "ada@mailbox.org"], "accounts.admin: this is the last admin who can log in\n"),
        (
            ["grant", "no@mailbox.org"],
            "accounts.admin: no account has the address no@mailbox.org in {database}\n",
        ),
    ],
)
def test_the_command_says_in_one_line_what_it_can_not_do(
    engine: Engine, make_driver: MakeDriver, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    do(engine, admin.grant_admin, make_driver("ada"))
    assert admin.main(arguments) == 1
    assert capsys.readouterr().err == line.format(database=engine.url)


@pytest.mark.parametrize("place", ["none.db", "no/such/folder/none.db"])
def test_the_command_says_that_there_is_no_database_and_makes_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    monkeypatch.setenv("CARBUROAM_DATABASE_URL", f"sqlite:///{tmp_path / place}")
    assert admin.main(["grant", "ada@mailbox.org"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"accounts.admin: there is no database sqlite:///{tmp_path / place}; ")
    assert error.count("\n") == 1
    assert list(tmp_path.rglob("*")) == []


def test_the_command_names_a_database_without_its_password() -> None:
    url = make_url("postgresql+psycopg://carburoam:geheim@db.example:5433/carburoam?password=geheim&sslmode=require")
    assert admin._name_database(url) == "postgresql+psycopg://carburoam:***@db.example:5433/carburoam?sslmode=require"


def test_the_command_says_in_one_line_that_a_database_can_not_be_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none.db"
    path.write_text("This is no database." * 100)
    monkeypatch.setenv("CARBUROAM_DATABASE_URL", f"sqlite:///{path}")
    assert admin.main(["grant", "ada@mailbox.org"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("accounts.admin: the database can't be used: ")
    assert error.count("\n") == 1
