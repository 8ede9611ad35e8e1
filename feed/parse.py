"""From the feed's XML to records. The feed's own words (pdv, prix, rupture, maj) live only here.

Format: "Prix des carburants en France", Ministère de l'Économie, https://www.prix-carburants.gouv.fr/rubrique/opendata/
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import IO, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from lxml import etree

from errors import FeedRefused
from feed.coordinates import locate_station
from feed.texts import clean_text, spell_town
from models import FUEL_NAMES

PARIS = ZoneInfo("Europe/Paris")
OLDEST_REPORT = "2000-01-01"  # no report can be older: the feed began in 2007
OLDEST_STOCK_OUT = "2007-01-01"  # what begins or ends earlier (in 1970, in the year 216) has no date
FUTURE_LEEWAY = timedelta(days=1)  # a smaller lead is a clock that runs fast
MAX_PRICE_MILLI_EUR = 20_000
WHOLE_DAY = 24 * 60
MAX_SPANS = 3  # of a day's opening hours; the real feed has two at most
MAX_STATION_BYTES = 4_000_000  # a station of the feed takes 1,200 bytes, of a yearly archive a hundred times that
MAX_UNKNOWN_FUELS = 10  # told apart; the feed has six fuels

# The feed gives one price of a fuel; a daily archive repeats some, a yearly one nearly all.
MAX_PRICES_PER_FUEL = 10
MAX_REPEATED_PRICES = 2
MAX_REPEATED_PERCENT = 2

# Part of every fingerprint: another number makes the load of the next feed read every station again.
PARSER_VERSION = b"2"

_STATION_ID = re.compile("[0-9]{1,9}")
_COORDINATE = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,20})?")
_PRICE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}(:[0-5][0-9]){2}(\.[0-9]+)?")
# The feed writes 06.00; a time without the zero or the minutes, or with seconds, is as clear: 6.00, 6h, 06:00:00.
_TIME = re.compile("([0-9]{1,2})(?:[.:,hH]([0-9]{2})(?:[.:][0-5][0-9])?|[hH])?|([0-9]{2})([0-9]{2})")
_STOCK_OUT_REASON = "stock-out: "
_REPEATED = "price stands twice"
_IS_ARCHIVE = "it is an archive of past prices, which --backfill reads, and not the feed"
# How strong a statement each type of stock-out is; any other type, the empty one too, is the weakest.
_STRENGTHS = {"definitive": 2, "temporaire": 1}
_WEAKEST = 0
_FUEL_IDS = {str(fuel_id): fuel_id for fuel_id in FUEL_NAMES}
_FUEL_IDS_BY_NAME = {name: fuel_id for fuel_id, name in FUEL_NAMES.items()}
_NOT_IN_FUEL_NAME = re.compile(r"[^\w .+-]")

Part = TypeVar("Part")


class PriceRecord(NamedTuple):
    """A price as reported: thousandths of a euro per litre, and when, as UTC text in the form the database keeps."""

    fuel_id: int
    price_milli_eur: int
    updated_at: str


class StockOutRecord(NamedTuple):
    """A fuel that the station sells and has run out of, and since when (UTC text; None: not said)."""

    fuel_id: int
    began_at: str | None


class Rejection(NamedTuple):
    """A part of the feed that can't be used: at which station (None: its id can't be read), why, and of which fuel.

    `fuel_id` is None where it is of no fuel, or of one that isn't known.
    """

    station_id: int | None
    reason: str
    fuel_id: int | None = None

    @property
    def is_of_stock_out(self) -> bool:
        return self.reason.startswith(_STOCK_OUT_REASON)

    @property
    def is_repetition(self) -> bool:
        """Whether the price could be read, but stood beside another one of the same fuel."""
        return self.reason == _REPEATED


class RejectedStation(NamedTuple):
    """A station that can't be used at all."""

    rejection: Rejection


class StationRecord(NamedTuple):
    """A station with all that the feed says of it; prices and stock-outs that can't be read are in `rejections`.

    Fuels that it does not sell are in neither. `changes_with_time`: the same element says something else later, when
    an end or a beginning that it names has passed.
    """

    id: int
    latitude_deg: float
    longitude_deg: float
    is_location_doubtful: bool
    address: str
    town: str
    zip_code: str
    is_motorway: bool
    has_automat: bool
    opening_hours: str | None
    services: tuple[str, ...]
    prices: tuple[PriceRecord, ...]
    stock_outs: tuple[StockOutRecord, ...]
    rejections: tuple[Rejection, ...]
    price_count: int
    names_stock_outs: bool
    changes_with_time: bool
    fingerprint: int


