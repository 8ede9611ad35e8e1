"""The pages of accounts: what they say of each wrong field, and what they show to whom."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import DATABASE, KEY, PASSWORD, ReadMails, find_code
from page_visit import find_other_language, list_texts, read, run, run_app, visit
from sqlalchemy import Engine, event, select, update
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

from accounts import admin
from accounts.profile import change_language, confirm_new_email, get_profile
from accounts.registration import Registration, register
from accounts.sessions import close_session, close_sessions
from db import begin_writing
from errors import CodeExpired
from models import Attempt, Credential, FollowedGasType, LoginSession, OutboxMail, User, VerificationCode
from settings import ROOT, Settings

HOSTILE = "<script>alert(1)</script> **x** [x](javascript:alert(1)) :red[x]"
HOSTILE_USERNAME = "<b>x **x** [x](x:x) :red[x]"  # a username has no more than 30 characters
NAMES = ("ada", "grace")
GOOD = {
    "username": "alan",
    "name": "Alan",
    "email": "alan@mailbox.org",
    "password": PASSWORD,
}
NO_CODE = "Please type the code of the mail: 8 letters and digits, never I, L, O, U, 0 or 1."
USERNAME_RULE = {
    "en": "3 to 30 Latin letters, digits, dots, underscores or hyphens, with one letter or digit at least.",
    "fr": "De 3 à 30 lettres latines, chiffres, points, tirets ou tirets bas, dont une lettre ou un chiffre au moins.",
}
SHORT = {"en": "At least 10 characters, please; any will do.", "fr": "Au moins 10 caractères, quels qu'ils soient."}
# The field, what is typed, and the sentence in each language.
WRONG = [
    ("username", "al", USERNAME_RULE),
    ("username", "ada@home", USERNAME_RULE),
    ("username", "a" * 31, USERNAME_RULE),
    ("username", "аda", USERNAME_RULE),  # a Cyrillic letter
    (
        "username",
        "ADA",
        {"en": "Another driver has this username.", "fr": "Cet identifiant est déjà pris."},
    ),
    (
        "name",
        " \t ",
        {
            "en": "Please give a name of at most 80 characters.",
            "fr": "Indiquez un nom de 80 caractères au plus.",
        },
    ),
    ("email", "alan@", {"en": "This is not an e-mail address.", "fr": "Ce n'est pas une adresse e-mail."}),
    (
        "email",
        "Ada@mailbox.org",
        {
            "en": "There is an account with this address already.",
            "fr": "Il existe déjà un compte avec cette adresse.",
        },
    ),
    ("password", "short", SHORT),
    (
        "password",
        "é" * 40,
        {
            "en": "This password is too long: 72 bytes at most.",
            "fr": "Ce mot de passe est trop long : 72 octets au plus.",
        },
    ),
    (
        "password",
        "1234567890",
        {
            "en": "This password is among the most common ones. Please choose another.",
            "fr": "Ce mot de passe fait partie des plus courants. Choisissez-en un autre.",
        },
    ),
    (
        "password",
        "my name is ALAN",
        {
            "en": "The password must not hold your username.",
            "fr": "Le mot de passe ne doit pas contenir votre identifiant.",
        },
    ),
]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine) -> Iterator[Settings]:
    """The pages, with two drivers, and with no mail server."""
    for name in NAMES:
        form = Registration(name, f"{name}@mailbox.org", name.title(), PASSWORD, language="en")
        assert register(engine, settings, KEY, form, address=None, now=datetime.now(UTC)).is_open
    with run_app(monkeypatch, settings):
        yield settings


@pytest.fixture
def mailing_app(app: Settings, mailing: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The same pages with a mail server, at which nobody listens: mails stay in the outbox, to be read there."""
    with run_app(monkeypatch, mailing):
        yield mailing


def find_id(engine: Engine, username: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(User.id).where(User.username_key == username)).scalar_one())


def log_in(username: str = "ada", page: str = "profile", password: str = PASSWORD) -> AppTest:
    """Log in by the form, and go to a page."""
    at = visit("login")
    at.text_input(key="login_name").set_value(username)
    at.text_input(key="login_password").set_value(password)
    run(press(at, "Log in"))
    at.switch_page(str(ROOT / "pages" / f"{page}.py"))
    return run(at)


