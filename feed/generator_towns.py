"""Where the generator's stations stand and what they offer: real towns, invented addresses, services, hours.

Postcodes are those of La Poste, coordinates the town halls' or quarters' to about 500 m, kept off the water.
The names of the services and the shares of services and hours are those of the feed of 2023-11-22.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple
from xml.sax.saxutils import escape

_FEED_DEGREE = 100_000  # the feed writes 46.20100 degrees as 4620100
_NO_BREAK_SPACE = "\xa0"


class Commune(NamedTuple):
    """A town or a quarter of one; stations stand within a square of 2 x `radius_km` around its centre."""

    town: str
    zip_code: str
    latitude_deg: float
    longitude_deg: float
    radius_km: float
    level_milli_eur: int  # how much dearer than the national median a litre is here
    motorways: tuple[str, ...]


def _list_area(
    level_milli_eur: int, motorways: tuple[str, ...], *places: tuple[str, str, float, float, float]
) -> tuple[Commune, ...]:
    return tuple(Commune(*place, level_milli_eur, motorways) for place in places)


# Two pairs of towns share their name: Saint-Denis (93 and 11) and Montreuil (93 and 62).
COMMUNES: tuple[Commune, ...] = (
    *_list_area(
        45,
        ("A4", "A6", "A86"),
        ("Paris", "75012", 48.842, 2.389, 1.0),
        ("Paris", "75013", 48.830, 2.359, 1.0),
        ("Paris", "75020", 48.863, 2.400, 0.8),
        ("Ivry-sur-Seine", "94200", 48.813, 2.386, 0.8),
        ("Montreuil", "93100", 48.863, 2.448, 1.0),
        ("Vincennes", "94300", 48.847, 2.438, 0.6),
        ("Saint-Denis", "93200", 48.936, 2.357, 1.0),
        ("Créteil", "94000", 48.785, 2.460, 1.0),
    ),
    *_list_area(
        15,
        ("A6", "A43"),
        ("Lyon", "69003", 45.753, 4.862, 1.0),
        ("Lyon", "69007", 45.735, 4.842, 0.8),
        ("Villeurbanne", "69100", 45.770, 4.882, 1.2),
        ("Bron", "69500", 45.735, 4.910, 1.0),
        ("Vénissieux", "69200", 45.698, 4.886, 1.2),
    ),
    *_list_area(
        25,
        ("A7", "A50"),
        ("Marseille", "13010", 43.276, 5.420, 1.0),
        ("Marseille", "13013", 43.335, 5.420, 1.2),
        ("Aubagne", "13400", 43.292, 5.570, 1.2),
        ("Allauch", "13190", 43.336, 5.482, 0.8),
        ("La Penne-sur-Huveaune", "13821", 43.282, 5.516, 0.6),
    ),
    *_list_area(
        0,
        ("A61", "A62"),
        ("Toulouse", "31000", 43.604, 1.446, 1.0),
        ("Toulouse", "31500", 43.610, 1.475, 1.0),
        ("Blagnac", "31700", 43.636, 1.390, 1.0),
        ("Colomiers", "31770", 43.612, 1.335, 1.2),
        ("L'Union", "31240", 43.655, 1.484, 0.8),
    ),
    *_list_area(
        -10,
        ("A1", "A25"),
        ("Lille", "59000", 50.631, 3.063, 1.2),
        ("Villeneuve-d'Ascq", "59650", 50.637, 3.145, 1.2),
        ("Roubaix", "59100", 50.692, 3.178, 1.0),
        ("Marcq-en-Barœul", "59700", 50.672, 3.097, 1.0),
        ("Lomme", "59160", 50.643, 2.990, 0.8),
    ),
    *_list_area(
        -15,
        ("A11", "A83"),
        ("Nantes", "44000", 47.222, -1.555, 0.8),
        ("Nantes", "44300", 47.246, -1.530, 1.2),
        ("Saint-Herblain", "44800", 47.222, -1.640, 1.2),
        ("Vertou", "44120", 47.168, -1.475, 1.0),
        ("Orvault", "44700", 47.268, -1.620, 1.0),
    ),
    *_list_area(
        10,
        ("A4", "A35"),
        ("Strasbourg", "67000", 48.584, 7.755, 1.0),
        ("Strasbourg", "67200", 48.580, 7.710, 1.0),
        ("Schiltigheim", "67300", 48.607, 7.748, 0.6),
        ("Illkirch-Graffenstaden", "67400", 48.530, 7.718, 1.0),
        ("Bischheim", "67800", 48.615, 7.752, 0.6),
    ),
    *_list_area(
        -5,
        ("A10", "A63"),
        ("Bordeaux", "33000", 44.838, -0.585, 1.0),
        ("Mérignac", "33700", 44.838, -0.655, 1.2),
        ("Pessac", "33600", 44.800, -0.640, 1.2),
        ("Talence", "33400", 44.808, -0.590, 0.8),
        ("Bègles", "33130", 44.802, -0.558, 0.8),
    ),
    *_list_area(
        -25,
        ("A84",),
        ("Rennes", "35000", 48.108, -1.685, 1.0),
        ("Rennes", "35200", 48.092, -1.677, 1.0),
        ("Cesson-Sévigné", "35510", 48.120, -1.605, 1.0),
        ("Saint-Grégoire", "35760", 48.155, -1.688, 0.8),
    ),
    *_list_area(
        -10,
        ("A71", "A75"),
        ("Clermont-Ferrand", "63000", 45.778, 3.090, 1.0),
        ("Clermont-Ferrand", "63100", 45.795, 3.112, 1.0),
        ("Aubière", "63170", 45.752, 3.118, 0.8),
        ("Cournon-d'Auvergne", "63800", 45.738, 3.190, 1.0),
        ("Cébazat", "63118", 45.832, 3.100, 0.8),
    ),
    *_list_area(
        5,
        ("A31", "A39"),
        ("Dijon", "21000", 47.322, 5.041, 1.2),
        ("Chenôve", "21300", 47.290, 5.008, 0.8),
        ("Quetigny", "21800", 47.313, 5.106, 0.8),
        ("Marsannay-la-Côte", "21160", 47.272, 4.993, 0.8),
    ),
    *_list_area(
        105,
        (),  # Corsica has no motorway
        ("Ajaccio", "20000", 41.931, 8.733, 0.4),
        ("Ajaccio", "20090", 41.939, 8.752, 0.5),
        ("Alata", "20167", 41.967, 8.781, 0.8),
        ("Sarrola-Carcopino", "20167", 41.988, 8.831, 0.8),
    ),
    *_list_area(
        -15,
        ("A16",),
        ("Montreuil", "62170", 50.464, 1.764, 0.8),
        ("Campigneulles-les-Petites", "62170", 50.446, 1.748, 0.6),
        ("Attin", "62170", 50.485, 1.750, 0.6),
    ),
    *_list_area(
        20,
        ("A61",),
        ("Saint-Denis", "11310", 43.358, 2.220, 0.8),
        ("Saissac", "11310", 43.361, 2.166, 0.6),
        ("Montolieu", "11170", 43.309, 2.217, 0.8),
    ),
)

_STREETS: tuple[str, ...] = (
    "Avenue de la République",
    "Avenue du Général Leclerc",
    "Avenue de l'Europe",
    "Boulevard de la Liberté",
    "Boulevard des Écoles",
    "Route de la Forêt",
    "Route de l'Étang",
    "Rue de la Gare",
    "Rue du 8 Mai 1945",
    "Rue des Frères Lumière",
    "Rue des Artisans",
    "Chemin de la Croix Blanche",
)
_SITES: tuple[str, ...] = (
    "Rond-point des Peupliers",
    "Rond-point de l'Hippodrome",
    "Zone commerciale du Lac",
    "Zone commerciale des Trois Chênes",
    "Z.A. du Pré Fleuri",
    "Centre commercial Les Terrasses",
    "Route nationale - Lieu-dit Le Château d'Eau",
    "Parc d'activités de l'Aérodrome",
)
_REST_AREAS: tuple[str, ...] = (
    "Aire des Tilleuls",
    "Aire des Genêts",
    "Aire du Bois Joli",
    "Aire des Grands Chênes",
    "Aire de la Fontaine aux Merles",
    "Aire de la Vallée Verte",
)

# The feed's 27 kinds, with the share of stations that offer each; the automat's follows from the hours.
AUTOMAT_SERVICE = "Automate CB 24/24"
SERVICES: tuple[tuple[str, float], ...] = (
    ("Toilettes publiques", 0.29),
    ("Relais colis", 0.17),
    ("Boutique alimentaire", 0.45),
    ("Boutique non alimentaire", 0.38),
    ("Restauration à emporter", 0.20),
    ("Restauration sur place", 0.12),
    ("Bar", 0.06),
    ("Aire de camping-cars", 0.04),
    ("Douches", 0.05),
    ("Vente de fioul domestique", 0.10),
    ("Vente de pétrole lampant", 0.09),
    ("Station de gonflage", 0.56),
    ("Carburant additivé", 0.36),
    ("Piste poids lourds", 0.41),
    ("Lavage automatique", 0.34),
    ("Lavage manuel", 0.27),
    ("Laverie", 0.16),
    ("Espace bébé", 0.06),
    ("GNV", 0.01),
    ("Bornes électriques", 0.06),
    ("Location de véhicule", 0.19),
    ("Services réparation / entretien", 0.13),
    ("Vente de gaz domestique (Butane, Propane)", 0.65),
    ("Vente d'additifs carburants", 0.15),
    ("Wifi", 0.11),
    (AUTOMAT_SERVICE, 0.0),
    ("DAB (Distributeur automatique de billets)", 0.48),
)


_DAYS = ("Lundi", "Mardi", "Mercredi", "Jeudi", "Vendredi", "Samedi", "Dimanche")


class Week(NamedTuple):
    """Opening hours: a day is "opening-closing" pairs, perhaps after "closed"; "" means not known."""

    percent: int  # of the stations
    has_automat: bool
    weekday: str
    saturday: str
    sunday: str


PERCENT_WITHOUT_HOURS = 24
PLAIN_WEEKS: tuple[Week, ...] = (
    Week(18, False, "", "", ""),
    Week(14, True, "", "", ""),
    Week(4, True, "00.00-00.00", "00.00-00.00", "00.00-00.00"),
    Week(2, False, "00.00-00.00", "00.00-00.00", "00.00-00.00"),
    Week(2, True, "closed", "closed", "closed"),
    Week(4, True, "06.00-22.00", "06.00-22.00", "07.00-22.00"),
    Week(3, False, "06.00-21.00", "07.00-21.00", "08.00-21.00"),
    Week(3, True, "08.00-20.00", "08.00-20.00", "09.00-13.00"),
    Week(3, True, "08.30-19.30", "08.30-19.30", "closed"),
    Week(3, False, "08.00-19.00", "08.00-18.00", "closed"),
    Week(2, True, "08.00-12.00 14.00-18.00", "closed", "closed"),
    Week(4, False, "08.00-12.30 14.00-19.00", "08.00-12.30", "closed"),
)
# Equal opening and closing other than 00.00, a closed day that has hours, 23.59 for midnight.
ODD_WEEKS: tuple[Week, ...] = (
    Week(5, True, "closed 01.00-01.00", "closed 01.00-01.00", "closed 01.00-01.00"),
    Week(2, False, "closed 01.00-01.00", "closed 01.00-01.00", "closed 01.00-01.00"),
    Week(2, True, "00.00-23.59", "00.00-23.59", "00.00-23.59"),
    Week(1, False, "00.01-23.59", "00.01-23.59", "00.01-23.59"),
    Week(1, True, "06.30-19.30", "08.00-19.30", "08.00-12.00 12.00-12.00"),
    Week(1, False, "07.00-20.00", "07.00-20.00", "12.00-12.00"),
    Week(2, False, "08.00-19.00", "08.00-18.00", "closed 08.00-12.00"),
)


class Site(NamedTuple):
    """Where a station stands: the coordinates as the feed writes them, on a motorway or not."""

    commune: Commune
    latitude: str
    longitude: str
    is_motorway: bool


def draw_site(draw: Callable[[], float], index: int, *, oddities: bool) -> Site:
    """Place the station of this index; a run of `len(COMMUNES)` stations has one in every commune."""
    commune = COMMUNES[index * 17 % len(COMMUNES)]
    north_km = (draw() + draw() - 1) * commune.radius_km
    east_km = (draw() + draw() - 1) * commune.radius_km
    km_per_degree_east = 77.3 - 1.4 * (
        commune.latitude_deg - 46
    )  # to 1 %; no cosine: its last digit may differ by system
    latitude = (commune.latitude_deg + north_km / 111.2) * _FEED_DEGREE
    longitude = (commune.longitude_deg + east_km / km_per_degree_east) * _FEED_DEGREE
    has_decimals, decimals = draw() < 0.21 and oddities, (2, 5, 7)[int(draw() * 3)]
    is_motorway = draw() < 0.06 and bool(commune.motorways)
    if has_decimals:
        return Site(commune, f"{latitude:.{decimals}f}", f"{longitude:.{decimals}f}", is_motorway)
    return Site(commune, str(round(latitude)), str(round(longitude)), is_motorway)


def draw_address(draw: Callable[[], float], site: Site, *, oddities: bool) -> str:
    """Invent an address; with oddities a third of them are in capitals."""
    kind, number, name, capitals = draw(), draw(), draw(), draw()
    if site.is_motorway:
        motorways = site.commune.motorways
        motorway = motorways[int(number * len(motorways))]
        address = f"{motorway} - {_REST_AREAS[int(name * len(_REST_AREAS))]}"
        return f"Autoroute {address}".upper() if capitals < 0.3 and oddities else address
    if kind < 0.2:
        address = _SITES[int(name * len(_SITES))]
    else:
        comma = "," if kind > 0.9 else ""
        address = f"{1 + int(number * number * 240)}{comma} {_STREETS[int(name * len(_STREETS))]}"
    return address.upper() if capitals < 0.3 and oddities else address


def draw_town(draw: Callable[[], float], commune: Commune, *, oddities: bool) -> str:
    """Spell the town's name; with oddities in all the ways the feed does, half of them in capitals."""
    return _list_spellings(commune.town)[int(draw() * 100) if oddities else -1]


