"""The route of the map's points: what it answers, when it answers that nothing changed, and what it refuses."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import wrap

import pytest
import streamlit as st
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import delete, event, insert, select, update

import etl
from db import begin_writing, open_engine, prepare_database
from errors import TooManyRequests
from feed.generator import FeedRecipe, write_feed
from models import FUEL_NAMES, FeedState, Price, Station, StockOut
from prices.figures import NationalFigures
from prices.freshness import get_freshness
from prices.nearby import list_nearby_prices, list_price_rows
from settings import Settings
from stations.filters import StationFilters
from ui.price_table import LINE_LENGTH, wrap_line
from ui.reading import get_engine
from ui.station_points import Answer, answer_points, make_label, make_points
from ui.station_search import (
    MAX_ROWS,
    MAX_SMALL_ROWS,
    LastAnswers,
    StationSearch,
    find_slot,
    find_stations,
    get_answers,
    get_small_answers,
    read_search,
    weigh,
    write_query,
)

E10 = 5


@pytest.fixture
def country(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """The pages' database, with three hundred stations in it."""
    archive = tmp_path / "feed.zip"
    write_feed(archive, FeedRecipe(newest_at=datetime.now(UTC), stations=300, first_id=1_000_001))
    settings = settings.model_copy(update={"feed_url": str(archive)})
    engine = open_engine(settings.database)
    prepare_database(engine)
    assert etl.run_load(settings, engine).is_success
    engine.dispose()
    st.cache_resource.clear()
    yield settings
    st.cache_resource.clear()


def ask(headers: dict[str, str] | None = None, **query: str) -> Answer:
    return answer_points(query, headers or {})


def list_ids(answer: Answer) -> list[int]:
    return [point["id"] for point in json.loads(answer.body)]


@pytest.mark.parametrize(
    ("query", "search"),
    [
        ({}, {"fuel_id": None}),
        ({"fuel": "5"}, {"fuel_id": E10}),
        ({"fuel": "1", "at": "45.75,4.85", "radius": "50"}, {"fuel_id": 1, "place": (45.75, 4.85, 50.0)}),
        ({"fuel": "5", "zip": "69,13"}, {"fuel_id": E10, "zip_prefixes": ("69", "13")}),
        ({"fuel": "5", "road": "motorway", "stock": "1"}, {"fuel_id": E10, "roads": "motorway", "in_stock": True}),
        ({"fuel": "5", "words": "Rue paris"}, {"fuel_id": E10, "words": ("rue", "paris")}),
        ({"automat": "1", "services": "1"}, {"fuel_id": None, "has_automat": True, "services": (1,)}),
        ({"open": "1773144000"}, {"fuel_id": None, "open_at": datetime(2026, 3, 10, 12, tzinfo=UTC)}),
    ],
    ids=str,
)
def test_the_points_are_the_stations_of_the_list_the_cheapest_drawn_last(
    country: Settings, query: dict[str, str], search: dict[str, object]
) -> None:
    wanted = dict(search)
    fuel_id, place = wanted.pop("fuel_id"), wanted.pop("place", (None, None, None))
    zip_prefixes = wanted.pop("zip_prefixes", ())
    with get_engine().connect() as connection:
        nearby = list_nearby_prices(
            connection,
            NationalFigures().find(connection, "", datetime.now(UTC)).get(fuel_id or 0),
            fuel_id,
            as_of=datetime.now(UTC),
            latitude=place[0],
            longitude=place[1],
            radius_km=place[2],
            zip_prefixes=zip_prefixes,
            filters=StationFilters(**wanted),
        )
    assert nearby.rows
    assert list_ids(ask(**query)) == [row.station_id for row in reversed(nearby.rows)]


def test_a_station_whose_location_is_doubtful_is_no_point(country: Settings) -> None:
    ids = list_ids(ask(fuel="5"))
    with begin_writing(get_engine()) as connection:
        connection.execute(update(Station).where(Station.id == ids[0]).values(is_location_doubtful=True))
        connection.execute(update(FeedState).values(loaded_at=datetime.now(UTC) + timedelta(minutes=1)))
    assert list_ids(ask(fuel="5")) == ids[1:]


