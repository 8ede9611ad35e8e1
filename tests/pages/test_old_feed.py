"""What the pages say when the feed is frozen, or a snapshot of another time: out of date, before the first price."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import FIRST_ID
from page_visit import list_rows, list_texts, read, run_app, visit
from sqlalchemy import Engine, delete, insert, select, update
from streamlit.testing.v1 import AppTest

import etl
from db import begin_writing
from feed.generator import FeedRecipe, write_feed
from models import Price, Station, StockOut
from settings import Settings

SNAPSHOT_AT = datetime(2023, 11, 22, 8, 20, tzinfo=UTC)
PAGES = ("landing", "choose", "dashboard", "station")
TITLES = {"en": "These prices are out of date", "fr": "Ces prix ne sont plus à jour"}
LOCALES = {"en": "en-GB", "fr": "fr-FR"}


def load(settings: Settings, engine: Engine, tmp_path: Path, newest_at: datetime) -> None:
    """Load a feed in which every price was reported three hours before that instant."""
    feed = tmp_path / "old.zip"
    write_feed(feed, FeedRecipe(newest_at=newest_at, stations=60, first_id=FIRST_ID, oddities=False))
    with begin_writing(engine) as connection:
        assert connection.execute(select(Station.id)).first() is None
    assert etl.run_load(settings.model_copy(update={"feed_url": str(feed)}), engine).is_success
    with begin_writing(engine) as connection:
        connection.execute(update(Price).values(updated_at=newest_at - timedelta(hours=3)))


def open_page(page: str, language: str = "en") -> AppTest:
    """Open a page that shows prices."""
    lyon = {"q": "lyon"} if page in ("landing", "choose") else {}
    own = {"keep": f"{FIRST_ID},{FIRST_ID + 1},{FIRST_ID + 2}"} if page == "dashboard" else {}
    one = {"id": str(FIRST_ID)} if page == "station" else {}
    return visit(page, locale=LOCALES[language], **lyon, **own, **one)


def list_boxes(at: AppTest) -> list[tuple[str, str]]:
    return [(box.proto.title, box.value) for box in at.main.warning]


def list_in_order(block: Iterable[Any]) -> list[str]:
    """Return what stands on a page, or in a part of it, from top to bottom, each element as one text."""
    shown = []
    for node in block:
        if node.type in ("table", "arrow_table"):
            shown.append(" ".join(map(str, node.value.to_numpy().flatten())))
        elif (proto := getattr(node, "proto", None)) is not None:
            shown.append(str(proto))
    return shown


def find_first(shown: list[str], text: str) -> int:
    return next(number for number, element in enumerate(shown) if text in element)


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine, tmp_path: Path) -> Iterator[None]:
    """The pages of a feed whose newest report is three days old."""
    load(settings, engine, tmp_path, datetime.now(UTC) - timedelta(days=3))
    with run_app(monkeypatch, settings):
        yield


@pytest.fixture
def snapshot(monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine, tmp_path: Path) -> Iterator[None]:
    """The pages of a snapshot of 2023."""
    load(settings, engine, tmp_path, SNAPSHOT_AT)
    with run_app(monkeypatch, settings):
        yield


@pytest.fixture
def tried_snapshot(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine, tmp_path: Path
) -> Iterator[None]:
    """The pages of a snapshot of 2023 that keeps its own clock."""
    settings = settings.model_copy(update={"as_of": "feed"})
    load(settings, engine, tmp_path, SNAPSHOT_AT)
    with run_app(monkeypatch, settings):
        yield


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("page", PAGES)
def test_that_prices_are_out_of_date_stands_above_the_first_of_them(page: str, language: str) -> None:
    at = open_page(page, language)
    shown = list_in_order(at.main)
    assert find_first(shown, TITLES[language]) < find_first(shown, "€")
    assert [title for title, _ in list_boxes(at)] == [TITLES[language]]
    assert "CARBUROAM" not in " ".join(list_texts(at))


@pytest.mark.usefixtures("frozen")
def test_it_stands_in_the_dialog_of_a_station_too() -> None:
    at = visit("choose", q="lyon", show=str(FIRST_ID))
    (dialog,) = (node for node in at._tree if getattr(node, "type", "") == "dialog")
    shown = list_in_order(dialog)
    assert find_first(shown, TITLES["en"]) < find_first(shown, "€")


@pytest.mark.usefixtures("frozen")
def test_ages_in_a_frozen_feed_count_from_now_and_its_prices_are_compared_while_they_are_fresh() -> None:
    at = open_page("landing")
    assert all("3\u00a0days\u00a0ago" in station for _, station, _ in list_rows(at))
    assert any("median" in caption.value for caption in at.main.caption)


@pytest.mark.usefixtures("snapshot")
@pytest.mark.parametrize("page", PAGES)
def test_in_a_snapshot_of_another_year_every_price_is_old_and_none_is_compared(page: str) -> None:
    at = open_page(page)
    texts = [read(text) for text in list_texts(at)]
    assert list_boxes(at) == [
        (
            TITLES["en"],
            "The newest report is from 22 November 2023 at 09:20. You may pay a different price at the pump.",
        )
    ]
    rows = list_rows(at)
    assert rows
    assert all("old price" in " ".join(row) or "€" not in " ".join(row) for row in rows)
    assert all("3\u00a0years\u00a0ago" in " ".join(row) for row in rows if "old price" in " ".join(row))
    assert not [text for text in texts if text.startswith(("Median", "Lowest")) or "the cheapest first; " in text]


@pytest.mark.usefixtures("snapshot")
def test_in_a_snapshot_of_another_year_there_is_nothing_to_save_and_no_price_of_the_country() -> None:
    assert "No fresh price is known." in list_texts(open_page("landing"))
    dashboard = list_texts(open_page("dashboard"))
    assert "None of your stations has a price that can be compared." in dashboard
    captions = [caption.value for caption in open_page("choose").main.caption]
    assert any("none with a price that can be compared" in caption for caption in captions)


@pytest.mark.usefixtures("tried_snapshot")
@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("page", PAGES)
def test_a_snapshot_that_keeps_its_own_clock_names_the_setting_above_the_first_price(page: str, language: str) -> None:
    at = open_page(page, language)
    ((title, text),) = list_boxes(at)
    assert (title, "CARBUROAM_AS_OF" in text, "22 " in text) == (TITLES[language], True, True)
    shown = list_in_order(at.main)
    assert find_first(shown, "CARBUROAM_AS_OF") < find_first(shown, "€")


@pytest.mark.usefixtures("tried_snapshot")
def test_a_snapshot_that_keeps_its_own_clock_counts_ages_from_its_newest_report() -> None:
    at = open_page("landing")
    assert all("3\u00a0hours\u00a0ago" in station for _, station, _ in list_rows(at))
    assert not any("old price" in station for _, station, _ in list_rows(at))


def test_that_clock_is_named_for_a_feed_of_now_too(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"as_of": "feed"})
    load(settings, engine, tmp_path, datetime.now(UTC))
    with run_app(monkeypatch, settings):
        ((title, text),) = list_boxes(open_page("landing"))
    assert title == "Ages count from the newest report"
    assert "CARBUROAM_AS_OF" in text


def test_the_clock_that_is_set_later_counts_at_once(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    load(settings, engine, tmp_path, SNAPSHOT_AT)
    with run_app(monkeypatch, settings.model_copy(update={"as_of": "feed"})):
        at = open_page("landing")
        assert any("median" in caption.value for caption in at.main.caption)
        assert not any("old price" in station for _, station, _ in list_rows(at))


def test_what_is_said_of_a_forgotten_stock_out_is_wrapped_on_a_phone(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    load(settings, engine, tmp_path, datetime.now(UTC))
    with begin_writing(engine) as connection:
        connection.execute(delete(Price))
        connection.execute(delete(StockOut))
        began_at = datetime(2023, 3, 2, 12, tzinfo=UTC)
        rows = [{"station_id": FIRST_ID + n, "gastype_id": 5, "began_at": began_at} for n in range(3)]
        connection.execute(insert(StockOut), rows)
    with run_app(monkeypatch, settings):
        for page in ("dashboard", "station"):
            cells = " ".join(map(str, open_page(page).main.table[0].value.to_numpy().flatten()))
            assert ":orange[reported out of stock since 2 March 2023]" in cells, page