@cache
def _list_spellings(town: str) -> tuple[str, ...]:
    small_accents = "".join(letter.upper() if letter.isascii() else letter for letter in town)
    return (town.upper(),) * 49 + (small_accents,) * 4 + (town.lower(),) + (town,) * 46


def draw_offer(draw: Callable[[], float], *, oddities: bool) -> str:
    """Draw opening hours and services, and return them as the feed's lines."""
    weeks, services = _list_hours(oddities), _list_services()
    hours, has_automat = weeks[int(draw() * len(weeks))]
    lines = [line for line, share in services if draw() < share] if draw() >= 0.08 else []
    if has_automat:
        lines.append(_write_service(AUTOMAT_SERVICE))
    return f"{hours}    <services>\n{''.join(lines)}    </services>\n" if lines else f"{hours}    <services/>\n"


@cache
def _list_services() -> tuple[tuple[str, float], ...]:
    return tuple((_write_service(name), share) for name, share in SERVICES if share)


def _write_service(name: str) -> str:
    return f"      <service>{escape(name)}</service>\n"


@cache
def _list_hours(oddities: bool) -> tuple[tuple[str, bool], ...]:
    """Return weeks as the feed's lines, each as often as its percentage says, and if there is an automat."""
    hours = [("", False)] * PERCENT_WITHOUT_HOURS
    for week in PLAIN_WEEKS + (ODD_WEEKS if oddities else ()):
        hours += [(_write_week(week), week.has_automat)] * week.percent
    return tuple(hours)


