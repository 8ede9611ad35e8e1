"""Usernames, addresses and names."""

from __future__ import annotations

import pytest

from accounts.identity import make_key, read_email, read_name, read_username
from errors import EmailRefused, NameRefused, UsernameRefused


@pytest.mark.parametrize("text", ["ada", "Zoé", "j.-p_2", "Łukasz", " ada ", "ﬁnn", "abc", "a" * 30])
def test_a_username_has_latin_letters_digits_and_three_marks(text: str) -> None:
    assert read_username(text).replace("ﬁ", "fi") == read_username(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "ab",
        "ﬁ",
        "a" * 31,
        "ada lovelace",
        "a@b.org",
        "аda",
        "ada\0",
        "<b>",
        "ada\u202e",
        "٣٤",
        "..",
        "a" * 10_000,
        "😀😀",
    ],
)
def test_other_usernames_are_refused(text: str) -> None:
    with pytest.raises(UsernameRefused):
        read_username(text)


def test_look_alikes_share_a_key() -> None:
    assert make_key("ADA") == make_key("ａｄａ") == make_key("ada ")
    assert make_key("STRASSE") == make_key("straße")


@pytest.mark.parametrize("text", ["", "ada", "ada@", "@mailbox.org", "a b@mailbox.org", "a@b@c.org", "a@mailbox.org\0"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(EmailRefused):
        read_email(text)


def test_an_address_is_brought_into_its_normal_form() -> None:
    assert read_email(" Ada@MailBox.ORG ") == "Ada@mailbox.org"


def test_a_name_is_one_line_of_what_can_be_seen() -> None:
    assert read_name("  Ada\n\u202eLove\0lace ") == "Ada Love lace"


@pytest.mark.parametrize("text", ["", "   ", "\u200b\u202e", "x" * 81, "x" * 10_000])
def test_an_empty_or_long_name_is_refused(text: str) -> None:
    with pytest.raises(NameRefused):
        read_name(text)
