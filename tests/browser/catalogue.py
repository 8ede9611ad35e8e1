"""The texts of the program in both languages, as a page shows them."""

from __future__ import annotations

import re
from functools import cache

from babel.messages.pofile import read_po
from playwright.sync_api import Page

from settings import ROOT

# All that a person reads or has read aloud, shadow roots of components included.
_READ_PAGE = """() => {
  const texts = [document.title]
  const walk = (root) => {
    for (const element of root.querySelectorAll("*")) {
      for (const name of ["aria-label", "placeholder", "title", "alt"]) texts.push(element.getAttribute(name) || "")
      if (element.shadowRoot) {
        texts.push([...element.shadowRoot.children].map((child) => child.innerText || "").join("\\n"))
        walk(element.shadowRoot)
      }
    }
  }
  walk(document)
  return [document.body.innerText, ...texts].join("\\n")
}"""


@cache
def read_messages() -> tuple[tuple[str, str], ...]:
    """Return each message in English and in French, as it is read on a page, placeholders left in."""
    with (ROOT / "locale/fr/LC_MESSAGES/carburoam.po").open("rb") as file:
        catalogue = read_po(file, locale="fr")
    pairs = []
    for message in catalogue:
        if message.id:
            ids = message.id if isinstance(message.id, tuple) else (message.id,)
            strings = message.string if isinstance(message.string, tuple) else (message.string,)
            pairs += [(_strip(one), _strip(other)) for one, other in zip(ids, strings, strict=True)]
    return tuple(pairs)


def translate(english: str, language: str) -> str:
    """Return what a message reads in a language."""
    return english if language == "en" else dict(read_messages())[english]


# What Streamlit writes by itself, in English in every language, and what our messages say elsewhere.
STREAMLITS_OWN = {"Clear", "Help", "Open", "Show"}


def find_foreign(text: str, language: str) -> list[str]:
    """Return the parts of messages of the other language that stand in a text, Streamlit's own labels aside."""
    own, other = (1, 0) if language == "fr" else (0, 1)
    ours = "\n".join(pair[own] for pair in read_messages())
    parts = {part for pair in read_messages() if pair[0] != pair[1] for part in _split(pair[other])}
    foreign = {part for part in parts if not _has(ours, part) and _has(text, part)}
    return sorted(foreign - STREAMLITS_OWN)


def count_own(text: str, language: str) -> int:
    """Return how many messages of a language that read differently in the other stand in a text."""
    own = 1 if language == "fr" else 0
    return sum(
        pair[0] != pair[1] and bool(parts := _split(pair[own])) and all(_has(text, part) for part in parts)
        for pair in read_messages()
    )


def read_page(page: Page) -> str:
    """Return all texts of a page: shown, and in labels, titles and placeholders."""
    return _strip(page.evaluate(_READ_PAGE))


def _strip(text: str) -> str:
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("**", "").replace("`", "")
    return re.sub(r"\s+", " ", text).strip()


def _split(text: str) -> list[str]:
    """Return the parts of a message between its placeholders that say something."""
    parts = (part.strip(" ,.:·()“”«»") for part in re.split(r"\{\w+\}", text))
    return [part for part in parts if sum(map(str.isalpha, part)) >= 4]


def _has(text: str, part: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(part)}(?!\w)", text) is not None
