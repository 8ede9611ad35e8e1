"""Lists of packages and versions that must say what the program needs, or they rot."""

from __future__ import annotations

import ast
import os
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from settings import ROOT, VERSION

FILES = [
    path
    for path in ROOT.glob("**/*.py")
    if not path.relative_to(ROOT).parts[0].startswith(".") and path.relative_to(ROOT).parts[0] not in ("tests", "bench")
]


def read_text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads(read_text("pyproject.toml"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "settings.VERSION"}
    assert VERSION not in read_text("pyproject.toml")


def test_every_place_asks_for_the_same_python() -> None:
    project = tomllib.loads(read_text("pyproject.toml"))
    oldest = project["project"]["requires-python"].removeprefix(">=")
    assert project["tool"]["mypy"]["python_version"] == oldest
    makefile = read_text("Makefile")
    assert f"sys.version_info < ({oldest.replace('.', ', ')})" in makefile
    assert set(re.findall(r"--python-version (\S+)", makefile)) == {oldest}


def test_what_is_built_requires_what_the_program_requires() -> None:
    project = tomllib.loads(read_text("pyproject.toml"))
    assert project["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}


def test_the_hooks_before_a_commit_are_those_of_make_check() -> None:
    (repository,) = yaml.safe_load(read_text(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"].endswith("/ruff-pre-commit")
    assert f"\nruff=={repository['rev'].removeprefix('v')}\n" in read_text("requirements-dev.lock")
    assert [hook["id"] for hook in repository["hooks"]] == ["ruff-check", "ruff-format"]


def test_the_workflow_runs_what_must_pass() -> None:
    workflow = yaml.safe_load(read_text(".github/workflows/ci.yml"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert ".ci/run" in [step.get("run") for step in steps]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_new_versions_are_looked_for_once_a_month() -> None:
    updates = yaml.safe_load(read_text(".github/dependabot.yml"))["updates"]
    asked = {update["package-ecosystem"]: update["schedule"]["interval"] for update in updates}
    assert asked == {"pip": "monthly", "github-actions": "monthly"}


def normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def list_requirements(name: str) -> set[str]:
    lines = (line.split("#")[0].strip() for line in read_text(name).splitlines())
    return {normalize(re.split(r"[\s<>=!~;\[@]", line)[0]) for line in lines if line and not line.startswith("-")}


def list_third_party_imports(files: list[Path]) -> dict[str, Path]:
    """Return the top-level names of foreign packages, each with a file that imports it."""
    own = {path.stem for path in ROOT.glob("*.py")} | {path.parent.name for path in ROOT.glob("*/*.py")}
    found = {}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            found.update({name.split(".")[0]: path for name in names})
    return {name: path for name, path in found.items() if name not in own and name not in sys.stdlib_module_names}


def test_every_package_that_the_program_imports_is_required() -> None:
    distributions = packages_distributions()
    required = list_requirements("requirements.txt")
    imported = list_third_party_imports(FILES)
    assert {"streamlit", "sqlalchemy", "lxml", "babel"} <= imported.keys()
    missing = {
        name: path.name
        for name, path in imported.items()
        if not {normalize(distribution) for distribution in distributions.get(name, [name])} & required
    }
    assert missing == {}


def test_what_the_tests_import_is_required_for_them() -> None:
    distributions = packages_distributions()
    required = list_requirements("requirements.txt") | list_requirements("requirements-dev.txt")
    helpers = {path.stem for path in (ROOT / "tests").glob("**/*.py")}
    files = [*(ROOT / "tests").glob("**/*.py"), *(ROOT / "bench").glob("**/*.py")]
    missing = {
        name: path.name
        for name, path in list_third_party_imports(files).items()
        if name not in helpers
        and not (path.parent / name).is_dir()
        and not (ROOT / "tests" / name).is_dir()
        and not {normalize(distribution) for distribution in distributions.get(name, [name])} & required
    }
    assert missing == {}


@pytest.mark.parametrize(
    ("wanted", "pinned"),
    [("requirements.txt", "requirements.lock"), ("requirements-dev.txt", "requirements-dev.lock")],
)
def test_everything_that_is_required_is_pinned(wanted: str, pinned: str) -> None:
    lines = [line for line in read_text(pinned).splitlines() if re.match(r"[A-Za-z0-9]", line)]
    assert lines
    assert [line for line in lines if not re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==\d", line)] == []
    assert list_requirements(wanted) - list_requirements(pinned) == set()


def test_both_lists_pin_the_same_versions() -> None:
    def list_pins(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[\w,-]+\])?==(\S+)", read_text(name), re.MULTILINE))

    run, develop = list_pins("requirements.lock"), list_pins("requirements-dev.lock")
    assert {
        name: (version, develop.get(name)) for name, version in run.items() if develop.get(name, version) != version
    } == {}
