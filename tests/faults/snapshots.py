"""What the price tables hold, read in one transaction, and the feeds of which that is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from conftest import NOW, MakeFeed
from sqlalchemy import Connection, Engine, select

from etl import run_load
from models import FeedState, FuelFigure, Price, Station, StockOut
from settings import Settings

STATIONS = 1000
LASTING_STATIONS = 800  # those in every feed; the others leave with every second one
QUERIES = (
    select(Station.id, Station.town, Station.fingerprint, Station.left_feed_at.is_(None)).order_by(Station.id),
    select(Price.__table__).order_by(Price.station_id, Price.gastype_id),
    select(StockOut.__table__).order_by(StockOut.station_id, StockOut.gastype_id),
    select(FuelFigure.__table__).order_by(FuelFigure.gastype_id),
    select(FeedState.digest, FeedState.station_count, FeedState.price_count),
)


@dataclass(frozen=True)
class KnownFeed:
    """A feed, and what the price tables hold once it is loaded after the other one."""

    path: Path
    snapshot: str


def read_snapshot(connection: Connection) -> str:
    """Return a hash of all that a load writes, as this transaction sees it."""
    digest = sha256()
    for query in QUERIES:
        for row in connection.execute(query):
            digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def look(engine: Engine) -> str:
    """Return what stands in the price tables now."""
    with engine.connect() as connection:
        return read_snapshot(connection)


def load(settings: Settings, engine: Engine, feed: KnownFeed) -> None:
    """Load a feed in this process and require that it stands there afterwards, and nothing else."""
    report = run_load(settings.model_copy(update={"feed_url": str(feed.path)}), engine)
    assert report.is_success, report.message
    assert look(engine) == feed.snapshot


def learn_feeds(
    settings: Settings, engine: Engine, make_feed: MakeFeed, *, stations: int = STATIONS
) -> list[KnownFeed]:
    """Make two feeds whose prices, stock-outs and stations differ, and see what each leaves; the first is loaded."""
    paths = [
        make_feed(newest_at=NOW, stations=stations),
        make_feed(newest_at=NOW, stations=stations * LASTING_STATIONS // STATIONS, changed_share=0.6),
    ]
    feeds = []
    for path in (*paths, paths[0]):
        report = run_load(settings.model_copy(update={"feed_url": str(path)}), engine)
        assert report.status == "loaded", report.message
        feeds.append(KnownFeed(path, look(engine)))
    first, second, again = feeds
    assert first == again
    assert first.snapshot != second.snapshot
    return [first, second]
