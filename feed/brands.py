"""The brands of the stations, which the feed does not have: from a list by somebody else to rows.

Lists: `stations_name.json` of the Home Assistant integration prix_carburant, https://github.com/Aohzan/hass-prixcarburant,
and tables of OpenStreetMap's tag ref:FR:prix-carburants, https://wiki.openstreetmap.org/wiki/Key:ref:FR:prix-carburants
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from errors import FeedRefused
from feed.texts import clean_text
from models import BrandState, Station, StationBrand, make_town_key

MAX_LIST_BYTES = 20_000_000
MAX_STATION_ID = 2**31 - 1
MAX_TEXT = 500  # characters of a text that are looked at at all
BRAND_LENGTH = 60
NAME_LENGTH = 120
SOURCE_LENGTH = 500
REF_COLUMN = "ref:fr:prix-carburants"
TEXT_COLUMNS = ("brand", "operator", "name")
SEPARATORS = "\t;,|"

# What lists write where a station has no brand, or no name, as `_squash` gives it.
_NOTHING = frozenset(
    [
        "",
        "aucun",
        "aucune",
        "inconnu",
        "inconnue",
        "independant",
        "independante",
        "independantsansenseigne",
        "na",
        "nan",
        "no",
        "non",
        "none",
        "null",
        "sansenseigne",
        "sansmarque",
        "undefined",
        "unknown",
        "yes",
    ]
)
_STATION_ID = re.compile("[0-9]{1,10}")

Kind = Literal["prix_carburant", "openstreetmap"]


class BrandRecord(NamedTuple):
    """The brand and the name of a station; either may be empty."""

    brand: str
    name: str


@dataclass
class BrandList:
    """What a list says: stations of which it gives a brand or a name, and how many entries can't be used, and why."""

    kind: Kind
    stations: dict[int, BrandRecord] = field(default_factory=dict)
    rejections: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class BrandReport:
    """What was stored: stations with a brand in the list; stations in the feed, and how many of those have one."""

    kind: Kind
    branded: int
    in_feed: int
    branded_in_feed: int
    rejections: Counter[str]

    def describe(self) -> str:
        """Say it in one line."""
        parts = [f"loaded: brands of {self.branded} stations from {self.kind}"]
        if self.in_feed:
            share = 100 * self.branded_in_feed / self.in_feed
            parts.append(f"{self.branded_in_feed} of the {self.in_feed} stations in the feed have one ({share:.0f} %)")
        else:
            parts.append("no station is known yet")
        if self.rejections:
            parts.append("rejected: " + ", ".join(f"{n} x {reason}" for reason, n in self.rejections.most_common()))
        return "; ".join(parts)


class _Entry(NamedTuple):
    """A station as a list has it; one of `others` may be its brand when `brand` is empty."""

    station_id: int
    brand: str
    name: str
    others: tuple[str, ...] = ()


def read_brands(data: bytes) -> BrandList:
    """Read a list of either kind, told apart by what it holds. One brand has one spelling in the result.

    Raises FeedRefused: it is neither, is damaged, or names no brand.
    """
    try:
        text = data.decode("utf-8-sig").lstrip("\r\n ")
    except UnicodeDecodeError as error:
        raise FeedRefused("the list is not UTF-8 text") from error
    if not text:
        raise FeedRefused("the list is empty")
    brands = BrandList("prix_carburant" if text.startswith("{") else "openstreetmap")
    read = _read_json if brands.kind == "prix_carburant" else _read_table
    entries = list(read(text, brands.rejections))
    if brands.rejections.total() > len(entries):
        raise FeedRefused(f"most of the list can't be used: {brands.rejections.most_common(1)[0][0]}")
    for entry in _unify(_fill_in(entries)):
        known = brands.stations.get(entry.station_id)
        if (entry.brand or entry.name) and (known is None or (entry.brand and not known.brand)):
            brands.stations[entry.station_id] = BrandRecord(entry.brand, entry.name)
    if not any(station.brand for station in brands.stations.values()):
        raise FeedRefused("the list names no brand")
    return brands


def store_brands(connection: Connection, brands: BrandList, source: str, *, now: datetime) -> BrandReport:
    """Put the list in place of the one before, in the open, writing transaction of `connection`."""
    connection.execute(delete(StationBrand))
    connection.execute(
        insert(StationBrand),
        [
            {
                "station_id": id_,
                "brand": brand,
                "brand_key": make_town_key(brand)[:BRAND_LENGTH],
                "name": name,
                "name_key": make_town_key(name)[:NAME_LENGTH],
            }
            for id_, (brand, name) in brands.stations.items()
        ],
    )
    connection.execute(delete(BrandState))
    connection.execute(
        insert(BrandState).values(
            id=1, kind=brands.kind, source=source[:SOURCE_LENGTH], station_count=len(brands.stations), loaded_at=now
        )
    )
    in_feed = select(func.count()).select_from(Station).where(Station.left_feed_at.is_(None))
    branded = in_feed.join(StationBrand, StationBrand.station_id == Station.id).where(StationBrand.brand != "")
    return BrandReport(
        kind=brands.kind,
        branded=sum(bool(station.brand) for station in brands.stations.values()),
        in_feed=connection.scalar(in_feed) or 0,
        branded_in_feed=connection.scalar(branded) or 0,
        rejections=brands.rejections,
    )


