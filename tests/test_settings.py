"""Settings come from the environment or a `.env` file, and one that can't be used is named without its value."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import DATABASE
from pydantic import SecretStr, ValidationError

from errors import SettingRefused
from settings import PUBLIC_FEEDS, ROOT, Settings, read_settings


class Rule(NamedTuple):
    """What a setting takes: values with what is read from them, and values with what is said of them."""

    default: Any
    good: dict[str, Any]
    bad: dict[str, str]


NAMES_THE_DATABASE = pytest.mark.skipif(DATABASE != "sqlite", reason="on PostgreSQL the tests name every database")
TILES = "https://tiles.example/{z}/{x}/{y}.png"
POSTGRESQL = "postgresql+psycopg://me:secret@db/carburoam"
NO_TILES = ["http://tiles.example/{z}/{x}/{y}.png", "https://tiles.example/{z}/{x}.png", "tiles"]
RULES = {
    "state_dir": Rule(ROOT, {"/srv/a": Path("/srv/a"), "/srv/b/../a": Path("/srv/a"), "~": Path.home()}, {}),
    "database_url": Rule("", {POSTGRESQL: POSTGRESQL}, {}),
    "feed_url": Rule("", {"sample": "sample", "/a/feed.zip": "/a/feed.zip"}, {}),
    "refresh_seconds": Rule(
        21_600,
        {"10": 10, "600": 600, "604800": 604_800},
        {"9": "or equal to 10", "604801": "or equal to 604800", "soon": "valid integer", "1.5": "valid integer"},
    ),
    "contact": Rule("", {"Élise, elise@example.org": "Élise, elise@example.org"}, {"x" * 201: "at most 200"}),
    "map_tiles": Rule("", {TILES: TILES}, dict.fromkeys(NO_TILES, "must be an https:// address")),
    "secret_key": Rule(SecretStr(""), {"k" * 32: SecretStr("k" * 32)}, {"k" * 31: "32 characters or more"}),
    "smtp_url": Rule(
        SecretStr(""),
        {"smtps://me:secret@mail:465": SecretStr("smtps://me:secret@mail:465")},
        dict.fromkeys(["http://mail", "mail:25", "smtp://"], "must be smtp://"),
    ),
    "mail_from": Rule(
        "carburoam@localhost",
        {"a@b.org": "a@b.org", "A <a@b.org>": "A <a@b.org>"},
        {"x" * 255: "at most 254", "bad": "must be an e-mail address"},
    ),
    "base_url": Rule(
        "http://localhost:8501",
        {"https://a.org/": "https://a.org"},
        {"a.org": "must begin with http", "ftp://a": "must begin"},
    ),
    "trusted_proxies": Rule(
        "", {"10.0.0.0/8, ::1": "10.0.0.0/8, ::1"}, {"10.0.0.0/99": "10.0.0.0/99", "proxy": "proxy"}
    ),
    "trusted_scrapers": Rule("", {"10.0.0.7": "10.0.0.7"}, {"10.0.0.0/99": "10.0.0.0/99", "prometheus": "prometheus"}),
    "as_of": Rule("", {"feed": "feed"}, dict.fromkeys(["now", "FEED", "2023-11-22"], "must be feed or left out")),
    "tabs_per_address": Rule(12, {"0": 0, "30": 30}, {"-1": "or equal to 0", "100001": "or equal to 100000"}),
    "messages_per_10_seconds": Rule(40, {"0": 0, "99": 99}, {"-1": "or equal to 0", "100001": "or equal to 100000"}),
    "connections_per_address": Rule(100, {"0": 0, "600": 600}, {"-1": "or equal to 0", "100001": "or equal to 100000"}),
    "requests_per_minute": Rule(120, {"0": 0, "600": 600}, {"-1": "or equal to 0", "100001": "or equal to 100000"}),
}
GOOD = [(name, text, value) for name, rule in RULES.items() for text, value in rule.good.items()]
BAD = [(name, text, complaint) for name, rule in RULES.items() for text, complaint in rule.bad.items()]


def give(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"CARBUROAM_{name.upper()}", value)


def test_every_setting_is_tested_here() -> None:
    assert RULES.keys() == Settings.model_fields.keys()


@pytest.mark.parametrize("name", RULES)
def test_every_setting_is_optional(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARBUROAM_STATE_DIR")
    assert getattr(read_settings(), name) == RULES[name].default


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_a_setting_is_read_from_the_environment(
    name: str, text: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, **{name: text})
    assert getattr(read_settings(), name) == value


@pytest.mark.parametrize(("name", "text", "complaint"), BAD)
def test_a_setting_that_cant_be_used_is_named_without_its_value(
    name: str, text: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, **{name: text})
    with pytest.raises(SettingRefused) as refusal:
        read_settings()
    assert str(refusal.value).startswith(f"CARBUROAM_{name.upper()}: ")
    assert complaint in str(refusal.value)
    assert text not in str(refusal.value).replace(complaint, "")
    assert "\n" not in str(refusal.value)


def test_a_password_in_a_setting_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, map_tiles="http://me:hunter2@tiles.example/", refresh_seconds="hunter2")
    with pytest.raises(SettingRefused) as refusal:
        read_settings()
    assert "CARBUROAM_MAP_TILES" in str(refusal.value)
    assert "CARBUROAM_REFRESH_SECONDS" in str(refusal.value), "each one that is wrong is named"
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__suppress_context__, "nor in a traceback"


def test_an_empty_setting_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, refresh_seconds="", map_tiles="", feed_url="")
    assert read_settings().refresh_seconds == 21_600


def test_settings_stand_in_a_file_and_the_environment_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "CARBUROAM_REFRESH_SECONDS=600\nCARBUROAM_CONTACT='Élise'\nCARBUROAM_STRANGER=x\nOTHER=y\n", encoding="utf-8"
    )
    monkeypatch.setitem(Settings.model_config, "env_file", file)
    give(monkeypatch, contact="Marc")
    settings = read_settings()
    assert (settings.refresh_seconds, settings.contact) == (600, "Marc")
    monkeypatch.delenv("CARBUROAM_CONTACT")
    assert read_settings().contact == "Élise"


def test_a_setting_of_the_file_is_validated_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("CARBUROAM_REFRESH_SECONDS=1\n")
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    with pytest.raises(SettingRefused, match="CARBUROAM_REFRESH_SECONDS"):
        read_settings()


def test_the_file_is_the_one_in_the_project_wherever_it_is_started(tmp_path: Path) -> None:
    code = "from settings import Settings; print(Settings.model_config['env_file'])"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == str(ROOT / ".env")


@NAMES_THE_DATABASE
def test_the_database_is_in_the_state_dir_unless_another_is_named(tmp_path: Path) -> None:
    assert Settings(state_dir=tmp_path).database == f"sqlite:///{tmp_path / 'db.sqlite3'}"
    assert Settings(state_dir=tmp_path, database_url="sqlite://").database == "sqlite://"


def test_the_small_files_are_in_the_state_dir(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    assert settings.pid_file == tmp_path / "pid.txt"
    assert settings.lastjob_file == tmp_path / "lastjob.txt"
    assert settings.outputs_dir == tmp_path / "outputs"


def test_a_state_dir_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingRefused, match="CARBUROAM_STATE_DIR: no folder can be made there"):
        Settings(state_dir=tmp_path / "file").make_state_dir()


def test_a_relative_state_dir_does_not_move_with_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(state_dir=Path("state"))
    monkeypatch.chdir("/")
    assert settings.state_dir == tmp_path / "state"


def test_the_public_feeds_are_loaded_unless_another_is_named() -> None:
    assert Settings().feeds == PUBLIC_FEEDS
    assert all(feed.startswith("https://") for feed in PUBLIC_FEEDS)
    assert Settings(feed_url="/a/feed.zip").feeds == ("/a/feed.zip",)


@NAMES_THE_DATABASE
def test_another_process_can_be_given_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(state_dir=tmp_path, feed_url="sample", refresh_seconds=60, contact="Élise", map_tiles=TILES)
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    assert read_settings() == settings


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().refresh_seconds = 20  # type: ignore[misc]
