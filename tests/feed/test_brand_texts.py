"""Which texts are no brand, and which are the same one."""

from __future__ import annotations

import pytest

from feed.brand_texts import choose_spellings, clean_brand_text


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-", "--", "?", "...", "/", "*", "–", "¿?"),
        *(
            "None",
            "null",
            "NaN",
            "N/A",
            "n.a.",
            "N.C.",
            "nd",
            "NR",
            "no",
            "non",
            "yes",
            "unknown",
            "undefined",
            "other",
        ),
        *("Independent", "independents", "Indépendant", "INDEPENDANT", "indépendante", "Indépendants"),
        *(
            "Indépendant sans enseigne",
            "Independant  Sans-Enseigne",
            "INDÉPENDANT (SANS MARQUE)",
            "Indépendant Discount",
        ),
        *("Station indépendante", "Station service indépendante", "Station essence Indépendant", "Independent station"),
        *("autre", "Autre", "AUTRES", "Autre enseigne", "autre marque", "Autres marques", "Autre indépendant"),
        *("NEANT", "Néant", "néant", "Aucune", "aucun", "Aucune enseigne", "aucune marque"),
        *(
            "sans",
            "Sans",
            "Sans marque",
            "SANS ENSEIGNE",
            "sans nom",
            "pas de marque",
            "Pas d'enseigne",
            "pas d’enseigne",
        ),
        *(
            "no brand",
            "No-Name",
            "unbranded",
            "unnamed",
            "inconnu",
            "Inconnue",
            "non renseigné",
            "Non défini",
            "non connu",
        ),
    ],
)
def test_a_text_that_says_that_there_is_none_is_empty(text: str) -> None:
    assert clean_brand_text(text, 60) == ""


@pytest.mark.parametrize(
    "text",
    [
        *("Esso", "E.Leclerc", "U", "8 à Huit", "K9", "bi1", "G20", "Station U", "La Station U", "Station B", "Netto"),
        *(
            "Énergies indépendantes du Centre",
            "L'Autre Station",
            "Sans Souci",
            "Station Malo",
            "Station-service",
            "No. 1",
        ),
        *("Aire C", "Communale", "Na Énergie", "Campus", "Nonon", "Sansone", "Autrement", "€SSENCE"),
    ],
)
def test_a_text_that_names_one_stays_as_it_is(text: str) -> None:
    assert clean_brand_text(text, 60) == text


def test_the_most_frequent_spelling_is_chosen_and_never_another_brand() -> None:
    spell = choose_spellings(
        ["Total Access", "TOTAL ACCESS", "Total Access", "Total", "esso", "ESSO", "Élan", "Elan", "Elan"]
    )
    assert [spell(brand) for brand in ("TOTAL ACCESS", "Total", "ESSO", "Élan")] == [
        "Total Access",
        "Total",
        "esso",
        "Elan",
    ]
