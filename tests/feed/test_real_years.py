"""The real snapshots of 2019 to 2026 in their order, then an older one again: each stored as a plain reading says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from plain_reader import list_differences, read_plainly, read_stored
from sqlalchemy import Engine, select

from etl import run_load
from feed.texts import spell_town
from models import Station
from settings import Settings

LAST_LOAD = datetime(2026, 6, 6, 0, 0, tzinfo=UTC)  # no report of any of them lies after it


def test_each_feed_is_stored_as_it_says_whichever_was_loaded_before(
    all_real_feeds: list[Path], engine: Engine, settings: Settings
) -> None:
    for number, path in enumerate([*all_real_feeds, all_real_feeds[1]]):
        now = LAST_LOAD + timedelta(hours=number)
        report = run_load(settings.model_copy(update={"feed_url": str(path)}), engine, now=lambda at=now: at)
        assert (report.status, report.stations_rejected, report.prices_rejected) == ("loaded", 0, 0), path.name
        expected = {id_: replace(one, raw_town=spell_town(one.raw_town)) for id_, one in read_plainly(path).items()}
        with engine.connect() as connection:
            left = set(connection.scalars(select(Station.id).where(Station.left_feed_at.is_not(None))))
            stored = {id_: one for id_, one in read_stored(connection).items() if id_ not in left}
        if not any(one.stock_outs for one in expected.values()):  # it says nothing of them: those known may stay
            stored = {id_: replace(one, stock_outs={}) for id_, one in stored.items()}
        assert list_differences(expected, stored) == [], path.name
