"""What the log says is one line an event, and nothing in it lets anyone in or says whose mail it is."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from datetime import timedelta

import pytest
from conftest import KEY, NOW, PASSWORD, ReadMails, find_code
from pydantic import SecretStr
from sqlalchemy import Engine, insert
from sqlalchemy.exc import IntegrityError

from accounts.recovery import mail_password_code
from accounts.registration import Registration, confirm_account, register
from accounts.sessions import hash_session_id, log_in, open_session
from db import begin_writing
from errors import LoginRefused
from etl import run_load
from logs import LINES_A_MINUTE, MAX_KINDS, TRACEBACKS_A_MINUTE, LimitRepeats, LineFormatter, hide_secrets
from mail import Mailer, send_due
from models import LoginSession, OutboxMail
from settings import ROOT, Settings

LOSE_A_CONNECTION = """
import sqlite3
from sqlalchemy import create_engine
from logs import set_up_logging

class Losable(sqlite3.Connection):
    is_lost = False

    def rollback(self):
        if self.is_lost:
            raise sqlite3.OperationalError("sending query failed: another command is already in progress")
        super().rollback()

set_up_logging()
connection = create_engine("sqlite://", creator=lambda: sqlite3.connect(":memory:", factory=Losable)).connect()
Losable.is_lost = True
connection.close()
print("gone on")
"""
EMAIL = "ada.lovelace@mailbox.org"
SMTP_PASSWORD = "smtp-hunter2"
FEED_PASSWORD = "feed-hunter2"
FEED_TOKEN = "feed-t0ken"
DATABASE_PASSWORD = "db-hunter2"


def read_log(caplog: pytest.LogCaptureFixture) -> str:
    """Return the captured events as the log writes them."""
    return "\n".join(map(LineFormatter().format, caplog.records))


def test_nothing_of_a_driver_s_life_is_a_secret_in_the_log(
    engine: Engine, settings: Settings, read_mails: ReadMails, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)  # of the libraries too
    mailing = settings.model_copy(update={"smtp_url": SecretStr(f"smtp://me:{SMTP_PASSWORD}@127.0.0.1:1")})
    form = Registration("ada", EMAIL, "Ada", PASSWORD)
    opening = register(engine, mailing, KEY, form, address="192.0.2.1", now=NOW)
    codes = [find_code(read_mails()[-1].text)]
    assert send_due(engine, mailing, lambda: NOW + timedelta(seconds=3)) == 0
    confirm_account(engine, KEY, opening.user_id, codes[0], NOW)
    with pytest.raises(LoginRefused):
        log_in(engine, KEY, EMAIL, "wrong horse battery", address="192.0.2.1", now=NOW)
    user_id = log_in(engine, KEY, EMAIL, PASSWORD, address="192.0.2.1", now=NOW + timedelta(minutes=1))
    with begin_writing(engine) as connection:
        session_id = open_session(connection, user_id, is_lasting=True, browser="x", now=NOW)
    mail_password_code(engine, mailing, KEY, "ada", address=None, now=NOW)
    codes.append(find_code(read_mails()[-1].text))
    with pytest.raises(IntegrityError) as twice, begin_writing(engine) as connection:
        values = {"token_hash": hash_session_id(session_id), "user_id": user_id, "browser": EMAIL}
        connection.execute(insert(LoginSession).values(**values, created_at=NOW, seen_at=NOW, expires_at=NOW))
    logging.getLogger("carburoam.test").error("page status=failed", exc_info=twice.value)
    assert send_due(engine, mailing, lambda: NOW + timedelta(days=3)) == 0

    log = read_log(caplog)
    assert "carburoam.mail mail id=1 status=failed tries=1 error='ConnectionRefusedError'" in log
    assert "status=expired" in log
    assert "IntegrityError" in log
    for secret in (EMAIL, "lovelace", PASSWORD, "wrong horse battery", SMTP_PASSWORD, session_id, *codes, KEY.decode()):
        assert secret not in log
        assert secret not in caplog.text, "nor is it left to the log to hide it"


def test_a_worker_that_fails_does_not_tell_the_mail_in_its_hands(
    engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = {"message_id": "<1@x>", "recipient": EMAIL, "subject": "s", "text": "K7J2M9QX", "html": "h", "tries": 0}
    with begin_writing(engine) as connection:
        connection.execute(insert(OutboxMail).values(**mail, created_at=NOW, next_try_at=NOW))
    monkeypatch.setattr("mail._build", lambda *_: (_ for _ in ()).throw(RuntimeError(f"550 <{EMAIL}> is full")))
    monkeypatch.setattr("mail.POLL_SECONDS", 0.01)
    mailer = Mailer(engine, settings)
    mailer.stop()
    mailer._thread.join(20)
    log = read_log(caplog)
    assert "mailer status=failed" in log
    assert "550 <***@mailbox.org> is full" in log
    assert EMAIL not in log
    assert "K7J2M9QX" not in log


@pytest.mark.parametrize(
    "source",
    [
        f"http://me:{FEED_PASSWORD}@127.0.0.1:1/feed.zip?token={FEED_TOKEN}",
        f"http://me:{FEED_PASSWORD}/x@127.0.0.1:1/feed.zip?a=b&api_key={FEED_TOKEN}",
        f"ftp://me:{FEED_PASSWORD}@127.0.0.1/feed.zip",
        f"http://me:{FEED_PASSWORD}@[/feed.zip",
        f"http://me:{FEED_PASSWORD}@127.0.0.1:1/feed.zip\nlevel=forged status=loaded",
    ],
)
def test_a_load_that_fails_does_not_tell_the_password_of_its_feed(
    engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture, source: str
) -> None:
    caplog.set_level(logging.INFO, "carburoam")
    assert not run_load(settings.model_copy(update={"feed_url": source}), engine).is_success
    assert FEED_PASSWORD not in caplog.text
    ours = [record for record in caplog.records if record.name.startswith("carburoam.")]
    lines = [LineFormatter().format(record) for record in ours]
    assert re.search(r" carburoam\.load load status=failed source=['\"]", lines[-1])
    assert all(FEED_TOKEN not in line and len(line.splitlines()) == 1 for line in lines)
    assert all(" status=loaded" not in re.sub(r"'[^']*'|\"[^\"]*\"", "", line) for line in lines), (
        "nor can it forge an event"
    )


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://me:{DATABASE_PASSWORD}@127.0.0.1:1/x",
        f"postgresql+psycopg://me:{DATABASE_PASSWORD}@127.0.0.1:port/x",
        f"postgresql+psycopg:/me:{DATABASE_PASSWORD}@127.0.0.1/x",
        f"mysql+mysqldb://me:{DATABASE_PASSWORD}@127.0.0.1/x",
        f"me:{DATABASE_PASSWORD}",
    ],
)
@pytest.mark.slow
def test_the_background_process_does_not_tell_the_password_of_the_database(settings: Settings, url: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "scheduler.py"],
        cwd=ROOT,
        env=settings.as_environment() | {"CARBUROAM_DATABASE_URL": url, "CARBUROAM_FEED_URL": "none.zip"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = []
    try:
        for line in process.stderr:
            lines.append(line)
            if "status=failed" in line:
                break
    finally:
        process.terminate()
        lines += process.communicate(timeout=30)[1].splitlines(keepends=True)
    assert any("status=failed" in line for line in lines)
    assert DATABASE_PASSWORD not in "".join(lines)
    event = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [A-Z]+ carburoam\.scheduler ")
    assert [line for line in lines if not event.match(line)] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("smtp://me:p@ss/word@mail:25 failed", "smtp://***@mail:25 failed"),
        ("https://feed.example/a?b=c", "https://feed.example/a?b=c"),
        ("https://feed.example/a?key=1&access_token=abc&b=c", "https://feed.example/a?key=1&access_token=***&b=c"),
        ("to ada@mailbox.org, bob@b.example", "to ***@mailbox.org, ***@b.example"),
        ("password='hunter2'", "password='***'"),
        ("load status=loaded source=sample", "load status=loaded source=sample"),
    ],
)
def test_what_libraries_say_is_shown_without_what_is_secret(text: str, shown: str) -> None:
    assert hide_secrets(text) == shown


def test_a_connection_that_was_lost_is_told_by_who_used_it_alone() -> None:
    done = subprocess.run([sys.executable, "-c", LOSE_A_CONNECTION], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("gone on\n", "")


def test_an_event_is_one_line_whatever_is_in_it() -> None:
    record = logging.LogRecord("carburoam.x", logging.INFO, "", 0, "said=%s", ("a\r\nb\x1b[31m\u2028\x85c",), None)
    assert LineFormatter().format(record).endswith(r" INFO carburoam.x said=a\r\nb\x1b[31m\u2028\x85c")


def test_hiding_takes_no_longer_than_reading() -> None:
    for text in ("a" * 100_000, "://" * 30_000, "a=" * 50_000, "a@" * 50_000, "token" * 20_000):
        hide_secrets(text)


def make_record(message: str, error: Exception | None = None, **names: str) -> logging.LogRecord:
    exc_info = None if error is None else (type(error), error, None)
    return logging.LogRecord(names.get("name", "a"), logging.WARNING, "", 0, message, (7,), exc_info)


def test_what_is_said_again_and_again_is_left_out_and_counted() -> None:
    now = 0.0
    limit = LimitRepeats(lambda: now)
    written = [limit.filter(make_record("100 %% of %d refused")) for _ in range(1000)]
    assert written == [True] * LINES_A_MINUTE + [False] * (1000 - LINES_A_MINUTE)
    assert limit.filter(make_record("another of %d"))
    assert limit.filter(make_record("100 %% of %d refused", name="b"))
    now = 60.0
    assert limit.filter(record := make_record("100 %% of %d refused"))
    assert record.getMessage() == f"100 % of 7 refused (and {1000 - LINES_A_MINUTE} more like it)"
    assert limit.filter(record := make_record("100 %% of %d refused"))
    assert record.getMessage() == "100 % of 7 refused"


def test_tracebacks_are_fewer() -> None:
    limit = LimitRepeats(lambda: 0.0)
    assert sum(limit.filter(make_record("%d", ValueError(str(n)))) for n in range(100)) == TRACEBACKS_A_MINUTE
    assert limit.filter(make_record("%d", KeyError()))


def test_ever_other_lines_are_one_kind_in_the_end() -> None:
    limit = LimitRepeats(lambda: 0.0)
    assert sum(limit.filter(make_record(f"{n} %d")) for n in range(10_000)) == MAX_KINDS + LINES_A_MINUTE


def test_errors_that_are_logged_themselves_are_one_kind_and_any_object_is_taken() -> None:
    limit = LimitRepeats(lambda: 0.0)
    assert sum(limit.filter(make_record(ValueError("x"))) for _ in range(100)) == LINES_A_MINUTE  # type: ignore[arg-type]
    assert limit.filter(make_record(["a", {}]))  # type: ignore[arg-type]


def test_kinds_that_are_over_make_room_for_others() -> None:
    now = 0.0
    limit = LimitRepeats(lambda: now)
    for number in range(MAX_KINDS):
        limit.filter(make_record(f"{number} %d"))
    now = 60.0
    assert sum(limit.filter(make_record(f"new {number} %d")) for number in range(MAX_KINDS)) == MAX_KINDS
