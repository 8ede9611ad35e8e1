"""Finding the place that a visitor means, by the towns and postcodes of the stations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count, product
from typing import Any

import pytest
from conftest import MakeFeed
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as some
from sqlalchemy import Connection, Engine, delete, insert

import etl
from db import open_engine, prepare_database
from errors import PlaceUnknown
from models import Station, make_town_key
from settings import Settings
from stations.geography import compute_distance_km
from stations.places import MAX_OFFERED, find_places, parse_point
from text import read_town

_ids = count(1)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database without stations, into which no test commits any."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('places') / 'db.sqlite3'}")
    prepare_database(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(empty: Engine) -> Iterator[Connection]:
    """An open transaction on an empty database, rolled back in the end."""
    with empty.connect() as connection:
        yield connection


def add_stations(connection: Connection, town: str, zip_code: str, number: int = 1, **values: Any) -> None:
    for _ in range(number):
        station = {
            "id": next(_ids),
            "latitude": 46.0,
            "longitude": 2.0,
            "address": "1 Rue de la Gare",
            "town": town,
            "zip_code": zip_code,
            "town_key": make_town_key(town),
            "is_motorway": False,
            "has_automat": False,
            "services": "",
        }
        connection.execute(insert(Station).values(station | values))


def list_names(connection: Connection, query: str) -> list[tuple[str, str]]:
    return [(place.name, place.department) for place in find_places(connection, query)]


@pytest.mark.parametrize(
    "query",
    [
        "Saint-Étienne",
        "saint-étienne",
        "SAINT-ETIENNE",
        "Saint Etienne",
        "  saint   etienne ",
        "St-Étienne",
        "st etienne",
        "ST. ÉTIENNE",
        "saint-e\u0301tienne",  # the accent as a character of its own
    ],
)
def test_case_accents_hyphens_and_st_for_saint_make_no_difference(connection: Connection, query: str) -> None:
    add_stations(connection, "Saint-Étienne", "42000")
    assert list_names(connection, query) == [("Saint-Étienne", "42")]


@pytest.mark.parametrize("query", ["Sainte-Foy", "ste foy", "STE-FOY"])
def test_ste_stands_for_sainte(connection: Connection, query: str) -> None:
    add_stations(connection, "Sainte-Foy", "85150")
    assert list_names(connection, query) == [("Sainte-Foy", "85")]


@pytest.mark.parametrize(("town", "query"), [("Marcq-en-Barœul", "marcq en baroeul"), ("L'Union", "l union")])
def test_ligatures_and_apostrophes_make_no_difference(connection: Connection, town: str, query: str) -> None:
    add_stations(connection, town, "59700")
    assert list_names(connection, query) == [(town, "59")]


def test_the_exact_name_hides_names_that_only_begin_with_it(connection: Connection) -> None:
    add_stations(connection, "Montreuil", "93100")
    add_stations(connection, "Montreuil-Bellay", "49260", 5)
    assert list_names(connection, "montreuil") == [("Montreuil", "93")]


def test_names_that_begin_with_the_text_hide_those_with_a_word_inside(connection: Connection) -> None:
    add_stations(connection, "Denisville", "01000")
    add_stations(connection, "Saint-Denis", "93200", 5)
    assert list_names(connection, "denis") == [("Denisville", "01")]


def test_a_word_inside_a_name_finds_it_when_no_name_begins_like_that(connection: Connection) -> None:
    add_stations(connection, "Saint-Denis", "93200")
    add_stations(connection, "Audenis", "01000")  # has the letters, but no word that begins with them
    assert list_names(connection, "deni") == [("Saint-Denis", "93")]


def test_towns_of_one_name_are_told_apart_by_department_the_largest_first(connection: Connection) -> None:
    add_stations(connection, "Saint-Denis", "11310", 1)
    add_stations(connection, "Saint-Denis", "97400", 2)
    add_stations(connection, "Saint-Denis", "93200", 3)
    places = find_places(connection, "saint denis")
    assert [(place.department, place.station_count) for place in places] == [("93", 3), ("974", 2), ("11", 1)]


def test_postcodes_of_one_town_in_one_department_are_one_place(connection: Connection) -> None:
    add_stations(connection, "Lyon", "69003", 1, latitude=45.70, longitude=4.80)
    add_stations(connection, "Lyon", "69007", 3, latitude=45.74, longitude=4.84)
    (place,) = find_places(connection, "lyon")
    assert (place.name, place.department, place.station_count, place.zip_prefixes) == ("Lyon", "69", 4, ())
    # The middle of its four stations, not of its two postcodes.
    assert (place.latitude, place.longitude) == (pytest.approx(45.73), pytest.approx(4.83))


def test_the_spelling_with_the_most_accents_is_the_name_however_rare(connection: Connection) -> None:
    add_stations(connection, "Epinay-les-Gonesse", "95500", 5)
    add_stations(connection, "Épinay-les-Gonesse", "95500", 2)
    add_stations(connection, "Épinay-lès-Gonesse", "95500", 1)
    assert list_names(connection, "epinay les gonesse") == [("Épinay-lès-Gonesse", "95")]


def test_a_postcode_of_five_digits_is_the_middle_of_its_stations(connection: Connection) -> None:
    add_stations(connection, "Villeurbanne", "69100", 1, latitude=45.7, longitude=4.8)
    add_stations(connection, "Villeurbanne", "69100", 1, latitude=45.8, longitude=4.9)  # 14 km apart
    add_stations(connection, "Bron", "69500", 1, latitude=40.0, longitude=0.0)
    (place,) = find_places(connection, "69100")
    assert (place.name, place.department, place.zip_prefixes) == ("69100 Villeurbanne", "69", ())
    assert (place.latitude, place.longitude) == (pytest.approx(45.75), pytest.approx(4.85))


def test_a_postcode_of_several_towns_is_called_after_the_one_with_most_stations(connection: Connection) -> None:
    add_stations(connection, "Attin", "62170", 3)
    add_stations(connection, "Étaples", "62170", 2)
    add_stations(connection, "Etaples", "62170", 2)  # another spelling of the same town: four in all
    assert list_names(connection, "62170") == [("62170 Étaples", "62")]


@pytest.mark.parametrize("query", ["69 100", " 69100 ", "6 9 1 0 0"])
def test_spaces_in_a_postcode_make_no_difference(connection: Connection, query: str) -> None:
    add_stations(connection, "Villeurbanne", "69100")
    assert list_names(connection, query) == [("69100 Villeurbanne", "69")]


@pytest.mark.parametrize(
    ("query", "name", "prefixes"),
    [
        ("69", "Rhône", ("69",)),
        ("691", "691…", ("691",)),
        ("6910", "6910…", ("6910",)),
        ("2A", "Corse-du-Sud", ("200", "201")),
        ("2b", "Haute-Corse", ("202", "203", "204", "205", "206")),
        ("974", "La Réunion", ("974",)),
        ("20", "20…", ("20",)),
    ],
)
def test_first_digits_stand_for_every_postcode_that_begins_like_that(
    connection: Connection, query: str, name: str, prefixes: tuple[str, ...]
) -> None:
    for town, zip_code in (("Lyon", "69100"), ("Ajaccio", "20090"), ("Bastia", "20600"), ("Saint-Denis", "97400")):
        add_stations(connection, town, zip_code)
    (place,) = find_places(connection, query)
    assert (place.name, place.zip_prefixes) == (name, prefixes)


def test_corsica_s_two_departments_do_not_count_each_other_s_stations(connection: Connection) -> None:
    add_stations(connection, "Ajaccio", "20000", 2)
    add_stations(connection, "Porto-Vecchio", "20137", 1)
    add_stations(connection, "Bastia", "20200", 4)
    assert [find_places(connection, query)[0].station_count for query in ("2A", "2B", "20")] == [3, 4, 7]


@pytest.mark.parametrize(
    "query", ["%", "%%", "_yon", "ly_n", "l%n", "ly%n", "\\", "' OR 1=1 --", '"', "6%", "69_00", "69%"]
)
def test_what_sql_takes_for_a_wildcard_is_text(connection: Connection, query: str) -> None:
    add_stations(connection, "Lyon", "69100")
    with pytest.raises(PlaceUnknown):
        find_places(connection, query)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   \t\n ",
        "\u00a0\u2003",
        "x" * 10_000,
        "9" * 10_000,
        "\0",
        "ly\0on",
        "⛽🚗",
        "\u202e\u200f",
        "\ud800",  # half of a surrogate pair: no text that a database could store
        "-",
        "a",
        "7",
        "Atlantide",
        "00000",
        "99",
        "nan",
        "ﷺ" * 80,
    ],
)
def test_a_text_that_means_no_place_is_unknown_whatever_it_is(connection: Connection, query: str) -> None:
    add_stations(connection, "Lyon", "69100")
    with pytest.raises(PlaceUnknown):
        find_places(connection, query)


def test_marks_of_writing_direction_around_a_name_make_no_difference(connection: Connection) -> None:
    add_stations(connection, "Lyon", "69100")
    assert list_names(connection, "\u202bLyon\u202c\u200f") == [("Lyon", "69")]


@effort(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=some.text(max_size=100))
def test_no_text_at_all_raises_anything_else(connection: Connection, query: str) -> None:
    connection.execute(delete(Station))
    add_stations(connection, "Lyon", "69100")
    with suppress(PlaceUnknown):
        assert {place.department for place in find_places(connection, query)} == {"69"}


@pytest.mark.parametrize("query", ["lyon", "69100", "69"])
def test_a_station_that_left_the_feed_does_not_count(connection: Connection, query: str) -> None:
    add_stations(connection, "Lyon", "69100", left_feed_at=datetime(2026, 3, 1, tzinfo=UTC))
    with pytest.raises(PlaceUnknown):
        find_places(connection, query)


def test_no_more_places_are_offered_than_a_visitor_can_read(connection: Connection) -> None:
    for number in range(30):
        add_stations(connection, f"Ville-{'abcdefghijklmnopqrstuvwxyzabcd'[number]}{number}", "69100")
    add_stations(connection, "Ville-Neuve", "01000", 2)
    places = find_places(connection, "ville")
    assert len(places) == MAX_OFFERED
    assert places[0].name == "Ville-Neuve"


def test_the_towns_of_a_loaded_feed_are_found_in_any_spelling_of_it(
    settings: Settings, engine: Engine, make_feed: MakeFeed
) -> None:
    feed = make_feed(stations=400)  # half of its towns are in capitals, some with small accents or none
    assert etl.run_load(settings.model_copy(update={"feed_url": str(feed)}), engine).is_success
    with engine.connect() as connection:
        assert list_names(connection, "CRETEIL") == [("Créteil", "94")]
        assert list_names(connection, "st gregoire") == [("Saint-Grégoire", "35")]
        assert sorted(list_names(connection, "Montreuil")) == [("Montreuil", "62"), ("Montreuil", "93")]
        assert sorted(list_names(connection, "saint-denis")) == [("Saint-Denis", "11"), ("Saint-Denis", "93")]


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("48.857,2.352", (48.857, 2.352)),
        ("-21.1,55.5", (-21.1, 55.5)),
        ("0,0", (0.0, 0.0)),
        ("90,180", (90.0, 180.0)),
        ("-90,-180", (-90.0, -180.0)),
        (" 48.857,2.352\n", (48.857, 2.352)),
    ],
)
def test_a_point_is_two_decimal_numbers_on_the_globe(text: str, point: tuple[float, float]) -> None:
    assert parse_point(text) == point


@pytest.mark.parametrize(
    "text",
    [
        "",
        "48.857",
        "48.857,",
        "48.857,2.352,1",
        "nan,nan",
        "nan,2.352",
        "inf,2.352",
        "-inf,inf",
        "1e1,2",
        "90.0001,0",
        "-91,0",
        "0,180.0001",
        "0,-181",
        "999,999",
        "0x10,1",
        "1_0,1",
        "+1,1",
        "٤٨,٢",  # Arabic digits
        "48.857;2.352",
        "48,857;2,352",
        "48.857,2.352 ' OR 1=1",
        "1" * 10_000 + ",1",
        "48.857,2.352\0",
    ],
)
def test_what_is_no_point_of_the_globe_is_none(text: str) -> None:
    assert parse_point(text) is None


@pytest.mark.parametrize(
    "query",
    [
        "69003 Lyon",
        "Lyon 69003",
        "Lyon, 69003",
        "lyon (69003)",
        "F-69003 LYON",
        "69 003 Lyon",
        "Lyon 3",
        "Lyon 03",
        "Lyon 3e",
        "Lyon IIIe",
        "LYON-3E",
        "Lyon 3ème arrondissement",
        "Lyon (3e)",
        "3e arrondissement de Lyon",
    ],
)
def test_a_postcode_or_an_arrondissement_beside_a_town_is_the_town_at_that_postcode(
    connection: Connection, query: str
) -> None:
    add_stations(connection, "Lyon", "69003", latitude=45.75, longitude=4.86)
    add_stations(connection, "Lyon", "69009", 3, latitude=45.77, longitude=4.80)
    add_stations(connection, "Sainte-Foy-lès-Lyon", "69110", 5)
    (place,) = find_places(connection, query)
    assert (place.name, place.department, place.station_count, place.zip_prefixes) == ("69003 Lyon", "69", 1, ())
    assert (place.latitude, place.longitude) == (45.75, 4.86)
    assert find_places(connection, place.name) == (place,)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("Lyon 1", "Lyon"),
        ("Lyon 1er arrondissement", "Lyon"),
        ("Lyon 69099", "Lyon"),
        ("Lyon 12345", "Lyon"),
        ("Lyon 42", "Lyon"),
        ("Lyon (Ain)", "Lyon"),
        ("69401 Lyon Cedex 03", "Lyon"),
        ("Paris 16", "75016 Paris"),
        ("75016", "75016 Paris"),
        ("Marseille 13", "13013 Marseille"),
        ("Marseille (13)", "Marseille"),
        ("Marseille 13e", "13013 Marseille"),
        ("Marseille 13008", "13008 Marseille"),
    ],
)
def test_where_no_station_of_the_town_is_at_the_postcode_or_department_the_town_is_meant(
    connection: Connection, query: str, name: str
) -> None:
    for town, zip_code in (("Lyon", "69003"), ("Lyon", "69009"), ("Paris", "75116"), ("Bron", "69500")):
        add_stations(connection, town, zip_code)
    for zip_code in ("13008", "13013"):
        add_stations(connection, "Marseille", zip_code)
    assert [place.name for place in find_places(connection, query)] == [name]


@pytest.mark.parametrize(
    ("query", "department"),
    [
        ("Saint-Denis 974", "974"),
        ("Saint Denis (974)", "974"),
        ("97400 Saint-Denis", "974"),
        ("SAINT-DENIS (REUNION)", "974"),
        ("Saint-Denis (La Réunion)", "974"),
        ("saint denis la reunion", "974"),
        ("Saint-Denis, Réunion", "974"),
        ("St Denis 93", "93"),
        ("93 Saint-Denis", "93"),
        ("93210 St Denis", "93"),  # a postcode without a station, in the department
        ("Saint-Denis Seine-Saint-Denis", "93"),
        ("Saint-Denis 974 Réunion", "974"),
        ("Saint-Denis 2A", "2A"),
        ("Saint-Denis (Corse-du-Sud)", "2A"),
        ("20190 Saint-Denis", "2A"),
    ],
)
def test_a_department_beside_a_name_says_which_town_is_meant(
    connection: Connection, query: str, department: str
) -> None:
    add_stations(connection, "Saint-Denis", "93200", 3)
    add_stations(connection, "Saint-Denis", "97400", 2)
    add_stations(connection, "Saint-Denis", "20166")
    assert [place.department for place in find_places(connection, query)] == [department]


def test_a_department_reaches_names_that_only_begin_with_the_text(connection: Connection) -> None:
    add_stations(connection, "Montreuil", "93100", 5)
    add_stations(connection, "Montreuil-Bellay", "49260")
    assert list_names(connection, "montreuil 49") == [("Montreuil-Bellay", "49")]
    assert list_names(connection, "49260 montreuil") == [("49260 Montreuil-Bellay", "49")]


def test_a_postcode_beside_a_name_that_no_town_has_is_a_place_but_in_a_text_that_may_be_an_address(
    connection: Connection,
) -> None:
    add_stations(connection, "Aix-en-Provence", "13090")
    assert list_names(connection, "13090 Les Milles") == [("13090 Aix-en-Provence", "13")]
    with pytest.raises(PlaceUnknown):
        find_places(connection, "avenue de la Gare 13090", may_be_address=True)
    assert find_places(connection, "13090 Aix", may_be_address=True)[0].name == "13090 Aix-en-Provence"


def test_a_postcode_says_more_than_a_town_of_that_name_elsewhere(connection: Connection) -> None:
    add_stations(connection, "Luynes", "37230")
    add_stations(connection, "Aix-en-Provence", "13080")
    assert list_names(connection, "13080 Luynes") == [("13080 Aix-en-Provence", "13")]


@pytest.mark.parametrize(
    ("town", "queries"),
    [
        ("Le Mans", ["mans", "Le Mans", "LE MANS", "Mans 72000", "mans (72)"]),
        ("La Rochelle", ["rochelle", "la rochelle"]),
        ("Les Ulis", ["ulis", "Les Ulis"]),
        ("L'Isle-Adam", ["isle adam", "l'isle adam", "L ISLE ADAM", "l’isle-adam", "lisle adam", "Isle-Adam"]),
        ("Tignet", ["Le Tignet", "tignet"]),
    ],
)
def test_an_article_before_the_name_makes_no_difference(connection: Connection, town: str, queries: list[str]) -> None:
    add_stations(connection, town, "72000")
    add_stations(connection, "Mansle", "16230", 5)  # begins with "mans"
    for query in queries:
        assert [read_town(place.name).name for place in find_places(connection, query)] == [town], query


@pytest.mark.parametrize(
    ("town", "query"),
    [
        ("Amiens", "AMIENS CEDEX 2"),
        ("Boulogne-sur-Mer", "Boulogne s/ Mer"),
        ("Boulogne-sur-Mer", "boulogne s mer"),
        ("Villeneuve-lez-Avignon", "Villeneuve-lès-Avignon"),
        ("Les Deux-Alpes", "Les 2 Alpes"),
        ("La Cabanasse, Mont-Louis", "LA CABANASSE / MONT-LOUIS"),
        ("La Cabanasse", "La Cabanasse, France"),
        ("Y", "y"),
    ],
)
def test_a_town_is_found_by_what_the_feed_or_a_person_may_write(connection: Connection, town: str, query: str) -> None:
    add_stations(connection, town, "80000")
    assert list_names(connection, query) == [(town, "80")]


def test_two_letters_are_the_beginning_of_a_name_only_when_nothing_else_was_typed(connection: Connection) -> None:
    add_stations(connection, "Orléans", "45000")
    assert list_names(connection, "or") == [("Orléans", "45")]
    for query in ("' OR 1=1 --", "or 5", "o"):
        with pytest.raises(PlaceUnknown):
            find_places(connection, query)


def test_the_name_of_a_department_is_all_of_it_unless_a_town_is_called_that(connection: Connection) -> None:
    add_stations(connection, "Libourne", "33500")
    add_stations(connection, "Gironde-sur-Dropt", "33190")
    add_stations(connection, "Laval", "53000")
    add_stations(connection, "Mayenne", "53100")
    (gironde,) = find_places(connection, "gironde")
    assert (gironde.name, gironde.station_count, gironde.zip_prefixes) == ("Gironde", 2, ("33",))
    assert [place.station_count for place in find_places(connection, "mayenne")] == [1]


def test_a_station_without_a_town_is_found_by_its_postcode_which_names_the_place(connection: Connection) -> None:
    add_stations(connection, "", "48190", latitude=44.5, longitude=3.7)
    (alone,) = find_places(connection, "48190")
    assert (alone.name, alone.department, alone.latitude, alone.longitude) == ("48190", "48", 44.5, 3.7)
    assert [place.station_count for place in find_places(connection, "48")] == [1]
    add_stations(connection, "", "48190", 2, latitude=44.5, longitude=3.7)
    add_stations(connection, "Le Bleymard", "48190", latitude=44.5, longitude=3.7)
    assert [(place.name, place.station_count) for place in find_places(connection, "48190")] == [
        ("48190 Le Bleymard", 4)
    ]


def add_at(
    connection: Connection,
    town: str,
    zip_code: str,
    *points: tuple[float, float],
    is_location_doubtful: bool = False,
) -> None:
    for latitude, longitude in points:
        values = {"latitude": latitude, "longitude": longitude, "is_location_doubtful": is_location_doubtful}
        add_stations(connection, town, zip_code, **values)


BEAUCAIRE, ARLES, NIMES, BIARRITZ = (43.81, 4.64), (43.68, 4.63), (43.84, 4.36), (43.48, -1.56)


@pytest.mark.parametrize(
    ("far", "number"),
    [*product((BIARRITZ, (-21.1, 55.5)), (1, 2, 3, 8)), *product((NIMES, ARLES), (2, 3, 8))],
)
@pytest.mark.parametrize("query", ["beaucaire", "30300", "beaucaire 30"])
def test_a_station_at_another_town_s_coordinates_does_not_move_its_town(
    connection: Connection, query: str, far: tuple[float, float], number: int
) -> None:
    add_at(connection, "Beaucaire", "30300", far, *[BEAUCAIRE] * number)
    add_at(connection, "Bellegarde", "30127", (43.75, 4.51), (43.76, 4.52))
    (place,) = find_places(connection, query)
    assert place.station_count == number + 1
    assert compute_distance_km(place.latitude, place.longitude, *BEAUCAIRE) < 0.1


def test_of_two_stations_far_apart_the_one_near_the_rest_of_the_postcode_says_where_the_town_is(
    connection: Connection,
) -> None:
    add_at(connection, "Ussy", "77260", (48.96, 3.07), (49.15, 2.90))
    add_at(connection, "Jouarre", "77260", (48.93, 3.13), (48.95, 3.12), (48.95, 3.11))
    add_at(connection, "Mitry", "77290", *[(49.1, 2.8)] * 20)
    (place,) = find_places(connection, "ussy")
    assert (place.latitude, place.longitude) == (48.96, 3.07)


def test_two_stations_far_apart_and_nothing_else_to_go_by_are_still_a_place_at_one_of_them(
    connection: Connection,
) -> None:
    add_at(connection, "Beaucaire", "30300", BEAUCAIRE, BIARRITZ)
    (place,) = find_places(connection, "beaucaire")
    assert (place.latitude, place.longitude) in (BEAUCAIRE, BIARRITZ)


def test_stations_on_two_sides_of_a_town_have_their_centre_between_them(connection: Connection) -> None:
    add_at(connection, "Marseille", "13008", (43.24, 5.38), (43.36, 5.36))
    (place,) = find_places(connection, "marseille")
    assert (place.latitude, place.longitude) == (pytest.approx(43.30), pytest.approx(5.37))


def test_a_doubtful_location_moves_no_town_and_its_postcode_is_named(connection: Connection) -> None:
    add_at(connection, "Beaucaire", "30300", BEAUCAIRE)
    add_at(connection, "Beaucaire", "30301", BIARRITZ, NIMES, is_location_doubtful=True)
    (place,) = find_places(connection, "beaucaire")
    assert (place.latitude, place.longitude, place.station_count) == (*BEAUCAIRE, 3)
    assert (place.zip_prefixes, place.doubtful_zip_codes) == ((), ("30301",))


def test_a_town_whose_locations_are_all_doubtful_is_searched_by_its_postcodes(connection: Connection) -> None:
    add_at(connection, "Beaucaire", "30300", BIARRITZ, is_location_doubtful=True)
    add_at(connection, "Bellegarde", "30127", (43.75, 4.51), (43.76, 4.52))
    for query in ("beaucaire", "30300"):
        (place,) = find_places(connection, query)
        assert place.zip_prefixes == ("30300",)
        assert compute_distance_km(place.latitude, place.longitude, *BEAUCAIRE) < 25, "the middle of its department"


def test_a_wrong_station_does_not_move_a_department(connection: Connection) -> None:
    add_at(connection, "Beaucaire", "30300", BEAUCAIRE, BEAUCAIRE)
    add_at(connection, "Nîmes", "30000", NIMES, (43.83, 4.35), BIARRITZ)
    (place,) = find_places(connection, "30")
    assert compute_distance_km(place.latitude, place.longitude, *NIMES) < 25


def test_first_digits_that_two_departments_share_name_neither(connection: Connection) -> None:
    add_stations(connection, "Ajaccio", "20000", 3)
    add_stations(connection, "Bastia", "20600")
    (place,) = find_places(connection, "20")
    assert (place.name, place.department, place.zip_prefixes) == ("20…", "", ("20",))


def test_one_digit_is_the_beginning_of_a_postcode(connection: Connection) -> None:
    add_stations(connection, "Nice", "06000")
    assert find_places(connection, "0")[0].zip_prefixes == ("0",)
