"""The loads against the floor, their memory, and how both grow with the feed.

Run as `python -m bench.load FEED` it is the process that is measured: one load, its CPU seconds printed.
"""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

from bench import floor
from bench.run import Job, Line, Table, measure, run_fresh, time_call
from bench.state import (
    RECIPE,
    STATIONS,
    Databases,
    Feeds,
    find_brands,
    find_feeds,
    make_databases,
    open_database,
    open_state,
    prepare_load,
)
from etl import load_brands
from feed import parse, texts
from feed.generator import write_feed
from settings import read_settings

RUNS = 7
FRESH_RUNS = 5  # of those that begin with a process
LARGE_RUNS = 5


def measure_load() -> Table:
    """Measure everything about loads; takes more than two minutes."""
    logging.getLogger("carburoam").setLevel(logging.ERROR)
    with TemporaryDirectory(prefix="carburoam-bench-") as name:
        folder = Path(name)
        feeds = find_feeds(folder)
        databases = make_databases(folder, feeds)
        lines = [
            *_measure_times(folder, feeds, databases),
            *_measure_memory(folder, feeds, databases),
            *_measure_growth(folder, databases),
            *_measure_brands(folder, databases),
        ]
    return Table(
        f"Loads of {feeds.description}. CPU seconds, medians of {RUNS} runs, {FRESH_RUNS} for memory and"
        f" {STATIONS:,} generated stations, {LARGE_RUNS} for ten times as many.",
        lines,
    )


def _measure_times(folder: Path, feeds: Feeds, databases: Databases) -> list[Line]:
    repacked = folder / "repacked.zip"
    _repack(feeds.first, repacked)
    jobs: dict[str, Job] = {
        "unzip": lambda: time_call(partial(floor.unzip, feeds.first)),
        "stream": lambda: time_call(partial(floor.stream_stations, feeds.first)),
        "build": lambda: time_call(partial(floor.build_rows, feeds.first)),
        "floor": lambda: _time_floor(folder, feeds.first, databases.empty),
        "first": lambda: _time_load(folder, feeds.first, databases.empty),
        "first elapsed": lambda: _time_load(folder, feeds.first, databases.empty, time.perf_counter),
        "build next": lambda: time_call(partial(floor.build_rows, feeds.next)),
        "next": lambda: _time_load(folder, feeds.next, databases.loaded),
        "same": lambda: _time_load(folder, feeds.first, databases.loaded),
        "repacked": lambda: _time_load(folder, repacked, databases.loaded),
    }
    seconds = measure(RUNS, jobs)
    build = seconds["build"]
    return [
        Line("floor: unzip", seconds["unzip"]),
        Line("floor: unzip, stream", seconds["stream"]),
        Line("floor: unzip, stream, build (parse and build)", build),
        Line("floor: all of it, inserts included", seconds["floor"]),
        Line("first load / whole floor", seconds["first"], floor=seconds["floor"], limit=2.5),
        Line("first load: elapsed / CPU", seconds["first elapsed"], floor=seconds["first"]),
        Line("next snapshot / parse and build", seconds["next"], floor=seconds["build next"], limit=1.4),
        Line("same file again / parse and build", seconds["same"], floor=build, limit=0.9),
        Line("same content in another zip / parse and build", seconds["repacked"], floor=build),
    ]


def _measure_memory(folder: Path, feeds: Feeds, databases: Databases) -> list[Line]:
    """Measure the command, its imports and the creation or upgrade of the database included."""

    def load(feed: Path, database: Path | None) -> float:
        with open_state(folder, database) as settings:
            return run_fresh(["etl.py", "--feed", str(feed)], settings.as_environment())[1]

    megabytes = measure(
        FRESH_RUNS,
        {
            "first": lambda: load(feeds.first, None),
            "next": lambda: load(feeds.next, databases.loaded),
        },
    )
    return [
        Line("first load: peak memory", megabytes["first"], "MB", limit=120),
        Line("next snapshot: peak memory", megabytes["next"], "MB", limit=120),
    ]


def _measure_growth(folder: Path, databases: Databases) -> list[Line]:
    small, large = folder / "small.zip", folder / "large.zip"
    write_feed(small, RECIPE)
    write_feed(large, replace(RECIPE, stations=10 * STATIONS))
    seconds: dict[Path, list[float]] = {small: [], large: []}
    megabytes: dict[Path, list[float]] = {small: [], large: []}
    for run in range(FRESH_RUNS):
        for feed in (small, large) if run < LARGE_RUNS else (small,):
            with open_state(folder, databases.empty) as settings:
                printed, peak = run_fresh(["-m", "bench.load", str(feed)], settings.as_environment())
            seconds[feed].append(float(printed))
            megabytes[feed].append(peak)
    base = median(seconds[small])
    return [
        Line(f"{STATIONS:,} generated stations", base),
        Line("ten times as many / these", median(seconds[large]), floor=base, limit=11),
        Line("ten times as many: peak memory", median(megabytes[large]), "MB", limit=400),
    ]


def _measure_brands(folder: Path, databases: Databases) -> list[Line]:
    """Measure a load of two lists of brands, and how many of the stations they give one; nothing without the lists."""
    brands = find_brands()
    if brands is None:
        return []
    now = datetime.now(UTC)
    with open_state(folder, databases.empty) as settings, open_database(settings) as engine:
        prepare_load(settings, engine, brands.feed)()
        load = partial(load_brands, engine, *map(str, brands.lists), now=now)
        report = load()
        seconds = measure(RUNS, {"brands": lambda: time_call(load)})
    share = 100 * report.branded_in_feed / report.in_feed
    return [
        Line("two lists of brands", seconds["brands"]),
        Line(f"stations of {brands.feed.name} with a brand", share, "%", limit=96, is_least=True),
    ]


def _time_floor(folder: Path, feed: Path, empty: Path) -> float:
    with TemporaryDirectory(dir=folder) as name:
        database = Path(name) / "floor.sqlite3"
        shutil.copy(empty, database)
        with floor.open_tables(database) as connection:
            return time_call(lambda: floor.insert_rows(connection, floor.build_rows(feed)))


def _time_load(folder: Path, feed: Path, database: Path, clock: Callable[[], float] = time.process_time) -> float:
    with open_state(folder, database) as settings, open_database(settings) as engine:
        _empty_caches()
        return time_call(prepare_load(settings, engine, feed), clock)


def _empty_caches() -> None:
    """Make the feed's reader forget what it read in the runs before: the floor remembers nothing either."""
    for function in (*vars(parse).values(), *vars(texts).values()):
        if hasattr(function, "cache_clear"):
            function.cache_clear()


def _repack(source: Path, target: Path) -> None:
    with ZipFile(source) as archive, ZipFile(target, "w", ZIP_DEFLATED, compresslevel=9) as copy:
        for member in archive.infolist():
            copy.writestr(member.filename, archive.read(member))


def _main() -> None:
    logging.getLogger("carburoam").setLevel(logging.ERROR)
    settings = read_settings()
    with open_database(settings) as engine:
        print(time_call(prepare_load(settings, engine, Path(sys.argv[1]))))


if __name__ == "__main__":
    _main()
