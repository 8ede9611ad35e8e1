"""A search of stations as a page asks it and as an address carries it, and its answer, one for the list and the map.

The last answers are kept for every session, until the next load: those of the whole country hold thousands of rows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import Any, TypeVar, get_args
from urllib.parse import urlencode

import streamlit as st
from sqlalchemy import Connection

from errors import PlaceUnknown, SearchRefused
from models import FUEL_NAMES
from prices.figures import NationalFigure
from prices.nearby import NearbyPrices, list_nearby_prices, narrow_prices
from stations.brands import list_brands
from stations.details import list_services
from stations.filters import Roads, StationFacts, StationFilters, list_facts, list_words
from stations.places import Place, find_places, parse_point
from ui.price_table import MAX_LISTED
from ui.reading import get_national_figures

T = TypeVar("T")

# Rows that are kept of filtered answers of the whole country, which share them with the answer that has them all, and
# of others, some 500 bytes each.
MAX_ROWS = 80_000
MAX_SMALL_ROWS = 40_000
ROWS_AT_LEAST = 200  # that an answer counts for: also one without a row is kept with all that was asked
MAX_RADIUS_KM = 50
SLOT = timedelta(minutes=10)  # how long an answer to "open now" holds
NAMES = frozenset(
    {"fuel", "at", "radius", "zip", "words", "road", "open", "automat", "stock", "services", "brands", "lang", "load"}
)


@dataclass(frozen=True)
class StationSearch:
    """Which stations are asked for: around a point, at postcodes, or of the whole country; `fuel_id` None: any fuel.

    `zip_codes` are those of the place around the point, as `list_nearby_prices` takes them; no address carries them,
    since they are of stations that stand on no map. Searches that mean the same are equal: the order of words and the
    like says nothing.
    """

    fuel_id: int | None = None
    point: tuple[float, float] | None = None
    radius_km: int | None = None
    zip_prefixes: tuple[str, ...] = ()
    zip_codes: tuple[str, ...] = ()
    filters: StationFilters = field(default_factory=StationFilters)

    def __post_init__(self) -> None:
        filters = replace(
            self.filters,
            words=tuple(sorted(set(self.filters.words))),
            services=tuple(sorted(set(self.filters.services))),
            brands=tuple(sorted(set(self.filters.brands))),
        )
        object.__setattr__(self, "filters", filters)
        object.__setattr__(self, "zip_prefixes", _list_shortest(self.zip_prefixes))
        if self.point is not None:
            object.__setattr__(self, "point", round_point(*self.point))

    @property
    def is_national(self) -> bool:
        """Whether the answer may hold all stations of the country."""
        return self.point is None and not self.zip_prefixes and not self.filters.words


class LastAnswers:
    """The answers that were asked for last, as many as weigh no more than the limit; threads may share it.

    Each weighs 1 if nothing else is said.
    """

    def __init__(self, limit: int, weigh: Callable[[Any], int] = lambda _: 1) -> None:
        self._lock = Lock()  # of the dictionary
        self._making = [Lock() for _ in range(16)]  # shared out among the keys, so that most answers don't wait
        self._limit = limit
        self._weigh = weigh
        self._weight = 0
        self._answers: OrderedDict[Hashable, tuple[Any]] = OrderedDict()

    def find(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the answer kept under the key, or make it; what many ask for at once is made once."""
        if (kept := self._take(key)) is None:
            with self._making[hash(key) % len(self._making)]:
                if (kept := self._take(key)) is None:
                    kept = (make(),)
                    with self._lock:
                        self._answers[key] = kept
                        self._weight += self._weigh(kept[0])
                        while self._weight > self._limit:
                            self._weight -= self._weigh(self._answers.popitem(last=False)[1][0])
        answer: T = kept[0]
        return answer

    def __len__(self) -> int:
        return len(self._answers)

    def _take(self, key: Hashable) -> tuple[Any] | None:
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)


@dataclass(frozen=True)
class Facts:
    """What loads brought that is no station: figures by fuel, kinds of service by id, names of brands by key."""

    figures: dict[int, NationalFigure]
    services: dict[int, str]
    brands: dict[str, str]


def weigh(answer: NearbyPrices | tuple[Place, ...]) -> int:
    """Return for how many rows an answer counts."""
    return max(ROWS_AT_LEAST, answer.total if isinstance(answer, NearbyPrices) else len(answer))


@st.cache_resource(show_spinner=False)
def get_unfiltered() -> LastAnswers:
    """Return all stations of the country, which this process keeps for each fuel: no other search can push one out."""
    return LastAnswers(len(FUEL_NAMES) + 1)