def test_a_point_says_where_it_is_what_it_costs_and_nothing_else(country: Settings) -> None:
    french, english = (json.loads(ask(fuel="5", lang=language).body)[-1] for language in ("fr", "en"))
    assert set(french) == {"id", "position", "color", "label"}
    assert french["label"].split("\n")[0].endswith("\u00a0€")
    assert english["label"].startswith("€")
    # The cheapest, by what it is below the median.
    assert re.match(r"−\d+,\d c$", french["label"].split("\n")[1])
    assert re.match(r"−\d+\.\d c$", english["label"].split("\n")[1])


def test_who_has_the_answer_is_told_so_until_the_next_load(country: Settings) -> None:
    first = ask(fuel="5")
    assert first.status == 200
    assert first.headers["Cache-Control"] == "public, max-age=600"
    known = {"if-none-match": f'"x", {first.headers["ETag"]}'}
    again = ask(known, fuel="5")
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert ask(known, fuel="1").status == 200
    assert ask(known, fuel="5", lang="en").status == 200
    with begin_writing(get_engine()) as connection:
        connection.execute(update(FeedState).values(loaded_at=datetime.now(UTC) + timedelta(minutes=1)))
        connection.execute(update(Price).values(price=1234))
    after = ask(known, fuel="5")
    assert after.status == 200
    assert b"1,234" in after.body


def test_an_answer_is_compressed_for_those_who_take_it(country: Settings) -> None:
    plain = ask(fuel="5")
    packed = ask({"accept-encoding": "deflate, gzip, br"}, fuel="5")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in ask({"accept-encoding": "gzip;q=0, br"}, fuel="5").headers
    assert plain.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({"fuel": "7"}, "fuel must be a whole number from 1 to 6"),
        ({"fuel": "E10"}, "fuel must be a whole number from 1 to 6"),
        ({"fuel": "٣"}, "fuel must be a whole number from 1 to 6"),
        ({"at": "91,0", "radius": "10"}, "at must be a latitude and a longitude"),
        ({"at": "45,4"}, "at and radius go together"),
        ({"radius": "10"}, "at and radius go together"),
        ({"at": "45,4", "radius": "51"}, "radius must be a whole number from 1 to 50"),
        ({"zip": "69,"}, "zip can't be read"),
        ({"zip": "%"}, "zip can't be read"),
        ({"services": "1,x"}, "services can't be read"),
        ({"services": ",".join(map(str, range(41)))}, "services can't be read"),
        ({"road": "sea"}, "road must be one of all, road, motorway"),
        ({"open": "now"}, "open must be a whole number"),
        ({"open": "99999999999"}, "open must be a whole number"),
        ({"automat": "yes"}, "automat must be 1 or left out"),
        ({"words": "--"}, "words must hold a letter or a digit"),
        ({"words": "a" * 201}, "a parameter is too long"),
        ({"lang": "de"}, "lang must be one of fr, en"),
        ({"user": "1"}, "unknown parameter: 'user'"),
    ],
    ids=str,
)
def test_what_can_t_be_read_is_refused_with_a_sentence(
    country: Settings, query: dict[str, str], complaint: str
) -> None:
    answer = ask(**query)
    assert answer.status == 400
    assert json.loads(answer.body)["error"].startswith(complaint)


def test_before_the_first_load_there_are_no_points(settings: Settings) -> None:
    st.cache_resource.clear()
    assert json.loads(ask(fuel="5").body) == []
    st.cache_resource.clear()


