"""The page to choose stations: what it finds and opens, and what it does to the list of a driver or a visitor."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
from conftest import KEY, PASSWORD
from page_visit import (
    FIRST_ID,
    Country,
    find_other_language,
    list_answer,
    list_names_of_pages,
    list_offers,
    list_points,
    list_texts,
    load_country,
    read,
    run,
    run_app,
    visit,
    write_price,
)
from sqlalchemy import delete, event, insert, select, update
from streamlit.testing.v1 import AppTest

from accounts.registration import Registration, register
from accounts.sessions import open_session
from db import begin_writing
from models import Attempt, CustomStation, Station, StationBrand, User, make_town_key
from stations.details import StationDetails, get_station
from stations.favourites import MAX_FAVOURITES, add_favourite, remove_favourite, rename_favourite

NOTHING_SOLD = "There is no station here that sells this. Try a wider circle or another place."

LYON = ("69003", "69007")
HOSTILE = "**b** [x](javascript:alert(1)) | <script> :red[x]"
FIRST, SECOND, THIRD = FIRST_ID, FIRST_ID + 1, FIRST_ID + 2


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Country]:
    """Four hundred stations, of which the tests change only what they put back: accounts, brands and one address."""
    country = load_country(tmp_path_factory.mktemp("country"), stations=400)
    yield country
    country.engine.dispose()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, country: Country) -> Iterator[Country]:
    with run_app(monkeypatch, country.settings):
        yield country
    with begin_writing(country.engine) as connection:
        connection.execute(delete(User))
        connection.execute(delete(Attempt))
        connection.execute(delete(StationBrand))


@pytest.fixture
def driver_id(app: Country) -> int:
    form = Registration("ada", "ada@mailbox.org", "Ada", PASSWORD, language="en")
    opening = register(app.engine, app.settings, KEY, form, address=None, now=datetime.now(UTC))
    assert opening.user_id is not None
    return opening.user_id


def log_in(app: Country, user_id: int) -> str:
    """Return the id of a session of the driver in a new window."""
    with begin_writing(app.engine) as connection:
        return open_session(connection, user_id, is_lasting=False, browser="", now=datetime.now(UTC))


def keep(app: Country, user_id: int, *station_ids: int, name: str = "") -> None:
    with begin_writing(app.engine) as connection:
        for station_id in station_ids:
            add_favourite(connection, user_id, station_id, name, datetime.now(UTC))


def list_own(app: Country, user_id: int) -> list[tuple[int, str]]:
    """Return the driver's stations in their order, as the database has them."""
    with app.engine.connect() as connection:
        rows = connection.execute(
            select(CustomStation.station_id, CustomStation.custom_name)
            .where(CustomStation.user_id == user_id)
            .order_by(CustomStation.position)
        )
        return [tuple(row) for row in rows]


def find_station(app: Country, station_id: int) -> StationDetails:
    with app.engine.connect() as connection:
        return get_station(connection, station_id)


def open_station(at: AppTest, station_id: int | str) -> AppTest:
    """Click on a station, as the map and the list tell the page of it."""
    at.query_params["show"] = str(station_id)
    return run(at)


def go_back(at: AppTest) -> AppTest:
    """Go back to the address of before a station was opened."""
    del at.query_params["show"]
    return run(at)


def press(at: AppTest, label: str) -> AppTest:
    """Press the button on which that stands."""
    (button,) = [button for button in at.button if button.label == label]
    return run(button.click())


def get_dialog(at: AppTest) -> list[str]:
    """Return what stands in the dialog; nothing when none is open."""
    found = [node for node in at._tree if getattr(node, "type", "") == "dialog"]
    texts = [getattr(node, "value", None) for dialog in found for node in dialog]
    return [read(text) for text in texts if isinstance(text, str)]


def is_open(at: AppTest) -> bool:
    return bool(get_dialog(at))


def get_map(at: AppTest) -> dict[str, object]:
    """Return what the page tells the browser to draw."""
    (chart,) = at.main.get("deck_gl_json_chart")
    return json.loads(chart.proto.json)


def get_points_query(at: AppTest) -> dict[str, str]:
    """Return what the map asks the route for, but for the load it is of."""
    (link,) = [layer["data"] for layer in get_map(at)["layers"] if isinstance(layer["data"], str)]
    query = dict(parse_qsl(urlsplit(link).query))
    assert re.fullmatch(r"[\d.]+", query.pop("load"))
    return query


