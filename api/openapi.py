"""The OpenAPI document of the API: every address, parameter and answer, the problems included."""

from __future__ import annotations

from typing import Any

from api.limits import UNKNOWN_SHARE
from api.parameters import LIMIT, MAX_LIMIT, POINT_FORM, RADII_KM, RADIUS_KM
from models import FUEL_NAMES
from prices.nearby import LONG_STOCK_OUT
from settings import VERSION
from stations.details import MAX_ID

Schema = dict[str, Any]

FUELS = list(FUEL_NAMES.values())
AGE = "before now, or, at a server that was set up to try a snapshot of another time, before the newest report"
INTRODUCTION = f"""
Prices of fuel at the stations of France, as they stand at this server. Only reads; no key.

Prices are in thousandths of a euro per litre (`…_milli_eur`, integers) and in euros per litre (`…_eur`). Instants are
ISO 8601 in UTC. `status` says whether a price can be compared with others: `fresh`, `old` (reported more than 30
days ago, E85 and GPLc 90 days) or `implausible` (far apart from all other prices of its fuel in the country, or less
than half or more than twice their median). Only fresh ones that are in stock are ranked and enter a median; a fuel that
has run out has a `stock_out`. Once the newest report is more than a day old, `feed.is_out_of_date` is true: the lowest
price then need not be the lowest at the pumps.

Answers have an ETag: send it as If-None-Match. One address may ask 120 times a minute, or
as often as this server was set to allow (where it can't tell addresses apart, all together {UNKNOWN_SHARE} times as
often); beyond that the answer is 429 with Retry-After. Problems are described as in RFC 9457.
""".strip()


def make_document() -> Schema:
    """Return the document."""
    fuel: Schema = {"type": "string", "enum": FUELS}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Carburoam",
            "version": VERSION,
            "summary": "What fuel costs at the filling stations of France.",
            "description": INTRODUCTION,
            "license": {
                "name": "Licence Ouverte 2.0 (the prices)",
                "url": "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
            },
        },
        "servers": [{"url": "/api/v1"}],
        "paths": {
            "/stations": _describe_path(
                "listStations",
                "The stations around a point: with a fuel the cheapest first, those that can't be compared last;"
                " without one the nearest first, with all their prices.",
                "StationsAnswer",
                parameters=[
                    _describe_parameter(
                        "near",
                        "A latitude and a longitude in WGS84 degrees, with 20 decimals at most.",
                        {"type": "string", "pattern": f"^{POINT_FORM}$", "examples": ["45.757,4.832"]},
                        is_required=True,
                    ),
                    _describe_parameter(
                        "radius_km",
                        "How far from there at most, as the crow flies.",
                        {"type": "number", "minimum": RADII_KM[0], "maximum": RADII_KM[1], "default": RADIUS_KM},
                    ),
                    _describe_parameter("fuel", "Only stations that sell this fuel or are out of it.", fuel),
                    _describe_parameter(
                        "limit",
                        "How many stations at most.",
                        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": LIMIT},
                    ),
                ],
            ),
            "/stations/{id}": _describe_path(
                "getStation",
                "One station with all its fuels, hours and services; also one that has left the feed.",
                "StationAnswer",
                parameters=[
                    {
                        "name": "id",
                        "in": "path",
                        "required": True,
                        "description": "The feed's own id.",
                        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_ID},
                    }
                ],
                problems={"404": "No station has this id."},
            ),
            "/fuels": _describe_path("listFuels", "The fuels, and what they cost in the country.", "FuelsAnswer"),
            "/status": _describe_path(
                "getStatus",
                "What was loaded last, how new it is, whether it is real, and where it comes from.",
                "StatusAnswer",
            ),
        },
        "components": {
            "schemas": _make_schemas(fuel),
            "headers": {
                "ETag": {
                    "description": "Changes with every load.",
                    "schema": {"type": "string", "pattern": '^W/"[0-9a-f]{32}"$'},
                },
                "Cache-Control": {"schema": {"type": "string"}},
                "Retry-After": {
                    "description": "Seconds to wait.",
                    "required": True,
                    "schema": {"type": "integer", "minimum": 1},
                },
            },
        },
    }


