"""Finding the place a visitor means: a town, a postcode or its first digits, a point on the map."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from errors import PlaceUnknown
from models import Station, make_town_key
from stations.departments import DEPARTMENTS, find_department
from stations.geography import find_centre, find_median
from text import read_town

MAX_QUERY_LENGTH = 80
MAX_OFFERED = 12
TOWN_REACH_KM = 10  # how far pages look around a place at first: the stations that make up a centre are all found

_ARTICLES = ("le", "la", "les", "l")
# Where one beginning of a postcode is not enough: the two departments of Corsica part at the third digit, and the
# sixteenth arrondissement of Paris has two postcodes.
_ZIP_PREFIXES = {"2A": ("200", "201"), "2B": ("202", "203", "204", "205", "206"), "75016": ("75016", "75116")}


@dataclass(frozen=True)
class Place:
    """Where to look for stations: around a point, or, with `zip_prefixes`, at the postcodes that begin like that.

    `doubtful_zip_codes` are those of its stations that lie around no point, since their location is doubtful.
    """

    name: str
    department: str
    latitude: float
    longitude: float
    station_count: int
    zip_prefixes: tuple[str, ...] = ()
    doubtful_zip_codes: tuple[str, ...] = ()


def find_places(connection: Connection, query: str, *, may_be_address: bool = False) -> tuple[Place, ...]:
    """Return the places that a text can mean; one if it is clear, else the larger ones first.

    Towns are known by the stations in them: the exact name (case, accents, hyphens and St/Saint aside), else with
    another article or none, else names that begin with the text, else names in which a word begins with it, else
    with spaces more ("lisle adam"). A postcode, an arrondissement or a department beside the name says which town of
    that name, unless none of them is there. Digits alone are a postcode or the beginning of one; so is a postcode
    beside a name that no town has, unless the text `may_be_address`.

    Raises PlaceUnknown: no station is there.
    """
    written = read_town(query[:MAX_QUERY_LENGTH])
    key = make_town_key(written.name)
    digits = written.digits or _get_department_code(make_town_key(written.note))
    # Two letters are enough to go by when they are all that was typed, not when they are what was understood of it.
    is_beginning = len(key) > 2 or (len(key) == 2 and key == make_town_key(query))
    similar = _read_similar(connection, key) if is_beginning else ()
    if not key:
        places = _find_postcode(connection, digits)
    elif digits:
        places = _find_towns(connection, chain(_read_named(connection, key), similar), digits)
        if len(digits) == 5 and not places and not may_be_address:
            places = _find_postcode(connection, digits)
    else:
        places = (
            _find_towns(connection, _read_named(connection, key))
            or _find_postcode(connection, _get_department_code(key))
            or _find_towns(connection, similar)
        )
    places = places or _find_before_department(connection, key)
    if not places and ", " in written.name:
        first_key = make_town_key(written.name.split(", ")[0])
        places = _find_towns(connection, _read_named(connection, first_key), digits)
    if not places:
        raise PlaceUnknown(query[:MAX_QUERY_LENGTH])
    return places


def parse_point(text: str) -> tuple[float, float] | None:
    """Read "48.857,2.352" into WGS84 degrees; None when it is no point of the globe."""
    match = re.fullmatch(r"(-?[0-9]{1,2}(?:\.[0-9]{1,10})?),(-?[0-9]{1,3}(?:\.[0-9]{1,10})?)", text.strip())
    if match is None:
        return None
    latitude, longitude = float(match[1]), float(match[2])
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _find_postcode(connection: Connection, digits: str) -> tuple[Place, ...]:
    """Return the one place of a postcode, or of all that begin with those digits; none when no station is there."""
    if not digits:
        return ()
    prefixes = _list_zip_prefixes(digits)
    rows = _read_stations(connection, _has_zip_code(prefixes))
    if not rows:
        return ()
    if len(digits) == 5:
        return (_make_place(connection, rows, digits),)
    departments = {find_department(row.zip_code) for row in rows}
    place = Place(
        DEPARTMENTS.get(digits, f"{digits}…"),
        departments.pop() if len(departments) == 1 else "",
        *find_median(_list_trusted_points(rows) or _list_points(rows)),
        station_count=len(rows),
        zip_prefixes=prefixes,
    )
    return (place,)


def _find_towns(connection: Connection, groups: Iterable[Sequence[Row[Any]]], digits: str = "") -> tuple[Place, ...]:
    """Return the towns of the first group that holds any, or rather of the first that holds any at those digits."""
    is_postcode = len(digits) == 5
    narrower = [digits, find_department(digits)] if is_postcode else [digits]
    elsewhere: Sequence[Row[Any]] = ()
    for rows in groups:
        for beginning in filter(None, narrower):
            if narrowed := [row for row in rows if row.zip_code.startswith(_list_zip_prefixes(beginning))]:
                return _list_towns(connection, narrowed, digits if is_postcode and beginning == digits else "")
        elsewhere = elsewhere or rows
        if elsewhere and not digits:
            break
    if is_postcode and elsewhere and (places := _find_postcode(connection, digits)):
        return places
    return _list_towns(connection, elsewhere)


def _find_before_department(connection: Connection, key: str) -> tuple[Place, ...]:
    """Return the towns meant by a key that ends with a department: "saint denis la reunion"."""
    words = key.split()
    for count in range(min(len(words) - 1, 5), 0, -1):
        if code := _get_department_code(" ".join(words[-count:])):
            return _find_towns(connection, _read_named(connection, " ".join(words[:-count])), code)
    return ()


def _read_named(connection: Connection, key: str) -> Iterator[list[Row[Any]]]:
    """Yield the stations of the towns with that key, then of those with another article or none."""
    bare = _drop_article(key)
    rows = _read_stations(connection, Station.town_key.in_([bare, *(f"{article} {bare}" for article in _ARTICLES)]))
    yield [row for row in rows if row.town_key == key]
    yield rows


def _read_similar(connection: Connection, key: str) -> Iterator[list[Row[Any]]]:
    """Yield the stations of towns that begin with the key, of those with a word that does, of "L'Isle" for "lisle"."""
    yield _read_stations(connection, Station.town_key.startswith(key, autoescape=True))
    is_joined = and_(
        func.length(Station.town_key) > len(key), func.replace(Station.town_key, " ", "") == key.replace(" ", "")
    )
    rows = _read_stations(connection, or_(Station.town_key.contains(f" {key}", autoescape=True), is_joined))
    yield [row for row in rows if f" {key}" in row.town_key]
    yield rows


def _drop_article(key: str) -> str:
    article, _space, rest = key.partition(" ")
    return rest if rest and article in _ARTICLES else key


def _get_department_code(key: str) -> str:
    """Return the code of the department with that name, in the form of town_key; "" for none."""
    return _list_department_codes().get(_drop_article(key), "")


@cache
def _list_department_codes() -> dict[str, str]:
    return {_drop_article(make_town_key(name)): code for code, name in DEPARTMENTS.items()}


def _list_zip_prefixes(digits: str) -> tuple[str, ...]:
    return _ZIP_PREFIXES.get(digits, (digits,))


def _has_zip_code(prefixes: tuple[str, ...]) -> ColumnElement[bool]:
    if all(len(prefix) == 5 for prefix in prefixes):
        return Station.zip_code.in_(prefixes)  # by the index
    return or_(*(Station.zip_code.startswith(prefix) for prefix in prefixes))


def _read_stations(connection: Connection, condition: ColumnElement[bool]) -> list[Row[Any]]:
    """Read the stations that meet a condition on their town or their postcode, which the index of it judges alone."""
    found = select(Station.id).where(condition)
    return list(connection.execute(_select_stations().where(Station.id.in_(found))).all())


@cache
def _select_stations() -> Select[*tuple[Any, ...]]:
    """Build the query once, as far as it is always the same: that takes longer than asking it."""
    return select(
        Station.town_key,
        Station.town,
        Station.zip_code,
        Station.latitude,
        Station.longitude,
        Station.is_location_doubtful,
    ).where(Station.left_feed_at.is_(None))


def _list_towns(connection: Connection, rows: Sequence[Row[Any]], zip_code: str = "") -> tuple[Place, ...]:
    """Make places of the largest towns, of no more than can be offered: to find a centre costs more than to read it."""
    towns: dict[tuple[str, str], list[Row[Any]]] = defaultdict(list)
    for row in rows:
        towns[row.town_key, find_department(row.zip_code)].append(row)
    sizes = sorted(map(len, towns.values()), reverse=True)[:MAX_OFFERED]
    places = [_make_place(connection, town, zip_code) for town in towns.values() if len(town) >= sizes[-1]]
    return tuple(sorted(places, key=lambda place: (-place.station_count, place.name)))[:MAX_OFFERED]


def _make_place(connection: Connection, rows: Sequence[Row[Any]], zip_code: str = "") -> Place:
    """Make one place of the stations of a town or postcode, named after their largest town and the postcode, if given.

    The spelling with the most accents is the name. Where no location can be trusted, its postcodes are searched.
    """
    sizes = Counter((row.town_key, row.zip_code) for row in rows)
    towns = Counter(row.town_key for row in rows if row.town_key)
    town_key = max(towns, key=lambda key: (towns[key], key), default="")
    largest_zip_code = max((code for key, code in sizes if key == town_key), key=lambda code: sizes[town_key, code])
    spellings = {row.town for row in rows if row.town_key == town_key}
    town = max(spellings, key=lambda name: (sum(not letter.isascii() for letter in name), name))
    department = find_department(largest_zip_code)
    points = _list_trusted_points(rows)
    if points:
        centre = find_centre(
            points, TOWN_REACH_KM, lambda: _find_middle(connection, largest_zip_code, len(points)) or points[0]
        )
    else:
        centre = _find_middle(connection, largest_zip_code, 0) or find_median(_list_points(rows))
    return Place(
        " ".join(filter(None, (zip_code, town))),
        department,
        *centre,
        station_count=len(rows),
        zip_prefixes=() if points else tuple(sorted({row.zip_code for row in rows} - {""})),
        doubtful_zip_codes=tuple(sorted({row.zip_code for row in rows if row.is_location_doubtful} - {""})),
    )


def _find_middle(connection: Connection, zip_code: str, number: int) -> tuple[float, float] | None:
    """Return the middle of the postcode's stations, or of its department's; None where no more than this number are."""
    for prefixes in ((zip_code,), _list_zip_prefixes(find_department(zip_code))):
        points = _list_trusted_points(_read_stations(connection, _has_zip_code(prefixes)))
        if len(points) > number:
            return find_median(points)
    return None


def _list_trusted_points(rows: Sequence[Row[Any]]) -> list[tuple[float, float]]:
    return [(row.latitude, row.longitude) for row in rows if not row.is_location_doubtful]


def _list_points(rows: Sequence[Row[Any]]) -> list[tuple[float, float]]:
    return [(row.latitude, row.longitude) for row in rows]
