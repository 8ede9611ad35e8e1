"""Usernames, addresses and names."""

from __future__ import annotations

import pytest

from accounts.identity import make_key, make_mailbox_key, read_email, read_name, read_username, write_domain
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


def test_usernames_that_look_alike_share_a_key() -> None:
    assert make_key("ADA") == make_key("ａｄａ") == make_key("ada ")
    assert make_key("STRASSE") == make_key("straße")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@MailBox.ORG", "ada@mailbox.org"),
        (" ada@mailbox.org\u200b", "ada@mailbox.org"),
        ("ada@mailbox.org.", "ada@mailbox.org"),
        ("ada@mailbox。org", "ada@mailbox.org"),
        ("ada＠ｍａｉｌｂｏｘ.org", "ada@mailbox.org"),
        ("ada@STRAßE.de", "ada@straße.de"),
        ("ada@straße.de", "ada@xn--strae-oqa.de"),
        ("ada@XN--STRAE-OQA.DE", "ada@xn--strae-oqa.de"),
        ("ada@STRASẞE.de", "ada@strasße.de"),
        ("ada@cafe\u0301.fr", "ada@CAFÉ.fr"),
        ("zoe\u0301@mailbox.org", "ZOÉ@mailbox.org"),
    ],
)
def test_ways_to_write_one_address_share_a_key(one: str, other: str) -> None:
    assert make_key(one) == make_key(other)
    assert make_mailbox_key(one) == make_mailbox_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@straße.de", "ada@strasse.de"),
        ("ada@STRASSE.de", "ada@straße.de"),
        ("ada@faß.de", "ada@fass.de"),
        ("ada@βόλος.com", "ada@βόλοσ.com"),
        ("ada@İstanbul.com", "ada@istanbul.com"),
        ("ada@ıstanbul.com", "ada@istanbul.com"),
        ("ada@m\u0430ilbox.org", "ada@mailbox.org"),  # a Cyrillic a
        ("strauß@mailbox.org", "strauss@mailbox.org"),
        ("ﬁnn@mailbox.org", "finn@mailbox.org"),
        ("ａda@mailbox.org", "ada@mailbox.org"),
        ("mıke@mailbox.org", "mike@mailbox.org"),
        ("mİke@mailbox.org", "mike@mailbox.org"),
        ("\u0430da@mailbox.org", "ada@mailbox.org"),
        ("zoé@mailbox.org", "zoe@mailbox.org"),
        ("a.da@mailbox.org", "ada@mailbox.org"),
        ('"ada"@mailbox.org', "ada@mailbox.org"),
        ("ada", "ada@"),
    ],
)
def test_addresses_of_two_mailboxes_share_no_key(one: str, other: str) -> None:
    assert make_key(one) != make_key(other)
    assert make_mailbox_key(one) != make_mailbox_key(other)


def test_a_tag_makes_another_address_whose_mails_are_counted_with_those_of_the_mailbox() -> None:
    assert make_key("ada+fuel@mailbox.org") != make_key("ada@mailbox.org")
    assert make_mailbox_key("Ada+fuel@mailbox.org") == make_mailbox_key("ada@mailbox.org")
    assert make_mailbox_key("a.d.a+fuel@googlemail.com") == make_mailbox_key("ada@gmail.com")
    assert make_mailbox_key("a.da@mailbox.org") != make_mailbox_key("ada@mailbox.org")
    assert make_mailbox_key("+fuel@mailbox.org") != make_mailbox_key("@mailbox.org")


@pytest.mark.parametrize("text", ["@", "ada@", "a@" + "é" * 999, "a@..", "a@-.fr", "a@xn--zz--.fr", "a@b@c", "@\0"])
def test_what_is_no_address_has_a_key_all_the_same(text: str) -> None:
    assert 0 < len(make_key(text)) <= 254
    assert "\0" not in make_key(text)


@pytest.mark.parametrize(
    "email", ["ada@straße.de", "zoé@cafe\u0301.fr", "Ada+x@MailBox.ORG", "ada@xn--strae-oqa.de", "İ@例え.jp"]
)
def test_the_key_of_an_address_is_that_of_its_normal_form(email: str) -> None:
    assert make_key(read_email(email)) == make_key(email)


def test_an_address_goes_out_with_the_domain_that_every_mail_server_knows() -> None:
    assert write_domain("Zoé@straße.de") == "Zoé@xn--strae-oqa.de"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "ada@",
        "@mailbox.org",
        "a b@mailbox.org",
        "a@b@c.org",
        "a@mailbox.org\0",
        f"{'é' * 20}@{'é' * 50}.{'é' * 50}.{'é' * 50}.{'é' * 40}.fr",
    ],
)
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
