"""Cleaning the texts of the feed: white space, damaged bytes, and one spelling for a town."""

from __future__ import annotations

import re
from functools import lru_cache

import ftfy

from text import LONG_WORDS, read_town

# C1 controls are bytes of Windows-1252 in a file that says ISO-8859-1; Ã and Â before such a byte are UTF-8 read twice.
_DAMAGE = re.compile("[\x80-\x9f]|Ã|Â[\xa0-\xbf]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")

# Words that stay small inside the name of a commune (Code officiel géographique, INSEE: "Le Puy-en-Velay").
_SMALL_WORDS = frozenset(
    [
        "à",
        "au",
        "aux",
        "d",
        "de",
        "del",
        "des",
        "du",
        "en",
        "et",
        "l",
        "la",
        "le",
        "les",
        "lès",
        "lez",
        "par",
        "près",
        "sous",
        "sur",
    ]
)
_ARTICLES = frozenset({"le", "la", "les"})
_ELIDED = re.compile(r"(?<![^\W_])(?<!')([dl])[\s-]+(?=[^\W_])")


@lru_cache(maxsize=5_000)
def clean_text(text: str | None) -> str:
    """Return the text with damaged bytes repaired, no control characters, and single spaces only."""
    if not text:
        return ""
    if _DAMAGE.search(text):
        text = ftfy.fix_encoding(text)
    if not text.isprintable():
        text = _CONTROL.sub(" ", text)
    return " ".join(text.split())


@lru_cache(maxsize=20_000)
def spell_town(text: str | None) -> str:
    """Return the town's name in one spelling, whatever case and hyphens the station chose.

    "SAINT DOULCHARD" and "St-Doulchard" become "Saint-Doulchard", "FORêT" "Forêt", "LE PUY EN VELAY"
    "Le Puy-en-Velay"; what is no name goes, as in `read_town`. Accents that were never written can't be added.
    """
    return ", ".join(map(_spell_name, read_town(clean_text(text)[:200]).name.split(", ")))


def _spell_name(name: str) -> str:
    words = [LONG_WORDS.get(word, word) for word in re.split(r"[\s-]+", _ELIDED.sub(r"\1'", name.lower())) if word]
    if not words:
        return ""
    spelled = [_spell_word(word, is_first=index == 0) for index, word in enumerate(words)]
    if words[0] in _ARTICLES and len(words) > 1:
        return f"{spelled[0]} {'-'.join([_spell_word(words[1], is_first=True), *spelled[2:]])}"
    return "-".join(spelled)


def _spell_word(word: str, *, is_first: bool) -> str:
    head, apostrophe, tail = word.partition("'")
    if apostrophe and head in ("d", "l"):
        return f"{head.upper() if is_first else head}'{tail.capitalize()}"
    if word in _SMALL_WORDS and not is_first:
        return word
    return word.capitalize()
