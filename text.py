"""Reading the name of a town, as the feed writes it and as a person types it."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from typed import drop_invisible

LONG_WORDS = {"st": "saint", "ste": "sainte", "sts": "saints", "stes": "saintes"}

# The towns with arrondissements: how their postcodes begin, and how many there are.
_ARRONDISSEMENTS = {"paris": ("75", 20), "lyon": ("69", 9), "marseille": ("13", 16)}
_ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10}

_CITY = r"(?<![^\W_])(?P<city>paris|lyon|marseille)"
_ORDINAL = r"[\s-]*(?:ères?|eres?|ers?|i?[eè]mes?|[eè]|nde?|ds?)(?![^\W_])"
_WORD_ARRONDISSEMENT = r"[\s-]*(?:arrondissements?|arr(?:dt|d|t)?|ardt)(?![^\W_])\.?"
_CITY_ARRONDISSEMENT = re.compile(
    rf"(?P<before>\bde |\bd')?{_CITY}(?:[\s,-]*(?P<bracket>[(\[]?)\s*(?P<number>[0-9]{{1,2}})"
    rf"|[\s,-]+(?P<roman>[ivx]{{1,5}}))(?P<ordinal>{_ORDINAL})?(?P<word>{_WORD_ARRONDISSEMENT})?"
    r"(?![^\W_]|\s?[0-9])\s*[)\]]?",
    re.IGNORECASE,
)
_ARRONDISSEMENT_CITY = re.compile(
    rf"(?<![^\W_])(?P<number>[0-9]{{1,2}})(?:{_ORDINAL}(?:{_WORD_ARRONDISSEMENT})?|{_WORD_ARRONDISSEMENT})"
    rf"[\s,-]*(?:de\s+)?{_CITY}(?![^\W_])",
    re.IGNORECASE,
)
_APOSTROPHE = re.compile(r"\s*['’‘ʼ´`]\s*")
_SOUS = re.compile(r"(?<![^\W_])(?<!')[/-]?s\s?/\s?s(?![^\W_])[/.]?", re.IGNORECASE)
_SUR = re.compile(r"(?<=[\s/-])s(?:ur\s?/|\s?/|\.|(?=[\s-]+[^\W_]))", re.IGNORECASE)
_ABBREVIATED = re.compile(r"(?<![^\W_])(s(?:ain)?te?s?)\.", re.IGNORECASE)
_DELIVERY = re.compile(
    r"(?<![^\W_])(?:(?:c[eé]dex|cdx)(?![^\W_])\.?(?:\s*[0-9]{1,2}(?![0-9]))?"
    r"|(?:b\.?\s?p|c\.?\s?s|t\.?\s?s\.?\s?a|s\.?\s?p)\.?\s*(?:n[°ºo]\s?)?[0-9]{1,3}(?:\s?[0-9]{2,3})?(?![0-9]))",
    re.IGNORECASE,
)

# Most towns of the feed: a name and nothing else, known by one look.
_OTHER_WORDS = r"(?!(?:s|z[ia]c?|zones?|c[eé]dex|cdx|paris|lyon|marseille|arrondissements?)(?![^\W_]))"
_LETTERS = "[A-Za-zÀ-ÖØ-öø-ÿŒœŸ]+"
_NAME_ALONE = re.compile(rf"(?!(.+) \1$){_OTHER_WORDS}{_LETTERS}(?:[' -]{_OTHER_WORDS}{_LETTERS})*", re.IGNORECASE)
_NO_TOWN = re.compile(r"</?[A-Za-z]|\]\(|:\w+\[|://|\*\*[^\W\d]|^`[^`]*`$|\{\{|\$\w+\$")
_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]?")
_COUNTED = re.compile(r"\b(les|aux|des)[\s-]+([2-9])[\s-]+(?=[^\W\d_]{3})", re.IGNORECASE)
_NUMBER_WORDS = ("deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf")
_ZONE = re.compile(
    r"(?<![^\W_])(?:z\.? ?(?:i|a|a\.? ?c)(?![^\W_])\.?|zones? (?:industrielle|artisanale|commerciale|d'activit[eé]s?))",
    re.IGNORECASE,
)
_ROAD = re.compile(r"(?<![^\W_])(?<!')(?:a|n|d|rn|rd)[\s-]?[0-9]{1,3}(?![^\W_])", re.IGNORECASE)
_POSTCODE = re.compile(r"(?<![0-9])(?:([0-9]{5})|([0-9]{2}) ([0-9]{3}))(?![0-9])")
_FIRST_DIGITS = re.compile(r"(?<![\w%])([0-9]{2,4}|2[AB])(?![\w%])", re.IGNORECASE)
_DIGITS_ALONE = re.compile(r"[0-9]{1,5}|2[AB]", re.IGNORECASE)
_NUMBER = re.compile(
    rf"(?<![^\W_])2[ab](?![^\W_])|(?<![^\W_])f-?(?=[0-9]{{5}})|(?<![^\W_])n[°º]"
    rf"|[0-9]+(?:{_ORDINAL})?(?:{_WORD_ARRONDISSEMENT})?|(?<![^\W_])arrondissements?(?![^\W_])",
    re.IGNORECASE,
)
_BETWEEN_NAMES = re.compile(r"(?:[/,;:|+&•·]|\.(?=\s)|\s[–—]\s)+")


class WrittenTown(NamedTuple):
    """What a text says of a town.

    `name` keeps the writer's case; several names in one are parted by ", ". `digits` are a postcode, its first digits
    or a department ("2A"), "" for none; an arrondissement is given by its postcode. `note` stood in brackets.
    """

    name: str
    digits: str = ""
    note: str = ""


def read_town(text: str) -> WrittenTown:
    """Read what the feed or a person wrote for a town: "DOMBLANS ( 39210 )", "Lyon 3ème arrondissement", "69 Lyon".

    CEDEX, PO boxes, industrial estates, road numbers and stray punctuation go. What looks like code or an address of
    the web is no kind of town and stays as it is.
    """
    if _NAME_ALONE.fullmatch(text) or _NO_TOWN.search(text):
        return WrittenTown(text)
    compact = re.sub(r"[\s()\[\]]+", "", text)
    if _DIGITS_ALONE.fullmatch(compact):
        return WrittenTown("", compact.upper())
    plain = expand_town_words(text)
    notes = _BRACKETS.findall(plain)
    outside = _BRACKETS.sub(" ", plain)
    name = _read_name(outside) or _read_name(plain)
    return WrittenTown(name, _read_digits(outside) or _read_digits(" ".join(notes)), _read_name(" ".join(notes)))


def expand_town_words(text: str) -> str:
    """Return the text with what is abbreviated or postal about towns in it put plainly, the rest as it is.

    "St." is St, "s/" sur, an arrondissement its postcode; CEDEX and PO boxes go.
    """
    plain = unicodedata.normalize("NFKC", _APOSTROPHE.sub("'", drop_invisible(text)))
    plain = _ABBREVIATED.sub(r"\1 ", plain)
    plain = _SUR.sub(" sur ", _SOUS.sub(" sous ", plain))
    plain = _DELIVERY.sub(" ", plain)
    return _ARRONDISSEMENT_CITY.sub(_write_postcode, _CITY_ARRONDISSEMENT.sub(_write_postcode, plain))


def _write_postcode(match: re.Match[str]) -> str:
    """Return the town with the arrondissement's postcode, or what stood there when that is no arrondissement of it."""
    found = match.groupdict()
    city, is_ordinal = found["city"], "ordinal" not in found or bool(found["ordinal"] or found["word"])
    first_digits, count = _ARRONDISSEMENTS[city.lower()]
    number = int(found["number"]) if found["number"] else _read_roman(found["roman"])
    if not 1 <= number <= count:
        return match[0]
    # "Rue de Paris 12" is a house, "Marseille (13)" names the department.
    if not is_ordinal and (found["before"] or (found["bracket"] and found["number"] == first_digits)):
        return match[0]
    return f"{found.get('before') or ''}{city} {first_digits}{number:03}"


