"""What is deleted once a day, rule by rule."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from conftest import KEY, NOW, PASSWORD, MakeDriver
from sqlalchemy import Engine, func, insert, select, update

from accounts.registration import Registration, mail_confirmation, register
from accounts.retention import UNCONFIRMED_KEPT
from api.loads import count_loads
from db import begin_writing
from feed.runs import KEPT, LoadReport, close_run, insert_run
from mail import list_failures, queue_mail
from models import Attempt, Credential, EtlRun, OutboxMail, User
from retention import clear_expired
from settings import Settings

SOURCE = "https://feed.example"
END = NOW + UNCONFIRMED_KEPT


def clear(engine: Engine, now: object = NOW) -> dict[str, int]:
    with begin_writing(engine) as connection:
        return clear_expired(connection, now)  # type: ignore[arg-type]


def list_names(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(select(User.username).order_by(User.id)).scalars())


@pytest.fixture
def waiting(engine: Engine, mailing: Settings) -> int:
    """An account that waits for its code."""
    form = Registration("eve", "eve@mailbox.org", "Eve", PASSWORD)
    user_id = register(engine, mailing, KEY, form, address=None, now=NOW).user_id
    assert user_id is not None
    return user_id


def test_an_account_that_nobody_confirmed_goes_after_a_week(
    engine: Engine, waiting: int, make_driver: MakeDriver
) -> None:
    make_driver("ada")
    clear(engine, END - timedelta(seconds=1))
    assert list_names(engine) == ["eve", "ada"]
    assert clear(engine, END)["users"] == 1
    assert list_names(engine) == ["ada"]


def test_an_account_whose_code_may_still_come_in_stays(engine: Engine, mailing: Settings, waiting: int) -> None:
    mail_confirmation(engine, mailing, KEY, waiting, "eve@mailbox.org", address=None, now=END)
    clear(engine, END + timedelta(minutes=14))
    assert list_names(engine) == ["eve"]
    clear(engine, END + timedelta(minutes=15))
    assert list_names(engine) == []


def test_mails_that_were_kept_long_enough_are_given_up_with_their_reason(engine: Engine) -> None:
    def queue(name: str, age: timedelta, wait: timedelta, expires_at: datetime | None = None) -> None:
        with begin_writing(engine) as connection:
            queue_mail(
                connection,
                recipient=f"{name}@mailbox.org",
                subject=name,
                text="",
                html="",
                now=NOW - age,
                expires_at=expires_at,
            )
            connection.execute(
                update(OutboxMail)
                .where(OutboxMail.subject == name)
                .values(last_error=f"450 {name}", next_try_at=NOW + wait)
            )

    queue("old", timedelta(hours=49), timedelta(minutes=40))
    queue("expired", timedelta(hours=1), timedelta(minutes=40), NOW - timedelta(minutes=45))
    queue("young", timedelta(hours=47), timedelta(minutes=40))
    queue("in hand", timedelta(hours=49), timedelta(minutes=9))
    assert clear(engine)["outbox"] == 2
    with engine.connect() as connection:
        failures = {(failure.outcome, failure.reason) for failure in list_failures(connection, 10)}
        waiting = set(connection.scalars(select(OutboxMail.subject)))
    assert failures == {("given_up", "450 old"), ("expired", "450 expired")}
    assert waiting == {"young", "in hand"}


def test_what_an_admin_locked_stays_taken(engine: Engine, waiting: int) -> None:
    with begin_writing(engine) as connection:
        connection.execute(update(Credential).values(locked_at=NOW))
    clear(engine, END + timedelta(days=365))
    assert list_names(engine) == ["eve"]


def test_a_run_without_an_end_gets_one_when_it_can_not_run_any_more(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        insert_run(connection, NOW, SOURCE)
    clear(engine, NOW + timedelta(hours=23))
    with engine.connect() as connection:
        assert connection.execute(select(EtlRun.status)).scalars().all() == [None]
    later = NOW + timedelta(hours=25)
    clear(engine, later)
    with engine.connect() as connection:
        row = connection.execute(select(EtlRun.status, EtlRun.finished_at)).one()
    assert tuple(row) == ("failed", later)


def test_runs_that_were_deleted_are_still_counted(engine: Engine) -> None:
    for days in range(4):
        for status in ("loaded", "failed"):
            with begin_writing(engine) as connection:
                run_id = insert_run(connection, NOW + timedelta(days=days), SOURCE)
                close_run(connection, run_id, NOW, LoadReport(status, SOURCE, ""))  # type: ignore[arg-type]
    for days, left in ((1, 6), (1, 6), (3, 2)):
        clear(engine, NOW + KEPT + timedelta(days=days))
        with engine.connect() as connection:
            assert connection.execute(select(func.count()).select_from(EtlRun)).scalar_one() == left
            assert count_loads(connection) == {"loaded": 4, "failed": 4}


def test_of_servers_that_clear_at_once_one_does_it(engine: Engine) -> None:
    old = NOW - timedelta(days=1)
    with begin_writing(engine) as connection:
        connection.execute(
            insert(Attempt),
            [{"subject_hash": str(number), "times": 1, "last_at": old, "window_began_at": old} for number in range(99)],
        )
    with ThreadPoolExecutor(4) as pool:
        counts = [one["attempts"] for one in pool.map(lambda _: clear(engine), range(4))]
    assert sorted(counts) == [0, 0, 0, 99]