def press(at: AppTest, label: str) -> AppTest:
    """Press a button of the page by what stands on it."""
    (button,) = [button for button in at.main.button if button.label == label]
    return button.click()


def list_shown(at: AppTest) -> list[str]:
    return [read(text) for text in list_texts(at)]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(("field", "typed", "sentences"), WRONG, ids=[f"{one[0]}-{one[1][:10]}" for one in WRONG])
def test_a_wrong_field_is_told_right_below_it(
    app: Settings, engine: Engine, field: str, typed: str, sentences: dict[str, str], language: str
) -> None:
    at = visit("register", lang=language.upper())
    for name, text in (GOOD | {field: typed}).items():
        at.text_input(key=f"register_{name}").set_value(text)
    press(at, {"en": "Open an account", "fr": "Créer un compte"}[language])
    run(at)
    elements = [element for element in at.main if element.type in ("text_input", "markdown", "button_group")]
    place = next(i for i, element in enumerate(elements) if getattr(element, "key", "") == f"register_{field}")
    assert read(elements[place + 1].value) == sentences[language]
    told = [text for text in list_shown(at) if any(text in rule.values() for _, _, rule in WRONG)]
    assert told == [sentences[language]]
    assert find_other_language(list_texts(at), language) == []
    with engine.connect() as connection:
        assert connection.execute(select(User.username).order_by(User.id)).scalars().all() == list(NAMES)


def test_what_was_wrong_on_one_page_is_not_told_on_the_next(app: Settings) -> None:
    at = visit("register")
    for name, text in (GOOD | {"username": "a"}).items():
        at.text_input(key=f"register_{name}").set_value(text)
    run(press(at, "Open an account"))
    at.switch_page(str(ROOT / "pages" / "login.py"))
    run(at)
    at.text_input(key="login_name").set_value("ada")
    at.text_input(key="login_password").set_value(PASSWORD)
    run(press(at, "Log in"))
    at.switch_page(str(ROOT / "pages" / "profile.py"))
    assert USERNAME_RULE["en"] not in list_shown(run(at))


def list_private_pages() -> list[str]:
    asks = re.compile(r"^(\w+ = )?require_(driver|admin)\(\)", re.MULTILINE)
    return [path.stem for path in sorted((ROOT / "pages").glob("*.py")) if asks.search(path.read_text())]


def test_every_page_is_known_to_be_for_everyone_or_asks_who_is_there() -> None:
    pages = {path.stem for path in (ROOT / "pages").glob("*.py")}
    assert pages - set(list_private_pages()) == {
        "about",
        "choose",
        "dashboard",
        "landing",
        "login",
        "privacy",
        "recover",
        "register",
        "station",
    }


@pytest.mark.parametrize("page", sorted({*list_private_pages()} - {"admin"}))  # which is not there at all
def test_a_visitor_of_a_private_page_is_shown_nothing_of_it(app: Settings, engine: Engine, page: str) -> None:
    for query in ({}, {"id": "1"}, {"user_id": "1", "username": "x", "session_id": "0" * 64}):
        at = visit(page, **query)
        (title,) = [title.value for title in at.main.title]
        assert title in ("This page needs an account", "Page not found")
        asked = ["Log in, or open an account: it is free and takes a minute."] * (title != "Page not found")
        assert [read(text.value) for text in at.main.markdown] == asked
        for kind in ("text_input", "number_input", "button", "tabs", "table", "dataframe", "subheader", "success"):
            assert not list(at.main.get(kind)), kind
        assert not [text for text in list_shown(at) if "ada" in text.lower() or "grace" in text.lower()]
        assert at.session_state["driver"] is None


def test_the_wrong_password_and_an_unknown_name_are_refused_alike(app: Settings) -> None:
    for name in ("ada", "nobody"):
        at = visit("login")
        at.text_input(key="login_name").set_value(name)
        at.text_input(key="login_password").set_value("not the password")
        run(press(at, "Log in"))
        assert [error.value for error in at.main.error] == ["This name and this password do not fit together."]
        assert at.text_input(key="login_password").value == ""
    assert [title.value for title in log_in().main.title] == ["Your profile"]