def list_map_ids(at: AppTest) -> list[int]:
    """Return the stations that the route answers the map with, the cheapest first."""
    return [point["id"] for point in reversed(list_points(at))]


def list_own_points(at: AppTest) -> list[dict[str, object]]:
    (points,) = [layer["data"] for layer in get_map(at)["layers"] if isinstance(layer["data"], list)]
    return points


def list_ids(at: AppTest) -> list[int]:
    return [int(link.partition("=")[2]) for _, link in list_answer(at)]


def get_headings(at: AppTest) -> list[str]:
    return [read(heading.value) for heading in at.main.subheader]


def get_choices(at: AppTest) -> list[str]:
    """Return what one's own stations are called where one of them can be chosen."""
    (pills,) = [group for group in at.main.get("button_group") if group.proto.id.endswith("own_station")]
    return [read(option.content) for option in pills.proto.options]


def test_without_a_search_the_whole_country_is_on_the_map_and_the_cheapest_in_the_list(app: Country) -> None:
    at = visit("choose")
    assert get_headings(at) == ["My stations (0 of 10)", "E10 in the whole country"]
    offers = list_offers(app, "E10", 46.0, 2.0, 20_000)
    rows = list_answer(at)
    assert len(rows) == 20
    assert [price.split("\n")[0] for price, _ in rows] == [write_price(offer.price_milli_eur) for offer in offers[:20]]
    assert get_points_query(at) == {"fuel": "5", "lang": "en"}
    assert list_map_ids(at)[:20] == list_ids(at)
    assert len(list_map_ids(at)) == int(at.main.caption[0].value.split()[0]) > 200
    run(at.button(key="show_more").click())
    assert list_map_ids(at)[:40] == list_ids(at)


def test_the_list_ends_where_nobody_reads_on_and_the_map_goes_on(app: Country) -> None:
    at = visit("choose")
    at.session_state["choose_rows"] = 10_000
    run(at)
    assert len(list_answer(at)) == 200
    assert "show_more" not in [button.key for button in at.main.button]
    assert any("200 stations at most" in caption.value for caption in at.main.caption)
    assert len(list_map_ids(at)) > 200


@pytest.mark.parametrize(
    "query",
    [
        {"q": "lyon", "fuel": "Gazole", "radius": "50"},
        {"q": "69"},
        {"at": "45.75,4.85", "radius": "20"},
        {"q": "rue lyon"},
        {"q": "lyon", "open": "true", "radius": "50"},
        {"automat": "true"},
        {"motorways": "false", "stock": "true"},
        {"roads": "false"},
        {"with": "1,2"},
        {"q": "lyon", "all_fuels": "true"},
        {"all_fuels": "true", "stock": "true"},
    ],
    ids=str,
)
def test_the_map_and_the_list_show_the_same_stations_in_the_same_order(app: Country, query: dict[str, str]) -> None:
    at = visit("choose", **query)
    column = "Station"
    shown = [int(re.findall(r"/station\?id=(\d+)", cell)[0]) for cell in at.main.table[0].value[column]]
    assert shown
    assert list_map_ids(at)[: len(shown)] == shown
    assert len(list_map_ids(at)) == int(at.main.caption[0].value.split()[0].rstrip(",").replace(",", ""))


@pytest.mark.parametrize("query", [{}, {"q": "Lyon", "fuel": "Gazole", "radius": "5"}, {"open": "true"}, {"with": "1"}])
def test_filters_are_open_where_the_address_asks_for_one(app: Country, query: dict[str, str]) -> None:
    at = visit("choose", **query)
    [filters] = at.main.expander
    assert filters.proto.expanded == bool({"open", "with"} & set(query))
    assert filters.get_by_key("motorways").value
    run(at.get_by_key("stock").check())
    assert at.main.expander[0].proto.expanded == filters.proto.expanded  # it is the visitor's to open and close


def test_all_fuels_show_each_station_with_all_its_prices(app: Country) -> None:
    at = visit("choose", q="lyon", all_fuels="true")
    assert get_headings(at)[1] == "All fuels within 10 km of Lyon (Rhône)"
    prices, station = (read(cell) for cell in at.main.table[0].value.iloc[0])
    station_id = int(re.findall(r"id=(\d+)", at.main.table[0].value.iloc[0, 1])[0])
    plain = app.stations[station_id]
    for fuel_id, (price, _) in plain.prices.items():
        assert (write_price(price) in prices) == (fuel_id not in plain.stock_outs)
    assert plain.address in station


