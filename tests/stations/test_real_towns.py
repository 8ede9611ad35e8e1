"""The towns of the real feeds: each station is found by its town as the feed writes it and by its postcode."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import REAL_FEEDS
from plain_reader import read_plainly
from sqlalchemy import Connection, Row, select

from db import open_engine, prepare_database
from errors import PlaceUnknown
from etl import run_load
from feed.texts import spell_town
from models import Station, make_town_key
from settings import Settings
from stations.departments import find_department
from stations.geography import compute_distance_km
from stations.places import TOWN_REACH_KM, find_places
from text import read_town

NAMES = (
    "instantane_2023-11-22T2220.zip",
    "instantane_2023-11-23T0820.zip",
    "instantane_2023-11-23T1020.zip",
    "years/instantane_2019-05-10.zip",
    "years/instantane_2023-11-28T1420.zip",
    "years/instantane_ruptures_2026-06-05.zip",
)
NAMELESS = {48190001}  # its town is empty in 2019


@pytest.fixture(params=NAMES, ids=lambda name: Path(name).stem, scope="module")
def feed(request: pytest.FixtureRequest) -> Path:
    if not REAL_FEEDS.exists():
        pytest.skip(f"the real snapshots are not in {REAL_FEEDS.name}/ beside the project")
    path: Path = REAL_FEEDS / request.param
    assert path.exists()
    return path


@pytest.fixture(scope="module")
def communes() -> dict[tuple[str, str], tuple[float, float]]:
    """Return the centre of each commune by the key of its name and its department."""
    path = REAL_FEEDS.parent / "places" / "communes.json.gz"
    if not REAL_FEEDS.exists():
        pytest.skip(f"the communes are not in {path.parent.name}/ beside the project")
    with gzip.open(path) as file:
        known = [commune for commune in json.load(file) if commune.get("centre")]
    return {
        (make_town_key(commune["nom"]), find_department(zip_code)): tuple(reversed(commune["centre"]["coordinates"]))
        for commune in known
        for zip_code in commune["codesPostaux"]
    }


@pytest.fixture(scope="module")
def connection(feed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    settings = Settings(state_dir=tmp_path_factory.mktemp("towns"), feed_url=str(feed))
    engine = open_engine(settings.database)
    prepare_database(engine)
    assert run_load(settings, engine).is_success
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture(scope="module")
def stations(connection: Connection) -> dict[int, Row[*tuple[Any, ...]]]:
    columns = (Station.id, Station.town, Station.town_key, Station.zip_code)
    return {row.id: row for row in connection.execute(select(*columns))}


def list_found(connection: Connection, queries: set[str]) -> dict[str, set[tuple[str, str]]]:
    """Return the towns, by key and department, that each text finds."""
    found = {}
    for query in queries:
        try:
            places = find_places(connection, query)
        except PlaceUnknown:
            places = ()
        found[query] = {(make_town_key(read_town(place.name).name), place.department) for place in places}
    return found


def test_each_station_is_found_by_its_town_as_the_feed_writes_it(
    feed: Path, connection: Connection, stations: dict[int, Row[*tuple[Any, ...]]]
) -> None:
    raw = {id_: one.raw_town for id_, one in read_plainly(feed).items()}
    found = list_found(connection, set(raw.values()))
    lost = {
        id_
        for id_, text in raw.items()
        if (stations[id_].town_key, find_department(stations[id_].zip_code)) not in found[text]
    }
    assert lost == {id_ for id_, text in raw.items() if not text}
    assert lost <= NAMELESS


def test_each_station_is_found_by_its_postcode(
    connection: Connection, stations: dict[int, Row[*tuple[Any, ...]]]
) -> None:
    sizes = Counter(row.zip_code for row in stations.values())
    for zip_code in sizes:
        (place,) = find_places(connection, zip_code)
        assert place.name.split()[0] == zip_code
        assert place.station_count == sum(
            sizes[code] for code in ({"75016", "75116"} if zip_code == "75016" else {zip_code})
        )


def test_no_town_holds_digits_or_stray_punctuation(stations: dict[int, Row[*tuple[Any, ...]]]) -> None:
    """Letters with single hyphens, apostrophes or an article's space between; a comma between two names of one town."""
    towns = {row.town for row in stations.values()}
    odd = {town for town in towns if not re.fullmatch(r"(?:[^\W\d_]+(?:['-]|, | |$))+", town)}
    assert odd <= {""}
    assert len({town for town in towns if "," in town}) <= 5
    assert {town for town in towns if re.search(r"\b(?:cedex|arrondissement|st|ste)\b", town.lower())} == set()
    assert {town for town in towns if spell_town(town) != town} == set()


def test_no_town_of_several_stations_lies_far_from_its_commune(
    connection: Connection,
    stations: dict[int, Row[*tuple[Any, ...]]],
    communes: dict[tuple[str, str], tuple[float, float]],
) -> None:
    sizes = Counter((row.town_key, find_department(row.zip_code)) for row in stations.values())
    far = {}
    for town_key, department in sizes & Counter(dict.fromkeys(communes, 1000)):
        if sizes[town_key, department] < 2:
            continue
        places = [place for place in find_places(connection, town_key) if place.department == department]
        (place,) = places
        distance_km = compute_distance_km(place.latitude, place.longitude, *communes[town_key, department])
        if distance_km > 2 * TOWN_REACH_KM:
            far[town_key] = distance_km
    assert far == {}
