"""What a driver may ask of stations: words of an address or name, the road, opening hours, services, brand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, literal, select

from models import Station, StationBrand, make_town_key
from stations.opening_hours import PARIS, is_surely_open
from stations.places import MAX_QUERY_LENGTH
from text import expand_town_words

MAX_WORDS = 8

Roads = Literal["all", "road", "motorway"]


@dataclass(frozen=True)
class StationFilters:
    """What stations must meet; as it is, all do.

    Each of `words` begins a word of the address, the town, the brand or the name, or the postcode. `open_at`: open at
    that moment by its hours or by an automat that sells day and night; hours that are not known don't count.
    `services` are ids, all of them wanted; `brands` are keys as in StationBrand, any of them. `in_stock`: sells the
    fuel asked for now, or any fuel when none is.
    """

    words: tuple[str, ...] = ()
    roads: Roads = "all"
    open_at: datetime | None = None
    has_automat: bool = False
    services: tuple[int, ...] = ()
    in_stock: bool = False
    brands: tuple[str, ...] = ()


class StationFacts(NamedTuple):
    """What filters judge of a station that is kept: `text` is that in which words are looked for."""

    zip_code: str
    text: str
    opening_hours: str | None
    has_automat: bool


def split_words(text: str) -> tuple[str, ...]:
    """Return the words that a person means by a text: abbreviated and postal ones put plainly, as for a place."""
    text = text[:MAX_QUERY_LENGTH]
    return list_words(expand_town_words(text)) or list_words(text)


def list_words(text: str) -> tuple[str, ...]:
    """Return the words of a text in the form in which addresses are searched; few, and none of punctuation alone."""
    return tuple(dict.fromkeys(make_town_key(text).split()))[:MAX_WORDS]


def list_conditions(filters: StationFilters) -> list[ColumnElement[bool]]:
    """Return what the database can judge of the filters by the station alone: all but `open_at` and `in_stock`."""
    conditions = [_has_words(filters.words)] if filters.words else []
    if filters.roads != "all":
        conditions.append(Station.is_motorway.is_(filters.roads == "motorway"))
    if filters.has_automat:
        conditions.append(Station.has_automat.is_(True))
    conditions += [Station.services.contains(f"|{service_id}|", autoescape=True) for service_id in filters.services]
    if filters.brands:
        branded = select(StationBrand.station_id).where(StationBrand.brand_key.in_(filters.brands))
        conditions.append(Station.id.in_(branded))
    return conditions


def make_opening_judge(at: datetime) -> Callable[[str | None, bool], bool]:
    """Return a function that says, of a stored week and of having an automat, whether a station sells `at` a moment.

    Few weeks differ among thousands of stations: each is read once.
    """
    known: dict[str | None, bool] = {None: False}
    local = at.astimezone(PARIS)

    def is_open(week: str | None, has_automat: bool) -> bool:
        if has_automat:
            return True
        if week not in known:
            known[week] = week is not None and is_surely_open(week, local)
        return known[week]

    return is_open


def list_facts(connection: Connection) -> dict[int, StationFacts]:
    """Return what filters judge of all stations of the feed, by id, for who keeps it: read once, judged at once."""
    text = _put_together().label("text")
    query = (
        select(Station.id, Station.zip_code, text, Station.opening_hours, Station.has_automat)
        .outerjoin(StationBrand, StationBrand.station_id == Station.id)
        .where(Station.left_feed_at.is_(None))
    )
    weeks: dict[str | None, str | None] = {}  # few differ
    return {
        id_: StationFacts(zip_code, words, weeks.setdefault(week, week), has_automat)
        for id_, zip_code, words, week, has_automat in connection.execute(query)
    }


def find_ids(facts: Mapping[int, StationFacts], filters: StationFilters, zip_prefixes: tuple[str, ...]) -> set[int]:
    """Return the stations that meet the words and `open_at`, at the postcodes that begin with one of `zip_prefixes`."""
    found: Iterable[tuple[int, StationFacts]] = facts.items()
    if zip_prefixes:
        found = [one for one in found if one[1].zip_code.startswith(zip_prefixes)]
    for word in filters.words:
        found = [one for one in found if f" {word}" in one[1].text]
    if filters.open_at is not None:
        is_open = make_opening_judge(filters.open_at)
        found = [one for one in found if is_open(one[1].opening_hours, one[1].has_automat)]
    return {id_ for id_, _facts in found}


def _has_words(words: tuple[str, ...]) -> ColumnElement[bool]:
    """Let each word begin one of the text of a station, which is put together once, however many words are asked."""
    texts = (
        select(Station.id, _put_together().label("text"))
        .outerjoin(StationBrand, StationBrand.station_id == Station.id)
        .where(Station.left_feed_at.is_(None))
        .subquery()
    )
    found = select(texts.c.id).where(*(texts.c.text.contains(f" {word}", autoescape=True) for word in words))
    return Station.id.in_(found)


def _put_together() -> ColumnElement[str]:
    """Put together what words are looked for in, a space before each word."""
    brand_and_name = func.coalesce(StationBrand.brand_key + " " + StationBrand.name_key, "")
    return literal(" ") + Station.address_key + " " + Station.town_key + " " + Station.zip_code + " " + brand_and_name