def test_a_text_that_is_no_place_is_looked_for_in_address_town_brand_and_name(app: Country) -> None:
    station = find_station(app, next(id_ for id_, one in app.stations.items() if len(one.address.split()) > 2))
    with begin_writing(app.engine) as connection:
        connection.execute(
            insert(StationBrand).values(
                station_id=station.id, brand="Au Zéphyr", brand_key="relais zephyr", name="Halte", name_key="halte"
            )
        )
    at = visit("choose", q=f"{station.address} {station.town}", all_fuels="true")
    assert station.id in list_map_ids(at)
    for id_ in list_map_ids(at):
        other = find_station(app, id_)
        assert set(make_town_key(f"{station.address} {station.town}").split()) <= set(
            make_town_key(f"{other.address} {other.town} {other.zip_code}").split()
        )
    for text in ("Halte", "zéphyr"):
        at = visit("choose", q=text, all_fuels="true")
        assert list_map_ids(at) == [station.id]
    assert "Au Zéphyr" in read(at.main.table[0].value.iloc[0, 1])


def test_a_street_with_a_postcode_is_looked_for_in_addresses_and_else_the_postcode_is_meant(app: Country) -> None:
    id_, plain = next((id_, one) for id_, one in app.stations.items() if len(one.address.split()) > 2)
    at = visit("choose", q=f"{plain.address} {plain.zip_code}", all_fuels="true")
    assert id_ in list_map_ids(at)
    for other in list_map_ids(at):
        assert set(make_town_key(plain.address).split()) <= set(
            make_town_key(f"{app.stations[other].address} {app.stations[other].raw_town}").split()
        )
    at = visit("choose", q=f"Zéphyrville {plain.zip_code}", all_fuels="true")
    assert f"km of {plain.zip_code} " in get_headings(at)[1]
    assert id_ in list_map_ids(at)


def test_the_address_of_a_station_is_found_with_its_arrondissement_or_cedex(app: Country) -> None:
    id_ = FIRST
    with begin_writing(app.engine) as connection:
        values = {"address": "9 Rue Zéphyr", "address_key": "9 rue zephyr"}
        values |= {"town": "Lyon", "town_key": "lyon", "zip_code": "69003"}
        connection.execute(update(Station).where(Station.id == id_).values(values))
    for text in (
        "rue zéphyr lyon 3e",
        "Rue Zéphyr, Lyon 3ème arrondissement",
        "zéphyr 69003 Lyon",
        "Zéphyr Lyon Cedex 03",
    ):
        assert list_map_ids(visit("choose", q=text, all_fuels="true")) == [id_], text


def test_brands_can_be_asked_for_once_there_are_some(app: Country) -> None:
    assert "Brands" not in [one.label for one in visit("choose").multiselect]
    with begin_writing(app.engine) as connection:
        for station_id in (FIRST, SECOND):
            values = {"station_id": station_id, "brand": "Esso", "brand_key": "esso", "name": ""}
            connection.execute(insert(StationBrand).values(values))
    from ui.station_search import get_facts

    get_facts.clear()  # a load of brands would have been a new edition
    at = visit("choose", all_fuels="true")
    run(at.multiselect(key="brand").set_value(["esso"]))
    assert list_map_ids(at) == [FIRST, SECOND]
    get_facts.clear()


def test_places_of_one_name_are_offered_and_all_of_them_are_shown_meanwhile(app: Country) -> None:
    at = visit("choose", q="montreuil", all_fuels="true")
    assert {find_station(app, id_).town for id_ in list_map_ids(at)} >= {"Montreuil"}
    (button,) = [button for button in at.main.button if "Pas-de-Calais" in read(button.label)]
    run(button.click())
    assert get_headings(at)[1] == "All fuels within 10 km of Montreuil (Pas-de-Calais)"


