"""The admin's page: what it shows to an admin, and that nobody else sees or does anything by it."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

import pytest
from conftest import CLUSTER, DATABASE, KEY, PASSWORD, MakeFeed
from own_loop import run_in_own_loop
from page_visit import find_other_language, list_texts, read, run, run_app, visit
from sqlalchemy import Engine, event, func, insert, make_url, select, update
from starlette.requests import ClientDisconnect
from starlette.types import Message
from streamlit.testing.v1 import AppTest

import etl
from accounts import admin
from accounts.registration import Registration, register
from accounts.sessions import open_session
from backup import count_rows
from bench.postgres_cluster import find_programs
from db import begin_writing, open_engine
from mail import queue_mail
from models import AuditRow, Credential, EtlRun, FailedMail, OutboxMail, RefusedFeed, Station, User
from settings import Settings
from statefiles import write_line
from stations.favourites import add_favourite
from ui import texts
from ui.backup_download import Backup, Tickets

SECTIONS = ("loads", "outputs", "people", "mails", "data", "database", "audit")
SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    "postgresql": "SELECT pg_database_size(current_database())",
}
HOSTILE = "<b>x</b> **x** [x](javascript:alert(1)) :red[x]"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine, make_feed: MakeFeed) -> Iterator[Settings]:
    """The pages with prices, an admin and a driver, and with no mail server."""
    now = datetime.now(UTC)
    feed = settings.model_copy(update={"feed_url": str(make_feed(newest_at=now))})
    assert etl.run_load(feed, engine).is_success
    for name in ("ada", "bob"):
        form = Registration(name, f"{name}@mailbox.org", name.title(), PASSWORD, language="en")
        assert register(engine, settings, KEY, form, address=None, now=now).is_open
    with begin_writing(engine) as connection:
        admin.grant_admin(connection, admin.COMMAND, find_id(engine, "ada"), now)
    with run_app(monkeypatch, feed):
        yield feed


def find_id(engine: Engine, username: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(User.id).where(User.username_key == username)).scalar_one())


def begin(engine: Engine, username: str) -> str:
    with begin_writing(engine) as connection:
        return open_session(connection, find_id(engine, username), is_lasting=False, browser="x", now=datetime.now(UTC))


def open_admin(engine: Engine, section: str = "loads", *, username: str = "ada", **query: str) -> AppTest:
    at = visit("admin", session_id=begin(engine, username), **query)
    return at if section == "loads" else open_section(at, section)


def open_section(at: AppTest, section: str) -> AppTest:
    # A press says the label, which AppTest writes outside of the session and so in a language of its own.
    token = texts._held.set("fr" if "FR" in str(at.query_params.get("lang")) else "en")
    at.get_by_key("admin_section").set_value(section)
    at.run()
    texts._held.reset(token)
    assert at.session_state["admin_section"] == section
    assert not at.exception
    return at


def find_account(at: AppTest, username: str) -> AppTest:
    at.text_input(key="admin_account_search").set_value(username)
    return run(at)


def press(at: AppTest, key: str) -> AppTest:
    return run(at.button(key=key).click())


def list_actions(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(select(AuditRow.action).order_by(AuditRow.id)).scalars())[1:]


def list_shown(at: AppTest) -> list[str]:
    return [read(text) for text in list_texts(at)]


def list_titles(at: AppTest) -> list[str]:
    return [title.value for title in at.main.title]


# Who may


@pytest.mark.parametrize("username", [None, "bob"])
def test_for_anyone_else_its_address_leads_where_any_does_that_leads_nowhere(
    app: Settings, engine: Engine, username: str | None
) -> None:
    session_id = begin(engine, username) if username else None
    at = visit("admin", session_id=session_id)
    nowhere = visit("landing", session_id=session_id)
    assert list_texts(at) == list_texts(nowhere)
    assert not [page for page in at._registered_pages.values() if page["script_path"].endswith("admin.py")]
    assert not [text for text in list_shown(at) if "dministration" in text]


@pytest.mark.parametrize("change", ["revoked", "locked", "logged out"])
def test_a_press_of_who_is_no_longer_an_admin_does_nothing(app: Settings, engine: Engine, change: str) -> None:
    at = find_account(open_admin(engine, "people"), "bob")
    lock = f"admin_lock_{find_id(engine, 'bob')}"
    at.button(key=lock).click()
    with begin_writing(engine) as connection:  # between what is drawn and what is pressed
        values: dict[str, Any] = {"role": "driver"} if change == "revoked" else {"locked_at": datetime.now(UTC)}
        if change == "logged out":
            connection.exec_driver_sql("DELETE FROM login_sessions")
        else:
            own = Credential.user_id == find_id(engine, "ada")
            connection.execute(update(Credential).where(own).values(**values))
    run(at)
    assert list_actions(engine) == []
    with engine.connect() as connection:
        bob = select(Credential.locked_at).where(Credential.user_id == find_id(engine, "bob"))
        assert connection.execute(bob).scalar_one() is None
    assert "Administration" not in list_titles(at)
    assert not [text for text in list_shown(at) if "bob@mailbox.org" in text]


def test_every_callback_asks_the_row_again() -> None:
    """What a press calls is `act`, which looks the admin up in its own transaction, or asks for the password first."""
    from settings import ROOT

    for path in (ROOT / "ui").glob("admin_*.py"):
        called = set(re.findall(r"on_click=(?:guarded\()?(\w+)", path.read_text(encoding="utf-8")))
        assert called <= {"act", "_make_ticket"}, path


# What it shows


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_is_drawn_in_one_language(app: Settings, engine: Engine, section: str, language: str) -> None:
    with begin_writing(engine) as connection:
        admin.lock_account(connection, admin.COMMAND, find_id(engine, "bob"), datetime.now(UTC))
    at = open_admin(engine, section, lang=language.upper())
    assert list_titles(at) == ["Administration"]
    assert len(at.main.subheader) >= 1
    assert find_other_language(list_texts(at), language) == []
    assert any("CARBUROAM_SMTP_URL" in text for text in list_texts(at))


@pytest.mark.parametrize("section", SECTIONS)
def test_a_rerun_asks_the_database_at_most_ten_times(app: Settings, engine: Engine, section: str) -> None:
    from ui.reading import get_engine

    at = open_admin(engine, section)
    if section == "people":
        find_account(at, "bob")
    asked: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        asked.append(statement)

    event.listen(get_engine(), "before_cursor_execute", note)
    run(at)
    event.remove(get_engine(), "before_cursor_execute", note)
    queries = [statement for statement in asked if not statement.startswith("BEGIN")]
    assert 0 < len(queries) <= 10, queries


def test_what_people_wrote_is_text(app: Settings, engine: Engine) -> None:
    with begin_writing(engine) as connection:
        own = update(User).where(User.username_key == "bob")
        connection.execute(own.values(username=HOSTILE[:30], name=HOSTILE))
        admin.lock_account(connection, admin.COMMAND, find_id(engine, "bob"), datetime.now(UTC))
    at = find_account(open_admin(engine, "people"), "bob@mailbox.org")
    [account] = [text for text in list_texts(at) if "bob" in text and text.startswith("**")]
    assert read(account) == f"{HOSTILE[:30]} · {HOSTILE} · `bob@mailbox.org`"
    assert account.endswith(" · `bob@mailbox.org`"), "it can be copied"
    assert not re.search(r"(?<!\\)[<>\[\]:]", account)
    rows = [row[2] for row in open_section(at, "audit").main.table[0].value.itertuples(index=False)]
    assert read(rows[0]) == f"locked the account · {HOSTILE[:30]}"


def test_who_waits_for_a_code_is_told_from_who_needs_none(app: Settings, engine: Engine) -> None:
    def count_waiting(at: AppTest) -> str:
        return next(str(metric.value) for metric in at.main.metric if metric.label == "Waiting for a code")

    at = find_account(open_admin(engine, "people"), "bob")
    assert count_waiting(at) == "0", "without a mail server an account opens at once"
    assert ":orange-badge[waiting for a code]" not in list_texts(at)
    with begin_writing(engine) as connection:
        own = Credential.user_id == find_id(engine, "bob")
        connection.execute(update(Credential).where(own).values(confirmed_at=None))
    run(at)
    assert count_waiting(at) == "1"
    assert ":orange-badge[waiting for a code]" in list_texts(at)


# What it does


def test_a_driver_is_locked_unlocked_made_an_admin_and_erased(app: Settings, engine: Engine) -> None:
    bob = find_id(engine, "bob")
    at = find_account(open_admin(engine, "people"), "bob")
    for name in ("lock", "unlock", "reset", "grant", "revoke", "erase"):
        press(at, f"admin_{name}_{bob}")
        assert len(at.main.success) == 1, name
    assert list_actions(engine) == ["lock", "unlock", "reset", "grant", "revoke", "erase"]
    assert "No account is called so." in list_shown(at)


def test_how_an_action_went_is_said_in_its_section_alone(app: Settings, engine: Engine) -> None:
    at = find_account(open_admin(engine, "people"), "bob")
    press(at, f"admin_lock_{find_id(engine, 'bob')}")
    assert [success.value for success in run(at).main.success] == ["The account is locked."]
    for section in ("loads", "people"):
        assert not open_section(at, section).main.success, section


def test_the_address_names_the_section(app: Settings, engine: Engine) -> None:
    at = open_admin(engine, "people", lang="FR")
    assert at.query_params["section"] in ("people", ["people"])
    again = visit("admin", session_id=begin(engine, "ada"), section="people")
    assert "Find an account" in [title.value for title in again.main.subheader]
    strange = visit("admin", session_id=begin(engine, "ada"), section="nothing")
    assert "The background process" in [title.value for title in strange.main.subheader]


def test_a_question_about_the_own_account_says_so(app: Settings, engine: Engine) -> None:
    own, other = (find_account(open_admin(engine, "people"), name) for name in ("ada", "bob"))
    assert sum(text.startswith("This is your own account. ") for text in list_shown(own)) == 3
    assert not any("your own account" in text for text in list_shown(other))


def test_who_waits_for_a_code_can_not_be_made_an_admin(app: Settings, engine: Engine) -> None:
    at = find_account(open_admin(engine, "people"), "bob")
    key = f"admin_grant_{find_id(engine, 'bob')}"
    with begin_writing(engine) as connection:
        own = Credential.user_id == find_id(engine, "bob")
        connection.execute(update(Credential).where(own).values(confirmed_at=None))
    press(at, key)
    [error] = [error.value for error in at.main.error]
    assert error == "An account that waits for a code can't be an admin's: confirm it first."
    assert run(at).button(key=key).disabled
    assert list_actions(engine) == []


@pytest.mark.parametrize("name", ["lock", "revoke", "erase"])
def test_the_last_admin_can_not_shut_themselves_out(app: Settings, engine: Engine, name: str) -> None:
    at = find_account(open_admin(engine, "people"), "ada")
    press(at, f"admin_{name}_{find_id(engine, 'ada')}")
    [error] = [error.value for error in at.main.error]
    assert error == "This is the last admin who can log in: name another one first."
    assert list_actions(engine) == []


def test_a_load_is_started_by_a_second_press(app: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Settings] = []
    monkeypatch.setattr("ui.admin_loads.start_load", lambda settings: started.append(settings) or 1)
    at = open_admin(engine)
    assert started == []
    press(at, "admin_load")
    assert [one.state_dir for one in started] == [app.state_dir]
    assert list_actions(engine) == ["load"]


def test_a_load_that_runs_says_since_when_and_not_that_of_the_one_before(
    app: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.is_load_running", lambda *_: True)
    at = open_admin(engine)
    assert any("No load is running." in text for text in list_shown(at)), "it has the lock, but no row yet"
    with begin_writing(engine) as connection:
        begun = datetime(2026, 11, 26, 8, 30, tzinfo=UTC)
        connection.execute(insert(EtlRun).values(started_at=begun, source="x"))
    assert any("A load is running since 26 November 2026 at 09:30." in text for text in list_shown(run(at)))


@pytest.mark.parametrize(("kind", "stays"), [("success", False), ("error", True)])
def test_what_was_asked_for_is_said_until_it_shows(app: Settings, engine: Engine, kind: str, *, stays: bool) -> None:
    def see_a_change() -> None:
        from ui.admin_actions import forget_done

        forget_done()

    at = AppTest.from_function(see_a_change)
    at.session_state["admin_note"] = (kind, "x", "loads")
    assert ("admin_note" in run(at).session_state) == stays


def test_what_can_not_be_done_leaves_no_row(app: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(settings: Settings) -> int:
        raise OSError("no process")

    monkeypatch.setattr("ui.admin_loads.start_load", fail)
    at = press(open_admin(engine), "admin_load")
    assert [error.value for error in at.main.error] == ["This did not work. Please try again."]
    assert list_actions(engine) == []


def test_a_stale_pid_file_and_lastjob_are_removed(
    app: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.Starter.ensure_running", lambda *_, **__: False)  # what a visit does is not asked
    write_line(app.pid_file, "999999999")
    at = press(open_admin(engine), "admin_remove_pid")
    assert not app.pid_file.exists()
    says = [one.value for one in at.main.markdown if one.value.startswith("Forget when a load last succeeded.")]
    assert len(says) == 1
    assert ("loads at once" in says[0]) == (DATABASE == "sqlite")
    press(at, "admin_forget_lastjob")
    assert not app.lastjob_file.exists()
    assert any("lastjob.txt is not there or can't be read: a load is due." in one.value for one in at.main.markdown)
    assert list_actions(engine) == ["remove_pid", "forget_lastjob"]
    assert at.button(key="admin_forget_lastjob").disabled


def test_a_refused_feed_is_looked_at_and_accepted(app: Settings, engine: Engine, make_feed: MakeFeed) -> None:
    small = app.model_copy(update={"feed_url": str(make_feed(stations=10, newest_at=datetime.now(UTC)))})
    assert etl.run_load(small, engine).status == "refused"
    at = open_admin(engine)
    [told] = [text for text in list_shown(at) if "it holds 10 stations, the one before held 40" in text]
    assert "take 30 stations out" in told
    assert "No driver keeps one of them." in list_shown(at)
    press(at, "admin_accept")
    with engine.connect() as connection:
        assert connection.execute(select(RefusedFeed.accepted_at)).scalar_one() is not None
    assert "It was accepted; the next load takes it." in list_shown(at)
    press(at, "admin_withdraw")
    assert "It was accepted; the next load takes it." not in list_shown(at)
    assert etl.run_load(small, engine).status == "refused"
    run(at)
    press(at, "admin_accept")
    assert list_actions(engine) == ["accept_feed", "withdraw_feed", "accept_feed"]
    assert etl.run_load(small, engine).status == "loaded"


def test_what_a_refused_feed_would_take_out_is_told(app: Settings, engine: Engine, make_feed: MakeFeed) -> None:
    small = app.model_copy(update={"feed_url": str(make_feed(stations=10, newest_at=datetime.now(UTC)))})
    assert etl.run_load(small, engine).status == "refused"
    with begin_writing(engine) as connection:
        gone = connection.execute(select(RefusedFeed.gone_ids)).scalar_one()
        ids = connection.execute(select(Station.id).order_by(Station.id)).scalars().all()
        stays = next(id_ for id_ in ids if id_ not in gone)
        for username in ("ada", "bob"):
            add_favourite(connection, find_id(engine, username), gone[0], "", datetime.now(UTC))
        add_favourite(connection, find_id(engine, "ada"), gone[1], "", datetime.now(UTC))
        add_favourite(connection, find_id(engine, "ada"), stays, "", datetime.now(UTC))
        connection.execute(update(Station).values(zip_code="75001"))
        connection.execute(update(Station).where(Station.id.in_([*gone[:4], stays])).values(zip_code="20200"))
        connection.execute(update(Station).where(Station.id == gone[-1]).values(zip_code=""))
    at = open_admin(engine)
    assert "Drivers keep 2 of them, 3 times in all." in list_shown(at)
    assert "3 in all." in list_shown(at)
    [table] = [table.value for table in at.main.table if "Department" in table.value.columns]
    assert [[read(cell) for cell in row] for row in table.to_numpy().tolist()] == [
        ["75 Paris", "25 of 34"],
        ["2B Haute-Corse", "4 of 5"],
        ["not known", "1 of 1"],
    ]


def test_a_question_is_closed_when_what_it_asks_about_has_changed(
    app: Settings, engine: Engine, make_feed: MakeFeed
) -> None:
    def refuse(stations: int) -> None:
        feed = str(make_feed(stations=stations, newest_at=datetime.now(UTC)))
        assert etl.run_load(app.model_copy(update={"feed_url": feed}), engine).status == "refused"

    def list_questions(at: AppTest) -> set[str]:
        return {block.proto.id for block in at.main if block.type == "popover"}

    refuse(10)
    at = open_admin(engine)
    first, again = list_questions(at), list_questions(run(at))
    assert first == again
    refuse(12)
    assert len(list_questions(run(at)) - first) == 1


def test_what_a_load_took_can_not_be_taken_back(app: Settings, engine: Engine, make_feed: MakeFeed) -> None:
    small = app.model_copy(update={"feed_url": str(make_feed(stations=10, newest_at=datetime.now(UTC)))})
    assert etl.run_load(small, engine).status == "refused"
    at = press(open_admin(engine), "admin_accept")
    assert etl.run_load(small, engine).status == "loaded"
    press(at, "admin_withdraw")
    assert [error.value for error in at.main.error] == ["Another load came in between: please look again."]
    assert list_actions(engine) == ["accept_feed"]


@pytest.fixture
def printed(app: Settings) -> Iterator[Path]:
    folder = app.outputs_dir
    (folder / "mail").mkdir(parents=True)
    (folder / "mail" / "1.eml").write_text("SECRET")
    (folder / "stdout_a.txt").write_text("it loaded\nit slept\n")
    yield folder
    for path in folder.glob("std*"):
        path.unlink()


def test_outputs_are_read_searched_and_cleared(app: Settings, engine: Engine, printed: Path) -> None:
    at = open_admin(engine, "outputs")
    assert [code.value for code in at.main.code] == ["it loaded\nit slept"]
    at.text_input(key="admin_output_search").set_value("SLEPT")
    assert [code.value for code in run(at).main.code] == ["stdout_a.txt: it slept"]
    at.text_input(key="admin_output_search").set_value("SECRET")
    assert not run(at).main.code
    assert "No line holds this text." in list_shown(at)
    press(at, "admin_clear_outputs")
    assert [path.name for path in printed.rglob("*.*")] == ["1.eml"]
    assert list_actions(engine) == ["clear_outputs"]


# The database and its backup


def test_the_size_on_the_disk_is_told(app: Settings, engine: Engine) -> None:
    with engine.connect() as connection:
        size = connection.exec_driver_sql(SIZE[DATABASE]).scalar_one()
    (told,) = [text for text in list_shown(open_admin(engine, "database")) if text.endswith(" MB on the disk.")]
    assert float(told.split()[0]) == pytest.approx(size / 1e6, abs=0.2)  # what opening the page writes may add a little


@pytest.mark.skipif(DATABASE != "postgresql", reason="a backup of SQLite is made by the page itself")
def test_the_command_that_is_named_for_postgresql_makes_a_whole_backup(
    app: Settings, engine: Engine, tmp_path: Path
) -> None:
    at = open_admin(engine, "database")
    assert not list(at.main.text_input)
    assert "Make a backup" not in [button.label for button in at.main.button]
    (command,) = [code.value for code in at.main.code]
    url = make_url(app.database)
    assert command == (
        "(umask 077 && pg_dump --format=custom --file=carburoam.dump --host=127.0.0.1 "
        f"--port={url.port} --username={url.username} --dbname={url.database})"
    )
    run_program(tmp_path, *shlex.split(command.removeprefix("(umask 077 && ").removesuffix(")")))
    restored = app.model_copy(update={"state_dir": tmp_path / "restored"}).database
    CLUSTER[0].execute(f"CREATE DATABASE {make_url(restored).database} TEMPLATE template0")
    where = ("--host=127.0.0.1", f"--port={url.port}", f"--username={url.username}")
    run_program(tmp_path, "pg_restore", *where, f"--dbname={make_url(restored).database}", "carburoam.dump")
    copy = open_engine(restored)
    with engine.connect() as connection, copy.connect() as copied:
        assert count_rows(copied) == count_rows(connection)
        assert count_rows(copied)["users"] == 2
    copy.dispose()


def run_program(folder: Path, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs in a folder."""
    programs = find_programs()
    assert programs is not None
    subprocess.run([programs / program, *arguments], cwd=folder, check=True)


