"""The kinds of service of the feed, which names them in French, in the language of a visitor."""

from __future__ import annotations

from ui.texts import N_, _

_NAMES = {
    "Aire de camping-cars": N_("Camper van area"),
    "Automate CB 24/24": N_("Card automat day and night"),
    "Bar": N_("Bar"),
    "Bornes électriques": N_("Electric charging"),
    "Boutique alimentaire": N_("Food shop"),
    "Boutique non alimentaire": N_("Shop"),
    "Carburant additivé": N_("Fuel with additives"),
    "DAB (Distributeur automatique de billets)": N_("Cash machine"),
    "Douches": N_("Showers"),
    "Espace bébé": N_("Baby care"),
    "GNV": N_("Natural gas (CNG)"),
    "Laverie": N_("Laundry"),
    "Lavage automatique": N_("Car wash"),
    "Lavage manuel": N_("Hand wash"),
    "Location de véhicule": N_("Vehicle hire"),
    "Piste poids lourds": N_("Lorry lane"),
    "Relais colis": N_("Parcel pick-up"),
    "Restauration sur place": N_("Restaurant"),
    "Restauration à emporter": N_("Take-away food"),
    "Services réparation / entretien": N_("Repair and maintenance"),
    "Station de gonflage": N_("Tyre inflation"),
    "Toilettes publiques": N_("Public toilets"),
    "Vente d'additifs carburants": N_("Fuel additives"),
    "Vente de fioul domestique": N_("Heating oil"),
    "Vente de gaz domestique (Butane, Propane)": N_("Bottled gas (butane, propane)"),
    "Vente de pétrole lampant": N_("Lamp oil"),
    "Wifi": N_("Wi-Fi"),
}


def name_service(feed_name: str) -> str:
    """Return a service's name for the visitor; one that the feed has added since stays as it is."""
    return _(_NAMES[feed_name]) if feed_name in _NAMES else feed_name