def _write_week(week: Week) -> str:
    lines = [f'    <horaires automate-24-24="{"1" if week.has_automat else ""}">\n']
    for number, name in enumerate(_DAYS, start=1):
        day = week.sunday if number == 7 else week.saturday if number == 6 else week.weekday
        is_closed, periods = day.startswith("closed"), day.removeprefix("closed").split()
        start = f'      <jour id="{number}" nom="{name}" ferme="{"1" if is_closed else ""}"'
        if not periods:
            lines.append(f"{start}/>\n")
            continue
        lines.append(f"{start}>\n")
        for opening, _, closing in (period.partition("-") for period in periods):
            lines.append(f'        <horaire ouverture="{opening}" fermeture="{closing}"/>\n')
        lines.append("      </jour>\n")
    return f"{''.join(lines)}    </horaires>\n"


def break_texts(slot: int, address: str, town: str) -> tuple[str, str]:
    """Return address and town as the real feed garbles them; in most slots they stay as they are."""
    match slot:
        case 36:  # a byte of cp1252, where it is the apostrophe
            return "12 Rue de l\x92Église", town
        case 38:
            return _read_twice("3 Avenue de la Libération"), _read_twice(town)
        case 40:
            return address.replace(" ", _NO_BREAK_SPACE, 1), town
        case 42:
            return f" {address.replace(' ', '  ')}  ", f"{town} "
        case 44:
            return "", town
        case 46:
            return f'{address} "Le Relais"', town
        case 48:
            return address, f"{town.upper()} CEDEX 2"
        case 50:
            return address, town.replace("-", " ")
        case 56:  # ISO-8859-1 lacks this apostrophe: it is written &#8217;
            return "8 Route de l\u2019Aérodrome", town
    return address, town


def _read_twice(text: str) -> str:
    return text.encode("utf-8").decode("iso-8859-1")
