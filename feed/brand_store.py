"""The brands of one or two lists, put together and stored, and what there is to say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from sqlalchemy import Connection, delete, func, insert, select

from feed.brand_texts import choose_spellings
from feed.brands import BRAND_LENGTH, NAME_LENGTH, BrandList, BrandRecord, Kind
from models import BrandState, Station, StationBrand, make_town_key

SOURCE_LENGTH = 500
LISTED_PAIRS = 20  # of brands in conflict, and
LISTED_STATIONS = 5  # of each


@dataclass
class MergedBrands:
    """What one or two lists say together. `conflicts`: stations by the two brands that the lists give them."""

    stations: dict[int, BrandRecord] = field(default_factory=dict)
    conflicts: dict[tuple[str, str], list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class BrandReport:
    """What was stored: stations with a brand in the lists; stations in the feed, and how many of those have one."""

    kinds: tuple[Kind, ...]
    branded: int
    in_feed: int
    branded_in_feed: int
    conflicts: dict[tuple[str, str], list[int]]
    without_id: int
    rejections: Counter[str]

    def describe(self) -> str:
        """Say it in one line."""
        parts = [f"loaded: brands of {self.branded:,} stations from {', then '.join(dict.fromkeys(self.kinds))}"]
        if self.in_feed:
            share = 100 * self.branded_in_feed / self.in_feed
            counts = f"{self.branded_in_feed:,} of the {self.in_feed:,} stations in the feed"
            parts.append(f"brands for {counts} ({share:.1f} %)")
        else:
            parts.append("no station is known yet")
        if len(self.kinds) > 1:
            count = sum(map(len, self.conflicts.values()))
            parts.append(f"conflicts: {count:,}" + (", in which the first list wins" if count else ""))
        if self.without_id:
            parts.append(f"without a station id: {self.without_id:,}")
        if self.rejections:
            parts.append("rejected: " + ", ".join(f"{n} x {reason}" for reason, n in self.rejections.most_common()))
        return "; ".join(parts)

    def list_conflicts(self) -> list[str]:
        """Return a line for each of the commonest pairs of brands in conflict, and one for all the others."""
        pairs = sorted(self.conflicts.items(), key=lambda pair: (-len(pair[1]), pair[0]))
        lines = []
        for (first, second), stations in pairs[:LISTED_PAIRS]:
            listed = [*map(str, stations[:LISTED_STATIONS]), *["..."] * (len(stations) > LISTED_STATIONS)]
            lines.append(f"{len(stations):,} x {first} / {second}: {', '.join(listed)}")
        if others := pairs[LISTED_PAIRS:]:
            count = sum(len(stations) for _, stations in others)
            lines.append(f"{count:,} x one of {len(others):,} other pairs")
        return lines


def merge_brands(lists: Sequence[BrandList]) -> MergedBrands:
    """Put lists together: of what several say of a station the first counts, and a guess only where none has a brand.

    Names likewise, for themselves. One brand has one spelling in the result.
    """
    merged = MergedBrands()
    spell = choose_spellings(record.brand for brands in lists for record in brands.stations.values())
    for id_ in dict.fromkeys(chain.from_iterable(brands.stations for brands in lists)):
        named: list[str] = []
        guessed: list[str] = []
        names: list[str] = []
        for brands in lists:
            if (record := brands.stations.get(id_)) is None:
                continue
            (guessed if id_ in brands.guessed else named).append(spell(record.brand))
            names.append(record.name)
        given = list(filter(None, dict.fromkeys(named)))
        merged.stations[id_] = BrandRecord(next(filter(None, [*given, *guessed]), ""), next(filter(None, names), ""))
        if len(given) > 1:
            merged.conflicts.setdefault((given[0], given[1]), []).append(id_)
    return merged


def store_brands(connection: Connection, lists: Sequence[tuple[str, BrandList]], *, now: datetime) -> BrandReport:
    """Put one or two lists, each with its source, in place of what was there, the first before the second.

    In the open, writing transaction of `connection`.
    """
    merged = merge_brands([brands for _, brands in lists])
    connection.execute(delete(StationBrand))
    connection.execute(
        insert(StationBrand),
        [
            {
                "station_id": id_,
                "brand": brand,
                "brand_key": make_town_key(brand)[:BRAND_LENGTH],
                "name": name,
                "name_key": make_town_key(name)[:NAME_LENGTH],
            }
            for id_, (brand, name) in merged.stations.items()
        ],
    )
    connection.execute(delete(BrandState))
    connection.execute(
        insert(BrandState),
        [
            {
                "id": number,
                "kind": brands.kind,
                "source": source[:SOURCE_LENGTH],
                "station_count": len(brands.stations),
                "loaded_at": now,
            }
            for number, (source, brands) in enumerate(lists, 1)
        ],
    )
    in_feed = select(func.count()).select_from(Station).where(Station.left_feed_at.is_(None))
    branded = in_feed.join(StationBrand, StationBrand.station_id == Station.id).where(StationBrand.brand != "")
    return BrandReport(
        kinds=tuple(brands.kind for _, brands in lists),
        branded=sum(bool(station.brand) for station in merged.stations.values()),
        in_feed=connection.scalar(in_feed) or 0,
        branded_in_feed=connection.scalar(branded) or 0,
        conflicts=merged.conflicts,
        without_id=sum(brands.without_id for _, brands in lists),
        rejections=sum((brands.rejections for _, brands in lists), Counter()),
    )
