"""What a load wrote about itself, in the language of the reader: `etl_runs` holds it in English, as the log does.

What is not known here, such as the words of a library, is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ui.formats import escape_code, format_count
from ui.texts import N_, _

# As feed/, errors.py and etl.py write them; the first that fits counts.
_TEMPLATES = (
    N_("the feed has not changed since the last load"),
    N_("it was stopped before its end"),
    N_("it holds {count} stations, less than half of the {before} before"),
    N_("stations no longer in the feed: {count}"),
    N_("loaded instead of the first feed: {part}"),
    N_("the sample feed never takes the place of real prices"),
    N_("the server says that nothing changed, but nothing was loaded before"),
    N_("the archive is damaged or no zip file: {detail}"),
    N_("the archive can't be read: {detail}"),
    N_("the archive names a file outside itself"),
    N_("the archive holds {count} XML files instead of one"),
    N_("the archive holds no XML file"),
    N_("the archive is larger than {count} MB"),
    N_("the address of the archive can't be read"),
    N_("the XML would be larger than {count} MB"),
    N_("the XML is compressed more than {count} times"),
    N_("the XML is larger than its archive says"),
    N_("the XML is not well-formed: {detail}"),
    N_("the XML is empty"),
    N_("the XML declares a document type, which the feed never does"),
    N_("the root element is {detail}, not <pdv_liste>"),
    N_("a <pdv> stands elsewhere than in <pdv_liste>"),
    N_("there is no readable station in it"),
    N_("it holds {count} stations and not one price"),
    N_("{count} of the {before} prices loaded before can't be read any more"),
    N_("{count} of the {before} stock-outs loaded before can't be read any more"),
    N_("it is an archive of past prices, which --backfill reads, and not the feed"),
    N_("there is no station in {count} MB of the XML"),
    N_("the download takes too long"),
    N_("the certificate of {address} is not trusted"),
    N_("{address} keeps answering with a server error"),
    N_("{address} does not answer in time"),
    N_("{address} can't be reached ({detail})"),
    N_("{address} answers with HTTP status {detail}"),
    N_("{address} redirects more than {count} times"),
    N_("{address} redirects to an address without encryption"),
    N_("{address} redirects to a {detail}: address"),
    N_("{address} is no address that is read: https, http or file, or a path"),
    N_("{address} can't be read: {detail}"),
    N_("{detail} while storing"),
)
_REASONS = (
    N_("station stands twice"),
    N_("station id can't be read"),
    N_("coordinates can't be read"),
    N_("coordinates lie outside the world"),
    N_("fuel can't be read"),
    N_("fuel {detail} is not known"),
    N_("fuel is not known"),
    N_("price stands twice"),
    N_("price can't be read"),
    N_("price is not one"),
    N_("price date can't be read"),
    N_("date can't be read"),
    N_("type can't be read"),
    N_("price date lies in the future"),
    N_("begins in the future"),
)
_REJECTED = "rejected: "
_REJECTION = re.compile(r"(\d+) x (stock-out: )?(.+?)(?: \(stations? ([\d, ]+)\))?")
# What the figures beside the message say too.
_COUNTS = re.compile(r"\d+ stations and \d+ prices (seen|written)")


def _make_pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", template)
    found = {"count": r"\d+", "before": r"\d+", "address": r"\S+"}
    return re.compile(
        "".join(
            f"(?P<{part}>{found.get(part, '.+')})" if is_name else re.escape(part)
            for is_name, part in zip((index % 2 for index in range(len(parts))), parts, strict=True)
        )
    )


_PATTERNS = tuple((_make_pattern(template), template) for template in _TEMPLATES)
_REASON_PATTERNS = tuple((_make_pattern(template), template) for template in _REASONS)


def word_message(message: str) -> str:
    """Return a message of a run as Markdown, without the counts; it may be empty."""
    parts = (part.removeprefix("then ") for part in message.split("; "))
    return " · ".join(_word_part(part) for part in parts if part and not _COUNTS.fullmatch(part))


def _word_part(part: str) -> str:
    if part.startswith(_REJECTED):
        # Between the reasons and not between the numbers of stations.
        reasons = re.split(r", (?=\d+ x )", part.removeprefix(_REJECTED))
        return _("rejected: {reasons}").format(reasons=", ".join(map(_word_rejection, reasons)))
    return _word_known(part, _PATTERNS) or escape_code(part)


def _word_known(part: str, patterns: Iterable[tuple[re.Pattern[str], str]]) -> str:
    """Return the words of the first template that fits; "" when none does."""
    for pattern, template in patterns:
        if match := pattern.fullmatch(part):
            words = _(template).replace("<", "\\<")
            return words.format(**{name: _word_value(name, text) for name, text in match.groupdict().items()})
    return ""


def _word_value(name: str, text: str) -> str:
    if name in ("count", "before"):
        return format_count(int(text))
    return _word_part(text) if name == "part" else escape_code(text)


def _word_rejection(rejection: str) -> str:
    match = _REJECTION.fullmatch(rejection)
    if match is None:
        return escape_code(rejection)
    count, is_stock_out, reason, stations = match.groups()
    words = _word_known(reason, _REASON_PATTERNS) or escape_code(reason)
    if is_stock_out:
        words = _("stock-out: {reason}").format(reason=words)
    if stations:
        named = N_("{reason} (stations {stations})") if "," in stations else N_("{reason} (station {stations})")
        words = _(named).format(reason=words, stations=stations)
    return f"{format_count(int(count))} × {words}"
