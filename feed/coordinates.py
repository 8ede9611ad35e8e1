"""Where a station lies: the feed's coordinates, checked against the department and repaired where it is clear how.

A postcode begins with the number of its department, and a station's id with a postcode. The two disagree for some
hundred stations, so a location is doubtful only when both speak against it.
"""

from __future__ import annotations

from math import cos, radians
from typing import NamedTuple

FEED_DEGREE = 100_000  # the feed writes 46.20100 degrees as 4620100

# Postcodes reach across the border of their department, and stations lie off the centre of their commune: in six feeds
# from 2019 to 2026 no right one is more than 5 km outside of its box.
MARGIN_KM = 8.0
KM_PER_DEGREE = 111.2

# South, north, west and east of each department in WGS84 degrees: the outermost centres of the communes that have its
# postcodes (La Poste, "Base officielle des codes postaux", Licence Ouverte 2.0). 20 is Corsica, 971 reaches up to
# Saint-Martin, 98 is Monaco.
_OUTERMOST = """
01 45.64 46.50 4.74 6.12;02 48.87 50.05 3.00 4.23;03 45.97 46.79 2.30 3.98;04 43.70 44.56 5.54 6.93
05 44.21 45.07 5.46 6.95;06 43.49 44.29 6.69 7.66;07 44.29 45.36 3.89 4.87;08 49.24 50.15 4.06 5.37
09 42.59 43.29 0.86 2.13;10 47.94 48.69 3.40 4.84;11 42.70 43.45 1.72 3.18;12 43.71 44.90 1.87 3.39
13 43.19 43.91 4.46 5.76;14 48.82 49.42 -1.14 0.43;15 44.63 45.47 2.12 3.33;16 45.21 46.12 -0.41 0.90
17 45.11 46.32 -1.54 -0.04;18 46.44 47.57 1.81 3.04;19 44.93 45.72 1.26 2.50;20 41.43 42.99 8.62 9.53
21 46.91 48.00 4.09 5.51;22 48.08 48.86 -3.62 -1.94;23 45.68 46.43 1.42 2.57;24 44.60 45.68 0.01 1.41
25 46.60 47.57 5.71 7.04;26 44.13 45.33 4.68 5.73;27 48.68 49.47 0.31 1.77;28 47.99 48.93 0.80 1.96
29 47.79 48.75 -5.09 -3.42;30 43.50 44.43 3.30 4.81;31 42.73 43.90 0.47 2.01;32 43.32 44.06 -0.27 1.18
33 44.25 45.54 -1.20 0.28;34 43.24 43.95 2.58 4.15;35 47.66 48.69 -2.23 -1.05;36 46.38 47.26 0.91 2.17
37 46.76 47.68 0.07 1.32;38 44.73 45.88 4.75 6.25;39 46.27 47.29 5.27 6.15;40 43.51 44.48 -1.47 0.09
41 47.22 48.10 0.64 2.18;42 45.26 46.26 3.74 4.75;43 44.76 45.41 3.08 4.44;44 46.90 47.83 -2.53 -0.97
45 47.51 48.33 1.55 3.07;46 44.26 45.02 1.02 2.19;47 44.00 44.75 -0.08 1.05;48 44.15 44.95 3.03 3.97
49 47.00 47.77 -1.23 0.15;50 48.49 49.70 -1.87 -0.77;51 48.53 49.39 3.43 5.01;52 47.60 48.69 4.68 5.87
53 47.75 48.53 -1.20 -0.06;54 48.36 49.55 5.44 7.10;55 48.44 49.60 4.91 5.81;56 47.30 48.19 -3.70 -2.09
57 48.55 49.51 5.91 7.60;58 46.69 47.55 2.89 4.18;59 49.99 51.08 2.10 4.21;60 49.07 49.75 1.71 3.13
61 48.22 48.95 -0.84 0.94;62 50.02 50.99 1.57 3.16;63 45.33 46.24 2.42 3.96;64 42.83 43.59 -1.77 -0.01
65 42.73 43.59 -0.28 0.63;66 42.35 42.89 1.79 3.15;67 48.14 49.07 6.97 8.19;68 47.43 48.30 6.88 7.61
69 45.47 46.29 4.31 5.11;70 47.26 48.00 5.39 6.80;71 46.17 47.13 3.71 5.45;72 47.60 48.45 -0.42 0.85
73 45.12 45.92 5.65 7.10;74 45.73 46.41 5.82 6.93;75 48.82 48.90 2.23 2.46;76 49.27 50.06 0.07 1.76
77 48.14 49.09 2.42 3.49;78 48.46 49.08 1.48 2.20;79 45.99 47.08 -0.79 0.18;80 49.59 50.35 1.40 3.17
81 43.41 44.19 1.57 2.87;82 43.79 44.37 0.77 1.96;83 43.07 43.79 5.70 6.86;84 43.68 44.40 4.67 5.70
85 46.30 47.07 -2.35 -0.61;86 46.07 47.15 -0.09 1.18;87 45.47 46.37 0.68 1.87;88 47.84 48.51 5.44 7.17
89 47.35 48.37 2.89 4.31;90 47.44 47.79 6.77 7.12;91 48.30 48.76 1.93 2.57;92 48.75 48.94 2.16 2.33
93 48.83 48.98 2.31 2.59;94 48.69 48.86 2.32 2.59;95 48.92 49.22 1.63 2.57;971 15.85 18.12 -63.15 -61.05
972 14.43 14.86 -61.21 -60.85;973 2.83 5.69 -54.28 -51.81;974 -21.35 -20.93 55.30 55.76
975 46.75 47.14 -56.40 -56.16;976 -12.98 -12.68 45.06 45.29;98 43.73 43.75 7.41 7.44
"""


