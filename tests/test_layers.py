"""The import rules of the house: who may know whom, and where Streamlit ends.

Modules below the Streamlit line are imported in a fresh process and `sys.modules` looked at; the others are read as
syntax trees.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings import ROOT

FLOOR = (
    *("answers", "backup", "db", "errors", "liveness", "load_lock", "logs", "mail", "models", "niceness"),
    *("origins", "outputs", "postgres", "read_queue", "settings", "shares", "statefiles", "text", "translations"),
    *("typed", "write_queue"),
)
PACKAGES = ("accounts", "stations", "prices", "feed", "api")
ABOVE = ("ui", "pages", "app")
KNOWS = {"accounts": (), "stations": (), "prices": ("stations",), "feed": (), "api": ("prices", "stations")}
# What a page may build on: it holds no query, so that it needs neither the database's library nor the feed.
FOR_PAGES = ("ui", "accounts", "stations", "prices", "etl", "scheduler", "settings", "models", "errors", "statefiles")
FOR_UI = (*FOR_PAGES, "answers", "backup", "db", "logs", "mail", "origins", "outputs", "shares", "translations")


def list_files(*names: str) -> list[Path]:
    """Return the files of packages and top-level modules, those that are there."""
    files = [path for name in names for path in sorted((ROOT / name).glob("**/*.py"))]
    return [*files, *(path for name in names if (path := ROOT / f"{name}.py").exists())]


def list_imports(path: Path) -> Iterator[str]:
    """Yield the top-level names of what a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield (node.module or "").split(".")[0]


def list_own_names() -> set[str]:
    """Return the top-level modules and packages of the program."""
    return {path.stem for path in ROOT.glob("*.py")} | {path.parent.name for path in ROOT.glob("*/*.py")}


def name_module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def import_freshly(files: list[Path]) -> set[str]:
    """Return the modules that a new process holds after it imported these."""
    modules = [name_module(path) for path in files]
    program = "import importlib, json, sys\nfor name in json.loads(sys.argv[1]): importlib.import_module(name)\n"
    process = subprocess.run(
        [sys.executable, "-c", f"{program}print(json.dumps(sorted(sys.modules)))", json.dumps(modules)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(process.stdout))
    assert set(modules) <= loaded
    return loaded


@pytest.mark.parametrize(
    ("names", "forbidden"),
    [
        (("feed", "etl"), {"streamlit", "streamlit_authenticator", "pandas", "pydeck"}),
        (("accounts", "stations", "prices", "api", *FLOOR), {"streamlit", "streamlit_authenticator"}),
        (("scheduler",), {"streamlit", "streamlit_authenticator", "pandas", "sqlalchemy", "lxml"}),
    ],
    ids=["feed and etl", "the other rooms", "scheduler"],
)
def test_nothing_below_the_line_imports_what_belongs_above_it(names: tuple[str, ...], forbidden: set[str]) -> None:
    files = list_files(*names)
    assert files
    assert import_freshly(files) & forbidden == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_the_rooms_of_the_house_do_not_know_each_other(package: str) -> None:
    allowed = {package, *KNOWS[package], *FLOOR}
    for path in list_files(package):
        strangers = set(list_imports(path)) & list_own_names() - allowed
        assert strangers == set(), path


def test_the_floor_knows_no_room() -> None:
    for path in list_files(*FLOOR):
        assert set(list_imports(path)) & {*PACKAGES, *ABOVE, "etl", "scheduler"} == set(), path


def test_the_background_process_knows_no_sql() -> None:
    imports = {node for path in list_files("scheduler") for node in _list_runtime_imports(path)}
    assert imports & {"sqlalchemy", "sqlite3", "models", *PACKAGES} == set()


def _list_runtime_imports(path: Path) -> Iterator[str]:
    """Yield imports but those under `if TYPE_CHECKING`, which never happen."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [
        node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", list_files("pages"), ids=lambda path: path.name)
def test_a_page_knows_only_the_floor_below_it_and_no_other_page(path: Path) -> None:
    imports = set(list_imports(path))
    assert imports & list_own_names() <= set(FOR_PAGES)
    assert imports & {"sqlalchemy", "alembic", "lxml", "requests", "psutil", "streamlit_authenticator"} == set()


@pytest.mark.parametrize("path", list_files("ui"), ids=lambda path: path.name)
def test_what_pages_share_knows_no_page_and_not_the_feed(path: Path) -> None:
    assert set(list_imports(path)) & list_own_names() <= set(FOR_UI)


def test_only_one_module_knows_streamlit_authenticator() -> None:
    knowing = [
        path
        for path in ROOT.glob("**/*.py")
        if "tests" not in path.parts and ".venv" not in path.parts and "streamlit_authenticator" in list_imports(path)
    ]
    assert len(knowing) <= 1
    assert all(path.parent.name == "ui" for path in knowing)


def test_only_what_stands_above_the_line_names_streamlit() -> None:
    below = list_files(*PACKAGES, *FLOOR, "etl", "scheduler", "headers")
    assert [path for path in below if "streamlit" in set(list_imports(path))] == []


def test_nothing_in_ui_is_named_like_a_module_of_the_root() -> None:
    """`ui/` is on the import path before the root: such a name would hide the other."""
    others = list_own_names() | {"tests", "bench", "migrations"} | set(sys.stdlib_module_names)
    assert {path.stem for path in (ROOT / "ui").glob("*.py")} & others - {"__init__"} == set()


def test_only_the_settings_read_the_environment() -> None:
    for path in ROOT.glob("**/*.py"):
        parts = path.relative_to(ROOT).parts
        if parts[0] in ("tests", "bench") or parts[0].startswith(".") or parts == ("settings.py",):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_read = isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv")
            is_imported = (
                isinstance(node, ast.ImportFrom)
                and node.module == "os"
                and {alias.name for alias in node.names} & {"environ", "environb", "getenv"}
            )
            assert not is_read, f"{path}:{node.lineno}"
            assert not is_imported, f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", list_files(*PACKAGES, *FLOOR, "etl", "scheduler", "headers"), ids=name_module)
def test_nothing_happens_when_a_module_is_imported(path: Path) -> None:
    """No engine, no file, no network: at the top of a module stand only definitions and constants."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        for inner in ast.walk(node) if isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign | ast.With) else ():
            if isinstance(inner, ast.Call):
                name = ast.unparse(inner.func)
                assert name.split(".")[-1] not in (
                    "open",
                    "read_text",
                    "read_bytes",
                    "mkdir",
                    "create_engine",
                    "open_engine",
                    "connect",
                    "get",
                    "post",
                    "read_settings",
                    "Settings",
                    "now",
                    "start",
                    "run",
                    "Popen",
                ), f"{path}:{inner.lineno}"
