"""Mails: a row of the outbox first, in the transaction that causes the mail, then SMTP or an `.eml` file.

What is promised: a mail whose transaction was committed is sent, and sent once, however many workers there are and
whatever is killed, but for one case: when a worker dies between the server's "250" and the deletion of the row, the
mail is sent again ten minutes later, under the same Message-ID, by which mailboxes know it for the same.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from urllib.parse import unquote, urlsplit

from sqlalchemy import Connection, Engine, Row, delete, insert, or_, select, update

from db import begin_writing
from errors import MailRefused
from models import OutboxMail
from settings import Settings

SMTP_SECONDS = 20.0
CLAIMED = timedelta(minutes=10)  # a worker that takes a mail has this long before another may
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=2)
FILES_KEPT = timedelta(days=1)
POLL_SECONDS = 30.0

logger = logging.getLogger("carburoam.mail")


def queue_mail(connection: Connection, *, recipient: str, subject: str, text: str, html: str, now: datetime) -> None:
    """Put a mail into the outbox; it goes when the transaction is committed and a worker was woken."""
    connection.execute(
        insert(OutboxMail).values(
            message_id=make_msgid(domain="carburoam"),
            recipient=recipient,
            subject=" ".join(subject.split())[:200],
            text=text,
            html=html,
            created_at=now,
            tries=0,
            next_try_at=now,
        )
    )


def send_due(engine: Engine, settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Send the mails that are due, one after the other; return how many went. What can't be sent is tried later."""
    sent = 0
    _clear_files(settings)
    while (mail := _claim(engine, now())) is not None:
        try:
            _deliver(settings, _build(settings, mail))
        except MailRefused as error:
            logger.warning("mail id=%d status=failed tries=%d error=%r", mail.id, mail.tries + 1, str(error))
            _postpone(engine, mail, now())
            continue
        with begin_writing(engine) as connection:
            connection.execute(delete(OutboxMail).where(OutboxMail.id == mail.id))
        logger.info("mail id=%d status=sent", mail.id)
        sent += 1
    return sent


class Mailer:
    """The worker of one app: a thread that sleeps until it is woken, or until something may be due."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="mailer", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there is a mail; costs nothing and never waits."""
        self._wake.set()

    def stop(self) -> None:
        """End after the mail in hand."""
        self._stopped = True
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped:
            self._wake.clear()
            try:
                send_due(self._engine, self._settings)
            except Exception:  # the worker must outlive a database or a disk that is away for a while; nothing is lost
                logger.exception("mailer status=failed")
            self._wake.wait(POLL_SECONDS)


def _claim(engine: Engine, now: datetime) -> Row[tuple[object, ...]] | None:
    """Take the next mail that is due, so that no other worker does; its place in the queue moves ahead first."""
    # No pause is as long as twice the longest: such a time was written while the clock was ahead.
    is_due = or_(OutboxMail.next_try_at <= now, OutboxMail.next_try_at > now + 2 * LONGEST_PAUSE)
    with engine.connect() as connection:
        if connection.execute(select(OutboxMail.id).where(is_due).limit(1)).first() is None:
            return None
    with begin_writing(engine) as connection:
        row = connection.execute(
            select(OutboxMail.__table__).where(is_due).order_by(OutboxMail.next_try_at, OutboxMail.id).limit(1)
        ).first()
        if row is None:
            return None
        taken = connection.execute(
            update(OutboxMail)
            .where(OutboxMail.id == row.id, OutboxMail.next_try_at == row.next_try_at)
            .values(next_try_at=now + CLAIMED, tries=row.tries + 1)
        )
        return row if taken.rowcount == 1 else None


def _postpone(engine: Engine, mail: Row[tuple[object, ...]], now: datetime) -> None:
    with begin_writing(engine) as connection:
        if now - mail.created_at > GIVE_UP_AFTER:
            connection.execute(delete(OutboxMail).where(OutboxMail.id == mail.id))
            logger.error("mail id=%d status=given_up tries=%d", mail.id, mail.tries + 1)
            return
        pause = min(FIRST_PAUSE * 2 ** min(mail.tries, 20), LONGEST_PAUSE)
        connection.execute(update(OutboxMail).where(OutboxMail.id == mail.id).values(next_try_at=now + pause))


def _build(settings: Settings, mail: Row[tuple[object, ...]]) -> EmailMessage:
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _deliver(settings: Settings, message: EmailMessage) -> None:
    """Hand a mail to the mail server, or write it to a file where none is set.

    Raises MailRefused: the server can't be reached, says no, or offers no encryption to a host other than this one.
    """
    url = settings.smtp_url.get_secret_value()
    try:
        if url:
            _send(url, message)
        else:
            _write_file(settings, message)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise MailRefused(type(error).__name__) from error


def _send(url: str, message: EmailMessage) -> None:
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    context = ssl.create_default_context()
    with (
        smtplib.SMTP_SSL(host, parts.port or 465, timeout=SMTP_SECONDS, context=context)
        if parts.scheme == "smtps"
        else smtplib.SMTP(host, parts.port or 587, timeout=SMTP_SECONDS)
    ) as server:
        if parts.scheme == "smtp":
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
            elif host not in ("localhost", "127.0.0.1", "::1"):
                raise MailRefused("the mail server offers no encryption")
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)


def _write_file(settings: Settings, message: EmailMessage) -> None:
    folder = settings.outputs_dir / "mail"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.eml"
    path = folder / name
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(message.as_bytes())


def _clear_files(settings: Settings) -> None:
    oldest = time.time() - FILES_KEPT.total_seconds()
    for path in (settings.outputs_dir / "mail").glob("*.eml"):
        try:
            if path.stat().st_mtime < oldest:
                path.unlink()
        except FileNotFoundError:
            continue  # another worker cleared it first