def send(backup: Backup, most: float = inf) -> list[bytes]:
    """Let a backup be sent to who takes so many parts of it and then leaves; return these."""
    parts: list[bytes] = []

    async def take(message: Message) -> None:
        if message["type"] == "http.response.body":
            if len(parts) >= most:
                raise OSError
            parts.append(message.get("body", b""))

    async def wait_for_ever() -> Message:
        await asyncio.Event().wait()
        return {}

    scope = {"type": "http", "asgi": {"spec_version": "2.4"}, "method": "GET"}
    with suppress(ClientDisconnect):
        run_in_own_loop(backup(scope, wait_for_ever, take))
    return parts


def test_the_copy_behind_a_backup_is_gone_as_soon_as_its_reader_is(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    path.write_bytes(b"x" * 1_000_000)
    backup = Backup(path.open("rb"), {})
    assert len(send(backup, most=1)) == 1
    assert backup.file.closed


@pytest.mark.skipif(DATABASE != "sqlite", reason="for PostgreSQL the page names a command")
def test_a_backup_asks_for_the_password_and_gives_an_address_that_is_good_once(app: Settings, engine: Engine) -> None:
    from ui.authentication import get_secret_key
    from ui.backup_download import get_tickets, take_backup
    from ui.login_cookie import COOKIE, Claims, sign_claims

    at = open_admin(engine, "database")
    session_id = at.session_state["session_id"]

    def make(password: str) -> str:
        at.text_input(key="backup_password").set_value(password)
        [button] = [button for button in at.main.button if button.label == "Make a backup"]
        run(button.click())
        return str(at.session_state["backup_ticket"]) if "backup_ticket" in at.session_state else ""

    assert make("not the password") == ""
    assert "This is not your password." in list_shown(at)
    assert list_actions(engine) == ["backup_refused"]
    ticket = make(PASSWORD)
    assert list_actions(engine) == ["backup_refused", "backup"]
    cookies, other = (
        {COOKIE: sign_claims(get_secret_key(), Claims(id_, datetime(2100, 1, 1, tzinfo=UTC), is_lasting=False))}
        for id_ in (session_id, begin(engine, "bob"))
    )
    assert take_backup("x" * 43, cookies) is None
    for stranger in (other, {}, {COOKIE: "x"}):
        assert take_backup(ticket, stranger) is None
    assert list_actions(engine) == ["backup_refused", "backup"], "nobody else has spent it"
    backup = take_backup(ticket, cookies)
    assert backup is not None
    data = b"".join(send(backup))
    assert data.startswith(b"SQLite format 3\0")
    assert backup.headers["Content-Length"] == str(len(data))
    assert backup.file.closed
    assert "The backup is ready." in list_shown(at)
    run(at)
    assert not {"The backup is ready.", "Download the backup"} & set(list_shown(at)), "it was spent"
    assert at.text_input(key="backup_password")
    assert take_backup(ticket, cookies) is None, "it was spent"
    with begin_writing(engine) as connection:
        connection.execute(update(Credential).values(role="driver"))
    assert take_backup(get_tickets().make(session_id), cookies) is None
    assert list_actions(engine) == ["backup_refused", "backup", "download_backup"]


def test_a_ticket_is_good_for_a_minute() -> None:
    seconds = [0.0]
    clock: Callable[[], float] = lambda: seconds[0]  # noqa: E731
    tickets = Tickets(clock)
    first, second = tickets.make("a"), tickets.make("b")
    seconds[0] = 59.9
    assert tickets.is_good(first)
    assert [tickets.spend(first, one) for one in ("b", "a", "a")] == [False, True, False]
    seconds[0] = 60.1
    assert not tickets.is_good(second)
    assert not tickets.spend(second, "b")


# Mails


def test_mails_that_wait_and_why_others_were_not_sent_are_shown(app: Settings, engine: Engine) -> None:
    assert {"None.", "None in the last 30 days."} <= set(list_shown(open_admin(engine, "mails")))
    now = datetime.now(UTC)
    with begin_writing(engine) as connection:
        for minutes in (3, 90):
            mail = {"recipient": "ada@mailbox.org", "subject": "x", "text": "x", "html": "x"}
            queue_mail(connection, **mail, now=now - timedelta(minutes=minutes))
        connection.execute(update(OutboxMail).where(OutboxMail.id == 1).values(last_error=f"451 {HOSTILE}"))
        for outcome, reason in (("rejected", f"550 {HOSTILE}"), ("given_up", "TimeoutError"), ("expired", "")):
            connection.execute(insert(FailedMail).values(failed_at=now, outcome=outcome, reason=reason))
    at = open_admin(engine, "mails")
    (waiting,) = [text for text in list_texts(at) if "wait" in text]
    assert read(waiting).startswith("2 mails wait. The oldest: 2\xa0hours\xa0ago.\nWhy the last try failed:")
    assert f"`451 {HOSTILE}`" in waiting, "as code, so nothing of it is markup"
    rows = [row[1] for row in at.main.table[0].value.itertuples(index=False)]
    assert rows == [
        "expired before it could be sent  \nnever tried",
        "given up after two days  \nthe mail server did not answer in time",
        f"refused for good  \n`550 {HOSTILE}`",
    ]
    assert not [text for text in list_shown(at) if "ada@mailbox.org" in text]


# The data


def test_doubtful_locations_and_fuels_that_are_not_known_are_named(app: Settings, engine: Engine) -> None:
    with begin_writing(engine) as connection:
        station_id = connection.scalar(select(func.min(Station.id)))
        connection.execute(
            update(Station)
            .where(Station.id == station_id)
            .values(is_location_doubtful=True, address=HOSTILE, zip_code="30300", latitude=43.48, longitude=-1.56)
        )
        connection.execute(
            update(EtlRun).values(message="rejected: 3 x fuel 12 (Hydrogène) is not known (stations 1, 2, 3)")
        )
    at = open_admin(engine, "data")
    assert "Doubtful locations" in [heading.value for heading in at.main.subheader]
    texts = [read(text) for text in list_texts(at)]
    assert [text for text in texts if "3 × fuel `12 (Hydrogène)` is not known (stations 1, 2, 3)" in text]
    (table,) = [one.value for one in at.main.table if "Coordinates" in one.value.columns]
    assert [(row[1], row[2]) for row in table.itertuples(index=False)] == [("30300", "43.48000, -1.56000")]
    assert read(table["Station"][0]).startswith(HOSTILE)
