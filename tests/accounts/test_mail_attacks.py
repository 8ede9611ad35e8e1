"""What strangers try with the mails of a running server, through its pages."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from conftest import PASSWORD, find_code
from pydantic import SecretStr
from sqlalchemy import Engine, select, update

from accounts.registration import Registration, confirm, register
from bench.server import Server, run_server
from bench.visitor import Visitor, open_visit
from db import begin_writing
from models import OutboxMail, User
from settings import Settings
from statefiles import read_secret_key

ADVERTISEMENT = "Win at evil.example"
DRIVER, STRANGER = "192.0.2.1", "198.51.100.1"
NEW_PASSWORD = "another long password"
ARRIVAL_SECONDS = 60.0

pytestmark = pytest.mark.slow


class Mailbox:
    """Keeps what the mail server is handed."""

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[tuple[str, EmailMessage]] = []
        self._changed = threading.Condition()

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802
        mail = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
        assert isinstance(mail, EmailMessage)
        with self._changed:
            self.mails.append((envelope.rcpt_tos[0], mail))
            self._changed.notify_all()
        return "250 OK"

    def wait(self, recipient: str, *, holding: str = "") -> list[str]:
        """Return the texts of the mails to somebody, once there is one that holds a text."""

        def read() -> list[str]:
            bodies = [mail.get_body(("plain",)) for to, mail in self.mails if to == recipient]
            return [body.get_content().replace("\r\n", "\n") for body in bodies if body is not None]

        with self._changed:
            assert self._changed.wait_for(lambda: any(holding in text for text in read()), ARRIVAL_SECONDS), self.mails
            return read()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        mailbox.port = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    yield mailbox
    controller.stop()


@pytest.fixture
def server(settings: Settings, engine: Engine, mailbox: Mailbox) -> Iterator[Server]:
    """The application with a mail server, behind a proxy of this machine that says where browsers are."""
    url = SecretStr(f"smtp://127.0.0.1:{mailbox.port}")
    told = settings.model_copy(update={"smtp_url": url, "trusted_proxies": "127.0.0.1"})
    key = read_secret_key(told)
    for name, email in (("ada", "ada@straße.de"), ("eve", "eve@mailbox.org")):
        at = datetime.now(UTC) - timedelta(hours=3)
        opening = register(engine, told, key, Registration(name, email, name, PASSWORD), address=None, now=at)
        with begin_writing(engine) as connection:
            confirm(connection, opening.user_id, at + timedelta(minutes=1))
    with run_server(told) as running:
        yield running


async def open_page(visitor: Visitor, page: str) -> None:
    await visitor.open_page(page, {"lang": "EN"})


async def log_in(visitor: Visitor, name: str, password: str = PASSWORD) -> None:
    await open_page(visitor, "login")
    await visitor.submit("login", {"login_name": name, "login_password": password})
    assert visitor.list_errors() == []


async def ask_code(visitor: Visitor, name: str) -> None:
    await open_page(visitor, "recover")
    await visitor.submit("forgotten_password", {"password_name": name})


async def spend_code(visitor: Visitor, code: str) -> bool:
    """Try to set a new password where a code was asked for; return whether that logged in."""
    await visitor.submit("new_password", {"reset_code": code, "reset_password": NEW_PASSWORD})
    return visitor.has_widget("sidebar_log_out")


async def ask_new_email(visitor: Visitor, email: str) -> None:
    await visitor.submit("email_form", {"profile_email": email, "profile_email_password": PASSWORD})


def test_a_driver_sends_no_words_to_strangers_and_few_mails(server: Server, engine: Engine, mailbox: Mailbox) -> None:
    with begin_writing(engine) as connection:
        connection.execute(update(User).where(User.username == "eve").values(name=ADVERTISEMENT))

    async def attack() -> list[str]:
        async with open_visit(server.url, address=STRANGER) as eve:
            await log_in(eve, "eve")
            await open_page(eve, "profile")
            for number in range(12):
                await ask_new_email(eve, f"stranger{number}@mailbox.org")
            return eve.list_texts()

    texts = asyncio.run(attack())
    assert [text for text in texts if "Too many tries" in text]
    for number in range(5):
        (text,) = mailbox.wait(f"stranger{number}@mailbox.org")
        assert ADVERTISEMENT not in text
    everything = [bytes(mail).decode() for _, mail in mailbox.mails]
    assert not [mail for mail in everything if "evil.example" in mail]
    assert len([to for to, _ in mailbox.mails if to.startswith("stranger")]) == 5


def test_a_code_mailed_to_the_mailbox_of_before_is_good_for_nothing(server: Server, mailbox: Mailbox) -> None:
    async def attack() -> bool:
        async with (
            open_visit(server.url, address=DRIVER) as ada,
            open_visit(server.url, address=STRANGER) as thief,
        ):
            await log_in(ada, "ada")
            await ask_code(thief, "ada")
            (code,) = map(find_code, mailbox.wait("ada@xn--strae-oqa.de"))
            await open_page(ada, "profile")
            await ask_new_email(ada, "new@mailbox.org")
            (new_code,) = map(find_code, mailbox.wait("new@mailbox.org"))
            await ada.submit("email_code", {"profile_email_code": new_code})
            return await spend_code(thief, code)

    assert not asyncio.run(attack())


def test_a_twin_of_a_domain_gets_no_mail(server: Server, mailbox: Mailbox) -> None:
    async def attack() -> None:
        for name in ("ada@STRASSE.de", "ada@strasse.de", "ADA@STRAßE.de"):
            async with open_visit(server.url, address=STRANGER) as thief:
                await ask_code(thief, name)

    asyncio.run(attack())
    assert len(mailbox.wait("ada@xn--strae-oqa.de")) == 1
    assert {to for to, _ in mailbox.mails} == {"ada@xn--strae-oqa.de"}


def test_a_stranger_who_uses_up_all_requests_keeps_the_driver_from_no_code(
    server: Server, engine: Engine, mailbox: Mailbox
) -> None:
    async def attack() -> bool:
        refused = 0
        for name in ("ada", "ADA", "ada@straße.de", "ada@xn--strae-oqa.de") * 5:
            async with open_visit(server.url, address=STRANGER) as stranger:
                await ask_code(stranger, name)
                refused += bool(stranger.list_errors())
        assert refused == 10
        async with open_visit(server.url, address=DRIVER) as ada:
            await ask_code(ada, "ada")
            assert ada.list_errors() == []
            with engine.connect() as connection:
                to_ada = select(OutboxMail.text).where(OutboxMail.recipient != "").order_by(OutboxMail.id.desc())
                code = find_code(connection.scalars(to_ada).first() or "")
            mailbox.wait("ada@xn--strae-oqa.de", holding=code)
            return await spend_code(ada, code)

    assert asyncio.run(attack())
