"""A second reading of the feed, to hold against the program's: the standard library only, and nothing of the parser."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring
from zipfile import ZipFile
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from models import Price, Service, Station, StockOut

PARIS = ZoneInfo("Europe/Paris")


@dataclass(frozen=True)
class PlainStation:
    """A station as the feed says it, its town apart as the feed spells it."""

    id: int
    latitude_deg: float = field(compare=False)
    longitude_deg: float = field(compare=False)
    zip_code: str
    address: str
    raw_town: str
    is_motorway: bool
    has_automat: bool
    hours: str | None
    services: frozenset[str]
    prices: dict[int, tuple[int, datetime]]  # by fuel: thousandths of a euro, and when in UTC
    stock_outs: dict[int, datetime]  # by fuel: since when in UTC


def read_plainly(archive: Path) -> dict[int, PlainStation]:
    """Return the stations of a feed without damaged records, by id."""
    with ZipFile(archive) as file:
        (name,) = file.namelist()
        root = fromstring(file.read(name))
    assert root.tag == "pdv_liste"
    stations = [_read_station(element) for element in root]
    by_id = {station.id: station for station in stations}
    assert len(by_id) == len(stations)
    return by_id


def read_stored(connection: Connection) -> dict[int, PlainStation]:
    """Return the stations that stand in the database in the same form, those that left the feed too.

    `raw_town` is the town as it is stored.
    """
    prices: dict[int, dict[int, tuple[int, datetime]]] = {}
    for price in connection.execute(select(Price.__table__)):
        prices.setdefault(price.station_id, {})[price.gastype_id] = (price.price, price.updated_at)
    stock_outs: dict[int, dict[int, datetime]] = {}
    for row in connection.execute(select(StockOut.__table__)):
        stock_outs.setdefault(row.station_id, {})[row.gastype_id] = row.began_at
    names = {row.id: row.name for row in connection.execute(select(Service.__table__))}
    return {
        row.id: PlainStation(
            id=row.id,
            latitude_deg=row.latitude,
            longitude_deg=row.longitude,
            zip_code=row.zip_code,
            address=row.address,
            raw_town=row.town,
            is_motorway=row.is_motorway,
            has_automat=row.has_automat,
            hours=row.opening_hours,
            services=frozenset(names[int(number)] for number in row.services.split("|") if number),
            prices=prices.get(row.id, {}),
            stock_outs=stock_outs.get(row.id, {}),
        )
        for row in connection.execute(select(Station.__table__))
    }


def list_differences(expected: Mapping[int, PlainStation], stored: Mapping[int, PlainStation]) -> list[str]:
    """Say in which stations the two differ; coordinates may by what the last bit of a float says."""
    differences = [f"station {id_} only on one side" for id_ in expected.keys() ^ stored.keys()]
    for id_ in sorted(expected.keys() & stored.keys()):
        mine, theirs = expected[id_], stored[id_]
        places = ((mine.latitude_deg, theirs.latitude_deg), (mine.longitude_deg, theirs.longitude_deg))
        if mine != theirs or not all(math.isclose(*pair, rel_tol=1e-15) for pair in places):
            differences.append(f"expected {mine}, stored {theirs}")
    return differences


@cache
def clean_plainly(text: str | None) -> str:
    """Repair what DESIGN.md names: UTF-8 read twice, bytes of cp1252, and white space."""
    repaired = re.sub("[ÃÂ][\x80-\xbf]", lambda pair: pair[0].encode("latin-1").decode("utf-8"), text or "")
    repaired = re.sub("[\x80-\x9f]", lambda byte: byte[0].encode("latin-1").decode("cp1252"), repaired)
    return " ".join(repaired.split())


@cache
def read_paris_time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def _read_station(element: Element) -> PlainStation:
    hours = element.find("horaires")
    prices = {
        int(price.attrib["id"]): (int(Decimal(price.attrib["valeur"]) * 1000), read_paris_time(price.attrib["maj"]))
        for price in element.iterfind("prix")
    }
    going_on = [
        (int(one.attrib["id"]), read_paris_time(one.attrib["debut"]), one.attrib["type"] == "temporaire")
        for one in element.iterfind("rupture")
        if not one.attrib["fin"]
    ]
    stock_outs = {
        fuel_id: (began_at, is_sold)
        for fuel_id, began_at, is_sold in going_on
        if fuel_id not in prices or prices[fuel_id][1] <= began_at
    }
    return PlainStation(
        id=int(element.attrib["id"]),
        latitude_deg=float(Decimal(element.attrib["latitude"]) / 100_000),
        longitude_deg=float(Decimal(element.attrib["longitude"]) / 100_000),
        zip_code=element.attrib["cp"],
        address=clean_plainly(element.findtext("adresse")),
        raw_town=element.findtext("ville") or "",
        is_motorway=element.attrib["pop"] == "A",
        has_automat=hours is not None and hours.attrib["automate-24-24"] == "1",
        hours=None if hours is None else _read_week(hours),
        services=frozenset(clean_plainly(service.text) for service in element.iterfind("services/service")),
        prices={fuel_id: price for fuel_id, price in prices.items() if stock_outs.get(fuel_id, (None, True))[1]},
        stock_outs={fuel_id: began_at for fuel_id, (began_at, is_sold) in stock_outs.items() if is_sold},
    )


def _read_week(hours: Element) -> str | None:
    days = {int(day.attrib["id"]): _read_day(day) for day in hours}
    assert sorted(days) == [1, 2, 3, 4, 5, 6, 7]
    week = "|".join(days[number] for number in sorted(days))
    return None if week == "?|?|?|?|?|?|?" else week


def _read_day(day: Element) -> str:
    if day.attrib["ferme"] == "1":
        return ""
    spans = []
    for one in day:
        opening, closing = (one.attrib[name].replace(".", ":") for name in ("ouverture", "fermeture"))
        if opening == closing != "00:00":
            continue  # by which stations say that they are closed
        spans.append(f"{opening}-{'24:00' if closing in ('00:00', '23:59') else closing}")
    return ",".join(sorted(set(spans))) if len(day) else "?"
