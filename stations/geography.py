"""Distances on the globe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import asin, cos, degrees, radians, sin, sqrt
from statistics import fmean, median
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Row

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG

Degrees = np.ndarray[tuple[int], np.dtype[np.float64]]
Kilometres = np.ndarray[tuple[int], np.dtype[np.float64]]


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


def compute_distances_km(latitude: float, longitude: float, latitudes: Degrees, longitudes: Degrees) -> Kilometres:
    """Return what `compute_distance_km` does, of one point and many."""
    half_north = np.radians(latitudes - latitude) / 2
    half_east = np.radians(longitudes - longitude) / 2
    chord = np.sin(half_north) ** 2 + cos(radians(latitude)) * np.cos(np.radians(latitudes)) * np.sin(half_east) ** 2
    distances: Kilometres = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(1.0, np.sqrt(chord)))
    return distances


def find_point(station: Row[Any]) -> Point | None:
    """Return where a row of `stations` says that it lies; None when that is doubtful."""
    return None if station.is_location_doubtful else Point(station.latitude, station.longitude)


def make_box(latitude: float, longitude: float, radius_km: float) -> Box:
    """Return the smallest box that holds every point within `radius_km`, so that an index can find them first."""
    north = degrees(radius_km / EARTH_RADIUS_KM)
    east = min(180.0, north / max(cos(radians(min(abs(latitude) + north, 89.9))), 1e-6))
    return Box(latitude - north, latitude + north, longitude - east, longitude + east)


def measure_reach_km(centre: tuple[float, float], points: Sequence[tuple[float, float]]) -> float:
    """Return how far the farthest of the points is from the centre, all in WGS84 degrees; 0 when there is none."""
    latitude, longitude = centre
    narrowing = cos(radians(latitude)) ** 2
    # On a map of squares, which tells the farthest of thousands at once; only its distance is measured.
    farthest = max(
        points, key=lambda point: (point[0] - latitude) ** 2 + narrowing * (point[1] - longitude) ** 2, default=centre
    )
    return compute_distance_km(*centre, *farthest)


def find_median(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the median latitude and the median longitude of points: no minority of them can move it far."""
    return median([latitude for latitude, _ in points]), median([longitude for _, longitude in points])


def find_centre(
    points: Sequence[tuple[float, float]], reach_km: float, find_home: Callable[[], tuple[float, float]]
) -> tuple[float, float]:
    """Return the middle of those points (WGS84 degrees, at least one) that lie together; what lies far off is an error.

    That is the mean of those within `reach_km` of the median, when they are most of them. Else it is the mean around
    the point with the most others within `reach_km`; of several such points, the nearest to what `find_home` returns.
    """
    near = _list_near(points, find_median(points), reach_km)
    if len(near) * 2 <= len(points):
        home = find_home()
        groups = [_list_near(points, point, reach_km) for point in points]
        near = max(groups, key=lambda group: (len(group), -compute_distance_km(*home, *_find_mean(group))))
    return _find_mean(near)


def _list_near(
    points: Sequence[tuple[float, float]], point: tuple[float, float], reach_km: float
) -> list[tuple[float, float]]:
    return [other for other in points if compute_distance_km(*point, *other) <= reach_km]


def _find_mean(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return fmean([latitude for latitude, _ in points]), fmean([longitude for _, longitude in points])
