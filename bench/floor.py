"""The floor: the least work that brings a feed into the tables, written straight down. Nothing here is of the program.

It reads the same archive with the same libraries and stores the same rows and columns in tables like the program's, but
checks nothing, repairs nothing, remembers nothing of the load before and cannot go on from one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, NamedTuple
from zipfile import ZipFile
from zoneinfo import ZoneInfo

from lxml import etree

CHUNK_BYTES = 64 * 1024
PARIS = ZoneInfo("Europe/Paris")

Row = tuple[Any, ...]


# Of each table that a feed fills, the columns in the order in which the rows below have their values.
COLUMNS = {
    "services": ("id", "name"),
    "stations": (
        "id",
        "latitude",
        "longitude",
        "is_location_doubtful",
        "address",
        "town",
        "zip_code",
        "town_key",
        "address_key",
        "is_motorway",
        "has_automat",
        "opening_hours",
        "services",
        "left_feed_at",
        "fingerprint",
    ),
    "prices": ("station_id", "gastype_id", "price", "updated_at"),
    "stock_outs": ("station_id", "gastype_id", "began_at"),
}


class Rows(NamedTuple):
    """All rows of a feed, each a tuple of values in the order of `COLUMNS`."""

    services: list[Row]
    stations: list[Row]
    prices: list[Row]
    stock_outs: list[Row]


def unzip(archive: Path) -> None:
    """Read the XML in the archive to its end."""
    with _open_xml(archive) as stream:
        while stream.read(CHUNK_BYTES):
            pass


def stream_stations(archive: Path) -> None:
    """Let lxml parse the archive's XML, one station in memory at a time."""
    for _ in _iterate_stations(archive):
        pass


def build_rows(archive: Path) -> Rows:
    """Parse the archive into the rows that the tables hold."""
    service_ids: dict[str, int] = {}
    rows = Rows([], [], [], [])
    for pdv in _iterate_stations(archive):
        station_id = int(pdv.get("id", ""))
        address = town = services = ""
        hours: str | None = None
        has_automat = False
        for child in pdv:
            if child.tag == "prix":
                fuel_id = int(child.get("id", ""))
                price = int(Decimal(child.get("valeur", "")) * 1000)
                rows.prices.append((station_id, fuel_id, price, _read_time(child.get("maj", ""))))
            elif child.tag == "rupture":
                if child.get("type", "") == "temporaire":
                    rows.stock_outs.append((station_id, int(child.get("id", "")), _read_time(child.get("debut", ""))))
            elif child.tag == "adresse":
                address = (child.text or "").strip()
            elif child.tag == "ville":
                town = (child.text or "").strip()
            elif child.tag == "horaires":
                has_automat = child.get("automate-24-24", "") == "1"
                hours = "|".join(_read_day(day) for day in child)
            elif child.tag == "services":
                names = [(service.text or "").strip() for service in child]
                services = "".join(f"|{service_ids.setdefault(name, len(service_ids) + 1)}" for name in names)
        rows.stations.append(
            (
                station_id,
                float(pdv.get("latitude", "")) / 100_000,
                float(pdv.get("longitude", "")) / 100_000,
                False,
                address,
                town,
                pdv.get("cp", ""),
                town.lower(),
                address.lower(),
                pdv.get("pop", "") == "A",
                has_automat,
                hours,
                services and f"{services}|",
                None,
                None,  # the fingerprint is the program's own
            )
        )
    rows.services.extend((id_, name) for name, id_ in service_ids.items())
    return rows


@contextmanager
def open_tables(database: Path) -> Iterator[sqlite3.Connection]:
    """Open an empty database that has the program's tables, with the program's settings for writing."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        yield connection


def insert_rows(connection: sqlite3.Connection, rows: Rows) -> None:
    """Insert all rows in one transaction."""
    with connection:
        for table, values in rows._asdict().items():
            columns = COLUMNS[table]
            places = ",".join("?" * len(columns))
            statement = f"INSERT INTO {table} ({','.join(columns)}) VALUES ({places})"  # noqa: S608 - our own names
            connection.executemany(statement, values)


def _iterate_stations(archive: Path) -> Iterator[etree._Element]:
    with _open_xml(archive) as stream:
        for _, pdv in etree.iterparse(stream, events=("end",), tag="pdv"):
            yield pdv
            pdv.getparent().remove(pdv)


@contextmanager
def _open_xml(archive: Path) -> Iterator[IO[bytes]]:
    with ZipFile(archive) as file, file.open(file.infolist()[0]) as stream:
        yield stream


def _read_day(day: etree._Element) -> str:
    if day.get("ferme", "") == "1":
        return ""
    return ",".join(f"{hours.get('ouverture', '')}-{hours.get('fermeture', '')}".replace(".", ":") for hours in day)


def _read_time(text: str) -> str:
    wall_clock = datetime.fromisoformat(text).replace(tzinfo=PARIS)
    return wall_clock.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
