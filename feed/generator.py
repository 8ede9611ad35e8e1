"""The generator: invented fuel-price feeds in the official format, for the sample feed, tests and benchmarks.

Format: "Prix des carburants en France", https://www.prix-carburants.gouv.fr/rubrique/opendata/. The towns are
real, the stations are not. The same recipe always gives the same bytes, and a station depends on nothing but
the seed and its index: a feed of more stations begins with the same ones.

What is rare has a fixed slot in every cycle of 200 stations, so that a feed of 100 has it at least once; the
first 20 stations are ordinary ones, and there the damaged records are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum, auto
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo
from zoneinfo import ZoneInfo

from feed.generator_towns import Site, break_texts, draw_address, draw_offer, draw_site, draw_town

FIRST_SAMPLE_ID = 99_000_001  # no department 99 exists
FEED_MEMBER = "PrixCarburants_instantane.xml"
MAX_RECORD_DAMAGES = 19

_PARIS = ZoneInfo("Europe/Paris")
_CYCLE = 200
_HOUR_S = 3600
_DAY_S = 86_400
_Draw = Callable[[], float]  # the next number of the station's stream, 0 to 1
_GOLDEN = 0.6180339887498949  # its multiples modulo 1 spread evenly, so that a share is met at any length


class FeedDamage(StrEnum):
    """Damage of the whole feed; each makes a file that must be refused."""

    HTML = auto()  # a web page instead of a zip
    EMPTY = auto()  # no byte
    TRUNCATED_ZIP = auto()  # the first half of the file
    NO_XML = auto()  # a zip that holds a text file only
    TWO_XML = auto()
    ZIP_BOMB = auto()  # 60 MB of comments, well-formed: nothing is wrong but the ratio of 700
    PATH_TRAVERSAL = auto()  # a good feed, its member named ../../evil.xml
    ENTITY_BOMB = auto()  # "billion laughs": 10^9 times "lol" in an address
    EXTERNAL_ENTITY = auto()  # file:///etc/passwd in an address
    TRUNCATED_XML = auto()  # ends inside a station, about half-way
    WRONG_ROOT = auto()
    NO_STATION = auto()
    DOCTYPE = auto()  # a harmless document type


class RecordDamage(StrEnum):
    """Damage of one record; each makes one station or one price that must be rejected alone."""

    # One station rejected, with all its prices.
    MISSING_ID = auto()
    LETTERS_FOR_ID = auto()
    LETTERS_FOR_COORDINATES = auto()
    MISSING_COORDINATES = auto()
    COORDINATES_OUT_OF_RANGE = auto()  # 99 degrees north
    DUPLICATE_STATION = auto()  # an additional station: the id of the one before it, another price
    # One price rejected; the station and its other prices stay.
    UNKNOWN_FUEL = auto()
    PRICE_ZERO = auto()
    PRICE_NEGATIVE = auto()
    PRICE_COMMA = auto()
    PRICE_NAN = auto()
    PRICE_INFINITE = auto()
    PRICE_HUGE = auto()  # ten figures of euros
    PRICE_EMPTY = auto()
    DATE_GARBAGE = auto()
    DATE_IMPOSSIBLE = auto()  # 30 February
    DATE_NEXT_WEEK = auto()  # seven days after the newest report
    DUPLICATE_PRICE = auto()  # an additional price: the fuel and the date of the one before it, 0.010 dearer

    @property
    def rejects(self) -> Literal["station", "price"]:
        """Say what the reader is expected to reject, and count once."""
        return "station" if self in _STATION_DAMAGES else "price"


@dataclass(frozen=True)
class FeedRecipe:
    """What feed to make."""

    newest_at: datetime  # aware; the newest report, to the second (the repeated hour of October is ambiguous)
    stations: int = 400
    seed: int = 1
    first_id: int = FIRST_SAMPLE_ID
    stock_outs: bool = True  # False: no <rupture> at all, as in the fallback feed; prices are the same either way
    oddities: bool = True  # what the real feed has: old and absurd prices, town spellings, twins, odd hours, ...
    broken_texts: bool = True  # of the oddities those that look broken: cp1252, UTF-8 read twice, stray spaces, CEDEX
    feed_damage: FeedDamage | None = None
    record_damages: tuple[RecordDamage, ...] = ()  # the first hits the second station, and so on
    # The next snapshot: this share of the stations has other prices and newer dates, none after newest_at,
    # which has to stay the same. Never the first station; a greater share contains a smaller one's changes.
    changed_share: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError when there is no such feed."""
        if self.newest_at.tzinfo is None:
            raise ValueError("newest_at must be an aware instant")
        if self.stations < 1 or self.seed < 0 or self.first_id < 1:
            raise ValueError("stations and first_id begin at 1, seed at 0")
        if not 0 <= self.changed_share <= 1:
            raise ValueError(f"changed_share is {self.changed_share}, not a share from 0 to 1")
        if len(self.record_damages) > min(self.stations - 1, MAX_RECORD_DAMAGES):
            raise ValueError(f"{self.stations} stations have no room for {len(self.record_damages)} damaged records")