def _read_roman(text: str) -> int:
    values = [_ROMAN_DIGITS[letter] for letter in text.lower()]
    following = [*values[1:], 0]
    return sum(-value if value < after else value for value, after in zip(values, following, strict=True))


def _read_digits(text: str) -> str:
    if match := _POSTCODE.search(text):
        return match[1] or match[2] + match[3]
    match = _FIRST_DIGITS.search(text)
    return match[1].upper() if match else ""


def _read_name(text: str) -> str:
    text = _COUNTED.sub(lambda match: f"{match[1]} {_NUMBER_WORDS[int(match[2]) - 2]} ", text)
    text = _NUMBER.sub(" ", _ROAD.sub(" ", text))
    parts = dict.fromkeys(filter(None, map(_clean_part, _BETWEEN_NAMES.split(text))))
    return ", ".join(parts)


def _clean_part(part: str) -> str:
    zone = _ZONE.search(part)
    if zone:  # what follows is the estate's own name
        before = part[: zone.start()]
        part = before if any(letter.isalpha() for letter in before) else part[zone.end() :]
    words = " ".join("".join(sign if sign.isalpha() or sign in "'-" else " " for sign in part).split()).strip(" '-")
    half = len(words) // 2
    if words[half : half + 1] == " " and words[:half].lower() == words[half + 1 :].lower():
        words = words[:half]
    return words if any(letter.isalpha() for letter in words) else ""
