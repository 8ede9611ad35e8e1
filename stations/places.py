"""Finding the place a visitor means: a town, a postcode or its first digits, a point on the map."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select

from errors import PlaceUnknown
from models import Station, make_town_key
from stations.departments import DEPARTMENTS, find_department

MAX_QUERY_LENGTH = 80
MAX_OFFERED = 12
# What people write beside what we look for: the town after its postcode, the arrondissement after its town.
_ADDRESS_REST = re.compile(r"^([0-9]{5}) \D.*$|(?<=\D) [0-9]{1,2} ?(?:er|[eè]me|e)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """Where to look for stations: around a point, or, with `zip_prefixes`, at the postcodes that begin like that."""

    name: str
    department: str
    latitude: float
    longitude: float
    station_count: int
    zip_prefixes: tuple[str, ...] = ()


def find_places(connection: Connection, query: str) -> tuple[Place, ...]:
    """Return the places that a text can mean; one if it is clear, else the larger ones first.

    Towns are known by the stations in them: the exact name (case, accents, hyphens and St/Saint aside), else names
    that begin with the text, else names in which a word begins with it. Digits are a postcode or the beginning of one.

    Raises PlaceUnknown: no station is there.
    """
    text = _ADDRESS_REST.sub(r"\1", " ".join(query[:MAX_QUERY_LENGTH].split()))
    digits = text.replace(" ", "")
    if re.fullmatch("[0-9]{1,5}|2[AaBb]", digits):
        return (_find_postcode(connection, digits.upper()),)
    key = make_town_key(text)
    if len(key) < 2:
        raise PlaceUnknown(text)
    for condition in (
        Station.town_key == key,
        Station.town_key.startswith(key, autoescape=True),
        Station.town_key.contains(f" {key}", autoescape=True),
    ):
        if places := _list_towns(connection, condition):
            return places[:MAX_OFFERED]
    raise PlaceUnknown(text)


def parse_point(text: str) -> tuple[float, float] | None:
    """Read "48.857,2.352" into WGS84 degrees; None when it is no point of the globe."""
    match = re.fullmatch(r"(-?[0-9]{1,2}(?:\.[0-9]{1,10})?),(-?[0-9]{1,3}(?:\.[0-9]{1,10})?)", text.strip())
    if match is None:
        return None
    latitude, longitude = float(match[1]), float(match[2])
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _find_postcode(connection: Connection, digits: str) -> Place:
    # The two departments of Corsica share their first digits and part at the third.
    prefixes = {"2A": ("200", "201"), "2B": ("202", "203", "204", "205", "206")}.get(digits, (digits,))
    rows = _read_towns(connection, or_(*(Station.zip_code.startswith(prefix) for prefix in prefixes)))
    if not rows:
        raise PlaceUnknown(digits)
    place = _make_place(rows)
    if len(digits) == 5:
        return replace(place, name=f"{digits} {place.name}")
    departments = {find_department(row.zip_code) for row in rows}
    return replace(
        place,
        name=DEPARTMENTS.get(digits, f"{digits}…"),
        department=place.department if len(departments) == 1 else "",
        zip_prefixes=prefixes,
    )


def _list_towns(connection: Connection, condition: ColumnElement[bool]) -> tuple[Place, ...]:
    towns: dict[tuple[str, str], list[Row[Any]]] = defaultdict(list)
    for row in _read_towns(connection, condition):
        towns[row.town_key, find_department(row.zip_code)].append(row)
    return tuple(sorted(map(_make_place, towns.values()), key=lambda place: (-place.station_count, place.name)))


def _read_towns(connection: Connection, condition: ColumnElement[bool]) -> list[Row[Any]]:
    return list(connection.execute(_select_towns().where(condition)))


@cache
def _select_towns() -> Select[*tuple[Any, ...]]:
    """Build the query once, as far as it is always the same: that takes longer than asking it."""
    return (
        select(
            Station.town_key,
            Station.town,
            Station.zip_code,
            func.avg(Station.latitude).label("latitude"),
            func.avg(Station.longitude).label("longitude"),
            func.count().label("stations"),
        )
        .where(Station.left_feed_at.is_(None), Station.town_key != "")
        .group_by(Station.town_key, Station.town, Station.zip_code)
    )


def _make_place(rows: list[Row[Any]]) -> Place:
    """Make one place of the spellings and postcodes of a town; the spelling with the most accents is its name."""
    count = sum(row.stations for row in rows)
    sizes: Counter[str] = Counter()
    for row in rows:
        sizes[row.town_key] += row.stations
    largest = max(rows, key=lambda row: (sizes[row.town_key], row.town_key, row.stations))
    spellings = {row.town for row in rows if row.town_key == largest.town_key}
    return Place(
        name=max(spellings, key=lambda town: (sum(not letter.isascii() for letter in town), town)),
        department=find_department(largest.zip_code),
        latitude=sum(row.latitude * row.stations for row in rows) / count,
        longitude=sum(row.longitude * row.stations for row in rows) / count,
        station_count=count,
    )
