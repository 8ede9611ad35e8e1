"""Making what all readers share before the first of them asks: after each load, and in each hour."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import anyio
import anyio.to_thread
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from models import FUEL_NAMES
from prices.freshness import Freshness, get_freshness
from ui.freshness import count_ages_from
from ui.reading import get_medians, open_reading
from ui.station_points import read_spots
from ui.station_search import StationSearch, find_hour, find_station_facts, find_stations, read_facts

POLL_SECONDS = 1.0

Part = Callable[[Connection], object]


async def keep_prepared() -> None:
    """Prepare the answers to readers whenever there are others to give, until this task is cancelled.

    One part after the other, in a thread that waits for no other's, so that readers are let in between.
    """
    thread = anyio.CapacityLimiter(1)
    prepared: tuple[str, datetime] | None = None
    while True:
        try:
            if (found := await anyio.to_thread.run_sync(find_edition, limiter=thread)) is not None:
                freshness, hour = found
                if (freshness.edition, hour) != prepared:
                    for part in list_parts(freshness, hour):
                        await anyio.to_thread.run_sync(_read, part, limiter=thread)
                    prepared = (freshness.edition, hour)
        except (SQLAlchemyError, OSError):
            pass  # who asks meanwhile is told
        await asyncio.sleep(POLL_SECONDS)


def find_edition() -> tuple[Freshness, datetime] | None:
    """Return how fresh the prices are and the hour from which their ages count; None before the first load."""
    with open_reading() as connection:
        freshness = get_freshness(connection)
    return None if freshness is None else (freshness, find_hour(count_ages_from(freshness, datetime.now(UTC))))


def list_parts(freshness: Freshness, hour: datetime) -> list[Part]:
    """List what is made once for all readers of a load in an hour, each by a function that keeps it."""
    edition = freshness.edition

    def read_medians(connection: Connection) -> None:
        figures = read_facts(connection, edition, hour).figures
        get_medians().get_prices(connection, freshness.loaded_at, hour, figures)

    def make_search_reader(fuel_id: int | None) -> Part:
        return lambda connection: find_stations(connection, edition, StationSearch(fuel_id), hour)

    return [
        read_medians,
        *(make_search_reader(fuel_id) for fuel_id in (*FUEL_NAMES, None)),
        lambda connection: find_station_facts(connection, edition),
        lambda connection: read_spots(connection, edition),
    ]


def _read(part: Part) -> None:
    with open_reading() as connection:
        part(connection)
