"""Links that somebody else made: opening one, with whatever in its address, changes nothing of the driver who does."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, PASSWORD, MakeFeed
from page_visit import FIRST_ID, run, run_app, visit
from sqlalchemy import Engine, select

import etl
from accounts import admin
from accounts.registration import Registration, register
from accounts.sessions import open_session
from db import begin_writing
from models import Base
from settings import ROOT, Settings
from stations.favourites import add_favourite

# What each name in an address may ask for, in values that would change something if a link could.
ASKED = {
    "all_fuels": "true",
    "at": "46.17,1.87",
    "automat": "true",
    "brand": "Total",
    "carry": "1",  # an address of before
    "code": "AAAAAAAA",
    "detour": "E85",
    "fuel": "GPLc",
    "fuels": "GPLc",
    "id": str(FIRST_ID + 2),
    "in": "23",
    "keep": f"{FIRST_ID + 2},{FIRST_ID + 3}",
    "lang": "FR",
    "litres": "80",
    "motorways": "false",
    "near": "46.17,1.87",
    "open": "true",
    "q": "Lyon",
    "radius": "50",
    "roads": "false",
    "section": "people",
    "show": str(FIRST_ID + 2),
    "start": "Lyon",
    "stock": "true",
    "token": "0" * 64,
    "user_id": "2",
    "username": "eve",
    "with": "1,2,3",
}
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, settings: Settings, engine: Engine, make_feed: MakeFeed) -> Iterator[Settings]:
    """The pages with prices and a driver, an admin who keeps two stations."""
    now = datetime.now(UTC)
    feed = settings.model_copy(update={"feed_url": str(make_feed(newest_at=now))})
    assert etl.run_load(feed, engine).is_success
    form = Registration("ada", "ada@mailbox.org", "Ada", PASSWORD, language="en")
    assert register(engine, settings, KEY, form, address=None, now=now).is_open
    with begin_writing(engine) as connection:
        admin.grant_admin(connection, admin.COMMAND, 1, now)
        for station_id in (FIRST_ID, FIRST_ID + 1):
            add_favourite(connection, 1, station_id, "", now)
    with run_app(monkeypatch, feed):
        yield feed


def read_rows(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    with engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


def list_names(path: Path) -> Iterator[str]:
    """Yield what a file of the program reads from addresses: by itself, and by widgets that are bound to them."""

    def read_name(node: ast.expr) -> str | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        if isinstance(node, ast.Name) and node.id.isupper():
            return str(getattr(importlib.import_module(f"ui.{path.stem}"), node.id))
        return None  # a variable, over a tuple of names that stands elsewhere

    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        found: list[ast.expr] = []
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "st.query_params":
            found = [node.slice]
        elif isinstance(node, ast.Compare) and "st.query_params" in map(ast.unparse, node.comparators):
            found = [node.left]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("st.query_params.get", "st.query_params.pop"):
            found = [node.args[0]]
        elif isinstance(node, ast.Call) and any(keyword.arg == "bind" for keyword in node.keywords):
            found = [keyword.value for keyword in node.keywords if keyword.arg == "key"]
        yield from filter(None, map(read_name, found))


def test_the_link_asks_for_everything_that_an_address_can() -> None:
    names = {name for folder in ("ui", "pages") for path in (ROOT / folder).glob("*.py") for name in list_names(path)}
    assert len(names) > 15
    assert names <= set(ASKED), "what is new in an address is to be tried here too"


@pytest.mark.parametrize("page", PAGES)
def test_opening_a_link_writes_nothing_for_the_driver_who_opens_it(app: Settings, engine: Engine, page: str) -> None:
    with begin_writing(engine) as connection:
        session_id = open_session(connection, 1, is_lasting=False, browser="x", now=datetime.now(UTC))
    before = read_rows(engine)
    at = visit(page, session_id=session_id, **ASKED)
    for _ in range(2):
        assert at.session_state["driver"].id == 1
        run(at)
    assert read_rows(engine) == before


@pytest.mark.parametrize("page", PAGES)
def test_opening_a_link_as_a_guest_writes_nothing_nor_does_logging_in_then(
    app: Settings, engine: Engine, page: str
) -> None:
    before = read_rows(engine)
    at = visit(page, **ASKED)
    assert read_rows(engine) == before
    at.switch_page(str(ROOT / "pages" / "login.py"))
    run(at)
    at.text_input(key="login_name").set_value("ada")
    at.text_input(key="login_password").set_value(PASSWORD)
    (button,) = [button for button in at.main.button if button.label == "Se connecter"]
    run(button.click())
    assert at.session_state["driver"].id == 1
    after = read_rows(engine)
    ours = {"users", "custom_stations", "followed_gas_types", "verification_codes"}
    assert ours <= set(before)
    assert {name for name in before if after[name] != before[name]}.isdisjoint(ours)
