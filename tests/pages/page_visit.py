"""A visitor of the pages without a browser, and what a feed must make them show, worked out apart from the program."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from math import acos, cos, radians, sin
from pathlib import Path
from statistics import median_low
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import streamlit as st
from babel.messages.pofile import read_po
from plain_reader import PlainStation, read_plainly
from sqlalchemy import Engine, update
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Widget

import etl
from db import begin_writing, open_engine, prepare_database
from feed.generator import FeedRecipe, write_feed
from models import FUEL_NAMES, FeedState
from settings import ROOT, Settings
from statefiles import write_lastjob

FIRST_ID = 1_000_001
FUEL_IDS = {name: fuel_id for fuel_id, name in FUEL_NAMES.items()}
WORD_JOINER = "\u2060"
_NOT_READ = frozenset({"id", "js_content", "css_content", "html_content", "element_id", "page_script_hash", "icon"})


@dataclass(frozen=True, eq=False)
class Country:
    """A state dir with a loaded feed, and the stations that are in it."""

    settings: Settings
    engine: Engine
    stations: Mapping[int, PlainStation]


def load_country(folder: Path, **recipe: Any) -> Country:
    """Load a generated feed of this hour into a database in the folder."""
    archive = folder / "feed.zip"
    write_feed(archive, FeedRecipe(**{"newest_at": datetime.now(UTC), "first_id": FIRST_ID, **recipe}))
    settings = Settings(state_dir=folder, feed_url=str(archive))
    engine = open_engine(settings.database)
    prepare_database(engine)
    assert etl.run_load(settings, engine).is_success
    return Country(settings, engine, read_plainly(archive))


@contextmanager
def run_app(monkeypatch: pytest.MonkeyPatch, settings: Settings, **variables: str) -> Iterator[None]:
    """Let the pages read that state dir. No load is due, so no page may start the background process."""
    for name, value in (settings.as_environment() | variables).items():
        monkeypatch.setenv(name, value)
    write_lastjob(settings, datetime.now(UTC))
    st.cache_resource.clear()
    try:
        yield
        assert not settings.pid_file.exists()
        assert not list(settings.outputs_dir.glob("std*.txt"))
    finally:
        st.cache_resource.clear()


def say_loaded(country: Country) -> None:
    """Let another load have ended, after what a test has changed: pages keep answers of the one before."""
    with begin_writing(country.engine) as connection:
        connection.execute(update(FeedState).values(loaded_at=datetime.now(UTC)))


def list_points(at: AppTest) -> list[dict[str, Any]]:
    """Return the points that the route answers the map of the page with, the cheapest last."""
    from ui.station_points import answer_points

    (chart,) = at.main.get("deck_gl_json_chart")
    (link,) = [layer["data"] for layer in json.loads(chart.proto.json)["layers"] if isinstance(layer["data"], str)]
    points: list[dict[str, Any]] = json.loads(answer_points(dict(parse_qsl(urlsplit(link).query)), {}).body)
    return points


def visit(
    page: str = "landing", *, locale: str = "en-GB", session_id: str | None = None, **query: str | list[str]
) -> AppTest:
    """Open a page in a new session, as its address does; `session_id`: of a driver who is logged in.

    "landing" is the address without a path.
    """
    at = AppTest.from_file(ROOT / "ui" / "main.py", default_timeout=30)
    at.context = {"locale": locale}
    if session_id is not None:
        at.session_state["session_id"] = session_id
    for name, value in query.items():
        at.query_params[name] = value
    if page != "landing":
        at.switch_page(str(ROOT / "pages" / f"{page}.py"))
    return run(at)


def run(at: AppTest | Widget) -> AppTest:
    """Run the page again, after a widget was used or because time has passed."""
    at = at.run()
    assert not at.exception
    return at


def read(markdown: str) -> str:
    """Return what a text in Markdown shows: without escapes, colours, emphasis and addresses of links."""
    text = re.sub(r":material/\w+:\s*|:[a-z-]+\[|\*\*", "", markdown.replace(WORD_JOINER, ""))
    text = re.sub(r"(?<!\\)\]\([^)\s]*\)|(?<!\\)[\[\]]", "", text)
    return re.sub(r"\\(.)", r"\1", text).replace("  \n", "\n")


def list_rows(at: AppTest) -> list[tuple[str, ...]]:
    """Return the cells of the first table as they are read."""
    return [tuple(read(cell) for cell in row) for row in at.main.table[0].value.itertuples(index=False)]


def list_answer(at: AppTest) -> list[tuple[str, str]]:
    """Return the prices of the first table and the stations they lead to: what stays the same a minute later."""
    cells = at.main.table[0].value.itertuples(index=False)
    return [(read(price), re.findall(r"/station\?id=\d+", station)[0]) for price, station, _ in cells]


def list_texts(at: AppTest) -> list[str]:
    """Return everything that the page says, to eyes or to what reads it aloud: every text of every element."""
    texts: list[str] = []
    for block in (at.main, at.sidebar):
        for node in block:
            if (proto := getattr(node, "proto", None)) is not None:
                texts.extend(_list_strings(proto))
            if node.type in ("table", "arrow_table"):
                texts.extend([*map(str, node.value.columns), *map(str, node.value.to_numpy().flatten())])
    return [text for text in texts if text.strip()]


def list_names_of_pages(at: AppTest) -> list[str]:
    """Return what the navigation says of each page."""
    return [text for page in at._registered_pages.values() for text in (page["page_name"], page["help"])]


def _list_strings(message: Any) -> Iterator[str]:
    """Yield the texts of a protobuf message, which is what the server sends for an element."""
    for field, value in message.ListFields():
        if field.name in _NOT_READ:
            continue
        values = value if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping) else [value]
        for one in values:
            if hasattr(one, "ListFields"):
                yield from _list_strings(one)
            elif isinstance(one, str) and field.name == "json":
                yield from _list_json_texts(json.loads(one) if one.startswith("{") else None)
            elif isinstance(one, str):
                yield one


def _list_json_texts(value: Any) -> Iterator[str]:
    """Return what the map and the button show: labels, not the names of the towns drawn under them."""
    if isinstance(value, dict):
        if isinstance(value.get("label"), str):
            yield value["label"]
        for child in value.values():
            yield from _list_json_texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _list_json_texts(child)


def find_other_language(texts: Iterable[str], shown: str) -> list[tuple[str, str]]:
    """Return the texts that say what only the other language says, each with the message that it says."""
    with (ROOT / "locale" / "fr" / "LC_MESSAGES" / "carburoam.po").open("rb") as file:
        catalogue = read_po(file, locale="fr")
    foreign = {}
    for message in catalogue:
        ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
        strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
        own, other = (strings, ids) if shown == "fr" else (ids, strings)
        for text in set(other) - set(own) - {""}:
            parts = [re.escape(part) for part in re.split(r"\{\w+\}", text)]
            if any(re.search(r"\w{2}", part) for part in parts):
                foreign[text] = re.compile(r"(?<![\w])" + ".{1,80}?".join(parts) + r"(?![\w])", re.DOTALL)
    segments = {
        part.strip(" .,")
        for text in texts
        for part in (text, *re.split(r"\n| · |, |(?<=[.!?:]) ", read(text)))
        if part.strip()
    }
    # A message of one or two words may well stand inside a sentence of the other language.
    return [
        (segment, text)
        for segment in sorted(segments)
        for text, pattern in foreign.items()
        if (pattern.search(segment) if len(text.split()) > 2 else pattern.fullmatch(segment))
    ]


@dataclass(frozen=True)
class Offer:
    """What a station asks for a fuel and how far away it is."""

    station: PlainStation
    price_milli_eur: int
    reported_at: datetime
    distance_km: float


def list_offers(
    country: Country, fuel: str, latitude_deg: float, longitude_deg: float, radius_km: float
) -> list[Offer]:
    """Return who sells the fuel around a point at a price that can be compared, cheapest first, then nearest."""
    fuel_id = FUEL_IDS[fuel]
    offers = []
    for station in country.stations.values():
        if fuel_id not in station.prices or fuel_id in station.stock_outs:
            continue
        north, other_north = radians(latitude_deg), radians(station.latitude_deg)
        east = radians(station.longitude_deg - longitude_deg)
        angle = acos(min(1.0, sin(north) * sin(other_north) + cos(north) * cos(other_north) * cos(east)))
        price, at = station.prices[fuel_id]
        if angle * 6371.0088 <= radius_km and is_comparable(country, fuel, price, at):
            offers.append(Offer(station, price, at, angle * 6371.0088))
    return sorted(offers, key=lambda offer: (offer.price_milli_eur, offer.distance_km))


def find_centre(country: Country, *zip_codes: str) -> tuple[float, float]:
    stations = [station for station in country.stations.values() if station.zip_code in zip_codes]
    return (
        sum(station.latitude_deg for station in stations) / len(stations),
        sum(station.longitude_deg for station in stations) / len(stations),
    )


def is_comparable(country: Country, fuel: str, price: int, at: datetime) -> bool:
    lowest, highest = find_plausible_range(country, fuel)
    return is_fresh(country, fuel, at) and lowest <= price <= highest


def is_fresh(country: Country, fuel: str, at: datetime) -> bool:
    return at >= find_newest_report(country) - timedelta(days=90 if fuel in ("E85", "GPLc") else 30)


@cache
def find_newest_report(country: Country) -> datetime:
    return max(at for station in country.stations.values() for _, at in station.prices.values())


@cache
def find_plausible_range(country: Country, fuel: str) -> tuple[int, int]:
    """Return the lowest and the highest fresh price before the first wide gap beyond which few prices lie."""
    prices, median = sorted(list_fresh_prices(country, fuel)), find_median(country, fuel)
    width = median * (0.07 if fuel in ("E85", "GPLc") else 0.04)
    possible = [price for price in prices if median / 2 <= price <= median * 2]
    lowest, highest = possible[0], possible[-1]
    for lower, higher in pairwise(possible):
        if higher - lower > width and higher <= median and possible.index(higher) <= 0.02 * len(prices):
            lowest = higher
        if higher - lower > width and lower >= median and possible[::-1].index(lower) <= 0.02 * len(prices):
            highest = min(highest, lower)
    return lowest, highest


@cache
def find_median(country: Country, fuel: str) -> int:
    return median_low(list_fresh_prices(country, fuel))


def list_fresh_prices(country: Country, fuel: str) -> list[int]:
    offers = [station.prices.get(FUEL_IDS[fuel]) for station in country.stations.values()]
    return [price for price, at in filter(None, offers) if is_fresh(country, fuel, at)]


def write_price(milli_eur: int, language: str = "en") -> str:
    number = f"{milli_eur // 1000}.{milli_eur % 1000:03}"
    return f"€{number}" if language == "en" else f"{number.replace('.', ',')}\u00a0€"
