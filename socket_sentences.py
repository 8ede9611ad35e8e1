"""What a tab is told when it meets a limit of the socket, as messages that Streamlit's frontend shows by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Literal
from uuid import uuid4

import streamlit as st
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.RootContainer_pb2 import RootContainer

from translations import LANGUAGES, N_, guess_language, load_catalogue

_NAMED_LANGUAGE = re.compile(r"(?:^|&)lang=([a-zA-Z]+)(?:&|$)")
TITLE = N_("Too many tabs")
SENTENCE = N_(
    "Too many tabs of this site are open from your internet connection. Close one, and this page will open by itself."
)
NOTICES = {
    "often": N_("Too many actions at once. This page will continue in a few seconds."),
    "size": N_("That text is too long for this page. Shorten it, or reload the page."),
}


@dataclass(frozen=True)
class Reader:
    """Who reads what is shown, as far as their browser's message says."""

    language: str = "fr"
    script_hash: str = ""


def find_reader(message: BackMsg) -> Reader:
    """Return who reads: in the language that the address of the page names, else the one of the browser."""
    request = message.rerun_script
    named = _NAMED_LANGUAGE.search(request.query_string)
    language = named[1].lower() if named else ""
    if language not in LANGUAGES:
        language = guess_language(request.context_info.locale)
    return Reader(language, request.page_script_hash)


def make_notice(reader: Reader, kind: Literal["often", "size"], seconds: float) -> ForwardMsg:
    """Return the message that shows a sentence above a page for some seconds."""
    message = ForwardMsg()
    _place(message, RootContainer.EVENT, reader.script_hash)
    toast = message.delta.new_element.toast
    toast.body = load_catalogue(reader.language).gettext(NOTICES[kind])
    toast.duration = ceil(seconds)
    return message


def make_page(reader: Reader, session_id: str) -> Iterator[ForwardMsg]:
    """Yield the messages that make a page of one sentence; the tab keeps the id of the session that it had."""
    start = ForwardMsg()
    start.metadata.run.script_run_id = uuid4().hex
    start.new_session.name = "carburoam"
    start.new_session.initialize.environment_info.streamlit_version = st.__version__  # another: the page is loaded anew
    start.new_session.initialize.session_id = session_id
    start.new_session.initialize.user_info.SetInParent()
    # After the next connection the browser asks for a run only if one was under way.
    start.new_session.initialize.session_status.script_is_running = True
    start.new_session.config.toolbar_mode = start.new_session.config.MINIMAL
    yield start
    catalogue, shown = load_catalogue(reader.language), ForwardMsg()
    _place(shown, RootContainer.MAIN, "")
    shown.delta.new_element.alert.format = Alert.WARNING
    shown.delta.new_element.alert.title = catalogue.gettext(TITLE)
    shown.delta.new_element.alert.body = catalogue.gettext(SENTENCE)
    yield shown


def _place(message: ForwardMsg, container: int, script_hash: str) -> None:
    message.metadata.delta_path.extend((container, 0))
    message.metadata.active_script_hash = script_hash
