"""One station with all that does not move every day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from conftest import MakeFeed
from plain_reader import read_plainly
from sqlalchemy import Engine, insert, update

import etl
from db import begin_writing
from errors import StationUnknown
from models import Service, Station, StationBrand
from settings import Settings
from stations.details import MAX_ID, StationDetails, get_station
from stations.geography import Point
from stations.opening_hours import parse_week

STATION = {
    "id": 69_003_001,
    "latitude": 45.753,
    "longitude": 4.862,
    "address": "3 Rue de la Gare",
    "town": "Lyon",
    "zip_code": "69003",
    "town_key": "lyon",
    "is_motorway": True,
    "has_automat": True,
    "opening_hours": "06:00-22:00|06:00-22:00|06:00-22:00|06:00-22:00|06:00-22:00||?",
    "services": "|3|1|2|",
}


@pytest.fixture
def stocked(engine: Engine) -> Engine:
    """A database with one station, three services that it offers and one that it doesn't."""
    with begin_writing(engine) as connection:
        names = {1: "Laverie", 2: "Bar", 3: "Wifi", 12: "Douches"}
        connection.execute(insert(Service), [{"id": number, "name": name} for number, name in names.items()])
        connection.execute(insert(Station).values(STATION))
    return engine


def test_a_station_has_what_was_stored_of_it(stocked: Engine) -> None:
    with stocked.connect() as connection:
        assert get_station(connection, 69_003_001) == StationDetails(
            id=69_003_001,
            point=Point(45.753, 4.862),
            address="3 Rue de la Gare",
            town="Lyon",
            zip_code="69003",
            brand="",
            name="",
            is_motorway=True,
            has_automat=True,
            week=(((360, 1320),),) * 5 + ((), None),
            services=("Bar", "Laverie", "Wifi"),
            left_feed_at=None,
        )


def test_a_station_has_the_brand_and_the_name_that_another_source_gives_it(stocked: Engine) -> None:
    with begin_writing(stocked) as connection:
        rows = [(69_003_001, "Esso", "Relais du Port"), (69_003_002, "Avia", "")]
        connection.execute(
            insert(StationBrand),
            [{"station_id": id_, "brand": brand, "brand_key": "", "name": name} for id_, brand, name in rows],
        )
        station = get_station(connection, 69_003_001)
    assert (station.brand, station.name) == ("Esso", "Relais du Port")


def test_a_station_without_hours_and_services_has_none(stocked: Engine) -> None:
    with begin_writing(stocked) as connection:
        connection.execute(update(Station).values(opening_hours=None, services=""))
        station = get_station(connection, 69_003_001)
    assert (station.week, station.services) == (None, ())


def test_a_station_that_left_the_feed_is_still_known(stocked: Engine) -> None:
    left_at = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
    with begin_writing(stocked) as connection:
        connection.execute(update(Station).values(left_feed_at=left_at))
        assert get_station(connection, 69_003_001).left_feed_at == left_at


@pytest.mark.parametrize(
    "station_id", [0, -1, -69_003_001, 1, 69_003_002, MAX_ID, MAX_ID + 1, 2**63 - 1, 2**63, 10**100, -(10**100)]
)
def test_an_id_that_no_station_has_is_unknown(stocked: Engine, station_id: int) -> None:
    with stocked.connect() as connection, pytest.raises(StationUnknown):
        get_station(connection, station_id)


def test_every_station_of_a_feed_has_the_services_and_hours_that_it_reports(
    settings: Settings, engine: Engine, make_feed: MakeFeed
) -> None:
    feed = make_feed(stations=60)
    assert etl.run_load(settings.model_copy(update={"feed_url": str(feed)}), engine).is_success
    with engine.connect() as connection:
        for expected in read_plainly(feed).values():
            station = get_station(connection, expected.id)
            assert station.services == tuple(sorted(expected.services))
            assert station.week == parse_week(expected.hours)
            assert station.has_automat == expected.has_automat
            assert (station.address, station.zip_code) == (expected.address, expected.zip_code)


def test_a_station_whose_location_is_doubtful_lies_nowhere(stocked: Engine) -> None:
    with begin_writing(stocked) as connection:
        connection.execute(update(Station).values(is_location_doubtful=True))
        assert get_station(connection, 69_003_001).point is None
