"""The door of callbacks: every one of the program goes through it, as its syntax trees show, and a new one must too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings import ROOT

DOORS = {"guarded", "saves", "view_only"}
# What a callback that only changes the view has no business with.
WRITES = {"begin_change", "begin_writing", "get_engine", "get_station_list", "saving", "get_mailer", "get_starter"}
# Fragments that draw nothing of a driver and change nothing.
HARMLESS = {"have_timer", "_draw_cookie"}
ASKS = {"is_still_here", "leave_if_gone", "_close_if_gone"}


def list_sources() -> list[Path]:
    return sorted([*(ROOT / "ui").rglob("*.py"), *(ROOT / "pages").rglob("*.py")])


def read_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_door(node: ast.expr) -> str | None:
    """Return the door that an expression goes through: `guarded`, `guarded(f)`, `saves(...)(f)`."""
    while isinstance(node, ast.Call):
        node = node.func
    return node.id if isinstance(node, ast.Name) and node.id in DOORS else None


def list_functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def find_doors(tree: ast.Module) -> dict[str, str | None]:
    """Return the functions of a file with the door that each goes through, and those that it imports."""
    doors = {
        function.name: next(filter(None, map(name_door, function.decorator_list)), None)
        for function in list_functions(tree)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ui."):
            source = ROOT / f"{node.module.replace('.', '/')}.py"
            if not source.exists():  # a folder
                continue
            there = {
                function.name: next(filter(None, map(name_door, function.decorator_list)), None)
                for function in list_functions(read_tree(source))
            }
            doors |= {alias.asname or alias.name: there.get(alias.name) for alias in node.names}
    return doors


def find_undoored(tree: ast.Module) -> list[str]:
    """Return the callbacks of a file that go through no door, and the downloads that nobody asks for."""
    doors = find_doors(tree)
    wrong = []
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        for keyword in call.keywords:
            name = keyword.arg or ""
            if not name.startswith("on_") or name == "on_release" or isinstance(keyword.value, ast.Constant):
                continue
            value = keyword.value
            if name_door(value) is None and not (isinstance(value, ast.Name) and doors.get(value.id)):
                wrong.append(f"{call.lineno}: {name}={ast.unparse(value)}")
        called = ast.unparse(call.func).rpartition(".")[2]
        if called == "show_export" and "while_logged_in(" not in ast.unparse(call):
            wrong.append(f"{call.lineno}: {ast.unparse(call.func)}")
    return wrong


def find_unasked_fragments(tree: ast.Module) -> list[str]:
    """Return the functions run as a fragment or a dialog of a file that do not ask who is logged in."""
    fragments = {
        function.name
        for function in list_functions(tree)
        if any("fragment" in ast.unparse(decorator) for decorator in function.decorator_list)
    }
    for call in ast.walk(tree):
        maker = call.func.func if isinstance(call, ast.Call) and isinstance(call.func, ast.Call) else None
        if isinstance(call, ast.Call) and maker and ast.unparse(maker) in ("st.fragment", "st.dialog"):
            fragments |= {one.id for one in call.args if isinstance(one, ast.Name)}
    asking = {
        function.name
        for function in list_functions(tree)
        if {node.id for node in ast.walk(function) if isinstance(node, ast.Name)} & ASKS
    }
    return sorted(fragments - asking - HARMLESS)


def find_writing_views(tree: ast.Module) -> list[str]:
    return [
        function.name
        for function in list_functions(tree)
        if "view_only" in [ast.unparse(decorator) for decorator in function.decorator_list]
        and {node.id for node in ast.walk(function) if isinstance(node, ast.Name)} & WRITES
    ]


@pytest.mark.parametrize("path", list_sources(), ids=lambda path: path.name)
def test_every_callback_fragment_and_download_asks_who_is_logged_in(path: Path) -> None:
    tree = read_tree(path)
    assert find_undoored(tree) == []
    assert find_unasked_fragments(tree) == []
    assert find_writing_views(tree) == []


def test_the_judges_of_the_test_above_see_callbacks_at_all() -> None:
    found = [
        keyword.value
        for path in list_sources()
        for call in ast.walk(read_tree(path))
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if (keyword.arg or "").startswith("on_") and not isinstance(keyword.value, ast.Constant)
    ]
    assert len(found) > 40


@pytest.mark.parametrize(
    "source",
    [
        "def act(): ...\nst.button('x', on_click=act)",
        "st.button('x', on_click=lambda: None)",
        "from functools import partial\nst.button('x', on_click=partial(print, 1))",
        "def show(act):\n    st.form_submit_button('x', on_click=act)",
        "from ui.reading import get_engine\nst.pills('x', [], on_change=get_engine)",
        "part = st.components.v2.component('x')\ndef take(): ...\npart(on_opened_change=take)",
        "def act(): ...\nst.container().button('x', on_click=act)",
        "show_export('x', make_file())",
        "@st.fragment\ndef part(): ...",
        "@st.fragment(run_every=1)\ndef part(): ...",
        "def part(): ...\nst.dialog('x')(part)()",
        "def part(): ...\nst.fragment(run_every=1)(part)()",
        "@view_only\ndef act():\n    with begin_change() as connection: ...",
    ],
)
def test_the_judges_of_the_test_above_see_what_goes_through_no_door(source: str) -> None:
    tree = ast.parse(source)
    assert find_undoored(tree) + find_unasked_fragments(tree) + find_writing_views(tree)


@pytest.mark.parametrize(
    "source",
    [
        "@guarded\ndef act(): ...\nst.button('x', on_click=act)",
        "@saves('slot')\ndef act(): ...\nst.button('x', on_click=act)",
        "@view_only\ndef act(): ...\nst.button('x', on_click=act)",
        "def show(act):\n    st.form_submit_button('x', on_click=guarded(act))",
        "st.button('x', on_click=saves('slot')(act))",
        "from ui.favourite_changes import add_station\nst.button('x', on_click=add_station)",
        "st.dataframe(x, on_select='rerun')",
        "@st.fragment\ndef part():\n    leave_if_gone()",
        "show_export('x', while_logged_in(make_file()))",
    ],
)
def test_the_judges_of_the_test_above_pass_what_goes_through_a_door(source: str) -> None:
    tree = ast.parse(source)
    assert find_undoored(tree) + find_unasked_fragments(tree) + find_writing_views(tree) == []
