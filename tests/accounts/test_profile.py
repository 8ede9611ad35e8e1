"""What a driver can change, export and delete."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import bcrypt
import pytest
from conftest import KEY, NOW, PASSWORD, MakeDriver, ReadMails, find_code
from known_stations import add_station
from sqlalchemy import Connection, Engine, select, text

from accounts.privacy import erase_account, export_account
from accounts.profile import (
    ask_new_email,
    change_fuels,
    change_language,
    change_name,
    change_password,
    change_username,
    change_vehicle,
    confirm_new_email,
    get_profile,
    require_own_password,
)
from accounts.registration import Registration, confirm_account, register
from accounts.sessions import find_driver, log_in, open_session
from db import begin_writing
from errors import (
    CodeExpired,
    DriverUnknown,
    EmailTaken,
    FigureRefused,
    LoginRefused,
    PasswordRefused,
    PasswordWrong,
    TooManyTries,
    UsernameTaken,
)
from models import Base, Credential, User
from settings import Settings
from stations.favourites import add_favourite, list_favourites

NEW_PASSWORD = "another long password"
HOME = "192.0.2.1"


def begin(engine: Engine, user_id: int) -> str:
    with begin_writing(engine) as connection:
        return open_session(connection, user_id, is_lasting=True, browser="Firefox", now=NOW)


def test_name_username_language_fuels_and_vehicle_can_be_changed(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver("ada")
    change_username(engine, user_id, "Ada.L")
    with begin_writing(engine) as connection:
        before = get_profile(connection, user_id)
        change_name(connection, user_id, " Ada  Lovelace ")
        change_language(connection, user_id, "en")
        change_language(connection, user_id, "xx")
        change_fuels(connection, user_id, (6, 6, 1, 99))
        change_vehicle(connection, user_id, litres_per_100km=6.5, km_per_year=12_000, tank_litres=45)
        after = get_profile(connection, user_id)
    assert after == replace(
        before,
        username="Ada.L",
        name="Ada Lovelace",
        language="en",
        fuels=(1, 6),
        litres_per_100km=6.5,
        km_per_year=12_000,
        tank_litres=45,
    )


def test_a_username_of_another_driver_is_refused(engine: Engine, make_driver: MakeDriver) -> None:
    make_driver("ada")
    bob = make_driver("bob")
    with pytest.raises(UsernameTaken):
        change_username(engine, bob, "ADA")
    change_username(engine, bob, "BOB")


@pytest.mark.parametrize(
    "figures",
    [{"litres_per_100km": 0.0}, {"litres_per_100km": float("nan")}, {"km_per_year": -1}, {"tank_litres": 10**9}],
)
def test_figures_that_no_vehicle_has_are_refused(
    engine: Engine, make_driver: MakeDriver, figures: dict[str, float]
) -> None:
    user_id = make_driver("ada")
    with begin_writing(engine) as connection, pytest.raises(FigureRefused):
        change_vehicle(connection, user_id, **figures)


def test_a_figure_is_kept_as_it_is_shown_and_leaves_the_others_alone(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver("ada")
    with begin_writing(engine) as connection:
        change_vehicle(connection, user_id, km_per_year=12_000, tank_litres=45)
        change_vehicle(connection, user_id, litres_per_100km=5.26)
        change_vehicle(connection, user_id, tank_litres=None)
        profile = get_profile(connection, user_id)
    assert (profile.litres_per_100km, profile.km_per_year, profile.tank_litres) == (5.3, 12_000, None)


def test_a_new_password_asks_the_old_one_and_logs_the_others_out(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    user_id = make_driver("ada")
    here, there = begin(engine, user_id), begin(engine, user_id)
    with pytest.raises(PasswordWrong):
        change_password(engine, mailing, KEY, user_id, "wrong", NEW_PASSWORD, session_id=here, now=NOW)
    with pytest.raises(PasswordRefused):
        change_password(engine, mailing, KEY, user_id, PASSWORD, "short", session_id=here, now=NOW)
    change_password(engine, mailing, KEY, user_id, PASSWORD, NEW_PASSWORD, session_id=here, now=NOW)
    with engine.connect() as connection:
        assert find_driver(connection, here, NOW) is not None
        assert find_driver(connection, there, NOW) is None
    assert "mot de passe" in read_mails()[-1].subject
    assert log_in(engine, KEY, "ada", NEW_PASSWORD, address=None, now=NOW) == user_id


def test_guesses_from_inside_a_session_are_slowed(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, bob = make_driver("ada"), make_driver("bob")
    session_id = begin(engine, user_id)
    checks: list[bytes] = []
    check = bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda *pair: bool(checks.append(pair[1])) or check(*pair))

    def change(password: str, now: datetime = NOW) -> type[Exception] | None:
        try:
            change_password(engine, mailing, KEY, user_id, password, NEW_PASSWORD, session_id=session_id, now=now)
        except (PasswordWrong, TooManyTries) as error:
            return type(error)
        return None

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda number: change(f"guess {number}"), range(40)))
    assert (outcomes.count(PasswordWrong), outcomes.count(TooManyTries)) == (5, 35)
    assert len(checks) == 5
    assert change(PASSWORD) is TooManyTries
    with pytest.raises(TooManyTries):  # the same count, and nobody else's
        erase_account(engine, mailing, KEY, user_id, PASSWORD, NOW)
    erase_account(engine, mailing, KEY, bob, PASSWORD, NOW)
    assert log_in(engine, KEY, "ada", PASSWORD, address=None, now=NOW) == user_id
    later = NOW + timedelta(seconds=1)
    assert change(PASSWORD, later) is None
    assert [change("wrong", later) for _ in range(5)] == [PasswordWrong] * 5  # counted from none again


def test_who_guesses_in_a_stolen_session_slows_the_driver_nowhere_else(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver("ada")
    log_in(engine, KEY, "ada", PASSWORD, address=HOME, now=NOW)
    guessed = 0
    for host in range(60):
        for _ in range(5):
            try:
                require_own_password(engine, KEY, user_id, "wrong", NOW, address=f"198.51.{host}.1")
            except PasswordWrong:
                guessed += 1
            except TooManyTries:
                break
    assert guessed == 200  # a day, from all addresses that she does not have
    with pytest.raises(TooManyTries):
        require_own_password(engine, KEY, user_id, PASSWORD, NOW, address="198.51.200.1")
    require_own_password(engine, KEY, user_id, PASSWORD, NOW, address=HOME)


def test_a_new_address_counts_once_confirmed_and_the_old_one_is_told(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    user_id = make_driver("ada", "old@mailbox.org")
    ask_new_email(engine, mailing, KEY, user_id, "new@mailbox.org", PASSWORD, address=None, now=NOW)
    assert read_mails()[-1].recipient == "new@mailbox.org"
    code = find_code(read_mails()[-1].text)
    with pytest.raises(LoginRefused):
        log_in(engine, KEY, "new@mailbox.org", PASSWORD, address=None, now=NOW)
    confirm_new_email(engine, mailing, KEY, user_id, code, NOW)
    assert log_in(engine, KEY, "new@mailbox.org", PASSWORD, address=None, now=NOW) == user_id
    assert read_mails()[-1].recipient == "old@mailbox.org"


def test_a_new_address_asks_the_password(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    user_id = make_driver("ada", "old@mailbox.org")
    before = len(read_mails())
    for _ in range(5):
        with pytest.raises(PasswordWrong):
            ask_new_email(engine, mailing, KEY, user_id, "new@mailbox.org", "wrong", address=None, now=NOW)
    with pytest.raises(TooManyTries):
        ask_new_email(engine, mailing, KEY, user_id, "new@mailbox.org", PASSWORD, address=None, now=NOW)
    with pytest.raises(TooManyTries):  # the same count as for all that asks the password
        erase_account(engine, mailing, KEY, user_id, PASSWORD, NOW)
    assert len(read_mails()) == before
    ask_new_email(
        engine, mailing, KEY, user_id, "new@mailbox.org", PASSWORD, address=None, now=NOW + timedelta(seconds=1)
    )
    assert read_mails()[-1].recipient == "new@mailbox.org"


def test_an_address_of_another_account_is_never_taken_nor_told_of(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    make_driver("ada", "ada@mailbox.org")
    eve = make_driver("eve")
    ask_new_email(engine, mailing, KEY, eve, "ada@mailbox.org", PASSWORD, address=None, now=NOW + timedelta(hours=2))
    assert read_mails()[-1].recipient == "ada@mailbox.org"
    assert "eve" not in read_mails()[-1].text


def test_an_address_that_was_taken_meanwhile_is_not_given(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    eve = make_driver("eve")
    ask_new_email(engine, mailing, KEY, eve, "ada@mailbox.org", PASSWORD, address=None, now=NOW)
    code = find_code(read_mails()[-1].text)
    make_driver("ada", "ada@mailbox.org")
    with pytest.raises(CodeExpired):
        confirm_new_email(engine, mailing, KEY, eve, code, NOW)


def test_without_a_mail_server_a_new_address_counts_at_once(
    engine: Engine, settings: Settings, make_driver: MakeDriver
) -> None:
    make_driver("ada", "ada@mailbox.org")
    bob = make_driver("bob")
    ask_new_email(engine, settings, KEY, bob, "new@mailbox.org", PASSWORD, address=None, now=NOW)
    assert log_in(engine, KEY, "new@mailbox.org", PASSWORD, address=None, now=NOW) == bob
    with pytest.raises(EmailTaken):
        ask_new_email(engine, settings, KEY, bob, "ada@mailbox.org", PASSWORD, address=None, now=NOW)


def test_the_export_holds_everything_but_hashes(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver("ada", "ada@mailbox.org")
    session_id = begin(engine, user_id)
    log_in(engine, KEY, "ada", PASSWORD, address="192.0.2.1", now=NOW)
    with begin_writing(engine) as connection:
        add_station(connection, 1)
        add_favourite(connection, user_id, 1, "Home", NOW)
    with engine.connect() as connection:
        exported = json.loads(json.dumps(export_account(connection, user_id)))
        password_hash = connection.execute(select(Credential.password_hash)).scalar_one()
    assert exported["account"]["email"] == "ada@mailbox.org"
    assert exported["account"]["last_seen_at"] == NOW.isoformat()
    assert exported["fuels_followed"] == ["Gazole", "SP95", "E10"]
    assert exported["stations_kept"] == [{"station_id": 1, "name": "Home", "since": NOW.isoformat()}]
    assert exported["logged_in_browsers"][0]["browser"] == "Firefox"
    assert [mail["since"] for mail in exported["mails_to_be_sent"]] == [NOW.isoformat()]
    assert exported["known_addresses"] == [{"last_log_in_at": NOW.isoformat()}]
    assert password_hash not in json.dumps(exported)
    assert session_id not in json.dumps(exported)


def test_the_export_says_that_an_address_was_confirmed_only_where_it_was(
    engine: Engine, settings: Settings, mailing: Settings, read_mails: ReadMails
) -> None:
    def export(user_id: int | None) -> tuple[str, str | None]:
        with engine.connect() as connection:
            account = export_account(connection, user_id or 0)["account"]
        return account["email"], account["confirmed_at"]

    minutes = [NOW + timedelta(minutes=minute) for minute in range(5)]
    form = Registration("ada", "a@mailbox.org", "Ada", PASSWORD)
    ada = register(engine, settings, KEY, form, address=None, now=NOW).user_id or 0
    assert export(ada) == ("a@mailbox.org", None)
    assert log_in(engine, KEY, "ada", PASSWORD, address=None, now=NOW) == ada
    ask_new_email(engine, mailing, KEY, ada, "b@mailbox.org", PASSWORD, address=None, now=minutes[1])
    confirm_new_email(engine, mailing, KEY, ada, find_code(read_mails()[-1].text), minutes[2])
    assert export(ada) == ("b@mailbox.org", minutes[2].isoformat())
    ask_new_email(engine, settings, KEY, ada, "c@mailbox.org", PASSWORD, address=None, now=minutes[3])
    assert export(ada) == ("c@mailbox.org", None)
    form = replace(form, username="bob", email="bob@mailbox.org")
    bob = register(engine, mailing, KEY, form, address=None, now=NOW).user_id
    confirm_account(engine, KEY, bob, find_code(read_mails()[-1].text), minutes[1])
    assert export(bob) == ("bob@mailbox.org", minutes[1].isoformat())


def test_the_export_names_an_address_that_waits_for_its_code(
    engine: Engine, mailing: Settings, make_driver: MakeDriver
) -> None:
    user_id = make_driver("ada")
    ask_new_email(engine, mailing, KEY, user_id, "new@mailbox.org", PASSWORD, address=None, now=NOW)
    with engine.connect() as connection:
        assert export_account(connection, user_id)["open_codes"] == [
            {"purpose": "email", "created_at": NOW.isoformat(), "tries": 0, "new_email": "new@mailbox.org"}
        ]
        code_mail = export_account(connection, user_id)["mails_to_be_sent"][-1]
    assert "code" in code_mail["subject"]


def test_deleting_an_account_leaves_no_row_of_its_driver_but_the_farewell(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails
) -> None:
    user_id, bob = make_driver("ada", "ada@mailbox.org"), make_driver("bob")
    session_id = begin(engine, user_id)
    log_in(engine, KEY, "ada", PASSWORD, address="192.0.2.1", now=NOW)
    with begin_writing(engine) as connection:
        add_station(connection, 1)
        for driver_id in (user_id, bob):
            add_favourite(connection, driver_id, 1, "Home", NOW)
    ask_new_email(engine, mailing, KEY, user_id, "new@mailbox.org", PASSWORD, address=None, now=NOW)
    with pytest.raises(PasswordWrong):
        erase_account(engine, mailing, KEY, user_id, "wrong", NOW)
    erase_account(engine, mailing, KEY, user_id, PASSWORD, NOW)
    with engine.connect() as connection:
        assert find_driver(connection, session_id, NOW) is None
        for table in Base.metadata.sorted_tables:
            if "user_id" in table.c:
                assert not connection.execute(select(table).where(table.c.user_id == user_id)).all(), table.name
        left = connection.execute(text("select username from users")).scalars().all()
        assert left == ["bob"]
        assert get_profile(connection, bob).fuels == (5, 1, 2)
        assert [one.station_id for one in list_favourites(connection, bob)] == [1]
    assert [mail.subject for mail in read_mails() if mail.recipient == "ada@mailbox.org"] == [
        "Votre compte Carburoam a été supprimé"
    ]


@pytest.mark.parametrize(
    "use",
    [
        get_profile,
        export_account,
        lambda connection, user_id: change_name(connection, user_id, "Ada"),
        lambda connection, user_id: change_language(connection, user_id, "en"),
        lambda connection, user_id: change_fuels(connection, user_id, (1,)),
        lambda connection, user_id: change_fuels(connection, user_id, ()),
        lambda connection, user_id: change_vehicle(
            connection, user_id, litres_per_100km=None, km_per_year=None, tank_litres=None
        ),
        lambda connection, user_id: change_username(connection.engine, user_id, "ada"),
        lambda connection, user_id: ask_new_email(
            connection.engine, Settings(), KEY, user_id, "a@mailbox.org", "", address=None, now=NOW
        ),
    ],
)
def test_nothing_is_read_nor_changed_of_an_account_that_is_gone(
    engine: Engine, use: Callable[[Connection, int], object]
) -> None:
    with engine.connect() as connection, pytest.raises(DriverUnknown):
        use(connection, 7)


def test_an_account_deleted_while_its_password_is_changed_gets_no_mail(
    engine: Engine, mailing: Settings, make_driver: MakeDriver, read_mails: ReadMails, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = make_driver("ada")
    check = bcrypt.checkpw

    def check_then_delete(password: bytes, hashed: bytes) -> bool:
        with begin_writing(engine) as connection:
            connection.execute(User.__table__.delete())
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", check_then_delete)
    before = len(read_mails())
    with pytest.raises(DriverUnknown):
        change_password(engine, mailing, KEY, user_id, PASSWORD, NEW_PASSWORD, session_id="", now=NOW)
    with pytest.raises(PasswordWrong):
        erase_account(engine, mailing, KEY, user_id, PASSWORD, NOW)
    assert len(read_mails()) == before