@pytest.mark.parametrize("text", ["Atlantide", HOSTILE[:48], "\u202e\u200f", "||| ;;;", "' OR 1=1 --", "%"])
def test_a_text_that_nothing_is_called_is_quoted_and_the_map_stays(app: Country, text: str) -> None:
    at = visit("choose", q=text)
    (box,) = at.main.info
    if re.search(r"\w", text):
        assert read(box.proto.title) == f"No station at “{text}”"
        assert "](javascript" not in box.proto.title
        assert list_map_ids(at) == []
    else:
        assert box.value == "Search with letters or digits, please."
    assert at.main.get("deck_gl_json_chart")


def test_a_place_on_the_other_side_of_the_world_has_no_stations(app: Country) -> None:
    at = visit("choose", at="-41.3,174.8")
    assert [box.value for box in at.main.info] == [NOTHING_SOLD]


def test_the_map_looks_elsewhere_only_when_another_place_is_searched(app: Country) -> None:
    at = visit("choose", q="lyon")
    first = get_map(at)["initialViewState"]
    run(at.get_by_key("fuel").set_value(1))
    run(at.get_by_key("radius").set_value(50))
    run(at.checkbox(key="open").check())
    run(at.checkbox(key="all_fuels").check())
    assert get_map(at)["initialViewState"] == first
    run(at.text_input(key="q").set_value("paris"))
    assert get_map(at)["initialViewState"]["longitude"] != first["longitude"]


def test_a_station_is_open_as_long_as_the_address_says_so(app: Country) -> None:
    at = open_station(visit("choose"), FIRST)
    assert is_open(at)
    station = find_station(app, FIRST)
    assert any(station.zip_code in text and station.town in text for text in get_dialog(at))
    for price, _ in app.stations[FIRST].prices.values():
        assert any(write_price(price) in str(table.value) for table in at.table)
    assert is_open(run(at))  # a reload, new prices
    assert not is_open(go_back(at))


@pytest.mark.parametrize("station_id", [0, -1, 99, 2**63, "", "x", "١", "1" * 10_000])
def test_a_station_that_does_not_exist_is_said_not_to(app: Country, station_id: int | str) -> None:
    at = open_station(visit("choose"), station_id)
    assert get_dialog(at) == ["This station is not in the national feed, or no longer."]
    assert not is_open(go_back(at))


def test_a_driver_adds_a_station_under_the_offered_name_or_another(app: Country, driver_id: int) -> None:
    at = visit("choose", session_id=log_in(app, driver_id))
    assert get_headings(at)[0] == "My stations (0 of 50)"
    press(open_station(at, FIRST), "Add to my stations")
    open_station(at, SECOND)
    at.text_input(key=f"dialog_name_{SECOND}").set_value("Home")
    press(at, "Add to my stations")
    first = find_station(app, FIRST)
    assert list_own(app, driver_id) == [(FIRST, f"{first.town}, {first.address}"), (SECOND, "Home")]
    assert get_headings(at)[0] == "My stations (2 of 50)"
    assert get_choices(at) == [f"{first.town}, {first.address}", "Home"]
    assert [point["id"] for point in list_own_points(at)] == [FIRST, SECOND]
    assert "Home" in list_own_points(at)[1]["label"]
    assert not is_open(at)


def test_a_visitor_adds_stations_too_and_they_stand_in_the_address(app: Country) -> None:
    at = visit("choose")
    for station_id in (FIRST, SECOND):
        press(open_station(at, station_id), "Add to my stations")
    assert at.query_params["keep"] == f"{FIRST},{SECOND}"
    assert get_headings(at)[0] == "My stations (2 of 10)"
    assert (
        "2 stations, kept in this window and its address only. Names you give them are in this window alone."
        in list_texts(at)
    )
    assert len(get_choices(visit("choose", keep=f"{SECOND},{FIRST},999999999999,x,-1,7"))) == 2
    press(at, "Keep these")
    assert [title.value for title in at.title] == ["Open an account"]
    assert at.session_state["keep_tried"]


@pytest.mark.parametrize("count", [10, 11])
def test_an_address_with_more_stations_than_can_be_tried_says_how_many_were_taken(app: Country, count: int) -> None:
    ids = [str(FIRST + number) for number in range(count)]
    at = visit("choose", keep=",".join([*ids, ids[0]]))
    assert len(get_choices(at)) == 10
    assert at.query_params["keep"] == ",".join(ids[:10])
    assert [warning.value for warning in at.warning] == [
        "This address names 11 stations; the first 10 were taken, which is what can be tried."
    ] * (count - 10)
    (both,) = visit("choose", keep=",".join([*ids, "1"])).warning
    assert both.value.startswith("1 station in this address is not known and was left out.")
    assert ("This address names 11 stations;" in both.value) == (count == 11)


