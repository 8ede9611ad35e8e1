"""A feed refused for too few stations can be accepted: that one, and no other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest
from conftest import NOW, MakeFeed
from sqlalchemy import Engine, func, select

from db import begin_writing
from errors import RefusedFeedGone
from etl import LoadReport, run_load
from feed.refused import REFUSED_FILE
from models import FeedState, Station
from prices.loads import Refusal, accept_refused, get_refusal, list_runs
from settings import Settings

LATER = NOW + timedelta(hours=6)

Load = Callable[[Path], LoadReport]


@pytest.fixture
def load(settings: Settings, engine: Engine) -> Load:
    """Give a function that loads what the address of the feed answers now."""
    published = settings.state_dir.parent / "published.zip"

    def load(feed: Path) -> LoadReport:
        published.write_bytes(feed.read_bytes())
        return run_load(settings.model_copy(update={"feed_url": str(published)}), engine, now=lambda: LATER)

    return load


def read_refusal(engine: Engine) -> Refusal | None:
    with engine.connect() as connection:
        return get_refusal(connection)


def accept(engine: Engine) -> None:
    refusal = read_refusal(engine)
    assert refusal is not None
    with begin_writing(engine) as connection:
        accept_refused(connection, refusal.digest, LATER)


def count_present(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).where(Station.left_feed_at.is_(None))).scalar_one()


def test_a_refused_feed_says_what_it_would_change(
    engine: Engine, settings: Settings, load: Load, make_feed: MakeFeed
) -> None:
    load(make_feed(stations=40))
    small = make_feed(stations=10)
    assert load(small).status == "refused"
    refusal = read_refusal(engine)
    assert refusal is not None
    assert (refusal.station_count, refusal.station_count_before, refusal.stations_gone) == (10, 40, 30)
    assert (refusal.refused_at, refusal.accepted_at) == (LATER, None)
    assert (settings.state_dir / REFUSED_FILE).read_bytes() == small.read_bytes()
    assert (settings.state_dir / REFUSED_FILE).stat().st_mode & 0o777 == 0o600
    assert count_present(engine) == 40
    assert load(small).status == "refused", "nobody has accepted it"


def test_the_next_load_takes_exactly_the_accepted_one_and_those_after_it_the_published_ones(
    engine: Engine, settings: Settings, load: Load, make_feed: MakeFeed
) -> None:
    load(make_feed(stations=40))
    load(make_feed(stations=10))
    accept(engine)
    other = make_feed(stations=12)  # published since
    assert load(other).status == "loaded"
    assert count_present(engine) == 10
    assert (read_refusal(engine), (settings.state_dir / REFUSED_FILE).exists()) == (None, False)
    assert load(other).status == "loaded"
    assert count_present(engine) == 12
    assert load(make_feed(stations=5)).status == "refused"
    with engine.connect() as connection:
        assert [run.status for run in list_runs(connection, 3)] == ["refused", "loaded", "loaded"]


def test_an_accepted_feed_that_is_refused_for_another_reason_stands_in_no_one_s_way(
    engine: Engine, settings: Settings, load: Load, make_feed: MakeFeed, tmp_path: Path
) -> None:
    whole = make_feed(stations=40)
    load(whole)
    damaged = tmp_path / "damaged.zip"
    with ZipFile(whole) as archive, ZipFile(damaged, "w") as copy:
        (name,) = archive.namelist()
        head, *stations = archive.read(name).split(b"<pdv ")
        copy.writestr(
            name, b"<pdv ".join([head, *stations[:15], *(one.replace(b'id="', b'id="q', 1) for one in stations[15:])])
        )
    assert load(damaged).status == "refused"
    accept(engine)
    assert load(whole).is_success
    assert count_present(engine) == 40
    assert read_refusal(engine) is None


def test_a_machine_without_the_copy_takes_the_accepted_one_where_it_is_published(
    engine: Engine, settings: Settings, load: Load, make_feed: MakeFeed
) -> None:
    load(make_feed(stations=40))
    small = make_feed(stations=10)
    load(small)
    accept(engine)
    (settings.state_dir / REFUSED_FILE).write_bytes(b"something else")
    assert load(make_feed(stations=9)).status == "refused"
    refusal = read_refusal(engine)
    assert refusal is not None
    assert (refusal.station_count, refusal.accepted_at) == (9, None), "accepted was another one"
    load(small)
    accept(engine)
    (settings.state_dir / REFUSED_FILE).unlink()
    assert load(small).status == "loaded"
    assert count_present(engine) == 10


def test_one_that_was_replaced_or_overtaken_can_not_be_accepted(
    engine: Engine, load: Load, make_feed: MakeFeed
) -> None:
    whole = make_feed(stations=40)
    load(whole)
    load(make_feed(stations=10))
    first = read_refusal(engine)
    assert first is not None
    load(make_feed(stations=9))
    with pytest.raises(RefusedFeedGone), begin_writing(engine) as connection:
        accept_refused(connection, first.digest, LATER)
    assert load(whole).status == "unchanged"
    assert read_refusal(engine) is None
    with engine.connect() as connection:
        assert connection.execute(select(FeedState.station_count)).scalar_one() == 40


def test_no_file_of_a_persons_is_touched(engine: Engine, settings: Settings, load: Load, make_feed: MakeFeed) -> None:
    for name in ("refused.zip", "refused-2026-03.zip", ".refused.zip"):
        (settings.state_dir / name).write_text(name)
    whole = make_feed(stations=40)
    load(whole)
    assert load(make_feed(stations=10)).status == "refused"
    assert load(whole).status == "unchanged"
    assert {path.name for path in settings.state_dir.glob("*refused*")} == {
        *("refused.zip", "refused-2026-03.zip", ".refused.zip")
    }
    for path in settings.state_dir.glob("*refused*"):
        assert path.read_text() == path.name


@pytest.mark.parametrize("in_the_way", [REFUSED_FILE, f"{REFUSED_FILE}.draft"])
def test_one_of_which_no_copy_can_be_kept_is_refused_all_the_same_and_taken_where_it_is_published(
    engine: Engine, settings: Settings, load: Load, make_feed: MakeFeed, in_the_way: str
) -> None:
    load(make_feed(stations=40))
    (settings.state_dir / in_the_way).mkdir()
    (settings.state_dir / in_the_way / "notes.txt").touch()
    small = make_feed(stations=10)
    assert load(small).status == "refused"
    accept(engine)
    assert load(small).status == "loaded"
    assert count_present(engine) == 10
    assert {path.name for path in settings.state_dir.glob(".refused*")} == {in_the_way}
    assert (settings.state_dir / in_the_way / "notes.txt").exists()
