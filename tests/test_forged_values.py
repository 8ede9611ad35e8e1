"""Values of widgets that no browser sends: they cost a line of the log at most, and the page goes on without them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from loaded_server import read_log, run_loaded_server
from socket_client import Tab, list_widget_ids, open_tab
from sqlalchemy import select, update
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.WidgetStates_pb2 import WidgetState

from bench.drivers import add_drivers, add_favourites, make_cookie
from bench.server import Server
from db import begin_writing, open_engine
from models import Credential, Station

pytestmark = pytest.mark.slow

DEEP = "[" * 5_000 + "]" * 5_000
KINDS = [field.name for field in WidgetState.DESCRIPTOR.oneofs_by_name["value"].fields]
SCALARS: dict[str, list[object]] = {
    # Not `trigger_value`: that presses every button of the page.
    "bool_value": [True, False],
    "double_value": [math.nan, math.inf, -1e308, 1e18, -5.0],
    "int_value": [0, -1, 2**62],
    "string_value": ["", "x", "x" * 1_000, "\x00", "\u202e", "NaN", "[]", "{"],
    "json_value": [
        *("", "{", "null", "[]", "1", '"x"', "{}", "NaN", "1e999", "9" * 6_000, DEEP, '{"value": NaN}'),
        '{"selection": 1}',
        '{"selection": {"rows": ["a", -1, 99999999], "columns": [1], "cells": [[1]]}}',
        '{"selection": {"indices": 1, "objects": 2}}',
        '{"selection": {"indices": {"stations": [-1]}, "objects": {"stations": [{"id": {}}]}}}',
        '{"answer": {"latitude": NaN, "longitude": 1e999}}',
        '{"opened": 1e999}',
    ],
    "json_trigger_value": [
        *("", "{", "null", "[]", "1", '{"event": [1]}', '{"event": "answer", "value": 1}', '[{"event": "answer"}]'),
        '[{"event": "answer", "value": {"latitude": NaN, "longitude": 1e999}}]',
        '[{"event": "opened", "value": 1e999}]',
        f'[{{"event": "opened", "value": 1{"0" * 400}}}]',
        f'[{{"event": "answer", "value": {DEEP}}}]',
    ],
    "bytes_value": [b"", b"x"],
}
ARRAYS: dict[str, list[list[object]]] = {
    "double_array_value": [[], [math.nan], [1.0, 2.0]],
    "int_array_value": [[], [-1], [9_999], [2**40], list(range(200))],
    "string_array_value": [[], [""], ["x"], ["x" * 1_000], ["x"] * 200, ["a", "b"]],
}
VISITOR_PAGES = ["", "landing", "dashboard", "choose", "login", "register", "recover", "privacy", "about"]
ADMIN_PAGES = ["", "landing", "choose", "profile", "admin"]


def make_states() -> Iterator[tuple[str, WidgetState]]:
    """Yield states of every kind, with no id yet, and what is in each."""
    for kind, scalars in SCALARS.items():
        for scalar in scalars:
            yield f"{kind} {scalar!r:.40}", WidgetState(**{kind: scalar})  # type: ignore[arg-type]
    for kind, arrays in ARRAYS.items():
        for array in arrays:
            state = WidgetState()
            getattr(state, kind).data.extend(array)
            getattr(state, kind).SetInParent()
            yield f"{kind} {array!r:.40}", state
    for kind in set(KINDS) - {*SCALARS, *ARRAYS, "trigger_value"}:
        state = WidgetState()
        getattr(state, kind).SetInParent()
        yield kind, state
    state = WidgetState()
    state.file_uploader_state_value.uploaded_file_info.add(file_id="../x")
    yield "a file", state
    yield "none", WidgetState()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("forged")
    limits = {"requests_per_minute": 0, "tabs_per_address": 0, "messages_per_10_seconds": 0}
    with run_loaded_server(folder, **limits) as server:
        engine = open_engine(server.settings.database)
        add_drivers(engine, 1)
        with begin_writing(engine) as connection:
            connection.execute(update(Credential).values(role="admin"))
            stations = connection.scalars(select(Station.id).limit(4)).all()
        add_favourites(engine, [1], 4, stations, [1, 5])
        engine.dispose()
        yield server


@pytest.fixture(scope="module")
def cookie(server: Server) -> str:
    """The cookie of an admin who has favourites."""
    engine = open_engine(server.settings.database)
    ((name, value),) = make_cookie(server.settings, engine, 1).items()
    engine.dispose()
    return f"{name}={value}"


def list_exceptions(elements: list[Element]) -> list[str]:
    return [one.exception.message for one in elements if one.WhichOneof("type") == "exception"]


def name_query(page: str) -> str:
    return "q=69" if page in ("", "landing", "choose") else ""


def forge(tab: Tab, page: str, ids: list[str], state: WidgetState) -> list[Element]:
    """Run a page with the same state for all of these widgets."""
    message = tab.make_rerun(page, query=name_query(page))
    for id_ in ids:
        forged = message.rerun_script.widget_states.widgets.add()
        forged.CopyFrom(state)
        forged.id = id_
    return tab.run(message)


def walk(server: Server, page: str, headers: dict[str, str]) -> None:
    """Send every state to every widget of a page: to a tab that has drawn it, and as the first word of another."""
    with open_tab(server.url, headers=headers) as tab:
        ids = list_widget_ids(tab.run(tab.make_rerun(page, query=name_query(page))))
        assert ids
    with open_tab(server.url, headers=headers) as drawn_tab:
        drawn_tab.run(drawn_tab.make_rerun(page, query=name_query(page)))
        for what, state in make_states():
            few = ids[:4] if state.ByteSize() > 5_000 else ids  # a message has no more room
            before = len(read_log(server))
            assert list_exceptions(forge(drawn_tab, page, few, state)) == [], what
            with open_tab(server.url, headers=headers) as fresh_tab:
                assert list_exceptions(forge(fresh_tab, page, few, state)) == [], what
            lines = read_log(server)[before:].splitlines()
            assert len(lines) <= 1 + len(few), what
            assert {line.partition(" faults=")[0][21:] for line in lines} <= {
                "WARNING carburoam.socket socket status=dropped reason=widget_state"
            }, what
        drawn = drawn_tab.run(drawn_tab.make_rerun(page, query=name_query(page)))
        assert list_exceptions(drawn) == []
        assert list_widget_ids(drawn)


@pytest.mark.parametrize("page", VISITOR_PAGES)
def test_a_visitor_forges_values_in_vain(server: Server, page: str) -> None:
    walk(server, page, {})


@pytest.mark.parametrize("page", ADMIN_PAGES)
def test_a_driver_forges_values_in_vain(server: Server, cookie: str, page: str) -> None:
    walk(server, page, {"Cookie": cookie})


def test_one_message_of_forged_values_costs_one_line(tmp_path: Path) -> None:
    with run_loaded_server(tmp_path) as server, open_tab(server.url) as tab:
        ids = list_widget_ids(tab.run(tab.make_rerun("landing", query="q=69")))
        before = len(read_log(server))
        forge(tab, "landing", ids, WidgetState(bytes_value=b"x"))
        (line,) = read_log(server)[before:].splitlines()
        assert "socket status=dropped reason=widget_state faults='bytes_value for " in line
        assert len(line) < 300


@pytest.mark.parametrize("page", VISITOR_PAGES)
def test_a_button_that_is_pressed_without_its_fields_does_nothing(server: Server, page: str) -> None:
    before = len(read_log(server))
    with open_tab(server.url) as tab:
        for id_ in list_widget_ids(tab.run(tab.make_rerun(page, query=name_query(page)))):
            assert list_exceptions(forge(tab, page, [id_], WidgetState(trigger_value=True))) == [], id_
    assert "Traceback" not in read_log(server)[before:]


@pytest.mark.parametrize("state", [WidgetState(int_value=5), WidgetState(double_value=5.5), WidgetState()])
def test_a_field_of_numbers_takes_what_browsers_send(server: Server, cookie: str, state: WidgetState) -> None:
    with open_tab(server.url, headers={"Cookie": cookie}) as tab:
        drawn = tab.run(tab.make_rerun("profile"))
        fields = [one.number_input.id for one in drawn if one.WhichOneof("type") == "number_input"]
        assert fields
        before = len(read_log(server))
        forge(tab, "profile", fields, state)
        assert read_log(server)[before:] == ""


@pytest.mark.parametrize("length", [0, 60_000])
@pytest.mark.parametrize(
    "field", ["query_string", "page_name", "context.timezone", "context.locale", "context.url", "context.color_scheme"]
)
def test_a_forged_request_draws_a_page_and_logs_nothing(server: Server, field: str, length: int) -> None:
    before = len(read_log(server))
    for text in ("../../etc/passwd", "\x00\n%s\x1b[31m", "http://[::1", "q=%ff%00&fuel=x&id=-1&lang=%0a&radius=NaN"):
        with open_tab(server.url) as tab:
            message = tab.make_rerun()
            request = message.rerun_script
            place, name = (request.context_info, field[8:]) if field.startswith("context.") else (request, field)
            setattr(place, name, text + "x" * length)
            assert list_exceptions(tab.run(message)) == []
            request.is_auto_rerun = request.is_history_navigation = True
            request.context_info.timezone_offset = -(2**31)
            assert list_exceptions(tab.run(message)) == []
    assert read_log(server)[before:] == ""