@pytest.mark.parametrize(
    ("page", "query"),
    [("landing", {"q": "Lyon"}), ("station", {"id": "7"}), ("about", {}), ("dashboard", {"start": "Lyon"})],
)
def test_logging_in_leads_back_to_the_page_one_came_from(app: Settings, page: str, query: dict[str, str]) -> None:
    at = visit(page, **query)
    title = [one.value for one in at.main.title]
    at.switch_page(str(ROOT / "pages" / "login.py"))
    run(at)
    at.text_input(key="login_name").set_value("ada")
    at.text_input(key="login_password").set_value(PASSWORD)
    run(press(at, "Log in"))
    assert [one.value for one in at.main.title] == title
    assert {name: at.query_params[name] for name in query} == query


def test_who_sets_a_new_password_is_logged_in_here_and_nowhere_else(
    mailing_app: Settings, engine: Engine, read_mails: ReadMails
) -> None:
    elsewhere = log_in()
    at = visit("about")
    at.switch_page(str(ROOT / "pages" / "recover.py"))
    run(at)
    at.text_input(key="password_name").set_value("ada")
    run(press(at, "Mail me a code"))
    code = find_code(read_mails()[-1].text)
    at.text_input(key="reset_code").set_value(code)
    at.text_input(key="reset_password").set_value("another long password")
    run(press(at, "Set the new password"))
    for _ in range(2):  # a load that ends runs the page once more
        assert [box.value for box in at.main.success] == [
            "Your new password is set and you are logged in. Every other browser is logged out."
        ]
        assert "Logged in as ada." in list_shown(at)
        run(at)
    assert [title.value for title in run(elsewhere).main.title] == ["This page needs an account"]
    with engine.connect() as connection:
        assert len(connection.execute(select(LoginSession.user_id)).all()) == 1
    assert [title.value for title in run(press(at, "Go on")).main.title] == ["About Carburoam"]


def test_a_code_of_before_sets_a_new_password_without_another_mail(
    mailing_app: Settings, engine: Engine, read_mails: ReadMails
) -> None:
    at = visit("recover")
    at.text_input(key="password_name").set_value("ada")
    run(press(at, "Mail me a code"))
    code = find_code(read_mails()[-1].text)
    again = run(press(visit("recover"), "I have a code already"))  # as after a reload
    again.text_input(key="reset_name").set_value("ada")
    again.text_input(key="reset_password").set_value("another long password")
    for typed in ("", "AAAA", "AAAAAAA0"):
        again.text_input(key="reset_code").set_value(typed)
        run(press(again, "Set the new password"))
        assert NO_CODE in list_shown(again)
    with engine.connect() as connection:
        assert connection.execute(select(VerificationCode.tries)).scalar_one() == 0
    assert len(read_mails()) == 1
    again.text_input(key="reset_code").set_value(code)
    run(press(again, "Set the new password"))
    assert "Logged in as ada." in list_shown(again)


def test_the_page_of_a_forgotten_password_says_nothing_of_an_account_without_its_code(mailing_app: Settings) -> None:
    said = []
    for name in ("ada", "ada@mailbox.org", "nobody", "nobody@mailbox.org"):
        at = visit("recover")
        at.text_input(key="password_name").set_value(name)
        run(press(at, "Mail me a code"))
        at.text_input(key="reset_code").set_value("AAAAAAAA")
        at.text_input(key="reset_password").set_value("my name is ada")
        said.append(list_shown(run(press(at, "Set the new password"))))
    assert said[0] == said[1] == said[2] == said[3]
    assert "mailbox.org" not in str(said)


def test_who_waits_for_the_code_of_a_new_account_is_told_where_to_look(mailing_app: Settings) -> None:
    said = []
    for username, email in (("alan", "Alan@mailbox.org"), ("turing", "ada@mailbox.org")):
        at = visit("register")
        for name, text in (GOOD | {"username": username, "email": email}).items():
            at.text_input(key=f"register_{name}").set_value(text)
        run(press(at, "Open an account"))
        assert f"We have sent a code to {email}. Type it here to open your account." in list_shown(at)
        assert "It expires in 15 minutes. If it does not arrive, check your spam folder." in list_shown(at)
        at.text_input(key="confirm_code").set_value("")
        run(press(at, "Confirm"))
        assert NO_CODE in list_shown(at)
        said.append([text.replace(email, "") for text in list_shown(at)])
    assert said[0] == said[1]  # though the second address has an account


