"""The feed of the browser tests: generated stations all over the country, and a few whose place and texts are known."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile
from zoneinfo import ZoneInfo

from feed.generator import FEED_MEMBER, FeedRecipe, build_feed_xml

FIRST_ID = 1_000_001  # of generated stations that stand for real ones
_PARIS = ZoneInfo("Europe/Paris")


class KnownStation(NamedTuple):
    """A station whose E10 and Gazole prices, in thousandths of a euro, are known."""

    id: int
    zip_code: str
    town: str
    address: str
    latitude: float
    longitude: float
    e10: int
    gazole: int


# Guéret: two stations, symmetrical about the middle, far from every generated one.
WEST = KnownStation(23000001, "23000", "Guéret", "1 rue de l'Ouest", 46.170, 1.860, 1799, 1701)
EAST = KnownStation(23000002, "23000", "Guéret", "2 rue de l'Est", 46.170, 1.880, 1759, 1781)
GUERET = (46.170, 1.870)  # the middle between the two
# Six kilometres away, the cheapest of all.
OUTSIDE = KnownStation(23000003, "23000", "Sainte-Feyre", "3 route du Sud", 46.120, 1.900, 1699, 1690)
HOSTILE_TEXTS = (
    "<img src=x onerror=alert(1)>",
    "**bold** _it_ `code` ~~out~~",
    "[x](javascript:alert(1))",
    ":red[x] :material/home: :smile:",
    "https://evil.example www.evil.example a@evil.example",
    "# head | $x^2$ <b>b</b> &lt; -> <- -- ...",
)
HOSTILE_TOWNS = ("[x](javascript:alert(1))", ":red[x]", "**bold**", "<b>b</b>", "https://evil.example", "`code`")
HOSTILE = tuple(
    KnownStation(36100001 + index, "36100", town, text, 46.900 + index / 200, 1.980 + index / 150, 1700 + index, 1650)
    for index, (text, town) in enumerate(zip(HOSTILE_TEXTS, HOSTILE_TOWNS, strict=True))
)
KNOWN = (WEST, EAST, OUTSIDE, *HOSTILE)


def write_known_feed(path: Path, recipe: FeedRecipe, stations: Iterable[KnownStation]) -> Path:
    """Write a generated feed with some known stations at its end."""
    reported = recipe.newest_at.astimezone(_PARIS) - timedelta(minutes=5)
    xml = b"".join(build_feed_xml(recipe)).decode("iso-8859-1")
    added = "".join(_write_station(station, reported) for station in stations)
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr(
            FEED_MEMBER, xml.replace("</pdv_liste>", f"{added}</pdv_liste>").encode("iso-8859-1", "xmlcharrefreplace")
        )
    return path


def _write_station(station: KnownStation, reported: datetime) -> str:
    at = reported.isoformat(" ")[:19]
    return (
        f'  <pdv id="{station.id}" latitude="{station.latitude * 100_000:.0f}"'
        f' longitude="{station.longitude * 100_000:.0f}" cp="{station.zip_code}" pop="R">\n'
        f"    <adresse>{escape(station.address)}</adresse>\n    <ville>{escape(station.town)}</ville>\n"
        f"    <services>\n      <service>Toilettes publiques</service>\n    </services>\n"
        f'    <prix nom="Gazole" id="1" maj="{at}" valeur="{station.gazole / 1000:.3f}"/>\n'
        f'    <prix nom="E10" id="5" maj="{at}" valeur="{station.e10 / 1000:.3f}"/>\n  </pdv>\n'
    )
