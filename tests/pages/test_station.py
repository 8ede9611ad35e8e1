"""One station's page: what it shows of a station, and what it says when there is none or one that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest
from page_visit import (
    FIRST_ID,
    Country,
    find_other_language,
    list_rows,
    list_texts,
    load_country,
    read,
    run,
    run_app,
    visit,
    write_price,
)
from sqlalchemy import Engine, delete, event, insert, update
from streamlit.testing.v1 import AppTest

import etl
from db import begin_writing
from feed.generator import FeedRecipe, write_feed
from models import FUEL_NAMES, FeedState, FuelFigure, Price, Service, Station, StationBrand, StockOut, sort_fuels
from settings import ROOT, Settings

PARIS = ZoneInfo("Europe/Paris")
ALWAYS = "|".join(["00:00-24:00"] * 7)
HOSTILE = "**b** [x](javascript:alert(1)) <script>alert(1)</script> :red[x] www.evil.com"


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Country]:
    """Sixty stations; the tests of this file change the first one, each as it needs it."""
    country = load_country(tmp_path_factory.mktemp("country"), stations=60, oddities=False)
    yield country
    country.engine.dispose()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, country: Country) -> Iterator[Country]:
    """The pages, reading the country that the tests share."""
    with run_app(monkeypatch, country.settings):
        yield country


def set_up(
    country: Country, *, prices: tuple[dict[str, Any], ...] = (), outs: tuple[dict[str, Any], ...] = (), **station: Any
) -> None:
    """Give the first station these values, and these prices and stock-outs for what it had."""
    usual = {
        "address": "3 Rue de la Gare",
        "town": "Lyon",
        "zip_code": "69003",
        "is_motorway": False,
        "has_automat": False,
        "opening_hours": None,
        "services": "",
        "left_feed_at": None,
        "is_location_doubtful": False,
    }
    with begin_writing(country.engine) as connection:
        connection.execute(update(Station).where(Station.id == FIRST_ID).values(usual | station))
        for table, rows in ((Price, prices), (StockOut, outs)):
            connection.execute(delete(table).where(table.station_id == FIRST_ID))
            for row in rows:
                connection.execute(insert(table).values({"station_id": FIRST_ID} | row))


def open_station(**query: str) -> AppTest:
    return visit("station", **{"id": str(FIRST_ID), **query})


def list_subheaders(at: AppTest) -> list[str]:
    return [header.value for header in at.main.subheader]


def test_a_station_is_shown_with_all_that_the_feed_says_of_it(app: Country) -> None:
    now = datetime.now(UTC)
    with begin_writing(app.engine) as connection:
        names = {row.name: row.id for row in connection.execute(Service.__table__.select())}
        connection.execute(
            update(FuelFigure).values(
                median_price=1800,
                lowest_price=1500,
                fresh_from=now - timedelta(days=30),
                plausible_from=1440,
                plausible_to=3060,
            )
        )
    set_up(
        app,
        is_motorway=True,
        has_automat=True,
        opening_hours="06:00-22:00|08:00-12:00,14:00-18:00|||?|00:00-24:00|22:00-02:00",
        services=f"|{names['Wifi']}|{names['Laverie']}|",
        prices=(
            {"gastype_id": 1, "price": 1790, "updated_at": now - timedelta(hours=3)},
            {"gastype_id": 5, "price": 1810, "updated_at": now - timedelta(days=40)},
            {"gastype_id": 6, "price": 400, "updated_at": now - timedelta(days=2)},
        ),
    )
    at = open_station()
    assert at.title[0].value == "3 Rue de la Gare"
    texts = [read(text) for text in list_texts(at)]
    assert "69003 Lyon · on a motorway" in texts
    assert "Card automat day and night" in texts
    assert list_subheaders(at) == ["Prices", "Opening hours", "Services"]
    assert list_rows(at) == [
        ("E10", "€1.810", "1\u00a0month\u00a0ago\nold price"),
        ("Gazole", "€1.790", "3\u00a0hours\u00a0ago"),
        ("SP98", "€0.400", "2\u00a0days\u00a0ago\nimplausible price"),
    ]
    prices = at.main.table[0].value["Price"]
    assert prices[0] == ":gray[€1.810]"
    assert prices[1] == "**€1.790**"  # only what can be compared stands out
    week = [tuple(read(cell) for cell in row) for row in at.main.table[1].value.itertuples(index=False)]
    assert week == [
        ("Monday", "06:00 – 22:00"),
        ("Tuesday", "08:00 – 12:00, 14:00 – 18:00"),
        ("Wednesday", "closed"),
        ("Thursday", "closed"),
        ("Friday", "not known"),
        ("Saturday", "day and night"),
        ("Sunday", "22:00 – 02:00"),
    ]
    bold = [day for day in at.main.table[1].value["Day"] if day.startswith("**")]
    assert bold == [f"**{datetime.now(PARIS):%A}**"]
    assert ":gray-badge[Laundry] :gray-badge[Wi\\-Fi]" in list_texts(at)
    assert "Outside these hours, the card automat sells fuel day and night." in texts
    link = at.main.get("link_button")[0]
    assert (link.proto.label, link.proto.url.split("?")[0]) == ("Directions", "https://www.google.com/maps/dir/")
    assert at.main.get("deck_gl_json_chart")
    assert at.main.get("page_link")[0].proto.label == "Back to the prices nearby"


def test_a_station_whose_location_is_doubtful_says_so_and_stands_on_no_map(app: Country) -> None:
    set_up(app, is_location_doubtful=True)
    at = open_station()
    assert at.main.warning[0].proto.title == "Location doubtful"
    assert at.main.get("deck_gl_json_chart") == []
    link = at.main.get("link_button")[0]
    assert link.proto.url.endswith("?api=1&destination=3%20Rue%20de%20la%20Gare%2069003%20Lyon")


def test_a_station_of_the_feed_shows_its_own_prices(app: Country) -> None:
    station = next(
        one for one in app.stations.values() if len(one.prices) > 2 and not one.stock_outs and one.id != FIRST_ID
    )
    at = visit("station", id=str(station.id))
    assert read(at.title[0].value) == station.address
    assert [row[:2] for row in list_rows(at)] == [
        (FUEL_NAMES[fuel_id], write_price(station.prices[fuel_id][0])) for fuel_id in sort_fuels(station.prices)
    ]


@pytest.mark.parametrize(
    "id_",
    [
        "999999999",
        "0",
        "-1",
        "",
        "abc",
        "1e6",
        "1.5",
        "９９",
        "١",
        " ",
        "\0",
        "x" * 10_000,
        "1" * 10_000,
        "2147483648",
        "<script>",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_an_id_that_no_station_has_is_said_to_be_unknown(app: Country, id_: str) -> None:
    at = visit("station", id=id_)
    assert at.title[0].value == "This station is not known"
    assert "The link may be wrong, or the station has never been in the national feed." in list_texts(at)
    assert not at.table
    assert at.main.get("page_link")


def test_an_address_without_an_id_is_answered_too(app: Country) -> None:
    at = visit("station")
    assert at.title[0].value == "This station is not known"


def test_before_the_first_load_no_station_is_known(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    with run_app(monkeypatch, settings):
        at = visit("station", id="1")
        assert at.title[0].value == "This station is not known"
        assert at.main.info[0].value.startswith("The prices of the whole country are being loaded")


def test_a_station_that_left_the_feed_says_since_when_and_has_no_prices(app: Country) -> None:
    set_up(app, left_feed_at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC))
    at = open_station()
    (box,) = at.main.warning
    assert box.proto.title == "This station is no longer in the national feed"
    assert box.value == "It has been missing since 2 March 2026, so there are no prices of it."
    assert not at.table
    assert "This station reports no price and no stock-out." in [info.value for info in at.main.info]


def test_a_station_without_anything_says_so_of_each_part(app: Country) -> None:
    set_up(app)
    texts = list_texts(open_station())
    for sentence in (
        "This station reports no price and no stock-out.",
        "The station says nothing of its opening hours.",
        "The station names no services.",
    ):
        assert sentence in texts
    assert any("Opening hours not known" in text for text in texts)
    assert any("on a road" in text for text in texts)


def test_stock_outs_say_since_when_and_those_that_may_be_forgotten_come_last(app: Country) -> None:
    now = datetime.now(UTC)
    began_at = (now - timedelta(days=80)).replace(hour=23, minute=30)  # in Paris the day after
    day = began_at.date() + timedelta(days=1)
    set_up(
        app,
        prices=({"gastype_id": 1, "price": 1790, "updated_at": now - timedelta(hours=3)},),
        outs=(
            {"gastype_id": 1, "began_at": began_at},
            {"gastype_id": 5, "began_at": datetime(2023, 3, 2, tzinfo=UTC)},
            {"gastype_id": 3, "began_at": None},
        ),
    )
    at = open_station()
    assert list_rows(at) == [
        ("Gazole", "€1.790", f"3\u00a0hours\u00a0ago\nout of stock since {day:%-d %B %Y}"),
        ("E85", "–", "out of stock"),
        ("E10", "–", "reported out of stock since 2 March 2023"),
    ]
    assert at.main.table[0].value["Price"][0] == ":gray[€1.790]"  # nobody can buy it
    assert [report.split("\n")[-1] for _, _, report in list_rows(open_station(lang="FR"))][1:] == [
        "rupture",
        "signalé en rupture depuis le 2 mars 2023",
    ]


def test_stock_outs_that_the_last_feed_did_not_name_are_shown_as_of_their_own_load(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    earlier = now - timedelta(hours=6)
    for at, names_stock_outs in ((earlier, True), (now, False)):
        feed = tmp_path / f"{names_stock_outs}.zip"
        write_feed(feed, FeedRecipe(newest_at=at, stations=40, first_id=FIRST_ID, stock_outs=names_stock_outs))
        etl.run_load(settings.model_copy(update={"feed_url": str(feed)}), engine, now=lambda at=at: at)
    with engine.connect() as connection:
        station_id = connection.execute(StockOut.__table__.select()).first().station_id
    with run_app(monkeypatch, settings):
        texts = list_texts(visit("station", id=str(station_id)))
        written = f"{earlier.astimezone(PARIS):%-d %B %Y at %H:%M}"
        assert f"Stock-outs as of {written}; the feed loaded since says nothing of them." in texts
        # A station without a stock-out has nothing to say about it.
        assert not [text for text in list_texts(visit("station", id=str(FIRST_ID))) if "Stock-outs as of" in text]
        with begin_writing(engine) as connection:
            connection.execute(update(FeedState).values(stock_outs_at=now))
        assert not [text for text in list_texts(visit("station", id=str(station_id))) if "Stock-outs as of" in text]


@pytest.mark.parametrize(
    ("hours", "badge"),
    [
        (ALWAYS, "Open day and night"),
        ("||||||", "Closed"),
        (None, "Opening hours not known"),
        ("?|?|?|?|?|?|?", "Opening hours not known"),
    ],
)
def test_a_badge_says_whether_it_is_open_now(app: Country, hours: str | None, badge: str) -> None:
    set_up(app, opening_hours=hours)
    texts = [read(text) for text in list_texts(open_station())]
    assert badge in texts


@pytest.mark.parametrize(("hours", "badge"), [("00:00-24:00", "Open now"), ("", "Closed now")])
def test_a_badge_gives_no_time_when_the_next_day_is_not_known(app: Country, hours: str, badge: str) -> None:
    now = datetime.now(PARIS)
    days = ["?"] * 7
    days[now.weekday()] = hours
    days[(now.weekday() + 2) % 7] = "08:30-12:00"
    set_up(app, opening_hours="|".join(days))
    assert badge in [read(text) for text in list_texts(open_station())]


def test_a_badge_says_when_that_changes_with_the_day_when_it_is_not_today(app: Country) -> None:
    now = datetime.now(PARIS)
    days = [""] * 7
    days[(now.weekday() + 2) % 7] = "08:30-12:00"
    set_up(app, opening_hours="|".join(days))
    day = now + timedelta(days=2)
    assert f"Closed now, opens {day:%A} 08:30" in [read(text) for text in list_texts(open_station())]
    days = ["00:00-24:00"] * 7
    days[(now.weekday() + 2) % 7] = ""
    set_up(app, opening_hours="|".join(days))
    assert f"Open now, until {day:%A} 00:00" in [read(text) for text in list_texts(open_station())]


def test_what_the_feed_wrote_is_shown_letter_for_letter(app: Country) -> None:
    with begin_writing(app.engine) as connection:
        connection.execute(delete(Service).where(Service.id == 999))
        connection.execute(insert(Service).values(id=999, name=HOSTILE))
    set_up(app, address=HOSTILE, town=f"T{HOSTILE}", zip_code="<i>**1", services="|999|")
    at = open_station()
    assert read(at.title[0].value) == HOSTILE
    place = next(text for text in list_texts(at) if read(text).endswith(" · on a road"))
    assert read(place) == f"<i>**1 T{HOSTILE} · on a road"
    service = at.main.markdown[-1].value
    assert read(service) == HOSTILE
    for text in (at.title[0].value, place, service):
        for active in ("](javascript", "<script>", "<i>", "**", ":red[", "www."):
            assert active not in text


@pytest.mark.parametrize(
    ("brand", "name", "beginning"),
    [
        ("Esso", "Relais du Port", "Esso · Relais du Port · 69003 Lyon"),
        ("Esso", "ESSO", "Esso · 69003 Lyon"),
        ("Esso", "", "Esso · 69003 Lyon"),
        ("", "Garage Muret", "Garage Muret · 69003 Lyon"),
        ("", "", "69003 Lyon"),
        (HOSTILE[:60], HOSTILE, f"{HOSTILE[:60].strip()} · {HOSTILE} · 69003 Lyon"),
    ],
)
def test_brand_and_name_stand_before_the_town_as_text(app: Country, brand: str, name: str, beginning: str) -> None:
    set_up(app)
    with begin_writing(app.engine) as connection:
        connection.execute(delete(StationBrand))
        connection.execute(insert(StationBrand).values(station_id=FIRST_ID, brand=brand, brand_key="", name=name))
    at = open_station()
    place = next(text for text in list_texts(at) if read(text).endswith(" · on a road"))
    assert read(place) == f"{beginning} · on a road"
    for active in ("](javascript", "<script>", "**", ":red[", "www."):
        assert active not in place


def test_the_way_back_leads_to_the_search_that_was_left(app: Country) -> None:
    at = visit(q="lyon", fuel="Gazole", radius="50", **{"in": "69"})
    at.query_params.clear()
    at.query_params["id"] = str(FIRST_ID)
    at.switch_page(str(ROOT / "pages" / "station.py"))
    back = run(at).main.get("page_link")[0].proto
    assert dict(parse_qsl(back.query_string)) == {"q": "lyon", "fuel": "Gazole", "radius": "50", "in": "69"}
    # Who came here by a link has no search to go back to.
    assert open_station().main.get("page_link")[0].proto.query_string == ""


def test_a_station_without_an_address_is_called_after_its_town(app: Country) -> None:
    set_up(app, address="")
    assert open_station().title[0].value == "Station in Lyon"
    assert open_station(lang="FR").title[0].value == "Station à Lyon"


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_station_s_page_speaks_one_language(app: Country, language: str) -> None:
    now = datetime.now(UTC)
    with begin_writing(app.engine) as connection:
        every = "|".join(str(row.id) for row in connection.execute(Service.__table__.select()) if row.id < 999)
    set_up(
        app,
        has_automat=True,
        opening_hours="06:00-22:00|08:00-12:00|||?|00:00-24:00|",
        services=f"|{every}|",
        prices=({"gastype_id": 1, "price": 1790, "updated_at": now - timedelta(days=300)},),
        outs=({"gastype_id": 2, "began_at": now},),
    )
    for query in ({}, {"id": "1"}):
        texts = list_texts(open_station(lang=language.upper(), **query))
        assert len(texts) > 10
        assert find_other_language(texts, language) == []


def test_a_rerun_asks_the_database_at_most_ten_times(app: Country) -> None:
    from ui.reading import get_engine

    at = open_station()
    questions: list[str] = []

    @event.listens_for(get_engine(), "before_cursor_execute")
    def count(connection: object, cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            questions.append(statement)

    run(at)
    assert 3 <= len(questions) <= 10, "\n".join(questions)