def test_adding_a_station_twice_says_so(app: Country, driver_id: int) -> None:
    at = open_station(visit("choose", session_id=log_in(app, driver_id)), FIRST)
    keep(app, driver_id, FIRST)  # in another window
    press(at, "Add to my stations")
    assert [error.value for error in at.error] == ["This station is already in your list."]
    assert len(list_own(app, driver_id)) == 1


def test_a_full_list_says_how_many_it_holds(app: Country, driver_id: int) -> None:
    keep(app, driver_id, *range(FIRST, FIRST + MAX_FAVOURITES))
    at = open_station(visit("choose", session_id=log_in(app, driver_id)), FIRST + MAX_FAVOURITES)
    press(at, "Add to my stations")
    assert [error.value for error in at.error] == ["Your list is full: 50 stations. Remove one first."]
    at = open_station(visit("choose", keep=",".join(str(FIRST + n) for n in range(10))), FIRST + 20)
    press(at, "Add to my stations")
    assert [error.value for error in at.error] == [
        "Without an account 10 stations can be tried. Remove one first, or open an account."
    ]


def test_a_station_that_left_the_feed_meanwhile_is_not_added(app: Country, driver_id: int) -> None:
    at = open_station(visit("choose", session_id=log_in(app, driver_id)), THIRD)
    with begin_writing(app.engine) as connection:
        connection.execute(update(Station).where(Station.id == THIRD).values(left_feed_at=datetime.now(UTC)))
    press(at, "Add to my stations")
    assert "This station is not in the national feed, or no longer." in [error.value for error in at.error]
    assert list_own(app, driver_id) == []
    with begin_writing(app.engine) as connection:
        connection.execute(update(Station).where(Station.id == THIRD).values(left_feed_at=None))


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (HOSTILE, HOSTILE),
        ("\u202eevil\u200f  name", "evil name"),
        (" \u00a0 ", None),
        ("@@#x |a|b| :material/home:", "@@#x |a|b| :material/home:"),
    ],
)
def test_a_name_of_one_s_own_is_shown_as_text(app: Country, driver_id: int, typed: str, kept: str | None) -> None:
    session_id = log_in(app, driver_id)
    at = open_station(visit("choose", session_id=session_id), FIRST)
    at.text_input(key=f"dialog_name_{FIRST}").set_value(typed)
    press(at, "Add to my stations")
    station = find_station(app, FIRST)
    name = f"{station.town}, {station.address}" if kept is None else kept
    assert list_own(app, driver_id) == [(FIRST, name)]
    assert get_choices(at) == [name]
    run(at.get_by_key("own_station").set_value(FIRST))
    texts = [text for text in list_texts(at) if name in read(text)]
    assert len(texts) >= 2  # in the choice and above the form
    shown = [node.value for node in at.main if isinstance(getattr(node, "value", None), str)]
    for active in ("](javascript", "<script>", "**b**", ":red[x", ":material/home"):
        assert not any(active in text for text in shown if text != name), active
    assert "@@" not in str(list_own_points(at))
    at = open_station(at, FIRST)
    assert any(text.startswith(f"In your list as {name}") for text in get_dialog(at))


@pytest.mark.parametrize("length", [61, 10_000])
def test_a_name_that_is_too_long_is_refused_and_stays_in_the_field(app: Country, driver_id: int, length: int) -> None:
    sentence = "Please give a name of at most 60 characters."
    at = open_station(visit("choose", session_id=log_in(app, driver_id)), FIRST)
    at.text_input(key=f"dialog_name_{FIRST}").set_value("x" * length)
    press(at, "Add to my stations")
    assert [error.value for error in at.error] == [sentence]
    assert at.text_input(key=f"dialog_name_{FIRST}").value == "x" * length
    assert list_own(app, driver_id) == []
    at.text_input(key=f"dialog_name_{FIRST}").set_value("x" * 60)
    press(at, "Add to my stations")
    run(at.get_by_key("own_station").set_value(FIRST))
    at.text_input(key=f"own_rename_{FIRST}").set_value("y" * length)
    press(at, "Rename")
    assert [error.value for error in at.error] == [sentence]
    assert at.text_input(key=f"own_rename_{FIRST}").value == "y" * length
    assert list_own(app, driver_id) == [(FIRST, "x" * 60)]


