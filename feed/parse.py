"""From the feed's XML to records.

The feed's own words (pdv, prix, rupture, maj) live only here and in what reads its parts: hours, stock_outs, values.

Format: "Prix des carburants en France", Ministère de l'Économie, https://www.prix-carburants.gouv.fr/rubrique/opendata/
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import IO, TypeVar

from lxml import etree

from errors import FeedRefused
from feed.coordinates import locate_station
from feed.hours import read_hours
from feed.records import (
    FUEL_UNREADABLE,
    REPEATED,
    STOCK_OUT_REASON,
    PriceRecord,
    RejectedStation,
    Rejection,
    StationRecord,
    UnchangedStation,
)
from feed.stock_outs import StockOut, apply_stock_outs, read_stock_out
from feed.texts import clean_text, spell_town
from feed.values import (
    FUEL_IDS,
    Unreadable,
    find_fuel,
    read_coordinate,
    read_instant,
    read_price,
    read_station_id,
    write_instant,
)

OLDEST_REPORT = "2000-01-01"  # no report can be older: the feed began in 2007
FUTURE_LEEWAY = timedelta(days=1)  # a smaller lead is a clock that runs fast
MAX_STATION_BYTES = 4_000_000  # a station of the feed takes 1,200 bytes, of a yearly archive a hundred times that
MAX_UNKNOWN_FUELS = 10  # told apart; the feed has six fuels

# The feed gives one price of a fuel; a daily archive repeats some, a yearly one nearly all.
MAX_PRICES_PER_FUEL = 10
MAX_REPEATED_PRICES = 2
MAX_REPEATED_PERCENT = 2

# Part of every fingerprint: another number makes the load of the next feed read every station again.
PARSER_VERSION = b"2"

_STOCK_OUT = re.compile(rb'<rupture [^>]*="[^"\s]')  # one that says something
_IS_ARCHIVE = "it is an archive of past prices, which --backfill reads, and not the feed"
_NOT_IN_FUEL_NAME = re.compile(r"[^\w .+-]")

Part = TypeVar("Part")


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
        self._now = write_instant(now)
        self._latest_report = write_instant(now + FUTURE_LEEWAY)
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
            station_id = read_station_id(element.get("id"))
            if station_id in self.seen:
                raise Unreadable("station stands twice")
            raw = etree.tostring(element, with_tail=False)
            digest = blake2b(raw, digest_size=8, person=PARSER_VERSION).digest()
            fingerprint = int.from_bytes(digest, "big", signed=True)
            if self._fingerprints.get(station_id) == fingerprint:
                self.seen.add(station_id)
                price_count = _count_prices(raw)
                self._price_count += price_count
                return UnchangedStation(station_id, price_count, _names_stock_outs(raw))
            record = self._read_record(element, raw, station_id, fingerprint)
        except Unreadable as reason:
            return RejectedStation(Rejection(station_id, str(reason)))
        self.seen.add(station_id)
        return record

    def _read_record(self, element: etree._Element, raw: bytes, station_id: int, fingerprint: int) -> StationRecord:
        zip_code = clean_text(element.get("cp"))[:10].rstrip()
        latitude, longitude = read_coordinate(element.get("latitude")), read_coordinate(element.get("longitude"))
        if latitude == longitude == 0:
            raise Unreadable("coordinates can't be read")
        location = locate_station(latitude, longitude, zip_code, station_id)
        if location is None:
            raise Unreadable("coordinates lie outside the world")
        rejections: list[Rejection] = []
        children = _group_children(element)
        prices = self._read_prices(children["prix"], station_id, rejections)
        statements = self._read_stock_outs(children["rupture"], station_id, rejections)
        prices, stock_outs = apply_stock_outs(prices, statements)
        opening_hours, has_automat = _recall(self._hours, raw, "horaires", children, read_hours)
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
                record = PriceRecord(fuel_id, read_price(price.get("valeur")), self._read_report_time(price.get("maj")))
            except Unreadable as reason:
                if not _is_blank(price):
                    rejections.append(Rejection(station_id, str(reason), find_fuel(price)))
                continue
            known = prices.get(fuel_id)
            if known is not None:
                repeated.append(fuel_id)
                rejections.append(Rejection(station_id, REPEATED, fuel_id))
            if known is None or record.updated_at > known.updated_at:
                prices[fuel_id] = record
        if any(repeated.count(fuel_id) >= MAX_PRICES_PER_FUEL for fuel_id in set(repeated)):
            raise FeedRefused(_IS_ARCHIVE)
        self._price_count += len(prices) + len(repeated)
        self._repeated_count += len(repeated)
        return tuple(prices.values())

    def _read_fuel(self, element: etree._Element) -> int:
        text = element.get("id") or ""
        if text in FUEL_IDS:
            return FUEL_IDS[text]
        if not text.isdecimal():
            raise Unreadable(FUEL_UNREADABLE)
        name = _NOT_IN_FUEL_NAME.sub("", clean_text(element.get("nom")))[:20].strip()
        fuel = f"{text[:6]} ({name})" if name else text[:6]
        if fuel not in self._unknown_fuels and len(self._unknown_fuels) >= MAX_UNKNOWN_FUELS:
            raise Unreadable("fuel is not known")
        self._unknown_fuels.add(fuel)
        raise Unreadable(f"fuel {fuel} is not known")

    def _read_report_time(self, text: str | None) -> str:
        try:
            instant = read_instant(text)
        except Unreadable as reason:
            raise Unreadable(f"price {reason}") from None
        if instant > self._latest_report:
            raise Unreadable("price date lies in the future")
        if instant < OLDEST_REPORT:
            raise Unreadable("price date can't be read")
        return instant

    def _read_stock_outs(
        self, elements: Sequence[etree._Element], station_id: int, rejections: list[Rejection]
    ) -> list[StockOut]:
        """Return what the readable ones say, each for itself."""
        statements = []
        for element in elements:
            try:
                statements.append(read_stock_out(element, self._read_fuel(element), self._now))
            except Unreadable as reason:
                if not _is_blank(element):
                    rejections.append(Rejection(station_id, f"{STOCK_OUT_REASON}{reason}", find_fuel(element)))
        return statements


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


def _count_prices(raw: bytes) -> int:
    return raw.count(b"<prix ")  # an empty <prix/> is no price


def _names_stock_outs(raw: bytes) -> bool:
    return b"<rupture " in raw and _STOCK_OUT.search(raw) is not None


def _is_blank(element: etree._Element) -> bool:
    """Say whether an element holds nothing, which archives write where there is nothing to say."""
    return not any(value.strip() for value in element.attrib.values())


def _read_services(services: etree._Element | None) -> tuple[str, ...]:
    if services is None:
        return ()
    names = (clean_text(service.text)[:200].rstrip() for service in services.iterchildren("service"))
    return tuple(dict.fromkeys(filter(None, names)))
