"""The language of a visitor, and every text in it: English in the code, French in a gettext catalogue."""

from __future__ import annotations

import gettext
from functools import lru_cache
from io import BytesIO

import streamlit as st
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from settings import ROOT

LANGUAGES = ("fr", "en")
SOURCE_LANGUAGE = "en"
CATALOGUE = "locale/{language}/LC_MESSAGES/carburoam.po"


def get_language() -> str:
    """Return the language of this session: what was chosen, else what the browser asks for, else French."""
    chosen = st.session_state.get("lang")
    return chosen if chosen in LANGUAGES else find_browser_language()


def find_browser_language() -> str:
    """Return English to a browser that is set to it, and French to any other."""
    return "en" if (st.context.locale or "").lower().startswith("en") else "fr"


def _(message: str) -> str:
    """Return the message in the language of this session."""
    return load_catalogue(get_language()).gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """Return the form of the message that fits the count, in the language of this session."""
    return load_catalogue(get_language()).ngettext(singular, plural, count)


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark a message for the catalogues where it is only written down, to be translated when shown."""
    return message


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