@pytest.mark.parametrize(
    "search",
    [
        StationSearch(),
        StationSearch(E10, (45.75, -4.85), 20),
        StationSearch(
            None,
            zip_prefixes=("200", "201"),
            filters=StationFilters(
                ("rue", "gare"), "road", find_slot(datetime.now(UTC)), True, (3, 12), True, ("esso", "total access")
            ),
        ),
    ],
    ids=str,
)
def test_a_search_comes_back_from_its_address(search: StationSearch) -> None:
    from urllib.parse import parse_qsl

    assert read_search(dict(parse_qsl(write_query(search, "1.0", "fr")))) == search


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"road": "all", "lang": "fr", "load": "of yesterday"}),
        ({"fuel": "5"}, {"fuel": "05"}),
        ({"zip": "13,69"}, {"zip": "69,13,69003,69"}),
        ({"words": "rue gare"}, {"words": "  Gare, RUE gare"}),
        ({"services": "3,12"}, {"services": "12,3,012"}),
        ({"brands": "avia,esso"}, {"brands": "esso,avia,esso"}),
        ({"at": "45.75,4.85", "radius": "10"}, {"at": "45.7500000001,4.85", "radius": "010"}),
        ({"at": "45.75,0", "radius": "10"}, {"at": "45.75,-0.0", "radius": "10"}),
        ({"open": "1773144000"}, {"open": "1773144599"}),
    ],
    ids=str,
)
def test_what_means_the_same_is_the_same_answer(country: Settings, one: dict[str, str], other: dict[str, str]) -> None:
    assert read_search(one) == read_search(other)
    made: list[None] = []

    @contextmanager
    def count() -> Iterator[None]:
        made.append(None)
        yield

    first, second = answer_points(one, {}, count), answer_points(other, {}, count)
    assert (first.body, first.headers) == (second.body, second.headers)
    assert len(made) == 1


def test_an_answer_that_many_ask_for_at_once_is_made_once(country: Settings) -> None:
    made: list[None] = []
    everyone = threading.Barrier(6)

    @contextmanager
    def count() -> Iterator[None]:
        made.append(None)
        yield

    def ask_with_others(number: int) -> bytes:
        everyone.wait(30)
        return answer_points({"fuel": "5", "zip": "69,13" if number % 2 else "13,69"}, {}, count).body

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(ask_with_others, range(6)))) == 1
    assert len(made) == 1


def test_what_is_refused_is_not_kept(country: Settings) -> None:
    @contextmanager
    def refuse() -> Iterator[None]:
        raise TooManyRequests(7)
        yield

    with pytest.raises(TooManyRequests):
        answer_points({"fuel": "5"}, {}, refuse)
    assert ask(fuel="5").status == 200
    assert answer_points({"fuel": "5"}, {}, refuse).status == 200, "made since"


def test_answers_are_kept_as_long_as_they_fit() -> None:
    answers = LastAnswers(10, len)
    made: list[str] = []

    def find(text: str) -> str:
        def make() -> str:
            made.append(text)
            return text

        return answers.find(text, make)

    for text in ("aaaa", "bbbb", "aaaa", "cc", "bbbb", "aaaa"):
        assert find(text) == text
    assert made == ["aaaa", "bbbb", "cc"]
    assert find("x" * 11) == "x" * 11, "what fits nowhere is answered all the same"
    assert find("aaaa") == "aaaa"
    assert made == ["aaaa", "bbbb", "cc", "x" * 11, "aaaa"]


def test_who_asks_for_the_same_stations_shares_one_answer_until_the_next_load(country: Settings) -> None:
    questions: list[str] = []

    @event.listens_for(get_engine(), "before_cursor_execute")
    def count(connection: object, cursor: object, statement: str, *_: object) -> None:
        questions.append(statement)

    def ask_for_prices(**query: str) -> bool:
        questions.clear()
        ask(**query)
        return any("prices" in statement for statement in questions)

    for place in ({}, {"at": "45.75,4.85", "radius": "10"}):
        assert ask_for_prices(fuel="5", **place)
        assert not ask_for_prices(fuel="5", lang="en", **place)
        assert ask_for_prices(fuel="1", **place)
    with begin_writing(get_engine()) as connection:
        connection.execute(update(FeedState).values(loaded_at=datetime.now(UTC) + timedelta(minutes=1)))
    assert ask_for_prices(fuel="5")


def test_only_the_last_answers_are_kept_and_each_is_made_once() -> None:
    answers, made = LastAnswers(2), []

    def find(key: int) -> int:
        return answers.find(key, lambda: made.append(key) or key)

    assert [find(key) for key in (1, 2, 1, 3, 1, 2)] == [1, 2, 1, 3, 1, 2]
    assert made == [1, 2, 3, 2]


