"""Two real lists of brands on the stations of a real feed."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import REAL_FEEDS
from sqlalchemy import Engine, select

from etl import load_brands, run_load
from feed.brand_store import BrandReport
from models import StationBrand, make_town_key
from settings import Settings

SHARED = REAL_FEEDS.parent
OSM, NAMES = SHARED / "brands" / "stations_name_osm.csv", SHARED / "brands" / "stations_name.json"
FEED = REAL_FEEDS / "years" / "instantane_ruptures_2026-06-05.zip"
LOADED_AT = datetime(2026, 6, 5, 12, 0, tzinfo=UTC)
STATIONS = 9_780
LEAST_SHARE = 0.96
NO_BRANDS = {
    *("", "Independent", "Indépendant", "indépendant", "Indépendant sans enseigne", "Indépendant Discount"),
    *("Station essence Indépendant", "autre", "NEANT", "aucune", "Aucune"),
}

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"there is no folder {SHARED.name}/ beside the project")


def squash(brand: str) -> str:
    return make_town_key(brand).replace(" ", "")


def load(settings: Settings, engine: Engine, *lists: Path) -> BrandReport:
    """Load the feed, if it isn't yet, and the lists."""
    settings = settings.model_copy(update={"feed_url": str(FEED)})
    assert run_load(settings, engine, now=lambda: LOADED_AT).is_success
    return load_brands(engine, *map(str, lists), now=LOADED_AT)


def test_both_lists_together_name_a_brand_for_nearly_every_station(settings: Settings, engine: Engine) -> None:
    shares = []
    for lists in ((OSM, NAMES), (NAMES, OSM), (OSM,), (NAMES,)):
        report = load(settings, engine, *lists)
        assert report.in_feed == STATIONS
        shares.append(report.branded_in_feed / report.in_feed)
    assert min(shares[:2]) >= LEAST_SHARE
    assert min(shares[:2]) > max(shares[2:])


def test_nothing_in_them_is_unreadable(settings: Settings, engine: Engine) -> None:
    report = load(settings, engine, OSM, NAMES)
    assert report.rejections == {}
    assert report.without_id == 2_358
    assert "without a station id: 2,358" in report.describe()


def test_no_station_has_a_brand_that_is_none(settings: Settings, engine: Engine) -> None:
    load(settings, engine, OSM, NAMES)
    with engine.connect() as connection:
        keys = set(connection.execute(select(StationBrand.brand_key)).scalars())
    assert len(keys) > 100
    assert keys & {"autre", "neant", "aucune", "independant", "independent", "independant sans enseigne"} == set()
    assert [key for key in keys if "independ" in key] == []


def test_of_each_station_the_brand_of_openstreetmap_counts_before_the_other(settings: Settings, engine: Engine) -> None:
    """As a second, plain reading of both files finds them."""
    named: dict[int, str] = {}
    with OSM.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["ref:FR:prix-carburants"] and row["brand"] not in NO_BRANDS:
                named.setdefault(int(row["ref:FR:prix-carburants"]), row["brand"].split(";")[0])
    conflicts = 0
    for id_, station in json.loads(NAMES.read_bytes()).items():
        if station["brand"] not in NO_BRANDS:
            brand = named.setdefault(int(id_), station["brand"])
            conflicts += squash(brand) != squash(station["brand"])
    report = load(settings, engine, OSM, NAMES)
    with engine.connect() as connection:
        rows = connection.execute(select(StationBrand.station_id, StationBrand.brand)).all()
    stored = {row.station_id: row.brand for row in rows}
    assert [id_ for id_, brand in named.items() if squash(stored[id_]) != squash(brand)] == []
    assert sum(map(len, report.conflicts.values())) == conflicts > 1_000
