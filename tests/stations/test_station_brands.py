"""Which brands the stations of the feed have, and where that is known from."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine, insert

from db import begin_writing
from models import BrandState, Station, StationBrand
from stations.brands import Brand, BrandSource, list_brand_sources, list_brands

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def test_brands_are_counted_over_the_stations_in_the_feed_the_most_common_first(engine: Engine) -> None:
    station = {
        **{"latitude": 46.0, "longitude": 2.0, "address": "", "town": "Guéret", "zip_code": "23000"},
        **{"town_key": "gueret", "is_motorway": False, "has_automat": False, "services": ""},
    }
    brands = {1: "Avia", 2: "Système U", 3: "Système U", 4: "Esso", 5: "Gone", 6: "", 7: "Unknown to the feed"}
    with begin_writing(engine) as connection:
        rows = [{"id": id_, "left_feed_at": NOW if id_ == 5 else None} for id_ in (1, 2, 3, 4, 5, 6, 8)]
        connection.execute(insert(Station), [station | row for row in rows])
        connection.execute(
            insert(StationBrand),
            [
                {"station_id": id_, "brand": brand, "brand_key": brand.lower().replace("è", "e"), "name": "x"}
                for id_, brand in brands.items()
            ],
        )
        assert list_brands(connection) == (
            Brand("systeme u", "Système U", 2),
            Brand("avia", "Avia", 1),
            Brand("esso", "Esso", 1),
        )


def test_without_a_list_there_are_no_brands_and_no_source(engine: Engine) -> None:
    with engine.connect() as connection:
        assert list_brands(connection) == ()
        assert list_brand_sources(connection) == ()


def test_the_sources_of_the_brands_are_known_the_one_that_wins_first(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        for number, kind, source in ((2, "prix_carburant", "names.json"), (1, "openstreetmap", "osm.csv")):
            row = {"id": number, "kind": kind, "source": source, "station_count": 7, "loaded_at": NOW}
            connection.execute(insert(BrandState).values(row))
        assert list_brand_sources(connection) == (
            BrandSource("openstreetmap", "osm.csv", 7, NOW),
            BrandSource("prix_carburant", "names.json", 7, NOW),
        )
