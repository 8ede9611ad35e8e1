"""The texts of lists of brands: which of them say that there is no brand, and when two are the same brand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache

from feed.texts import clean_text
from models import make_town_key

MAX_TEXT = 500  # characters of a text that are looked at at all

# Words of which one is enough for "no brand" when no other than these and the fillers stand beside it.
_NOTHING = frozenset(
    [
        *("aucun", "aucune", "autre", "autres", "divers", "inconnu", "inconnue", "neant", "non", "pas", "sans"),
        *("independant", "independante", "independantes", "independants", "independent", "independents"),
        *("indefini", "indefinie", "na", "nan", "nc", "nd", "no", "none", "nr", "null", "other", "others", "undefined"),
        *("unbranded", "unknown", "unnamed", "yes"),
    ]
)
_FILLERS = frozenset(
    [
        *("brand", "communique", "communiquee", "connu", "connue", "d", "de", "defini", "definie", "discount"),
        *("enseigne", "enseignes", "essence", "marque", "marques", "name", "nom", "renseigne", "renseignee"),
        *("service", "services", "station", "stations"),
    ]
)


def clean_brand_text(text: str | None, length: int) -> str:
    """Return a text fit for its column and to be shown; empty when it says that there is none."""
    # Half of a surrogate pair, which JSON can hold, is no character that a database takes.
    whole = (text or "")[:MAX_TEXT].encode("utf-8", "ignore").decode()
    cleaned = clean_text(whole)[:length].rstrip()
    return "" if _says_nothing(cleaned) else cleaned


def choose_spellings(brands: Iterable[str]) -> Callable[[str], str]:
    """Return what gives a brand, however spelled, the spelling that is the most frequent of these."""
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for brand in brands:
        spellings[make_brand_key(brand)][brand] += 1
    # Of spellings as frequent as each other, one that is neither all capitals nor all small letters.
    chosen = {
        key: max(found, key=lambda text: (found[text], not (text.isupper() or text.islower()), text))
        for key, found in spellings.items()
    }
    return lambda brand: chosen[make_brand_key(brand)]


@lru_cache(maxsize=5_000)
def make_brand_key(text: str) -> str:
    """Return what the spellings of a brand have in common: no case, accents, spaces and punctuation."""
    return make_town_key(text).replace(" ", "")


@lru_cache(maxsize=5_000)
def _says_nothing(text: str) -> bool:
    words = set(make_town_key(text).split())
    if not words or make_brand_key(text) in _NOTHING:  # the latter for "N/A" and its like
        return True
    return words <= _NOTHING | _FILLERS and not words.isdisjoint(_NOTHING)
