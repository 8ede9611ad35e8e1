"""What it is worth to know: expected savings a year, and whether a detour to a cheaper station pays."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from prices.dashboard import FavouritePrice, FuelBlock
from stations.geography import compute_distance_km

# What stands in for figures that a driver did not tell: together 650 litres a year.
USUAL_KM_PER_YEAR = 10_000
USUAL_LITRES_PER_100KM = 6.5
USUAL_TANK_LITRES = 40
# Roads are longer than the crow's way, in France by about this much. An assumption, said on the page.
ROAD_FACTOR = 1.3


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

    Prices in thousandths of a euro per litre, savings in euros; negative where the cheapest is dearer than the median
    nearby; None where there is none.
    """

    fuel_id: int
    litres_per_year: float
    station_count: int
    average_milli_eur: float
    cheapest_milli_eur: int
    nearby_median_milli_eur: int | None
    own_eur: float
    nearby_eur: float | None


@dataclass(frozen=True)
class Detour:
    """A fill-up at a station compared with one at the station nearest to where the driver starts.

    Distances by road, one way, in km; `gain_eur` is what is left after the fuel for the way, 0 for the nearest itself.
    `pays_up_to_km`: as far away as this its price pays; None where it never does, since it is no cheaper.
    """

    row: FavouritePrice
    distance_km: float
    cost_eur: float
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
        own_eur=litres * float(average - cheapest) / 1000,
        nearby_eur=None if around is None else litres * (around - cheapest) / 1000,
    )


def compare_detours(
    block: FuelBlock, vehicle: Vehicle, litres: float, latitude: float, longitude: float
) -> tuple[Detour, ...]:
    """Return what a fill-up of so many litres costs at each station from that point, way there and back, best first.

    The fuel burned on the way is paid at the price of the station it leads to: cost = price x (litres + 2 x distance x
    consumption / 100).
    """
    ways = sorted(
        (
            (compute_distance_km(latitude, longitude, row.latitude, row.longitude) * ROAD_FACTOR, row)
            for row in block.comparable
        ),
        key=lambda way: (way[0], way[1].price_milli_eur, way[1].station_id),
    )
    if not ways:
        return ()
    per_km = 2 * vehicle.consumption / 100
    nearest_km, nearest = ways[0]
    nearest_cost = _cost(nearest, litres, nearest_km, per_km)
    detours = []
    for distance_km, row in ways:
        price = (row.price_milli_eur or 0) / 1000
        cost = _cost(row, litres, distance_km, per_km)
        is_cheaper = (row.price_milli_eur or 0) < (nearest.price_milli_eur or 0)
        detours.append(
            Detour(
                row=row,
                distance_km=distance_km,
                cost_eur=cost,
                gain_eur=nearest_cost - cost,
                pays_up_to_km=(nearest_cost / price - litres) / per_km if is_cheaper else None,
                is_nearest=row is nearest,
            )
        )
    return tuple(sorted(detours, key=lambda detour: (-detour.gain_eur, detour.distance_km)))


def _cost(row: FavouritePrice, litres: float, distance_km: float, per_km: float) -> float:
    return (row.price_milli_eur or 0) / 1000 * (litres + distance_km * per_km)
