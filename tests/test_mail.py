"""The outbox and its workers, with a real mail server on loopback."""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr
from sqlalchemy import Engine, func, select

from db import begin_writing
from mail import CLAIMED, GIVE_UP_AFTER, Mailer, queue_mail, send_due
from models import OutboxMail
from settings import Settings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


class Mailbox:
    """Keeps what a mail server is handed; `answer` is what it says to each mail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = "250 OK"
        self.arrived = threading.Event()
        self.port = 0

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802
        mail = message_from_bytes(envelope.content, policy=policy.default)  # type: ignore[attr-defined]
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.arrived.set()
        return self.answer


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    handler = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        handler.port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port)
    controller.start()
    yield handler
    controller.stop()


@pytest.fixture
def mailing(settings: Settings, mailbox: Mailbox) -> Settings:
    url = f"smtp://127.0.0.1:{mailbox.port}"
    return settings.model_copy(update={"smtp_url": SecretStr(url)})


def queue(engine: Engine, subject: str = "Hello") -> None:
    with begin_writing(engine) as connection:
        queue_mail(connection, recipient="ada@mailbox.org", subject=subject, text="Text é\n", html="<p>é</p>", now=NOW)


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(OutboxMail)).scalar_one())


def test_a_mail_goes_as_text_and_html_and_its_row_goes(engine: Engine, mailing: Settings, mailbox: Mailbox) -> None:
    queue(engine, "Hello\r\nBcc: eve@mailbox.org")
    assert send_due(engine, mailing, lambda: NOW) == 1
    (mail,) = mailbox.mails
    assert mail["To"] == "ada@mailbox.org"
    assert mail["Bcc"] is None
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert count(engine) == 0


def test_a_mail_of_a_transaction_that_failed_does_not_exist(engine: Engine) -> None:
    with pytest.raises(RuntimeError), begin_writing(engine) as connection:
        queue_mail(connection, recipient="a@b.org", subject="x", text="x", html="x", now=NOW)
        raise RuntimeError
    assert count(engine) == 0


def test_each_mail_goes_once_when_workers_race(engine: Engine, mailing: Settings, mailbox: Mailbox) -> None:
    for number in range(20):
        queue(engine, f"mail {number}")
    with ThreadPoolExecutor(4) as pool:
        sent = sum(pool.map(lambda _: send_due(engine, mailing, lambda: NOW), range(4)))
    assert sent == 20
    assert sorted(mail["Subject"] for mail in mailbox.mails) == sorted(f"mail {number}" for number in range(20))


def test_a_refused_mail_is_kept_and_tried_with_growing_pauses(
    engine: Engine, mailing: Settings, mailbox: Mailbox
) -> None:
    queue(engine)
    mailbox.answer = "451 later"
    tried_at = []
    moment = NOW
    while moment < NOW + timedelta(minutes=10):
        before = len(mailbox.mails)
        send_due(engine, mailing, lambda now=moment: now)  # type: ignore[misc]
        if len(mailbox.mails) > before:
            tried_at.append((moment - NOW).total_seconds())
        moment += timedelta(seconds=10)
    assert tried_at == [0, 30, 90, 210, 450]
    mailbox.answer = "250 OK"
    assert send_due(engine, mailing, lambda: NOW + timedelta(hours=1)) == 1
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 1


def test_a_dead_server_loses_nothing_until_two_days_are_over(engine: Engine, settings: Settings) -> None:
    dead = settings.model_copy(update={"smtp_url": SecretStr("smtp://127.0.0.1:1")})
    queue(engine)
    assert send_due(engine, dead, lambda: NOW) == 0
    assert count(engine) == 1
    send_due(engine, dead, lambda: NOW + GIVE_UP_AFTER + timedelta(hours=2))
    assert count(engine) == 0


def test_a_mail_taken_by_a_worker_that_died_goes_ten_minutes_later(
    engine: Engine, mailing: Settings, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    queue(engine)
    with monkeypatch.context() as patch:
        patch.setattr("mail._deliver", die)
        with pytest.raises(Killed):
            send_due(engine, mailing, lambda: NOW)
    assert send_due(engine, mailing, lambda: NOW + CLAIMED - timedelta(seconds=1)) == 0
    assert send_due(engine, mailing, lambda: NOW + CLAIMED) == 1
    assert len(mailbox.mails) == 1


def test_no_mail_goes_unencrypted_to_another_host(engine: Engine, settings: Settings, mailbox: Mailbox) -> None:
    # 127.0.0.2 is this machine too, and stands here for a host that is not.
    url = f"smtp://127.0.0.2:{mailbox.port}"  # type: ignore[attr-defined]
    queue(engine)
    assert send_due(engine, settings.model_copy(update={"smtp_url": SecretStr(url)}), lambda: NOW) == 0
    assert mailbox.mails == []
    assert count(engine) == 1


def test_a_worker_that_is_woken_sends_at_once(engine: Engine, mailing: Settings, mailbox: Mailbox) -> None:
    mailer = Mailer(engine, mailing)
    try:
        queue(engine)
        mailer.wake()
        assert mailbox.arrived.wait(20)
    finally:
        mailer.stop()


def test_without_a_server_a_mail_becomes_a_private_file_for_a_day(engine: Engine, settings: Settings) -> None:
    queue(engine)
    assert send_due(engine, settings, lambda: NOW) == 1
    (path,) = (settings.outputs_dir / "mail").glob("*.eml")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert message_from_bytes(path.read_bytes(), policy=policy.default)["To"] == "ada@mailbox.org"
    old = time.time() - 25 * 3600
    os.utime(path, (old, old))
    send_due(engine, settings, lambda: NOW)
    assert not path.exists()