@pytest.mark.parametrize("name", ["Home", ""], ids=["a name of one's own", "the offered name"])
def test_a_name_of_spaces_gives_the_offered_name_which_the_field_then_shows(
    app: Country, driver_id: int, name: str
) -> None:
    keep(app, driver_id, FIRST, name=name)
    at = visit("choose", session_id=log_in(app, driver_id))
    run(at.get_by_key("own_station").set_value(FIRST))
    at.text_input(key=f"own_rename_{FIRST}").set_value("   ")
    press(at, "Rename")
    station = find_station(app, FIRST)
    offered = f"{station.town}, {station.address}"
    assert list_own(app, driver_id) == [(FIRST, offered)]
    field = at.text_input(key=f"own_rename_{FIRST}")
    assert (field.value, field.proto.value, field.proto.set_value) == (offered, offered, True)  # a browser is told


def test_a_station_is_renamed_removed_and_brought_back_to_its_place(app: Country, driver_id: int) -> None:
    keep(app, driver_id, FIRST, name="One")
    keep(app, driver_id, SECOND, name="Two")
    keep(app, driver_id, THIRD, name="Three")
    at = visit("choose", session_id=log_in(app, driver_id))
    run(at.get_by_key("own_station").set_value(SECOND))
    at.text_input(key=f"own_rename_{SECOND}").set_value("Deux")
    press(at, "Rename")
    assert get_choices(at) == ["One", "Deux", "Three"]
    run(at.get_by_key("own_station").set_value(SECOND))
    press(at, "Remove")
    assert list_own(app, driver_id) == [(FIRST, "One"), (THIRD, "Three")]
    assert "Deux was removed." in [read(text.value) for text in at.main.markdown]
    run(at)  # it stays until the next change
    press(at, "Undo")
    assert list_own(app, driver_id) == [(FIRST, "One"), (SECOND, "Deux"), (THIRD, "Three")]
    assert "Undo" not in [button.label for button in at.button]


def test_the_way_back_of_one_driver_is_not_offered_to_the_next(app: Country, driver_id: int) -> None:
    keep(app, driver_id, FIRST)
    at = visit("choose", session_id=log_in(app, driver_id))
    run(at.get_by_key("own_station").set_value(FIRST))
    press(at, "Remove")
    assert "Undo" in [button.label for button in at.button]
    press(at, "Log out")
    assert get_headings(at)[0] == "My stations (0 of 10)"
    assert "Undo" not in [button.label for button in at.button]


def test_a_name_given_in_another_window_is_shown_in_the_field(app: Country, driver_id: int) -> None:
    keep(app, driver_id, FIRST)
    at = visit("choose", session_id=log_in(app, driver_id))
    run(at.get_by_key("own_station").set_value(FIRST))
    with begin_writing(app.engine) as connection:
        rename_favourite(connection, driver_id, FIRST, "By the sea")
    assert run(at).text_input(key=f"own_rename_{FIRST}").value == "By the sea"


def test_stations_are_moved_and_sorted(app: Country, driver_id: int) -> None:
    towns = {}
    for station_id, name in ((FIRST, "b"), (SECOND, "É"), (THIRD, "a")):
        keep(app, driver_id, station_id, name=name)
        towns[station_id] = make_town_key(find_station(app, station_id).town)
    at = visit("choose", session_id=log_in(app, driver_id))
    press(at, "Sort by name")
    assert [name for _, name in list_own(app, driver_id)] == ["a", "b", "É"]
    press(at, "Sort by town")
    assert [towns[id_] for id_, _ in list_own(app, driver_id)] == sorted(towns.values())
    order = [id_ for id_, _ in list_own(app, driver_id)]
    run(at.get_by_key("own_station").set_value(order[0]))
    press(at, "Move down")
    press(at, "Move down")
    assert [id_ for id_, _ in list_own(app, driver_id)] == [order[1], order[2], order[0]]
    press(at, "Move up")
    assert [id_ for id_, _ in list_own(app, driver_id)] == [order[1], order[0], order[2]]


