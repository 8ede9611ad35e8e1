"""The generator makes the feeds that other tests rely on: what it promises is tested here."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from statistics import median
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring
from zipfile import BadZipFile, ZipFile

import pytest

from feed.generator import (
    FEED_MEMBER,
    FIRST_SAMPLE_ID,
    FeedDamage,
    FeedRecipe,
    RecordDamage,
    build_feed_xml,
    write_feed,
    write_sample,
)
from feed.generator_towns import COMMUNES, SERVICES

ROOT = Path(__file__).parents[2]
NEWEST_AT = datetime(2026, 1, 15, 9, 30, 5, tzinfo=UTC)
PLAIN = FeedRecipe(newest_at=NEWEST_AT, stations=400, oddities=False)
REAL = FeedRecipe(newest_at=NEWEST_AT, stations=400)
FUELS = {"1": "Gazole", "2": "SP95", "3": "E85", "4": "GPLc", "5": "E10", "6": "SP98"}


def build(recipe: FeedRecipe) -> bytes:
    return b"".join(build_feed_xml(recipe))


def list_stations(recipe: FeedRecipe) -> list[Element]:
    return list(fromstring(build(recipe)))


def list_station_lines(recipe: FeedRecipe) -> list[bytes]:
    """Return each `<pdv>` as its bytes, so that two feeds can be compared station by station."""
    return build(recipe).partition(b"<pdv_liste>\n")[2].removesuffix(b"</pdv_liste>\n").split(b"  </pdv>\n")[:-1]


def read_age(price: Element) -> timedelta:
    """Return the age before the newest report; in January Paris is one hour ahead."""
    reported = datetime.fromisoformat(price.attrib["maj"]) - timedelta(hours=1)
    return NEWEST_AT - reported.replace(tzinfo=UTC)


def list_prices(recipe: FeedRecipe) -> list[Element]:
    return [price for station in list_stations(recipe) for price in station.iter("prix")]


def list_absurd_prices(recipe: FeedRecipe) -> list[Element]:
    by_fuel: dict[str, list[float]] = {}
    prices = list_prices(recipe)
    for price in prices:
        by_fuel.setdefault(price.attrib["id"], []).append(float(price.attrib["valeur"]))
    medians = {fuel: median(values) for fuel, values in by_fuel.items()}
    return [p for p in prices if not 0.8 <= float(p.attrib["valeur"]) / medians[p.attrib["id"]] <= 1.7]


def list_twins(recipe: FeedRecipe) -> list[tuple[str, str]]:
    places = Counter((s.attrib["latitude"], s.attrib["longitude"]) for s in list_stations(recipe))
    return [place for place, count in places.items() if count > 1]


def list_hours_shapes(recipe: FeedRecipe) -> set[str]:
    """Name the shapes of opening hours that the feed shows."""
    shapes = set()
    for station in list_stations(recipe):
        hours = station.find("horaires")
        if hours is None:
            shapes.add("none")
            continue
        days = [(day.get("ferme"), [(p.get("ouverture"), p.get("fermeture")) for p in day]) for day in hours]
        automat = "automat" if hours.get("automate-24-24") == "1" else "staff"
        periods = [period for _, day in days for period in day]
        if len(days) != 7:
            shapes.add("not a week")
        if all(not closed and not day for closed, day in days):
            shapes.add(f"{automat}, not known")
        elif all(day == [("00.00", "00.00")] for _, day in days):
            shapes.add(f"{automat}, whole day")
        elif all(closed for closed, _ in days):
            shapes.add(f"{automat}, closed all week")
        else:
            shapes.add(f"{automat}, shop hours")
        if any(len(day) == 2 for _, day in days):
            shapes.add("two a day")
        if days[6] == ("1", []) and not days[0][0]:
            shapes.add("closed on Sunday")
        if any(closed and day for closed, day in days):
            shapes.add("closed with hours")
        if any(opening == closing != "00.00" for opening, closing in periods):
            shapes.add("opening equals closing")
        if any(closing == "23.59" for _, closing in periods):
            shapes.add("23.59")
    return shapes


PLAIN_SHAPES = {
    *("none", "two a day", "closed on Sunday", "automat, closed all week"),
    *(f"{who}, {what}" for who in ("automat", "staff") for what in ("not known", "whole day", "shop hours")),
}
ODD_SHAPES = {"closed with hours", "opening equals closing", "23.59", "staff, closed all week"}


def test_the_same_recipe_gives_the_same_bytes(tmp_path: Path) -> None:
    write_feed(tmp_path / "one.zip", REAL)
    write_feed(tmp_path / "two.zip", REAL)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert build(replace(REAL, seed=2)) != build(REAL)


def test_the_zip_holds_one_xml_file_of_no_particular_day(tmp_path: Path) -> None:
    write_feed(tmp_path / "feed.zip", REAL)
    with ZipFile(tmp_path / "feed.zip") as archive:
        (member,) = archive.infolist()
        assert member.filename == FEED_MEMBER
        assert member.date_time == (1980, 1, 1, 0, 0, 0)
        assert archive.read(member) == build(REAL)
        assert 5 < member.file_size / member.compress_size < 50


@pytest.mark.parametrize("oddities", [True, False])
def test_a_longer_feed_begins_with_the_shorter_one(oddities: bool) -> None:
    short = list_station_lines(replace(REAL, stations=300, oddities=oddities))
    long = list_station_lines(replace(REAL, stations=700, oddities=oddities))
    assert (len(short), len(long)) == (300, 700)
    assert long[:300] == short


def test_the_feed_comes_in_chunks_that_do_not_grow_with_it() -> None:
    sizes = [len(chunk) for chunk in build_feed_xml(replace(REAL, stations=2_000))]
    assert len(sizes) > 5
    assert max(sizes) < 600_000


def test_another_first_id_changes_nothing_but_the_ids() -> None:
    sample, other = list_stations(PLAIN), list_stations(replace(PLAIN, first_id=1_000_001))
    assert [s.attrib["id"] for s in sample] == [str(FIRST_SAMPLE_ID + n) for n in range(400)]
    assert [s.attrib["id"] for s in other] == [str(1_000_001 + n) for n in range(400)]
    assert [s.attrib["latitude"] for s in sample] == [s.attrib["latitude"] for s in other]


@pytest.mark.parametrize(
    ("newest_at", "written"),
    [
        (datetime(2026, 1, 15, 9, 30, 5, tzinfo=UTC), "2026-01-15 10:30:05"),
        (datetime(2026, 7, 15, 9, 30, 5, 999_999, tzinfo=UTC), "2026-07-15 11:30:05"),
        (datetime(2026, 7, 15, 4, 30, 5, tzinfo=timezone(timedelta(hours=-5))), "2026-07-15 11:30:05"),
    ],
)
@pytest.mark.parametrize("stations", [1, 300])
def test_the_newest_report_is_at_newest_at_in_paris_time(newest_at: datetime, written: str, stations: int) -> None:
    prices = list_prices(replace(REAL, newest_at=newest_at, stations=stations))
    assert max(price.attrib["maj"] for price in prices) == written


@pytest.mark.parametrize(
    "wrong",
    [
        {"newest_at": datetime(2026, 1, 15, 9, 30)},
        {"stations": 0},
        {"first_id": 0},
        {"seed": -1},
        {"changed_share": 1.1},
        {"stations": 2, "record_damages": (RecordDamage.PRICE_NAN, RecordDamage.PRICE_ZERO)},
        {"record_damages": (RecordDamage.PRICE_NAN,) * 20},
    ],
)
def test_a_recipe_for_no_feed_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|begin at|not a share|no room"):
        replace(REAL, **wrong)


def test_a_station_stands_in_every_commune_and_near_its_centre() -> None:
    stations = list_stations(replace(PLAIN, stations=len(COMMUNES)))
    centres = {(c.town, c.zip_code): c for c in COMMUNES}
    assert {(s.findtext("ville"), s.attrib["cp"]) for s in stations} == set(centres)
    for station in stations:
        centre = centres[station.findtext("ville") or "", station.attrib["cp"]]
        assert abs(float(station.attrib["latitude"]) / 1e5 - centre.latitude_deg) < 0.015
        assert abs(float(station.attrib["longitude"]) / 1e5 - centre.longitude_deg) < 0.02


def test_two_towns_of_one_name_lie_in_different_departments() -> None:
    places = {(s.findtext("ville"), s.attrib["cp"][:2]) for s in list_stations(PLAIN)}
    assert {("Montreuil", "93"), ("Montreuil", "62"), ("Saint-Denis", "93"), ("Saint-Denis", "11")} <= places


def test_a_plain_feed_has_nothing_odd() -> None:
    stations, prices = list_stations(PLAIN), list_prices(PLAIN)
    assert all(station.find("prix") is not None for station in stations if station.find("rupture") is None)
    assert all("." not in station.attrib["latitude"] for station in stations)
    assert {station.findtext("ville") for station in stations} == {commune.town for commune in COMMUNES}
    assert all((station.findtext("adresse") or "").strip() for station in stations)
    assert max(read_age(price) for price in prices) < timedelta(days=30)
    assert list_absurd_prices(PLAIN) == []
    assert list_twins(PLAIN) == []
    assert list_hours_shapes(PLAIN) == PLAIN_SHAPES


def test_prices_look_like_the_feeds() -> None:
    prices = list_prices(REAL)
    assert {(p.attrib["id"], p.attrib["nom"]) for p in prices} == set(FUELS.items())
    assert all(len(p.attrib["valeur"].partition(".")[2]) == 3 for p in prices)
    sold = Counter(p.attrib["nom"] for p in prices)
    assert sold["E10"] > sold["SP95"] > sold["GPLc"]
    assert 0.2 < sold["E85"] / 400 < 0.4
    assert 0.1 < sold["GPLc"] / 400 < 0.2
    recent = sum(read_age(p) <= timedelta(hours=48) for p in prices)
    assert 0.7 < recent / len(prices) < 0.9


def test_motorway_stations_are_few_and_dearer() -> None:
    gazole: dict[str, list[float]] = {"A": [], "R": []}
    for station in list_stations(replace(PLAIN, stations=1_000)):
        gazole[station.attrib["pop"]] += [float(p.attrib["valeur"]) for p in station.iterfind("prix[@id='1']")]
        if station.attrib["pop"] == "A":
            assert " - Aire d" in (station.findtext("adresse") or "")
    assert 0.03 < len(gazole["A"]) / len(gazole["R"]) < 0.08
    assert median(gazole["A"]) > median(gazole["R"]) + 0.1


def test_services_are_the_feeds_27_kinds_and_the_automat_has_its_own() -> None:
    stations = list_stations(replace(REAL, stations=1_000))
    assert len(SERVICES) == 27
    assert {s.text for station in stations for s in station.iter("service")} == {name for name, _ in SERVICES}
    assert any(len(station.find("services") or ()) == 0 for station in stations)
    for station in stations:
        has_automat = station.find("horaires[@automate-24-24='1']") is not None
        assert has_automat == any(s.text == "Automate CB 24/24" for s in station.iter("service"))


def test_a_hundred_stations_have_every_oddity_of_texts_and_places() -> None:
    recipe = replace(REAL, stations=100)
    xml, stations = build(recipe), list_stations(recipe)
    addresses = [s.findtext("adresse") or "" for s in stations]
    assert b"\x92" in xml
    assert any("Ã©" in address for address in addresses)
    assert b"&#8217;" in xml
    assert b"&#339;" in xml
    assert any("\xa0" in address for address in addresses)
    assert any(a.startswith(" ") and a.endswith(" ") and "  " in a.strip() for a in addresses)
    assert addresses.count("") == 1
    assert any('"' in address for address in addresses)
    assert any("." in s.attrib["latitude"] for s in stations)
    assert len(list_twins(recipe)) == 1
    assert sum(s.find("prix") is None for s in stations) >= 3
    towns = {s.findtext("ville") or "" for s in list_stations(REAL)}
    assert {"PARIS", "Paris"} <= towns
    assert any(town.endswith("CEDEX 2") for town in towns)
    assert any(any(c.isupper() for c in t) and any(c in "éèôâ" for c in t) and t[1:2].isupper() for t in towns)


def test_a_hundred_stations_have_old_reports_and_an_absurd_price() -> None:
    recipe = replace(REAL, stations=100)
    ages = [read_age(price) for price in list_prices(recipe)]
    assert max(ages) > timedelta(days=365)
    assert 0.02 < sum(age > timedelta(days=30) for age in ages) / len(ages) < 0.1
    assert len(list_absurd_prices(recipe)) == 1
    assert list_hours_shapes(REAL) == PLAIN_SHAPES | ODD_SHAPES


def test_a_twin_is_another_station_in_the_same_commune() -> None:
    stations = list_stations(replace(REAL, stations=30))
    ((latitude, _),) = list_twins(replace(REAL, stations=30))
    one, other = (s for s in stations if s.attrib["latitude"] == latitude)
    assert one.attrib["cp"] == other.attrib["cp"]
    assert one.attrib["id"] != other.attrib["id"]
    assert one.findtext("adresse") != other.findtext("adresse")


def test_stock_outs_are_on_three_in_a_hundred_stations_and_their_fuel_has_no_price() -> None:
    stock_outs = [(s, out) for s in list_stations(replace(PLAIN, stations=1_000)) for out in s.iter("rupture")]
    assert len(stock_outs) == 30
    assert Counter(out.attrib["type"] for _, out in stock_outs) == {"temporaire": 25, "definitive": 5}
    for station, out in stock_outs:
        assert FUELS[out.attrib["id"]] == out.attrib["nom"]
        assert station.find(f"prix[@id='{out.attrib['id']}']") is None
        assert out.attrib["fin"] == ""
        assert datetime.fromisoformat(out.attrib["debut"]) < datetime(2026, 1, 15, 10, 30, 5)


def test_an_odd_feed_also_has_a_stock_out_that_ended_and_one_beside_a_price() -> None:
    pairs = [(s, out) for s in list_stations(REAL) for out in s.iter("rupture")]
    ended = [out for _, out in pairs if out.attrib["fin"]]
    beside = [
        out for s, out in pairs if not out.attrib["fin"] and s.find(f"prix[@id='{out.attrib['id']}']") is not None
    ]
    assert len(ended) == len(beside) == 2
    assert all(out.attrib["debut"] < out.attrib["fin"] < "2026-01-15" for out in ended)


def test_a_feed_without_stock_outs_differs_in_nothing_else() -> None:
    without = build(replace(REAL, stock_outs=False))
    lines = [line for line in build(REAL).splitlines() if b"<rupture" not in line]
    assert b"<rupture" not in without
    assert without.splitlines() == lines


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_the_next_snapshot_moves_prices_of_that_share_of_stations(share: float) -> None:
    before = list_stations(PLAIN)
    after = list_stations(replace(PLAIN, changed_share=share))
    changed = 0
    for old, new in zip(before, after, strict=True):
        assert {**old.attrib} == {**new.attrib}
        pairs = list(zip(old.iter("prix"), new.iter("prix"), strict=True))
        assert all(a.attrib["id"] == b.attrib["id"] for a, b in pairs)
        if [a.attrib for a, _ in pairs] != [b.attrib for _, b in pairs]:
            changed += 1
            assert all(a.attrib["maj"] < b.attrib["maj"] <= "2026-01-15 10:30:05" for a, b in pairs)
            assert all(a.attrib["valeur"] != b.attrib["valeur"] for a, b in pairs)
    assert abs(changed - share * 400) <= 3
    assert read_age(next(after[0].iter("prix"))) == timedelta(0)


def test_a_greater_share_contains_the_changes_of_a_smaller_one() -> None:
    base, some, more = (list_station_lines(replace(REAL, changed_share=share)) for share in (0.0, 0.1, 0.3))
    changed = {n for n in range(400) if base[n] != some[n]}
    assert 35 <= len(changed) <= 42
    assert all(some[n] == more[n] for n in changed)


@pytest.mark.parametrize("damage", RecordDamage)
def test_a_damaged_record_leaves_all_others_as_they_were(damage: RecordDamage) -> None:
    recipe = replace(REAL, stations=60, record_damages=(damage,))
    good, damaged = list_station_lines(replace(recipe, record_damages=())), list_station_lines(recipe)
    assert fromstring(build(recipe)).tag == "pdv_liste"
    if damage is RecordDamage.DUPLICATE_STATION:
        assert damaged.pop(2).splitlines()[0] == good[1].splitlines()[0]
        assert damaged == good
    else:
        assert [n for n in range(60) if damaged[n] != good[n]] == [1]
    if damage.rejects == "price":
        assert damaged[1].splitlines()[0] == good[1].splitlines()[0]
        differing = set(damaged[1].splitlines()) - set(good[1].splitlines())
        assert [line.split()[0] for line in differing] == [b"<prix"]


@pytest.mark.parametrize(
    ("damage", "attribute", "value"),
    [
        (RecordDamage.MISSING_ID, "id", None),
        (RecordDamage.LETTERS_FOR_ID, "id", "ABC12"),
        (RecordDamage.LETTERS_FOR_COORDINATES, "latitude", "nord"),
        (RecordDamage.MISSING_COORDINATES, "longitude", None),
        (RecordDamage.COORDINATES_OUT_OF_RANGE, "latitude", "9900000"),
    ],
)
def test_a_damaged_station_shows_its_damage(damage: RecordDamage, attribute: str, value: str | None) -> None:
    assert list_stations(replace(REAL, record_damages=(damage,)))[1].get(attribute) == value
    assert damage.rejects == "station"


@pytest.mark.parametrize(
    ("damage", "attribute", "value"),
    [
        (RecordDamage.UNKNOWN_FUEL, "id", "9"),
        (RecordDamage.PRICE_ZERO, "valeur", "0.000"),
        (RecordDamage.PRICE_NEGATIVE, "valeur", "-1.739"),
        (RecordDamage.PRICE_COMMA, "valeur", "1,739"),
        (RecordDamage.PRICE_NAN, "valeur", "NaN"),
        (RecordDamage.PRICE_INFINITE, "valeur", "Infinity"),
        (RecordDamage.PRICE_HUGE, "valeur", "9999999999.999"),
        (RecordDamage.PRICE_EMPTY, "valeur", ""),
        (RecordDamage.DATE_GARBAGE, "maj", "hier matin"),
        (RecordDamage.DATE_IMPOSSIBLE, "maj", "2023-02-30 08:00:00"),
        (RecordDamage.DATE_NEXT_WEEK, "maj", "2026-01-22 10:30:05"),
    ],
)
def test_a_damaged_price_shows_its_damage(damage: RecordDamage, attribute: str, value: str) -> None:
    station = list_stations(replace(REAL, record_damages=(damage,)))[1]
    assert [price.attrib[attribute] for price in station.iter("prix")].count(value) == 1
    assert damage.rejects == "price"


def test_a_duplicate_has_the_same_key_and_another_price() -> None:
    damages = (RecordDamage.DUPLICATE_PRICE, RecordDamage.DUPLICATE_STATION)
    _, twice_priced, first, second, *_ = list_stations(replace(REAL, record_damages=damages))
    one, other = list(twice_priced.iter("prix"))[:2]
    assert (one.attrib["id"], one.attrib["maj"]) == (other.attrib["id"], other.attrib["maj"])
    assert one.attrib["valeur"] < other.attrib["valeur"]
    assert first.attrib == second.attrib
    assert first.findtext("prix") == second.findtext("prix")
    assert first.find("prix").attrib != second.find("prix").attrib  # type: ignore[union-attr]


def test_all_damages_of_records_fit_into_one_feed() -> None:
    recipe = replace(REAL, stations=60, record_damages=tuple(RecordDamage))
    good, damaged = list_station_lines(replace(recipe, record_damages=())), list_station_lines(recipe)
    assert len(damaged) == 61
    assert damaged[0] == good[0]
    assert damaged[20:] == good[19:]
    assert len(set(damaged[1:20]) - set(good)) == 18


@pytest.mark.parametrize("damage", [FeedDamage.HTML, FeedDamage.EMPTY, FeedDamage.TRUNCATED_ZIP])
def test_a_file_that_is_no_zip_cannot_be_opened_as_one(tmp_path: Path, damage: FeedDamage) -> None:
    path = tmp_path / "feed.zip"
    write_feed(path, replace(REAL, feed_damage=damage))
    with pytest.raises(BadZipFile):
        ZipFile(path)
    starts = {FeedDamage.HTML: b"<!DOCTYPE html>", FeedDamage.TRUNCATED_ZIP: b"PK\x03\x04"}
    assert path.read_bytes().startswith(starts.get(damage, b""))
    assert (path.stat().st_size == 0) == (damage is FeedDamage.EMPTY)


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (FeedDamage.NO_XML, ["LISEZMOI.txt"]),
        (FeedDamage.TWO_XML, [FEED_MEMBER, "PrixCarburants_quotidien.xml"]),
        (FeedDamage.PATH_TRAVERSAL, ["../../evil.xml"]),
    ],
)
def test_a_zip_with_the_wrong_members_is_a_good_zip(tmp_path: Path, damage: FeedDamage, names: list[str]) -> None:
    write_feed(tmp_path / "feed.zip", replace(REAL, feed_damage=damage))
    with ZipFile(tmp_path / "feed.zip") as archive:
        assert archive.namelist() == names
        assert archive.testzip() is None
        assert (archive.read(names[0]) == build(REAL)) == (damage is not FeedDamage.NO_XML)


def test_a_zip_bomb_is_well_formed_and_small_until_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "feed.zip"
    write_feed(path, replace(REAL, stations=5_000, feed_damage=FeedDamage.ZIP_BOMB))
    with ZipFile(path) as archive:
        (member,) = archive.infolist()
        assert member.file_size > 60_000_000
        assert member.file_size / member.compress_size > 500
        assert len(fromstring(archive.read(member))) == 100


def test_a_truncated_xml_ends_inside_a_station() -> None:
    for stations in (1, 2, 511, 512, 513):  # around the size of a chunk
        xml = build(replace(REAL, stations=stations, feed_damage=FeedDamage.TRUNCATED_XML))
        assert xml.count(b"<pdv ") == stations // 2 + 1
        assert xml.count(b"</pdv>") == stations // 2
        with pytest.raises(ParseError, match=r"no element found|unclosed token"):
            fromstring(xml)


@pytest.mark.parametrize(
    ("damage", "root", "stations"),
    [
        (FeedDamage.WRONG_ROOT, "liste_pdv", 400),
        (FeedDamage.NO_STATION, "pdv_liste", 0),
        (FeedDamage.DOCTYPE, "pdv_liste", 400),
    ],
)
def test_a_well_formed_feed_can_still_be_the_wrong_one(damage: FeedDamage, root: str, stations: int) -> None:
    xml = build(replace(REAL, feed_damage=damage))
    element = fromstring(xml)
    assert (element.tag, len(element)) == (root, stations)
    assert (b"<!DOCTYPE" in xml) == (damage is FeedDamage.DOCTYPE)


def test_the_entity_damages_declare_an_entity_and_use_it() -> None:
    bomb = build(replace(REAL, feed_damage=FeedDamage.ENTITY_BOMB))
    outside = build(replace(REAL, feed_damage=FeedDamage.EXTERNAL_ENTITY))
    assert bomb.count(b"<!ENTITY") == 10
    assert b'<!ENTITY x "' + b"&x8;" * 10 + b'">' in bomb
    assert b'<!ENTITY x SYSTEM "file:///etc/passwd">' in outside
    for xml in (bomb, outside):
        assert b"<adresse>&x; " in xml
        assert xml.endswith(b"</pdv_liste>\n")


def test_the_sample_shows_everything_and_looks_whole(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample.zip", NEWEST_AT)
    sample = FeedRecipe(newest_at=NEWEST_AT, broken_texts=False)
    with ZipFile(tmp_path / "sample.zip") as archive:
        xml = archive.read(FEED_MEMBER)
    assert xml == build(sample)
    stations = list_stations(sample)
    assert [s.attrib["id"] for s in stations] == [str(FIRST_SAMPLE_ID + n) for n in range(400)]
    texts = [s.findtext(tag) or "" for s in stations for tag in ("adresse", "ville")]
    assert all(text and " ".join(text.split()) == text and text.isprintable() for text in texts)
    assert not any("Ã©" in text or "CEDEX" in text for text in texts)
    assert {"PARIS", "Paris"} <= set(texts)
    assert len(list_twins(sample)) == 2
    low, high = sorted(float(price.attrib["valeur"]) for price in list_absurd_prices(sample))
    assert low < 1 < 5 < high
    assert 12 <= sum(s.find("prix") is None for s in stations) <= 20
    assert sum(s.find("rupture") is not None for s in stations) == 14
    assert max(read_age(price) for price in list_prices(sample)) > timedelta(days=365)
    assert list_hours_shapes(sample) == PLAIN_SHAPES | ODD_SHAPES


def test_the_generator_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; import feed.generator\n"
        "paths = [getattr(module, '__file__', None) or '' for module in sys.modules.values()]\n"
        "print(*sorted(path for path in paths if 'site-packages' in path))"
    )
    run = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