@pytest.mark.parametrize("username", ["alan", "turing"])
def test_a_new_account_is_opened_by_its_code_at_a_log_in(
    mailing_app: Settings, read_mails: ReadMails, username: str
) -> None:
    email = "alan@mailbox.org" if username == "alan" else "ada@mailbox.org"  # which has an account
    at = visit("register")
    for name, text in (GOOD | {"username": username, "email": email}).items():
        at.text_input(key=f"register_{name}").set_value(text)
    run(press(at, "Open an account"))

    at = visit("login")  # another window

    def attempt(code: str = "") -> list[str]:
        at.text_input(key="login_name").set_value(username)
        at.text_input(key="login_password").set_value(PASSWORD)
        if code:
            at.text_input(key="login_code").set_value(code)
        run(press(at, "Log in"))
        return list_shown(at)

    assert "This name and this password do not fit together." in attempt()
    assert "A new account also asks for the code that was mailed to you." in list_shown(at)
    run(press(at, "I have a code for a new account"))
    assert NO_CODE in attempt("1234")
    assert "This name, this password and this code do not fit together." in attempt("AAAAAAAA")
    if username == "alan":
        attempt(find_code(read_mails()[-1].text))
        assert "Logged in as **alan**." in [text.value for text in at.sidebar.markdown]


def test_a_new_address_that_waits_for_its_code_is_shown_and_can_be_called_off(
    mailing_app: Settings, engine: Engine, read_mails: ReadMails
) -> None:
    at = log_in()
    at.text_input(key="profile_email").set_value("new@mailbox.org")
    for password in ("not the password", PASSWORD):
        at.text_input(key="profile_email_password").set_value(password)
        run(press(at, "Change the address"))
        assert ("This is not your password." in list_shown(at)) == (password != PASSWORD)
    assert at.text_input(key="profile_email_password").value == ""
    code = find_code(read_mails()[-1].text)
    at.switch_page(str(ROOT / "pages" / "about.py"))
    run(at)
    at.switch_page(str(ROOT / "pages" / "profile.py"))
    assert "We have sent a code to new@mailbox.org. Type it here to make that your address." in list_shown(run(at))
    assert "It expires in 15 minutes. If it does not arrive, check your spam folder." in list_shown(at)
    at.text_input(key="profile_email_code").set_value("1")
    run(press(at, "Confirm"))
    assert NO_CODE in list_shown(at)
    run(press(at, "Keep the old address"))
    assert "Your address stays as it is." in list_shown(at)
    assert not [field for field in at.main.text_input if field.key == "profile_email_code"]
    with pytest.raises(CodeExpired):
        confirm_new_email(engine, mailing_app, KEY, find_id(engine, "ada"), code, datetime.now(UTC))


@pytest.mark.parametrize("has_mails", [False, True])
def test_a_last_mail_is_promised_where_there_are_mails(
    has_mails: bool, app: Settings, request: pytest.FixtureRequest
) -> None:
    if has_mails:
        request.getfixturevalue("mailing_app")
    (text,) = [text for text in list_shown(log_in()) if "deleted at once and for good" in text]
    assert ("mail" in text) == has_mails


def test_a_hostile_name_is_text_on_the_profile_and_in_the_sidebar(app: Settings, engine: Engine) -> None:
    with begin_writing(engine) as connection:  # past the rules of usernames, which allow none of it
        connection.execute(update(User).where(User.username == "ada").values(username=HOSTILE_USERNAME, name=HOSTILE))
    at = log_in("ada")
    sentences = [text for text in list_texts(at) if text.startswith("Logged in as ")]
    assert len(sentences) == 2  # on the page and in the sidebar
    for sentence in sentences:
        assert read(sentence) == f"Logged in as {HOSTILE_USERNAME}."
        inside = sentence.removeprefix("Logged in as **").removesuffix("**.")
        assert not re.search(r"(?<!\\)[<>*\[\]:]", inside)
    assert at.text_input(key="profile_name").value == HOSTILE


