"""Where stations lie: what is right, what is repaired, and what the department of the postcode contradicts."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest
from lxml import etree

from feed.coordinates import Location, locate_station

BIARRITZ = (4348300, -155900)
BEAUCAIRE = (4380800, 464400)


def test_a_location_in_its_department_is_as_written() -> None:
    assert locate_station(*BEAUCAIRE, "30300", 30300010) == Location(43.808, 4.644, is_doubtful=False)


def test_a_location_in_another_department_is_doubtful_and_as_written() -> None:
    assert locate_station(*BIARRITZ, "30300", 30300010) == Location(43.483, -1.559, is_doubtful=True)


@pytest.mark.parametrize(
    ("zip_code", "station_id"),
    [
        ("64200", 30300010),  # the postcode alone speaks for it
        ("30300", 64200010),  # the id alone
        ("", 64200010),
        ("?", 64200010),
        ("64200", 99000001),
        ("", 99000001),  # neither names a department: it is in France
    ],
)
def test_neither_the_postcode_nor_the_id_alone_condemns_a_location(zip_code: str, station_id: int) -> None:
    assert locate_station(*BIARRITZ, zip_code, station_id) == Location(43.483, -1.559, is_doubtful=False)


@pytest.mark.parametrize(
    ("zip_code", "station_id", "latitude", "longitude"),
    [
        ("01000", 1000001, 46.201, 5.198),  # ids of seven digits
        ("06110", 6110002, 43.573, 7.011),
        ("20169", 20169002, 41.391, 9.165),  # 5 km south of the commune
        ("20200", 20200017, 42.7, 9.45),
        ("75116", 75016011, 48.865, 2.289),
        ("97400", 97400001, -20.88, 55.45),
        ("97150", 97150001, 18.07, -63.08),  # Saint-Martin
        ("97500", 97500001, 46.78, -56.17),
        ("97300", 97300001, 4.93, -52.33),
        ("98000", 98000001, 43.74, 7.42),
        ("30210", 84140005, 43.92762, 4.85992),  # the id is right
        ("87000", 23300007, 46.2385833, 1.4862482),
    ],
)
def test_locations_near_the_border_and_overseas_are_right(
    zip_code: str, station_id: int, latitude: float, longitude: float
) -> None:
    location = locate_station(latitude * 100_000, longitude * 100_000, zip_code, station_id)
    assert location is not None
    assert not location.is_doubtful
    assert location[:2] == pytest.approx((latitude, longitude))


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        (45.76, 4.835),  # plain degrees
        (483500, 4576000),  # longitude first
        (4.835, 45.76),  # both
        (4576000, 4.835),  # one of the two
        (45.76, 483500),
        (4.835, 4576000),
    ],
)
def test_plain_degrees_and_swapped_pairs_are_repaired(latitude: float, longitude: float) -> None:
    location = locate_station(latitude, longitude, "69003", 69003001)
    assert location is not None
    assert location == pytest.approx((45.76, 4.835, False))


def test_plain_degrees_are_read_where_the_department_reaches_greenwich() -> None:
    location = locate_station(4348300, -1.559, "64200", 64200010)
    assert location is not None
    assert location == pytest.approx((43.483, -1.559, False))


@pytest.mark.parametrize("numbers", [(4484000, 0), (0, 4484000), (0, 90), (44.84, 0), (4484000, 90), (4484000, 2.35)])
def test_a_0_and_degrees_of_elsewhere_are_no_place_though_the_department_reaches_greenwich(
    numbers: tuple[float, float],
) -> None:
    location = locate_station(*numbers, "33000", 33000001)
    assert location is not None
    assert location.is_doubtful


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(43.483, -1.559), (-155900, 4348300), (0, 464400), (4380800, 0)],
    ids=["plain degrees of elsewhere", "swapped elsewhere", "no latitude", "no longitude"],
)
def test_what_no_reading_explains_stays_doubtful(latitude: float, longitude: float) -> None:
    location = locate_station(latitude, longitude, "30300", 30300010)
    assert location is not None
    assert location.is_doubtful


def test_a_location_outside_the_world_is_none() -> None:
    assert locate_station(9900000, 464400, "30300", 30300010) is None
    assert locate_station(4380800, 19000000, "30300", 30300010) is None


# Each lies 27 to 177 km from its commune; all others of the six feeds, some 12,000 stations, are right to a few km.
DOUBTFUL = {"62128009": "Wancourt", "76890001": "TOTES", "62220001": "Carvin", "13118001": "ENTRESSEN"}


def test_of_the_real_feeds_only_what_is_wrong_is_doubtful(all_real_feeds: list[Path]) -> None:
    found: dict[str, str] = {}
    for path in all_real_feeds:
        with ZipFile(path) as archive, archive.open(archive.namelist()[0]) as stream:
            for _, station in etree.iterparse(stream, tag="pdv"):
                coordinates = float(station.get("latitude", "")), float(station.get("longitude", ""))
                location = locate_station(*coordinates, station.get("cp", ""), int(station.get("id", "")))
                assert location is not None
                if location.is_doubtful:
                    found[station.get("id", "")] = station.findtext("ville", "")
                station.clear()
    assert found == DOUBTFUL
