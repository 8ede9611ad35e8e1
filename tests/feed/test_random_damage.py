"""Whatever bytes come as a feed, the reader refuses them or makes sense of them; examples are the same on every run."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from damaged_bytes import TOKENS, Edit, damage
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, insert

from errors import FeedRefused
from feed.archive import open_archive
from feed.generator import FeedRecipe, RecordDamage, build_feed_xml, write_feed
from feed.parse import iterate_stations
from feed.records import RejectedStation, StationRecord
from feed.store import store_feed
from models import FUEL_NAMES, Base, GasType, Service, Station

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
WEEK = re.compile(
    r"(?:\?|(?:SPAN(?:,SPAN)*)?)(?:\|(?:\?|(?:SPAN(?:,SPAN)*)?)){6}".replace("SPAN", r"\d\d:\d\d-\d\d:\d\d")
)


def repeat(examples: int) -> settings:
    """Run a test with so many examples, the same on every run."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@contextmanager
def at_most_refused() -> Iterator[None]:
    """Let nothing but a refusal of one line come out."""
    try:
        yield
    except FeedRefused as refusal:
        if not str(refusal).isprintable():
            raise


@cache
def make_xml() -> bytes:
    return b"".join(build_feed_xml(FeedRecipe(newest_at=NOW, stations=60, record_damages=tuple(RecordDamage))))


@cache
def make_zip() -> bytes:
    with TemporaryDirectory() as folder:
        write_feed(Path(folder) / "feed.zip", FeedRecipe(newest_at=NOW, stations=8))
        return (Path(folder) / "feed.zip").read_bytes()


def read_length(table: type[Base], name: str) -> int:
    return int(table.__table__.c[name].type.length)


def require_clean(text: str, length: int) -> None:
    assert len(text) <= length
    assert text == " ".join(text.split())
    assert not [letter for letter in text if unicodedata.category(letter) == "Cc"]


def require_instant(text: str) -> None:
    """Require the form in which the database keeps an instant, and a moment before the end of the leeway."""
    assert datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC) <= NOW + timedelta(days=1)
    assert len(text) == 26


def require_sense(station: StationRecord) -> None:
    """Require that every field is one that the database and the pages can live with."""
    assert 1 <= station.id <= 999_999_999
    assert -90 <= station.latitude_deg <= 90
    assert -180 <= station.longitude_deg <= 180
    require_clean(station.address, read_length(Station, "address"))
    require_clean(station.town, read_length(Station, "town"))
    require_clean(station.zip_code, read_length(Station, "zip_code"))
    for name in station.services:
        require_clean(name, read_length(Service, "name"))
        assert name
    if station.opening_hours is not None:
        assert WEEK.fullmatch(station.opening_hours), station.opening_hours
        assert len(station.opening_hours) <= read_length(Station, "opening_hours")
        for hours, minutes in re.findall(r"(\d\d):(\d\d)", station.opening_hours):
            assert int(hours) * 60 + int(minutes) <= 24 * 60
            assert int(minutes) < 60
    for price in station.prices:
        assert 1 <= price.price_milli_eur <= 20_000
        require_instant(price.updated_at)
        assert price.updated_at >= "2000-01-01"
    for stock_out in station.stock_outs:
        if stock_out.began_at is not None:
            require_instant(stock_out.began_at)
    for records in (station.prices, station.stock_outs):
        fuel_ids = [record.fuel_id for record in records]
        assert set(fuel_ids) <= FUEL_NAMES.keys()
        assert len(set(fuel_ids)) == len(fuel_ids)
    assert -(2**63) <= station.fingerprint < 2**63
    assert len(station.prices) <= station.price_count


def read_xml(xml: bytes) -> list[Any]:
    """Read a feed; nothing but a refusal may come out of it beside the stations, and those make sense."""
    stations = []
    with at_most_refused():
        for station in iterate_stations(io.BytesIO(xml), {}, now=NOW):
            if isinstance(station, StationRecord):
                require_sense(station)
            else:
                assert isinstance(station, RejectedStation)
            stations.append(station)
    ids = [station.id for station in stations if isinstance(station, StationRecord)]
    assert len(set(ids)) == len(ids)
    return stations


def store(xml: bytes) -> None:
    """Store a feed into a database in memory that forgets it again."""
    with _open_database() as connection:
        with at_most_refused():
            store_feed(connection, io.BytesIO(xml), now=NOW)
        connection.rollback()


def _open_database() -> Connection:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    connection = engine.connect()
    connection.execute(insert(GasType), [{"id": id_, "name": name} for id_, name in FUEL_NAMES.items()])
    connection.commit()
    return connection


# A position is a share of the length, so that it means something in every input.
positions = st.floats(0, 1)
lengths = st.integers(1, 400)
tokens = st.sampled_from(TOKENS)
edits = st.one_of(
    st.tuples(st.just("delete"), positions, lengths),
    st.tuples(st.just("double"), positions, lengths),
    st.tuples(st.just("flip"), positions, st.integers(1, 255)),
    st.tuples(st.just("swap"), positions, lengths),
    st.tuples(st.just("insert"), positions, st.one_of(tokens, st.binary(min_size=1, max_size=8))),
)


@repeat(50)
@given(st.lists(edits, min_size=1, max_size=6))
def test_damaged_xml_is_refused_or_makes_sense(changes: list[Edit]) -> None:
    read_xml(damage(make_xml(), changes))


