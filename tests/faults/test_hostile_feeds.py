"""A thousand hostile feeds, one after the other: each is refused or loaded, and none harms."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from conftest import MakeFeed
from loops import LOOP_SECONDS, choose
from people import require_sound
from programs import run_command
from sqlalchemy import Engine, select

from etl import run_load
from models import Price
from settings import Settings

KINDS = ("feed", "records", "xml", "archive")


def read_prices(engine: Engine) -> set[tuple[object, ...]]:
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(select(Price.__table__))}


@pytest.mark.slow
@pytest.mark.timeout(LOOP_SECONDS)
def test_hostile_feeds_are_refused_or_loaded_and_the_next_good_one_is_whole(
    settings: Settings, engine: Engine, make_feed: MakeFeed, record_property: Callable[[str, object], None]
) -> None:
    settings = settings.model_copy(update={"feed_url": str(make_feed(stations=300))})
    assert run_load(settings, engine).status == "loaded"
    good = read_prices(engine)
    count = choose(small=24, whole=1000)
    code, output, errors = run_command(settings, "tests/faults/hostile_loads.py", str(count), seconds=LOOP_SECONDS)
    assert code == 0, errors
    ends = json.loads(output)
    assert sum(ends.values()) == count
    assert {name.split()[0] for name in ends} == set(KINDS)
    assert {name.split()[1] for name in ends} >= {"loaded", "refused"}
    assert run_load(settings, engine).status == "loaded"
    assert read_prices(engine) == good, "what hostile feeds left is gone"
    require_sound(engine)
    record_property("figures", ", ".join(f"{count} {name}" for name, count in sorted(ends.items())))
