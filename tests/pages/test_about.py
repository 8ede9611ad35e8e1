"""The page that says what this site is, where its prices come from, and who runs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from page_visit import Country, find_other_language, list_texts, load_country, read, run_app, visit
from sqlalchemy import Engine, delete, insert

import etl
from db import begin_writing
from models import BrandState
from settings import VERSION, Settings


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Country]:
    """A few stations; the tests of this file only read them."""
    country = load_country(
        tmp_path_factory.mktemp("country"), stations=20, newest_at=datetime(2023, 11, 22, 8, 20, tzinfo=UTC)
    )
    yield country
    country.engine.dispose()


def read_page(**query: str) -> list[str]:
    return [read(text) for text in list_texts(visit("about", **query))]


def test_it_names_the_source_its_licence_and_the_time_of_the_data(
    monkeypatch: pytest.MonkeyPatch, country: Country
) -> None:
    with run_app(monkeypatch, country.settings):
        at = visit("about")
        (box,) = at.main.info
        assert "“Prix des carburants en France”" in box.value
        assert "[Licence Ouverte 2.0](https://www.etalab.gouv.fr/licence-ouverte-open-licence/)" in box.value
        assert box.value.endswith("Last update of the data: 22 November 2023 at 09:20.")
        assert [header.value for header in at.main.header] == [
            "Where the prices come from",
            "How prices are treated",
            "Help",
            "Legal notice",
        ]
        assert any(f"Carburoam {VERSION}" in text for text in list_texts(at))


def test_with_the_sample_it_says_that_prices_are_invented(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine
) -> None:
    etl.load_sample(engine, datetime.now(UTC))
    with run_app(monkeypatch, settings):
        (box,) = visit("about").main.info
        assert box.value.endswith("Until the feed can be reached, invented stations and prices are shown instead.")
        assert "Last update" not in box.value


def test_before_the_first_load_it_only_names_the_source(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    with run_app(monkeypatch, settings):
        (box,) = visit("about").main.info
        assert box.value.startswith("Source: ")
        assert "\n" not in box.value


@pytest.mark.parametrize(
    "contact",
    [
        "Marie Dupont, marie@example.org",
        "<script>alert(1)</script> **Marie** [x](javascript:alert(1))",
        "{contact} {0} %s :red[x] :material/home: https://evil.com",
    ],
)
def test_who_runs_it_is_shown_as_text(monkeypatch: pytest.MonkeyPatch, country: Country, contact: str) -> None:
    with run_app(monkeypatch, country.settings, CARBUROAM_CONTACT=contact):
        shown = [text for text in list_texts(visit("about")) if text.startswith("This site is run by")]
    assert [read(text) for text in shown] == [f"This site is run by {contact}."]
    for active in ("<script>", "**", "](", ":red[", ":material/", "https://", "marie@example"):
        assert active not in shown[0]


def test_without_a_contact_it_says_which_setting_is_missing(monkeypatch: pytest.MonkeyPatch, country: Country) -> None:
    with run_app(monkeypatch, country.settings):
        assert "Who runs this site has not said so yet (setting CARBUROAM_CONTACT)." in read_page()


def test_the_host_of_map_tiles_is_named_when_there_is_one(monkeypatch: pytest.MonkeyPatch, country: Country) -> None:
    sentence = "Your browser fetches the details of the maps from tiles.example.org."
    with run_app(monkeypatch, country.settings):
        assert sentence not in read_page()
    tiles = "https://tiles.example.org/{z}/{x}/{y}.png"
    with run_app(monkeypatch, country.settings, CARBUROAM_MAP_TILES=tiles):
        assert sentence in read_page()


@contextmanager
def have_brands(country: Country, *kinds: str) -> Iterator[None]:
    """Let the brands come from lists of these kinds."""
    loaded_at = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
    with begin_writing(country.engine) as connection:
        for number, kind in enumerate(kinds, 1):
            connection.execute(
                insert(BrandState).values(id=number, kind=kind, source="list", station_count=1, loaded_at=loaded_at)
            )
    yield
    with begin_writing(country.engine) as connection:
        connection.execute(delete(BrandState))


BRAND_SOURCES = {
    "prix_carburant": (
        "Brands: the list of [prix_carburant](https://github.com/Aohzan/hass-prixcarburant), "
        "[Apache License 2.0](https://www.apache.org/licenses/LICENSE-2.0)."
    ),
    "openstreetmap": (
        "Brands: © [OpenStreetMap contributors](https://www.openstreetmap.org/copyright), "
        "[ODbL](https://opendatacommons.org/licenses/odbl/)."
    ),
}


@pytest.mark.parametrize(
    "kinds",
    [
        *(("prix_carburant",), ("openstreetmap",)),
        *(("openstreetmap", "prix_carburant"), ("prix_carburant", "openstreetmap")),
    ],
)
def test_the_sources_of_the_brands_and_their_licences_are_named_when_there_are_some(
    monkeypatch: pytest.MonkeyPatch, country: Country, kinds: tuple[str, ...]
) -> None:
    with run_app(monkeypatch, country.settings):
        assert len(visit("about").main.info) == 1
        with have_brands(country, *kinds):
            _, box = visit("about").main.info
    assert box.value.split("  \n") == [*(BRAND_SOURCES[kind] for kind in kinds), "Loaded 10 March 2026 at 13:00."]


def test_two_lists_of_one_source_are_named_once(monkeypatch: pytest.MonkeyPatch, country: Country) -> None:
    with run_app(monkeypatch, country.settings), have_brands(country, "openstreetmap", "openstreetmap"):
        _, box = visit("about").main.info
    assert box.value.split("  \n") == [BRAND_SOURCES["openstreetmap"], "Loaded 10 March 2026 at 13:00."]


@pytest.mark.parametrize("kind", ["prix_carburant", "openstreetmap"])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_it_speaks_one_language(monkeypatch: pytest.MonkeyPatch, country: Country, language: str, kind: str) -> None:
    with have_brands(country, kind), run_app(monkeypatch, country.settings, CARBUROAM_CONTACT="Marie"):
        texts = list_texts(visit("about", lang=language.upper()))
    assert len(texts) > 20
    assert find_other_language(texts, language) == []