@st.cache_resource(show_spinner=False)
def get_answers() -> LastAnswers:
    """Return the filtered answers of the whole country that this process keeps."""
    return LastAnswers(MAX_ROWS, weigh)


@st.cache_resource(show_spinner=False)
def get_small_answers() -> LastAnswers:
    """Return the other answers that this process keeps: of one place each."""
    return LastAnswers(MAX_SMALL_ROWS, weigh)


@st.cache_resource(show_spinner=False)
def get_facts() -> LastAnswers:
    """Return the facts of the last load that this process keeps."""
    return LastAnswers(2)


@st.cache_resource(show_spinner=False)
def get_station_facts() -> LastAnswers:
    """Return what this process keeps of the stations of the last load, for filters."""
    return LastAnswers(1)


def read_facts(connection: Connection, edition: str, as_of: datetime) -> Facts:
    """Return the facts of a load in the hour of `as_of`; `edition` is that of its Freshness."""
    hour = find_hour(as_of)

    def read() -> Facts:
        brands = {brand.key: brand.name for brand in list_brands(connection)}
        return Facts(get_national_figures().find(connection, edition, hour), list_services(connection), brands)

    return get_facts().find((edition, hour), read)


def find_stations(connection: Connection, edition: str, search: StationSearch, as_of: datetime) -> NearbyPrices:
    """Return the stations that meet the search, in the order of their list; `edition` is that of the Freshness.

    Ages count from the full hour before `as_of`: they are of weeks, and an answer is kept. The rows are those that a
    list may show, the points all there are.
    """
    hour = find_hour(as_of)
    list_stations = partial(_list_stations, connection, edition, as_of=hour)
    if search.point is not None and not search.zip_prefixes:
        return get_small_answers().find((edition, hour, search), lambda: list_stations(search))
    whole_country = StationSearch(search.fuel_id)
    national: NearbyPrices = get_unfiltered().find((edition, hour, whole_country), lambda: list_stations(whole_country))
    if search == whole_country:
        return national

    def narrow() -> NearbyPrices:
        return narrow_prices(
            connection,
            national,
            find_station_facts(connection, edition),
            _find_figure(connection, edition, search, hour),
            search.fuel_id,
            as_of=hour,
            zip_prefixes=search.zip_prefixes,
            filters=search.filters,
            most=MAX_LISTED,
        )

    answers = get_answers() if search.is_national else get_small_answers()
    return answers.find((edition, hour, search), narrow)


def find_station_facts(connection: Connection, edition: str) -> dict[int, StationFacts]:
    """Return what filters judge of all stations, which is kept for a load."""
    return get_station_facts().find(edition, lambda: list_facts(connection))


def search_place(place: Place, fuel_id: int | None, radius_km: int, filters: StationFilters) -> StationSearch:
    """Return the search of the stations that a place is asked for: at its postcodes, or around it."""
    if place.zip_prefixes:
        return StationSearch(fuel_id, zip_prefixes=place.zip_prefixes, filters=filters)
    point = round_point(place.latitude, place.longitude)
    return StationSearch(fuel_id, point=point, radius_km=radius_km, zip_codes=place.doubtful_zip_codes, filters=filters)


def find_asked_places(
    connection: Connection, edition: str, query: str, *, may_be_address: bool = False
) -> tuple[Place, ...]:
    """Return the places that a text can mean, as `find_places` does; none when no station is there."""

    def find() -> tuple[Place, ...]:
        try:
            return find_places(connection, query, may_be_address=may_be_address)
        except PlaceUnknown:
            return ()

    return get_small_answers().find((edition, query, may_be_address), find)


def round_point(latitude: float, longitude: float) -> tuple[float, float]:
    """Return a point as an address carries it, to a metre, so that the list and the map measure from the same one."""
    return round(latitude, 5) + 0.0, round(longitude, 5) + 0.0  # -0.0 is 0.0


def find_slot(now: datetime) -> datetime:
    """Return the moment at which "open now" is judged: the last full ten minutes."""
    seconds = int(now.timestamp())
    return datetime.fromtimestamp(seconds - seconds % int(SLOT.total_seconds()), UTC)


def find_hour(as_of: datetime) -> datetime:
    """Return the last full hour, from which ages count in answers that are kept."""
    return as_of.replace(minute=0, second=0, microsecond=0)


