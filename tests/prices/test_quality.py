"""What is doubtful in the loaded feed is counted and shown: implausible prices, old reports, stations gone."""

from __future__ import annotations

from datetime import timedelta

from conftest import NOW
from known_stations import E10, E85, add_price, add_station
from sqlalchemy import Engine, insert, update

from db import begin_writing
from models import FuelFigure, Price, Station
from prices.quality import inspect_feed


def test_the_furthest_off_the_oldest_and_the_gone_come_first(engine: Engine) -> None:
    fresh_from = NOW - timedelta(days=30)
    prices = {1: (2000, 1), 2: (1599, 1), 3: (3401, 1), 4: (1000, 1), 5: (1600, 40), 6: (3400, 50)}
    with begin_writing(engine) as connection:
        for station_id in (*prices, 7):
            add_station(connection, station_id)
        connection.execute(Station.__table__.update().where(Station.id == 7).values(left_feed_at=NOW))  # type: ignore[attr-defined]
        connection.execute(
            insert(FuelFigure).values(
                gastype_id=1,
                median_price=2100,
                lowest_price=1600,
                station_count=3,
                fresh_from=fresh_from,
                plausible_from=1600,
                plausible_to=3400,
            )
        )
        for station_id, (price, age_days) in prices.items():
            connection.execute(
                insert(Price).values(
                    station_id=station_id, gastype_id=1, price=price, updated_at=NOW - timedelta(days=age_days)
                )
            )
    with engine.connect() as connection:
        quality = inspect_feed(connection, 2, NOW)
    assert quality.implausible_count == 3
    assert [(one.station_id, one.price_milli_eur) for one in quality.implausible] == [(3, 3401), (4, 1000)]
    assert (quality.old_count, [one.station_id for one in quality.oldest]) == (2, [6, 5])
    assert (quality.gone_count, [one.station_id for one in quality.gone]) == (1, [7])


def test_the_doubtful_locations_of_the_feed_are_counted(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id in (1, 2, 3, 4):
            add_station(connection, station_id, is_location_doubtful=station_id > 1)
        connection.execute(update(Station).where(Station.id == 4).values(left_feed_at=NOW))
    with engine.connect() as connection:
        quality = inspect_feed(connection, 1, NOW)
    assert (quality.doubtful_location_count, [one.station_id for one in quality.doubtful_locations]) == (2, [2])


def test_where_nothing_is_fresh_all_prices_are_counted_as_old(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id, fuel_id in ((1, E10), (2, E85)):
            add_station(connection, station_id)
            add_price(connection, station_id, 1700, fuel_id, days=0)
    counts = []
    with engine.connect() as connection:
        for days in (29, 31, 91):
            quality = inspect_feed(connection, 2, NOW + timedelta(days=days))
            counts.append((quality.old_count, [one.station_id for one in quality.oldest]))
    assert counts == [(0, []), (1, [1]), (2, [1, 2])]
    assert (quality.implausible_count, quality.oldest[0].median_milli_eur) == (0, None)