def write_feed(path: Path, recipe: FeedRecipe) -> None:
    """Write the feed as the publisher serves it: a zip of one XML file (damage apart)."""
    damage = recipe.feed_damage
    if damage in (FeedDamage.HTML, FeedDamage.EMPTY):
        path.write_bytes(_WEB_PAGE if damage is FeedDamage.HTML else b"")
        return
    with ZipFile(path, "w") as archive:
        for name in _MEMBER_NAMES.get(damage, (FEED_MEMBER,)):
            info = ZipInfo(name)  # of 1980: the same bytes at any time
            info.compress_type = ZIP_DEFLATED
            info.create_system = 3  # and on any system
            with archive.open(info, "w") as member:
                for chunk in [_README] if name.endswith(".txt") else build_feed_xml(recipe):
                    member.write(chunk)
    if damage is FeedDamage.TRUNCATED_ZIP:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)


def write_sample(path: Path, now: datetime) -> None:
    """Write the sample feed that the project ships: 400 stations, newest report at `now`, no broken texts."""
    write_feed(path, FeedRecipe(newest_at=now, stations=400, broken_texts=False))


def build_feed_xml(recipe: FeedRecipe) -> Iterator[bytes]:
    """Yield the feed's XML in chunks; damage of the zip does not show in it."""
    damage = recipe.feed_damage
    count = recipe.stations
    root = "pdv_liste"
    match damage:
        case FeedDamage.WRONG_ROOT:
            root = "liste_pdv"
        case FeedDamage.NO_STATION:
            count = 0
        case FeedDamage.ZIP_BOMB:
            count = min(count, 100)
        case FeedDamage.TRUNCATED_XML:
            count = count // 2 + 1
    yield _encode(
        f'<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>\n{_DOCTYPES.get(damage, "")}<{root}>\n'
    )
    if damage is FeedDamage.ZIP_BOMB:
        for _ in range(60):
            yield b"<!--" + b" " * 1_000_000 + b"-->\n"
    texts: list[str] = []
    for station in _iterate_stations(recipe, count):
        if len(texts) == 256:
            yield _encode("".join(texts))
            texts.clear()
        text = _write_station(station)
        if damage in (FeedDamage.ENTITY_BOMB, FeedDamage.EXTERNAL_ENTITY):
            text = text.replace("<adresse>", "<adresse>&x; ")
        texts.append(text)
    if damage is FeedDamage.TRUNCATED_XML:
        yield _encode("".join(texts)[:-100])
    else:
        yield _encode(f"{''.join(texts)}</{root}>\n")


class _Fuel(NamedTuple):
    """A fuel of the feed: the share of stations that sell it, and its price in thousandths of a euro.

    Shares, the medians that come out and what a motorway asks above them are those of the feed of 2023-11-22.
    """

    name: str
    number: int
    share: float
    base_milli_eur: int
    motorway_milli_eur: int
    sway: float  # how far the station's own level moves it