def _make_schemas(fuel: Schema) -> Schema:
    count: Schema = {"type": "integer", "minimum": 0}
    milli: Schema = {"type": ["integer", "null"], "minimum": 1, "description": "thousandths of a euro per litre"}
    euros: Schema = {"type": ["number", "null"], "exclusiveMinimum": 0, "description": "euros per litre"}
    text: Schema = {"type": "string"}
    maybe_text: Schema = {"type": ["string", "null"], "minLength": 1}
    flag: Schema = {"type": "boolean"}
    instant: Schema = {"type": "string", "format": "date-time", "pattern": "Z$"}
    maybe_instant: Schema = {**instant, "type": ["string", "null"]}
    feed = _refer("Feed")
    point: Schema = {
        "latitude": {"type": "number", "minimum": -90, "maximum": 90},
        "longitude": {"type": "number", "minimum": -180, "maximum": 180},
    }
    place: Schema = {
        "id": {"type": "integer", "minimum": 1, "maximum": MAX_ID},
        "brand": {**maybe_text, "description": "from another source than the prices; null when not known"},
        "address": text,
        "town": text,
        "zip_code": text,
        **point,
        "is_motorway": flag,
        "prices": {"type": "array", "items": _refer("Price")},
    }
    status: Schema = {"type": ["string", "null"], "enum": ["fresh", "old", "implausible", None]}
    clock: Schema = {"type": "string", "pattern": "^([01][0-9]|2[0-4]):[0-5][0-9]$", "description": "Paris time"}
    span = _make_object({"opens": clock, "closes": clock})
    day: Schema = {"type": ["array", "null"], "items": span, "description": "empty: closed; null: not known"}
    return {
        "Feed": _make_object(
            {
                "loaded_at": {**instant, "description": "last loaded or found unchanged"},
                "newest_report_at": {**maybe_instant, "description": "the newest price in it"},
                "stock_outs_at": {**maybe_instant, "description": "when a feed with stock-outs was last loaded"},
                "is_out_of_date": {
                    **flag,
                    "description": "its newest price was reported more than a day ago: the feed is frozen, a snapshot "
                    "of another time, or can't be loaded",
                },
                "is_sample": {**flag, "description": "the stations and prices are invented"},
            }
        ),
        "Price": _make_object(
            {
                "fuel": fuel,
                "price_milli_eur": milli,
                "price_eur": euros,
                "reported_at": maybe_instant,
                "age_hours": {"type": ["integer", "null"], "minimum": 0, "description": AGE},
                "status": {**status, "description": "of the price, in stock or not; null: there is no price"},
                "standing": {**status, "deprecated": True, "description": "same as status"},
                "stock_out": {
                    "oneOf": [
                        {"type": "null"},
                        _make_object(
                            {
                                "since": {**maybe_instant, "description": "null: not said"},
                                "is_old": {
                                    **flag,
                                    "description": f"began more than {LONG_STOCK_OUT.days} days ago, so that the "
                                    "station may have forgotten to say that it sells again",
                                },
                                "for_good": {**flag, "deprecated": True, "description": "always false"},
                            }
                        ),
                    ],
                    "description": "The station sells this fuel and has run out of it; its price, if it has one, is "
                    "not ranked. null: none is known. A fuel that it gave up is not in the list.",
                },
            }
        ),
        "NearbyStation": _make_object({**place, "distance_km": {"type": "number", "minimum": 0}}),
        "Station": _make_object(
            {
                **place,
                **{
                    name: {**degrees, "type": ["number", "null"], "description": "null: its location is doubtful"}
                    for name, degrees in point.items()
                },
                "is_location_doubtful": {**flag, "description": "the feed's coordinates contradict the postcode"},
                "name": maybe_text,
                "has_automat": {**flag, "description": "sells day and night by an automat"},
                "services": {"type": "array", "items": text, "description": "by their French names"},
                "opening_hours": {
                    "type": ["array", "null"],
                    "items": day,
                    "minItems": 7,
                    "maxItems": 7,
                    "description": "from Monday to Sunday; an end before its beginning is the next day's",
                },
                "left_feed_at": {**maybe_instant, "description": "null: it is in the feed"},
            }
        ),
        "Fuel": _make_object(
            {
                "id": {"type": "integer", "enum": list(FUEL_NAMES)},
                "name": fuel,
                "fresh_days": {**count, "description": "how long a price counts as fresh"},
                "median_milli_eur": milli,
                "median_eur": euros,
                "lowest_milli_eur": milli,
                "lowest_eur": euros,
                "station_count": {**count, "description": "with a fresh and plausible price"},
            }
        ),
        "Load": _make_object(
            {
                "status": {"type": "string", "enum": ["loaded", "unchanged", "refused", "failed"]},
                "started_at": instant,
                "finished_at": instant,
                "seconds": {"type": "number", "minimum": 0},
                **{
                    f"{what}_{how}": count for what in ("stations", "prices") for how in ("seen", "written", "rejected")
                },
            }
        ),
        "Source": _make_object(
            {
                "of": {"type": "string", "enum": ["prices", "brands"]},
                "name": text,
                "url": {"type": "string", "format": "uri"},
                "licence": text,
                "licence_url": {"type": "string", "format": "uri"},
            }
        ),
        "StationsAnswer": _make_object(
            {
                "feed": feed,
                "near": _make_object(point),
                "radius_km": {"type": "number"},
                "fuel": {"type": ["string", "null"], "enum": [*FUELS, None]},
                "median_milli_eur": {**milli, "description": "of the fresh prices around; null without a fuel"},
                "median_eur": euros,
                "total": {**count, "description": "stations found, the ones beyond the limit included"},
                "stations": {"type": "array", "items": _refer("NearbyStation"), "maxItems": MAX_LIMIT},
            }
        ),
        "StationAnswer": _make_object({"feed": feed, "station": _refer("Station")}),
        "FuelsAnswer": _make_object({"feed": feed, "fuels": {"type": "array", "items": _refer("Fuel")}}),
        "StatusAnswer": _make_object(
            {
                "version": text,
                "feed": {"oneOf": [{"type": "null"}, feed], "description": "null: nothing was loaded yet"},
                "last_load": {"oneOf": [{"type": "null"}, _refer("Load")], "description": "the last that has ended"},
                "sources": {"type": "array", "items": _refer("Source")},
            }
        ),
        "Problem": {
            "type": "object",
            "description": "RFC 9457",
            "properties": {
                "type": {"const": "about:blank"},
                "title": text,
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": text,
                "errors": {
                    "type": "array",
                    "items": _make_object({"parameter": text, "detail": text}),
                    "description": "what is wrong with each parameter",
                },
            },
            "required": ["type", "title", "status", "detail"],
            "additionalProperties": False,
        },
    }


def _make_object(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _refer(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _describe_parameter(name: str, description: str, schema: Schema, *, is_required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": is_required, "description": description, "schema": schema}


def _describe_path(
    operation: str,
    summary: str,
    answer: str,
    parameters: list[Schema] | None = None,
    problems: dict[str, str] | None = None,
) -> Schema:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in ("ETag", "Cache-Control")}
    retry = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    problem = {"application/problem+json": {"schema": _refer("Problem")}}
    others = {"400": "Parameters can't be read, or are unknown.", **(problems or {})}
    later = {"429": "Too many requests from this address.", "503": "Not now: nothing was loaded yet, or no database."}
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "parameters": parameters or [],
            "responses": {
                "200": {
                    "description": "Found.",
                    "headers": headers,
                    "content": {"application/json": {"schema": _refer(answer)}},
                },
                "304": {"description": "You have it already: the ETag is the one you sent.", "headers": headers},
                **{status: {"description": what, "content": problem} for status, what in others.items()},
                **{
                    status: {"description": what, "headers": retry, "content": problem}
                    for status, what in later.items()
                },
            },
        }
    }
