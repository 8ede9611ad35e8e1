"""Codes that are mailed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import product

import pytest
from conftest import KEY, NOW, MakeDriver
from sqlalchemy import Engine, select

from accounts.codes import ALPHABET, LENGTH, LIFETIME, Purpose, issue_code, spend_code
from db import begin_writing
from errors import CodeExpired, CodeMalformed, CodeWrong
from models import VerificationCode


def issue(engine: Engine, user_id: int, payload: str = "", purpose: Purpose = "email") -> str:
    with begin_writing(engine) as connection:
        return issue_code(connection, KEY, user_id, purpose, NOW, payload)


def spend(engine: Engine, user_id: int, code: str, *, purpose: str = "email", minutes: float = 0) -> object:
    with begin_writing(engine) as connection:
        spending = spend_code(connection, KEY, user_id, purpose, code, NOW + timedelta(minutes=minutes))  # type: ignore[arg-type]
    return type(spending.error) if spending.error is not None else spending.payload


def test_a_code_is_spent_once(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver()
    code = issue(engine, user_id, "payload")
    assert len(code) == LENGTH
    assert set(code) <= set(ALPHABET)
    assert spend(engine, user_id, f" {code[:4].lower()}-{code[4:]} ") == "payload"
    assert spend(engine, user_id, code) is CodeExpired


def test_only_a_keyed_hash_is_stored(engine: Engine, make_driver: MakeDriver) -> None:
    code = issue(engine, make_driver())
    with engine.connect() as connection:
        stored = connection.execute(select(VerificationCode.code_hash)).scalar_one()
    assert code not in stored
    assert len(stored) == 64


def test_a_code_is_good_for_a_quarter_of_an_hour(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver()
    code = issue(engine, user_id)
    assert spend(engine, user_id, code, minutes=15) is CodeExpired
    assert spend(engine, user_id, code, minutes=14.9) == ""


def test_five_wrong_tries_use_a_code_up(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver()
    code = issue(engine, user_id)
    assert [spend(engine, user_id, "AAAAAAAA") for _ in range(5)] == [CodeWrong] * 5
    assert spend(engine, user_id, code) is CodeExpired


@pytest.mark.parametrize("typed", ["", " - ", "AAAAAAA", "AAAAAAAAA", "AAAAAAA0", "AAAAAAAO", "AAAAAAAÉ", "A" * 1000])
def test_what_can_be_no_code_costs_no_try(engine: Engine, make_driver: MakeDriver, typed: str) -> None:
    user_id = make_driver()
    code = issue(engine, user_id)
    for _ in range(6):
        with pytest.raises(CodeMalformed):
            spend(engine, user_id, typed)
    with engine.connect() as connection:
        assert connection.execute(select(VerificationCode.tries)).scalar_one() == 0
    assert spend(engine, user_id, code) == ""


def test_a_code_is_bound_to_its_account_and_purpose(engine: Engine, make_driver: MakeDriver) -> None:
    ada, bob = make_driver("ada"), make_driver("bob")
    code = issue(engine, ada)
    issue(engine, bob)
    assert spend(engine, bob, code) is CodeWrong
    assert spend(engine, ada, code, purpose="confirm") is CodeExpired
    assert spend(engine, ada, code) == ""


def test_a_new_code_replaces_the_one_before(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver()
    first, second = issue(engine, user_id), issue(engine, user_id)
    assert spend(engine, user_id, first) is CodeWrong
    assert spend(engine, user_id, second) == ""


def test_a_code_for_a_new_password_is_good_until_one_of_them_is_spent(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver()
    codes = [issue(engine, user_id, purpose="password") for _ in range(3)]
    assert [spend(engine, user_id, "AAAAAAAA", purpose="password") for _ in range(20)] == [CodeWrong] * 20
    assert spend(engine, user_id, codes[0], purpose="password") == ""
    assert spend(engine, user_id, codes[0], purpose="password") is CodeWrong
    assert spend(engine, user_id, codes[2], purpose="password") == ""


def test_a_code_for_a_new_password_that_is_over_makes_way(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver()
    for _ in range(3):
        issue(engine, user_id, purpose="password")
    with begin_writing(engine) as connection:
        issue_code(connection, KEY, user_id, "password", NOW + LIFETIME)
        assert len(connection.execute(select(VerificationCode.user_id)).all()) == 1


def test_of_submissions_at_once_one_spends_the_code(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver()
    code = issue(engine, user_id, "payload")
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: spend(engine, user_id, code), range(8)))
    assert sorted(results, key=str) == sorted(["payload"] + [CodeExpired] * 7, key=str)


def test_of_guesses_at_once_five_are_looked_at(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver()
    issue(engine, user_id)
    with ThreadPoolExecutor(8) as pool:
        results = list(
            pool.map(lambda n: spend(engine, user_id, f"AAAAAA{ALPHABET[n % 8]}{ALPHABET[n // 8]}"), range(40))
        )
    assert results.count(CodeWrong) == 5
    assert results.count(CodeExpired) == 35


def test_of_ten_thousand_guesses_five_are_looked_at(engine: Engine, make_driver: MakeDriver) -> None:
    user_id = make_driver()
    code = issue(engine, user_id)
    guesses = ["AAAA" + "".join(letters) for letters in product(ALPHABET[:10], repeat=4)]
    guesses = [guess for guess in guesses if guess != code][:9_999]
    looked_at: list[str] = []
    for start in range(0, len(guesses), 100):
        with begin_writing(engine) as connection:
            for guess in guesses[start : start + 100]:
                _, error = spend_code(connection, KEY, user_id, "email", guess, NOW)
                assert isinstance(error, CodeWrong | CodeExpired)
                if isinstance(error, CodeWrong):
                    looked_at.append(guess)
    assert looked_at == guesses[:5]
    assert spend(engine, user_id, code) is CodeExpired  # the ten thousandth is right, and too late
