"""What the mails say, and what they say to an address that nobody has confirmed."""

from __future__ import annotations

from typing import get_args

import pytest
from conftest import KEY, NOW, PASSWORD, MakeDriver, ReadMails, find_code
from sqlalchemy import Engine, select, update

from accounts import admin
from accounts.audit import Actor
from accounts.messages import PAUSE_SECONDS, Kind, Person, queue_message
from accounts.privacy import erase_account
from accounts.profile import ask_new_email, change_password
from accounts.recovery import mail_password_code, mail_username, reset_password
from accounts.registration import Registration, mail_confirmation, register
from db import begin_writing
from models import OutboxMail, User
from settings import Settings
from translations import LANGUAGES

BOSS = Actor(77, "boss")
VICTIM = "victim@mailbox.org"
NEW_PASSWORD = "another long password"
TYPED = ("Win at evil.example", "evil.example", "eve@elsewhere.org")
TO_ANYONE = ("confirm", "email")  # and never to who has confirmed the address


def require_nothing_typed(read_mails: ReadMails, kinds: int) -> None:
    """See that so many different mails went to the victim, and none of them holds what somebody else typed."""
    mails = [mail for mail in read_mails() if mail.recipient == VICTIM]
    assert len({mail.subject for mail in mails}) == kinds
    for mail in mails:
        everything = f"{mail.subject} {mail.text} {mail.html} {mail.message_id}".lower()
        assert not [typed for typed in TYPED if typed.lower() in everything], everything


def open_account(engine: Engine, settings: Settings, username: str = "evil.example") -> int:
    form = Registration(username, VICTIM, "Win at evil.example", PASSWORD)
    return register(engine, settings, KEY, form, address=None, now=NOW).user_id


def test_mails_about_an_account_that_waits_for_its_code_hold_nothing_that_was_typed(
    engine: Engine, mailing: Settings, read_mails: ReadMails
) -> None:
    user_id = open_account(engine, mailing)
    mail_confirmation(engine, mailing, KEY, user_id, VICTIM, address=None, now=NOW)
    mail_username(engine, mailing, KEY, VICTIM, address=None, now=NOW)
    for name in ("evil.example", VICTIM):
        mail_password_code(engine, mailing, KEY, name, address=None, now=NOW)
    require_nothing_typed(read_mails, 3)
    code = find_code(read_mails()[-1].text)
    reset_password(engine, mailing, KEY, VICTIM, code, NEW_PASSWORD, address=None, now=NOW)
    require_nothing_typed(read_mails, 2)  # those with a code went with it


def test_an_account_that_waits_is_erased_by_an_admin_without_an_advertisement(
    engine: Engine, mailing: Settings, read_mails: ReadMails
) -> None:
    user_id = open_account(engine, mailing)
    with begin_writing(engine) as connection:
        admin.erase_account(connection, mailing, KEY, BOSS, user_id, NOW)
    require_nothing_typed(read_mails, 1)


@pytest.mark.parametrize("is_let_in_by", ["no mails", "an admin"])
def test_mails_about_an_account_that_no_mail_confirmed_hold_nothing_that_was_typed(
    engine: Engine, settings: Settings, mailing: Settings, read_mails: ReadMails, is_let_in_by: str
) -> None:
    if is_let_in_by == "no mails":  # at first
        user_id = open_account(engine, settings)
    else:
        user_id = open_account(engine, mailing)
        with begin_writing(engine) as connection:
            admin.confirm_account(connection, BOSS, user_id, NOW)
    form = Registration("other", VICTIM, "Other", PASSWORD)
    register(engine, mailing, KEY, form, address=None, now=NOW)
    mail_username(engine, mailing, KEY, VICTIM, address=None, now=NOW)
    mail_password_code(engine, mailing, KEY, "evil.example", address=None, now=NOW)
    with begin_writing(engine) as connection:
        admin.mail_reset(connection, mailing, KEY, BOSS, user_id, NOW)
    require_nothing_typed(read_mails, 3 if is_let_in_by == "no mails" else 4)
    change_password(engine, mailing, KEY, user_id, PASSWORD, NEW_PASSWORD, session_id="", now=NOW)
    ask_new_email(engine, settings, KEY, user_id, "eve@elsewhere.org", NEW_PASSWORD, address=None, now=NOW)
    require_nothing_typed(read_mails, 4)  # without those that had a code, with two more
    with begin_writing(engine) as connection:
        connection.execute(update(User).where(User.id == user_id).values(email=VICTIM))
    erase_account(engine, mailing, KEY, user_id, NEW_PASSWORD, NOW)
    require_nothing_typed(read_mails, 1)


