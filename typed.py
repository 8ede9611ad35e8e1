"""What a person typed into a field of one line."""

from __future__ import annotations

import unicodedata


def drop_invisible(text: str) -> str:
    """Return the text without what is copied along from a page unseen: joiners, marks of direction, soft hyphens."""
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf")


def read_line(text: str, longest: int) -> str | None:
    """Return the text as one visible line: no control characters or marks of direction, single spaces only.

    It may be empty. None when it is longer than `longest` characters; far longer ones are not even looked at.
    """
    if len(text) > 10 * longest:
        return None
    visible = "".join(letter if unicodedata.category(letter)[0] != "C" else " " for letter in text)
    line = " ".join(visible.split())
    return line if len(line) <= longest else None
