"""The stock-outs of a real feed of June 2026 are stored as a second, plain reading finds them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import fromstring
from zipfile import ZipFile

import pytest
from conftest import REAL_FEEDS
from plain_reader import read_paris_time
from sqlalchemy import Engine, select

from bench.stock_outs import count_plainly
from etl import run_load
from models import FUEL_NAMES, Price, StockOut
from prices.nearby import list_nearby_prices
from settings import Settings

LOADED_AT = datetime(2026, 6, 5, 10, 20, tzinfo=UTC)

Pair = tuple[int, int]


@pytest.fixture
def feed() -> Path:
    if not REAL_FEEDS.exists():
        pytest.skip(f"there are no real feeds in {REAL_FEEDS.name}/ beside the project")
    return REAL_FEEDS / "years" / "instantane_ruptures_2026-06-05.zip"


def read_plainly(feed: Path) -> dict[Pair, datetime]:
    """Return which temporary stock-outs the feed names, each as of the last that began; it names no end."""
    with ZipFile(feed) as archive:
        root = fromstring(archive.read(archive.namelist()[0]))
    began: dict[Pair, datetime] = {}
    reported: dict[Pair, datetime] = {}
    given_up: set[Pair] = set()
    for station in root:
        for price in station.iterfind("prix"):
            reported[int(station.attrib["id"]), int(price.attrib["id"])] = read_paris_time(price.attrib["maj"])
        for one in station.iterfind("rupture"):
            if not one.attrib:
                continue
            assert one.attrib["fin"] == ""
            pair = int(station.attrib["id"]), int(one.attrib["id"])
            if one.attrib["type"] == "temporaire":
                at = read_paris_time(one.attrib["debut"])
                began[pair] = max(at, began.get(pair, at))
            elif one.attrib["type"] == "definitive":
                given_up.add(pair)
    assert not given_up & reported.keys(), "a fuel given up has no price in this feed"
    return {
        pair: at
        for pair, at in began.items()
        if pair not in given_up and not (pair in reported and reported[pair] > at)
    }


def test_only_the_temporary_stock_outs_of_a_real_feed_are_stored_and_shown(
    feed: Path, engine: Engine, settings: Settings
) -> None:
    report = run_load(settings.model_copy(update={"feed_url": str(feed)}), engine, now=lambda: LOADED_AT)
    assert "stock-out: price date" not in report.message
    with engine.connect() as connection:
        stored = {
            (row.station_id, row.gastype_id): row.began_at for row in connection.execute(select(StockOut.__table__))
        }
        sold = {tuple(row) for row in connection.execute(select(Price.station_id, Price.gastype_id))}
        ranks = {
            (row.station_id, fuel_id): row.rank
            for fuel_id in FUEL_NAMES
            for row in list_nearby_prices(connection, None, fuel_id, as_of=LOADED_AT).rows
        }
    assert stored == read_plainly(feed)
    assert len(stored) == 2_562
    assert {pair for pair, rank in ranks.items() if rank in ("out", "long_out")} == stored.keys()
    assert ranks.keys() == stored.keys() | sold
    assert sum(rank == "long_out" for rank in ranks.values()) == 1_386
    assert count_plainly(feed) == (22_549, 3_379)