_FUELS: tuple[_Fuel, ...] = (
    _Fuel("Gazole", 1, 0.97, 1790, 165, 1.0),
    _Fuel("SP95", 2, 0.36, 1842, 140, 1.0),
    _Fuel("E85", 3, 0.32, 990, 230, 0.4),
    _Fuel("GPLc", 4, 0.15, 985, 70, 0.5),
    _Fuel("E10", 5, 0.76, 1793, 165, 1.0),
    _Fuel("SP98", 6, 0.81, 1882, 150, 1.0),
)
_NO_PRICE_SLOTS = frozenset({22, 52, 54, 122, 152, 154})
_STOCK_OUT_SLOTS = frozenset({20, 32, 34, 120, 132, 134})
_DEFINITIVE_SLOT = 32
_ENDED_STOCK_OUT_SLOT = 30
_PRICE_BESIDE_STOCK_OUT_SLOT = 34
_TWIN_SLOT = 24  # has the coordinates of the station before it
_ABSURD_PRICE_SLOT = 26  # its first price is four times too high, in every other cycle far too low
_OLD_SLOT = 28  # its first price is more than a year old


@dataclass(slots=True)
class _Price:
    fuel: str
    fuel_number: int
    reported: str
    value: str


@dataclass(slots=True)
class _Station:
    """A station as text: attributes with their names, elements as whole lines."""

    identity: str
    coordinates: str
    rest: str
    prices: list[_Price]
    stock_outs: str = ""


def _iterate_stations(recipe: FeedRecipe, count: int) -> Iterator[_Station]:
    random = Random()
    newest = recipe.newest_at.astimezone(UTC).replace(microsecond=0)
    for index in range(count):
        station = _draw_station(random, recipe, newest, index)
        if 1 <= index <= len(recipe.record_damages):
            yield from _damage_station(station, recipe.record_damages[index - 1], newest)
        else:
            yield station


def _draw_station(random: Random, recipe: FeedRecipe, newest: datetime, index: int) -> _Station:
    draw, slot, oddities = random.random, index % _CYCLE, recipe.oddities
    place_index = index - 1 if slot == _TWIN_SLOT and oddities else index
    _seed(random, recipe.seed, place_index)
    site = draw_site(draw, place_index, oddities=oddities)
    if place_index != index:
        _seed(random, recipe.seed, index)
    address = draw_address(draw, site, oddities=oddities)
    town = draw_town(draw, site.commune, oddities=oddities)
    if oddities and recipe.broken_texts:
        address, town = break_texts(slot, address, town)
    offer = draw_offer(draw, oddities=oddities)
    prices = _draw_prices(draw, recipe, newest, index, site)
    stock_outs = _draw_stock_outs(draw, slot, newest, prices, oddities=oddities)
    return _Station(
        identity=f' id="{recipe.first_id + index}"',
        coordinates=f' latitude="{site.latitude}" longitude="{site.longitude}"',
        rest=(
            f' cp="{site.commune.zip_code}" pop="{"A" if site.is_motorway else "R"}">\n'
            f"    {f'<adresse>{escape(address)}</adresse>' if address else '<adresse/>'}\n"
            f"    <ville>{escape(town)}</ville>\n{offer}"
        ),
        prices=[] if slot in _NO_PRICE_SLOTS and oddities else prices,
        stock_outs=stock_outs if recipe.stock_outs else "",
    )


def _seed(random: Random, seed: int, index: int) -> None:
    random.seed((seed << 32) + index)


