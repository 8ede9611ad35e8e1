"""What the API says of stations, fuels and loads, to whom it says that nothing changed, and how it refuses."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgi_client import Client, Heard, make_outside
from known_stations import CENTRE, E10, E85, GAZOLE, NOW, add_price, add_station, add_stock_out
from sqlalchemy import Connection, Engine, insert, update
from sqlalchemy.exc import OperationalError

from api import routes
from db import begin_writing
from models import BrandState, EtlRun, FeedState, Price, Station, StationBrand
from prices.figures import store_figures
from settings import Settings

NEAR = f"near={CENTRE[0]},{CENTRE[1]}"
PATHS = [f"/api/v1/stations?{NEAR}", "/api/v1/stations/1", "/api/v1/fuels", "/api/v1/status"]


def note_load(connection: Connection, is_sample: bool = False) -> None:
    connection.execute(
        insert(FeedState).values(
            id=1,
            source="x",
            is_sample=is_sample,
            digest="",
            station_count=5,
            price_count=7,
            newest_report_at=NOW,
            loaded_at=NOW,
            stock_outs_at=NOW,
        )
    )


@pytest.fixture
def client(engine: Engine, settings: Settings) -> Iterator[Client]:
    """The outside of a program with five stations: fresh, dearer, old, dry and one far away."""
    with begin_writing(engine) as connection:
        add_station(connection, 1, km=2, has_automat=True, opening_hours="07:00-19:30|||?|||00:00-24:00")
        add_station(connection, 2, km=1)
        add_station(connection, 3, km=3)
        add_station(connection, 4, km=4)
        add_station(connection, 5, km=60)
        for station_id, price in ((1, 1700), (2, 1800), (4, 1750), (5, 1650)):
            add_price(connection, station_id, price, days=0.5)
        add_price(connection, 3, 1500, days=40)
        add_price(connection, 1, 1600, GAZOLE, days=0)
        add_stock_out(connection, 4)
        add_stock_out(connection, 1, fuel_id=E85, days=91)
        connection.execute(insert(StationBrand).values(station_id=1, brand="Total", brand_key="total", name="Relais"))
        store_figures(connection, NOW)
        note_load(connection)
    return make_outside(settings, engine.connect, now=lambda: NOW)


def list_ids(answer: Heard) -> list[int]:
    return [station["id"] for station in answer.json["stations"]]


def test_the_cheapest_comes_first_and_what_cannot_be_compared_last(client: Client) -> None:
    answer = client.get(f"/api/v1/stations?{NEAR}&fuel=E10")
    assert answer.status == 200
    assert list_ids(answer) == [1, 2, 4, 3]
    body = answer.json
    assert (body["fuel"], body["radius_km"], body["total"]) == ("E10", 10, 4)
    assert (body["median_milli_eur"], body["median_eur"]) == (1700, 1.7)
    assert body["near"] == {"latitude": CENTRE[0], "longitude": CENTRE[1]}
    assert body["feed"] == {
        "loaded_at": "2026-03-10T12:00:00Z",
        "newest_report_at": "2026-03-10T12:00:00Z",
        "stock_outs_at": "2026-03-10T12:00:00Z",
        "is_out_of_date": False,
        "is_sample": False,
    }
    first, _, dry, old = body["stations"]
    assert (first["brand"], first["town"], first["zip_code"], first["distance_km"]) == ("Total", "Guéret", "23000", 2)
    assert first["prices"] == [
        {
            "fuel": "E10",
            "price_milli_eur": 1700,
            "price_eur": 1.7,
            "reported_at": "2026-03-10T00:00:00Z",
            "age_hours": 12,
            "status": "fresh",
            "standing": "fresh",
            "stock_out": None,
        }
    ]
    assert dry["prices"][0]["stock_out"] == {"since": "2026-03-08T12:00:00Z", "is_old": False, "for_good": False}
    assert (old["prices"][0]["status"], old["prices"][0]["age_hours"]) == ("old", 960)
    for station in body["stations"]:
        assert station["prices"][0]["standing"] == station["prices"][0]["status"]


def ask_later(engine: Engine, settings: Settings, days: float) -> tuple[dict[str, Any], list[tuple[Any, ...]], Any]:
    """Return the feed, the stations with status and age of their prices, and E10 in the country, so many days later."""
    client = make_outside(settings, engine.connect, now=lambda: NOW + timedelta(days=days))
    body = client.get(f"/api/v1/stations?{NEAR}&fuel=E10").json
    prices = [
        (one["id"], price["status"], price["age_hours"], (price["stock_out"] or {}).get("is_old"))
        for one in body["stations"]
        for price in one["prices"]
    ]
    assert body["feed"] == client.get("/api/v1/status").json["feed"]
    return body["feed"], prices, (body["median_milli_eur"], client.get("/api/v1/fuels").json["fuels"][0])


@pytest.mark.usefixtures("client")
def test_a_feed_that_is_frozen_grows_old_without_a_load(engine: Engine, settings: Settings) -> None:
    feed, prices, (median, country) = ask_later(engine, settings, 1)
    assert feed["is_out_of_date"] is False, "a day is not more than a day"
    assert prices == [
        (1, "fresh", 36, None),
        (2, "fresh", 36, None),
        (4, "fresh", 36, False),
        (3, "old", 984, None),
    ]
    feed, prices, (median, country) = ask_later(engine, settings, 29)
    assert feed["is_out_of_date"] is True
    assert [status for _, status, *_ in prices] == ["fresh", "fresh", "fresh", "old"]
    assert (median, country["median_milli_eur"], country["lowest_milli_eur"], country["station_count"]) == (
        *(1700, 1700, 1650),
        4,
    )
    feed, prices, (median, country) = ask_later(engine, settings, 30)
    assert {(status, is_old) for _, status, _, is_old in prices} == {("old", None), ("old", False)}
    assert (median, country["median_milli_eur"], country["lowest_milli_eur"], country["station_count"]) == (
        *(None, None, None),
        0,
    )
    feed, prices, _ = ask_later(engine, settings, 100)
    assert prices == [
        (3, "old", 3360, None),
        (1, "old", 2412, None),
        (2, "old", 2412, None),
        (4, "old", 2412, True),
    ]


@pytest.mark.usefixtures("client")
def test_a_snapshot_of_another_time_keeps_its_own_clock_when_that_is_set(engine: Engine, settings: Settings) -> None:
    feed, prices, (median, country) = ask_later(engine, settings.model_copy(update={"as_of": "feed"}), 900)
    assert feed["is_out_of_date"] is True
    assert prices == [
        (1, "fresh", 12, None),
        (2, "fresh", 12, None),
        (4, "fresh", 12, False),
        (3, "old", 960, None),
    ]
    assert (median, country["median_milli_eur"]) == (1700, 1700)


def test_without_a_fuel_the_nearest_comes_first_with_all_its_prices(client: Client) -> None:
    answer = client.get(f"/api/v1/stations?{NEAR}")
    assert list_ids(answer) == [2, 1, 3, 4]
    assert answer.json["median_eur"] is None
    assert [price["fuel"] for price in answer.json["stations"][1]["prices"]] == ["E10", "Gazole", "E85"]


def test_the_radius_and_the_limit_bound_the_answer(client: Client) -> None:
    assert list_ids(client.get(f"/api/v1/stations?{NEAR}&radius_km=2.5")) == [2, 1]
    limited = client.get(f"/api/v1/stations?{NEAR}&fuel=E10&limit=1")
    assert (list_ids(limited), limited.json["total"]) == ([1], 4)
    assert 5 not in list_ids(client.get(f"/api/v1/stations?{NEAR}&radius_km=50"))


def test_an_implausible_price_is_said_to_be_that(client: Client, engine: Engine) -> None:
    with begin_writing(engine) as connection:
        connection.execute(update(Price).where(Price.station_id == 2, Price.gastype_id == E10).values(price=17))
    answer = client.get(f"/api/v1/stations?{NEAR}&fuel=E10")
    assert list_ids(answer) == [1, 4, 3, 2]
    assert answer.json["stations"][3]["prices"][0]["status"] == "implausible"


def test_one_station_has_all_that_is_known_of_it(client: Client, engine: Engine) -> None:
    station = client.get("/api/v1/stations/1").json["station"]
    assert (station["name"], station["has_automat"], station["left_feed_at"]) == ("Relais", True, None)
    hours = station["opening_hours"]
    assert hours[0] == [{"opens": "07:00", "closes": "19:30"}]
    assert (hours[1], hours[3], hours[6]) == ([], None, [{"opens": "00:00", "closes": "24:00"}])
    assert {price["fuel"]: price["stock_out"] for price in station["prices"]}["E85"]["is_old"] is True
    with begin_writing(engine) as connection:
        connection.execute(update(Station).where(Station.id == 5).values(left_feed_at=NOW))
    assert client.get("/api/v1/stations/5").json["station"]["left_feed_at"] == "2026-03-10T12:00:00Z"


def test_a_station_whose_location_is_doubtful_has_no_coordinates_and_is_around_no_point(
    client: Client, engine: Engine
) -> None:
    station = client.get("/api/v1/stations/1").json["station"]
    assert (station["latitude"], station["is_location_doubtful"]) == (pytest.approx(46.0180, abs=1e-4), False)
    with begin_writing(engine) as connection:
        connection.execute(update(Station).where(Station.id == 1).values(is_location_doubtful=True))
        connection.execute(update(FeedState).values(loaded_at=NOW + timedelta(minutes=1)))
    station = client.get("/api/v1/stations/1").json["station"]
    assert (station["latitude"], station["longitude"], station["is_location_doubtful"]) == (None, None, True)
    assert list_ids(client.get(f"/api/v1/stations?{NEAR}&fuel=E10")) == [2, 4, 3]


def test_the_fuels_have_what_they_cost_in_the_country(client: Client) -> None:
    fuels = {fuel["name"]: fuel for fuel in client.get("/api/v1/fuels").json["fuels"]}
    assert list(fuels) == ["E10", "Gazole", "SP98", "SP95", "E85", "GPLc"]
    assert fuels["E10"] == {
        "id": E10,
        "name": "E10",
        "fresh_days": 30,
        "median_milli_eur": 1700,
        "median_eur": 1.7,
        "lowest_milli_eur": 1650,
        "lowest_eur": 1.65,
        "station_count": 4,
    }
    assert (fuels["SP95"]["median_eur"], fuels["SP95"]["station_count"]) == (None, 0)


def test_the_status_names_the_last_load_and_the_licence(client: Client, engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for status, minutes in (("loaded", 60), ("failed", 30), (None, 1)):
            began = NOW - timedelta(minutes=minutes)
            ended = began + timedelta(seconds=2.5) if status else None
            values = {"started_at": began, "finished_at": ended, "status": status, "message": "at /srv/feed"}
            connection.execute(insert(EtlRun).values(source="https://feed.example", **values))
    body = client.get("/api/v1/status").json
    assert (body["last_load"]["status"], body["last_load"]["seconds"]) == ("failed", 2.5)
    assert body["last_load"]["started_at"] == "2026-03-10T11:30:00Z"
    assert [(source["of"], source["licence"]) for source in body["sources"]] == [("prices", "Licence Ouverte 2.0")]
    assert "/srv/feed" not in json.dumps(body)
    assert "feed.example" not in json.dumps(body)


@pytest.mark.parametrize(
    ("kinds", "licences"),
    [
        (["openstreetmap"], ["ODbL"]),
        (["openstreetmap", "prix_carburant"], ["ODbL", "Apache License 2.0"]),
        (["prix_carburant", "openstreetmap"], ["Apache License 2.0", "ODbL"]),
        (["openstreetmap", "openstreetmap"], ["ODbL"]),
    ],
)
def test_the_source_and_licence_of_each_list_of_brands_are_named(
    client: Client, engine: Engine, kinds: list[str], licences: list[str]
) -> None:
    with begin_writing(engine) as connection:
        for number, kind in enumerate(kinds, 1):
            row = {"id": number, "kind": kind, "source": "/srv/list.csv", "station_count": 1, "loaded_at": NOW}
            connection.execute(insert(BrandState).values(row))
    body = client.get("/api/v1/status").json
    assert [source["licence"] for source in body["sources"] if source["of"] == "brands"] == licences
    assert "/srv/list" not in json.dumps(body)


def test_invented_prices_are_said_to_be_that_and_have_no_source(engine: Engine, settings: Settings) -> None:
    with begin_writing(engine) as connection:
        note_load(connection, is_sample=True)
    body = make_outside(settings, engine.connect).get("/api/v1/status").json
    assert (body["feed"]["is_sample"], body["sources"]) == (True, [])


@pytest.mark.parametrize("path", PATHS)
def test_who_has_the_answer_already_is_told_so_until_the_next_load(client: Client, engine: Engine, path: str) -> None:
    first = client.get(path)
    assert first.headers["cache-control"] == "public, max-age=60"
    known = {"If-None-Match": first.headers["etag"]}
    again = client.get(path, known)
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    with begin_writing(engine) as connection:
        connection.execute(update(FeedState).values(loaded_at=NOW + timedelta(minutes=10)))
    after = client.get(path, known)
    assert after.status == 200
    assert after.headers["etag"] != first.headers["etag"]


def test_each_question_has_an_etag_of_its_own(client: Client) -> None:
    queries = ["", "&fuel=E10", "&fuel=Gazole", "&limit=3", "&radius_km=9"]
    paths = [*(f"{PATHS[0]}{query}" for query in queries), "/api/v1/stations/1", "/api/v1/stations/2", "/api/v1/fuels"]
    assert len({client.get(path).headers["etag"] for path in paths}) == len(paths)


def test_an_answer_is_compressed_for_those_who_take_it(client: Client) -> None:
    packed = client.get(PATHS[0], {"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.body)) == client.get(PATHS[0]).json
    assert packed.headers["vary"].startswith("Accept-Encoding")


def read_problem(answer: Heard, status: int) -> dict[str, object]:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json
    assert (body["type"], body["status"]) == ("about:blank", status)
    return dict(body)


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("", {"near": "is missing"}),
        ("near=", {"near": "must be a latitude and a longitude"}),
        ("near=91,0", {"near": "must be"}),
        ("near=45.1,180.5", {"near": "must be"}),
        ("near=45.1,%D9%A3", {"near": "must be"}),
        ("near=05.1,2", {"near": "must be"}),
        (f"{NEAR}&radius_km=50.1", {"radius_km": "must be a number of kilometres from 0.1 to 50"}),
        (f"{NEAR}&radius_km=nan", {"radius_km": "must be"}),
        (f"{NEAR}&radius_km=0", {"radius_km": "must be"}),
        (f"{NEAR}&fuel=5", {"fuel": "must be one of E10, Gazole, SP98, SP95, E85, GPLc"}),
        (f"{NEAR}&limit=101", {"limit": "must be a whole number from 1 to 100"}),
        (f"{NEAR}&limit=1.0", {"limit": "must be"}),
        (f"{NEAR}&{NEAR}", {"near": "was given more than once"}),
        (f"{NEAR}&user=1", {"user": "is unknown; there are near, radius_km, fuel, limit"}),
        ("radius_km=x&fuel=x&limit=x", {"near": "", "radius_km": "", "fuel": "", "limit": ""}),
    ],
)
def test_every_parameter_that_cannot_be_read_is_named(client: Client, query: str, errors: dict[str, str]) -> None:
    problem = read_problem(client.get(f"/api/v1/stations?{query}"), 400)
    named = {error["parameter"]: error["detail"] for error in problem["errors"]}  # type: ignore[attr-defined]
    assert named.keys() == errors.keys()
    assert all(named[name].startswith(complaint) for name, complaint in errors.items())


@pytest.mark.parametrize(
    "near",
    [
        "46.17123456789012345678,1.87123456789012345678",
        "46.171234567890123,%201.871234567890123",
        "46.1712346,+1.8712346",
    ],
)
def test_a_point_is_read_as_programs_write_it_and_answered_to_a_tenth_of_a_metre(client: Client, near: str) -> None:
    answer = client.get(f"/api/v1/stations?near={near}&radius_km=50")
    assert (answer.status, answer.json["near"]) == (200, {"latitude": 46.171235, "longitude": 1.871235})
    stations = [*answer.json["stations"], client.get("/api/v1/stations/1").json["station"]]
    degrees = [station[name] for station in stations for name in ("latitude", "longitude")]
    assert len(degrees) > 4
    assert [value for value in degrees if value != round(value, 6)] == []


@pytest.mark.parametrize("near", ["46.1,%20%201.8", "46.1%20,1.8", f"46.1,1.{'8' * 21}", "46.1;1.8", "46,1,1,8"])
def test_what_is_no_point_is_told_how_one_is_written(client: Client, near: str) -> None:
    problem = read_problem(client.get(f"/api/v1/stations?near={near}"), 400)
    assert "with 20 decimals at most, as in 45.757,4.832" in str(problem["detail"])


@pytest.mark.parametrize("id_", ["0", "x", "2147483648", "1.0", "%D9%A3", "-1"])
def test_what_is_no_id_is_refused(client: Client, id_: str) -> None:
    assert "id must be a whole number" in str(read_problem(client.get(f"/api/v1/stations/{id_}"), 400)["detail"])


@pytest.mark.parametrize(
    "path", ["/api/v1/stations/77", "/api/v1/nothing", "/api", "/api/", "/api/v1/fuels/", "/api/v2/fuels"]
)
def test_what_there_is_not_is_a_problem_too(client: Client, path: str) -> None:
    assert read_problem(client.get(path), 404)["title"] == "Not Found"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE"])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_can_be_written(client: Client, path: str, method: str) -> None:
    answer = client.get(path, method=method)
    read_problem(answer, 405)
    assert "GET" in answer.headers["allow"]


def test_before_the_first_load_the_answer_is_to_come_again(engine: Engine, settings: Settings) -> None:
    client = make_outside(settings, engine.connect)
    for path in PATHS[:3]:
        answer = client.get(path)
        assert read_problem(answer, 503)["detail"] == "Nothing was loaded yet."
        assert answer.headers["retry-after"] == "60"
    assert client.get("/api/v1/status").json["feed"] is None


def test_a_database_that_is_away_is_a_problem_that_tells_nothing_of_it(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Connection:
        raise OperationalError("SELECT 1", {}, Exception("no route to db.internal"))

    client = make_outside(settings, fail)
    for path in PATHS:
        answer = client.get(path)
        assert "db.internal" not in str(read_problem(answer, 503))
        assert answer.headers["retry-after"] == "60"
    assert "no route to db.internal" in caplog.text


def test_who_waits_too_long_is_told_so_and_nothing_is_said_to_have_failed(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    is_over = threading.Event()

    def wait() -> Connection:
        assert is_over.wait(60)
        return engine.connect()

    monkeypatch.setattr(routes, "ANSWER_SECONDS", 0.01)
    client = make_outside(settings, wait)
    threading.Timer(1, is_over.set).start()
    assert read_problem(client.get("/api/v1/fuels"), 503)["detail"] == "Too many ask for prices right now."
    assert "status=late" in caplog.text
    assert "status=failed" not in caplog.text


def test_pages_of_other_sites_may_read_it(client: Client) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    for path in (*PATHS, "/api/v1/nothing", "/api/v1/stations"):
        answer = client.get(path, origin)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
    asking = {**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "If-None-Match"}
    assert client.get(PATHS[0], asking, "OPTIONS").status == 200
    assert client.get(PATHS[0], {**asking, "Access-Control-Request-Method": "PUT"}, "OPTIONS").status == 400


def test_the_document_is_served_and_kept(client: Client) -> None:
    answer = client.get("/api/v1/openapi.json")
    assert answer.json["openapi"] == "3.1.0"
    assert client.get("/api/v1/openapi.json", {"If-None-Match": answer.headers["etag"]}).status == 304
