"""Pauses after failed log-ins: who is slowed down by whom, and a flood of log-ins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count
from threading import Event, Lock

import bcrypt
import pytest
from conftest import KEY, NOW, PASSWORD, MakeDriver
from sqlalchemy import Engine, delete, select, update

from accounts.addresses import KEPT
from accounts.sessions import log_in
from db import begin_writing
from errors import LoginRefused, TooManyAtOnce, TooManyGuesses, TooManyTries
from models import Attempt, Credential, KnownAddress

HOME, ELSEWHERE, STRANGE = "192.0.2.1", "192.0.2.2", "192.0.2.66"
DAY_SECONDS = 86_400
SOON = NOW + timedelta(seconds=0.5)  # no pause that began at NOW is over by then


def attempt(engine: Engine, name: str, password: str, *, address: str | None = None, now: datetime = NOW) -> int:
    return log_in(engine, KEY, name, password, address=address, now=now)


def fail(engine: Engine, name: str, *, address: str | None = None, times: int = 5, now: datetime = NOW) -> None:
    for _ in range(times):
        with pytest.raises(LoginRefused):
            attempt(engine, name, "wrong", address=address, now=now)


def count_guesses(engine: Engine, addresses: list[str]) -> int:
    """Guess for a day at an account, from one address after the other, as soon as each is let; return how often."""
    guessed, seconds = 0, 0.0
    while seconds < DAY_SECONDS:
        try:
            now = NOW + timedelta(seconds=seconds)
            attempt(engine, "ada", "wrong", address=addresses[guessed % len(addresses)], now=now)
        except LoginRefused:
            guessed += 1
        except TooManyTries as error:
            seconds += error.wait_seconds
    return guessed


def remove_known(engine: Engine) -> None:
    """Let every account know no address."""
    with begin_writing(engine) as connection:
        connection.execute(delete(KnownAddress))


def must_wait(engine: Engine, name: str, *, address: str | None = None, now: datetime = SOON) -> bool:
    try:
        attempt(engine, name, "wrong", address=address, now=now)
    except TooManyTries:
        return True
    except LoginRefused:
        return False
    raise AssertionError


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_who_hammers_an_account_slows_nobody_elsewhere(engine: Engine, make_driver: MakeDriver, name: str) -> None:
    make_driver("ada")
    now = NOW
    for _ in range(30):  # as soon as each pause is over
        fail(engine, name, address=STRANGE, times=1, now=now)
        now += timedelta(minutes=30)
        if name == "ada":
            remove_known(engine)
            attempt(engine, name, PASSWORD, address=ELSEWHERE, now=now - timedelta(minutes=30))
    assert not must_wait(engine, name, address=ELSEWHERE, now=now)


def test_one_address_gets_68_guesses_a_day_at_an_account(engine: Engine, make_driver: MakeDriver) -> None:
    make_driver("ada")
    assert count_guesses(engine, [STRANGE]) <= 68
    assert count_guesses(engine, [f"2001:db8:1:{n:x}::/64" for n in range(50)]) <= 68  # one site


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_all_strange_addresses_together_get_500_guesses_a_day_at_a_name(
    engine: Engine, make_driver: MakeDriver, name: str
) -> None:
    make_driver("ada")
    attempt(engine, "ada", PASSWORD, address=HOME)
    guessed = 0
    for host in range(110):
        for _ in range(5):
            try:
                attempt(engine, name, "wrong", address=f"198.51.{host}.1")
            except LoginRefused:
                guessed += 1
            except TooManyGuesses:
                break
    assert guessed == 500
    with pytest.raises(TooManyGuesses):
        attempt(engine, name, PASSWORD, address=ELSEWHERE)
    if name == "ada":
        assert attempt(engine, name, PASSWORD, address=HOME)  # and she is known here
        with pytest.raises(TooManyGuesses):  # which gives who guesses no other 500
            attempt(engine, name, "wrong", address="198.51.200.1")
    assert not must_wait(engine, name, address=ELSEWHERE, now=NOW + timedelta(days=1))


def test_guesses_at_many_names_slow_the_address(engine: Engine, make_driver: MakeDriver) -> None:
    make_driver("ada")
    for number in range(20):
        fail(engine, f"name{number}", address=STRANGE, times=1)
    assert must_wait(engine, "ada", address=STRANGE)
    assert must_wait(engine, "nobody", address=STRANGE)
    assert not must_wait(engine, "ada", address=ELSEWHERE)


def test_guesses_at_many_names_from_many_networks_of_a_site_slow_the_site(engine: Engine) -> None:
    for number in range(100):
        fail(engine, f"name{number}", address=f"2001:db8:1:{number:x}::/64", times=1)
    assert must_wait(engine, "ada", address="2001:db8:1:ffff::/64")
    assert not must_wait(engine, "ada", address="2001:db8:2:1::/64")


def test_who_share_an_address_may_log_in_at_once(engine: Engine, make_driver: MakeDriver) -> None:
    names = [f"driver{number}" for number in range(12)]
    ids = [make_driver(name) for name in names]
    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(lambda name: attempt(engine, name, PASSWORD, address=HOME), names)) == ids


def test_where_no_address_is_known_accounts_alone_are_slowed(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver("ada")
    fail(engine, "nobody")
    fail(engine, "bob")
    assert attempt(engine, "ada", PASSWORD) == user_id
    assert must_wait(engine, "bob")


def test_a_driver_at_a_known_address_is_not_slowed_by_strangers_nor_neighbours(
    engine: Engine, make_driver: MakeDriver
) -> None:
    user_id = make_driver("ada")
    attempt(engine, "ada", PASSWORD, address=HOME)
    fail(engine, "ada", address=STRANGE)  # a stranger who hammers the account
    for neighbour in range(20):
        fail(engine, f"neighbour{neighbour}", address=HOME, times=1)
    assert must_wait(engine, "carol", address=HOME)
    assert attempt(engine, "ada", PASSWORD, address=HOME, now=SOON) == user_id
    assert attempt(engine, "ada@mailbox.org", PASSWORD, address=HOME, now=SOON) == user_id


def test_guesses_from_a_known_address_are_slowed_too(engine: Engine, make_driver: MakeDriver) -> None:
    make_driver("ada")
    attempt(engine, "ada", PASSWORD, address=HOME)
    fail(engine, "ada", address=HOME)
    with pytest.raises(TooManyTries):
        attempt(engine, "ada", PASSWORD, address=HOME)


def test_an_address_is_known_to_one_account_only_and_for_ninety_days(engine: Engine, make_driver: MakeDriver) -> None:
    make_driver("ada")
    make_driver("bob")
    attempt(engine, "ada", PASSWORD, address=HOME)
    for days, name in ((0, "bob"), (KEPT.days, "ada")):
        now = NOW + timedelta(days=days)
        for number in range(20):
            fail(engine, f"neighbour{number}", address=HOME, times=1, now=now)
        assert must_wait(engine, name, address=HOME, now=now)
        if name == "bob":
            assert not must_wait(engine, "ada", address=HOME, now=now)


def test_the_table_tells_neither_addresses_nor_who_shares_one(engine: Engine, make_driver: MakeDriver) -> None:
    for name in ("ada", "bob"):
        make_driver(name)
        attempt(engine, name, PASSWORD, address=HOME)
        attempt(engine, name, PASSWORD, address=HOME)
    with engine.connect() as connection:
        hashes = connection.execute(select(KnownAddress.address_hash)).scalars().all()
    assert len(set(hashes)) == len(hashes) == 2
    assert not [text for text in hashes if HOME in text]


@pytest.mark.parametrize("change", ["unconfirmed", "wrong"])
def test_only_who_gets_in_makes_an_address_known(engine: Engine, make_driver: MakeDriver, change: str) -> None:
    make_driver("ada")
    if change == "unconfirmed":
        with begin_writing(engine) as connection:
            connection.execute(update(Credential).values(confirmed_at=None))
    with pytest.raises(LoginRefused):
        attempt(engine, "ada", PASSWORD if change == "unconfirmed" else "wrong", address=HOME)
    with engine.connect() as connection:
        assert not connection.execute(select(KnownAddress.user_id)).all()


def test_an_account_of_one_s_own_does_not_wipe_out_guesses_at_others(engine: Engine, make_driver: MakeDriver) -> None:
    make_driver("eve")
    for number in range(19):
        fail(engine, f"name{number}", address=STRANGE, times=1)
    attempt(engine, "eve", PASSWORD, address=STRANGE)  # her own try is taken back, and no other
    fail(engine, "another", address=STRANGE, times=1)
    assert must_wait(engine, "the next", address=STRANGE)


@pytest.mark.parametrize("address", [None, HOME])
@pytest.mark.parametrize("names", [("ada", "ada@mailbox.org"), ("ada@mailbox.org", "ada")])
def test_getting_in_by_one_name_forgets_the_failures_under_the_other(
    engine: Engine, make_driver: MakeDriver, names: tuple[str, str], address: str | None
) -> None:
    user_id = make_driver("ada")
    for _ in range(2):  # the second time from an address that the account knows by then
        fail(engine, names[0], address=address, times=4)
        assert attempt(engine, names[1], PASSWORD, address=address) == user_id
        fail(engine, names[0], address=address, times=4)
        assert attempt(engine, names[0], PASSWORD, address=address) == user_id


def test_failures_under_one_name_of_an_account_do_not_slow_the_other(engine: Engine, make_driver: MakeDriver) -> None:
    make_driver("ada")
    fail(engine, "ada")
    assert must_wait(engine, "ada")
    assert not must_wait(engine, "ada@mailbox.org")  # else a stranger could tell that both are of one account


def test_a_try_refused_by_a_pause_is_neither_counted_nor_checked(
    engine: Engine, make_driver: MakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_driver("ada")
    fail(engine, "ada", address=HOME)
    checks = count_checks(monkeypatch)
    for _ in range(20):
        with pytest.raises(TooManyTries):
            attempt(engine, "ada", PASSWORD, address=HOME, now=SOON)
    assert not checks
    with engine.connect() as connection:
        assert set(connection.execute(select(Attempt.times, Attempt.last_at).where(Attempt.times > 1))) == {(5, NOW)}
    attempt(engine, "ada", PASSWORD, address=HOME, now=NOW + timedelta(seconds=1))


@pytest.mark.parametrize("change", ["password", "deleted"])
def test_a_password_changed_while_it_is_checked_lets_nobody_in(
    engine: Engine, make_driver: MakeDriver, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    make_driver("ada")
    check = bcrypt.checkpw

    def change_then_check(password: bytes, hashed: bytes) -> bool:
        with begin_writing(engine) as connection:
            if change == "password":
                connection.execute(update(Credential).values(password_hash="another"))
            else:
                connection.exec_driver_sql("DELETE FROM users")
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", change_then_check)
    with pytest.raises(LoginRefused):
        attempt(engine, "ada", PASSWORD, address=HOME)


def test_in_a_flood_each_try_let_through_is_one_check_and_the_driver_gets_in(
    engine: Engine, make_driver: MakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = make_driver("ada")
    attempt(engine, "ada", PASSWORD, address=HOME)
    checks = count_checks(monkeypatch)
    numbers, is_flooded, is_over = count(), Event(), Event()

    def flood(_: int) -> tuple[int, int]:
        checked = refused = 0
        while not is_over.is_set():
            number = next(numbers)
            name = ("ada", "ada@mailbox.org", f"nobody{number}")[number % 3]
            address = (HOME, STRANGE, ELSEWHERE, f"198.51.100.{number % 250}")[number % 4]
            if address == HOME and "nobody" not in name:
                address = STRANGE  # at home, the neighbours try other names
            try:
                attempt(engine, name, "wrong", address=address)
            except LoginRefused:
                checked += 1
            except TooManyTries:
                refused += 1
            if number > 400:
                is_flooded.set()
        return checked, refused

    with ThreadPoolExecutor(8) as pool:
        floods = [pool.submit(flood, thread) for thread in range(8)]
        try:
            assert is_flooded.wait(60)
            entered = [attempt(engine, name, PASSWORD, address=HOME) for name in ("ada", "ada@mailbox.org")]
        finally:
            is_over.set()
        checked, refused = map(sum, zip(*(future.result() for future in floods), strict=True))
    assert entered == [user_id, user_id]
    assert len(checks) == checked + len(entered)
    assert refused > checked
    # No pause is a lock: the longest is over in half a minute, everywhere and for every name.
    for name, address in (("ada", ELSEWHERE), ("nobody", STRANGE), ("bob", HOME)):
        assert not must_wait(engine, name, address=address, now=NOW + timedelta(seconds=30))


@pytest.mark.parametrize("name", ["ada", "nobody"])
@pytest.mark.parametrize("password", [PASSWORD, "", "x" * 10_000, "nul\0"])
def test_a_known_and_an_unknown_name_cost_one_check(
    engine: Engine, make_driver: MakeDriver, monkeypatch: pytest.MonkeyPatch, name: str, password: str
) -> None:
    make_driver("ada")
    checks = count_checks(monkeypatch)
    try:
        attempt(engine, name, password, address=HOME)
    except LoginRefused:
        assert (name, password) != ("ada", PASSWORD)
    assert len(checks) == 1


def count_checks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return a list that grows by one at each bcrypt check."""
    checks: list[bytes] = []
    check, lock = bcrypt.checkpw, Lock()

    def count_and_check(password: bytes, hashed: bytes) -> bool:
        with lock:
            checks.append(hashed)
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", count_and_check)
    return checks


