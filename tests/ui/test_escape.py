"""What a person or the feed wrote is text: in Markdown it does nothing but be read.

Streamlit's Markdown is GitHub's (links without brackets included) with formulas, :directives[...], :emoji: and
:material/icons:. What becomes of a text is worked out by a parser of Markdown, and by the patterns with which
Streamlit's page looks through the text that the parser leaves.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import settings as effort
from hypothesis import strategies as some
from markdown_it import MarkdownIt

from ui.formats import escape, escape_code

WORD_JOINER = "\u2060"

HOSTILE = [
    "**b**",
    "__b__",
    "*i* _i_",
    "~~x~~",
    "`code`",
    "```\ncode\n```",
    "[x](javascript:alert(1))",
    "[x](//evil.com)",
    "![x](https://evil.com/pixel.png)",
    "[x]: https://evil.com",
    "[^1]",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<https://evil.com>",
    "<!-- comment -->",
    ":red[x]",
    ":red-background[x]",
    ":orange-badge[x]",
    ":material/home:",
    ":smile:",
    ":+1:",
    ":streamlit:",
    "::smile::",
    "$x$",
    "$$x^2$$",
    "|",
    "a | b\n- | -\nc | d",
    "www.evil.com",
    "WWW.Evil.com",
    "xwww.evil.com",
    "https://evil.com",
    "http://evil.com/a_b_c?d=e&f=g#h",
    "HTTPS://EVIL.COM",
    "a@b.c",
    "mailto:a@b.c",
    "xmpp:a@b.c/d",
    "tel:+33123456789",
    "# h",
    "###### h",
    "h\n===",
    "h\n---",
    "---",
    "***",
    "1. x",
    "1) x",
    "- x",
    "+ x",
    "* x",
    "- [ ] x",
    "> x",
    "&lt;",
    "&#60;script&#62;",
    "&amp;lt;",
    "\\*x\\*",
    "\\",
    "a\\",
    "    code",
    "\tcode",
    "a  \nb",
    "a\\\nb",
    "line\n\n# heading\n\n- list",
    "a -> b <- c <-> d -- e >= f <= g ~= h",
    "->",
    "--",
    "{{x}} {x} %s",
    "=HYPERLINK(1)",
    "'quoted' \"quoted\" `",
    "^sup^ ~sub~ ==mark==",
    "\u202eevil",
    "é è œ Ÿ 🚗",
]

# What Streamlit's page (1.67, StreamlitMarkdown) looks for in a text that was already parsed, whatever was escaped.
ACTIVE = [
    re.compile(r"(https?://|www(?=\.))([-.\w]+)", re.IGNORECASE),
    re.compile(r"([-.\w+]+)@([-\w]+(?:\.[-\w]+)+)"),
    re.compile(r":[\w+-][\w+-]*:"),
    re.compile(r":material[/_]"),
    re.compile(r":[a-z][a-z0-9-]*\["),
    re.compile(r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)"),
]


def find_active(markdown: str) -> list[str]:
    """Return what is more than text in a piece of Markdown."""
    found = []
    blocks = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(markdown)
    for block in blocks:
        if block.type not in ("paragraph_open", "paragraph_close", "inline"):
            found.append(block.type)
        for part in block.children or ():
            if part.type != "text":
                found.append(part.type)
            found.extend(match[0] for pattern in ACTIVE for match in pattern.finditer(part.content))
    # Formulas are read before anything else but escapes: no dollar may be left without its backslash.
    found.extend(re.findall(r"(?<!\\)(?:\\\\)*\$", markdown))
    return found


def read_visible(markdown: str) -> str:
    blocks = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(markdown)
    parts = [part.content for block in blocks for part in block.children or ()]
    return "".join(parts).replace(WORD_JOINER, "")


@pytest.mark.parametrize(
    "markdown",
    [
        "**b**",
        "[x](y)",
        "<b>",
        ":red[x]",
        ":smile:",
        "www.evil.com",
        "a@b.c",
        "# h",
        "1. x",
        "---",
        "~~x~~",
        "&lt;x",
        "$x$",
    ],
)
def test_the_judge_of_these_tests_sees_what_is_active(markdown: str) -> None:
    assert find_active(markdown) or read_visible(markdown) != markdown


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_an_escaped_text_is_active(text: str) -> None:
    assert find_active(escape(text)) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_an_escaped_text_reads_as_it_was_written_but_for_white_space(text: str) -> None:
    assert read_visible(escape(text)) == " ".join(text.split())


@pytest.mark.parametrize(
    "frame", ["**{}**", "[{}](/station?id=1)", ":small[{} · x]", ":orange-badge[{}]", "- {}", "x  \n{}"]
)
def test_an_escaped_text_does_not_break_out_of_what_stands_around_it(frame: str) -> None:
    def list_tokens(markdown: str) -> list[str]:
        blocks = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(markdown)
        return [token.type for block in blocks for token in (block, *(block.children or ()))]

    as_of_a_harmless_word = list_tokens(frame.format("x"))
    assert [text for text in HOSTILE if list_tokens(frame.format(escape(text))) != as_of_a_harmless_word] == []


@pytest.mark.parametrize("text", [*HOSTILE, "`", "``a`", "ada@mailbox.org"])
def test_code_is_copied_as_it_was_written(text: str) -> None:
    blocks = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(f"**x** {escape_code(text)} y")
    parts = [(part.type, part.content) for block in blocks for part in block.children or ()]
    assert ("code_inline", " ".join(text.split())) in parts
    assert parts[-1] == ("text", " y")


@pytest.mark.parametrize("text", ["", "   ", "\n\t\r\n", "\u00a0\u2028\u2029"])
def test_white_space_alone_is_nothing(text: str) -> None:
    assert escape(text) == escape_code(text) == ""


@effort(max_examples=200, deadline=None)
@given(some.text(some.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=40))
@example("a:b@c.d")
@example("https\\://x")
def test_no_text_at_all_is_active(text: str) -> None:
    escaped = escape(text)
    assert find_active(escaped) == []
    # The parser drops white space that Python's split() does not know.
    assert read_visible(escaped).strip() == " ".join(text.replace(WORD_JOINER, "").split()).strip()
