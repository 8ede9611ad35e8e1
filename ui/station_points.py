"""The points of the map that chooses stations: the answer of a route, so that they don't travel inside of a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import cache
from json.encoder import encode_basestring
from typing import Any

import streamlit as st
from sqlalchemy import Connection

from answers import Answer, Content, answer_content
from errors import SearchRefused
from prices.freshness import get_freshness
from prices.nearby import PriceRow, Rank
from stations.details import list_spots
from translations import LANGUAGES
from ui.formats import format_difference, format_price
from ui.freshness import count_ages_from
from ui.price_table import list_stock_out_lines, write_place
from ui.reading import open_reading
from ui.station_map import RGB, TIER_COLORS, UNRANKED_COLOR
from ui.station_search import LastAnswers, StationSearch, find_hour, find_stations, read_search, write_query

ADDRESS = "/stations.json"
KEEP_SECONDS = 600  # an address names the load it is of, so that a page asks for another one after the next
LINE_END = r"\n"  # in JSON
NO_PLACE = '"}'  # the end of a label that says nothing of the station, and of its record
MAX_BYTES = 32_000_000  # of points that are kept: those of the whole country are some 2 MB


@st.cache_resource(show_spinner=False)
def get_points() -> LastAnswers:
    """Return the points that this process keeps."""
    return LastAnswers(MAX_BYTES, weigh)


@st.cache_resource(show_spinner=False)
def get_spots() -> LastAnswers:
    """Return what this process keeps of the stations of the last load."""
    return LastAnswers(1)


def weigh(content: Content) -> int:
    """Return how many bytes points take, at most, plain and compressed."""
    return len(content.plain) + len(content.plain) // 4 + 1000


def make_points_link(search: StationSearch, edition: str, language: str) -> str:
    """Return the address of the points of a search."""
    return f"{ADDRESS}?{write_query(search, edition, language)}"


def answer_points(
    query: Mapping[str, str],
    headers: Mapping[str, str],
    computing: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Answer:
    """Answer a request for points, by the query of its address and its headers; it reads the database.

    Nothing in it is of a person: two who ask for the same get the same, however they spell it, and it is made once.
    What has to be made is made within `computing`, which may refuse it.
    """
    try:
        search = read_search(query)
        language = query.get("lang", LANGUAGES[0])
        if language not in LANGUAGES:
            raise SearchRefused(f"lang must be one of {', '.join(LANGUAGES)}")
    except SearchRefused as error:
        return Answer(400, {"Content-Type": "application/json"}, json.dumps({"error": str(error)}).encode())
    with open_reading() as connection:
        freshness = get_freshness(connection)
        edition = "" if freshness is None else freshness.edition
        as_of = find_hour(count_ages_from(freshness, datetime.now(UTC)))
        key = f"{as_of} {write_query(search, edition, language)}"

        def make() -> Content:
            with computing():
                return _write_points(connection, edition, search, language, as_of)

        kept = (edition, as_of, search, language)
        return answer_content(key, headers, KEEP_SECONDS, lambda: get_points().find(kept, make))


def make_label(row: PriceRow, own_name: str = "", language: str | None = None) -> str:
    """Return what is said of a station under the mouse: the price first, in short lines."""
    lines = _list_price_lines(row.price_milli_eur, row.difference_milli_eur, language)
    place = write_place("" if own_name else row.brand, own_name or row.address or row.town, row.town)
    return "\n".join([*lines, *list_stock_out_lines(row.rank, row.out_since, language), *([place] if place else [])])


def make_points(rows: Iterable[PriceRow], label: Callable[[PriceRow], str]) -> list[dict[str, Any]]:
    """Return stations as records of a layer, those whose location is doubtful left out."""
    return [
        {
            "id": row.station_id,
            "position": [round(row.point.longitude, 5), round(row.point.latitude, 5)],
            "color": _get_color(row.tier),
            "label": label(row),
        }
        for row in rows
        if row.point is not None
    ]


def _write_points(
    connection: Connection, edition: str, search: StationSearch, language: str, as_of: datetime
) -> Content:
    """Write what `make_points` makes of the stations of a search, text by text: that takes a tenth of the time."""
    nearby = find_stations(connection, edition, search, as_of) if edition else None
    median = None if nearby is None else nearby.median_milli_eur
    found = [] if nearby is None else nearby.list_points()
    spots = read_spots(connection, edition)
    colors = {tier: json.dumps(_get_color(tier), separators=(",", ":")) for tier in (None, *range(len(TIER_COLORS)))}

    @cache
    def write_facts(price: int | None, rank: Rank, out_since: datetime | None, tier: int | None) -> str:
        difference = price - median if price is not None and tier is not None and median is not None else None
        lines = _list_price_lines(price, difference, language)
        lines += list_stock_out_lines(rank, out_since, language)
        return f'{colors[tier]},"label":"' + _quote("".join(f"{line}\n" for line in lines))

    @cache
    def write_facts_alone(*facts: Any) -> str:
        return write_facts(*facts).removesuffix(LINE_END)

    # The cheapest last: they are drawn over the others. A load may have ended between two queries.
    points = [(spots[id_], facts) for id_, facts in reversed(found) if id_ in spots]
    records = [
        start + (write_facts_alone(*facts) if end == NO_PLACE else write_facts(*facts)) + end
        for (start, end), facts in points
    ]
    return Content(f"[{','.join(records)}]".encode())


def read_spots(connection: Connection, edition: str) -> dict[int, tuple[str, str]]:
    """Return by id, in JSON, what is the same in all answers: the record up to its colour, and the end of its label."""

    def read() -> dict[int, tuple[str, str]]:
        return {
            id_: (
                f'{{"id":{id_},"position":[{round(longitude, 5)},{round(latitude, 5)}],"color":',
                _quote(write_place(brand or "", address or town, town)) + NO_PLACE,
            )
            for id_, latitude, longitude, brand, address, town in list_spots(connection)
        }

    return get_spots().find(edition, read)


def _list_price_lines(price: int | None, difference: int | None, language: str | None) -> list[str]:
    """Return what is said of a price under the mouse; the difference is to the median of all that were found."""
    lines = [] if price is None else [format_price(price, language)]
    return lines if difference is None else [*lines, format_difference(difference, language)]


def _get_color(tier: int | None) -> RGB:
    return UNRANKED_COLOR if tier is None else TIER_COLORS[tier]


def _quote(text: str) -> str:
    """Write a text as it stands between the quotes of JSON."""
    return encode_basestring(text)[1:-1]
