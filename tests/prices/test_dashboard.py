"""The blocks of the dashboard: which rows, in which order, and what each is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from known_stations import CENTRE, E10, E85, GAZOLE, NOW, add_price, add_station, add_stock_out
from sqlalchemy import Connection, Engine, event, update

from db import begin_writing
from models import Station
from prices.dashboard import Dashboard, make_dashboard
from prices.figures import NationalFigure
from prices.medians import NearbyMedians
from stations.favourites import Favourite

FIGURES = {
    E10: NationalFigure(E10, 1800, 1700, 100, NOW - timedelta(days=30), 1440, 3060),
    GAZOLE: NationalFigure(GAZOLE, 1700, 1600, 100, NOW - timedelta(days=30), 1360, 2890),
}
MORNINGS = "|".join(["06:00-12:00"] * 7)  # closed at NOW, which is 13:00 in Paris


def make(connection: Connection, ids: Sequence[int], fuels: Sequence[int] = (E10,), **names: str) -> Dashboard:
    favourites = [Favourite(id_, names.get(f"name{id_}", f"Mine {id_}"), place) for place, id_ in enumerate(ids, 1)]
    return make_dashboard(connection, favourites, fuels, FIGURES, NearbyMedians(), loaded_at=NOW, as_of=NOW, now=NOW)


def list_rows(board: Dashboard, block: int = 0) -> list[tuple[int, str, int | None]]:
    return [(row.station_id, row.rank, row.price_milli_eur) for row in board.blocks[block].rows]


def add(connection: Connection, station_id: int, price: int | None, *, days: float = 1, **station: Any) -> None:
    add_station(connection, station_id, **station)
    if price is not None:
        add_price(connection, station_id, price, days=days)


def test_open_and_fresh_come_first_cheapest_first_then_closed_out_old_and_implausible_ones(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add(connection, 1, 1790)
        add(connection, 2, 1720)
        add(connection, 3, 1650, opening_hours=MORNINGS)  # the cheapest, but closed
        add(connection, 4, 1640)  # cheaper still, but out of it
        add_stock_out(connection, 4)
        add(connection, 5, 1600, days=31)
        add(connection, 6, 900)
        add(connection, 7, None)  # has run out and names no price
        add_stock_out(connection, 7)
        board = make(connection, range(1, 8))
    assert list_rows(board) == [
        (2, "fresh", 1720),
        (1, "fresh", 1790),
        (3, "fresh", 1650),
        (4, "out", 1640),
        (7, "out", None),
        (5, "old", 1600),
        (6, "implausible", 900),
    ]
    assert [row.station_id for row in board.blocks[0].rows if row.is_closed] == [3]


def test_a_station_with_an_automat_is_never_closed(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add(connection, 1, 1790)
        add(connection, 2, 1720, opening_hours=MORNINGS, has_automat=True)
        add(connection, 3, 1730, opening_hours="|".join(["?"] * 7))
        board = make(connection, (1, 2, 3))
    assert [(row.station_id, row.is_closed) for row in board.blocks[0].rows] == [(2, False), (3, False), (1, False)]


def test_prices_are_compared_with_the_dearest_of_the_own_and_with_the_median_within_10_km(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add(connection, 1, 1740)
        add(connection, 2, 1810)
        add(connection, 3, 1650, days=31)  # old: compared with nothing, and no part of anything
        add(connection, 4, 2000, km=5)  # not kept: counts for the median alone
        add(connection, 5, 1760, km=12)  # too far for the median of 1 and 2, not for that of 6
        add(connection, 6, 1840, km=20)
        board = make(connection, (1, 2, 3, 6))
    # Around 1 and 2: 1740, 1810, 2000. Around 6: 1760, 1840, of which the lower one.
    assert {
        row.station_id: (row.to_dearest_milli_eur, row.to_median_milli_eur, row.nearby_median_milli_eur)
        for row in board.blocks[0].rows
    } == {1: (-100, -70, 1810), 2: (-30, 0, 1810), 6: (0, 80, 1760), 3: (None, None, 1810)}


def test_a_station_alone_is_not_compared_with_itself(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add(connection, 1, 1740)
        add(connection, 2, 1650, days=31)
        add(connection, 3, 1700, km=5)
        board = make(connection, (1, 2))
    assert [(row.to_dearest_milli_eur, row.to_median_milli_eur) for row in board.blocks[0].rows] == [
        (None, 40),
        (None, None),
    ]


def test_each_fuel_is_a_block_of_its_own_also_one_that_nobody_sells(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add(connection, 1, 1740)
        add(connection, 2, 1810)
        add_price(connection, 2, 1660, GAZOLE)
        add_price(connection, 1, 700, E85)
        board = make(connection, (1, 2), (GAZOLE, E10, 4, E85))
    assert [block.fuel_id for block in board.blocks] == [GAZOLE, E10, 4, E85]
    assert list_rows(board, 0) == [(2, "fresh", 1660)]
    assert list_rows(board, 1) == [(1, "fresh", 1740), (2, "fresh", 1810)]
    assert list_rows(board, 2) == []
    assert list_rows(board, 3) == [(1, "old", 700)]  # nothing in the country to judge it by
    assert board.blocks[0].rows[0].to_dearest_milli_eur is None  # never compared with another fuel


def test_a_stock_out_that_may_be_forgotten_comes_after_all_others(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add(connection, 1, 1500)
        add_stock_out(connection, 1, days=91)
        add(connection, 2, 1900)
        add_stock_out(connection, 2, days=89)
        add(connection, 3, 17)
        board = make(connection, (1, 2, 3))
    assert list_rows(board) == [(2, "out", 1900), (3, "implausible", 17), (1, "long_out", 1500)]


def test_a_station_that_left_the_feed_is_named_and_no_longer_ranked(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id in (1, 2, 3):
            add(connection, station_id, 1700 + station_id)
        connection.execute(update(Station).where(Station.id != 1).values(left_feed_at=NOW))
        board = make(connection, (3, 1, 2, 99), (E10, GAZOLE))
        without_fuels = make(connection, (3, 1, 2), ())
    assert list_rows(board) == [(1, "fresh", 1701)]
    assert [(one.station_id, one.custom_name) for one in board.gone] == [(3, "Mine 3"), (2, "Mine 2")]
    assert without_fuels.blocks == ()
    assert [one.station_id for one in without_fuels.gone] == [3, 2]


def test_no_station_gives_empty_blocks(engine: Engine) -> None:
    with engine.connect() as connection:
        board = make(connection, (), (E10, GAZOLE))
    assert [(block.fuel_id, block.rows) for block in board.blocks] == [(E10, ()), (GAZOLE, ())]
    assert board.gone == ()


def test_equal_prices_stand_in_the_order_of_their_names(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id in (1, 2, 3):
            add(connection, station_id, 1700)
        board = make(connection, (1, 2, 3), name1="Work", name2="Home", name3="Home")
    assert [row.station_id for row in board.blocks[0].rows] == [2, 3, 1]


def test_two_queries_at_most_however_many_stations(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for station_id in range(1, 51):
            add(connection, station_id, 1700, latitude=CENTRE[0] + station_id / 10)
            add_price(connection, station_id, 1600, GAZOLE)
    asked: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    medians = NearbyMedians()
    favourites = [Favourite(id_, str(id_), id_) for id_ in range(1, 51)]
    with engine.connect() as connection:
        connection.begin()
        event.listen(engine, "before_cursor_execute", count)
        for expected in (2, 1):  # the medians of a load are worked out once
            board = make_dashboard(
                connection, favourites, (E10, GAZOLE), FIGURES, medians, loaded_at=NOW, as_of=NOW, now=NOW
            )
            assert len(asked) == expected
            asked.clear()
    assert [len(block.rows) for block in board.blocks] == [50, 50]


def test_a_station_whose_location_is_doubtful_is_compared_with_the_own_alone(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        add(connection, 1, 1700, is_location_doubtful=True)
        add(connection, 2, 1800)
        (block,) = make(connection, [1, 2]).blocks
    assert [(row.station_id, row.point is None, row.to_dearest_milli_eur) for row in block.rows] == [
        (1, True, -100),
        (2, False, 0),
    ]
    assert [row.nearby_median_milli_eur for row in block.rows] == [None, 1800]
