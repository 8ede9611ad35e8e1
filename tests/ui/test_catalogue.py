"""Every text is there in both languages, and no page says anything that is in no catalogue."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from babel.messages import Catalog, Message
from babel.messages.pofile import read_po

from models import FUEL_NAMES
from settings import ROOT
from translations import CATALOGUE, LANGUAGES, SOURCE_LANGUAGE

PAGES = sorted([*(ROOT / "ui").glob("*.py"), *(ROOT / "pages").glob("*.py")])
PROGRAM = [*ROOT.glob("*.py"), *(path for path in ROOT.glob("*/*.py") if path.parent.name not in ("tests", "bench"))]
MARKS = ("_", "N_", "ngettext")

# Calls of Streamlit (and of what stands in for it) whose first argument a visitor reads.
TEXT_CALL = re.compile(
    "title|header|subheader|markdown|caption|write|text|info|warning|error|success|badge|html|metric|toast|spinner|"
    "button|link_button|download_button|form_submit_button|expander|popover|dialog|status|tabs|text_input|text_area|"
    "chat_input|number_input|date_input|selectbox|multiselect|radio|pills|segmented_control|checkbox|toggle|slider|"
    "select_slider|file_uploader"
)
TEXT_KEYWORDS = frozenset({"label", "title", "help", "placeholder", "alt", "body", "caption", "text", "page_title"})
# Names that are the same in both languages, and the one label that must be read before a language is chosen.
SAME_IN_BOTH = {"Langue / Language", "Licence Ouverte 2.0", "Carburoam", "km", *FUEL_NAMES.values()}
# What is written for Streamlit and not for the reader: icons, colours, addresses.
MARKUP = re.compile(r"<style>.*?</style>|:material/\w+:|:[a-z-]+\[|https?://\S+?(?=[)\s]|$)|\[?\(/\S*?\)|rgb|style=\S+")


class Use(NamedTuple):
    """A message as the code uses it, and where."""

    forms: tuple[str, ...]  # the message, or its singular and plural
    where: str


def walk(paths: list[Path]) -> Iterator[tuple[Path, ast.AST]]:
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path, node


def get_name(call: ast.Call) -> str:
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def list_uses(paths: list[Path]) -> list[Use]:
    """Return every message marked in the files; texts inside f-strings are in their syntax trees too."""
    uses = []
    for path, node in walk(paths):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS:
            texts = node.args[: 2 if node.func.id == "ngettext" else 1]
            if all(isinstance(text, ast.Constant) for text in texts):
                forms = tuple(text.value for text in texts if isinstance(text, ast.Constant))
                uses.append(Use(forms, f"{path.relative_to(ROOT)}:{node.lineno}"))
    return uses


USES = list_uses(PAGES)


@pytest.fixture(scope="module", params=[language for language in LANGUAGES if language != SOURCE_LANGUAGE])
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    """The catalogue of each language but the one that the code speaks."""
    with (ROOT / CATALOGUE.format(language=request.param)).open("rb") as file:
        return read_po(file, locale=request.param, abort_invalid=True)


def list_forms(message: Message | None) -> tuple[str, ...]:
    """Return the translation, or all of its plural forms."""
    if message is None:
        return ()
    return tuple(message.string) if isinstance(message.string, tuple | list) else (message.string,)


def test_the_code_has_messages_at_all() -> None:
    assert len(USES) > 100
    assert ("{count} station", "{count} stations") in [use.forms for use in USES]


def test_every_message_of_the_code_has_a_translation(catalogue: Catalog) -> None:
    missing = [
        use for use in USES if not (forms := list_forms(catalogue.get(use.forms[0]))) or not all(map(str.strip, forms))
    ]
    assert missing == []


def test_no_translation_waits_to_be_looked_at(catalogue: Catalog) -> None:
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []


def test_no_translation_is_of_a_message_that_is_gone(catalogue: Catalog) -> None:
    used = {use.forms[0] for use in list_uses(PROGRAM)}
    ids = [message.id if isinstance(message.id, str) else message.id[0] for message in catalogue if message.id]
    assert [id_ for id_ in ids if id_ not in used] == []
    assert not catalogue.obsolete


def test_plural_messages_have_every_form_of_the_language(catalogue: Catalog) -> None:
    plural = [use for use in USES if len(use.forms) == 2]
    assert plural
    for use in plural:
        message = catalogue.get(use.forms[0])
        assert message is not None, use
        assert tuple(message.id) == use.forms, use
        assert len(message.string) == catalogue.num_plurals, use


@pytest.mark.parametrize(
    "pattern",
    [r"\{\w*\}", r"\*\*", r"\]\(\{?\w+\}?\)", r"`[^`]*`", r"  \n", r"CARBUROAM_\w+", r":[a-z-]+\["],
    ids=["placeholders", "bold", "links", "code", "line breaks", "settings", "directives"],
)
def test_a_translation_has_the_marks_of_its_message(catalogue: Catalog, pattern: str) -> None:
    different = [
        (use, form)
        for use in USES
        for form in list_forms(catalogue.get(use.forms[0]))
        if sorted(re.findall(pattern, form)) != sorted(re.findall(pattern, use.forms[-1]))
    ]
    assert different == []


def test_a_translation_ends_as_its_message_does(catalogue: Catalog) -> None:
    different = [
        (use, form)
        for use in USES
        for form in list_forms(catalogue.get(use.forms[0]))
        if (form[-1:] in ".?!:") != (use.forms[-1][-1:] in ".?!:") or form != form.strip()
    ]
    assert different == []


def test_french_signs_of_two_parts_never_begin_a_line(catalogue: Catalog) -> None:
    if catalogue.locale is not None and catalogue.locale.language == "fr":
        loose = re.compile(" [?!:;»]|« ")  # a plain space, where a line may break
        assert [
            form for message in catalogue for form in list_forms(message) if message.id and loose.search(form)
        ] == []


def test_a_message_is_always_a_literal_so_that_it_can_be_found() -> None:
    """`_(name)` of a variable is for what stands under N_() in the same file."""
    computed: dict[Path, int] = {}
    for path, node in walk(PAGES):
        is_marked = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS
        if is_marked and not isinstance(node.args[0], ast.Constant):
            assert node.func.id == "_", f"{path.name}:{node.lineno}"
            computed[path] = node.lineno
    computed.pop(ROOT / "ui" / "texts.py", None)  # where they are defined
    marking = {path for path, node in walk(PAGES) if isinstance(node, ast.Call) and get_name(node) == "N_"}
    assert set(computed) <= marking


def find_bare_words(node: ast.AST | None) -> list[str]:
    """Return the words of an expression that stand there as they are, outside of any call but of those that join."""
    if node is None or (isinstance(node, ast.Call) and get_name(node) not in ("join", "format", "replace", "strip")):
        return []
    if isinstance(node, ast.Constant):
        text = MARKUP.sub(" ", node.value) if isinstance(node.value, str) else ""
        for name in sorted(SAME_IN_BOTH, key=len, reverse=True):
            text = text.replace(name, " ")
        return re.findall(r"[^\W\d_]{2,}", re.sub(r"<[^>]*>|\{\w*\}", " ", text))
    if isinstance(node, ast.IfExp):
        return [*find_bare_words(node.body), *find_bare_words(node.orelse)]
    if isinstance(node, ast.Call | ast.JoinedStr | ast.FormattedValue | ast.BinOp | ast.BoolOp | ast.Attribute):
        return [word for child in ast.iter_child_nodes(node) for word in find_bare_words(child)]
    if isinstance(node, ast.List | ast.Tuple | ast.ListComp | ast.GeneratorExp | ast.comprehension | ast.Starred):
        return [word for child in ast.iter_child_nodes(node) for word in find_bare_words(child)]
    return []


def find_untranslated(source: str) -> list[tuple[int, list[str]]]:
    """Return the calls that show words which went through no catalogue, by line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        shown = [keyword.value for keyword in node.keywords if keyword.arg in TEXT_KEYWORDS]
        if TEXT_CALL.fullmatch(node.func.attr):
            shown += node.args[:1]
        if node.func.attr == "DataFrame" and node.args and isinstance(node.args[0], ast.Dict):
            shown += [column for column in node.args[0].keys if column is not None]
        if words := [word for expression in shown for word in find_bare_words(expression)]:
            found.append((node.lineno, words))
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_shows_a_text_that_is_in_no_catalogue(path: Path) -> None:
    assert find_untranslated(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        'st.title("Prices nearby")',
        'st.caption(f"{count} stations")',
        'st.caption(f":material/sync: loading {count}")',
        'st.button("Lyon" if x else _("Paris"))',
        'st.info(_("Fine"), title="Not fine")',
        'st.text_input(_("Fine"), placeholder="Not fine")',
        'st.table(frame, alt="Prices")',
        'st.page_link(page, label="Back")',
        'st.Page(path, title="Back")',
        'st.markdown("**" + "loud" + "**")',
        'st.markdown("\\n".join(f"- text {x}" for x in xs))',
        'st.markdown("{} stations".format(count))',
        'st.table(pd.DataFrame({"Fuel": fuels}))',
        'box.metric("Median", price)',
    ],
)
def test_the_judge_of_the_test_above_sees_bare_texts(source: str) -> None:
    assert find_untranslated(source) != []


@pytest.mark.parametrize(
    "source",
    [
        'st.title(_("Prices nearby"))',
        'st.caption(f":material/sync: {note}")',
        'st.button(town, key="example", icon=":material/search:")',
        'st.pills(_("Fuel"), FUELS, key="fuel", bind="query-params")',
        'st.markdown(" ".join(f":gray-badge[{escape(name)}]" for name in names))',
        'st.segmented_control("Langue / Language", LANGUAGES)',
        'st.caption(f"[{official}]({PAGE}) · [Licence Ouverte 2.0](https://example.org/a) · Carburoam {VERSION}")',
    ],
)
def test_the_judge_of_the_test_above_passes_what_is_translated_or_no_text(source: str) -> None:
    assert find_untranslated(source) == []
