"""Bringing the stored stations, prices and stock-outs to what the feed says: only rows that differ are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any

from sqlalchemy import (
    Connection,
    Executable,
    String,
    Table,
    bindparam,
    delete,
    exists,
    func,
    insert,
    null,
    select,
    type_coerce,
    update,
)

from errors import FeedRefused, FeedShrunk
from feed.parse import iterate_stations
from feed.records import RejectedStation, Rejection, StationRecord, UnchangedStation
from models import FeedState, Price, Service, Station, StockOut, make_town_key

BATCH_STATIONS = 500
TOWN_KEY_LENGTH = 120
ADDRESS_KEY_LENGTH = 300
# A declarative class's table is typed as any FromClause; these are tables.
_STATIONS: Table = Station.__table__  # type: ignore[assignment]  # said to be any FromClause
_PRICES: Table = Price.__table__  # type: ignore[assignment]  # said to be any FromClause
_STOCK_OUTS: Table = StockOut.__table__  # type: ignore[assignment]  # said to be any FromClause
_KEY = ("station_id", "gastype_id")

Row = tuple[Any, ...]
Key = tuple[int, int]  # a station and a fuel


@dataclass
class StoreReport:
    """What a feed held and what was written of it; a station counts as written when its record in the feed changed."""

    stations_seen: int = 0
    stations_written: int = 0
    stations_rejected: int = 0
    stations_left: int = 0
    prices_seen: int = 0
    prices_written: int = 0
    prices_rejected: int = 0
    names_stock_outs: bool = False
    changes_with_time: bool = False  # the same feed says something else at a later load
    rejections: Counter[str] = field(default_factory=Counter)
    rejected_stations: dict[str, list[int]] = field(default_factory=dict)


def store_feed(connection: Connection, stream: IO[bytes], *, now: datetime, may_shrink: bool = False) -> StoreReport:
    """Store the feed in `stream` (its XML) into the open, writing transaction of `connection`.

    A station, price or stock-out that can't be read keeps what was stored of it; a station that is no longer in the
    feed stays, marked, without prices; a price or stock-out no longer in it goes.

    Raises FeedRefused: as `iterate_stations`, or not one price can be read, or no longer more than half of the prices
    or of the stock-outs stored before. The caller rolls back.
    Raises FeedShrunk: it holds less than half of the stations of the feed before, and not `may_shrink`.
    """
    return _Storing(connection, now).run(stream, may_shrink=may_shrink)


def forget_stations(connection: Connection) -> None:
    """Delete every station with its prices and stock-outs, and what is known of the feed: the sample makes way."""
    for table in (StockOut, Price, Station, FeedState):
        connection.execute(delete(table))


class _Storing:
    """One feed on its way into the database."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._report = StoreReport()
        fingerprints = connection.execute(select(Station.id, Station.fingerprint))
        self._fingerprints: dict[int, int | None] = dict(fingerprints.all())
        self._left = set(connection.scalars(select(Station.id).where(Station.left_feed_at.is_not(None))))
        self._found: set[int] = set()
        self._unreadable: set[int] = set()
        self._unnamed = 0  # stations whose id can't be read
        self._silent: set[int] = set()  # unchanged, and without a stock-out in the feed
        self._stock_outs: dict[Key, Row] = {}
        self._parsed: set[int] = set()
        self._rejected_stock_outs: dict[int, list[Rejection]] = {}  # by station
        self._readable_prices = 0
        self._lost = dict.fromkeys((_PRICES, _STOCK_OUTS), 0)  # rows stored that can't be read any more
        self._rows_of_unnamed = dict.fromkeys((_PRICES, _STOCK_OUTS), 0)  # and those of stations without an id
        self._stored = {table: _count_rows(connection, table) for table in (_PRICES, _STOCK_OUTS)}
        self._service_ids = {name: id_ for id_, name in connection.execute(select(Service.id, Service.name))}
        self._write = _Writer(connection)

    def run(self, stream: IO[bytes], *, may_shrink: bool) -> StoreReport:
        batch: list[StationRecord] = []
        for station in iterate_stations(stream, self._fingerprints, now=self._now):
            self._report.stations_seen += 1
            if isinstance(station, RejectedStation):
                self._reject_station(station.rejection)
                continue
            self._found.add(station.id)
            self._report.prices_seen += station.price_count
            self._report.names_stock_outs |= station.names_stock_outs
            if isinstance(station, UnchangedStation):
                self._readable_prices += station.price_count
                if not station.names_stock_outs:
                    self._silent.add(station.id)
                continue
            batch.append(station)
            if len(batch) == BATCH_STATIONS:
                self._store_batch(batch)
                batch.clear()
        self._store_batch(batch)
        if not self._readable_prices:
            raise FeedRefused(f"it holds {len(self._found)} stations and not one price")
        if not may_shrink:
            self._require_half()
        self._mark_left()
        self._store_stock_outs()
        self._require_readable()
        return self._report

    def _reject_station(self, rejection: Rejection) -> None:
        self._report.stations_rejected += 1
        self._note(rejection)
        if rejection.station_id is None:
            self._unnamed += 1
        else:
            self._unreadable.add(rejection.station_id)

    def _note(self, rejection: Rejection) -> None:
        self._report.rejections[rejection.reason] += 1
        ids = self._report.rejected_stations.setdefault(rejection.reason, [])
        if rejection.station_id is not None and len(ids) < 10:
            ids.append(rejection.station_id)

    def _store_batch(self, batch: Sequence[StationRecord]) -> None:
        new = [self._make_station_row(station) for station in batch if station.id not in self._fingerprints]
        known = [self._make_station_row(station) for station in batch if station.id in self._fingerprints]
        self._write.insert(_STATIONS, new)
        self._write.update(_STATIONS, known, key=("id",))
        self._report.stations_written += len(batch)
        self._store_prices(batch)
        for station in batch:
            self._parsed.add(station.id)
            self._readable_prices += len(station.prices)
            self._report.changes_with_time |= station.changes_with_time
            for rejection in station.rejections:
                self._note(rejection)
                if rejection.is_of_stock_out:
                    self._rejected_stock_outs.setdefault(station.id, []).append(rejection)
                else:
                    self._report.prices_rejected += 1
            for stock_out in station.stock_outs:
                self._stock_outs[station.id, stock_out.fuel_id] = stock_out[1:]

    def _make_station_row(self, station: StationRecord) -> Row:
        services = "".join(f"{self._find_service(name)}|" for name in station.services)
        return (
            station.id,
            station.latitude_deg,
            station.longitude_deg,
            station.is_location_doubtful,
            station.address,
            station.town,
            station.zip_code,
            make_town_key(station.town)[:TOWN_KEY_LENGTH],  # it may be longer than the town: "œ" becomes "oe"
            make_town_key(station.address)[:ADDRESS_KEY_LENGTH],
            station.is_motorway,
            station.has_automat,
            station.opening_hours,
            services and f"|{services}",
            None,
            # What was rejected, or says something else later, is to be read again by the next load.
            None if station.rejections or station.changes_with_time else station.fingerprint,
        )

    def _find_service(self, name: str) -> int:
        if name not in self._service_ids:
            self._service_ids[name] = max(self._service_ids.values(), default=0) + 1
            self._connection.execute(insert(Service).values(id=self._service_ids[name], name=name))
        return self._service_ids[name]

    def _store_prices(self, batch: Sequence[StationRecord]) -> None:
        known_ids = [station.id for station in batch if station.id in self._fingerprints]
        stored = _read_rows(self._connection, _PRICES, known_ids)
        new: list[Row] = []
        changed: list[Row] = []
        for station in batch:
            for fuel_id, price, updated_at in station.prices:
                before = stored.pop((station.id, fuel_id), None)
                if before is None:
                    new.append((station.id, fuel_id, price, updated_at))
                elif before != (price, updated_at):
                    changed.append((station.id, fuel_id, price, updated_at))
        unreadable = {
            station.id: [part for part in station.rejections if not (part.is_of_stock_out or part.is_repetition)]
            for station in batch
            if station.rejections
        }
        gone = self._list_over(_PRICES, stored, unreadable)
        self._write.insert(_PRICES, new)
        self._write.update(_PRICES, changed, key=_KEY)
        self._write.delete(_PRICES, gone, key=_KEY)
        self._report.prices_written += len(new) + len(changed) + len(gone)

    def _list_over(
        self, table: Table, missing: Iterable[Key], unreadable: Mapping[int, Sequence[Rejection]]
    ) -> list[Key]:
        """Return which of the stored rows that the feed does not name are over: all but those that can't be read.

        Of a record whose fuel can't be read nobody knows which row it was: it may be any. One of a fuel that isn't
        known is none of them, but counts as one that can't be read any more.
        """
        over: list[Key] = []
        nameless: Counter[int] = Counter()  # missing rows by station, of fuels that no rejected record is of
        for station_id, fuel_id in missing:
            rejections = unreadable.get(station_id, ())
            if any(rejection.fuel_id == fuel_id for rejection in rejections):
                self._lost[table] += 1
                continue
            nameless[station_id] += 1
            if not any(rejection.may_be_of_any_fuel for rejection in rejections):
                over.append((station_id, fuel_id))
        for station_id, count in nameless.items():
            rejections = unreadable.get(station_id, ())
            self._lost[table] += min(count, sum(rejection.fuel_id is None for rejection in rejections))
        return over

    def _require_readable(self) -> None:
        """Raise FeedRefused when more than half of what was stored before can't be read any more."""
        for table, name in ((_PRICES, "prices"), (_STOCK_OUTS, "stock-outs")):
            lost = self._lost[table] + self._rows_of_unnamed[table]
            ids = list((self._unreadable - self._found) & self._fingerprints.keys())
            lost += len(_read_rows(self._connection, table, ids))
            if lost * 2 > self._stored[table]:
                raise FeedRefused(f"{lost} of the {self._stored[table]} {name} loaded before can't be read any more")

    def _require_half(self) -> None:
        before = self._connection.execute(select(FeedState.station_count)).scalar()
        if before is not None and len(self._found) * 2 < before:
            raise FeedShrunk(len(self._found), before, self._list_gone())

    def _list_gone(self) -> list[int]:
        return list(self._fingerprints.keys() - self._found - self._unreadable - self._left)

    def _mark_left(self) -> None:
        gone = [(id_,) for id_ in self._list_gone()]
        for table, rows in self._rows_of_unnamed.items():
            count = len(_read_rows(self._connection, table, [id_ for (id_,) in gone])) if self._unnamed else 0
            # Which of them are still in the feed nobody knows: an average one has lost as much as any other.
            self._rows_of_unnamed[table] = rows + count * min(self._unnamed, len(gone)) // max(len(gone), 1)
        if len(gone) <= self._unnamed or len(gone) < 2 * self._unnamed:
            return  # most of them may be the ones whose id can't be read
        left_at = _write_text(self._now)
        self._write.delete(_PRICES, gone, key=("station_id",))
        self._write.delete(_STOCK_OUTS, gone, key=("station_id",))
        statement = (
            update(_STATIONS)
            .where(_STATIONS.c.id == bindparam("station"))
            .values(left_feed_at=bindparam("left_at"), fingerprint=null())
        )
        self._write.execute(statement, ("station", "left_at"), [(*row, left_at) for row in gone])
        self._report.stations_left = len(gone)

    def _store_stock_outs(self) -> None:
        """Store the stock-outs, unless the feed names none at all: the fallback says nothing of them.

        Its prices do: one that was reported since ends a stock-out, whichever feed named that.
        """
        if self._report.names_stock_outs:
            self._write_stock_outs()
        is_sold_again = exists().where(
            _PRICES.c.station_id == _STOCK_OUTS.c.station_id,
            _PRICES.c.gastype_id == _STOCK_OUTS.c.gastype_id,
            _PRICES.c.updated_at > _STOCK_OUTS.c.began_at,
        )
        self._connection.execute(delete(_STOCK_OUTS).where(is_sold_again))

    def _write_stock_outs(self) -> None:
        stored = _read_rows(self._connection, _STOCK_OUTS)
        new = [(*key, *row) for key, row in self._stock_outs.items() if key not in stored]
        changed = [(*key, *row) for key, row in self._stock_outs.items() if key in stored and stored[key] != row]
        asked = self._parsed | self._silent
        missing = [key for key in stored if key[0] in asked and key not in self._stock_outs]
        over = self._list_over(_STOCK_OUTS, missing, self._rejected_stock_outs)
        self._write.insert(_STOCK_OUTS, new)
        self._write.update(_STOCK_OUTS, changed, key=_KEY)
        self._write.delete(_STOCK_OUTS, over, key=_KEY)


