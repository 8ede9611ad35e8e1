"""Distances on the globe."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, cos, degrees, radians, sin, sqrt
from typing import Any, NamedTuple

from sqlalchemy import Row

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG


class Point(NamedTuple):
    """A point on the globe, WGS84 degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True)
class Box:
    """The part of the globe between two latitudes and two longitudes, WGS84 degrees."""

    south: float
    north: float
    west: float
    east: float


def compute_distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the great-circle distance of two points in WGS84 degrees (haversine), as the crow flies."""
    half_north = radians(other_latitude - latitude) / 2
    half_east = radians(other_longitude - longitude) / 2
    chord = sin(half_north) ** 2 + cos(radians(latitude)) * cos(radians(other_latitude)) * sin(half_east) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(chord)))


def find_point(station: Row[Any]) -> Point | None:
    """Return where a row of `stations` says that it lies; None when that is doubtful."""
    return None if station.is_location_doubtful else Point(station.latitude, station.longitude)


def make_box(latitude: float, longitude: float, radius_km: float) -> Box:
    """Return the smallest box that holds every point within `radius_km`, so that an index can find them first."""
    north = degrees(radius_km / EARTH_RADIUS_KM)
    east = min(180.0, north / max(cos(radians(min(abs(latitude) + north, 89.9))), 1e-6))
    return Box(latitude - north, latitude + north, longitude - east, longitude + east)