@repeat(30)
@given(st.lists(edits, min_size=1, max_size=6))
def test_a_damaged_archive_is_refused_or_makes_sense(changes: list[Edit]) -> None:
    with at_most_refused(), open_archive(io.BytesIO(damage(make_zip(), changes))) as stream:
        for station in iterate_stations(stream, {}, now=NOW):
            if isinstance(station, StationRecord):
                require_sense(station)


@repeat(20)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda data: make_zip()[:30] + data)))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FeedRefused, match=r"^[^\n]+$"), open_archive(io.BytesIO(data)):
        pass


# What XML can hold at all: no control character but white space, no surrogate, none of the two non-characters.
texts = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\ufffe\uffff").filter(
        lambda c: c >= " " or c in "\t\n\r"
    ),
    max_size=40,
)
long_texts = st.one_of(texts, texts, st.tuples(texts, st.integers(2, 40)).map(lambda pair: f"{pair[0]} " * pair[1]))


def mostly(good: st.SearchStrategy[str], *odd: str) -> st.SearchStrategy[str]:
    """Give good values half of the time, so that what comes after them is reached."""
    return st.one_of(good, good, st.sampled_from(["", " ", "0", "-1", "NaN", "1e3", "9" * 30, *odd]), texts)


numbers = st.decimals(-20_000_000, 20_000_000, allow_nan=False).map("{:f}".format)
times = st.datetimes().map("{:%Y-%m-%d %H:%M:%S}".format)
clocks = st.times().map("{:%H.%M}".format)
fuels = st.integers(0, 7).map(str)
prices = st.tuples(
    mostly(fuels), mostly(times, "2026-03-29 02:30:00"), mostly(st.decimals(0, 25, places=3).map(str), "1479", "1,739")
)
stock_outs = st.tuples(
    mostly(fuels), mostly(times), mostly(times, ""), mostly(st.sampled_from(["temporaire", "definitive"]))
)
days = st.tuples(
    mostly(st.integers(0, 8).map(str)),
    mostly(st.just("1")),
    st.lists(st.tuples(mostly(clocks), mostly(clocks)), max_size=5),
)
stations = st.fixed_dictionaries(
    {
        "attributes": st.tuples(
            mostly(st.integers(1, 10**9).map(str)), mostly(numbers), mostly(numbers), long_texts, texts
        ),
        "address": long_texts,
        "town": long_texts,
        "automat": texts,
        "days": st.lists(days, max_size=8),
        "services": st.lists(long_texts, max_size=4),
        "prices": st.lists(prices, max_size=8),
        "stock_outs": st.lists(stock_outs, max_size=3),
    }
)


def write_element(tag: str, names: str, values: tuple[str, ...], inner: str = "") -> str:
    attributes = " ".join(f"{name}={quoteattr(value)}" for name, value in zip(names.split(), values, strict=True))
    return f"<{tag} {attributes}>{inner}</{tag}>"


def write_station(station: dict[str, Any]) -> str:
    days = [
        write_element(
            "jour",
            "id ferme",
            (number, closed),
            "".join(write_element("horaire", "ouverture fermeture", span) for span in spans),
        )
        for number, closed, spans in station["days"]
    ]
    inner = [
        f"<adresse>{escape(station['address'])}</adresse><ville>{escape(station['town'])}</ville>",
        write_element("horaires", "automate-24-24", (station["automat"],), "".join(days)),
        f"<services>{''.join(f'<service>{escape(name)}</service>' for name in station['services'])}</services>",
        *(write_element("prix", "id maj valeur", price) for price in station["prices"]),
        *(write_element("rupture", "id debut fin type", stock_out) for stock_out in station["stock_outs"]),
    ]
    return write_element("pdv", "id latitude longitude cp pop", station["attributes"], "".join(inner))


@repeat(50)
@given(st.lists(stations, min_size=1, max_size=3), st.sampled_from(["utf-8", "iso-8859-1"]))
def test_any_text_in_any_field_makes_sense_or_is_rejected(feed: list[dict[str, Any]], encoding: str) -> None:
    body = "".join(write_station(station) for station in feed)
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>'
    xml = f"{declaration}<pdv_liste>{body}</pdv_liste>".encode(encoding, "xmlcharrefreplace")
    assert len(read_xml(xml)) == len(feed), "each station is read or rejected, and none is lost"
    store(xml)


def test_the_checks_above_see_what_is_wrong() -> None:
    good = read_xml(make_xml())[0]
    require_sense(good)
    spoilt: list[Callable[[], StationRecord]] = [
        lambda: good._replace(id=0),
        lambda: good._replace(latitude_deg=float("nan")),
        lambda: good._replace(address="a\x92"),
        lambda: good._replace(town="b" * 121),
        lambda: good._replace(zip_code=" 01000"),
        lambda: good._replace(opening_hours="06:00-22:00"),
        lambda: good._replace(opening_hours="06:00-25:00||||||"),
        lambda: good._replace(prices=(good.prices[0]._replace(price_milli_eur=0),)),
        lambda: good._replace(prices=(good.prices[0]._replace(fuel_id=9),)),
        lambda: good._replace(prices=(good.prices[0]._replace(updated_at="2026-03-12 12:00:00.000000"),)),
        lambda: good._replace(prices=good.prices[:1] * 2, price_count=9),
    ]
    for spoil in spoilt:
        try:
            require_sense(spoil())
        except AssertionError:
            continue
        raise AssertionError(f"nothing was found wrong with {spoil()}")
