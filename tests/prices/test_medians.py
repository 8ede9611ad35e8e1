"""The median within 10 km of a station, and keeping it until the next load."""

from __future__ import annotations

from datetime import timedelta

from known_stations import CENTRE, E10, GAZOLE, KM_NORTH, NOW, add_price, add_station, add_stock_out
from sqlalchemy import Connection, Engine, update

from db import begin_writing
from models import Price, Station
from prices.figures import NationalFigure
from prices.medians import FreshPrices, NearbyMedians
from stations.geography import Point

FIGURES = {E10: NationalFigure(E10, 1800, 1700, 100, NOW - timedelta(days=30), 1440, 3060)}


def add(connection: Connection, station_id: int, km: float, price: int, days: float = 1) -> None:
    add_station(connection, station_id, km)
    add_price(connection, station_id, price, days=days)


def find(connection: Connection, latitude: float, longitude: float) -> int | None:
    return FreshPrices(connection, FIGURES).find_medians(Point(latitude, longitude)).get(E10)


def test_only_fresh_plausible_prices_in_stock_of_stations_in_the_feed_count(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id, km, price in ((1, 0, 1700), (2, 9.9, 1750), (3, 5, 1800), (4, 10.1, 1900), (5, 2, 1810)):
            add(connection, station_id, km, price)
        add(connection, 6, 1, 1900, days=31)  # old
        add(connection, 7, 1, 3200)  # beyond the plausible range
        add(connection, 8, 1, 1905)
        add_stock_out(connection, 8)
        add(connection, 9, 1, 1910)
        connection.execute(update(Station).where(Station.id == 9).values(left_feed_at=NOW))
        add(connection, 10, 1, 1920)
        connection.execute(update(Station).where(Station.id == 10).values(is_location_doubtful=True))
        # Around 1: 1700, 1750, 1800, 1810, of which the lower middle one.
        assert find(connection, *CENTRE) == 1750


def test_the_corners_of_the_square_around_a_station_are_too_far(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add(connection, 1, 0, 1700)
        for station_id, longitude in ((2, CENTRE[1] + 0.1), (3, CENTRE[1] - 0.1)):  # 7.7 km east and west
            add_station(connection, station_id, 7.7, longitude=longitude)
            add_price(connection, station_id, 1900)
        assert find(connection, *CENTRE) == 1700


def test_each_station_has_the_median_of_its_own_surroundings(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id, km, price in ((1, 0, 1700), (2, 8, 1800), (3, 16, 1900), (4, 100, 1500)):
            add(connection, station_id, km, price)
        found = [find(connection, CENTRE[0] + km * KM_NORTH, CENTRE[1]) for km in (0, 8, 16, 100)]
        assert (found, find(connection, -40.0, 175.0)) == ([1700, 1800, 1800, 1500], None)


def test_a_load_is_worked_out_once_an_hour_and_the_next_one_anew(engine: Engine) -> None:
    medians, later = NearbyMedians(), NOW + timedelta(hours=6)
    with begin_writing(engine) as connection:
        add(connection, 1, 0, 1700)
        assert medians.find(connection, NOW, NOW, FIGURES, {1: CENTRE}, (E10,)) == {(1, E10): 1700}
        connection.execute(update(Price).values(price=1650))
        assert medians.find(connection, NOW, NOW, FIGURES, {1: CENTRE}, (E10,)) == {(1, E10): 1700}
        # A fuel that was not asked for yet is looked up, and has no figure to be judged by.
        assert medians.find(connection, NOW, NOW, FIGURES, {1: CENTRE}, (E10, GAZOLE))[1, GAZOLE] is None
        assert medians.find(connection, later, NOW, FIGURES, {1: CENTRE}, (E10,)) == {(1, E10): 1650}
        connection.execute(update(Price).values(price=1600))
        assert medians.find(connection, later, later, FIGURES, {1: CENTRE}, (E10,)) == {(1, E10): 1600}
