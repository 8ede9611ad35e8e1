"""The parameters of the API: what may be asked, and every complaint about a request at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from errors import ParametersRefused, SearchRefused
from models import FUEL_NAMES
from stations.details import MAX_ID

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

T = TypeVar("T")

# One form of a point, in the document too: WGS84 degrees of latitude and longitude, no more than 20 decimals.
POINT_FORM = (
    r"-?(?:90(?:\.0{1,20})?|[1-8]?[0-9](?:\.[0-9]{1,20})?)"
    r", ?-?(?:180(?:\.0{1,20})?|(?:1[0-7][0-9]|[1-9]?[0-9])(?:\.[0-9]{1,20})?)"
)
RADII_KM = (0.1, 50.0)
RADIUS_KM = 10.0
MAX_LIMIT = 100
LIMIT = 20
_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?")
_FUEL_IDS = {name: id_ for id_, name in FUEL_NAMES.items()}


@dataclass(frozen=True)
class StationQuery:
    """Which stations are asked for: around a point, those that sell the fuel (None: any), no more than `limit`."""

    latitude: float
    longitude: float
    radius_km: float
    fuel_id: int | None
    limit: int


def read_station_query(parameters: QueryParams) -> StationQuery:
    """Read the parameters of a search.

    Raises ParametersRefused: with what is wrong with each of them.
    """
    reader = _Reader(parameters, ("near", "radius_km", "fuel", "limit"))
    point = reader.read("near", _read_point, None)
    radius_km = reader.read("radius_km", _read_radius, RADIUS_KM)
    fuel_id = reader.read("fuel", _read_fuel, None)
    limit = reader.read("limit", _read_limit, LIMIT)
    if point is None and "near" not in reader.errors:
        reader.errors["near"] = "is missing: a latitude and a longitude, as in 45.757,4.832"
    if reader.errors or point is None:
        raise ParametersRefused(reader.errors)
    return StationQuery(*point, radius_km, fuel_id, limit)


def read_nothing(parameters: QueryParams) -> None:
    """See that there is no parameter.

    Raises ParametersRefused: there is one.
    """
    reader = _Reader(parameters, ())
    if reader.errors:
        raise ParametersRefused(reader.errors)


def read_station_id(text: str, parameters: QueryParams) -> int:
    """Read the id of a station in a path.

    Raises ParametersRefused: it is none, or there are parameters.
    """
    reader = _Reader(parameters, ())
    if not re.fullmatch(r"[1-9][0-9]{0,9}", text, re.ASCII) or int(text) > MAX_ID:
        reader.errors["id"] = f"must be a whole number from 1 to {MAX_ID}"
    if reader.errors:
        raise ParametersRefused(reader.errors)
    return int(text)


class _Reader:
    """Reads parameters one by one and keeps what is wrong with them."""

    def __init__(self, parameters: QueryParams, names: Sequence[str]) -> None:
        self._parameters = parameters
        self.errors = {
            name[:40]: f"is unknown; there are {', '.join(names)}" if names else "is unknown: there are none here"
            for name in parameters
            if name not in names
        }

    def read(self, name: str, read: Callable[[str], T], default: T) -> T:
        values = self._parameters.getlist(name)
        if not values:
            return default
        if len(values) > 1:
            self.errors[name] = "was given more than once"
            return default
        try:
            return read(values[0])
        except SearchRefused as error:
            self.errors[name] = str(error)
            return default


def _read_point(text: str) -> tuple[float, float]:
    if re.fullmatch(POINT_FORM, text, re.ASCII) is None:
        raise SearchRefused("must be a latitude and a longitude, with 20 decimals at most, as in 45.757,4.832")
    latitude, _, longitude = text.partition(",")
    return float(latitude), float(longitude)


def _read_radius(text: str) -> float:
    lowest, highest = RADII_KM
    if _NUMBER.fullmatch(text) is None or not lowest <= float(text) <= highest:
        raise SearchRefused(f"must be a number of kilometres from {lowest:g} to {highest:g}")
    return float(text)


def _read_fuel(text: str) -> int | None:
    if text not in _FUEL_IDS:
        raise SearchRefused(f"must be one of {', '.join(_FUEL_IDS)}")
    return _FUEL_IDS[text]


def _read_limit(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,2}", text, re.ASCII) or int(text) > MAX_LIMIT:
        raise SearchRefused(f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)
