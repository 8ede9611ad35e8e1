"""Where the data come from and under which licence they may be used again."""

from __future__ import annotations

from typing import TypedDict


class Source(TypedDict):
    """A source as programs are told of it."""

    of: str
    name: str
    url: str
    licence: str
    licence_url: str


PRICES: Source = {
    "of": "prices",
    "name": "Ministère de l'Économie, Prix des carburants en France",
    "url": "https://www.prix-carburants.gouv.fr/rubrique/opendata/",
    "licence": "Licence Ouverte 2.0",
    "licence_url": "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
}
# By the kind that the brands' state names.
BRANDS: dict[str, Source] = {
    "openstreetmap": {
        "of": "brands",
        "name": "OpenStreetMap contributors",
        "url": "https://www.openstreetmap.org/copyright",
        "licence": "ODbL",
        "licence_url": "https://opendatacommons.org/licenses/odbl/",
    },
    "prix_carburant": {
        "of": "brands",
        "name": "prix_carburant",
        "url": "https://github.com/Aohzan/hass-prixcarburant",
        "licence": "Apache License 2.0",
        "licence_url": "https://www.apache.org/licenses/LICENSE-2.0",
    },
}
