"""Passwords and their hashes."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest

from accounts import passwords
from accounts.passwords import check_password, hash_password, require_password
from errors import PasswordRefused


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("short pw9", "short"),
        ("é" * 37, "long"),
        ("1234567890", "common"),
        ("Qwertyuiop", "common"),
        ("nul\0in the middle", "common"),
        ("my name is ADA indeed", "username"),
    ],
)
def test_a_weak_password_is_refused_by_its_rule(password: str, rule: str) -> None:
    with pytest.raises(PasswordRefused) as caught:
        require_password(password, "ada")
    assert caught.value.rule == rule


@pytest.mark.parametrize("password", ["correct horse", "é" * 36, "          x", "xxxxxxxxxxzz"])
def test_length_counts_and_composition_does_not(password: str) -> None:
    require_password(password, "ada")


def test_a_password_fits_its_hash_and_no_other_does() -> None:
    password_hash = hash_password("correct horse")
    assert check_password("correct horse", password_hash)
    assert not check_password("correct horsf", password_hash)


@pytest.mark.parametrize("password", ["x" * 73, "x" * 10_000, "a\0b"])
def test_a_password_that_bcrypt_does_not_take_is_only_wrong(password: str) -> None:
    assert not check_password(password, hash_password("correct horse"))


@pytest.mark.parametrize("known", [True, False])
def test_known_and_unknown_names_cost_one_check_each(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords.prepare()
    password_hash = hash_password("correct horse") if known else None
    checks: list[bytes] = []
    check = bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda *pair: bool(checks.append(pair[1])) or check(*pair))
    assert check_password("correct horse", password_hash) is known
    assert len(checks) == 1


def test_a_flood_of_checks_leaves_a_core_to_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    password_hash = hash_password("correct horse")
    threads: list[int] = []
    check = bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda *pair: bool(threads.append(threading.get_ident())) or check(*pair))
    tries = 8 * (os.cpu_count() or 1)
    with ThreadPoolExecutor(tries) as sessions:
        assert all(sessions.map(check_password, ["correct horse"] * tries, [password_hash] * tries))
    assert len(threads) == tries
    assert len(set(threads)) <= max(1, (os.cpu_count() or 1) - 1)


@pytest.mark.skipif(sys.platform != "linux", reason="niceness is a whole process's elsewhere")
@pytest.mark.skipif(os.nice(0) == 19, reason="nothing can stand further back")
def test_hashing_stands_back_for_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    niceness: list[int] = []
    check, make = bcrypt.checkpw, bcrypt.hashpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda *pair: bool(niceness.append(os.nice(0))) or check(*pair))
    monkeypatch.setattr(bcrypt, "hashpw", lambda *pair: niceness.append(os.nice(0)) or make(*pair))
    before = os.nice(0)
    assert check_password("correct horse", hash_password("correct horse"))
    assert os.nice(0) == before
    assert len(niceness) == 2
    assert min(niceness) > before


def test_the_library_accepts_our_hashes_and_we_accept_its() -> None:
    hasher = pytest.importorskip("streamlit_authenticator").Hasher
    assert hasher.check_pw("correct horse", hash_password("correct horse"))
    assert check_password("correct horse", hasher.hash("correct horse"))
    assert not check_password("another", hasher.hash("correct horse"))
