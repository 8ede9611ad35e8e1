"""One load: download -> unzip -> parse -> store -> report. Also the command `etl.py [--feed|--brands URL_OR_FILE]`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from db import begin_writing, is_shared, open_engine, prepare_database, renew_statistics
from errors import (
    CarburoamError,
    FeedError,
    FeedRefused,
    FeedShrunk,
    FeedUnreachable,
    SettingRefused,
)
from feed.archive import Progress, open_archive
from feed.brand_store import BrandReport, store_brands
from feed.brands import MAX_LIST_BYTES, BrandList, read_brands
from feed.download import Archive, Validators, fetch_archive, hide_password
from feed.refused import REFUSED_FILE, find_accepted, forget_refused, is_accepted, keep_refused, remove_copy
from feed.runs import LoadReport, Status, close_leftovers, close_run, describe, fail_run, insert_run, open_run
from feed.sample import make_sample
from feed.store import forget_stations, store_feed
from load_lock import hold_lock, is_lock_held
from logs import set_up_logging
from models import EtlRun, FeedState, GasType, Price, Station, StationBrand, StockOut
from niceness import stand_back_as_session
from prices.figures import renew_figures, store_figures
from prices.freshness import find_as_of
from settings import SAMPLE_FEED, Settings, read_settings
from statefiles import CLOCK_LEEWAY, write_lastjob

MAX_LISTS = 2  # of brands

logger = logging.getLogger("carburoam.load")


def run_load(
    settings: Settings,
    engine: Engine,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    on_progress: Progress | None = None,
    unless_loaded_within: timedelta | None = None,
) -> LoadReport:
    """Load the feed of the settings, or the next one when that can't be had, and leave a row in `etl_runs`.

    Everything is stored in one transaction, the row's end included: readers see the old prices or the new ones. What
    can't be loaded changes nothing but that row. `lastjob.txt` moves on success, except for the sample. A feed refused
    for too few stations is kept; once an admin has accepted it, the next load takes that one and asks no other.

    With `unless_loaded_within`, nothing is done when another machine that shares the database has loaded the feed
    since: one load an interval is enough for all of them.

    Raises LoadRunning: another load did not end within five minutes.
    """
    with hold_lock(settings, engine):
        if unless_loaded_within is not None and is_shared(engine):
            loaded_at = find_last_load(settings, engine)
            # One from the future comes from a clock that is wrong, and must not keep the prices from ever moving.
            if loaded_at is not None and now() - unless_loaded_within < loaded_at <= now() + CLOCK_LEEWAY:
                write_lastjob(settings, loaded_at)
                return LoadReport("unchanged", hide_password(settings.feeds[0]), "another machine has just loaded it")
        close_leftovers(engine, now())
        run_id = open_run(engine, now(), settings.feeds[0])
        try:
            report = _load_first(settings, engine, run_id, now, on_progress)
        except FeedError as error:
            status: Status = "refused" if isinstance(error, FeedRefused) else "failed"
            report = LoadReport(status, hide_password(settings.feeds[0]), str(error))
            fail_run(engine, run_id, now(), report)
        except Exception as error:  # whatever went wrong, the attempt has an end
            # Unless its row can't be written either (disk full).
            report = LoadReport("failed", hide_password(settings.feeds[0]), f"{type(error).__name__} while storing")
            with suppress(SQLAlchemyError):
                fail_run(engine, run_id, now(), report)
            raise
        if report.is_success:
            remove_copy(settings.state_dir)
            if report.source != SAMPLE_FEED:
                write_lastjob(settings, now())
    logger.info("load status=%s source=%r message=%r", report.status, report.source, report.message)
    return report


def load_sample(engine: Engine, now: datetime) -> LoadReport | None:
    """Load the sample feed into an empty database; None when there are stations already.

    It takes no load lock, since it must not wait for a download that hangs; it is one short transaction of its own.
    """
    if has_stations(engine):
        return None
    with begin_writing(engine, "feed") as connection:
        if _has_stations(connection):
            return None  # the real feed came in while this one waited for its turn to write
        run_id = insert_run(connection, now, SAMPLE_FEED)
    try:
        report = _load_from(engine, run_id, SAMPLE_FEED, lambda: now, None)
    except FeedRefused as error:
        report = LoadReport("refused", SAMPLE_FEED, str(error))
        fail_run(engine, run_id, now, report)
    logger.info("load status=%s source=%r message=%r", report.status, report.source, report.message)
    return report


def load_brands(engine: Engine, *sources: str, now: datetime) -> BrandReport:
    """Load one or two lists of brands in place of what was there; what both say counts as the first has it.

    It is no load of the feed, and leaves no trace among those.

    Raises FeedError: one can't be had or read, and of two the text says which; the brands that were there stay.
    """
    lists: list[tuple[str, BrandList]] = []
    for source in sources:
        shown = hide_password(source)
        try:
            lists.append((shown, _fetch_brands(source)))
        except FeedError as error:
            if len(sources) == 1:
                raise
            reason = str(error).removeprefix(f"{shown} ")
            raise type(error)(f"list {len(lists) + 1}, {shown}: {reason}") from error
    with begin_writing(engine, "feed") as connection:
        report = store_brands(connection, lists, now=now)
        renew_statistics(connection, StationBrand.__table__)
        return report


def has_stations(engine: Engine) -> bool:
    """Say whether there is anything to show."""
    with engine.connect() as connection:
        return _has_stations(connection)


def is_load_running(settings: Settings, engine: Engine) -> bool:
    """Say whether a load is under way: a run without an end, and someone who holds the load lock."""
    with engine.connect() as connection:
        run = connection.execute(select(EtlRun.id).where(EtlRun.finished_at.is_(None)).limit(1)).first()
        return run is not None and is_lock_held(settings, connection)


def find_last_load(settings: Settings, engine: Engine) -> datetime | None:
    """Return when what stands in the database was last loaded; None when it came from no feed of the settings."""
    with engine.connect() as connection:
        state = _read_state(connection)
    if state is None or state.source not in map(hide_password, settings.feeds):
        return None
    loaded_at: datetime = state.loaded_at
    return loaded_at


def _has_stations(connection: Connection) -> bool:
    return connection.execute(select(Station.id).limit(1)).first() is not None


def _fetch_brands(source: str) -> BrandList:
    with fetch_archive(source, max_bytes=MAX_LIST_BYTES, what="list") as fetched:
        return read_brands(fetched.file.read() if fetched is not None else b"")


def _load_first(
    settings: Settings,
    engine: Engine,
    run_id: int,
    now: Callable[[], datetime],
    on_progress: Progress | None,
) -> LoadReport:
    """Load the first feed that can be loaded.

    Raises FeedError: none can; the text speaks of each.
    """
    if (report := _load_accepted(settings, engine, run_id, now, on_progress)) is not None:
        return report
    errors: list[FeedError] = []
    for source in settings.feeds:
        try:
            return _load_from(
                engine, run_id, source, now, on_progress, settings.as_of, after=errors, keep_in=settings.state_dir
            )
        except FeedError as error:
            logger.info("feed source=%r error=%r", hide_password(source), str(error))
            errors.append(error)
    message = "; then ".join(dict.fromkeys(str(error) for error in errors))
    # Refused only when no feed was out of reach: then trying again soon is of no use.
    kind = FeedRefused if all(isinstance(error, FeedRefused) for error in errors) else FeedUnreachable
    raise kind(message) from errors[-1]


def _load_from(
    engine: Engine,
    run_id: int,
    source: str,
    now: Callable[[], datetime],
    on_progress: Progress | None,
    as_of: str = "",
    after: Sequence[FeedError] = (),
    keep_in: Path | None = None,
) -> LoadReport:
    shown = hide_password(source)
    with engine.connect() as connection:
        state = _read_state(connection)
    known = Validators(state.etag, state.last_modified) if state is not None and state.source == shown else None
    with (
        make_sample(now()) if source == SAMPLE_FEED else nullcontext(source) as address,
        fetch_archive(address, known) as archive,
    ):
        try:
            with begin_writing(engine, "feed") as connection:
                report = _take_in(connection, archive, source, now(), on_progress, as_of)
                if after:
                    report = replace(report, message=f"{report.message}; loaded instead of the first feed: {after[0]}")
                close_run(connection, run_id, now(), report)
        except FeedShrunk as shrunk:
            # Of several, the one that is asked first, which says the most.
            if archive is not None and keep_in is not None and not any(isinstance(one, FeedShrunk) for one in after):
                with begin_writing(engine, "feed") as connection:
                    keep_refused(connection, keep_in, archive, shown, shrunk, now())
            raise
    return report


def _take_in(
    connection: Connection,
    archive: Archive | None,
    source: str,
    now: datetime,
    on_progress: Progress | None,
    as_of: str,
) -> LoadReport:
    """Store what was fetched, or note that it is what is stored already; `as_of` is the setting of that name."""
    state = _read_state(connection)
    shown = hide_password(source)
    if state is not None and source == SAMPLE_FEED and not state.is_sample:
        raise FeedRefused("the sample feed never takes the place of real prices")
    if state is not None and (archive is None or archive.digest == state.digest):
        return _renew_state(connection, state, archive, shown, now, as_of)
    if archive is None:
        raise FeedRefused("the server says that nothing changed, but nothing was loaded before")
    return _store_archive(connection, archive, shown, state, now, on_progress, as_of)


def _load_accepted(
    settings: Settings,
    engine: Engine,
    run_id: int,
    now: Callable[[], datetime],
    on_progress: Progress | None,
) -> LoadReport | None:
    """Load the refused feed that an admin has accepted.

    None when there is none, when this machine has no copy of it, or when it is refused for another reason as well.
    """
    with engine.connect() as connection:
        accepted = find_accepted(connection)
    if accepted is None:
        return None
    try:
        with fetch_archive(str(settings.state_dir / REFUSED_FILE)) as archive:
            if archive is not None and archive.digest == accepted.digest:
                with begin_writing(engine, "feed") as connection:
                    report = _take_in(connection, archive, accepted.source, now(), on_progress, settings.as_of)
                    close_run(connection, run_id, now(), report)
                return report
    except FeedUnreachable:
        return None
    except FeedRefused as error:
        # For another reason than the one it was accepted against. It must not stand in the way of the feeds to come.
        logger.warning("accepted feed status=refused error=%r", str(error))
        with begin_writing(engine, "feed") as connection:
            forget_refused(connection)
    return None


def _read_state(connection: Connection) -> Row[Any] | None:
    return connection.execute(select(FeedState.__table__)).first()


def _renew_state(
    connection: Connection, state: Row[Any], archive: Archive | None, source: str, now: datetime, as_of: str
) -> LoadReport:
    """Note that the loaded feed is still the newest, while its prices grow old."""
    forget_refused(connection)
    renew_figures(connection, find_as_of(as_of, state.newest_report_at, now))
    values: dict[str, Any] = {"loaded_at": now, "source": source}
    if archive is not None:
        values |= archive.validators._asdict()
    if state.stock_outs_at == state.loaded_at:
        values["stock_outs_at"] = now
    connection.execute(update(FeedState).values(values))
    return LoadReport(
        "unchanged",
        source,
        "the feed has not changed since the last load",
        stations_seen=state.station_count,
        prices_seen=state.price_count,
    )


def _store_archive(
    connection: Connection,
    archive: Archive,
    source: str,
    state: Row[Any] | None,
    now: datetime,
    on_progress: Progress | None,
    as_of: str,
) -> LoadReport:
    if state is not None and state.is_sample and source != SAMPLE_FEED:
        forget_stations(connection)
        state = None
    with open_archive(archive.file, on_progress) as stream:
        stored = store_feed(connection, stream, now=now, may_shrink=is_accepted(connection, archive.digest))
    is_changed = bool(stored.stations_written or stored.prices_written or stored.stations_left)
    newest_report_at = connection.execute(select(func.max(Price.updated_at))).scalar()
    figures_as_of = find_as_of(as_of, newest_report_at, now)
    if is_changed:
        renew_statistics(connection, *(model.__table__ for model in (Station, GasType, Price, StockOut)))
        store_figures(connection, figures_as_of)
    else:
        renew_figures(connection, figures_as_of)
    forget_refused(connection)
    connection.execute(delete(FeedState))
    connection.execute(
        insert(FeedState).values(
            id=1,
            source=source,
            is_sample=source == SAMPLE_FEED,
            # What says something else later is not to be passed over as unchanged.
            digest="" if stored.changes_with_time else archive.digest,
            **(Validators(None, None) if stored.changes_with_time else archive.validators)._asdict(),
            station_count=stored.stations_seen - stored.stations_rejected,
            price_count=stored.prices_seen,
            newest_report_at=newest_report_at,
            loaded_at=now,
            stock_outs_at=now if stored.names_stock_outs else state and state.stock_outs_at,
        )
    )
    for reason, count in stored.rejections.most_common():
        logger.warning("rejected reason=%r count=%d stations=%s", reason, count, stored.rejected_stations[reason])
    return LoadReport(
        "loaded" if is_changed else "unchanged",
        source,
        describe(stored) if is_changed else "the feed says what it said at the last load",
        stored.stations_seen,
        stored.stations_written,
        stored.stations_rejected,
        stored.prices_seen,
        stored.prices_written,
        stored.prices_rejected,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Load once in the foreground, with progress and a summary; return the exit code."""
    parser = argparse.ArgumentParser(prog="etl.py", description="Load the national feed of fuel prices once.")
    parser.add_argument("--feed", metavar="URL_OR_FILE", help="load this feed instead of the one in the settings")
    parser.add_argument(
        "--brands",
        metavar="URL_OR_FILE",
        action="append",
        default=[],
        help="load the brands of the stations from here instead; twice: the second list fills the gaps of the first",
    )
    options = parser.parse_args(arguments)
    set_up_logging(logging.WARNING)
    try:
        settings = read_settings()
        if options.feed is not None and options.brands:
            raise SettingRefused("--feed and --brands are two loads: one at a time")
        if options.feed is not None and not options.feed.strip():
            raise SettingRefused("--feed names no feed")
        if not all(source.strip() for source in options.brands):
            raise SettingRefused("--brands names no list")
        if len(options.brands) > MAX_LISTS:
            raise SettingRefused(f"--brands can be given twice at most, not {len(options.brands)} times")
        if options.feed:
            settings = settings.model_copy(update={"feed_url": options.feed})
        settings.make_state_dir()
        engine = open_engine(settings.database)
        prepare_database(engine)
        if options.brands:
            _print_brands(load_brands(engine, *options.brands, now=datetime.now(UTC)))
            return 0
        with _show_progress() as on_progress:
            report = run_load(settings, engine, on_progress=on_progress)
    except CarburoamError as error:
        print(f"etl.py: {error}", file=sys.stderr)
        return 1
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        print(f"etl.py: the database can't be used: {str(cause).splitlines()[0]}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:  # the driver of the database's kind
        print(f"etl.py: the database can't be used: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"etl.py: {error}", file=sys.stderr)
        return 1
    if not report.is_success:
        print(f"etl.py: {report.status}: {report.message}", file=sys.stderr)
        return 1
    print(f"{report.status}: {report.message}")
    return 0


def _print_brands(report: BrandReport) -> None:
    lines = [report.describe()]
    if conflicts := report.list_conflicts():
        lines += [
            "conflicts, stations x brand of the first list / of the second:",
            *(f"  {line}" for line in conflicts),
        ]
    for line in lines:
        encoding = sys.stdout.encoding or "utf-8"
        print(line.encode(encoding, "backslashreplace").decode(encoding))  # whatever the terminal can show


@contextmanager
def _show_progress() -> Iterator[Progress | None]:
    """Give a progress bar to a person at a terminal, and nothing to a log."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc="feed", unit="B", unit_scale=True, leave=False) as bar:

        def show(read: int, size: int) -> None:
            bar.total = size
            bar.update(read - bar.n)

        yield show


if __name__ == "__main__":
    stand_back_as_session()
    sys.exit(main())