class UnchangedStation(NamedTuple):
    """A station whose element is what it was at the last load, so that it was not parsed."""

    id: int
    price_count: int
    names_stock_outs: bool


class _Unreadable(Exception):
    """A value that can't be read; the text is the reason under which it is counted."""


class _StockOut(NamedTuple):
    """What one <rupture> says of a fuel: how strongly, since when, and whether that is over.

    `changes_with_time`: it says something else once a date that it names has come.
    """

    fuel_id: int
    strength: int
    began_at: str | None
    is_over: bool
    changes_with_time: bool

    @property
    def is_of_a_sold_fuel(self) -> bool:
        """Only a temporary one is: the others, and those of no known type, are about fuels the station gave up."""
        return self.strength == _STRENGTHS["temporaire"]

    @property
    def rank(self) -> tuple[int, str]:
        return self.strength, self.began_at or ""


def iterate_stations(
    stream: IO[bytes], fingerprints: Mapping[int, int | None], *, now: datetime
) -> Iterator[StationRecord | UnchangedStation | RejectedStation]:
    """Yield the stations of the feed in its own order, holding one of them in memory at a time.

    `fingerprints` gives, for each station already stored, the fingerprint of its element; `now` is the moment of the
    load, after which no report can have been made.

    Raises FeedRefused: the XML is not well-formed, has another root, a document type, or no readable station; or it
    is an archive of past prices.
    """
    reader = _StationReader(fingerprints, now)
    watched = _WatchedStream(stream)
    events = etree.iterparse(
        watched,
        events=("end",),
        tag="pdv",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = None
        for _, element in events:
            parent = element.getparent()
            if root is None:
                root = parent
                _require_feed(root)
            if parent is not root:
                raise FeedRefused("a <pdv> stands elsewhere than in <pdv_liste>")
            yield reader.read(element)
            while (before := element.getprevious()) is not None:  # nothing that the feed has
                root.remove(before)
            root.remove(element)
            watched.read_since_station = 0
    except etree.XMLSyntaxError as error:
        raise FeedRefused(f"the XML is not well-formed: {clean_text(error.msg)}") from error
    _require_feed(events.root)
    if not reader.seen:
        raise FeedRefused("there is no readable station in it")
    reader.require_no_archive()


class _WatchedStream:
    """The XML as a stream that ends when no station does: what stands between two of them is held in memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.read_since_station = 0

    def read(self, size: int = -1) -> bytes:
        if self.read_since_station > MAX_STATION_BYTES:
            raise FeedRefused(f"there is no station in {MAX_STATION_BYTES // 1_000_000} MB of the XML")
        data = self._stream.read(size)
        self.read_since_station += len(data)
        return data


def _require_feed(root: etree._Element | None) -> None:
    if root is None:
        raise FeedRefused("the XML is empty")
    if root.getroottree().docinfo.internalDTD is not None:
        raise FeedRefused("the XML declares a document type, which the feed never does")
    if root.tag != "pdv_liste":
        raise FeedRefused(f"the root element is <{clean_text(str(root.tag))[:40]}>, not <pdv_liste>")


class _StationReader:
    """Reads one station after the other; remembers which were seen, and the parts that many have in common."""

    MAX_REMEMBERED = 20_000

    def __init__(self, fingerprints: Mapping[int, int | None], now: datetime) -> None:
        self._fingerprints = fingerprints
        self._now = _write_instant(now)
        self._latest_report = _write_instant(now + FUTURE_LEEWAY)
        self.seen: set[int] = set()
        self._price_count = 0
        self._repeated_count = 0
        self._unknown_fuels: set[str] = set()
        self._hours: dict[bytes, tuple[str | None, bool]] = {}
        self._services: dict[bytes, tuple[str, ...]] = {}

    def require_no_archive(self) -> None:
        """Raise FeedRefused if many of the prices read are further ones of a fuel under its station."""
        share_percent = self._repeated_count * 100 / max(self._price_count, 1)
        if self._repeated_count > MAX_REPEATED_PRICES and share_percent > MAX_REPEATED_PERCENT:
            raise FeedRefused(_IS_ARCHIVE)

    def read(self, element: etree._Element) -> StationRecord | UnchangedStation | RejectedStation:
        station_id: int | None = None
        try:
            station_id = _read_station_id(element.get("id"))
            if station_id in self.seen:
                raise _Unreadable("station stands twice")
            raw = etree.tostring(element, with_tail=False)
            digest = blake2b(raw, digest_size=8, person=PARSER_VERSION).digest()
            fingerprint = int.from_bytes(digest, "big", signed=True)
            if self._fingerprints.get(station_id) == fingerprint:
                self.seen.add(station_id)
                price_count = _count_prices(raw)
                self._price_count += price_count
                return UnchangedStation(station_id, price_count, _names_stock_outs(raw))
            record = self._read_record(element, raw, station_id, fingerprint)
        except _Unreadable as reason:
            return RejectedStation(Rejection(station_id, str(reason)))
        self.seen.add(station_id)
        return record

    def _read_record(self, element: etree._Element, raw: bytes, station_id: int, fingerprint: int) -> StationRecord:
        zip_code = clean_text(element.get("cp"))[:10].rstrip()
        latitude, longitude = _read_coordinate(element.get("latitude")), _read_coordinate(element.get("longitude"))
        if latitude == longitude == 0:
            raise _Unreadable("coordinates can't be read")
        location = locate_station(latitude, longitude, zip_code, station_id)
        if location is None:
            raise _Unreadable("coordinates lie outside the world")
        rejections: list[Rejection] = []
        children = _group_children(element)
        prices = self._read_prices(children["prix"], station_id, rejections)
        statements = self._read_stock_outs(children["rupture"], station_id, rejections)
        prices, stock_outs = _apply_stock_outs(prices, statements)
        opening_hours, has_automat = _recall(self._hours, raw, "horaires", children, _read_hours)
        return StationRecord(
            id=station_id,
            latitude_deg=location.latitude_deg,
            longitude_deg=location.longitude_deg,
            is_location_doubtful=location.is_doubtful,
            address=clean_text(_get_text(children["adresse"]))[:300].rstrip(),
            town=spell_town(_get_text(children["ville"]))[:120].rstrip(" ,-"),
            zip_code=zip_code,
            is_motorway=element.get("pop") == "A",
            has_automat=has_automat,
            opening_hours=opening_hours,
            services=_recall(self._services, raw, "services", children, _read_services),
            prices=prices,
            stock_outs=stock_outs,
            rejections=tuple(rejections),
            price_count=_count_prices(raw),
            names_stock_outs=_names_stock_outs(raw),
            changes_with_time=any(statement.changes_with_time for statement in statements),
            fingerprint=fingerprint,
        )

    def _read_prices(
        self, elements: Sequence[etree._Element], station_id: int, rejections: list[Rejection]
    ) -> tuple[PriceRecord, ...]:
        """Return the readable prices, the newest of each fuel."""
        prices: dict[int, PriceRecord] = {}
        repeated: list[int] = []
        for price in elements:
            try:
                fuel_id = self._read_fuel(price)
                record = PriceRecord(
                    fuel_id, _read_price(price.get("valeur")), self._read_report_time(price.get("maj"))
                )
            except _Unreadable as reason:
                if not _is_blank(price):
                    rejections.append(Rejection(station_id, str(reason), _find_fuel(price)))
                continue
            known = prices.get(fuel_id)
            if known is not None:
                repeated.append(fuel_id)
                rejections.append(Rejection(station_id, _REPEATED, fuel_id))
            if known is None or record.updated_at > known.updated_at:
                prices[fuel_id] = record
        if any(repeated.count(fuel_id) >= MAX_PRICES_PER_FUEL for fuel_id in set(repeated)):
            raise FeedRefused(_IS_ARCHIVE)
        self._price_count += len(prices) + len(repeated)
        self._repeated_count += len(repeated)
        return tuple(prices.values())

    def _read_fuel(self, element: etree._Element) -> int:
        text = element.get("id") or ""
        if text in _FUEL_IDS:
            return _FUEL_IDS[text]
        if not text.isdecimal():
            raise _Unreadable("fuel can't be read")
        name = _NOT_IN_FUEL_NAME.sub("", clean_text(element.get("nom")))[:20].strip()
        fuel = f"{text[:6]} ({name})" if name else text[:6]
        if fuel not in self._unknown_fuels and len(self._unknown_fuels) >= MAX_UNKNOWN_FUELS:
            raise _Unreadable("fuel is not known")
        self._unknown_fuels.add(fuel)
        raise _Unreadable(f"fuel {fuel} is not known")

    def _read_report_time(self, text: str | None) -> str:
        instant = _read_instant(text)
        if instant > self._latest_report:
            raise _Unreadable("price date lies in the future")
        if instant < OLDEST_REPORT:
            raise _Unreadable("price date can't be read")
        return instant

    def _read_stock_outs(
        self, elements: Sequence[etree._Element], station_id: int, rejections: list[Rejection]
    ) -> list[_StockOut]:
        """Return what the readable ones say, each for itself."""
        statements = []
        for element in elements:
            try:
                statements.append(self._read_stock_out(element))
            except _Unreadable as reason:
                if not _is_blank(element):
                    rejections.append(Rejection(station_id, f"{_STOCK_OUT_REASON}{reason}", _find_fuel(element)))
        return statements

    def _read_stock_out(self, element: etree._Element) -> _StockOut:
        fuel_id = self._read_fuel(element)
        began_at = _read_stock_out_date(element.get("debut"))
        ends_at = _read_stock_out_date(element.get("fin"))
        return _StockOut(
            fuel_id=fuel_id,
            strength=_STRENGTHS.get(element.get("type", ""), _WEAKEST),
            began_at=None if began_at is not None and began_at > self._now else began_at,
            is_over=ends_at is not None and ends_at <= self._now,
            changes_with_time=max(began_at or "", ends_at or "") > self._now,
        )


def _apply_stock_outs(
    prices: tuple[PriceRecord, ...], statements: Sequence[_StockOut]
) -> tuple[tuple[PriceRecord, ...], tuple[StockOutRecord, ...]]:
    """Return the prices of the fuels that are sold, and those of these fuels that have run out.

    What is over says nothing. Of what is left the strongest statement about a fuel counts, and among equals the one
    that began last. A fuel that was given up nobody knows when is still sold if it has a price.
    """
    if not statements:
        return prices, ()
    reported_at = {price.fuel_id: price.updated_at for price in prices}
    strongest: dict[int, _StockOut] = {}
    for statement in statements:
        if statement.is_over or (statement.began_at and reported_at.get(statement.fuel_id, "") > statement.began_at):
            continue
        known = strongest.get(statement.fuel_id)
        if known is None or statement.rank > known.rank:
            strongest[statement.fuel_id] = statement
    given_up = {one.fuel_id for one in strongest.values() if one.began_at and not one.is_of_a_sold_fuel}
    return (
        tuple(price for price in prices if price.fuel_id not in given_up),
        tuple(StockOutRecord(one.fuel_id, one.began_at) for one in strongest.values() if one.is_of_a_sold_fuel),
    )


def _group_children(element: etree._Element) -> Mapping[str, Sequence[etree._Element]]:
    """Return the children by tag, none for a tag that is not there; one pass costs half of a search for each tag."""
    children: defaultdict[str, list[etree._Element]] = defaultdict(list)
    for child in element:
        children[child.tag].append(child)
    return children


def _get_text(elements: Sequence[etree._Element]) -> str | None:
    return elements[0].text if elements else None


def _recall(
    known: dict[bytes, Part],
    raw: bytes,
    tag: str,
    children: Mapping[str, Sequence[etree._Element]],
    read: Callable[[etree._Element | None], Part],
) -> Part:
    """Read a part that many stations share letter for letter (hours and services are most of the feed) only once."""
    start = raw.find(f"<{tag}".encode())
    part = raw[start : raw.find(f"</{tag}>".encode(), start)] if start >= 0 else b""
    if part not in known:
        if len(known) >= _StationReader.MAX_REMEMBERED:
            known.clear()
        known[part] = read(children[tag][0] if children[tag] else None)
    return known[part]


def _read_station_id(text: str | None) -> int:
    if not text or not _STATION_ID.fullmatch(text) or not int(text):
        raise _Unreadable("station id can't be read")
    return int(text)


def _read_coordinate(text: str | None) -> float:
    """Read the number that stands for a latitude or longitude, some with decimals (4857879.09256)."""
    if not text or not _COORDINATE.fullmatch(text.strip()):
        raise _Unreadable("coordinates can't be read")
    return float(text)


def _count_prices(raw: bytes) -> int:
    return raw.count(b"<prix ")  # an empty <prix/> is no price


def _names_stock_outs(raw: bytes) -> bool:
    return b"<rupture " in raw


def _is_blank(element: etree._Element) -> bool:
    """Say whether an element holds nothing, which archives write where there is nothing to say."""
    return not any(value.strip() for value in element.attrib.values())


def _find_fuel(element: etree._Element) -> int | None:
    """Return the fuel that an element is of, even if only its name can be read; None for one that isn't known."""
    text = element.get("id") or ""
    if text.isdecimal():
        return _FUEL_IDS.get(text)
    return _FUEL_IDS_BY_NAME.get(element.get("nom") or "")


@lru_cache(maxsize=4096)
def _read_price(text: str | None) -> int:
    """Read a price into thousandths of a euro, decimally: a float would put some off by one.

    Until 2022 the feed wrote thousandths without a point ("1479"), since then euros ("1.479").
    """
    if not text or not _PRICE.fullmatch(text):
        raise _Unreadable("price can't be read")
    number = Decimal(text)
    price = int(number if "." not in text and number >= 100 else (number * 1000).to_integral_value())
    if not 0 < price <= MAX_PRICE_MILLI_EUR:
        raise _Unreadable("price is not one")
    return price


def _read_instant(text: str | None) -> str:
    """Read the feed's date, Paris wall-clock time without an offset, into UTC text.

    A space or, in the newer archives, a T stands between date and time.
    The repeated hour of October is read as the first, the missing one of March with the offset before the jump.
    """
    if not text or not _INSTANT.fullmatch(text):
        raise _Unreadable("price date can't be read")
    return _find_utc_hour(f"{text[:10]} {text[11:13]}") + text[13:19] + ".000000"


def _read_stock_out_date(text: str | None) -> str | None:
    """Read when a stock-out began or ends into UTC text; None where no date is given, or one that stands for none."""
    if not text or (text < OLDEST_STOCK_OUT and _INSTANT.fullmatch(text)):
        return None
    return _read_instant(text)


@lru_cache(maxsize=50_000)
def _find_utc_hour(paris_hour: str) -> str:
    # Every offset of Paris since 1911 but the wartime ones is a whole number of hours, so minutes stay as they are.
    try:
        wall_clock = datetime.fromisoformat(f"{paris_hour}:00").replace(tzinfo=PARIS, fold=0)
        return wall_clock.astimezone(UTC).strftime("%Y-%m-%d %H").zfill(13)
    except (ValueError, OverflowError):
        raise _Unreadable("price date can't be read") from None


def _write_instant(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _read_services(services: etree._Element | None) -> tuple[str, ...]:
    if services is None:
        return ()
    names = (clean_text(service.text)[:200].rstrip() for service in services.iterchildren("service"))
    return tuple(dict.fromkeys(filter(None, names)))


def _read_hours(hours: etree._Element | None) -> tuple[str | None, bool]:
    """Return the week as `stations.opening_hours` reads it, None when it isn't known, and "has a 24/24 automat"."""
    if hours is None:
        return None, False
    days = ["?"] * 7
    for day in hours.iterchildren("jour"):
        number = day.get("id") or ""
        if number in ("1", "2", "3", "4", "5", "6", "7"):
            days[int(number) - 1] = _read_day(day)
    week = None if set(days) == {"?"} else "|".join(days)
    return week, _is_yes(hours.get("automate-24-24"))


def _is_yes(text: str | None) -> bool:
    return text is not None and text.strip().lower() in ("1", "true", "oui")


def _read_day(day: etree._Element) -> str:
    """Return the spans that can be read; "?" (not known) without any, unless the day says that it is closed."""
    if _is_yes(day.get("ferme")):
        return ""
    read = {_read_span(hours.get("ouverture"), hours.get("fermeture")) for hours in day.iterchildren("horaire")}
    spans = sorted(filter(None, read))
    if len(spans) > MAX_SPANS or (not spans and (not read or None in read)):
        return "?"
    return ",".join(spans)


@lru_cache(maxsize=4096)
def _read_span(opening: str | None, closing: str | None) -> str | None:
    """Return "06:00-22:00"; nothing when the same time stands twice, by which stations say that they are closed.

    None: it can't be read.
    """
    opens, closes = _read_minutes(opening), _read_minutes(closing)
    if opens is None or closes is None:
        return None
    if opens == closes != 0:
        return ""
    return f"{_write_time(opens)}-{_write_time(WHOLE_DAY if closes in (0, WHOLE_DAY - 1) else closes)}"


def _read_minutes(text: str | None) -> int | None:
    """Read a time into minutes since midnight, 24.00 as 00.00: which midnight it is, the other time tells."""
    match = _TIME.fullmatch((text or "").strip())
    if match is None:
        return None
    hours, minutes = int(match[1] or match[3]), int(match[2] or match[4] or 0)
    if minutes > 59 or hours * 60 + minutes > WHOLE_DAY:
        return None
    return (hours * 60 + minutes) % WHOLE_DAY


def _write_time(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
