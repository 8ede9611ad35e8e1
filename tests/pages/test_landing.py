"""The first page, as a visitor meets it: searches, their answers, and what it says when there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median_low

import pytest
from page_visit import (
    FUEL_IDS,
    Country,
    find_centre,
    find_other_language,
    find_plausible_range,
    is_comparable,
    list_answer,
    list_fresh_prices,
    list_names_of_pages,
    list_offers,
    list_points,
    list_rows,
    list_texts,
    load_country,
    read,
    run,
    run_app,
    say_loaded,
    visit,
    write_price,
)
from sqlalchemy import Engine, event, insert, update
from streamlit.testing.v1 import AppTest

import etl
from db import begin_writing
from models import FuelFigure, Price, Station, StationBrand, StockOut
from settings import Settings
from ui.formats import PARIS

LYON = ("69003", "69007")
HOSTILE = "**b** [x](javascript:alert(1)) <script> :red[x] :material/home: $x$ www.evil.com a@b.c | `c` ~~s~~"


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Country]:
    """Four hundred stations, their newest report of this hour; the tests of this file only read them."""
    country = load_country(tmp_path_factory.mktemp("country"), stations=400)
    yield country
    country.engine.dispose()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, country: Country) -> Iterator[Country]:
    """The pages, reading the country that the tests share."""
    with run_app(monkeypatch, country.settings):
        yield country


@pytest.fixture
def own_app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Country]:
    """The pages, reading a country of sixty stations that the test may change."""
    (tmp_path / "own").mkdir()
    country = load_country(tmp_path / "own", stations=60, oddities=False)
    with run_app(monkeypatch, country.settings):
        yield country
    country.engine.dispose()


def test_an_empty_database_says_that_prices_are_being_loaded(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    with run_app(monkeypatch, settings):
        at = visit()
        assert [box.value for box in at.info] == [
            "The prices of the whole country are being loaded for the first time. This page will fill itself."
        ]
        assert not at.table
        assert at.text_input(key="q").value == ""
        assert "Chargement des prix" in list_texts(visit(locale="fr-FR"))


def has_answer(at: AppTest) -> bool:
    """Say whether stations are shown; another table is that of the whole country."""
    return any("Station" in table.value.columns for table in at.table)


def test_without_a_search_the_page_offers_towns_and_shows_the_country(app: Country) -> None:
    at = visit()
    assert not has_answer(at)
    assert [button.label for button in at.main.button][:2] == ["Paris", "Lyon"]
    run(at.button(key="example_Lyon").click())
    assert at.main.subheader[0].value.startswith("E10 within 10 km of Lyon")
    assert has_answer(at)
    assert at.query_params["q"] == "Lyon"


@pytest.mark.parametrize(("fuel", "radius_km"), [("E10", 10), ("Gazole", 5), ("SP98", 50), ("E85", 20)])
def test_a_town_shows_the_stations_around_it_cheapest_first(app: Country, fuel: str, radius_km: int) -> None:
    offers = list_offers(app, fuel, *find_centre(app, *LYON), radius_km)
    assert len(offers) > 2
    at = visit(q="lyon", fuel=fuel, radius=str(radius_km))
    rows = list_rows(at)
    shown = [
        (write_price(offer.price_milli_eur), f"{offer.station.address}\n") for offer in offers[: min(10, len(rows))]
    ]
    assert [
        (price.split("\n")[0], station[: len(address)])
        for (price, station, _), (_, address) in zip(rows, shown, strict=False)
    ] == shown
    best = offers[0]
    assert f"{best.distance_km:.1f}\u00a0km" in rows[0][1]
    link = at.table[0].value.iloc[0, 1]
    assert f"](/station?id={best.station.id}&lang=EN)" in link
    destination = f"{best.station.latitude_deg:.5f}%2C{best.station.longitude_deg:.5f}"
    assert (
        at.table[0].value.iloc[0, 2] == f"[Go there](https://www.google.com/maps/dir/?api=1&destination={destination})"
    )
    assert read(at.main.subheader[0].value) == f"{fuel} within {radius_km} km of Lyon (Rhône)"


def test_the_summary_counts_stations_and_names_the_median_and_each_row_its_difference(app: Country) -> None:
    offers = list_offers(app, "E10", *find_centre(app, *LYON), 10)
    median = median_low(offer.price_milli_eur for offer in offers)
    at = visit(q="lyon")
    run(at.button(key="show_more").click())
    rows = list_rows(at)
    summary = at.main.caption[0].value
    assert summary.startswith(f"{len(rows)} stations, median {write_price(median)}.")
    for (price, _, _), offer in zip(rows, offers, strict=False):
        cents = (offer.price_milli_eur - median) / 10
        sign = "±" if not cents else "−" if cents < 0 else "+"
        assert price == f"{write_price(offer.price_milli_eur)}\n{sign}{abs(cents):.1f} c"


def test_the_whole_country_has_median_lowest_and_number_of_each_fuel(app: Country) -> None:
    rows = list_rows(visit())
    assert [fuel for fuel, *_ in rows] == ["E10", "Gazole", "SP98", "SP95", "E85", "GPLc"]
    for fuel, median, lowest, stations in rows:
        fresh = list_fresh_prices(app, fuel)
        lowest_plausible, highest_plausible = find_plausible_range(app, fuel)
        plausible = [price for price in fresh if lowest_plausible <= price <= highest_plausible]
        assert median == write_price(median_low(fresh))
        assert lowest == write_price(min(plausible))
        assert stations == str(len(plausible))


def test_another_fuel_or_radius_changes_the_answer_as_its_address_would(app: Country) -> None:
    at = visit(q="lyon")
    before = list_answer(at)
    run(at.get_by_key("fuel").set_value(FUEL_IDS["GPLc"]))
    assert at.main.subheader[0].value.startswith("GPLc within 10 km")
    run(at.get_by_key("radius").set_value(50))
    assert at.main.subheader[0].value.startswith("GPLc within 50 km")
    offers = list_offers(app, "GPLc", *find_centre(app, *LYON), 50)
    after = list_answer(at)
    assert after != before
    assert [row[0].split("\n")[0] for row in after][: len(offers)] == [
        write_price(offer.price_milli_eur) for offer in offers
    ]
    assert list_answer(visit(q="lyon", fuel="GPLc", radius="50")) == after


def test_a_department_is_searched_by_its_digits_without_distances(app: Country) -> None:
    at = visit(q="69", fuel="Gazole")
    assert read(at.main.subheader[0].value) == "Gazole in Rhône"
    offers = [
        offer for offer in list_offers(app, "Gazole", 45.7, 4.8, 20_000) if offer.station.zip_code.startswith("69")
    ]
    rows = list_rows(at)
    assert [row[0].split("\n")[0] for row in rows[:3]] == [write_price(offer.price_milli_eur) for offer in offers[:3]]
    assert not any("km" in station for _, station, _ in rows)


def test_a_postcode_shows_the_stations_around_it(app: Country) -> None:
    at = visit(q="69100")
    assert read(at.main.subheader[0].value).startswith("E10 within 10 km of 69100 Villeurbanne")
    assert has_answer(at)


def test_an_unknown_town_is_said_to_be_unknown(app: Country) -> None:
    at = visit(q="Atlantide")
    assert not has_answer(at)
    (box,) = at.main.info
    assert box.value.startswith("Check the spelling")
    assert box.proto.title == "No station in a place called “Atlantide”"
    assert len(at.table) == 1  # the country is still there


def test_an_unknown_town_is_quoted_letter_for_letter(app: Country) -> None:
    at = visit(q=HOSTILE[:80])
    (box,) = at.main.info
    assert read(box.proto.title) == f"No station in a place called “{HOSTILE[:80]}”"
    assert "](javascript" not in box.proto.title
    assert "<script>" not in box.proto.title


def test_towns_of_one_name_are_offered_and_a_click_searches_the_one_meant(app: Country) -> None:
    at = visit(q="montreuil")
    assert not has_answer(at)
    buttons = {read(button.label): button for button in at.main.button}
    assert sorted(buttons) == ["Montreuil (Pas-de-Calais)", "Montreuil (Seine-Saint-Denis)"]
    run(buttons["Montreuil (Pas-de-Calais)"].click())
    assert read(at.main.subheader[0].value) == "E10 within 10 km of Montreuil (Pas-de-Calais)"
    assert (at.query_params["q"], at.query_params["in"]) == ("Montreuil", "62")
    # The address now leads to the same answer, wherever it is opened.
    again = visit(q="Montreuil", **{"in": "62"})
    assert list_answer(again) == list_answer(at)
    # Another text takes the place of the town that was chosen.
    run(at.text_input(key="q").set_value("saint-denis"))
    assert "in" not in at.query_params
    assert not has_answer(at)


def test_a_place_without_the_fuel_offers_a_wider_circle(own_app: Country) -> None:
    with begin_writing(own_app.engine) as connection:
        lyon = [id_ for id_, station in own_app.stations.items() if station.zip_code.startswith("69")]
        outside = max(lyon)
        for table in (Price, StockOut):
            connection.execute(table.__table__.delete().where(table.station_id.in_(lyon), table.gastype_id == 5))
        # One station 30 km north sells it: outside of the 10 km that are asked for, within the 50.
        centre = find_centre(own_app, *LYON)
        connection.execute(
            update(Station)
            .where(Station.id == outside)
            .values(latitude=centre[0] + 0.27, longitude=centre[1], town="Ars", town_key="ars")
        )
        now = datetime.now(UTC)
        connection.execute(
            Price.__table__.insert().values(station_id=outside, gastype_id=5, price=1800, updated_at=now)
        )
    at = visit(q="lyon")
    assert not has_answer(at)
    assert [box.value for box in at.main.info] == [
        "No station here sells this fuel. Try another fuel or a wider circle."
    ]
    (button,) = (button for button in at.main.button if button.label == "Search within 50 km")
    run(button.click())
    assert at.query_params["radius"] == "50"
    assert len(list_rows(at)) == 1


def test_a_station_whose_location_is_doubtful_is_listed_at_its_town_and_on_no_map(own_app: Country) -> None:
    before = list_rows(visit(q="lyon", fuel="E10"))
    with begin_writing(own_app.engine) as connection:
        lyon = [id_ for id_, one in own_app.stations.items() if one.zip_code.startswith("69") and 5 in one.prices]
        connection.execute(
            update(Station)
            .where(Station.id == lyon[0])
            .values(latitude=48.85, longitude=2.35, is_location_doubtful=True, town="Lyon", town_key="lyon")
        )
    say_loaded(own_app)
    at = visit(q="lyon", fuel="E10")
    rows = list_rows(at)
    assert len(rows) == len(before)
    assert [cell for row in rows for cell in row if "location doubtful" in cell]
    ids = [point["id"] for point in list_points(at)]
    assert len(ids) == len(rows) - 1
    assert lyon[0] not in ids
    assert "location doubtful" not in str(list_rows(visit(q="paris", fuel="E10", radius="50")))


def test_nothing_within_the_widest_circle_offers_no_wider_one(app: Country) -> None:
    at = visit(at="0,0", radius="50")
    assert [box.value for box in at.main.info] == [
        "No station here sells this fuel. Try another fuel or another place."
    ]
    assert not at.main.button


def test_a_shared_position_shows_the_stations_around_it(app: Country) -> None:
    offers = list_offers(app, "E10", 48.85, 2.4, 10)
    at = visit(at="48.85,2.4")
    assert at.main.subheader[0].value == "E10 within 10 km of your position"
    assert list_rows(at)[0][0].split("\n")[0] == write_price(offers[0].price_milli_eur)
    # A text typed afterwards takes its place.
    run(at.text_input(key="q").set_value("lyon"))
    assert "at" not in at.query_params
    assert read(at.main.subheader[0].value) == "E10 within 10 km of Lyon (Rhône)"


@pytest.mark.parametrize("point", ["", "x", "nan,nan", "91,0", "<script>", "9" * 10_000])
def test_a_damaged_position_is_said_to_be_unreadable(app: Country, point: str) -> None:
    at = visit(at=point, q="lyon")
    assert [box.value for box in at.main.warning] == [
        "The place in this link can't be read. Search for a town or a postcode instead."
    ]
    assert not has_answer(at)


def test_a_damaged_address_is_answered_as_if_it_said_nothing(app: Country) -> None:
    undamaged = list_answer(visit(q="lyon"))
    for value in ("", "99", "-1", "e10", "\0🚗<script>", "x" * 5_000):
        at = visit(q="lyon", fuel=value, radius=value, lang=value, **{"in": value})
        assert read(at.main.subheader[0].value) == "E10 within 10 km of Lyon (Rhône)", value
        assert list_answer(at) == undamaged, value


def test_parameters_that_stand_several_times_in_an_address_break_nothing(app: Country) -> None:
    at = visit(q=["lyon", "paris"], fuel=["E10", "x"], radius=["5", "10"], lang=["EN", "FR"], at=["x", "y"])
    assert at.title


def test_the_sample_is_said_to_be_invented(monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine) -> None:
    etl.load_sample(engine, datetime.now(UTC))
    with run_app(monkeypatch, settings):
        at = visit()
        (box,) = at.main.warning
        assert box.proto.title == "These are not real prices"
        assert "invented stations and prices" in box.value
        (box,) = visit(locale="fr-FR").main.warning
        assert box.proto.title == "Ces prix ne sont pas réels"


def test_prices_of_now_need_no_banner(app: Country) -> None:
    at = visit(q="lyon")
    assert not at.main.warning
    assert not at.main.info


def test_rows_that_are_not_compared_say_why_and_come_last(own_app: Country) -> None:
    lyon = sorted(id_ for id_, station in own_app.stations.items() if station.zip_code in LYON)
    ids = fresh, old, wild, out, empty, forgotten = (*lyon, *(lyon[0] + n for n in range(1, 6)))[:6]
    assert len(set(ids)) == 6
    now = datetime.now(UTC)
    centre = find_centre(own_app, *LYON)
    with begin_writing(own_app.engine) as connection:
        for table in (Price, StockOut):
            connection.execute(table.__table__.delete().where(table.gastype_id == 5))
        connection.execute(update(Station).where(Station.id.in_(ids)).values(latitude=centre[0], longitude=centre[1]))
        prices = {fresh: (1850, 1), old: (1700, 40), wild: (400, 1), out: (1600, 1)}
        for station_id, (price, days) in prices.items():
            connection.execute(
                Price.__table__.insert().values(
                    station_id=station_id, gastype_id=5, price=price, updated_at=now - timedelta(days=days)
                )
            )
        ran_out_at, long_ago = now - timedelta(days=20), datetime(2025, 3, 1, 12, tzinfo=UTC)
        for station_id, began_at in ((out, ran_out_at), (empty, None), (forgotten, long_ago)):
            connection.execute(
                StockOut.__table__.insert().values(station_id=station_id, gastype_id=5, began_at=began_at)
            )
        connection.execute(
            update(FuelFigure)
            .where(FuelFigure.gastype_id == 5)
            .values(
                median_price=1800,
                lowest_price=1700,
                fresh_from=now - timedelta(days=30),
                plausible_from=1440,
                plausible_to=3060,
            )
        )
    rows = [(price.split("\n")[0], station.split("\n")[2:]) for price, station, _ in list_rows(visit(q="lyon"))]
    assert rows == [
        ("€1.850", []),
        ("€1.600", [f"out of stock since {ran_out_at.astimezone(PARIS):%-d %B %Y}"]),
        ("–", ["out of stock"]),
        ("€1.700", ["old price"]),
        ("€0.400", ["implausible price"]),
        ("–", ["reported out of stock since 1 March 2025"]),
    ]
    french = visit(q="lyon", locale="fr-FR")
    assert [station.split("\n")[2:] for _, station, _ in list_rows(french)][2:] == [
        ["rupture"],
        ["prix ancien"],
        ["prix invraisemblable"],
        ["signalé en rupture depuis le 1er mars 2025"],
    ]


def test_a_hostile_address_is_text_in_the_table_and_on_the_map(own_app: Country) -> None:
    with begin_writing(own_app.engine) as connection:
        connection.execute(update(Station).values(address=f"@@#{HOSTILE}", town=HOSTILE))
    at = visit(q="lyon")
    cell = at.table[0].value.iloc[0, 1]
    assert read(cell).startswith(f"@@#{HOSTILE}\n{HOSTILE} · ")
    for active in ("](javascript", "<script>", ":red[", ":material/", "www.", "**b**", " $x$", "a@b.c"):
        assert active not in cell
    # The map reads a text that begins with two of these as an expression.
    assert not any(text.startswith("@@") for text in list_texts(at))
    assert not any("@@" in point["label"] for point in list_points(at))


def give_brand(country: Country, brand: str, *, but: int = 0) -> None:
    """Give every station this brand, but one."""
    rows = [{"station_id": id_, "brand": brand, "brand_key": "", "name": ""} for id_ in country.stations if id_ != but]
    with begin_writing(country.engine) as connection:
        connection.execute(insert(StationBrand), rows)
    say_loaded(country)


def test_a_brand_stands_before_the_town_in_the_table_and_on_the_map(own_app: Country) -> None:
    without = list_rows(visit(q="lyon", radius="50"))
    first = int(list_answer(visit(q="lyon", radius="50"))[0][1].partition("=")[2])
    give_brand(own_app, "Esso Express", but=first)
    at = visit(q="lyon", radius="50")
    seconds = [station.split("\n")[1] for _, station, _ in list_rows(at)]
    plain = [station.split("\n")[1].rpartition(" · ")[0] for _, station, _ in without]  # without the age
    assert len(seconds) > 1
    assert [second.rpartition(" · ")[0] for second in seconds] == [
        plain[0],
        *(f"Esso Express · {text}" for text in plain[1:]),
    ]
    labels = [point["label"].split("\n") for point in list_points(at)]
    assert sorted("Esso Express" in lines for lines in labels) == [False, *[True] * (len(seconds) - 1)]


def test_a_hostile_brand_is_text_in_the_table_and_on_the_map(own_app: Country) -> None:
    for brand in (f"@@#{HOSTILE[:57]}", HOSTILE[-60:]):
        with begin_writing(own_app.engine) as connection:
            connection.execute(StationBrand.__table__.delete())
        give_brand(own_app, brand)
        at = visit(q="lyon")
        cell = at.table[0].value.iloc[0, 1]
        assert read(cell).split("\n")[1].startswith(f"{brand.strip()} · ")
        for active in ("](javascript", "<script>", ":red[", ":material/", "www.", "**b**", " $x$", "a@b.c"):
            assert active not in cell
        # The map reads a text with two of these as an expression.
        points = list_points(at)
        assert points
        assert not any("@@" in point["label"] for point in points)


def test_a_station_without_an_address_is_called_after_its_town(own_app: Country) -> None:
    with begin_writing(own_app.engine) as connection:
        connection.execute(update(Station).values(address=""))
    assert list_rows(visit(q="lyon"))[0][1].startswith("Station in ")
    assert list_rows(visit(q="lyon", locale="fr-FR"))[0][1].startswith("Station à ")


@pytest.mark.parametrize(
    ("refusal", "beginning"),
    [
        ("denied", "Your browser was told not to say where you are."),
        ("unavailable", "Your browser can't find out where you are."),
        ("timeout", "Finding out where you are took too long."),
        ("unsupported", "This browser can't say where you are."),
    ],
)
def test_a_position_that_is_refused_is_answered_by_a_sentence_of_its_own(
    app: Country, refusal: str, beginning: str
) -> None:
    at = visit()
    at.session_state["refusal"] = refusal
    run(at)
    (box,) = at.main.warning
    assert box.value.startswith(beginning)
    # A text typed afterwards makes it go.
    run(at.text_input(key="q").set_value("lyon"))
    assert not at.main.warning
    assert has_answer(at)


def test_ten_stations_are_shown_at_first_and_twenty_more_at_a_click(app: Country) -> None:
    at = visit(q="lyon", radius="50")
    assert len(list_rows(at)) == 10
    total = int(at.main.caption[0].value.split()[0])
    assert 10 < total < 50
    first = list_answer(at)
    for shown in range(30, total + 20, 20):
        run(at.button(key="show_more").click())
        assert len(list_rows(at)) == min(shown, total)
    assert list_answer(at)[:10] == first
    assert "show_more" not in [button.key for button in at.main.button]
    # Another search begins with ten again.
    run(at.text_input(key="q").set_value("paris"))
    assert len(list_rows(at)) == 10


def test_only_stations_that_can_be_compared_rank_before_the_others(app: Country) -> None:
    at = visit(q="31", fuel="Gazole")
    while any(button.key == "show_more" for button in at.main.button):
        run(at.button(key="show_more").click())
    notes = [bool(station.split("\n")[2:]) for _, station, _ in list_rows(at)]
    assert notes == sorted(notes)
    comparable = [
        station
        for station in app.stations.values()
        if station.zip_code.startswith("31")
        and 1 in station.prices
        and 1 not in station.stock_outs
        and is_comparable(app, "Gazole", *station.prices[1])
    ]
    assert notes.count(False) == len(comparable)


def test_the_page_tells_when_prices_were_loaded_and_their_newest_report(
    app: Country,
) -> None:
    at = visit()
    assert at.main.caption[-1].value.startswith("Last load: ")
    assert at.main.caption[-1].value.endswith(" (Paris time)")
    foot = [read(text) for text in list_texts(at)]
    age = r"(just now|\d+\u00a0minutes?\u00a0ago)"
    assert any(re.fullmatch(f"Prices loaded {age}, newest report {age}.", text) for text in foot)


@pytest.mark.parametrize(("locale", "language"), [("en-GB", "en"), ("fr-FR", "fr")])
@pytest.mark.parametrize(
    "query", [{}, {"q": "lyon"}, {"q": "Atlantide"}, {"q": "saint-denis"}, {"at": "0,0"}, {"at": "x"}], ids=str
)
def test_a_page_speaks_one_language(app: Country, query: dict[str, str], locale: str, language: str) -> None:
    at = visit(locale=locale, **query)
    texts = [*list_texts(at), *list_names_of_pages(at)]
    assert len(texts) > 20
    assert find_other_language(texts, language) == []


def test_the_judge_of_the_test_above_knows_the_other_language(app: Country) -> None:
    texts = list_texts(visit(q="lyon"))
    assert len(find_other_language(texts, "fr")) > 10
    texts = list_texts(visit(q="lyon", locale="fr-FR"))
    assert len(find_other_language(texts, "en")) > 10


def test_choosing_a_language_turns_the_whole_page(app: Country) -> None:
    at = visit(q="lyon")
    run(at.get_by_key("lang").set_value("fr"))
    assert at.title[0].value == "Combien coûte le carburant près de chez vous\u00a0?"
    assert list_rows(at)[0][0].split("\n")[0].endswith("\u00a0€")
    assert find_other_language(list_texts(at), "fr") == []


@pytest.mark.parametrize("query", [{"q": "lyon"}, {"q": "69", "radius": "50"}, {"at": "45.75,4.85"}], ids=str)
def test_a_rerun_asks_the_database_at_most_ten_times(
    monkeypatch: pytest.MonkeyPatch, country: Country, query: dict[str, str]
) -> None:
    from ui.reading import get_engine

    with run_app(monkeypatch, country.settings):
        at = visit(**query)
        questions: list[str] = []

        @event.listens_for(get_engine(), "before_cursor_execute")
        def count(connection: object, cursor: object, statement: str, *_: object) -> None:
            if not statement.startswith("BEGIN"):
                questions.append(statement)

        run(at)
    assert has_answer(at)
    assert 3 <= len(questions) <= 10, "\n".join(questions)


def test_the_place_is_taken_up_again_when_the_navigation_dropped_it_from_the_address(app: Country) -> None:
    at = visit(at="45.75,4.85")
    before = at.main.subheader[0].value
    del at.query_params["at"]
    run(at)
    assert at.query_params["at"] == "45.75,4.85"
    assert at.main.subheader[0].value == before


def test_a_new_text_takes_the_place_of_a_position(app: Country) -> None:
    at = visit(at="45.75,4.85")
    run(at.get_by_key("q").set_value("lyon"))
    assert "at" not in at.query_params
    assert "Lyon" in at.main.subheader[0].value
