"""The brands of the stations, which the feed does not have: reading a list by somebody else.

Lists: `stations_name.json` of the Home Assistant integration prix_carburant, https://github.com/Aohzan/hass-prixcarburant,
and tables of OpenStreetMap's tag ref:FR:prix-carburants, https://wiki.openstreetmap.org/wiki/Key:ref:FR:prix-carburants
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from errors import FeedRefused
from feed.brand_texts import choose_spellings, clean_brand_text, make_brand_key

MAX_LIST_BYTES = 20_000_000
MAX_STATION_ID = 2**31 - 1
BRAND_LENGTH = 60
NAME_LENGTH = 120
REF_COLUMN = "ref:fr:prix-carburants"
TEXT_COLUMNS = ("brand", "operator", "name")
SEPARATORS = "\t;,|"

_STATION_ID = re.compile("[0-9]{1,10}")

Kind = Literal["prix_carburant", "openstreetmap"]


class BrandRecord(NamedTuple):
    """The brand and the name of a station; either may be empty."""

    brand: str
    name: str


@dataclass
class BrandList:
    """What a list says: stations of which it gives a brand or a name, and what of it can't be used, and why.

    `guessed`: stations whose brand is an operator or a name, as the list gives them none. `without_id`: how many rows
    are of a station that is not known to be one of the feed's; there is nothing wrong with them.
    """

    kind: Kind
    stations: dict[int, BrandRecord] = field(default_factory=dict)
    guessed: set[int] = field(default_factory=set)
    without_id: int = 0
    rejections: Counter[str] = field(default_factory=Counter)


class _Entry(NamedTuple):
    """A station as a list has it; one of `others` may be its brand when `brand` is empty, which is then guessed."""

    station_id: int
    brand: str
    name: str
    others: tuple[str, ...] = ()
    is_guessed: bool = False

    @property
    def rank(self) -> int:
        """How much it counts among several of the same station, the smallest first."""
        return 2 if not self.brand else 1 if self.is_guessed else 0


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
    entries = list(read(text, brands))
    if brands.rejections.total() > len(entries):
        raise FeedRefused(f"most of the list can't be used: {brands.rejections.most_common(1)[0][0]}")
    filled = list(_fill_in(entries))
    spell = choose_spellings(entry.brand for entry in filled)
    for entry in sorted(filled, key=lambda entry: entry.rank):
        if (entry.brand or entry.name) and entry.station_id not in brands.stations:
            brands.stations[entry.station_id] = BrandRecord(spell(entry.brand), entry.name)
            if entry.brand and entry.is_guessed:
                brands.guessed.add(entry.station_id)
    if not any(station.brand for station in brands.stations.values()):
        raise FeedRefused("the list names no brand")
    return brands


def _read_json(text: str, brands: BrandList) -> Iterator[_Entry]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FeedRefused("the list is damaged: its JSON can't be read") from error
    for key, value in content.items():
        if (station_id := _read_station_id(key)) is None:
            brands.rejections["station id can't be read"] += 1
        elif not isinstance(value, dict) or not all(_is_text(value.get(name)) for name in ("brand", "name")):
            brands.rejections["entry can't be read"] += 1
        else:
            brand = clean_brand_text(value.get("brand"), BRAND_LENGTH)
            yield _Entry(station_id, brand, clean_brand_text(value.get("name"), NAME_LENGTH))


def _read_table(text: str, brands: BrandList) -> Iterator[_Entry]:
    header, rows = _split_table(text)
    places = {name: header.index(name) for name in (REF_COLUMN, *TEXT_COLUMNS) if name in header}
    for row in rows:
        if not row:
            continue
        if len(row) != len(header):
            brands.rejections["row has not the cells of the header"] += 1
            continue
        brand, operator, name = (row[places[name]] if name in places else "" for name in TEXT_COLUMNS)
        # A ";" separates several values of a tag: of brands the first is the one that counts most.
        refs = [ref.strip() for ref in row[places[REF_COLUMN]].split(";") if clean_brand_text(ref, BRAND_LENGTH)]
        if not refs:
            brands.without_id += 1
            continue
        brand = next(filter(None, (clean_brand_text(part, BRAND_LENGTH) for part in brand.split(";"))), "")
        others = tuple(clean_brand_text(text, BRAND_LENGTH) for text in (operator, name))
        for ref in refs:
            if (station_id := _read_station_id(ref)) is None:
                brands.rejections["station id can't be read"] += 1
            else:
                yield _Entry(station_id, brand, clean_brand_text(name, NAME_LENGTH), others)


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


def _fill_in(entries: Sequence[_Entry]) -> Iterator[_Entry]:
    """Give entries without a brand the operator or name for one, if it is a brand elsewhere: most are a garage's own.

    A list that has no brands at all means its operators and names.
    """
    known = {make_brand_key(entry.brand) for entry in entries if entry.brand}
    for entry in entries:
        others = (other for other in entry.others if other and (not known or make_brand_key(other) in known))
        yield entry if entry.brand else entry._replace(brand=next(others, ""), is_guessed=True)
