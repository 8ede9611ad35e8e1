"""The languages of the program and their catalogues: English stands in the code, French in `locale/`."""

from __future__ import annotations

import gettext
from functools import lru_cache
from io import BytesIO

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from settings import ROOT

LANGUAGES = ("fr", "en")
SOURCE_LANGUAGE = "en"
CATALOGUE = "locale/{language}/LC_MESSAGES/carburoam.po"


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark a message for the catalogues where it is only written down, to be translated when shown."""
    return message


def guess_language(locale: str | None) -> str:
    """Return English to a browser that is set to it, and French to any other."""
    return "en" if (locale or "").lower().startswith("en") else "fr"


@lru_cache(maxsize=len(LANGUAGES))
def load_catalogue(language: str) -> gettext.NullTranslations:
    """Read and compile a catalogue; done in memory, once a process, so that no compiled file can be stale."""
    if language == SOURCE_LANGUAGE:
        return gettext.NullTranslations()
    with (ROOT / CATALOGUE.format(language=language)).open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