def _read_json(text: str, rejections: Counter[str]) -> Iterator[_Entry]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FeedRefused("the list is damaged: its JSON can't be read") from error
    for key, value in content.items():
        if (station_id := _read_station_id(key)) is None:
            rejections["station id can't be read"] += 1
        elif not isinstance(value, dict) or not all(_is_text(value.get(name)) for name in ("brand", "name")):
            rejections["entry can't be read"] += 1
        else:
            yield _Entry(station_id, _clean(value.get("brand"), BRAND_LENGTH), _clean(value.get("name"), NAME_LENGTH))


def _read_table(text: str, rejections: Counter[str]) -> Iterator[_Entry]:
    header, rows = _split_table(text)
    places = {name: header.index(name) for name in (REF_COLUMN, *TEXT_COLUMNS) if name in header}
    for row in rows:
        if not row:
            continue
        if len(row) != len(header):
            rejections["row has not the cells of the header"] += 1
            continue
        brand, operator, name = (row[places[name]] if name in places else "" for name in TEXT_COLUMNS)
        others = tuple(_clean(text, BRAND_LENGTH) for text in (operator, name))
        for ref in row[places[REF_COLUMN]].split(";"):
            if (station_id := _read_station_id(ref.strip())) is None:
                rejections["station id can't be read"] += 1
            else:
                # Of several values the first is the one that counts most.
                brand_text = _clean(brand.partition(";")[0], BRAND_LENGTH)
                yield _Entry(station_id, brand_text, _clean(name, NAME_LENGTH), others)


def _split_table(text: str) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the rows, whatever separates the cells."""
    first_line = text.partition("\n")[0].rstrip("\r")
    for separator in SEPARATORS:
        if REF_COLUMN in _read_header(first_line.split(separator)):
            break
    else:
        raise FeedRefused("the list is neither the JSON of prix_carburant nor a table with ref:FR:prix-carburants")
    if separator == "\t":
        # Overpass separates by tabs and quotes nothing, so that a quotation mark may stand alone in a cell.
        rows = [[_unquote(cell) for cell in line.split("\t")] if line else [] for line in re.split("\r?\n", text)]
    else:
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
        except csv.Error as error:
            raise FeedRefused(f"the list is damaged: {error}") from error
    header = _read_header(rows[0])
    if not set(TEXT_COLUMNS) & set(header):
        raise FeedRefused(f"the list has none of the columns {', '.join(TEXT_COLUMNS)}")
    if not text.endswith("\n") and len(rows[-1]) < len(header):
        raise FeedRefused("the list is damaged: it breaks off in its last line")
    return header, rows[1:]


def _read_header(cells: list[str]) -> list[str]:
    return [_unquote(cell.strip()).lower() for cell in cells]


def _unquote(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _read_station_id(text: str) -> int | None:
    station_id = int(text) if _STATION_ID.fullmatch(text) else 0
    return station_id if 0 < station_id <= MAX_STATION_ID else None


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _clean(text: str | None, length: int) -> str:
    """Return a text fit for its column and to be shown; empty when it says that there is none."""
    # Half of a surrogate pair, which JSON can hold, is no character that a database takes.
    whole = (text or "")[:MAX_TEXT].encode("utf-8", "ignore").decode()
    cleaned = clean_text(whole)[:length].rstrip()
    return "" if _squash(cleaned) in _NOTHING else cleaned


def _fill_in(entries: Sequence[_Entry]) -> Iterator[_Entry]:
    """Give entries without a brand the operator or name for one, if it is a brand elsewhere: most are a garage's own.

    A list that has no brands at all means its operators and names.
    """
    known = {_squash(entry.brand) for entry in entries if entry.brand}
    for entry in entries:
        others = (other for other in entry.others if other and (not known or _squash(other) in known))
        yield entry if entry.brand else entry._replace(brand=next(others, ""))


def _unify(entries: Iterator[_Entry]) -> Iterator[_Entry]:
    """Give the spellings of a brand that differ in case, accents, spaces and punctuation the most frequent of them."""
    filled = list(entries)
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for entry in filled:
        spellings[_squash(entry.brand)][entry.brand] += 1
    # Of spellings as frequent as each other, one that is neither all capitals nor all small letters.
    chosen = {
        key: max(found, key=lambda text: (found[text], not (text.isupper() or text.islower()), text))
        for key, found in spellings.items()
    }
    for entry in filled:
        yield entry._replace(brand=chosen[_squash(entry.brand)])


def _squash(text: str) -> str:
    return make_town_key(text).replace(" ", "")