class Location(NamedTuple):
    """A point in WGS84 degrees, and whether the postcode and the id of the station both contradict it."""

    latitude_deg: float
    longitude_deg: float
    is_doubtful: bool


class _Box(NamedTuple):
    south: float
    north: float
    west: float
    east: float

    def holds(self, latitude_deg: float, longitude_deg: float) -> bool:
        return self.south <= latitude_deg <= self.north and self.west <= longitude_deg <= self.east


def locate_station(latitude: float, longitude: float, zip_code: str, station_id: int) -> Location | None:
    """Return where a station lies, from the numbers that the feed gives as its coordinates.

    They are degrees times 100,000. Some are plain degrees, and in some pairs the longitude comes first; where the pair
    as it should be contradicts the department and only one other reading of it fits, that one counts. A 0 stands for a
    number that nobody gave. Without a known department any place in France fits. None when the numbers, as the feed
    means them, lie outside the world and no reading fits.
    """
    boxes = _find_boxes(zip_code, station_id)
    written = (latitude / FEED_DEGREE, longitude / FEED_DEGREE)
    is_given = bool(latitude and longitude)
    if is_given and not _is_plain(latitude) and not _is_plain(longitude) and _fits(boxes, *written):
        return Location(*written, is_doubtful=False)
    read = (_read_degrees(latitude), _read_degrees(longitude))
    fitting = [pair for pair in {read, read[::-1]} if is_given and _fits(boxes, *pair)]
    if len(fitting) == 1:
        return Location(*fitting[0], is_doubtful=False)
    if abs(written[0]) > 90 or abs(written[1]) > 180:
        return None
    return Location(*written, is_doubtful=True)


def _is_plain(number: float) -> bool:
    """Say whether a number is plain degrees. Times 100,000 it would be 200 m from Greenwich or less: no station is."""
    return abs(number) <= 180


def _read_degrees(number: float) -> float:
    return number if _is_plain(number) else number / FEED_DEGREE


def _find_boxes(zip_code: str, station_id: int) -> tuple[_Box, ...]:
    codes = {_find_code(zip_code), _find_code(f"{station_id // 1000:05d}")}
    return tuple(_BOXES[code] for code in codes if code in _BOXES) or tuple(_BOXES.values())


def _find_code(zip_code: str) -> str:
    return zip_code[:3] if zip_code.startswith("97") else zip_code[:2]


def _fits(boxes: tuple[_Box, ...], latitude_deg: float, longitude_deg: float) -> bool:
    return any(box.holds(latitude_deg, longitude_deg) for box in boxes)


def _read_boxes() -> dict[str, _Box]:
    boxes = {}
    for entry in _OUTERMOST.strip().replace("\n", ";").split(";"):
        code, *degrees = entry.split()
        south, north, west, east = map(float, degrees)
        up = MARGIN_KM / KM_PER_DEGREE
        aside = up / cos(radians(max(abs(south), abs(north))))
        boxes[code] = _Box(south - up, north + up, west - aside, east + aside)
    return boxes


_BOXES = _read_boxes()