def _count_rows(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _read_rows(connection: Connection, table: Table, station_ids: Sequence[int] | None = None) -> dict[Key, Row]:
    """Return the rows of a table keyed by station and fuel, instants as the text that the feed's records hold."""
    columns = [
        type_coerce(column, String) if isinstance(column.type, type(Price.updated_at.type)) else column
        for column in table.c
    ]
    query = select(*columns)
    if station_ids is not None:
        if not station_ids:
            return {}
        query = query.where(table.c.station_id.in_(station_ids))
    rows = connection.execute(query)
    if connection.dialect.name == "sqlite":  # keeps instants as that text
        return {(row[0], row[1]): row[2:] for row in rows}
    return {(row[0], row[1]): tuple(_write_text(value) for value in row[2:]) for row in rows}


def _write_text(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is not None:
        value = value.astimezone(UTC)
    return value.strftime("%Y-%m-%d %H:%M:%S.%f")


class _Writer:
    """Writes many rows at once as plain tuples, which costs half of what dictionaries through the ORM do."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows whose values stand in the order of the table's columns."""
        self.execute(insert(table), tuple(table.c.keys()), rows)

    def update(self, table: Table, rows: Sequence[Row], key: tuple[str, ...]) -> None:
        """Update rows whose values stand in the order of the table's columns, found by the columns `key`."""
        column_names = [column.name for column in table.c]
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in column_names if name not in key}
        statement = _where(update(table), table, key).values(values)
        names = tuple(name if name in key else f"new_{name}" for name in column_names)
        self.execute(statement, tuple(f"old_{name}" if name in key else name for name in names), rows)

    def delete(self, table: Table, rows: Sequence[Row], key: tuple[str, ...]) -> None:
        """Delete the rows found by the columns `key`."""
        self.execute(_where(delete(table), table, key), tuple(f"old_{name}" for name in key), rows)

    def execute(self, statement: Executable, names: tuple[str, ...], rows: Sequence[Row]) -> None:
        """Run a statement once for each row; `names` are the bound parameters in the order of the values."""
        if not rows:
            return
        compiled = statement.compile(dialect=self._connection.dialect)  # type: ignore[attr-defined]  # every statement has it
        if compiled.positional:
            parameters: Iterable[Any] = rows
            order = [names.index(name) for name in compiled.positiontup]
            if order != list(range(len(names))):
                parameters = (tuple(row[index] for index in order) for row in rows)
        else:
            parameters = (dict(zip(names, row, strict=True)) for row in rows)
        self._connection.exec_driver_sql(str(compiled), list(parameters))


def _where(statement: Any, table: Table, key: tuple[str, ...]) -> Any:
    return statement.where(*(table.c[name] == bindparam(f"old_{name}") for name in key))