def test_a_try_that_is_not_counted_begins_no_pause_again(
    engine: Engine, make_driver: MakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_driver("ada")
    remove_known(engine)
    fail(engine, "ada", address=STRANGE, times=5)
    after = NOW + timedelta(seconds=40)

    def refuse(*_: object, **__: object) -> bool:
        raise TooManyAtOnce

    with monkeypatch.context() as patch:
        patch.setattr("accounts.sessions.check_password", refuse)
        with pytest.raises(TooManyAtOnce):
            attempt(engine, "ada", PASSWORD, address=STRANGE, now=after)
    attempt(engine, "ada", PASSWORD, address=STRANGE, now=after + timedelta(milliseconds=1))


def test_a_log_in_makes_nobody_else_at_the_address_wait(engine: Engine, make_driver: MakeDriver) -> None:
    for name in ("ada", "bob"):
        make_driver(name)
    remove_known(engine)
    now = NOW
    for number in range(30):  # as soon as each pause is over
        fail(engine, f"nobody{number}", address=STRANGE, times=1, now=now)
        now += timedelta(minutes=1)
    attempt(engine, "ada", PASSWORD, address=STRANGE, now=now)
    attempt(engine, "bob", PASSWORD, address=STRANGE, now=now + timedelta(seconds=1))
