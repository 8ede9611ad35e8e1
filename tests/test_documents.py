"""The documents say what the program does: every setting and command, links that lead somewhere, every room."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import SecretStr
from test_layers import FLOOR, FOR_PAGES, FOR_UI, KNOWS, PACKAGES

from settings import ROOT, VERSION, Settings

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "bench/*.md", "static/**/*.md", ".github/**/*.md")
    for path in ROOT.glob(pattern)
)
FIELDS = {f"CARBUROAM_{name.upper()}": field for name, field in Settings.model_fields.items()}
# Settings whose default is not a plain value, but made or found.
MADE = {"CARBUROAM_STATE_DIR", "CARBUROAM_DATABASE_URL", "CARBUROAM_FEED_URL", "CARBUROAM_SECRET_KEY"}
MAX_README_WORDS = 700


def read_text(name: str | Path) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def name_document(path: Path) -> str:
    return str(path.relative_to(ROOT))


# Settings


def test_every_setting_has_one_line_in_the_tables() -> None:
    listed = Counter(re.findall(r"^\| `(CARBUROAM_\w+)` \|", read_text("docs/settings.md"), re.MULTILINE))
    assert listed == Counter(FIELDS.keys())


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - MADE))
def test_the_default_of_a_setting_is_as_it_is_documented(name: str) -> None:
    default = FIELDS[name].default
    plain = default.get_secret_value() if isinstance(default, SecretStr) else default
    (cell,) = re.findall(rf"^\| `{name}` \| (.*?) \|", read_text("docs/settings.md"), re.MULTILINE)
    assert cell == ("none" if plain == "" else f"`{plain}`")


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if path.name != "CHANGELOG.md"], ids=name_document
)  # which names what there was
def test_every_setting_that_is_documented_exists(path: Path) -> None:
    named = set(re.findall(r"\bCARBUROAM_[A-Z0-9_]+\b", read_text(path)))
    # What only the tests read is no setting of the program.
    assert {name for name in named if not name.startswith("CARBUROAM_TEST_")} <= FIELDS.keys()


def test_what_only_the_tests_read_is_documented() -> None:
    reading = [*(ROOT / "tests").glob("**/*.py"), *(ROOT / "bench").glob("*.py")]
    read = {
        name
        for path in reading
        for name in re.findall(r"environ(?:\.get\(|\[)\"(CARBUROAM_TEST_\w+)\"", path.read_text(encoding="utf-8"))
    }
    assert len(read) > 2
    assert set(re.findall(r"\bCARBUROAM_TEST_\w+\b", read_text("CONTRIBUTING.md"))) == read


# Commands


def list_targets() -> set[str]:
    """Return what `make` can be asked for by name."""
    makefile = read_text("Makefile")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert targets == set(phony.split())
    return targets


def list_commands() -> dict[str, Path]:
    """Return the commands in Python as they are typed, each with its file."""
    commands = {}
    for path in [*ROOT.glob("*.py"), *ROOT.glob("*/*.py")]:
        if path.parent.name not in ("tests", ".ci") and '\nif __name__ == "__main__":\n' in path.read_text(
            encoding="utf-8"
        ):
            parts = path.relative_to(ROOT).with_suffix("").parts
            commands[f"{parts[0]}.py" if len(parts) == 1 else f"-m {'.'.join(parts).removesuffix('.__main__')}"] = path
    commands.pop("-m bench.load")  # which the benchmarks start in processes of their own
    return commands


def list_documented(pattern: str) -> set[str]:
    """Return what the first column of the tables of commands says after this."""
    return set(re.findall(rf"^\| `{pattern}", read_text("docs/commands.md"), re.MULTILINE))


def test_every_target_of_make_is_documented() -> None:
    assert list_documented(r"make ([a-z]+)` \|") == list_targets()


def test_every_command_is_documented() -> None:
    assert list_documented(r"\.venv/bin/python ((?:-m )?[\w.]+)") == list_commands().keys()
    assert list_documented(r"\.venv/bin/(streamlit run app\.py)") == {"streamlit run app.py"}


@pytest.mark.parametrize("command", sorted(list_commands()))
def test_every_option_of_a_command_is_documented(command: str) -> None:
    source = list_commands()[command].read_text(encoding="utf-8")
    lines = [line for line in read_text("docs/commands.md").splitlines() if f"python {command}" in line]
    for option in re.findall(r"add_argument\(\s*\"(--[\w-]+)\"", source):
        assert any(re.search(rf"{option}\b", line) for line in lines), option


def walk(tokens: list[Token] | None) -> Iterator[Token]:
    for token in tokens or ():
        yield token
        yield from walk(token.children)


def parse(text: str) -> list[Token]:
    return list(walk(MarkdownIt("commonmark").enable("table").parse(text)))


def list_code(path: Path) -> list[str]:
    """Return the lines of the code in a document."""
    tokens = parse(read_text(path))
    return [
        line.strip()
        for token in tokens
        if token.type in ("fence", "code_block", "code_inline")
        for line in token.content.splitlines()
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_document)
def test_a_document_names_commands_that_exist(path: Path) -> None:
    for line in list_code(path):
        for target in re.findall(r"(?:^|&& )(?:[A-Z_]+=\S+ )*make ([a-z]+)\b", line):
            assert target in list_targets(), line
        for command in re.findall(r"\bpython3? ((?:-m )?(?:accounts|bench|migrations)[\w.]*|\w+\.py)\b", line):
            assert command in list_commands(), line


# Links


def make_anchor(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@cache
def list_anchors(path: Path) -> set[str]:
    """Return the anchors of a document; of several headings that are the same each has its own."""
    tokens = MarkdownIt("commonmark").enable("table").parse(read_text(path))
    found: Counter[str] = Counter()
    anchors = set()
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            anchor = make_anchor("".join(child.content for child in inline.children or ()))
            anchors.add(f"{anchor}-{found[anchor]}" if found[anchor] else anchor)
            found[anchor] += 1
    return anchors


def list_links(text: str) -> list[str]:
    """Return where the links and pictures of a text lead, but those to other sites."""
    places = [str(token.attrGet("href") or token.attrGet("src") or "") for token in parse(text)]
    return [place for place in places if place and not re.match(r"[a-z]+:", place)]


def find_broken(text: str, path: Path) -> list[str]:
    """Return the links of a text, as it would stand in that document, which lead nowhere."""
    broken = []
    for link in list_links(text):
        name, _, anchor = unquote(link).partition("#")
        target = (path.parent / name).resolve() if name else path
        is_found = target.is_relative_to(ROOT) and target.exists()
        if is_found and anchor:
            is_found = target.suffix == ".md" and anchor in (
                list_anchors(target) if target != path else list_anchors(path)
            )
        if not is_found:
            broken.append(link)
    return broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_document)
def test_no_link_of_a_document_is_broken(path: Path) -> None:
    assert find_broken(read_text(path), path) == []


@pytest.mark.parametrize(
    "text",
    ["[a](nowhere.md)", "[a](#nowhere)", "[a](docs/running.md#nowhere)", "![a](docs/nowhere.png)", "[a](../x.md)"],
)
def test_the_judge_of_the_test_above_sees_what_is_broken(text: str) -> None:
    assert len(find_broken(f"# A\n\n| a |\n|---|\n| {text} |\n", ROOT / "README.md")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[a](LICENSE)",
        "[a](#licence)",
        "[a](docs/running.md#log-ins-and-codes)",
        "[a](https://example.org/#a)",
        "`[a](b)`",
    ],
)
def test_the_judge_of_the_test_above_passes_what_is_there(text: str) -> None:
    assert find_broken(text, ROOT / "README.md") == []


def test_every_document_is_found_from_the_readme() -> None:
    linked = {link.partition("#")[0] for link in list_links(read_text("README.md"))}
    documents = {name_document(path) for path in DOCUMENTS if path.parts[len(ROOT.parts)] != ".github"}
    assert documents - {"README.md"} <= linked


def test_every_document_that_the_code_names_exists() -> None:
    patterns = (
        "*.py",
        "*/*.py",
        "tests/**/*.py",
        "deploy/*",
        "Dockerfile",
        "compose.yaml",
        "Makefile",
        *("*.md", "*/*.md"),
    )
    named = {
        (path, name)
        for pattern in patterns
        for path in ROOT.glob(pattern)
        if path.is_file() and path != Path(__file__)
        for name in re.findall(r"\bdocs/[\w-]+\.md\b", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 5
    assert [(path.name, name) for path, name in sorted(named) if not (ROOT / name).is_file()] == []


# What else they say


def test_the_readme_is_short() -> None:
    assert len(read_text("README.md").split()) < MAX_README_WORDS


def test_the_change_log_speaks_of_this_version() -> None:
    assert re.search(rf"^#+ .*\b{re.escape(VERSION)}\b", read_text("CHANGELOG.md"), re.MULTILINE)


def test_every_test_that_stands_for_a_promise_exists() -> None:
    named = set(re.findall(r"`([\w/]*test_\w+\.py)`", read_text("docs/security.md")))
    assert len(named) > 40
    assert [name for name in sorted(named) if not (ROOT / "tests" / name).is_file()] == []


def read_section(name: str, heading: str) -> str:
    """Return what stands below a heading of a document, up to the next one."""
    _, _, rest = read_text(name).partition(f"\n## {heading}\n")
    assert rest
    return rest.partition("\n## ")[0]


def test_the_plan_of_the_house_names_every_room() -> None:
    section = read_section("docs/architecture.md", "Rooms")
    plan = "\n".join(line for line in section.splitlines() if line.startswith("    "))
    modules = {path.name for path in ROOT.glob("*.py")}
    assert modules == set(re.findall(r"\b\w+\.py\b", plan)) - {"main.py"}
    folders = {
        f"{path.parent.name}/" for path in ROOT.glob("*/*.py") if not path.parent.name.startswith((".", "outputs"))
    }
    assert {folder for folder in folders if folder not in section} == set()
    assert {name for name in re.findall(r"\b[\w.]+/", plan) if not (ROOT / name).is_dir()} == set()


def test_the_rules_of_imports_are_those_that_are_kept() -> None:
    rows = re.findall(r"^\| (.*?) \| (.*) \|$", read_section("docs/architecture.md", "Import rules"), re.MULTILINE)
    rules = {who: set(re.findall(r"`(\w+)", names)) for who, names in rows}
    assert rules["`pages/`"] == set(FOR_PAGES)
    assert rules["`ui/`"] == set(FOR_UI) - set(FOR_PAGES)
    told = {room: rules[who] for who in rules for room in re.findall(r"`(\w+)/`", who)}
    assert {room: set(told[room]) for room in PACKAGES} == {room: set(KNOWS[room]) for room in PACKAGES}
    (floor,) = (who for who in rules if who.startswith("the floor"))
    assert set(re.findall(r"`(\w+)`", floor)) <= set(FLOOR)
