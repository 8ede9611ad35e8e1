"""A tab without a browser that says whatever a test wants over the socket, from an address of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

ANSWER_SECONDS = 60.0
ADDRESSES = count(1)


def make_address() -> str:
    """Return the address of somebody who has not been here before."""
    number = next(ADDRESSES)
    return f"198.51.{number // 250}.{number % 250 + 1}"


class Tab:
    """One socket."""

    def __init__(self, connection: ClientConnection, url: str) -> None:
        self.connection = connection
        self._url = url
        self.session_id = ""
        self.elements: list[Element] = []  # drawn by the last run

    def send(self, message: BackMsg | bytes | str) -> None:
        self.connection.send(message if isinstance(message, bytes | str) else message.SerializeToString())

    def receive(self) -> ForwardMsg:
        """Return the next message of the server. Raises ConnectionClosed."""
        return ForwardMsg.FromString(self.connection.recv(ANSWER_SECONDS, decode=False))

    def receive_until(self, kind: str) -> list[ForwardMsg]:
        """Return the messages up to the next one of this kind."""
        messages = [self.receive()]
        while messages[-1].WhichOneof("type") != kind:
            messages.append(self.receive())
        return messages

    def read_close_code(self) -> int | None:
        """Return the code with which the server closes, after whatever it sends before."""
        try:
            while True:
                self.receive()
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd is not None else None

    def make_rerun(self, page: str = "", *states: WidgetState, query: str = "", locale: str = "en") -> BackMsg:
        """Return what a browser says that shows a page with these states of widgets."""
        message = BackMsg()
        request = message.rerun_script
        request.page_name, request.query_string = page, query
        request.context_info.url = f"{self._url}/{page}"
        request.context_info.locale = locale
        request.widget_states.widgets.extend(states)
        return message

    def run(self, message: BackMsg) -> list[Element]:
        """Let a page run, and return what it draws."""
        self.send(message)
        self.elements = []
        while True:
            answer = self.receive()
            kind = answer.WhichOneof("type")
            if kind == "new_session":
                self.elements = []
                self.session_id = answer.new_session.initialize.session_id
            elif kind == "delta" and answer.delta.WhichOneof("type") == "new_element":
                self.elements.append(answer.delta.new_element)
            elif kind == "script_finished" and answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return self.elements


@contextmanager
def open_tab(
    url: str,
    address: str | None = None,
    *,
    origin: str | None = None,
    session_id: str = "",
    headers: dict[str, str] | None = None,
) -> Iterator[Tab]:
    """Open a socket as a page of this server does, behind a proxy that it trusts."""
    with connect(
        f"ws://{urlsplit(url).netloc}/_stcore/stream",
        origin=origin or url,  # type: ignore[arg-type]  # a NewType of str
        subprotocols=["streamlit", "PLACEHOLDER_AUTH_TOKEN", *filter(None, [session_id])],  # type: ignore[list-item]
        additional_headers={"X-Forwarded-For": address or make_address(), **(headers or {})},
        max_size=None,
        compression=None,
        open_timeout=ANSWER_SECONDS,
        ping_interval=None,
    ) as connection:
        yield Tab(connection, url)


def list_widget_ids(elements: list[Element]) -> list[str]:
    """Return the ids of the widgets among elements."""
    found = (str(getattr(getattr(one, str(one.WhichOneof("type"))), "id", "")) for one in elements)
    return [id_ for id_ in dict.fromkeys(found) if id_.startswith("$$ID")]
