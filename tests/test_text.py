"""What the feed and people write for a town is read by one function."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from models import make_town_key
from text import WrittenTown, expand_town_words, read_town


@pytest.mark.parametrize(
    ("text", "name", "digits"),
    [
        ("Lyon", "Lyon", ""),
        ("  Lyon ", "Lyon", ""),
        ("69003 Lyon", "Lyon", "69003"),
        ("Lyon 69003", "Lyon", "69003"),
        ("Lyon, 69003", "Lyon", "69003"),
        ("69003Lyon", "Lyon", "69003"),
        ("Lyon69003", "Lyon", "69003"),
        ("F-69003 Lyon", "Lyon", "69003"),
        ("69 003 Lyon", "Lyon", "69003"),
        ("Lyon (69)", "Lyon", "69"),
        ("Lyon 69", "Lyon", "69"),
        ("Ajaccio (2a)", "Ajaccio", "2A"),
        ("2B Bastia", "Bastia", "2B"),
        ("Saint-Denis 974", "Saint-Denis", "974"),
        ("DOMBLANS ( 39210 )", "DOMBLANS", "39210"),
        ("Lyon 3", "Lyon", "69003"),
        ("Lyon 09", "Lyon", "69009"),
        ("Lyon 10", "Lyon", "10"),  # it has nine: a department
        ("Lyon 3e", "Lyon", "69003"),
        ("lyon iiie", "lyon", "69003"),
        ("Paris XVIIe", "Paris", "75017"),
        ("Paris XIXe arrondissement", "Paris", "75019"),
        ("PARIS 1ER", "PARIS", "75001"),
        ("Paris 2nd", "Paris", "75002"),
        ("Lyon 7ième", "Lyon", "69007"),
        ("Paris 8ᵉ", "Paris", "75008"),
        ("Lyon, 3 EME ARR", "Lyon", "69003"),
        ("Paris 17ème arr.", "Paris", "75017"),
        ("Paris (17e)", "Paris", "75017"),
        ("17e arrondissement de Paris", "Paris", "75017"),
        ("MARSEILLE-11E", "MARSEILLE", "13011"),
        ("Marseille 13", "Marseille", "13013"),
        ("Marseille (13)", "Marseille", "13"),
        ("Marseille 13 003", "Marseille", "13003"),
        ("Lyon 3e 69007", "Lyon", "69007"),  # a postcode says more
        ("Toulouse 3e arrondissement", "Toulouse", ""),
        ("rue de Paris 12", "rue de Paris", "12"),
        ("69401 Lyon Cedex 03", "Lyon", "69401"),
        ("Lyon CDX", "Lyon", ""),
        ("BP 12 Lyon", "Lyon", ""),
        ("Lyon CS 70001", "Lyon", ""),
        ("Lyon SP 12", "Lyon", ""),
        ("LYON ZAC DES GAULNES", "LYON", ""),
        ("Z.I. CARROS", "CARROS", ""),
        ("MONTELIMAR A7", "MONTELIMAR", ""),
        ("Boulogne s/ Mer", "Boulogne sur Mer", ""),
        ("CHALON S/SAONE", "CHALON sur SAONE", ""),
        ("Nogent sur/Marne", "Nogent sur Marne", ""),
        ("Bois s/s Mer", "Bois sous Mer", ""),
        ("(Lyon)", "Lyon", ""),
        ("Lyon (", "Lyon", ""),
        ("LA CABANASSE / MONT-LOUIS", "LA CABANASSE, MONT-LOUIS", ""),
        ("Lyon & Bron; Vaulx", "Lyon, Bron, Vaulx", ""),
        ("_*LYON*_", "LYON", ""),
        ("l ’ Union", "l'Union", ""),
        ("Belleville-sur-Vie", "Belleville-sur-Vie", ""),  # no sixth arrondissement
        ("69", "", "69"),
        (" 2a ", "", "2A"),
        ("6 9 1 0 0", "", "69100"),
        ("(69003)", "", "69003"),
        ("69003 CEDEX 03", "", "69003"),
        ("6%", "", ""),
        ("69_00", "", ""),
        ("CEDEX", "", ""),
        ("-", "", ""),
        ("", "", ""),
    ],
)
def test_a_town_is_told_from_what_stands_around_it(text: str, name: str, digits: str) -> None:
    assert read_town(text)[:2] == (name, digits)


def test_what_stands_in_brackets_is_a_note() -> None:
    assert read_town("Saint-Denis (Réunion)") == ("Saint-Denis", "", "Réunion")


MARKUP = "<]:*`{$"


@given(
    some.text(some.characters(exclude_characters=MARKUP), max_size=60)
    | some.from_regex(r"[A-Za-zé0-9 ./,'()s-]{1,40}", fullmatch=True)
)
def test_a_name_holds_letters_hyphens_apostrophes_and_commas_between_names_only(text: str) -> None:
    name = read_town(text).name
    for part in name.split(", ") if name else ():
        assert part[0].isalpha()
        assert part[-1].isalpha()
        assert all(sign.isalpha() or sign in " '-" for sign in part)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("12 rue Garibaldi, Lyon 3e arrondissement", "12 rue garibaldi lyon 69003"),
        ("Garibaldi 3e Lyon", "garibaldi lyon 69003"),
        ("rue de Paris 12", "rue de paris 12"),
        ("rue du 8 mai 1945", "rue du 8 mai 1945"),
        ("Amiens Cedex 2", "amiens"),
        ("av. St. Exupéry", "av saint exupery"),
        ("Boulogne s/Mer", "boulogne sur mer"),
        ("L'Isle", "l isle"),
    ],
)
def test_in_a_longer_text_only_what_is_postal_about_towns_is_put_plainly(text: str, key: str) -> None:
    assert make_town_key(expand_town_words(text)) == key


@pytest.mark.parametrize(
    "text", ["[x](javascript:alert(1))", ":red[x]", "**bold**", "<b>b</b>", "https://evil.example", "`code`", "{{1+1}}"]
)
def test_what_is_no_kind_of_town_stays_as_it_is(text: str) -> None:
    assert read_town(text) == WrittenTown(text)


@pytest.mark.parametrize(
    ("text", "name", "digits"),
    [
        ("VILLENEUVE D`ASCQ", "VILLENEUVE D'ASCQ", ""),
        ("l`isle-adam 95290", "l'isle-adam", "95290"),
        ("Lyon <69>", "Lyon", "69"),
        ("Lyon**69", "Lyon", "69"),
        ("Nantes `44`", "Nantes", "44"),
    ],
)
def test_stray_signs_make_no_code_of_a_town(text: str, name: str, digits: str) -> None:
    assert read_town(text)[:2] == (name, digits)