def test_what_another_window_removed_is_said_and_the_page_goes_on(app: Country, driver_id: int) -> None:
    keep(app, driver_id, FIRST, SECOND)
    at = visit("choose", session_id=log_in(app, driver_id))
    run(at.get_by_key("own_station").set_value(FIRST))
    with begin_writing(app.engine) as connection:
        remove_favourite(connection, driver_id, FIRST)
    press(at, "Remove")
    assert [error.value for error in at.main.error] == [
        "This station is no longer in your list; it was removed in another window."
    ]
    assert get_headings(at)[0] == "My stations (1 of 50)"


def test_what_another_window_brought_back_is_said_and_kept_once(app: Country, driver_id: int) -> None:
    keep(app, driver_id, FIRST)
    at = visit("choose", session_id=log_in(app, driver_id))
    run(at.get_by_key("own_station").set_value(FIRST))
    press(at, "Remove")
    keep(app, driver_id, FIRST)
    press(at, "Undo")
    assert [error.value for error in at.main.error] == ["This station is already in your list."]
    assert len(list_own(app, driver_id)) == 1


def test_two_stations_of_one_name_can_be_told_apart(app: Country, driver_id: int) -> None:
    keep(app, driver_id, FIRST, SECOND, name="Home")
    at = visit("choose", session_id=log_in(app, driver_id))
    assert get_choices(at) == ["Home", "Home (2)"]
    run(at.get_by_key("own_station").set_value(SECOND))
    press(at, "Remove")
    assert list_own(app, driver_id) == [(FIRST, "Home")]


def test_an_own_station_that_left_the_feed_stays_and_is_marked(app: Country, driver_id: int) -> None:
    keep(app, driver_id, FIRST, name="Home")
    with begin_writing(app.engine) as connection:
        connection.execute(update(Station).where(Station.id == FIRST).values(left_feed_at=datetime.now(UTC)))
    at = visit("choose", session_id=log_in(app, driver_id))
    run(at.get_by_key("own_station").set_value(FIRST))
    assert "Home\nno longer in the national feed" in [read(text.value) for text in at.main.markdown]
    assert list_own_points(at) == []
    press(at, "Remove")
    assert list_own(app, driver_id) == []
    with begin_writing(app.engine) as connection:
        connection.execute(update(Station).where(Station.id == FIRST).values(left_feed_at=None))


def test_the_page_of_a_station_adds_it_too(app: Country, driver_id: int) -> None:
    at = visit("station", session_id=log_in(app, driver_id), id=str(FIRST))
    at.text_input(key=f"station_name_{FIRST}").set_value("Home")
    press(at, "Add to my stations")
    assert list_own(app, driver_id) == [(FIRST, "Home")]
    assert "In your list as Home." in [read(text.value) for text in at.main.markdown]
    press(at, "Remove")
    assert list_own(app, driver_id) == []


@pytest.mark.parametrize(("locale", "language"), [("en-GB", "en"), ("fr-FR", "fr")])
@pytest.mark.parametrize("query", [{}, {"q": "lyon", "all_fuels": "true"}, {"q": "xyz"}, {"keep": str(FIRST)}], ids=str)
def test_the_page_speaks_one_language(app: Country, query: dict[str, str], locale: str, language: str) -> None:
    at = visit("choose", locale=locale, **query)
    if "keep" in query:
        run(at.get_by_key("own_station").set_value(FIRST))
    texts = [*list_texts(at), *get_dialog(open_station(at, SECOND)), *list_names_of_pages(at)]
    assert len(texts) > 40
    assert find_other_language(texts, language) == []


@pytest.mark.parametrize("query", [{}, {"q": "lyon", "all_fuels": "true"}, {"q": "rue lyon"}], ids=str)
def test_a_rerun_asks_the_database_at_most_ten_times_whatever_is_kept(
    app: Country, driver_id: int, query: dict[str, str]
) -> None:
    from ui.reading import get_engine

    keep(app, driver_id, *range(FIRST, FIRST + MAX_FAVOURITES))
    session_id = log_in(app, driver_id)
    visit("choose", session_id=session_id)  # what a load brought is read by the first who comes
    at = visit("choose", session_id=session_id, **query)
    questions: list[str] = []

    @event.listens_for(get_engine(), "before_cursor_execute")
    def count(connection: object, cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            questions.append(statement)

    for act in (lambda: open_station(at, FIRST), lambda: run(at.text_input(key="q").set_value("paris"))):
        questions.clear()
        act()
        assert 3 <= len(questions) <= 10, "\n".join(questions)
