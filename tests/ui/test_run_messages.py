"""The messages of the loads, which are stored in English, are read in the reader's language."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from errors import FeedShrunk
from settings import ROOT
from ui import texts
from ui.run_messages import word_message

LOADED = "10002 stations and 33000 prices seen; 12 stations and 40 prices written"


@pytest.fixture
def in_french() -> Iterator[None]:
    token = texts._held.set("fr")
    yield
    texts._held.reset(token)


@pytest.mark.usefixtures("in_french")
@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("the feed has not changed since the last load", "le flux n'a pas changé depuis le dernier chargement"),
        (
            str(FeedShrunk(4000, 10002, range(6002))),
            "il contient 4\u202f000 stations, moins de la moitié des 10\u202f002 d'avant",
        ),
        (
            "the archive is damaged or no zip file: File is not a zip file",
            "l'archive est abîmée ou n'est pas un fichier zip\u00a0: `File is not a zip file`",
        ),
        (LOADED, ""),
        (
            f"{LOADED}; stations no longer in the feed: 3; rejected: 2 x price can't be read (stations 1000001, 2), "
            "1 x stock-out: begins in the future, 1 x news",
            "stations qui ne sont plus dans le flux\u00a0: 3 · "
            "rejetés\u00a0: 2 × prix illisible (stations 1000001, 2), "
            "1 × rupture\u00a0: commence dans l'avenir, 1 × `news`",
        ),
        (
            "a.example can't be reached (ConnectionError); then the download takes too long",
            "`a.example` est injoignable (`ConnectionError`) · le téléchargement dure trop longtemps",
        ),
        (
            f"{LOADED}; loaded instead of the first feed: a.example answers with HTTP status 503",
            "chargé à la place du premier flux\u00a0: `a.example` répond par le statut HTTP `503`",
        ),
        (
            f"{LOADED}; rejected: 3 x fuel 12 (Hydrogène) is not known (stations 1, 2, 3), 1 x stock-out: fuel 9 is "
            "not known (station 1)",
            "rejetés\u00a0: 3 × carburant `12 (Hydrogène)` inconnu (stations 1, 2, 3), "
            "1 × rupture\u00a0: carburant `9` inconnu (station 1)",
        ),
        (
            "6 of the 10 prices loaded before can't be read any more",
            "6 des 10 prix chargés précédemment sont devenus illisibles",
        ),
        (
            "it is an archive of past prices, which --backfill reads, and not the feed",
            "c'est une archive de prix passés, que lit --backfill, et non le flux",
        ),
        (
            "the root element is <html>, not <pdv_liste>",
            "l'élément racine est `<html>` et non <pdv_liste>",
        ),
        ("https://a.example **x** broke", "`https://a.example **x** broke`"),
        ("", ""),
    ],
)
def test_a_message_is_read_in_french(message: str, words: str) -> None:
    assert word_message(message).replace("\\<", "<") == words


@pytest.mark.usefixtures("in_french")
def test_every_fixed_message_of_a_load_is_known() -> None:
    fixed = [
        node.args[0].value
        for name in ("etl", "feed/archive", "feed/download", "feed/parse")
        for node in ast.walk(ast.parse((ROOT / f"{name}.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("FeedRefused", "FeedUnreachable")
        and isinstance(node.args[0], ast.Constant)
    ]
    assert len(fixed) > 8
    assert [message for message in fixed if word_message(message).startswith("`")] == []
