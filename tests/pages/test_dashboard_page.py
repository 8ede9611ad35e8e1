"""My stations, as a driver and as a visitor who tries it: the same page with another source of stations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from conftest import KEY, PASSWORD, find_code
from known_stations import CENTRE, E10, GAZOLE, add_price, add_station, add_stock_out
from page_visit import Country, find_other_language, list_texts, load_country, read, run, run_app, visit
from sqlalchemy import Connection, delete, event, insert, select, update
from streamlit.testing.v1 import AppTest

from accounts.profile import change_fuels, change_vehicle
from accounts.registration import Registration, register
from accounts.sessions import open_session
from db import begin_writing
from models import CustomStation, OutboxMail, Price, Station, StationBrand, StockOut, User
from settings import ROOT
from stations.favourites import add_favourite

HOSTILE = "**b** [x](javascript:alert(1)) | <script> :red[x] \u202eltr"
UNKNOWN_START = "We know no place to start from called “{}”. Try a postcode or a larger town nearby."
SHOWN = "**b** [x](javascript:alert(1)) | <script> :red[x] ltr"  # marks of direction are taken away
NIGHTS = "|".join([""] * 7)  # closed all week

PARIS = ZoneInfo("Europe/Paris")
LogIn = Callable[..., str]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Country]:
    """The pages, reading a small country and, far from all of it, five stations whose prices are known."""
    (tmp_path / "own").mkdir()
    country = load_country(tmp_path / "own", stations=60, oddities=False)
    with begin_writing(country.engine) as connection:
        add_known_stations(connection, datetime.now(UTC))
    with run_app(monkeypatch, country.settings):
        yield country
    country.engine.dispose()


def add_known_stations(connection: Connection, now: datetime) -> None:
    """E10 at 1, 2, 3 (old), 4 (closed) and 5 (out of it); Gazole at 1 alone."""
    for station_id, km in ((1, 1.0), (2, 4.0), (3, 2.0), (4, 3.0), (5, 2.5)):
        add_station(connection, station_id, km, **({"opening_hours": NIGHTS} if station_id == 4 else {}))
    for station_id, price, days in ((1, 1800, 0.25), (2, 1750, 8.0), (3, 1700, 40.0), (4, 1740, 2.0), (5, 1730, 2.0)):
        add_price(connection, station_id, price, E10, days, now)
    add_price(connection, 1, 1700, GAZOLE, 1.0, now)
    add_stock_out(connection, 5, now=now)


@pytest.fixture
def log_in(app: Country) -> LogIn:
    """Give a function that opens an account with these stations and fuels, and returns the id of a session."""

    def open_account(*station_ids: int, fuels: tuple[int, ...] = (E10,), name: str = "", language: str = "en") -> str:
        now = datetime.now(UTC)
        form = Registration("ada", "ada@mailbox.org", "Ada", PASSWORD, fuels, language)
        user_id = register(app.engine, app.settings, KEY, form, address=None, now=now).user_id
        assert user_id is not None
        with begin_writing(app.engine) as connection:
            for station_id in station_ids:
                add_favourite(connection, user_id, station_id, name, now)
            change_fuels(connection, user_id, fuels)
            return open_session(connection, user_id, is_lasting=False, browser="", now=now)

    return open_account


def list_tables(at: AppTest) -> list[list[tuple[str, ...]]]:
    return [[tuple(map(read, map(str, row))) for row in table.value.itertuples(index=False)] for table in at.main.table]


def list_sentences(at: AppTest) -> list[str]:
    return [read(text) for text in list_texts(at)]


def press(at: AppTest, key: str) -> AppTest:
    return run(at.button(key=key).click())


def test_a_driver_s_home_shows_the_own_stations_cheapest_first(app: Country, log_in: LogIn) -> None:
    at = visit(session_id=log_in(1, 2, 3, 4, 5))
    assert [title.value for title in at.main.title] == ["My stations"]
    prices, *_ = list_tables(at)
    ran_out = (datetime.now(UTC) - timedelta(days=2)).astimezone(PARIS)
    # The dearest is 1; the median of 1800, 1750 and 1740 is 1750. Old and sold-out ones are compared with nothing.
    assert [(price.replace("\u00a0", " "), station) for price, station, _ in prices] == [
        ("€1.750\n−5.0 c vs max\n±0.0 c vs median", "Guéret, 2 Rue de la Gare\n8\u00a0days\u00a0ago"),
        ("€1.800\n±0.0 c vs max\n+5.0 c vs median", "Guéret, 1 Rue de la Gare\n6\u00a0hours\u00a0ago"),
        ("€1.740\n−6.0 c vs max\n−1.0 c vs median", "Guéret, 4 Rue de la Gare\n2\u00a0days\u00a0ago\nclosed now"),
        ("€1.730", f"Guéret, 5 Rue de la Gare\n2\u00a0days\u00a0ago\nout of stock since {ran_out:%-d %B %Y}"),
        ("€1.700", "Guéret, 3 Rue de la Gare\n1\u00a0month\u00a0ago\nold price"),
    ]
    cells = at.main.table[0].value
    assert ":orange[:material/schedule:\u00a08\u00a0days\u00a0ago]" in cells.iloc[0, 1]  # marked from seven days on
    assert ":orange[" not in cells.iloc[1, 1]
    assert cells.iloc[0, 0].startswith("**€1.750**")
    assert "](/station?id=2&lang=EN)" in cells.iloc[0, 1]
    assert cells.iloc[0, 2].startswith("[Go there](https://www.google.com/maps/dir/?api=1&destination=46.0359")
    assert any(re.fullmatch(r"Last load: .* · newest report: .* \(Paris time\)", text) for text in list_sentences(at))


@pytest.mark.parametrize("is_driver", [True, False])
def test_a_station_leads_back_to_the_page_on_which_it_was_seen(app: Country, log_in: LogIn, is_driver: bool) -> None:
    session_id = log_in(1) if is_driver else None
    for page, label in (("dashboard", "Back to my stations"), ("landing", "Back to the prices nearby")):
        at = visit("about", session_id=session_id)
        for name in (page, "station"):
            if name == "station":
                at.query_params["id"] = "1"
            at.switch_page(str(ROOT / "pages" / f"{name}.py"))
            run(at)
        for _ in range(2):
            assert at.main.get("page_link")[0].proto.label == label
            run(at)


def test_a_brand_stands_beside_the_town_as_text(app: Country, log_in: LogIn) -> None:
    with begin_writing(app.engine) as connection:
        for station_id, brand in ((1, HOSTILE), (2, "Esso")):
            connection.execute(insert(StationBrand).values(station_id=station_id, brand=brand, brand_key="", name=""))
    at = visit(session_id=log_in(1, 2, name="Home"))
    assert [station for _, station, _ in list_tables(at)[0]] == [
        "Home\nEsso · Guéret · 8\u00a0days\u00a0ago",
        f"Home\n{HOSTILE} · Guéret · 6\u00a0hours\u00a0ago",
    ]
    with begin_writing(app.engine) as connection:
        connection.execute(delete(StationBrand))


def test_each_fuel_has_a_block_and_one_that_nobody_sells_says_so(app: Country, log_in: LogIn) -> None:
    at = visit(session_id=log_in(1, 2, fuels=(E10, GAZOLE, 3)))
    assert [heading.value for heading in at.main.subheader][:3] == ["E10", "Gazole", "E85"]
    assert "None of your stations sells E85." in list_sentences(at)
    e10, gazole, savings = list_tables(at)
    assert [price for price, *_ in gazole] == ["€1.700\n±0.0\u00a0c\u00a0vs\u00a0median"]  # alone, there is no max
    assert len(e10) == 2
    # 650 x (1.775 - 1.750) = 16.25; the median nearby is 1750 itself. Gazole: one station, the median its own.
    assert savings == [("E10", "€16", "€0"), ("Gazole", "add a second station to compare", "€0")]


def test_savings_take_the_driver_s_own_figures_and_show_their_formula(app: Country, log_in: LogIn) -> None:
    session_id = log_in(1, 2)
    with begin_writing(app.engine) as connection:
        change_vehicle(connection, 1, litres_per_100km=5.0, km_per_year=20_000, tank_litres=50)
        connection.execute(update(CustomStation).values(custom_name="Mine"))
    at = visit(session_id=session_id)
    assert list_tables(at)[1] == [("E10", "€25", "€0")]  # 1,000 x 0.025
    formula = next(text for text in list_sentences(at) if "average of 2 stations" in text)
    assert "20,000 km a year × 5 L/100 km = 1,000 L a year" in formula
    assert "average of 2 stations: 1,000 × (€1.775 − €1.750) = €25" in formula
    assert "median within 10 km of the cheapest: 1,000 × (€1.750 − €1.750) = €0" in formula
    assert "usual" not in formula
    assert at.number_input(key="litres").value == 50


def test_the_formula_shows_an_average_with_which_it_can_be_recomputed(app: Country, log_in: LogIn) -> None:
    session_id = log_in(1, 2, 4, 5)
    with begin_writing(app.engine) as connection:
        connection.execute(delete(StockOut).where(StockOut.station_id == 5))
        for station_id, price in ((1, 1752), (2, 1768), (4, 1775), (5, 1778)):
            connection.execute(update(Price).where(Price.station_id == station_id).values(price=price))
    for language, reckoned in (
        ("EN", "average of 4 stations: 650 × (€1.7683 − €1.752) = €11"),  # 10.60; 10.40 with €1.768
        ("FR", "moyenne de 4 stations\xa0: 650 × (1,7683\xa0€ − 1,752\xa0€) = 11\xa0€"),
    ):
        at = visit(session_id=session_id, lang=language)
        assert any(reckoned in text for text in list_sentences(at))


def test_a_loss_against_those_around_is_said(app: Country, log_in: LogIn) -> None:
    at = visit(session_id=log_in(1))
    # 650 x (1.750 - 1.800) = -32.50
    assert list_tables(at)[1] == [("E10", "add a second station to compare", "€33 more")]


def test_a_detour_is_reckoned_from_the_place_in_the_address(app: Country, log_in: LogIn) -> None:
    # From the centre: 1 is 1.3 km away by road, 2 is 5.2 km, 4 is closed. With 0.13 L for each km of distance:
    # 1.8 x (40 + 0.169) = 72.30; 1.75 x (40 + 0.676) = 71.18; 1.75 x (40 + d x 0.13) = 72.30 at d = 10.1.
    # 4: 1.74 x (40 + 0.507) = 70.48.
    at = visit(session_id=log_in(1, 2, 3, 4, 5), near=f"{CENTRE[0]},{CENTRE[1]}")
    _, _, detours = list_tables(at)
    assert detours == [
        ("+€1.12", "Guéret, 2 Rue de la Gare\n5.2\u00a0km · €1.750 · 8\u00a0days\u00a0ago", "10\u00a0km"),
        ("nearest", "Guéret, 1 Rue de la Gare\n1.3\u00a0km · €1.800 · 6\u00a0hours\u00a0ago", "–"),
        ("+€1.82", "Guéret, 4 Rue de la Gare\n3.9\u00a0km · €1.740 · 2\u00a0days\u00a0ago\nclosed now", "12\u00a0km"),
    ]
    (assumed,) = [text for text in list_sentences(at) if "as the crow flies" in text]
    assert assumed == (
        "From your position: gain of a fill-up of 40 L against the nearest station, less the fuel for the way. "
        "Assumed: distances as the crow flies × 1.3, 6.5 L/100 km, there and back."
    )
    run(at.number_input(key="litres").set_value(20))
    # 1.8 x 20.169 = 36.30; 1.75 x 20.676 = 36.18
    assert list_tables(at)[2][0][0] == "+€0.12"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({}, "Say where you start: press “Near me”, or type a town."),
        (
            {"start": "Atlantide"},
            "We know no place to start from called “Atlantide”. Try a postcode or a larger town nearby.",
        ),
        (
            {"start": HOSTILE},
            f"We know no place to start from called “{HOSTILE}”. Try a postcode or a larger town nearby.",
        ),
        ({"near": "x"}, "The place in this link can't be read. Search for a town or a postcode instead."),
        ({"near": "91,200"}, "The place in this link can't be read. Search for a town or a postcode instead."),
        (
            {"near": "-46.0,-178.0"},
            "From your position, the way to your stations and back would burn the whole fill-up.",
        ),
    ],
    ids=str,
)
def test_a_start_that_leads_nowhere_is_told_in_a_sentence(
    app: Country, log_in: LogIn, query: dict[str, str], sentence: str
) -> None:
    at = visit(session_id=log_in(1, 2), **query)
    assert sentence in list_sentences(at)
    assert len(list_tables(at)) == 2


def test_a_town_and_a_fuel_and_litres_stand_in_the_address(app: Country, log_in: LogIn) -> None:
    at = visit(session_id=log_in(1, 2, fuels=(E10, GAZOLE)), start="gueret", detour="E10", litres="30")
    assert any(text.startswith("From Guéret (Creuse): gain of a fill-up of 30 L") for text in list_sentences(at))
    assert len(list_tables(at)[3]) == 2
    for key, rubbish in (("litres", "-5"), ("litres", "1e99"), ("litres", "x"), ("detour", "Kerosene")):
        assert len(list_tables(visit(session_id=at.session_state["session_id"], start="gueret", **{key: rubbish}))) >= 3


def test_no_station_and_no_fuel_lead_on(app: Country, log_in: LogIn) -> None:
    at = visit(session_id=log_in())
    assert not at.main.table
    assert any(text.startswith("You keep no station yet.") for text in list_sentences(at))
    with begin_writing(app.engine) as connection:
        add_favourite(connection, 1, 1, "", datetime.now(UTC))
        change_fuels(connection, 1, ())
    run(at)
    assert not at.main.table
    assert "You follow no fuel. Say on your profile which ones you fill up with." in list_sentences(at)


def test_a_station_that_left_the_feed_is_named(app: Country, log_in: LogIn) -> None:
    session_id = log_in(1, 2, name=HOSTILE)
    with begin_writing(app.engine) as connection:
        connection.execute(update(Station).where(Station.id == 2).values(left_feed_at=datetime.now(UTC)))
    at = visit(session_id=session_id)
    (box,) = at.main.info
    assert read(box.value) == f"1 of your stations is no longer in the national feed: {SHOWN}."
    assert len(list_tables(at)[0]) == 1


def test_a_hostile_name_is_text_everywhere(app: Country, log_in: LogIn) -> None:
    session_id = log_in(1, 2, 4, name=HOSTILE)
    with begin_writing(app.engine) as connection:
        connection.execute(update(Station).where(Station.id < 6).values(town=SHOWN))
    at = visit(session_id=session_id, near=f"{CENTRE[0]},{CENTRE[1]}")
    cells = [str(cell) for table in at.main.table for cell in table.value.iloc[:, 1]]
    named = [cell for cell in cells if "/station?id=" in cell]
    assert len(named) == 6
    for cell in named:
        assert read(cell).startswith(f"{SHOWN}\n")
        for active in ("](javascript", "<script>", ":red[", "**b**", "\u202e"):
            assert active not in cell


def test_a_shared_search_is_shown_to_a_driver_too_and_home_is_the_own_stations(app: Country, log_in: LogIn) -> None:
    session_id = log_in(1)
    for query in ({"q": "Lyon"}, {"at": "45.75,4.85"}, {"q": "Lyon", "fuel": "Gazole", "radius": "20"}):
        at = visit(session_id=session_id, **query)
        assert [title.value for title in at.main.title] == ["What does fuel cost near you?"]
        assert {name: at.query_params[name] for name in query} == query
    at = visit(session_id=session_id, q="Lyon", lang="FR")
    assert (at.query_params["q"], at.main.title[0].value) == (
        "Lyon",
        "Combien coûte le carburant près de chez vous\xa0?",
    )
    assert [title.value for title in visit(session_id=session_id).main.title] == ["My stations"]
    assert [title.value for title in visit().main.title] == ["What does fuel cost near you?"]


def test_the_address_of_the_demo_shows_a_driver_their_own_stations_and_links_lead_home(
    app: Country, log_in: LogIn
) -> None:
    session_id = log_in(1, 2)
    at = visit("dashboard", session_id=session_id, keep="4,5", fuels="Gazole")
    assert [title.value for title in at.main.title] == ["My stations"]
    assert at.main.subheader[0].value == "E10"
    assert len(list_tables(at)[0]) == 2
    pages = [page for page in at._registered_pages.values() if Path(str(page["script_path"])).stem == "dashboard"]
    assert [page["url_pathname"] for page in pages] == ["", "dashboard"]
    at = visit("choose", session_id=session_id)
    (link,) = [link.proto for link in at.main.get("page_link") if link.proto.label == "See their prices"]
    assert (link.page, link.page_script_hash) == ("", pages[0]["page_script_hash"])


def test_logging_out_at_home_leads_to_the_first_page_of_visitors(app: Country, log_in: LogIn) -> None:
    at = visit(session_id=log_in(1))
    run(at.sidebar.button(key="sidebar_log_out").click())
    assert [title.value for title in at.main.title] == ["What does fuel cost near you?"]
    at.switch_page(str(ROOT / "pages" / "dashboard.py"))
    assert not run(at).main.table  # nothing of the driver


def test_a_visitor_tries_the_same_page_on_stations_in_the_address(app: Country) -> None:
    at = visit("dashboard", keep="1,2,4", fuels="E10", near=f"{CENTRE[0]},{CENTRE[1]}")
    prices, savings, detours = list_tables(at)
    assert [price.split("\n")[0] for price, *_ in prices] == ["€1.750", "€1.800", "€1.740"]
    assert savings == [("E10", "€15", "€7")]  # 650 x (1.763.. - 1.740) and 650 x (1.750 - 1.740), rounded half up
    assert detours[0][0] == "+€1.12"
    run(at.number_input(key="tried_litres_per_100km").set_value(13.0))
    assert list_tables(at)[1] == [("E10", "€30", "€13")]
    assert at.query_params["keep"] == "1,2,4"


def test_a_figure_out_of_range_is_told_at_the_field_and_what_was_there_counts(app: Country) -> None:
    at = visit("dashboard", keep="1,2,4", fuels="E10", near=f"{CENTRE[0]},{CENTRE[1]}", lang="FR")
    tables = list_tables(at)
    for key, wrong, sentence in (
        ("tried_litres_per_100km", 99.0, "Indiquez une valeur de 1 à 60."),
        ("tried_km_per_year", -1, "Indiquez une valeur de 1 à 300\u202f000."),
        ("litres", 2001, "Indiquez une valeur de 5 à 2\u202f000."),
        ("litres", -5, "Indiquez une valeur de 5 à 2\u202f000."),
    ):
        right = at.number_input(key=key).value
        run(at.number_input(key=key).set_value(wrong))
        elements = [one for one in at.main if one.type in ("number_input", "markdown")]
        place = next(i for i, one in enumerate(elements) if getattr(one, "key", "") == key)
        assert read(elements[place + 1].value) == sentence
        assert list_tables(at) == tables
        run(at.number_input(key=key).set_value(right))
        assert sentence not in list_sentences(at)


@pytest.mark.parametrize("page", ["dashboard", "choose"])
@pytest.mark.parametrize(
    ("keep", "left", "language", "sentence"),
    [
        ("2,999,1", "2,1", "en", "1 station in this address is not known and was left out."),
        ("999,2,998,99999999999999999", "2", "fr", "3 stations de cette adresse sont inconnues et ont été écartées."),
        ("999", None, "en", "1 station in this address is not known and was left out."),
    ],
)
def test_stations_in_the_address_that_are_not_known_are_told(
    app: Country, page: str, keep: str, left: str | None, language: str, sentence: str
) -> None:
    at = visit(page, keep=keep, lang=language.upper())
    for _ in range(2):
        assert [box.value for box in at.main.warning] == [sentence]
        assert at.query_params.get("keep") == left
        run(at)
    at.switch_page(str(ROOT / "pages" / "about.py"))
    run(at)
    at.switch_page(str(ROOT / "pages" / f"{page}.py"))
    assert not run(at).main.warning


def test_the_fuels_of_a_visitor_stay_for_the_session(app: Country) -> None:
    at = visit("dashboard", keep="1,2")
    assert [heading.value for heading in at.main.subheader][:3] == ["E10", "Gazole", "SP95"]
    run(at.get_by_key("fuels").set_value([GAZOLE]))
    run(at.get_by_key("fuels").set_value([GAZOLE, E10]))
    assert [heading.value for heading in at.main.subheader][:2] == ["E10", "Gazole"]
    at.switch_page(str(ROOT / "pages" / "about.py"))
    run(at)
    at.switch_page(str(ROOT / "pages" / "dashboard.py"))
    assert [heading.value for heading in run(at).main.subheader][:2] == ["E10", "Gazole"]
    run(at.get_by_key("fuels").set_value([]))
    assert "Choose a fuel above to see its prices." in list_sentences(at)


@pytest.mark.parametrize(
    ("keep", "count"),
    [("1,x,2,,-3,2", 2), ("9" * 300, 0), ("<script>", 0), ("77,99999999,1", 1), ("１,2", 1), ("1;2", 0)],
)
def test_rubbish_in_the_address_is_left_out(app: Country, keep: str, count: int) -> None:
    at = visit("dashboard", keep=keep, fuels="E10")
    assert len(list_tables(at)[0] if count else []) == count
    assert bool(at.main.table) == bool(count)


def test_an_empty_demo_offers_an_example_in_one_click(app: Country) -> None:
    at = visit("dashboard")
    assert not at.main.table
    press(at, "example")
    assert len(at.query_params["keep"].split(",")) == 5
    assert len(at.main.table) >= 2


def keep(at: AppTest) -> None:
    """Press "keep these"; AppTest stays on the page that a script has left, a browser does not."""
    press(at, "keep_these")
    assert [title.value for title in at.main.title] == ["Open an account"]
    at.switch_page(str(ROOT / "pages" / "register.py"))
    run(at)


@pytest.mark.parametrize("page", ["register", "login", "about"])
def test_a_reload_anywhere_keeps_what_is_tried(app: Country, page: str) -> None:
    at = visit("dashboard", keep="1,2")
    if page == "register":
        keep(at)
    else:
        at.switch_page(str(ROOT / "pages" / f"{page}.py"))
        run(at)
    again = visit(page, **at.query_params)
    assert again.query_params["keep"] == "1,2"
    if page == "register":
        assert [box.value for box in at.main.info] == ["2 stations will be added to the account."]
        for one in (again, visit("login", **at.query_params)):
            assert [box.value for box in one.main.info] == [
                "After you log in, we will ask whether to keep the 2 stations of this tab."
            ]
        register_by_form(again)
        assert list_kept(app) == []
        press(again, "carry_yes")
        assert [station_id for _, station_id, _ in list_kept(app)] == [1, 2]


def register_by_form(at: AppTest) -> None:
    for name, text in (("username", "bob"), ("name", "Bob"), ("email", "bob@mailbox.org"), ("password", PASSWORD)):
        at.text_input(key=f"register_{name}").set_value(text)
    (button,) = [button for button in at.main.button if button.label == "Open an account"]
    run(button.click())


def list_kept(app: Country) -> list[tuple[str, int, str]]:
    with app.engine.connect() as connection:
        query = select(User.username, CustomStation.station_id, CustomStation.custom_name).join_from(
            User, CustomStation
        )
        return [(row[0], row[1], row[2]) for row in connection.execute(query.order_by(CustomStation.position))]


def test_keeping_carries_stations_and_fuels_into_the_account(app: Country) -> None:
    at = visit("dashboard", keep="2,1", fuels="E10")
    keep(at)
    assert at.get_by_key("register_fuels").value == [E10]
    register_by_form(at)
    assert [title.value for title in at.main.title] == ["My stations"]
    assert not {"keep", "fuels"} & set(at.query_params)
    assert list_kept(app) == [("bob", 2, "Guéret, 2 Rue de la Gare"), ("bob", 1, "Guéret, 1 Rue de la Gare")]
    assert at.main.subheader[0].value == "E10"
    assert len(list_tables(at)[0]) == 2
    assert [box.value for box in at.main.success] == ["2 stations were added to your list."]


@pytest.mark.parametrize(
    ("kept", "linked", "named", "kind", "note"),
    [
        ([2], "1", [1], "success", "1 station was added to your list."),
        ([2], "2,1", [1], "success", "1 station was added to your list."),
        ([2], "1,5,999,77", [1, 5], "success", "2 stations were added to your list."),
        (
            49,
            "1,5,4,3,2",
            [1, 5, 4, 3],
            "warning",
            "1 station was added to your list. 3 stations were left out: your list is full, with 50 stations.",
        ),
        (50, "1", [1], "warning", "1 station was left out: your list is full, with 50 stations."),
    ],
)
def test_stations_of_a_link_go_over_only_after_a_click_that_names_them(
    app: Country, log_in: LogIn, kept: list[int] | int, linked: str, named: list[int], kind: str, note: str
) -> None:
    ids = [2, *app.stations][:kept] if isinstance(kept, int) else kept
    log_in(*ids)
    before = list_kept(app)
    at = log_in_by_form(visit("login", carry="1", keep=linked))
    for _ in range(2):  # a rerun of the page that was left overtakes the way to this one
        assert [title.value for title in at.main.title] == ["My stations"]
        assert find_question(at) == named
        assert list_kept(app) == before
        run(at)
    press(at, "carry_yes")
    for _ in range(2):
        assert find_question(at) == []
        boxes = {"success": at.main.success, "warning": at.main.warning}
        assert [box.value for box in boxes.pop(kind)] == [note]
        assert all(not others for others in boxes.values())
        run(at)
    added = len(list_kept(app)) - len(before)
    assert [station_id for _, station_id, _ in list_kept(app)] == [*ids, *named[:added]]
    assert len(list_kept(app)) == min(50, len(ids) + len(named))


def find_question(at: AppTest) -> list[int]:
    """Return the stations that the page asks whether to keep."""
    asked = [read(text.value) for text in at.main.markdown if "in your list: " in text.value]
    assert len(asked) == ("carry_yes" in {button.key for button in at.main.button})
    assert all(
        f"Keep {'this station' if len(found) == 1 else f'these {len(found)} stations'} in your list: " in text
        for text in asked
        if (found := re.findall(r"Guéret, \d+", text))
    )
    return [int(number) for text in asked for number in re.findall(r"Guéret, (\d+) Rue", text)]


def test_who_says_no_to_the_stations_of_a_link_is_not_asked_again(app: Country, log_in: LogIn) -> None:
    log_in(2)
    at = log_in_by_form(visit("login", keep="1,3"))
    press(at, "carry_no")
    for page in ("dashboard", "choose", "about"):
        at.switch_page(str(ROOT / "pages" / f"{page}.py"))
        assert find_question(run(at)) == []
    assert [station_id for _, station_id, _ in list_kept(app)] == [2]


def test_nobody_is_asked_about_stations_that_are_in_the_list_or_that_there_are_not(app: Country, log_in: LogIn) -> None:
    log_in(2, 1)
    at = log_in_by_form(visit("login", keep="1,2,77"))
    assert find_question(at) == []
    assert not list(at.main.success)


@pytest.mark.parametrize("page", ["landing", "station", "about", "choose"])
def test_it_is_asked_and_answered_on_the_page_to_which_the_log_in_leads(app: Country, log_in: LogIn, page: str) -> None:
    log_in(2)
    at = visit(page, keep="1", id="4", q="Guéret")
    at.switch_page(str(ROOT / "pages" / "login.py"))
    log_in_by_form(run(at))
    assert [title.value for title in at.main.title] != ["My stations"]
    assert find_question(at) == [1]
    press(at, "carry_yes")
    assert [box.value for box in at.main.success] == ["1 station was added to your list."]
    assert [station_id for _, station_id, _ in list_kept(app)] == [2, 1]


def test_names_in_the_question_are_text(app: Country, log_in: LogIn) -> None:
    log_in(2)
    with begin_writing(app.engine) as connection:
        connection.execute(update(Station).where(Station.id == 1).values(address=HOSTILE, town=""))
    at = log_in_by_form(visit("login", keep="1"))
    (asked,) = [read(text.value) for text in at.main.markdown if "in your list: " in text.value]
    assert SHOWN.removesuffix(" ltr") in asked


def test_what_a_click_was_for_holds_for_these_stations_only(app: Country) -> None:
    at = visit("dashboard", keep="2,1")
    keep(at)
    at.switch_page(str(ROOT / "pages" / "station.py"))
    at.query_params["id"] = "5"
    run(at)
    (button,) = [button for button in at.main.button if button.label == "Add to my stations"]
    run(button.click())
    at.switch_page(str(ROOT / "pages" / "register.py"))
    register_by_form(run(at))
    assert list_kept(app) == []
    assert find_question(at) == [2, 1, 5]


def test_what_became_of_them_is_said_until_another_page_is_shown(app: Country, log_in: LogIn) -> None:
    log_in(2)
    at = log_in_by_form(visit("login", keep="1", lang="FR"))
    at._page_hash = next(hash_ for hash_, page in at._registered_pages.items() if page["url_pathname"] == "")
    press(run(at), "carry_yes")
    for _ in range(3):
        run(at)
        assert [box.value for box in at.main.success] == ["1 station a été ajoutée à votre liste."]
    at.switch_page(str(ROOT / "pages" / "choose.py"))
    assert not run(at).main.success
    at.switch_page(str(ROOT / "pages" / "dashboard.py"))
    assert not run(at).main.success


def test_the_way_from_keeping_stations_leads_to_them_whatever_was_read_before_logging_in(
    app: Country, log_in: LogIn
) -> None:
    log_in(2)
    at = visit("dashboard", keep="1")
    keep(at)
    for page in ("privacy", "login"):
        at.switch_page(str(ROOT / "pages" / f"{page}.py"))
        run(at)
    log_in_by_form(at)
    assert [title.value for title in at.main.title] == ["My stations"]
    assert [station_id for _, station_id, _ in list_kept(app)] == [2, 1]


def log_in_by_form(at: AppTest) -> AppTest:
    at.text_input(key="login_name").set_value("ada")
    at.text_input(key="login_password").set_value(PASSWORD)
    (button,) = [button for button in at.main.button if button.label in ("Log in", "Se connecter")]
    return run(button.click())


def test_keeping_waits_for_the_mailed_code(monkeypatch: pytest.MonkeyPatch, app: Country) -> None:
    with run_app(monkeypatch, app.settings, CARBUROAM_SMTP_URL="smtp://127.0.0.1:1"):
        at = visit("dashboard", keep="2,1", fuels="E10")
        keep(at)
        register_by_form(at)
        assert list_kept(app) == []
        with app.engine.connect() as connection:
            code = find_code(connection.execute(select(OutboxMail.text)).scalar_one())
        at.text_input(key="confirm_code").set_value(code)
        (button,) = [button for button in at.main.button if button.label == "Confirm"]
        run(button.click())
        assert [title.value for title in at.main.title] == ["My stations"]
        assert [station_id for _, station_id, _ in list_kept(app)] == [2, 1]


def test_an_account_opened_without_keeping_is_empty(app: Country) -> None:
    at = visit("dashboard", keep="2,1", fuels="E10", start="Lyon")
    at.switch_page(str(ROOT / "pages" / "register.py"))
    register_by_form(run(at))
    assert [title.value for title in at.main.title] == ["My stations"]
    assert not {"keep", "fuels"} & set(at.query_params)
    assert at.query_params["start"] == "Lyon"
    assert list_kept(app) == []


def test_the_export_and_the_privacy_page_name_the_stations(app: Country, log_in: LogIn) -> None:
    session_id = log_in(2, name="Home")
    at = visit("privacy", session_id=session_id)
    kept = "Stations you keep: the station, the name you gave it, since when"
    assert any(kept in sentence for sentence in list_sentences(at))
    from accounts.privacy import export_account

    with app.engine.connect() as connection:
        (kept,) = json.loads(json.dumps(export_account(connection, 1)))["stations_kept"]
    assert (kept["station_id"], kept["name"]) == (2, "Home")
    assert datetime.fromisoformat(kept["since"]).tzinfo is not None


def test_a_rerun_with_fifty_stations_asks_the_database_at_most_ten_times(app: Country, log_in: LogIn) -> None:
    from ui.reading import get_engine

    session_id = log_in(fuels=(E10, GAZOLE, 2))
    now = datetime.now(UTC)
    with begin_writing(app.engine) as connection:
        ids = [*range(1, 6), *list(app.stations)[:45]]
        connection.execute(
            insert(CustomStation),
            [
                {"user_id": 1, "station_id": id_, "custom_name": str(id_), "position": id_, "added_at": now}
                for id_ in ids
            ],
        )
    asked: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            asked.append(statement)

    event.listen(get_engine(), "before_cursor_execute", count)
    at = visit(session_id=session_id, start="Lyon")  # the first of this load: the medians are worked out too
    first, asked[:] = list(asked), []
    run(at)
    assert sum(len(table) for table in list_tables(at)[:3]) > 60
    assert 3 <= len(first) <= 10, "\n".join(first)
    assert 3 <= len(asked) <= 10, "\n".join(asked)


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("query", [{}, {"keep": "1,2,4,5", "start": "Lyon"}, {"keep": "1,3", "near": "0,0"}], ids=str)
def test_a_visitor_s_page_speaks_one_language(app: Country, query: dict[str, str], language: str) -> None:
    texts = list_texts(visit("dashboard", lang=language.upper(), **query))
    assert len(texts) > 20
    assert find_other_language(texts, language) == []


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_driver_s_page_speaks_one_language(app: Country, log_in: LogIn, language: str) -> None:
    session_id = log_in(1, 2, 3, 4, 5, fuels=(E10, GAZOLE, 3), language=language)
    at = visit(session_id=session_id, near=f"{CENTRE[0]},{CENTRE[1]}")
    assert find_other_language(list_texts(at), language) == []
    if language == "fr":
        price, station, _ = list_tables(at)[0][0]
        assert price.replace("\u00a0", " ") == "1,750 €\n−5,0 c / max\n±0,0 c / médiane"
        assert station == "Guéret, 2 Rue de la Gare\nil\u00a0y\u00a0a\u00a08\u00a0jours"