@pytest.mark.parametrize("is_waiting", [False, True])
def test_a_mail_for_a_new_address_holds_nothing_that_its_driver_typed(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails, is_waiting: bool
) -> None:
    eve = make_driver("eve", "eve@elsewhere.org")
    with begin_writing(engine) as connection:
        connection.execute(update(User).values(name="Win at evil.example", username="evil.example"))
    if is_waiting:  # for its code, under words of eve's too
        open_account(engine, mailing, "evil.example.org")
    ask_new_email(engine, mailing, KEY, eve, VICTIM, PASSWORD, address=None, now=NOW)
    require_nothing_typed(read_mails, 1 + is_waiting)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_mail_can_be_written_to_anyone_in_every_language_without_a_word_about_a_person(
    engine: Engine, mailing: Settings, read_mails: ReadMails, kind: Kind, language: str
) -> None:
    person = Person("Ada Lovelace", "ada.l")
    for one in (None, person):
        if one is not None and kind in TO_ANYONE:
            continue
        with begin_writing(engine) as connection:
            queue_message(
                connection,
                mailing,
                kind,
                recipient="ada@straße.de",
                language=language,
                now=NOW,
                person=one,
                code="ABCDEFGH",
                user_id=1,
            )
    mails = read_mails()
    for mail in mails:
        assert mail.recipient == "ada@xn--strae-oqa.de"
        assert "{" not in mail.subject + mail.text
        assert "straße" not in mail.subject + mail.text + mail.html
        assert PAUSE_SECONDS[0] <= (mail.next_try_at - mail.created_at).total_seconds() <= PAUSE_SECONDS[1]
    assert not [word for word in person if word in mails[0].text + mails[0].html + mails[0].subject]
    assert [person.name in mail.text for mail in mails[1:]] == [True] * (kind not in TO_ANYONE)


def test_a_mail_goes_to_the_stored_address_and_never_to_a_twin_that_was_typed(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    make_driver("ada", "Ada@straße.de")
    eve = make_driver("eve")
    before = len(read_mails())
    for twin in ("ada@STRASSE.de", "ada@strasse.de", "\u0430da@straße.de", "ada+x@straße.de"):
        mail_username(engine, mailing, KEY, twin, address=None, now=NOW)
        mail_password_code(engine, mailing, KEY, twin, address=None, now=NOW)
    assert len(read_mails()) == before
    for same in ("ADA@STRAßE.de", "ada@xn--strae-oqa.de", "ada@straße.de."):
        mail_username(engine, mailing, KEY, same, address="192.0.2.1", now=NOW)
        mail_password_code(engine, mailing, KEY, same, address="192.0.2.2", now=NOW)
    form = Registration("other", "ADA@XN--STRAE-OQA.de", "Other", PASSWORD)
    register(engine, mailing, KEY, form, address=None, now=NOW)
    ask_new_email(engine, mailing, KEY, eve, "ada@STRAßE.de", PASSWORD, address=None, now=NOW)
    assert {mail.recipient for mail in read_mails()[before:]} == {"Ada@xn--strae-oqa.de"}
    assert len(read_mails()[before:]) == 8
    with engine.connect() as connection:
        assert not connection.scalars(select(OutboxMail.id).where(OutboxMail.recipient.contains("strasse"))).all()
