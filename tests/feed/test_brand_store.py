"""What one or two lists of brands say together, and what then stands in the database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, func, insert, select

from db import begin_writing
from feed.brand_store import LISTED_PAIRS, LISTED_STATIONS, BrandReport, merge_brands, store_brands
from feed.brands import read_brands
from feed.store import forget_stations
from models import BrandState, Station, StationBrand

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
REF = "ref:FR:prix-carburants"


def write_json(**stations: Any) -> bytes:
    return json.dumps({key.lstrip("s"): value for key, value in stations.items()}).encode()


def write_brands(*brands: Any) -> bytes:
    """Write a JSON list with a station for each brand, from 1 on."""
    return json.dumps({str(number): {"name": "", "brand": brand} for number, brand in enumerate(brands, 1)}).encode()


def write_table(*rows: tuple[str, ...]) -> bytes:
    """Write a table of OpenStreetMap with ids, brands, operators and names."""
    return "".join(",".join(row) + "\n" for row in [(REF, "brand", "operator", "name"), *rows]).encode()


def merge(*lists: bytes) -> dict[int, tuple[str, str]]:
    return {id_: tuple(record) for id_, record in merge_brands([read_brands(data) for data in lists]).stations.items()}


def list_conflicts(*lists: bytes) -> dict[tuple[str, str], list[int]]:
    return merge_brands([read_brands(data) for data in lists]).conflicts


# Together


def test_the_first_list_wins_and_the_second_fills_its_gaps() -> None:
    table = write_table(("1", "Esso", "", "Relais"), ("2", "", "", "Garage"), ("3", "Avia", "", ""))
    other = write_json(
        s1={"brand": "Total", "name": "Total Relais"},
        s2={"brand": "Elan", "name": "Elan Garage"},
        s3={"brand": "Avia", "name": "Avia du Port"},
        s4={"brand": "Shell", "name": ""},
        s5={"brand": "autre", "name": "Chez Paul"},
    )
    common = {3: ("Avia", "Avia du Port"), 4: ("Shell", ""), 5: ("", "Chez Paul")}
    assert merge(table, other) == {1: ("Esso", "Relais"), 2: ("Elan", "Garage"), **common}
    assert merge(other, table) == {1: ("Total", "Total Relais"), 2: ("Elan", "Elan Garage"), **common}
    assert list_conflicts(table, other) == {("Esso", "Total"): [1]}
    assert list_conflicts(other, table) == {("Total", "Esso"): [1]}


def test_a_brand_of_either_list_comes_before_an_operator_or_a_name_and_those_before_none() -> None:
    table = write_table(("1", "", "Avia", ""), ("2", "", "", "Avia"), ("3", "Avia", "", ""), ("4", "NEANT", "Avia", ""))
    other = write_json(
        s1={"brand": "Esso"}, s2={"brand": "Indépendant sans enseigne", "name": "Relais"}, s4={"brand": "BP"}
    )
    merged = {1: ("Esso", ""), 2: ("Avia", "Avia"), 3: ("Avia", ""), 4: ("BP", "")}
    assert merge(table, other) == merged
    assert merge(other, table) == {**merged, 2: ("Avia", "Relais")}
    assert list_conflicts(table, other) == list_conflicts(other, table) == {}, "a guess contradicts nobody"


def test_spellings_are_one_brand_over_both_lists_and_no_conflict() -> None:
    first = write_brands("INTERMARCHE", "E.Leclerc", "Système U", "INTERMARCHE")
    second = write_brands("Intermarché", "e-leclerc", "SYSTEME U", "Intermarché", "Intermarché", "E.Leclerc")
    assert [brand for brand, _ in merge(first, second).values()] == [
        *("Intermarché", "E.Leclerc", "Système U", "Intermarché", "Intermarché", "E.Leclerc")
    ]
    assert list_conflicts(first, second) == {}


def test_two_lists_of_one_kind_can_be_put_together() -> None:
    assert merge(write_brands("Esso", ""), write_brands("Avia", "BP")) == {1: ("Esso", ""), 2: ("BP", "")}
    assert merge(write_brands("Esso"), write_brands("Esso")) == {1: ("Esso", "")}


# What is stored


def add_stations(engine: Engine, *ids: int, **values: Any) -> None:
    station = {
        **{"latitude": 46.0, "longitude": 2.0, "address": "", "town": "Guéret", "zip_code": "23000"},
        **{"town_key": "gueret", "is_motorway": False, "has_automat": False, "services": ""},
    }
    with begin_writing(engine) as connection:
        connection.execute(insert(Station), [{"id": id_, **station, **values} for id_ in ids])


def store(engine: Engine, *lists: bytes, at: datetime = NOW) -> BrandReport:
    """Store lists, whose sources are called "a" and "b" times 600."""
    with begin_writing(engine) as connection:
        sources = [(source * 600, read_brands(data)) for source, data in zip("ab", lists, strict=False)]
        return store_brands(connection, sources, now=at)


def list_stored(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(StationBrand.__table__).order_by("station_id"))]


def list_states(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(BrandState.__table__).order_by("id"))]


def test_lists_take_the_place_of_those_before(engine: Engine) -> None:
    store(engine, write_brands("Esso", "Avia", "BP"), write_brands("Esso", "Avia", "BP", "Elan"))
    assert [row[0] for row in list_stored(engine)] == [1, 2, 3, 4]
    later = NOW + timedelta(days=1)
    store(engine, write_table(("2", "Système U", "", "SUPER U"), ("5", "½" * 60, "", "½" * 120)), at=later)
    assert list_stored(engine) == [
        (2, "Système U", "systeme u", "SUPER U", "super u"),
        (5, "½" * 60, ("1 2" * 20)[:60], "½" * 120, ("1 2" * 40)[:120]),
    ]
    assert list_states(engine) == [(1, "openstreetmap", "a" * 500, 2, later)]


def test_the_source_and_kind_of_each_list_are_kept(engine: Engine) -> None:
    store(engine, write_table(("1", "Esso", "", ""), ("3", "", "", "Garage")), write_brands("Avia", "BP", "Elan"))
    assert list_states(engine) == [
        (1, "openstreetmap", "a" * 500, 2, NOW),
        (2, "prix_carburant", "b" * 500, 3, NOW),
    ]


def test_the_report_says_how_many_of_the_stations_in_the_feed_have_a_brand(engine: Engine) -> None:
    data = write_json(
        **{f"s{id_}": {"brand": "Esso"} for id_ in (1, 2, 8)}, s3={"name": "Garage"}, sx={}, s9={"brand": 1}
    )
    assert store(engine, data).describe() == (
        "loaded: brands of 3 stations from prix_carburant; no station is known yet; "
        "rejected: 1 x station id can't be read, 1 x entry can't be read"
    )
    add_stations(engine, 1, 3, 4)
    add_stations(engine, 2, left_feed_at=NOW - timedelta(days=1))
    report = store(engine, write_brands("Esso", "Esso", None))
    assert report.describe() == (
        "loaded: brands of 2 stations from prix_carburant; brands for 1 of the 3 stations in the feed (33.3 %)"
    )
    assert report.list_conflicts() == []


def test_the_report_on_two_lists_says_what_both_hold_and_how_often_they_differ(engine: Engine) -> None:
    add_stations(engine, 1, 2, 3)
    table = write_table(("1", "Esso", "", ""), ("", "Avia", "", ""), ("x", "Avia", "", ""), ("3", "Avia", "", ""))
    report = store(engine, table, write_json(s1={"brand": "Total"}, s2={"brand": "BP"}, s3={"brand": "AVIA"}, sy={}))
    assert report.describe() == (
        "loaded: brands of 3 stations from openstreetmap, then prix_carburant; "
        "brands for 3 of the 3 stations in the feed (100.0 %); conflicts: 1, in which the first list wins; "
        "without a station id: 1; rejected: 2 x station id can't be read"
    )
    assert report.list_conflicts() == ["1 x Esso / Total: 1"]
    report = store(engine, write_brands("Esso"), write_brands("ESSO", "BP"))
    assert report.describe().endswith("; conflicts: 0")
    assert "from prix_carburant; " in report.describe(), "of one kind both"


def test_the_commonest_conflicts_are_listed_and_the_others_counted(engine: Engine) -> None:
    seldom = LISTED_PAIRS + 3
    first = write_brands(*["Esso"] * (LISTED_STATIONS + 1), *["Avia"] * seldom)
    second = write_brands(*["Elf"] * (LISTED_STATIONS + 1), *(f"Brand {number:02}" for number in range(seldom)))
    lines = store(engine, first, second).list_conflicts()
    assert lines[:2] == ["6 x Esso / Elf: 1, 2, 3, 4, 5, ...", "1 x Avia / Brand 00: 7"]
    assert (len(lines), lines[-1]) == (LISTED_PAIRS + 1, "4 x one of 4 other pairs")


def test_brands_stay_when_the_sample_makes_way(engine: Engine) -> None:
    add_stations(engine, 1)
    store(engine, write_brands("Esso"))
    with begin_writing(engine) as connection:
        forget_stations(connection)
    assert len(list_stored(engine)) == 1
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(BrandState)) == 1
