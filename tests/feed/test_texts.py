"""Texts of the feed are cleaned on the way in, and a town has one spelling."""

from __future__ import annotations

import pytest

from feed.texts import clean_text, spell_town
from models import make_town_key


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (None, ""),
        ("", ""),
        ("   ", ""),
        ("  12   Rue\tde la\n Gare ", "12 Rue de la Gare"),
        ("12\xa0Rue", "12 Rue"),  # no-break space
        ("12\u202fRue", "12 Rue"),  # narrow no-break space
        ("12 Rue de l\x92Église", "12 Rue de l’Église"),  # a byte of cp1252 read as ISO-8859-1
        ("Caf\xe9 \x8cuvre", "Café Œuvre"),
        ("LibÃ©ration", "Libération"),  # UTF-8 read as ISO-8859-1
        ("SaÃ´ne et CorrÃ¨ze", "Saône et Corrèze"),
        ("PÃ\x89RIGUEUX", "PÉRIGUEUX"),
        ("Ã\xa0 c\xf4t\xe9", "à côté"),
        ("Â° 12", "° 12"),
        ("Été à Noël, œuvre n° 5 « Le Relais »", "Été à Noël, œuvre n° 5 « Le Relais »"),  # nothing wrong with it
        ('12 rue "Le Relais"', '12 rue "Le Relais"'),
        ("<b>&amp;*_[x](y)", "<b>&amp;*_[x](y)"),  # a text is a text: who shows it escapes it
        ("a\x7fb", "a b"),
        ("a\u200bb\u202eb\ufeffc", "a b b c"),  # invisible, and turning the direction
    ],
)
def test_white_space_and_damaged_bytes_are_repaired(text: str | None, cleaned: str) -> None:
    assert clean_text(text) == cleaned


def test_a_clean_text_stays_as_it_is() -> None:
    for text in ("12 Rue de l’Église", "Libération", "Saint-Étienne", "à côté"):
        assert clean_text(clean_text(text)) == text


@pytest.mark.parametrize(
    ("town", "spelled"),
    [
        ("SAINT-DOULCHARD", "Saint-Doulchard"),
        ("SAINT DOULCHARD", "Saint-Doulchard"),
        ("Saint-Doulchard", "Saint-Doulchard"),
        ("St Doulchard", "Saint-Doulchard"),
        ("ST-DOULCHARD", "Saint-Doulchard"),
        ("STE FOY", "Sainte-Foy"),
        ("Sts-Geosmes", "Saints-Geosmes"),
        ("FORêT", "Forêt"),
        ("forêt", "Forêt"),
        ("FORÊT", "Forêt"),
        ("BESANÇON", "Besançon"),
        ("NœUX", "Nœux"),
        ("CHÂLONS EN CHAMPAGNE", "Châlons-en-Champagne"),
        ("boulogne sur mer", "Boulogne-sur-Mer"),
        ("VILLENEUVE-LÈS-AVIGNON", "Villeneuve-lès-Avignon"),
        ("LE PUY EN VELAY", "Le Puy-en-Velay"),
        ("Le Puy-en-Velay", "Le Puy-en-Velay"),
        ("LA ROCHE SUR YON", "La Roche-sur-Yon"),
        ("LES ULIS", "Les Ulis"),
        ("le mans", "Le Mans"),
        ("L'ISLE-ADAM", "L'Isle-Adam"),
        ("l’haÿ-les-roses", "L'Haÿ-les-Roses"),
        ("VILLENEUVE D'ASCQ", "Villeneuve-d'Ascq"),
        ("SAINT CYR AU MONT D'OR", "Saint-Cyr-au-Mont-d'Or"),
        ("  Lyon ", "Lyon"),
        ("LYON 7", "Lyon"),
        ("LYON 5EME", "Lyon"),
        ("Lyon 5ème", "Lyon"),
        ("PARIS 1ER", "Paris"),
        ("RUNGIS CEDEX", "Rungis"),
        ("AMIENS CEDEX 2", "Amiens"),
        ("Amiens cedex 02", "Amiens"),
        ("DOMBLANS ( 39210 )", "Domblans"),
        ("OrlÃ©ans", "Orléans"),
        ("Saint\x96Denis", "Saint-Denis"),  # a dash of cp1252
        ("PARIS 17E ARRONDISSEMENT", "Paris"),
        ("Marseille 11e Arrondissement", "Marseille"),
        ("MARSEILLE-11E", "Marseille"),
        ("30320 MARGUERITTES", "Marguerittes"),
        ("ST.-PRIVAT", "Saint-Privat"),
        ("ST. PRIVAT", "Saint-Privat"),
        ("STE. FOY", "Sainte-Foy"),
        ("LA CABANASSE / MONT-LOUIS", "La Cabanasse, Mont-Louis"),
        ("NIMES. VACQUEROLLES", "Nimes, Vacquerolles"),
        ("Lyon (69)", "Lyon"),
        ("SAINT-DENIS (REUNION)", "Saint-Denis"),
        ("VITRY S/SEINE", "Vitry-sur-Seine"),
        ("L ISLE ADAM", "L'Isle-Adam"),
        ("Bénévent l Abbaye", "Bénévent-l'Abbaye"),
        ("LE LION D ANGERS", "Le Lion-d'Angers"),
        ("VILLENEUVE D' ASCQ", "Villeneuve-d'Ascq"),
        ("LES 2 ALPES", "Les Deux-Alpes"),
        ("CARROS ZI 3EME AVENUE", "Carros"),
        ("LYON BP 30112", "Lyon"),
        ('"LYON"', "Lyon"),
        ("LYON LYON", "Lyon"),
        ("SAINT MICHEL CHEF CHEF", "Saint-Michel-Chef-Chef"),
        ("69003", ""),
        ("CEDEX", ""),
        ("", ""),
        (None, ""),
        ("-", ""),
    ],
)
def test_a_town_has_one_spelling(town: str | None, spelled: str) -> None:
    assert spell_town(town) == spelled


def test_a_spelled_town_stays_as_it_is() -> None:
    towns = ["Saint-Doulchard", "Forêt", "Le Puy-en-Velay", "L'Haÿ-les-Roses", "Villeneuve-d'Ascq", "Boulogne-sur-Mer"]
    assert [spell_town(town) for town in towns] == towns


@pytest.mark.parametrize("town", ["saint etienne", "ST ETIENNE", "Saint-Étienne", "St. Etienne", "SAINT ÉTIENNE"])
def test_case_accents_hyphens_and_abbreviations_give_one_key(town: str) -> None:
    assert make_town_key(town) == "saint etienne"
    assert make_town_key(spell_town(town)) == "saint etienne"
