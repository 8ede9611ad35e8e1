"""Load hostile feeds, one after the other, in a process whose memory and CPU time the kernel bounds.

`python hostile_loads.py COUNT` on the state dir of the environment; prints how many were loaded and refused as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

import psutil
from damaged_bytes import TOKENS, Edit, damage
from sqlalchemy import Engine, func, or_, select

from db import open_engine
from etl import run_load
from feed.generator import FEED_MEMBER, FeedDamage, FeedRecipe, RecordDamage, build_feed_xml, write_feed
from feed.values import MAX_PRICE_MILLI_EUR
from models import FeedState, Price, Station, StockOut
from settings import read_settings

NEWEST_AT = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
FIRST_ID = 1_000_001
MORE_BYTES = 400_000_000  # of memory, beside what the process holds when it begins
CPU_SECONDS = 30  # for one feed
TABLES = (Station, Price, StockOut, FeedState)


def write_hostile_feed(path: Path, random: Random) -> str:
    """Write one of four kinds of hostile feeds and return which."""
    recipe = FeedRecipe(
        newest_at=NEWEST_AT,
        stations=random.randint(20, 300),
        seed=random.randint(1, 3),
        first_id=FIRST_ID,
        stock_outs=random.random() < 0.8,
        changed_share=random.random(),
    )
    kind = random.choice(("feed", "records", "xml", "archive"))
    if kind == "feed":
        write_feed(path, FeedRecipe(**vars(recipe) | {"feed_damage": random.choice(list(FeedDamage))}))
    elif kind == "records":
        write_feed(path, FeedRecipe(**vars(recipe) | {"record_damages": draw_record_damages(random)}))
    elif kind == "xml":
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            archive.writestr(FEED_MEMBER, damage(b"".join(build_feed_xml(recipe)), draw_edits(random)))
    else:
        write_feed(path, recipe)
        path.write_bytes(damage(path.read_bytes(), draw_edits(random)))
    return kind


def draw_record_damages(random: Random) -> tuple[RecordDamage, ...]:
    return tuple(random.choices(list(RecordDamage), k=random.randint(1, 19)))


def draw_edits(random: Random) -> list[Edit]:
    def draw() -> Edit:
        kind = random.choice(("delete", "double", "flip", "swap", "insert"))
        if kind == "insert":
            return kind, random.random(), random.choice((random.choice(TOKENS), random.randbytes(8)))
        return kind, random.random(), random.randint(1, 255 if kind == "flip" else 400)

    return [draw() for _ in range(random.randint(1, 6))]


def read_tables(engine: Engine) -> list[list[tuple[object, ...]]]:
    with engine.connect() as connection:
        return [sorted(map(tuple, connection.execute(select(table.__table__))), key=repr) for table in TABLES]


def require_sense(engine: Engine) -> None:
    """Require what a page lives with: prices in bounds, of stations that are there, and something to show."""
    with engine.connect() as connection:
        absurd = or_(Price.price < 1, Price.price > MAX_PRICE_MILLI_EUR)
        assert connection.scalar(select(func.count()).select_from(Price).where(absurd)) == 0
        orphans = select(func.count()).select_from(Price).where(Price.station_id.not_in(select(Station.id)))
        assert connection.scalar(orphans) == 0
        assert connection.scalar(select(func.count()).select_from(Price)) > 0


def bound_cpu_time() -> None:
    """Let the kernel end this process when the next feed takes more CPU time than any may."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_SECONDS, resource.RLIM_INFINITY))


def main(count: int) -> None:
    settings, random, ends = read_settings(), Random(count), Counter[str]()
    engine = open_engine(settings.database)
    before = read_tables(engine)
    bound = psutil.Process().memory_info().vms + MORE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "feed.zip"
        for _ in range(count):
            kind = write_hostile_feed(path, random)
            bound_cpu_time()
            report = run_load(settings.model_copy(update={"feed_url": str(path)}), engine, now=lambda: NEWEST_AT)
            assert report.message.isprintable()
            after = read_tables(engine)
            if report.status == "refused":
                assert after == before, report.message
            else:
                assert report.is_success, report.message
                require_sense(engine)
            before = after
            ends[f"{kind} {report.status}"] += 1
    print(json.dumps(ends))  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]))
