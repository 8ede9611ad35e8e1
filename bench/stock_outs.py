"""How many stock-outs of a real feed are stored and shown, by a plain rule that knows no types and by the program's."""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from lxml import etree
from sqlalchemy import Connection, func, select

from bench.run import Line, Table
from bench.state import REAL_FEEDS, open_database, open_state
from db import prepare_database
from etl import run_load
from models import FUEL_NAMES, Price, StockOut
from prices.nearby import list_nearby_prices

Pair = tuple[str, str]


def measure_stock_outs() -> Table:
    """Count pairs of a station and a fuel in the newest real feed that names stock-outs; nothing when it is missing."""
    feed = max((REAL_FEEDS / "years").glob("instantane_ruptures_*.zip"), default=None)
    if feed is None:
        return Table("Stock-outs: the real feed that names them is not here.", [])
    logging.getLogger("carburoam").setLevel(logging.ERROR)
    stored_plainly, shown_plainly = count_plainly(feed)
    stored, out, long_out = _count(feed)
    return Table(
        f"Stock-outs of {feed.name}: pairs of a station and a fuel, ages counted from its newest report.",
        [
            Line("stored, every type and the last of several", stored_plainly, ""),
            Line("stored", stored, ""),
            Line("shown as out, all but the definitive ones", shown_plainly, ""),
            Line("shown as out", out + long_out, ""),
            Line("of them reported out more than 90 days ago, after the others", long_out, ""),
        ],
    )


def count_plainly(feed: Path) -> tuple[int, int]:
    """Return how many pairs are stored, and how many shown as out, when types and prices play no part.

    That rule stores the last stock-out without an end, whatever its type, and shows it unless it is definitive and the
    fuel has no price.
    """
    last_type: dict[Pair, str] = {}
    priced: set[Pair] = set()
    with ZipFile(feed) as archive, archive.open(archive.infolist()[0]) as stream:
        for _, pdv in etree.iterparse(stream, events=("end",), tag="pdv"):
            station_id = pdv.get("id", "")
            priced |= {(station_id, price.get("id", "")) for price in pdv.iterchildren("prix")}
            for stock_out in pdv.iterchildren("rupture"):
                if stock_out.get("id") and not stock_out.get("fin"):
                    last_type[station_id, stock_out.get("id", "")] = stock_out.get("type", "")
            pdv.getparent().remove(pdv)
    return len(last_type), sum(kind != "definitive" or pair in priced for pair, kind in last_type.items())


def _count(feed: Path) -> tuple[int, int, int]:
    """Return how many pairs the program stores, shows as out, and shows as out for so long that it may be forgotten."""
    with TemporaryDirectory(prefix="carburoam-bench-") as name, open_state(Path(name)) as settings:
        settings = settings.model_copy(update={"feed_url": str(feed)})
        with open_database(settings) as engine:
            prepare_database(engine)
            report = run_load(settings, engine)
            assert report.is_success, report.message
            with engine.connect() as connection:
                ranks = _list_ranks(connection)
                stored = connection.execute(select(func.count()).select_from(StockOut)).scalar_one()
    return stored, ranks.count("out"), ranks.count("long_out")


def _list_ranks(connection: Connection) -> list[str]:
    as_of = connection.execute(select(func.max(Price.updated_at))).scalar_one()
    return [
        row.rank for fuel_id in FUEL_NAMES for row in list_nearby_prices(connection, None, fuel_id, as_of=as_of).rows
    ]