def write_query(search: StationSearch, edition: str, language: str) -> str:
    """Return the search as the query of an address; the edition is in it so that a new load is a new address."""
    filters = search.filters
    values = {
        "fuel": search.fuel_id,
        "at": search.point and f"{search.point[0]},{search.point[1]}",
        "radius": search.radius_km,
        "zip": ",".join(search.zip_prefixes),
        "words": " ".join(filters.words),
        "road": "" if filters.roads == "all" else filters.roads,
        "open": filters.open_at and int(filters.open_at.timestamp()),
        "automat": "1" if filters.has_automat else "",
        "stock": "1" if filters.in_stock else "",
        "services": ",".join(map(str, filters.services)),
        "brands": ",".join(filters.brands),
        "lang": language,
        "load": edition,
    }
    return urlencode({name: value for name, value in values.items() if value not in (None, "")})


def read_search(query: Mapping[str, str]) -> StationSearch:
    """Read the query of an address, which anybody may have written.

    Raises SearchRefused: something in it can't be read; the text says what.
    """
    if strange := set(query) - NAMES:
        raise SearchRefused(f"unknown parameter: {min(strange)[:40]!r}")
    if any(len(value) > 200 for value in query.values()):
        raise SearchRefused("a parameter is too long")
    point = parse_point(query["at"]) if "at" in query else None
    if "at" in query and point is None:
        raise SearchRefused("at must be a latitude and a longitude in degrees, as in 45.75,4.85")
    radius_km = _read_number(query, "radius", 1, MAX_RADIUS_KM)
    if (point is None) != (radius_km is None):
        raise SearchRefused("at and radius go together")
    roads = query.get("road", "all")
    if roads not in get_args(Roads):
        raise SearchRefused(f"road must be one of {', '.join(get_args(Roads))}")
    words = list_words(query.get("words", ""))
    if "words" in query and not words:
        raise SearchRefused("words must hold a letter or a digit")
    opens = _read_number(query, "open", 0, 2**33)
    return StationSearch(
        fuel_id=_read_number(query, "fuel", min(FUEL_NAMES), max(FUEL_NAMES)),
        point=point,
        radius_km=radius_km,
        zip_prefixes=_read_list(query, "zip", _is_number),
        filters=StationFilters(
            words=words,
            roads=roads,  # type: ignore[arg-type]  # looked up above
            open_at=None if opens is None else find_slot(datetime.fromtimestamp(opens, UTC)),
            has_automat=_read_flag(query, "automat"),
            services=tuple(
                map(
                    int, _read_list(query, "services", lambda part: part.isascii() and part.isdigit() and len(part) < 4)
                )
            ),
            in_stock=_read_flag(query, "stock"),
            brands=_read_list(query, "brands", lambda part: len(part) <= 60),
        ),
    )


def _list_stations(connection: Connection, edition: str, search: StationSearch, *, as_of: datetime) -> NearbyPrices:
    latitude, longitude = search.point or (None, None)
    return list_nearby_prices(
        connection,
        _find_figure(connection, edition, search, as_of),
        search.fuel_id,
        as_of=as_of,
        latitude=latitude,
        longitude=longitude,
        radius_km=search.radius_km,
        zip_codes=search.zip_codes,
        filters=search.filters,
        most=MAX_LISTED if search.point is None else None,  # of one place, to read all at once is quicker
    )


def _find_figure(connection: Connection, edition: str, search: StationSearch, as_of: datetime) -> NationalFigure | None:
    if search.fuel_id is None:
        return None
    return get_national_figures().find(connection, edition, as_of).get(search.fuel_id)


def _list_shortest(prefixes: Iterable[str]) -> tuple[str, ...]:
    """Return the prefixes in order, without those that another one includes."""
    kept: list[str] = []
    for prefix in sorted(set(prefixes)):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return tuple(kept)


def _read_number(query: Mapping[str, str], name: str, lowest: int, highest: int) -> int | None:
    if name not in query:
        return None
    text = query[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 11 and lowest <= int(text) <= highest):
        raise SearchRefused(f"{name} must be a whole number from {lowest} to {highest}")
    return int(text)


def _read_flag(query: Mapping[str, str], name: str) -> bool:
    if query.get(name, "1") != "1":
        raise SearchRefused(f"{name} must be 1 or left out")
    return name in query


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


def _read_list(query: Mapping[str, str], name: str, is_right: Callable[[str], bool]) -> tuple[str, ...]:
    if name not in query:
        return ()
    parts = tuple(dict.fromkeys(query[name].split(",")))
    if len(parts) > 40 or not all(part and is_right(part) for part in parts):
        raise SearchRefused(f"{name} can't be read")
    return parts
