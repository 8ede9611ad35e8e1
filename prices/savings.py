"""What it is worth to know: expected savings a year, and whether a detour to a cheaper station pays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import NamedTuple

from prices.dashboard import FavouritePrice, FuelBlock
from stations.geography import Point, compute_distance_km

# What stands in for figures that a driver did not tell: together 650 litres a year.
USUAL_KM_PER_YEAR = 10_000
USUAL_LITRES_PER_100KM = 6.5
USUAL_TANK_LITRES = 40
# Roads are longer than the crow's way, in France by about this much. An assumption, said on the page.
ROAD_FACTOR = 1.3
MAX_DECIMALS = 6  # of a price: with these the litres of any vehicle give the same euro


@dataclass(frozen=True)
class Vehicle:
    """What a driver told of their vehicle, None where they did not, and what is reckoned with instead."""

    litres_per_100km: float | None = None
    km_per_year: int | None = None
    tank_litres: int | None = None

    @property
    def consumption(self) -> float:
        """Litres per 100 km."""
        return self.litres_per_100km or USUAL_LITRES_PER_100KM

    @property
    def litres_per_year(self) -> float:
        return (self.km_per_year or USUAL_KM_PER_YEAR) * self.consumption / 100

    @property
    def fill_up_litres(self) -> int:
        return self.tank_litres or USUAL_TANK_LITRES


@dataclass(frozen=True)
class Savings:
    """What always filling up at the cheapest of one's own stations saves in a year, and from which inputs.

    Prices in thousandths of a euro per litre, savings in euros. `own_eur` is against the average of the own stations,
    None where there is but one; `nearby_eur` is against the median within 10 km of the cheapest, negative where the
    cheapest is dearer, None where there is no median.
    """

    fuel_id: int
    litres_per_year: float
    station_count: int
    average_milli_eur: float
    cheapest_milli_eur: int
    nearby_median_milli_eur: int | None
    own_eur: float | None
    nearby_eur: float | None


@dataclass(frozen=True)
class Detour:
    """A fill-up at a station compared with one at the nearest station that is open.

    Distances by road, one way, in km; `gain_eur` is what is left after the fuel for the way, 0 for the nearest itself.
    `pays_up_to_km`: as far away as this its price pays; None where it never does, since it is no cheaper.
    """

    row: FavouritePrice
    distance_km: float
    gain_eur: float
    pays_up_to_km: float | None
    is_nearest: bool


def compute_savings(block: FuelBlock, vehicle: Vehicle) -> Savings | None:
    """Return the savings of one fuel: litres a year x (average at the own stations - the cheapest of them).

    Only prices that can be compared count; None when there is none. Fuels are never mixed.
    """
    comparable = block.comparable
    if not comparable:
        return None
    prices = [row.price_milli_eur for row in comparable if row.price_milli_eur is not None]
    average, cheapest = Fraction(sum(prices), len(prices)), min(prices)
    around = next(row.nearby_median_milli_eur for row in comparable if row.price_milli_eur == cheapest)
    litres = vehicle.litres_per_year
    return Savings(
        fuel_id=block.fuel_id,
        litres_per_year=litres,
        station_count=len(prices),
        average_milli_eur=float(average),
        cheapest_milli_eur=cheapest,
        nearby_median_milli_eur=around,
        own_eur=litres * float(average - cheapest) / 1000 if len(prices) > 1 else None,
        nearby_eur=None if around is None else litres * (around - cheapest) / 1000,
    )


def count_decimals(savings: Savings) -> int:
    """Return how many decimals of a euro the average needs for the savings, in whole euros, to be recomputed from it.

    Three when it is a whole thousandth, as the median always is; otherwise four or more.
    """
    average, cheapest = Decimal(savings.average_milli_eur) / 1000, Decimal(savings.cheapest_milli_eur) / 1000
    if savings.own_eur is None or average == round(average, 3):
        return 3
    litres, saved = round(savings.litres_per_year), _round_half_up(Decimal(savings.own_eur), 0)
    return next(
        (
            decimals
            for decimals in range(4, MAX_DECIMALS)
            if _round_half_up(litres * (_round_half_up(average, decimals) - cheapest), 0) == saved
        ),
        MAX_DECIMALS,
    )


def compare_detours(block: FuelBlock, vehicle: Vehicle, litres: float, start: Point) -> tuple[Detour, ...]:
    """Return what a fill-up of so many litres gains at each station from that point, way there and back, best first.

    The fuel burned on the way is paid at the price of the station it leads to: cost = price x (litres + 2 x distance x
    consumption / 100). Stations so far away that the way burns the whole fill-up are left out, and so are those whose
    location is doubtful; those that are closed now come last, and the nearest is one of them only where no other is
    in reach.
    """
    per_km = 2 * vehicle.consumption / 100
    ways = sorted(
        (way for way in _list_ways(block, start) if way.distance_km * per_km < litres),
        key=lambda way: (way.row.is_closed, way.distance_km, way.price_eur, way.row.station_id),
    )
    if not ways:
        return ()
    nearest = ways[0]
    nearest_cost = nearest.price_eur * (litres + nearest.distance_km * per_km)
    detours = [
        Detour(
            row=way.row,
            distance_km=way.distance_km,
            gain_eur=nearest_cost - way.price_eur * (litres + way.distance_km * per_km),
            pays_up_to_km=(nearest_cost / way.price_eur - litres) / per_km
            if way.price_eur < nearest.price_eur
            else None,
            is_nearest=way is nearest,
        )
        for way in ways
    ]
    return tuple(sorted(detours, key=lambda detour: (detour.row.is_closed, -detour.gain_eur, detour.distance_km)))


def _round_half_up(number: Decimal, decimals: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


class _Way(NamedTuple):
    row: FavouritePrice
    price_eur: float
    distance_km: float


def _list_ways(block: FuelBlock, start: Point) -> Iterator[_Way]:
    for row in block.comparable:
        if row.point is not None:
            crow_km = compute_distance_km(*start, *row.point)
            yield _Way(row, (row.price_milli_eur or 0) / 1000, crow_km * ROAD_FACTOR)