def _draw_prices(draw: _Draw, recipe: FeedRecipe, newest: datetime, index: int, site: Site) -> list[_Price]:
    slot, oddities = index % _CYCLE, recipe.oddities
    is_changed = 0 < index * _GOLDEN % 1 < recipe.changed_share
    level_milli_eur = site.commune.level_milli_eur - 40 + draw() * draw() * 120
    station_age_s = _draw_age_s(draw, oddities=oddities)
    if index == 0:
        station_age_s = 0
    elif slot == _OLD_SLOT and oddities:
        station_age_s += 380 * _DAY_S
    prices: list[_Price] = []
    for fuel in _FUELS:
        if draw() >= fuel.share and (prices or fuel is not _FUELS[-1]):
            continue
        milli_eur = fuel.base_milli_eur + int(level_milli_eur * fuel.sway + draw() * 20)
        if site.is_motorway:
            milli_eur += fuel.motorway_milli_eur
        if draw() < 0.4:
            milli_eur += 9 - milli_eur % 10
        if slot == _ABSURD_PRICE_SLOT and oddities and not prices:
            milli_eur = milli_eur * 4 if index // _CYCLE % 2 == 0 else milli_eur * 2 // 5
        has_own_age = draw() >= 0.65 and bool(prices)
        age_s = _draw_age_s(draw, oddities=oddities) if has_own_age else station_age_s
        movement, haste = draw(), draw()
        if is_changed:
            step = int(movement * 40) - 20
            milli_eur += step if step < 0 else step + 1
            age_s = int(min(age_s, 10 * _HOUR_S) * haste * 0.9)
        if has_own_age or is_changed or not prices:
            reported = _write_time(newest - timedelta(seconds=age_s))
        else:
            reported = prices[0].reported
        prices.append(_Price(fuel.name, fuel.number, reported, f"{milli_eur // 1000}.{milli_eur % 1000:03}"))
    return prices


def _draw_age_s(draw: _Draw, *, oddities: bool) -> int:
    """Return how long before the newest report: mostly within 48 h, with oddities one in 20 over 30 days."""
    kind, share = draw(), draw()
    if kind < 0.8:
        return 60 + int(share * share * 47 * _HOUR_S)
    if kind < 0.95 or not oddities:
        return 2 * _DAY_S + int(share * 27 * _DAY_S)
    return 31 * _DAY_S + int(share * share * 300 * _DAY_S)


def _draw_stock_outs(draw: _Draw, slot: int, newest: datetime, prices: list[_Price], *, oddities: bool) -> str:
    """Return the station's `<rupture>`, if any, and take the price of what has run out."""
    if slot not in _STOCK_OUT_SLOTS and not (slot == _ENDED_STOCK_OUT_SLOT and oddities):
        return ""
    choice, since = draw(), draw()
    price = prices[int(choice * len(prices))]
    kind, end = "temporaire", ""
    began = newest - timedelta(seconds=_HOUR_S + int(since * 10 * _DAY_S))
    if slot == _ENDED_STOCK_OUT_SLOT:
        began -= timedelta(days=20)
        end = _write_time(began + timedelta(days=2))
    elif slot == _DEFINITIVE_SLOT:
        kind = "definitive"
        began -= timedelta(days=150)
    if not end and not (slot == _PRICE_BESIDE_STOCK_OUT_SLOT and oddities):
        prices.remove(price)
    return (
        f'    <rupture nom="{price.fuel}" id="{price.fuel_number}" debut="{_write_time(began)}"'
        f' fin="{end}" type="{kind}"/>\n'
    )


