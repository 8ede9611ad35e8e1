"""The outbox and its workers, with a real mail server on loopback."""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope as SMTPEnvelope
from hanging_mail_server import ANSWERS, HangingMailServer
from pydantic import SecretStr
from sqlalchemy import Engine, Row, func, select, update

from db import begin_writing
from mail import (
    CLAIMED,
    FAILED_KEPT,
    GIVE_UP_AFTER,
    POLL_SECONDS,
    REASON_LENGTH,
    Failure,
    Mailer,
    clean_reason,
    clear_failures,
    find_pause,
    list_failures,
    look_at_outbox,
    queue_mail,
    send_due,
)
from models import OutboxMail
from settings import Settings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


class Mailbox:
    """Keeps what a mail server is handed; `answer` is what it says to each mail, `welcome` to each recipient."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = "250 OK"
        self.welcome = "250 OK"
        self.arrived = threading.Event()
        self.port = 0

    async def handle_RCPT(  # noqa: N802
        self, server: object, session: object, envelope: SMTPEnvelope, address: str, options: list[str]
    ) -> str:
        if self.welcome.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.welcome.format(address=address)

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


def queue(engine: Engine, subject: str = "Hello", *, expires_at: datetime | None = None) -> None:
    with begin_writing(engine) as connection:
        mail = {"recipient": "ada@mailbox.org", "subject": subject, "text": "Text é\n", "html": "<p>é</p>"}
        queue_mail(connection, **mail, now=NOW, expires_at=expires_at)


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(OutboxMail)).scalar_one())


def read_outbox(engine: Engine) -> list[Row[tuple[object, ...]]]:
    with engine.connect() as connection:
        return list(connection.execute(select(OutboxMail.__table__).order_by(OutboxMail.id)))


def read_failures(engine: Engine) -> list[Failure]:
    with engine.connect() as connection:
        return list_failures(connection, 10)


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
    kept = [path.with_name("mine.eml"), path.with_name("20260310.eml")]
    for own in kept:  # a person's
        own.touch()
    path.with_name("folder.eml").mkdir()
    old = time.time() - 25 * 3600
    for one in (path, *kept):
        os.utime(one, (old, old))
    send_due(engine, settings, lambda: NOW)
    assert not path.exists()
    assert all(own.exists() for own in kept)


# A mail server that hangs


@pytest.mark.parametrize("dribbles", [False, True], ids=["silent", "dribbling"])
@pytest.mark.parametrize("count", range(len(ANSWERS)))
def test_a_server_that_hangs_at_any_step_gets_no_more_than_the_budget_of_one_mail(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, count: int, dribbles: bool
) -> None:
    monkeypatch.setattr("mail.MAIL_SECONDS", 0.3)
    for number in range(6):
        queue(engine, f"mail {number}")
    with HangingMailServer(count, dribbles=dribbles) as server, ThreadPoolExecutor(1) as pool:
        hanging = settings.model_copy(update={"smtp_url": SecretStr(f"smtp://127.0.0.1:{server.port}")})
        assert pool.submit(send_due, engine, hanging, lambda: NOW).result(20) == 0
        assert server.left.wait(20)
        assert server.connections == 1, "the others would fare the same"
    first, *others = read_outbox(engine)
    assert (first.tries, first.last_error, first.next_try_at > NOW) == (1, "TimeoutError", True)
    assert [(mail.tries, mail.last_error, mail.next_try_at) for mail in others] == [(0, None, NOW)] * 5


@pytest.mark.parametrize("line", [b"250-more\r\n", b"x" * 500 + b"\r\n"], ids=["an answer", "no answer"])
def test_a_server_that_says_too_much_is_cut_off(engine: Engine, settings: Settings, line: bytes) -> None:
    said: list[int] = []

    def flood() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(b"220 x\r\n")
            connection.recv(4096)
            while True:
                connection.sendall(line * 1000)
                said.append(len(line) * 1000)

    queue(engine)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        flooding = threading.Thread(target=flood, daemon=True)
        flooding.start()
        url = SecretStr(f"smtp://127.0.0.1:{listener.getsockname()[1]}")
        assert send_due(engine, settings.model_copy(update={"smtp_url": url}), lambda: NOW) == 0
        flooding.join(20)
    assert not flooding.is_alive()
    assert sum(said) < 20_000_000, "what the network holds, and no more"
    assert read_outbox(engine)[0].last_error is not None


def test_a_server_that_hangs_in_its_tls_handshake_gets_no_more_either(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mail.MAIL_SECONDS", 0.3)
    queue(engine)
    with HangingMailServer() as server, ThreadPoolExecutor(1) as pool:
        hanging = settings.model_copy(update={"smtp_url": SecretStr(f"smtps://127.0.0.1:{server.port}")})
        assert pool.submit(send_due, engine, hanging, lambda: NOW).result(20) == 0
        assert server.left.wait(20)
    assert read_outbox(engine)[0].last_error == "TimeoutError"


def test_a_server_that_took_a_mail_may_hang_at_its_good_bye(engine: Engine, settings: Settings) -> None:
    queue(engine)
    with HangingMailServer(len(ANSWERS)) as server, ThreadPoolExecutor(1) as pool:
        hanging = settings.model_copy(update={"smtp_url": SecretStr(f"smtp://127.0.0.1:{server.port}")})
        assert pool.submit(send_due, engine, hanging, lambda: NOW).result(20) == 1
        assert server.left.wait(20)
    assert read_outbox(engine) == []


def test_a_round_begins_no_mail_once_its_time_is_over(
    engine: Engine, mailing: Settings, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        queue(engine, f"mail {number}")
    with monkeypatch.context() as patch:
        patch.setattr("mail.ROUND_SECONDS", 0)
        assert send_due(engine, mailing, lambda: NOW) == 0
    assert send_due(engine, mailing, lambda: NOW) == 3
    assert [mail["Subject"] for mail in mailbox.mails] == ["mail 0", "mail 1", "mail 2"]


# Mails that are given up


def test_a_mail_that_has_expired_is_never_sent(
    engine: Engine, mailing: Settings, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    end = NOW + timedelta(minutes=15)
    queue(engine, "news")
    queue(engine, "code", expires_at=end)
    queue(engine, "late", expires_at=end + timedelta(seconds=1))
    assert send_due(engine, mailing, lambda: end) == 2
    assert sorted(mail["Subject"] for mail in mailbox.mails) == ["late", "news"]
    assert read_outbox(engine) == []
    assert read_failures(engine) == [Failure(end, "expired", "")]
    assert "status=expired" in caplog.text
    assert "mailbox.org" not in caplog.text


def test_a_mail_that_expires_while_it_waits_is_dropped_with_the_reason(
    engine: Engine, mailing: Settings, mailbox: Mailbox
) -> None:
    end = NOW + timedelta(minutes=15)
    queue(engine, expires_at=end)
    mailbox.answer = "451 4.7.1 greylisted"
    assert send_due(engine, mailing, lambda: NOW) == 0
    mailbox.answer = "250 OK"
    assert send_due(engine, mailing, lambda: end) == 0
    assert len(mailbox.mails) == 1
    assert read_failures(engine) == [Failure(end, "expired", "451 4.7.1 greylisted")]


@pytest.mark.parametrize("to", ["recipient", "mail"])
def test_what_a_server_refuses_for_good_is_not_tried_again_and_its_reason_kept(
    engine: Engine, mailing: Settings, mailbox: Mailbox, to: str
) -> None:
    answer = "550 5.1.1 <ada@mailbox.org>: no such user"
    if to == "recipient":
        mailbox.welcome = answer
    else:
        mailbox.answer = answer
    queue(engine)
    queue(engine)
    assert send_due(engine, mailing, lambda: NOW) == 0
    assert read_outbox(engine) == []
    assert read_failures(engine) == [Failure(NOW, "rejected", "550 5.1.1 <***>: no such user")] * 2


def test_what_a_server_refuses_for_now_is_kept_with_its_reason(
    engine: Engine, mailing: Settings, mailbox: Mailbox
) -> None:
    mailbox.welcome = "452 4.2.2 mailbox of {address} is full"
    queue(engine)
    queue(engine)
    assert send_due(engine, mailing, lambda: NOW) == 0
    assert [mail.last_error for mail in read_outbox(engine)] == ["452 4.2.2 mailbox of *** is full"] * 2
    with engine.connect() as connection:
        outbox = look_at_outbox(connection)
    assert (outbox.waiting, outbox.oldest_at, outbox.last_error) == (2, NOW, "452 4.2.2 mailbox of *** is full")
    send_due(engine, mailing, lambda: NOW + GIVE_UP_AFTER + timedelta(hours=2))
    assert [failure.outcome for failure in read_failures(engine)] == ["given_up"] * 2


def test_a_server_that_says_good_bye_is_not_asked_about_the_next_mail(
    engine: Engine, mailing: Settings, mailbox: Mailbox
) -> None:
    mailbox.answer = "421 4.3.2 shutting down"
    queue(engine)
    queue(engine)
    assert send_due(engine, mailing, lambda: NOW) == 0
    assert [mail.tries for mail in read_outbox(engine)] == [1, 0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("550 no\r\nsuch\x1b[31m user\u202e", "550 no such [31m user"),
        ("550 <ada.l@mailbox.org> unknown", "550 <***> unknown"),
        ("550 5.1.1 ADA.L not here", "550 5.1.1 *** not here"),
        ("550 forwarded to eve@other.org", "550 forwarded to ***@other.org"),
        ("554 spam: K7J2M9QX", "554 spam: ***"),
        ("535 bad login me hunter2", "535 bad login *** ***"),
        ("550 " + "x" * 10_000, "550 " + "x" * (REASON_LENGTH - 4)),
    ],
)
def test_a_reason_is_one_short_line_without_address_code_or_password(text: str, reason: str) -> None:
    mail_text = "Hello Ada, this is it:\n\nK7J2M9QX\n\nGood for 15 minutes.\n"
    url = "smtp://me:hunter2@mail.example:25"
    assert clean_reason(text, recipient="ada.l@mailbox.org", mail_text=mail_text, smtp_url=url) == reason


def test_what_is_known_of_a_failure_goes_after_a_month(engine: Engine, mailing: Settings, mailbox: Mailbox) -> None:
    mailbox.answer = "550 no"
    queue(engine)
    send_due(engine, mailing, lambda: NOW)
    with begin_writing(engine) as connection:
        assert clear_failures(connection, NOW + FAILED_KEPT - timedelta(seconds=1)) == 0
        assert clear_failures(connection, NOW + FAILED_KEPT) == 1
    assert read_failures(engine) == []


def test_a_mail_to_nobody_goes_nowhere_and_is_never_told_of(
    engine: Engine, mailing: Settings, mailbox: Mailbox
) -> None:
    for expires_at in (None, NOW + timedelta(minutes=15)):
        with begin_writing(engine) as connection:
            queue_mail(connection, recipient="", subject="x", text="x", html="x", now=NOW, expires_at=expires_at)
    with engine.connect() as connection:
        assert look_at_outbox(connection).waiting == 0
    assert send_due(engine, mailing, lambda: NOW) == 0
    assert count(engine) == 0
    with begin_writing(engine) as connection:
        queue_mail(connection, recipient="", subject="x", text="x", html="x", now=NOW, expires_at=NOW)
    send_due(engine, mailing, lambda: NOW + timedelta(days=3))
    assert (count(engine), read_failures(engine), mailbox.mails) == (0, [], [])


def test_a_mail_with_a_pause_goes_when_it_is_over_without_another_word(
    engine: Engine, mailing: Settings, mailbox: Mailbox
) -> None:
    now = datetime.now(UTC)
    with begin_writing(engine) as connection:
        mail = {"recipient": "ada@mailbox.org", "subject": "x", "text": "x", "html": "x"}
        queue_mail(connection, **mail, now=now, pause=timedelta(seconds=1))
    assert send_due(engine, mailing, lambda: now) == 0
    mailer = Mailer(engine, mailing)
    try:
        mailer.wake()
        assert mailbox.arrived.wait(POLL_SECONDS / 2)
    finally:
        mailer.stop()


def test_the_worker_wakes_early_for_new_mails_only(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        mail = {"recipient": "ada@mailbox.org", "subject": "x", "text": "x", "html": "x"}
        queue_mail(connection, **mail, now=NOW, pause=timedelta(seconds=5))
        connection.execute(update(OutboxMail).values(tries=1))  # it failed, as all do while a server is away
    assert find_pause(engine, NOW) == POLL_SECONDS
    with begin_writing(engine) as connection:
        queue_mail(connection, **mail, now=NOW, pause=timedelta(seconds=7))
    assert find_pause(engine, NOW) == 7
