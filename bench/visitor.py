"""A visitor without a browser: one tab that speaks the protocol of Streamlit 1.67 with a running server.

It opens pages, changes widgets by their keys and presses buttons. As the browser does, it keeps the states of all
widgets and the query of its address and sends both with every rerun. It draws nothing, fetches no file and keeps no
cache of messages; components, which set values of their own in a browser, say nothing here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ANSWER_SECONDS = 60.0
# Where the browser has no XSRF cookie yet, it sends this word in its place.
SUBPROTOCOLS = ("streamlit", "PLACEHOLDER_AUTH_TOKEN")
# Which field of a widget's state holds its value, by the kind of element.
VALUE_FIELDS = {
    "button": "trigger_value",
    "button_group": "string_array_value",
    "checkbox": "bool_value",
    "multiselect": "string_array_value",
    "number_input": "double_value",
    "radio": "string_value",
    "selectbox": "string_value",
    "text_area": "string_value",
    "text_input": "string_value",
}
TEXT_FIELDS = ("title", "label", "body", "value", "default")

Value = str | bool | float | list[str]


class VisitFailed(Exception):
    """The server showed an exception, closed the connection or did not answer in time."""


@asynccontextmanager
async def open_visit(
    url: str, cookies: Mapping[str, str] | None = None, *, address: str = ""
) -> AsyncIterator[Visitor]:
    """Open a tab of a browser that has these cookies; it shows no page yet.

    `address` is the browser's, as a proxy on loopback tells it, which the server must trust.
    """
    headers = {"X-Forwarded-For": address} if address else {}
    headers |= {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
    async with connect(
        f"ws{url.removeprefix('http')}/_stcore/stream",
        origin=url,  # type: ignore[arg-type]  # a NewType of str
        subprotocols=SUBPROTOCOLS,  # type: ignore[arg-type]  # likewise
        additional_headers=headers,
        user_agent_header="Mozilla/5.0 (carburoam bench)",
        max_size=None,
        compression=None,
    ) as socket:
        yield Visitor(socket, url)


class Visitor:
    """One tab. Each action returns the milliseconds until the server said that the rerun was over."""

    def __init__(self, socket: ClientConnection, url: str) -> None:
        self._socket = socket
        self._url = url
        self._page = ""
        self._page_hash = ""
        self._main_hash = ""
        self._page_hashes: dict[str, str] = {}
        self._query: dict[str, str] = {}
        self._drawn: dict[tuple[int, ...], tuple[str, Element]] = {}
        self._states: dict[str, WidgetState] = {}
        self._fragment = ""  # the last one that runs by itself again and again

    async def open_page(self, page: str = "", query: Mapping[str, str] | None = None) -> float:
        """Open a page by its name in the address ("" is the first): by its address at first, then as a link does."""
        self._page, self._query = page, dict(query or {})
        if not self._page_hashes:
            return await self._rerun()
        self._page_hash = self._page_hashes[page]
        # Only what the script of all pages draws outlives the change.
        kept = {self._get_widget_id(element) for script, element in self._drawn.values() if script == self._main_hash}
        self._states = {id_: state for id_, state in self._states.items() if id_ in kept}
        return await self._rerun()

    async def rerun(self) -> float:
        """Let the page run again with nothing changed."""
        return await self._rerun()

    async def rerun_fragment(self) -> float:
        """Let the part of the page that runs by itself again and again do so."""
        return await self._rerun(fragment=self._fragment)

    async def send_rerun(self) -> None:
        """Ask for a rerun without waiting for it."""
        await self._socket.send(self._make_request().SerializeToString())

    async def change(self, key: str, value: Value) -> float:
        """Change a widget outside any form."""
        self._set(key, value)
        return await self._rerun()

    async def press(self, key: str) -> float:
        """Press a button outside any form."""
        return await self._press(self._find_widget(key))

    async def submit(self, form: str, fields: Mapping[str, Value]) -> float:
        """Fill in these fields and submit the form by its first button."""
        for field, value in fields.items():
            self._set(field, value)
        for _, element in self._drawn.values():
            button = element.button  # empty in an element of another kind
            if button.is_form_submitter and button.form_id == form:
                return await self._press(element)
        raise VisitFailed(f"no form {form!r} on the page {self._page!r}: {self.list_texts()}")

    def has_page(self, page: str) -> bool:
        """Say whether the navigation leads to a page of that address; the first page's is empty."""
        return page in self._page_hashes

    def has_widget(self, key: str) -> bool:
        """Say whether the page has a widget of this key."""
        return any(self._get_key(element) == key for _, element in self._drawn.values())

    def list_texts(self) -> list[str]:
        """Return the texts on the page, in the order of their places."""
        return [
            text
            for _, (_, element) in sorted(self._drawn.items())
            for name in TEXT_FIELDS
            if isinstance(text := getattr(_open_element(element), name, None), str) and text
        ]

    def list_errors(self) -> list[str]:
        """Return what the page shows as an error."""
        return [
            element.alert.body
            for _, element in self._drawn.values()
            if element.WhichOneof("type") == "alert" and element.alert.format == element.alert.ERROR
        ]

    async def _press(self, button: Element) -> float:
        return await self._rerun(WidgetState(id=self._get_widget_id(button), trigger_value=True))

    async def _rerun(self, trigger: WidgetState | None = None, fragment: str = "") -> float:
        """Ask for a run of the page, or of a fragment alone, and take in what it draws."""
        message = self._make_request(trigger, fragment)
        start = time.perf_counter()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._socket.send(message.SerializeToString())
                await self._take_answer(is_fragment=bool(fragment))
        except TimeoutError:
            raise VisitFailed(f"no answer within {ANSWER_SECONDS} s") from None
        except ConnectionClosed as error:
            raise VisitFailed(f"the server closed the connection: {error}") from error
        milliseconds = 1000 * (time.perf_counter() - start)
        drawn = {self._get_widget_id(element) for _, element in self._drawn.values()}
        self._states = {id_: state for id_, state in self._states.items() if id_ in drawn}
        for _, element in self._drawn.values():
            if element.WhichOneof("type") == "exception":
                raise VisitFailed(f"{element.exception.type}: {element.exception.message}")
        return milliseconds

    def _make_request(self, trigger: WidgetState | None = None, fragment: str = "") -> BackMsg:
        message = BackMsg()
        request = message.rerun_script
        request.fragment_id = fragment
        request.query_string = urlencode(self._query)
        request.page_script_hash = self._page_hash
        request.page_name = "" if self._page_hash else self._page
        request.context_info.url = f"{self._url}/{self._page}"
        request.context_info.locale = "en"
        request.context_info.timezone = "Europe/Paris"
        request.context_info.color_scheme = "light"
        request.widget_states.widgets.extend([*self._states.values(), *([trigger] if trigger is not None else [])])
        return message

    async def _take_answer(self, *, is_fragment: bool) -> None:
        """Take in what the server sends, up to the end of the run; a script may start itself again before."""
        message = ForwardMsg()
        while True:
            data = await self._socket.recv(decode=False)
            message.ParseFromString(data)
            kind = message.WhichOneof("type")
            if kind == "new_session":
                if not is_fragment:
                    self._drawn.clear()
                self._page_hash = message.new_session.page_script_hash
                self._main_hash = message.new_session.main_script_hash
            elif kind == "navigation":
                self._page_hash = message.navigation.page_script_hash
                self._page_hashes = {
                    "" if page.is_default else page.url_pathname: page.page_script_hash
                    for page in message.navigation.app_pages
                }
            elif kind == "auto_rerun":
                self._fragment = message.auto_rerun.fragment_id
            elif kind == "page_info_changed":
                self._query = dict(parse_qsl(message.page_info_changed.query_string, keep_blank_values=True))
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                self._take_element(message)
            elif kind == "session_event" and message.session_event.HasField("script_compilation_exception"):
                raise VisitFailed(message.session_event.script_compilation_exception.message)
            elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return

    def _take_element(self, message: ForwardMsg) -> None:
        element = Element()
        element.CopyFrom(message.delta.new_element)
        self._drawn[tuple(message.metadata.delta_path)] = (message.metadata.active_script_hash, element)
        kind, id_ = element.WhichOneof("type"), self._get_widget_id(element)
        if kind not in VALUE_FIELDS or kind == "button" or not id_:
            return
        widget: Any = _open_element(element)
        if widget.set_value or id_ not in self._states:
            value = _read_value(widget)
            if value is not None:
                self._keep(element, value)

    def _set(self, key: str, value: Value) -> None:
        element = self._find_widget(key)
        self._keep(element, value)
        if bound := getattr(_open_element(element), "query_param_key", ""):
            self._query[bound] = value[0] if isinstance(value, list) else str(value)

    def _keep(self, element: Element, value: Value) -> None:
        id_, field = self._get_widget_id(element), VALUE_FIELDS[str(element.WhichOneof("type"))]
        state = WidgetState(id=id_)
        if field == "string_array_value":
            state.string_array_value.data.extend(value if isinstance(value, list) else [str(value)])
            state.string_array_value.SetInParent()
        else:
            setattr(state, field, value)
        self._states[id_] = state

    def _find_widget(self, key: str) -> Element:
        for _, element in self._drawn.values():
            if self._get_key(element) == key:
                return element
        raise VisitFailed(f"no widget {key!r} on the page {self._page!r}: {self.list_texts()}")

    @staticmethod
    def _get_widget_id(element: Element) -> str:
        return str(getattr(_open_element(element), "id", ""))

    @classmethod
    def _get_key(cls, element: Element) -> str:
        """Return the key that the program gave a widget: the id is "$$ID-", a hash, a hyphen and the key."""
        return cls._get_widget_id(element).partition("-")[2].partition("-")[2]


def _open_element(element: Element) -> object:
    return getattr(element, str(element.WhichOneof("type")))


def _read_value(widget: Any) -> Value | None:
    """Return what a widget is drawn with, chosen options by their texts; None when nothing."""
    for name in ("value", "raw_value", "raw_values") if widget.set_value else ("default",):
        field = widget.DESCRIPTOR.fields_by_name.get(name)
        if field is None or (field.has_presence and not widget.HasField(name)):
            continue
        value = getattr(widget, name)
        value = value if isinstance(value, str | bool | float | int) else list(value)
        if name != "default" or not hasattr(widget, "options"):
            return value
        chosen = [widget.options[index] for index in (value if isinstance(value, list) else [value])]
        texts = [option if isinstance(option, str) else option.content for option in chosen]
        return texts if isinstance(value, list) else texts[0]
    return None