def _damage_station(station: _Station, damage: RecordDamage, newest: datetime) -> Iterator[_Station]:
    """Yield the station with the damage done, after a good one where the damage is to be there twice."""
    price = station.prices[0]
    dearer = str(Decimal(price.value) + Decimal("0.010"))
    match damage:
        case RecordDamage.MISSING_ID:
            station.identity = ""
        case RecordDamage.LETTERS_FOR_ID:
            station.identity = ' id="ABC12"'
        case RecordDamage.LETTERS_FOR_COORDINATES:
            station.coordinates = ' latitude="nord" longitude="est"'
        case RecordDamage.MISSING_COORDINATES:
            station.coordinates = ""
        case RecordDamage.COORDINATES_OUT_OF_RANGE:
            station.coordinates = ' latitude="9900000" longitude="238900"'
        case RecordDamage.DUPLICATE_STATION:
            yield station
            station = replace(station, prices=[replace(price, value=dearer)])
        case RecordDamage.UNKNOWN_FUEL:
            price.fuel, price.fuel_number = "Kérosène", 9
        case RecordDamage.DUPLICATE_PRICE:
            station.prices.insert(1, replace(price, value=dearer))
        case RecordDamage.DATE_GARBAGE:
            price.reported = "hier matin"
        case RecordDamage.DATE_IMPOSSIBLE:
            price.reported = "2023-02-30 08:00:00"
        case RecordDamage.DATE_NEXT_WEEK:
            price.reported = _write_time(newest + timedelta(days=7))
        case _:
            price.value = _DAMAGED_VALUES[damage]
    yield station


def _write_station(station: _Station) -> str:
    lines = [
        f'    <prix nom="{one.fuel}" id="{one.fuel_number}" maj="{one.reported}" valeur="{one.value}"/>\n'
        for one in station.prices
    ]
    start = f"  <pdv{station.identity}{station.coordinates}{station.rest}"
    return f"{start}{''.join(lines)}{station.stock_outs}  </pdv>\n"


def _write_time(instant: datetime) -> str:
    """Write an instant as the feed does: Paris wall-clock time without an offset."""
    return instant.astimezone(_PARIS).isoformat(" ")[:19]


def _encode(text: str) -> bytes:
    return text.encode("iso-8859-1", "xmlcharrefreplace")


_STATION_DAMAGES = frozenset(
    {
        RecordDamage.MISSING_ID,
        RecordDamage.LETTERS_FOR_ID,
        RecordDamage.LETTERS_FOR_COORDINATES,
        RecordDamage.MISSING_COORDINATES,
        RecordDamage.COORDINATES_OUT_OF_RANGE,
        RecordDamage.DUPLICATE_STATION,
    }
)
_DAMAGED_VALUES = {
    RecordDamage.PRICE_ZERO: "0.000",
    RecordDamage.PRICE_NEGATIVE: "-1.739",
    RecordDamage.PRICE_COMMA: "1,739",
    RecordDamage.PRICE_NAN: "NaN",
    RecordDamage.PRICE_INFINITE: "Infinity",
    RecordDamage.PRICE_HUGE: "9999999999.999",
    RecordDamage.PRICE_EMPTY: "",
}

_MEMBER_NAMES: dict[FeedDamage | None, tuple[str, ...]] = {
    FeedDamage.NO_XML: ("LISEZMOI.txt",),
    FeedDamage.TWO_XML: (FEED_MEMBER, "PrixCarburants_quotidien.xml"),
    FeedDamage.PATH_TRAVERSAL: ("../../evil.xml",),
}
_README = "Les prix des carburants ne sont pas disponibles.\n".encode("iso-8859-1")
_WEB_PAGE = (
    '<!DOCTYPE html>\n<html lang="fr"><head><title>Maintenance</title></head>'
    "<body><h1>Service momentanément indisponible</h1></body></html>\n"
).encode()
_LAUGHS = "\n".join(f'<!ENTITY x{n} "{f"&x{n - 1};" * 10}">' for n in range(1, 9))
_DOCTYPES: dict[FeedDamage | None, str] = {
    FeedDamage.ENTITY_BOMB: (
        f'<!DOCTYPE pdv_liste [\n<!ENTITY x0 "lol">\n{_LAUGHS}\n<!ENTITY x "{"&x8;" * 10}">\n]>\n'
    ),
    FeedDamage.EXTERNAL_ENTITY: '<!DOCTYPE pdv_liste [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n',
    FeedDamage.DOCTYPE: "<!DOCTYPE pdv_liste [<!ELEMENT pdv_liste ANY>]>\n",
}