def test_what_many_ask_for_at_once_is_made_once() -> None:
    answers, made, everyone = LastAnswers(2), [], threading.Barrier(4)

    def ask_with_others() -> None:
        everyone.wait()
        answers.find("key", lambda: made.append(1) or 1)

    threads = [threading.Thread(target=ask_with_others) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_what_is_written_text_by_text_is_the_json_of_the_records(country: Settings) -> None:
    """Whatever a feed says: quotes, what deck.gl reads as an expression, stations without address or price."""
    with begin_writing(get_engine()) as connection:
        ids = connection.scalars(select(Station.id).order_by(Station.id).limit(7)).all()
        for station_id, address, town in (
            (ids[0], 'Rue "des\\ Écoles" <b>', "Nantes"),
            (ids[1], "@@=1 & 12345678901234567890123456789 x", "@@ Paris"),
            (ids[2], "", "Saint-Rémy-en-Bouzemont-Saint-Genest-et-Isson"),
            (ids[3], "Route de Paris, Centre Commercial Les Portes", "Paris"),
            (ids[4], "", ""),
        ):
            connection.execute(update(Station).where(Station.id == station_id).values(address=address, town=town))
        connection.execute(delete(Price).where(Price.station_id == ids[5]))
        connection.execute(delete(StockOut).where(StockOut.station_id.in_(ids[4:])))
        connection.execute(insert(StockOut).values(station_id=ids[5], gastype_id=E10, began_at=datetime.now(UTC)))
        freshness = get_freshness(connection)
        assert freshness is not None
    for fuel_id in (None, E10):
        with get_engine().connect() as connection:
            search = StationSearch(fuel_id)
            found = find_stations(connection, freshness.edition, search, datetime.now(UTC))
            by_id = list_price_rows(
                connection,
                NationalFigures().find(connection, "", datetime.now(UTC)).get(fuel_id or 0),
                fuel_id,
                [row[4] for row in found.found],
                found.median_milli_eur,
                as_of=datetime.now(UTC),
            )
            rows = [by_id[row[4]] for row in found.found]
            records = make_points(reversed(rows), lambda row: make_label(row, language="en"))
        assert len(records) > 200
        query = {} if fuel_id is None else {"fuel": str(fuel_id)}
        written = json.dumps(records, ensure_ascii=False, separators=(",", ":"))
        assert ask(lang="en", **query).body.decode() == written


@given(some.text("ab é-@\t\n\u00a0", max_size=60) | some.lists(some.text("abcé", min_size=1)).map(" ".join))
def test_a_text_breaks_into_lines_as_textwrap_breaks_it(text: str) -> None:
    assert wrap_line(text) == "\n".join(wrap(text, LINE_LENGTH, break_on_hyphens=False))


def test_no_search_pushes_out_the_stations_of_a_fuel(country: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for other filters of every fuel in turn would have all prices read for each request."""
    monkeypatch.setattr("ui.station_search.MAX_ROWS", 1500)  # five answers of this country
    st.cache_resource.clear()
    asked: list[str] = []

    @event.listens_for(get_engine(), "before_cursor_execute")
    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if "JOIN prices" in statement and "stations.id IN" not in statement:
            asked.append(statement)

    for turn in range(3):
        for fuel_id in FUEL_NAMES:
            assert ask(fuel=str(fuel_id), road="road", open=str(1_800_000_000 + 600 * turn)).status == 200
    assert len(get_answers()) < 3 * len(FUEL_NAMES)
    assert len(asked) == len(FUEL_NAMES)


def test_large_answers_count_for_more_than_small_ones(country: Settings) -> None:
    """Whoever asks for other addresses without end fills no more memory than a few answers of the country take."""
    with get_engine().connect() as connection:
        freshness = get_freshness(connection)
        assert freshness is not None
        country_wide = find_stations(connection, freshness.edition, StationSearch(), datetime.now(UTC))
        assert weigh(country_wide) == 300
        assert (
            weigh(find_stations(connection, freshness.edition, StationSearch(E10, (45, 4), 1), datetime.now(UTC))) < 300
        )
    for cache, most in ((get_answers(), MAX_ROWS), (get_small_answers(), MAX_SMALL_ROWS)):
        made = [cache.find(number, lambda: country_wide) for number in range(most // 300 + 10)]
        assert len(made) > most // 300
        assert len(cache) <= most // 300
