"""Mails: a row of the outbox first, in the transaction that causes the mail, then SMTP or an `.eml` file.

What is promised: a mail whose transaction was committed is sent, and sent once, however many workers there are and
whatever is killed, but for two cases. When a worker dies between the server's "250" and the deletion of the row, or
that "250" does not come in time, the mail is sent again, under the same Message-ID, by which mailboxes know it for the
same. A mail is given up once it has expired, after two days, or at once when the server says that it will never take
it (5xx to its recipient or its content, RFC 5321, 4.2.1: the same try must not be repeated); why is kept for the admin.

A mail server that hangs holds up nothing but mails: workers are threads of their own, a mail has a time budget over all
its steps, and a round ends with the first mail for which the server itself is to blame.
"""

from __future__ import annotations

import logging
import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import BinaryIO, Literal, get_args
from urllib.parse import unquote, urlsplit

from sqlalchemy import ColumnElement, Connection, Engine, Row, delete, func, insert, or_, select, update

from db import begin_writing
from errors import MailRefused, MailRejected, MailServerAway
from logs import hide_secrets
from models import FailedMail, OutboxMail
from settings import Settings

MAIL_SECONDS = 30.0  # for one mail, from connecting to the server's last answer
ROUND_SECONDS = 120.0  # a round begins no mail after that; the rest waits for the next one
CLAIMED = timedelta(minutes=10)  # a worker that takes a mail has this long before another may
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=2)
FILES_KEPT = timedelta(days=1)
FAILED_KEPT = timedelta(days=30)
POLL_SECONDS = 30.0
REASON_LENGTH = 200
MAX_ANSWER_BYTES = 100_000  # of a server to one mail; a chatty one says 1,000