def test_two_tabs_that_change_the_profile_at_once_both_save(app: Settings, engine: Engine) -> None:
    first, second = log_in(), log_in()
    first.text_input(key="profile_name").set_value("Countess")
    second.text_input(key="profile_username").set_value("lovelace")
    run(press_save(first, "names"))
    run(press_save(second, "names"))
    first.number_input(key="profile_litres").set_value(6.5)
    second.number_input(key="profile_tank").set_value(45)
    run(press_save(first, "vehicle"))
    run(press_save(second, "vehicle"))
    first.get_by_key("profile_fuels").set_value([6])
    second.number_input(key="profile_km").set_value(12_000)
    run(press_save(first, "vehicle"))
    run(press_save(second, "vehicle"))
    with engine.connect() as connection:
        profile = get_profile(connection, find_id(engine, "lovelace"))
    assert (profile.name, profile.username, profile.fuels) == ("Countess", "lovelace", (6,))
    assert (profile.litres_per_100km, profile.km_per_year, profile.tank_litres) == (6.5, 12_000, 45)
    for at in (run(first), run(second)):
        assert [text for text in list_shown(at) if text.startswith("Logged in as ")] == ["Logged in as lovelace."] * 2
        assert [at.text_input(key=f"profile_{field}").value for field in ("name", "username")] == [
            "Countess",
            "lovelace",
        ]
        assert [at.number_input(key=f"profile_{field}").value for field in ("litres", "km", "tank")] == [
            6.5,
            12_000,
            45,
        ]
        assert at.get_by_key("profile_fuels").value == [6]
        assert not at.main.error


def test_of_two_tabs_that_change_one_field_the_last_one_wins(app: Settings, engine: Engine) -> None:
    tabs = log_in(), log_in()
    for at, name in zip(tabs, ("Countess", "Augusta"), strict=True):
        at.text_input(key="profile_name").set_value(name)
        at.number_input(key="profile_km").set_value(len(name))
        run(press_save(at, "names"))
        at.number_input(key="profile_km").set_value(len(name))
        run(press_save(at, "vehicle"))
        assert "Saved." in list_shown(at)
    for at in tabs:
        run(at)
        assert at.text_input(key="profile_name").value == "Augusta"
        assert at.number_input(key="profile_km").value == len("Augusta")
        assert not at.main.error


@pytest.mark.parametrize(
    ("key", "wrong", "sentence"),
    [
        ("profile_litres", 60.5, "Please give a figure from 1 to 60."),
        ("profile_km", 0, "Please give a figure from 1 to 300,000."),
        ("profile_tank", 4, "Please give a figure from 5 to 2,000."),
    ],
)
def test_a_figure_that_no_vehicle_has_is_told_at_its_field(
    app: Settings, engine: Engine, key: str, wrong: float, sentence: str
) -> None:
    at = log_in()
    at.number_input(key=key).set_value(wrong)
    run(press_save(at, "vehicle"))
    elements = [element for element in at.main if element.type in ("number_input", "markdown")]
    place = next(i for i, element in enumerate(elements) if getattr(element, "key", "") == key)
    assert read(elements[place + 1].value) == sentence
    assert at.number_input(key=key).value == wrong
    with engine.connect() as connection:
        profile = get_profile(connection, 1)
    assert (profile.litres_per_100km, profile.km_per_year, profile.tank_litres) == (None, None, None)


def test_each_wrong_figure_is_told_and_the_right_ones_are_kept(app: Settings, engine: Engine) -> None:
    at = log_in()
    for key, figure in (("profile_litres", -3.0), ("profile_km", 999_999_999), ("profile_tank", 45)):
        at.number_input(key=key).set_value(figure)
    run(press_save(at, "vehicle"))
    assert "Please give a figure from 1 to 60." in list_shown(at)
    assert "Please give a figure from 1 to 300,000." in list_shown(at)
    assert not list(at.main.success)
    with engine.connect() as connection:
        profile = get_profile(connection, 1)
    assert (profile.litres_per_100km, profile.km_per_year, profile.tank_litres) == (None, None, 45)


