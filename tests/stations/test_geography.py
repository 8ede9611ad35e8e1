"""Distances on the globe, and the box that an index can search before they are computed."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as effort
from hypothesis import strategies as some

from stations.geography import (
    EARTH_RADIUS_KM,
    compute_distance_km,
    compute_distances_km,
    find_centre,
    find_median,
    make_box,
    measure_reach_km,
)

PARIS = (48.8566, 2.3522)
LONDON = (51.5074, -0.1278)
LYON = (45.7640, 4.8357)


@pytest.mark.parametrize(
    ("one", "other", "distance_km"),
    [
        (PARIS, PARIS, 0.0),
        (PARIS, LONDON, 343.6),
        (PARIS, LYON, 391.5),
        ((0.0, 0.0), (0.0, 180.0), pi * EARTH_RADIUS_KM),
        ((90.0, 0.0), (-90.0, 123.0), pi * EARTH_RADIUS_KM),
        ((90.0, 0.0), (90.0, 170.0), 0.0),  # at the pole every longitude is the same place
        ((0.0, 179.5), (0.0, -179.5), pi * EARTH_RADIUS_KM / 180),  # one degree across the date line
        ((-17.0, 179.99), (-17.0, -179.99), 2.1),
    ],
)
def test_distances_are_those_of_the_globe(
    one: tuple[float, float], other: tuple[float, float], distance_km: float
) -> None:
    assert compute_distance_km(*one, *other) == pytest.approx(distance_km, rel=2e-3, abs=0.05)
    assert compute_distance_km(*other, *one) == pytest.approx(compute_distance_km(*one, *other))


def test_a_reach_is_the_distance_of_the_farthest_point() -> None:
    # Seen on a map whose degrees are squares, London would lie nearer to Paris than a place five degrees to the east.
    east = (PARIS[0], PARIS[1] + 4.4)
    assert measure_reach_km(PARIS, [PARIS, east, LONDON]) == pytest.approx(compute_distance_km(*PARIS, *LONDON))
    assert measure_reach_km(PARIS, []) == 0.0


def test_a_degree_of_latitude_is_111_195_metres_everywhere() -> None:
    for latitude in (-60.0, 0.0, 46.5, 88.0):
        assert compute_distance_km(latitude, 5.0, latitude + 1, 5.0) == pytest.approx(111.195, abs=0.001)


def test_a_degree_of_longitude_shrinks_with_the_cosine_of_the_latitude() -> None:
    assert compute_distance_km(60.0, 5.0, 60.0, 6.0) == pytest.approx(111.195 / 2, abs=0.01)


@effort(max_examples=300, deadline=None)
@given(
    latitude=some.floats(-80, 80),
    longitude=some.floats(-170, 170),
    radius_km=some.floats(0.1, 200),
    north=some.floats(-2, 2),
    east=some.floats(-2, 2),
)
def test_no_point_within_the_radius_lies_outside_the_box(
    latitude: float, longitude: float, radius_km: float, north: float, east: float
) -> None:
    point = (latitude + north * radius_km / 111, longitude + east * radius_km / 111)
    assume(compute_distance_km(latitude, longitude, *point) <= radius_km * 0.999999)
    box = make_box(latitude, longitude, radius_km)
    assert box.south <= point[0] <= box.north
    assert box.west <= point[1] <= box.east


def test_the_box_is_not_much_wider_than_the_circle() -> None:
    box = make_box(46.5, 2.0, 10.0)
    assert (box.north - box.south) * 111.195 == pytest.approx(20.0, rel=1e-3)
    assert compute_distance_km(46.5, box.west, 46.5, box.east) == pytest.approx(20.0, rel=1e-2)


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(90.0, 0.0), (-90.0, 0.0), (0.0, 180.0), (0.0, -180.0), (89.99, -180.0)]
)
@pytest.mark.parametrize("radius_km", [0.0, 50.0, 30_000.0])
def test_poles_and_the_date_line_have_a_box_too(latitude: float, longitude: float, radius_km: float) -> None:
    box = make_box(latitude, longitude, radius_km)
    assert box.south <= latitude <= box.north
    assert box.west <= longitude <= box.east
    assert box.east - box.west <= 360


def get_no_home() -> tuple[float, float]:
    raise AssertionError("most points lie together: nothing else is asked")


@pytest.mark.parametrize("number", range(1, 8))
def test_the_centre_of_points_that_lie_together_is_their_mean(number: int) -> None:
    points = [(48.85 + index / 100, 2.35) for index in range(number)]
    mean = sum(latitude for latitude, _ in points) / number
    assert find_centre(points, 10, get_no_home) == (pytest.approx(mean), pytest.approx(2.35))


@pytest.mark.parametrize(("right", "wrong"), [(2, 1), (3, 1), (3, 2), (5, 4), (20, 9)])
def test_a_minority_far_off_does_not_move_the_centre(right: int, wrong: int) -> None:
    assert find_centre([LYON] * wrong + [PARIS] * right, 10, get_no_home) == pytest.approx(PARIS)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_of_groups_as_large_the_one_nearest_to_home_is_the_centre(number: int) -> None:
    points = [PARIS, LYON] * number
    assert find_centre(points, 10, lambda: (48.0, 2.0)) == pytest.approx(PARIS)
    assert find_centre(points, 10, lambda: (45.0, 5.0)) == pytest.approx(LYON)


def test_of_several_groups_the_largest_is_the_centre_wherever_home_is() -> None:
    points = [PARIS, PARIS, LYON, LONDON, (43.3, 5.4)]
    assert find_centre(points, 10, lambda: LYON) == pytest.approx(PARIS)


def test_a_minority_of_points_does_not_move_the_median_away_from_the_others() -> None:
    latitude, longitude = find_median([PARIS, PARIS, (48.9, 2.4), LYON, LYON])
    assert compute_distance_km(latitude, longitude, *PARIS) < 10


def test_the_distances_of_many_points_are_those_of_each() -> None:
    others = [PARIS, LYON, LONDON, (43.3, 5.4), (-21.1, 55.5), (PARIS[0], PARIS[1] + 1e-5)]
    latitudes, longitudes = (np.array(degrees) for degrees in zip(*others, strict=True))
    found = compute_distances_km(*PARIS, latitudes, longitudes)
    assert found == pytest.approx([compute_distance_km(*PARIS, *other) for other in others], abs=1e-9)