# How a mail ended that was not sent: its server would never take it, it was tried for two days, or it expired.
Outcome = Literal["rejected", "given_up", "expired"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

_FILE_NAME = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z\.eml")

logger = logging.getLogger("carburoam.mail")


@dataclass(frozen=True)
class Failure:
    """A mail that was given up: how it ended, and why it could not be sent (empty: it was never tried)."""

    failed_at: datetime
    outcome: str
    reason: str


@dataclass(frozen=True)
class Outbox:
    """The mails that wait: how many, since when the oldest does, and why the last try of one of them failed."""

    waiting: int
    oldest_at: datetime | None
    last_error: str | None


def queue_mail(
    connection: Connection,
    *,
    recipient: str,
    subject: str,
    text: str,
    html: str,
    now: datetime,
    expires_at: datetime | None = None,
    pause: timedelta = timedelta(),
    user_id: int | None = None,
) -> None:
    """Put a mail into the outbox; it goes when the transaction is committed, a worker was woken and `pause` is over.

    From `expires_at` on it is not sent any more. Without that it is tried for two days. `user_id` is the account whose
    code it holds. Without a recipient it is a mail to nobody: the same work, and nothing is sent.
    """
    connection.execute(
        insert(OutboxMail).values(
            message_id=make_msgid(domain="carburoam"),
            user_id=user_id,
            recipient=recipient,
            subject=" ".join(subject.split())[:200],
            text=text,
            html=html,
            created_at=now,
            expires_at=expires_at,
            tries=0,
            next_try_at=now + pause,
        )
    )


def send_due(engine: Engine, settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Send the mails that are due, one after the other; return how many went. What can't be sent is tried later.

    The round ends early when it has taken two minutes, and when the mail server is away: with it, each of the others
    would take its whole budget in vain.
    """
    sent = 0
    _clear_files(settings)
    _drop_expired(engine, now())
    ends_at = time.monotonic() + ROUND_SECONDS
    while time.monotonic() < ends_at and (mail := _claim(engine, now())) is not None:
        try:
            if mail.recipient:
                _deliver(settings, _build(settings, mail))
        except MailRefused as error:
            _note_failure(engine, settings, mail, error, now())
            if isinstance(error, MailServerAway):
                break
            continue
        with begin_writing(engine) as connection:
            connection.execute(delete(OutboxMail).where(OutboxMail.id == mail.id))
        if mail.recipient:
            logger.info("mail id=%d status=sent", mail.id)
            sent += 1
    return sent


def look_at_outbox(connection: Connection) -> Outbox:
    """Return how many mails wait, and why."""
    waiting, oldest_at = connection.execute(
        select(func.count(), func.min(OutboxMail.created_at)).where(OutboxMail.recipient != "")
    ).one()
    last_error = connection.execute(
        select(OutboxMail.last_error)
        .where(OutboxMail.last_error.is_not(None))
        .order_by(OutboxMail.next_try_at.desc(), OutboxMail.id.desc())
        .limit(1)
    ).scalar()
    return Outbox(waiting, oldest_at, last_error)


def list_failures(connection: Connection, count: int) -> list[Failure]:
    """Return the mails that were given up last, the newest first."""
    rows = connection.execute(
        select(FailedMail.failed_at, FailedMail.outcome, FailedMail.reason).order_by(FailedMail.id.desc()).limit(count)
    )
    return [Failure(*row) for row in rows]


def give_up_overdue(connection: Connection, now: datetime) -> int:
    """Give up the mails that have been kept long enough, with their reason; return how many.

    But those that a worker may have in its hands, or will in a moment.
    """
    is_overdue = or_(OutboxMail.created_at <= now - GIVE_UP_AFTER, OutboxMail.expires_at <= now)
    is_near = OutboxMail.next_try_at.between(now, now + CLAIMED)
    mails = connection.execute(select(OutboxMail.__table__).where(is_overdue, ~is_near)).all()
    for mail in mails:
        has_expired = mail.expires_at is not None and mail.expires_at <= now
        _give_up(connection, mail, "expired" if has_expired else "given_up", mail.last_error or "", now)
    return len(mails)


def clear_failures(connection: Connection, now: datetime) -> int:
    """Delete what is known of mails that were given up a month ago; return of how many."""
    return connection.execute(delete(FailedMail).where(FailedMail.failed_at <= now - FAILED_KEPT)).rowcount


def clean_reason(text: str, *, recipient: str, mail_text: str, smtp_url: str) -> str:
    """Return what a mail server said on one line, without whose mail it is, a code of the mail or our password."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[:5_000]).split())
    # A code stands on a line of its own in its mail.
    alone = [words[0] for words in map(str.split, mail_text.splitlines()) if len(words) == 1]
    parts = urlsplit(smtp_url)
    logins = [unquote(parts.username or ""), unquote(parts.password or "")]
    hidden = {recipient, recipient.rpartition("@")[0], *alone, *logins} - {""}
    for secret in sorted(hidden, key=len, reverse=True):
        line = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", line, flags=re.IGNORECASE)
    return hide_secrets(line)[:REASON_LENGTH]


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
            seconds = POLL_SECONDS
            try:
                send_due(self._engine, self._settings)
                seconds = min(seconds, find_pause(self._engine, datetime.now(UTC)))
            except Exception:  # the worker must outlive a database or a disk that is away for a while; nothing is lost
                logger.exception("mailer status=failed")
            self._wake.wait(seconds)


def find_pause(engine: Engine, now: datetime) -> float:
    """Return the seconds until the next new mail is due; those that failed before wait for the next poll."""
    with engine.connect() as connection:
        next_at = connection.execute(
            select(func.min(OutboxMail.next_try_at)).where(OutboxMail.next_try_at > now, OutboxMail.tries == 0)
        ).scalar()
    return POLL_SECONDS if next_at is None else float((next_at - now).total_seconds())


def _is_due(now: datetime) -> ColumnElement[bool]:
    # No pause is as long as twice the longest: such a time was written while the clock was ahead.
    return or_(OutboxMail.next_try_at <= now, OutboxMail.next_try_at > now + 2 * LONGEST_PAUSE)


def _claim(engine: Engine, now: datetime) -> Row[tuple[object, ...]] | None:
    """Take the next mail that is due, so that no other worker does; its place in the queue moves ahead first."""
    is_due = _is_due(now) & or_(OutboxMail.expires_at.is_(None), OutboxMail.expires_at > now)
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


def _drop_expired(engine: Engine, now: datetime) -> None:
    """Give up the mails that have expired, but those that a worker has in its hands."""
    is_expired = (OutboxMail.expires_at <= now) & _is_due(now)
    with engine.connect() as connection:
        if connection.execute(select(OutboxMail.id).where(is_expired).limit(1)).first() is None:
            return
    with begin_writing(engine) as connection:
        for mail in connection.execute(select(OutboxMail.__table__).where(is_expired)).all():
            _give_up(connection, mail, "expired", mail.last_error or "", now)


def _note_failure(
    engine: Engine, settings: Settings, mail: Row[tuple[object, ...]], error: MailRefused, now: datetime
) -> None:
    """Keep why a mail could not be sent, and give it up or put it off."""
    reason = clean_reason(
        str(error), recipient=mail.recipient, mail_text=mail.text, smtp_url=settings.smtp_url.get_secret_value()
    )
    logger.warning("mail id=%d status=failed tries=%d error=%r", mail.id, mail.tries + 1, reason)
    with begin_writing(engine) as connection:
        if isinstance(error, MailRejected):
            _give_up(connection, mail, "rejected", reason, now)
        elif now - mail.created_at > GIVE_UP_AFTER:
            _give_up(connection, mail, "given_up", reason, now)
        else:
            pause = min(FIRST_PAUSE * 2 ** min(mail.tries, 20), LONGEST_PAUSE)
            connection.execute(
                update(OutboxMail).where(OutboxMail.id == mail.id).values(next_try_at=now + pause, last_error=reason)
            )


def _give_up(
    connection: Connection, mail: Row[tuple[object, ...]], outcome: Outcome, reason: str, now: datetime
) -> None:
    if connection.execute(delete(OutboxMail).where(OutboxMail.id == mail.id)).rowcount == 1 and mail.recipient:
        connection.execute(insert(FailedMail).values(failed_at=now, outcome=outcome, reason=reason))
        logger.error("mail id=%d status=%s tries=%d error=%r", mail.id, outcome, mail.tries, reason)


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

    Raises MailServerAway: the server (or the disk) can't be reached, does not answer in time, refuses us, or offers no
    encryption to a host other than this one. Raises MailRejected: it will never take this mail.
    Raises MailRefused: it does not take this mail now.
    """
    url = settings.smtp_url.get_secret_value()
    try:
        if url:
            _send(url, message)
        else:
            _write_file(settings, message)
    except smtplib.SMTPRecipientsRefused as error:
        ((code, answer),) = error.recipients.values()
        raise _judge(code, answer) from error
    except smtplib.SMTPDataError as error:
        raise _judge(error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPResponseException as error:  # to our greeting, our log-in or our sender: as to every other mail
        raise MailServerAway(_quote(error.smtp_code, error.smtp_error)) from error
    except (smtplib.SMTPNotSupportedError, ValueError) as error:  # of this address or this text
        raise MailRefused(type(error).__name__) from error
    except OSError as error:  # smtplib's other errors too
        raise MailServerAway(type(error).__name__) from error


def _judge(code: int, answer: bytes | str) -> MailRefused:
    """Return what a server's answer to one mail means: 421 is its good-bye to all, 5xx is for good."""
    kind = MailServerAway if code == 421 else MailRejected if 500 <= code < 600 else MailRefused
    return kind(_quote(code, answer))


def _quote(code: int, answer: bytes | str) -> str:
    return f"{code} {answer.decode('utf-8', 'replace') if isinstance(answer, bytes) else answer}"


def _send(url: str, message: EmailMessage) -> None:
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "localhost", parts.scheme == "smtps"
    context = ssl.create_default_context()
    deadline = time.monotonic() + MAIL_SECONDS
    try:
        with _connect(host, parts.port or (465 if is_tls else 587), deadline) as connection, _cut(connection, deadline):
            if is_tls:
                connection = context.wrap_socket(connection, server_hostname=host)
            with connection, closing(_Client(connection, host)) as server:
                if not is_tls:
                    server.ehlo()
                    if server.has_extn("starttls"):
                        server.starttls(context=context)
                    elif host not in ("localhost", "127.0.0.1", "::1"):
                        raise MailServerAway("the mail server offers no encryption")
                if parts.username:
                    server.login(unquote(parts.username), unquote(parts.password or ""))
                server.send_message(message)
                # The mail is the server's now: whatever it answers to this, or whether it does, changes nothing.
                with suppress(OSError):
                    server.putcmd("quit")
    except OSError as error:
        if time.monotonic() < deadline:
            raise
        # Also for what looks like an answer: it may be half a line, cut at the deadline.
        raise TimeoutError from error


class _Client(smtplib.SMTP):
    """SMTP over a connection that is there already."""

    def __init__(self, connection: socket.socket, host: str) -> None:
        self._connection = connection
        super().__init__(host, timeout=MAIL_SECONDS)

    def _get_socket(self, *_: object) -> socket.socket:
        return self._connection

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            self.file = _Answers(self.sock.makefile("rb"))  # type: ignore[union-attr]  # connected by now
        return super().getreply()


class _Answers:
    """What a server says, as a file with an end: smtplib keeps all lines of an answer, however many come."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = MAX_ANSWER_BYTES

    def readline(self, size: int = -1) -> bytes:
        line = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("the mail server says too much")
        return line

    def close(self) -> None:
        self._file.close()


def _connect(host: str, port: int, deadline: float) -> socket.socket:
    """Connect to the first address of a host that answers, all of them within the deadline. Raises OSError."""
    error: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            connection.connect(address)
        except OSError as failed:
            error = failed
            connection.close()
        else:
            return connection
    raise error or OSError(f"{host} has no address")


@contextmanager
def _cut(connection: socket.socket, deadline: float) -> Iterator[None]:
    """Cut a connection at a deadline, in whatever step it is by then.

    A time-out of each step would let a server hold a mail for ever that sends a byte now and then.
    """
    with connection.dup() as line:  # what TLS makes of the connection is on the same line

        def shut() -> None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(deadline - time.monotonic(), shut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


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
        if not _FILE_NAME.fullmatch(path.name):  # a person's own
            continue
        with suppress(FileNotFoundError):  # another worker cleared it first
            if path.stat().st_mtime < oldest:
                path.unlink()