def test_a_username_of_another_driver_is_told_and_stays_in_its_field(app: Settings, engine: Engine) -> None:
    at = log_in("grace")
    at.text_input(key="profile_username").set_value("ADA")
    run(press_save(at, "names"))
    assert "Another driver has this username." in list_shown(at)
    assert "Logged in as grace." in list_shown(at)
    assert at.text_input(key="profile_username").value == "ADA"


def test_what_is_typed_is_shown_as_it_is_kept(app: Settings, engine: Engine) -> None:
    at = log_in()
    at.text_input(key="profile_name").set_value("  Ada   Lovelace ")
    run(press_save(at, "names"))
    assert at.text_input(key="profile_name").value == "Ada Lovelace"


def test_a_rerun_of_the_profile_asks_the_database_at_most_ten_times(app: Settings) -> None:
    from ui.reading import get_engine

    at = log_in()
    questions: list[str] = []

    @event.listens_for(get_engine(), "before_cursor_execute")
    def count(connection: object, cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            questions.append(statement)

    run(at)
    assert 3 <= len(questions) <= 10, "\n".join(questions)


def press_save(at: AppTest, form: str) -> AppTest:
    (button,) = [button for button in at.main.button if button.label == "Save" and button.proto.form_id == form]
    return button.click()


ENDED = "You are logged out: your log-in is over, or was ended elsewhere."


@pytest.mark.parametrize("page", ["choose", "dashboard", "about", "profile"])
def test_who_is_logged_out_from_elsewhere_is_told_where_the_next_action_lands(
    app: Settings, engine: Engine, page: str
) -> None:
    at = log_in(page=page)
    with begin_writing(engine) as connection:
        close_sessions(connection, find_id(engine, "ada"))
    for _ in range(2):
        assert [box.value for box in run(at).main.warning] == [ENDED]
    at.switch_page(str(ROOT / "pages" / "privacy.py"))
    assert not list(run(at).main.warning)
    assert not list(visit(page).main.warning)


@pytest.mark.parametrize("button", ["Log out", "Log out everywhere"])
@pytest.mark.parametrize("page", ["profile", "choose"])
def test_who_logs_out_is_told_nothing_and_never_that_the_page_needs_an_account(
    app: Settings, page: str, button: str
) -> None:
    at = log_in(page=page)
    if page == "profile":
        run(press(at, button))
        assert [title.value for title in at.main.title] == [title.value for title in visit().main.title]
    else:
        run(at.button(key="sidebar_log_out").click())
    assert not list(at.main.warning)
    assert not list(at.main.success)
    assert at.session_state["driver"] is None
    at.switch_page(str(ROOT / "pages" / "profile.py"))
    assert [title.value for title in run(at).main.title] == ["This page needs an account"]


@pytest.mark.parametrize("end", ["here", "everywhere", "deleted"])
def test_a_session_ended_elsewhere_changes_nothing_by_a_callback(app: Settings, engine: Engine, end: str) -> None:
    at, driver_id = log_in(), find_id(engine, "ada")
    with begin_writing(engine) as connection:
        if end == "here":
            close_session(connection, at.session_state["session_id"])
        elif end == "everywhere":
            close_sessions(connection, driver_id)
        else:
            connection.execute(User.__table__.delete().where(User.id == driver_id))
    at.text_input(key="profile_name").set_value("Eve")
    at.text_input(key="profile_username").set_value("eve")
    run(press_save(at, "names"))
    assert [title.value for title in at.main.title] == ["This page needs an account"]
    assert not list(at.main.text_input)
    with engine.connect() as connection:
        assert not connection.execute(select(User.id).where(User.name == "Eve")).all()


@pytest.fixture
def delete_meanwhile(engine: Engine) -> Iterator[Callable[[str, str], None]]:
    """Give a function that lets an account be deleted right before a statement that begins like this is next sent."""
    from ui.reading import get_engine

    due: list[tuple[str, str]] = []

    def delete(connection: object, cursor: object, statement: str, *_: object) -> None:
        if due and statement.startswith(due[0][1]):
            username, _beginning = due.pop()
            with begin_writing(engine) as writing:
                writing.execute(User.__table__.delete().where(User.username == username))

    def arrange(username: str, beginning: str) -> None:
        event.listen(get_engine(), "before_cursor_execute", delete)
        due.append((username, beginning))

    yield arrange
    assert not due


def test_an_account_deleted_during_a_run_is_shown_logged_out(
    app: Settings, delete_meanwhile: Callable[[str, str], None]
) -> None:
    at = log_in()
    delete_meanwhile("ada", "SELECT users.id, users.username, users.username_key")
    run(at)
    assert [title.value for title in at.main.title] == ["This page needs an account"]
    assert not list(at.main.text_input)
    assert not [text for text in list_shown(at) if "ada" in text.lower()]
    assert "session_id" not in at.session_state


@pytest.mark.parametrize("form", ["names", "vehicle", "lang", "Change the address", "Change the password", "erase"])
def test_an_account_deleted_during_a_callback_is_shown_logged_out(
    app: Settings, engine: Engine, delete_meanwhile: Callable[[str, str], None], form: str
) -> None:
    at = log_in()
    for key in ("profile_old", "profile_email_password", "erase_password"):
        at.text_input(key=key).set_value(PASSWORD)
    at.text_input(key="profile_new").set_value("another long password")
    at.text_input(key="profile_email").set_value("new@mailbox.org")
    at.text_input(key="profile_name").set_value("Countess")
    at.number_input(key="profile_km").set_value(12_000)
    # The first statement of any change takes the turn to write, so that nothing can come between later ones.
    delete_meanwhile("ada", "BEGIN IMMEDIATE" if DATABASE == "sqlite" else "SELECT set_config")
    if form == "lang":
        at.get_by_key("lang").set_value("fr")
    elif form in ("names", "vehicle"):
        press_save(at, form)
    else:
        press(at, "Delete my account" if form == "erase" else form)
    run(at)
    title = "Connectez-vous pour voir cette page" if form == "lang" else "This page needs an account"
    assert [one.value for one in at.main.title] == [title]
    assert not list(at.main.text_input)
    with engine.connect() as connection:
        assert connection.execute(select(User.username)).scalars().all() == ["grace"]
        assert not connection.execute(select(FollowedGasType.user_id).where(FollowedGasType.user_id == 1)).all()
        assert not connection.execute(select(OutboxMail.id)).all()


def test_a_language_chosen_in_a_session_that_was_ended_is_not_kept(app: Settings, engine: Engine) -> None:
    at = log_in()
    with begin_writing(engine) as connection:
        close_sessions(connection, find_id(engine, "ada"))
    run(at.get_by_key("lang").set_value("fr"))
    with engine.connect() as connection:
        assert connection.execute(select(User.language).where(User.username == "ada")).scalar_one() == "en"
    assert [title.value for title in at.main.title] == ["Connectez-vous pour voir cette page"]


@pytest.mark.parametrize("page", ["profile", "privacy", "landing"])
def test_the_cookie_is_the_last_that_a_run_draws(app: Settings, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    at = log_in(page=page)
    drawn: list[str] = []
    enqueue = DeltaGenerator._enqueue

    def note(self: DeltaGenerator, kind: str, *rest: Any, **options: Any) -> DeltaGenerator:
        drawn.append(kind)
        return enqueue(self, kind, *rest, **options)

    monkeypatch.setattr(DeltaGenerator, "_enqueue", note)
    run(at)
    assert len(drawn) > 5
    assert "cookie_due" in at.session_state, "the browser of a test reports no cookie, so it is written on each run"
    assert drawn[-1] == "bidi_component"
    assert "component_instance" not in drawn, "the library's own component writes no cookie"


def test_a_choice_of_language_that_went_with_its_widget_changes_nothing(app: Settings) -> None:
    def lose_the_choice() -> None:
        import streamlit as st

        from ui.authentication import keep_language

        st.session_state["lang"] = None
        keep_language()
        st.text(str(st.query_params.to_dict()))

    at = run(AppTest.from_function(lose_the_choice))
    assert [text.value for text in at.text] == ["{}"]


def test_what_can_be_no_address_is_told_where_a_username_is_asked_for(mailing_app: Settings) -> None:
    at = visit("recover")
    at.text_input(key="username_email").set_value("no address")
    run(press(at, "Mail me my username"))
    assert "This is not an e-mail address." in list_shown(at)
    assert not list(at.main.success)


def test_deleting_says_so_and_leaves_no_row(app: Settings, engine: Engine) -> None:
    at = log_in()
    at.text_input(key="erase_password").set_value(PASSWORD)
    run(press(at, "Delete my account"))
    assert [box.value for box in at.main.success] == [
        "Your account is deleted, and all that was kept with it. Safe travels!"
    ]
    assert [title.value for title in at.main.title] == [title.value for title in visit().main.title]
    with engine.connect() as connection:
        assert connection.execute(select(User.username)).scalars().all() == ["grace"]
        assert not connection.execute(select(LoginSession.user_id)).all()
    again = log_in("grace")
    assert not list(again.main.success)  # nothing of the one before


LAST_ADMIN = {
    "en": "You are the last admin who can log in. Give the admin role to another account first, under Administration, "
    "People.",
    "fr": "Vous êtes le dernier administrateur qui puisse se connecter. Donnez d'abord le rôle d'administrateur à un "
    "autre compte, sous Administration, Comptes.",
}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_last_admin_is_told_to_name_another_one_before_they_go(
    app: Settings, engine: Engine, language: str
) -> None:
    with begin_writing(engine) as connection:
        change_language(connection, find_id(engine, "ada"), language)
        admin.grant_admin(connection, admin.COMMAND, find_id(engine, "ada"), datetime.now(UTC))
    at = log_in()
    at.text_input(key="erase_password").set_value(PASSWORD)
    run(press(at, "Delete my account" if language == "en" else "Supprimer mon compte"))
    assert LAST_ADMIN[language] in list_shown(at)
    assert find_id(engine, "ada")
    with begin_writing(engine) as connection:
        admin.grant_admin(connection, admin.COMMAND, find_id(engine, "grace"), datetime.now(UTC))
    at.text_input(key="erase_password").set_value(PASSWORD)
    run(press(at, "Delete my account" if language == "en" else "Supprimer mon compte"))
    with engine.connect() as connection:
        assert connection.execute(select(User.username)).scalars().all() == ["grace"]


def test_guesses_at_the_password_on_the_profile_have_to_wait(app: Settings, engine: Engine) -> None:
    at = log_in()
    said = []
    for failures in (1, 1000):
        with begin_writing(engine) as connection:  # as if there had been so many, the last of them just now
            connection.execute(update(Attempt).values(times=failures, last_at=datetime.now(UTC)))
        at.text_input(key="erase_password").set_value(PASSWORD if failures > 1 else "not the password")
        run(press(at, "Delete my account"))
        said += [text for text in list_shown(at) if text.startswith(("This is not your", "Too many tries"))]
    assert [re.sub(r"\d+", "N", text) for text in said] == [
        "This is not your password.",
        "Too many tries. Please wait N seconds.",
    ]


def show_admin_page() -> None:
    """Run as a script: a page for admins only."""
    import streamlit as st

    from ui.access import require_admin
    from ui.authentication import restore_driver

    st.session_state["lang"] = "en"
    restore_driver()
    require_admin()
    st.title("Secret")


@pytest.mark.parametrize(("who", "title"), [("", "Page not found"), ("driver", "Page not found"), ("admin", "Secret")])
def test_a_page_for_admins_is_not_there_for_anyone_else(app: Settings, engine: Engine, who: str, title: str) -> None:
    at = AppTest.from_function(show_admin_page, default_timeout=30)
    if who:
        at.session_state["session_id"] = log_in().session_state["session_id"]
    if who == "admin":
        with begin_writing(engine) as connection:
            connection.execute(update(Credential).where(Credential.user_id == 1).values(role="admin"))
    assert [one.value for one in run(at).main.title] == [title]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("page", ["login", "register", "recover", "privacy", "profile"])
def test_account_pages_speak_one_language(app: Settings, page: str, language: str) -> None:
    texts = list_texts(visit(page, lang=language.upper()))
    assert find_other_language(texts, language) == []
    if page == "profile":
        at = log_in()
        run(at.get_by_key("lang").set_value(language))
        texts = list_texts(at)
        assert len(texts) > 30
        assert find_other_language(texts, language) == []
