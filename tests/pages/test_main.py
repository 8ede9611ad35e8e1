"""What stands on every page, and what a visitor is told when nothing can be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import pytest
from conftest import CLUSTER, name_database
from page_visit import Country, find_other_language, list_names_of_pages, list_texts, load_country, read, run_app, visit
from sqlalchemy import Engine, insert, text

from db import begin_writing
from load_lock import hold_lock
from models import EtlRun
from settings import VERSION, Settings
from shares import Client

PAGES = ["landing", "dashboard", "choose", "station", "login", "register", "recover", "privacy", "about"]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Country]:
    """The pages, reading a few stations."""
    (tmp_path / "own").mkdir()
    country = load_country(tmp_path / "own", stations=20)
    with run_app(monkeypatch, country.settings):
        yield country
    country.engine.dispose()


@pytest.mark.parametrize("page", PAGES)
def test_every_page_names_language_age_of_the_prices_source_and_version(app: Country, page: str) -> None:
    at = visit(page)
    assert at.get_by_key("lang").value == "en"
    texts = list_texts(at)
    some = r"(just now|\d+\u00a0minutes?\u00a0ago)"
    age = re.compile(f":material/schedule: Prices loaded {some}, newest report {some}\\.")
    assert any(age.fullmatch(text) for text in texts)
    (foot,) = [text for text in texts if "[Official prices](https://www.prix-carburants.gouv.fr/)" in text]
    assert read(foot) == f"Official prices · Licence Ouverte 2.0 · Carburoam {VERSION}"


@pytest.mark.parametrize("page", ["landing", "profile"])  # one that runs to its end, one that stops: it is private
def test_a_run_has_a_turn_from_its_beginning_to_its_end(
    app: Country, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = []

    @contextmanager
    def take(_client: Client, *, supersedes: bool) -> Iterator[None]:
        turns.append("begun")
        try:
            yield
        finally:
            turns.append("ended")

    monkeypatch.setattr("ui.turns.TURNS.take", take)
    visit(page)
    # What is drawn as a fragment takes its turn within that of the page.
    depths = list(accumulate(1 if turn == "begun" else -1 for turn in turns))
    assert depths.index(0) == len(depths) - 1


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_navigation_speaks_the_language_of_the_page(app: Country, language: str) -> None:
    names = list_names_of_pages(visit(lang=language.upper()))
    assert len(names) == 2 * (len(PAGES) + 2)  # the profile, which needs an account; and the search at /landing too
    assert find_other_language(names, language) == []


def test_a_load_under_way_is_said_and_one_that_was_killed_is_none(app: Country) -> None:
    note = ":material/sync: New prices are being loaded; the page will show them by itself."
    with begin_writing(app.engine) as connection:
        connection.execute(insert(EtlRun).values(started_at=datetime.now(UTC), message=""))
    assert note not in list_texts(visit())
    with hold_lock(app.settings, app.engine):
        for page in ("landing", "station"):
            station_id = str(next(iter(app.stations)))
            assert note in list_texts(visit(page, id=station_id))


def test_a_database_that_can_t_be_read_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine
) -> None:
    engine.dispose()
    for path in settings.state_dir.glob("db.sqlite3*"):
        path.write_bytes(b"this is no database " * 1000)
    for cluster in CLUSTER:
        cluster.execute(f"ALTER DATABASE {name_database(settings.state_dir)} ALLOW_CONNECTIONS false")
    with run_app(monkeypatch, settings):
        at = visit()
        (box,) = at.main.error
        assert (box.proto.title, box.value) == ("The prices can't be read right now", "Please try again in a minute.")
        assert not at.main.title


def test_a_database_that_fails_in_the_middle_of_a_page_is_said_in_a_sentence(app: Country) -> None:
    with app.engine.begin() as connection:
        connection.execute(text("DROP TABLE prices"))  # which no run reads before its page does
    at = visit("station", id=str(next(iter(app.stations))))
    assert [(box.proto.title, box.value) for box in at.main.error] == [
        ("The prices can't be read right now", "Please try again in a minute.")
    ]


def test_a_database_of_a_newer_version_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine
) -> None:
    with begin_writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with run_app(monkeypatch, settings):
        at = visit()
        (box,) = at.main.error
        assert box.proto.title == "This installation isn't configured correctly"
        assert box.value.startswith("the database is of a newer version of this program")
        assert not at.main.title


@pytest.mark.parametrize(
    ("language", "box"),
    [
        ("en", ("This page can't be shown right now", "Please try again in a minute.")),
        ("fr", ("Cette page ne peut pas être affichée en ce moment", "Veuillez réessayer dans une minute.")),
    ],
)
@pytest.mark.parametrize("place", ["secret.key", "state dir"])
def test_what_the_system_says_of_a_file_is_for_the_log_only(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    settings: Settings,
    engine: Engine,
    language: str,
    box: tuple[str, str],
    place: str,
) -> None:
    (settings.state_dir / "secret.key").mkdir()
    (settings.state_dir / "file").touch()
    variables = {"CARBUROAM_STATE_DIR": str(settings.state_dir / "file" / "state")} if place == "state dir" else {}
    with run_app(monkeypatch, settings, **variables):
        at = visit(locale=language)
        assert [(one.proto.title, one.value) for one in at.main.error] == [box]
        assert not at.main.title
    assert "directory" in caplog.text


def test_a_setting_that_can_t_be_used_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    with run_app(monkeypatch, settings, CARBUROAM_REFRESH_SECONDS="**s3cret**"):
        at = visit()
        (box,) = at.main.error
        assert box.proto.title == "This installation isn't configured correctly"
        assert "REFRESH" in box.value
        assert "s3cret" not in box.value
        assert not at.main.title
