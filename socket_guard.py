"""What stands before Streamlit's websocket: which messages pass, how large, how many, and how many tabs a client has.

A tab sends very little: "run again", with the states of its widgets, and rarely "stop" or a sign of life. Streamlit
itself would take anything from anybody: empty the caches of all, run git, parse 25 MB.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import anyio
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from starlette.datastructures import Headers
from starlette.websockets import WebSocketDisconnected
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ProtocolError

from api.limits import MAX_BUCKETS, UNKNOWN, UNKNOWN_SHARE, find_peer, name_bucket, refuse, refuse_handshake
from origins import FORWARDED_FOR, Network, find_address, is_from_this_machine
from socket_sentences import Reader, find_reader, make_notice, make_page

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.metrics import Metrics

# What a page needs. Streamlit knows more, for those who develop an app or for widgets that no page has.
PASSING_TYPES = frozenset({"rerun_script", "stop_script", "app_heartbeat", "backend_operation_request"})
# Of the operations: to make a file that is offered for download, by the id that only its tab knows.
PASSING_OPERATIONS = frozenset({"deferred_file"})
MESSAGE_BYTES = 64 * 1024  # measured in a browser: the largest of a page is below 2 KB
# What the server itself reads of one message, before it closes the connection without a word from us.
FRAME_BYTES = 4 * MESSAGE_BYTES
MESSAGE_SECONDS = 10.0
MOST_FRAMES = 400  # in ten seconds; a message is one, and so is an answer to the server's ping, every 30 s
NOTICE_SECONDS = 6.0
TURNED_AWAY_SECONDS = 30.0  # after which a tab that found no place tries again
WAITING_SHARE = 4  # so many times what may be open: each costs little more than a connection
TURNED_AWAY_MESSAGES = 20
THIS_MACHINE = "this machine"
POLICY_VIOLATION, TOO_BIG, TRY_AGAIN = 1008, 1009, 1013  # codes of RFC 6455 and IANA

_HASH = re.compile(r"[0-9a-f]{0,64}")
_REQUEST_ID = re.compile(r"[0-9a-zA-Z-]{0,64}")

logger = logging.getLogger("carburoam.socket")


@dataclass(frozen=True)
class Fault:
    """Why a message does not pass; `detail` is what the log says beyond the reason."""

    reason: str
    code: int = POLICY_VIOLATION
    detail: str = ""


def find_fault(message: Message) -> tuple[Fault | None, BackMsg]:
    """Return what is wrong with a message that came over the socket, and the message as Streamlit will read it."""
    parsed = BackMsg()
    data = message.get("bytes")
    if data is None:
        return Fault("text"), parsed
    if len(data) > MESSAGE_BYTES:
        return Fault("size", TOO_BIG, f"bytes={len(data)}"), parsed
    try:
        parsed.ParseFromString(data)
    except DecodeError:
        return Fault("unreadable", detail=f"bytes={len(data)}"), parsed
    kind = parsed.WhichOneof("type")
    if kind not in PASSING_TYPES:
        return Fault("type", detail=f"type={kind}"), parsed
    operation = parsed.backend_operation_request
    if kind == "backend_operation_request" and operation.WhichOneof("payload") not in PASSING_OPERATIONS:
        return Fault("type", detail=f"type={kind} payload={operation.WhichOneof('payload')}"), parsed
    if not all(map(_REQUEST_ID.fullmatch, (operation.request_id, operation.session_id))):
        return Fault("hash"), parsed
    request = parsed.rerun_script
    hashes = (request.page_script_hash, request.fragment_id, operation.deferred_file.file_id)
    if not all(map(_HASH.fullmatch, (*hashes, *request.cached_message_hashes))):
        return Fault("hash"), parsed
    return None, parsed


class MessageBudget:
    """How many messages each client has sent in the last ten seconds; of this server alone. 0: any number."""

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._sent: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Count a message; return 0, or the seconds after which there is room for one."""
        if not self._count:
            return 0.0
        now = self._clock()
        sent = self._sent.setdefault(client, deque())
        self._sent.move_to_end(client)
        if len(self._sent) > MAX_BUCKETS:
            self._sent.popitem(last=False)
        while sent and sent[0] <= now - MESSAGE_SECONDS:
            sent.popleft()
        if len(sent) >= self._count * count_shares(client):
            return sent[0] + MESSAGE_SECONDS - now
        sent.append(now)
        return 0.0


class OpenTabs:
    """How many sockets each client holds open, and how many wait for a place. 0: any number."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._open: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()

    def has_place(self, client: str) -> bool:
        """Say whether the client may open one more."""
        return not self._count or self._open[client] < self._count * count_shares(client)

    def can_wait(self, client: str) -> bool:
        """Say whether one more may wait for a place."""
        return self._waiting[client] < WAITING_SHARE * self._count * count_shares(client)

    def hold(self, client: str) -> AbstractContextManager[None]:
        """Count an open tab until the end of the block."""
        return _count(self._open, client)

    def wait(self, client: str) -> AbstractContextManager[None]:
        """Count a tab that waits until the end of the block."""
        return _count(self._waiting, client)


@contextmanager
def _count(counts: Counter[str], client: str) -> Iterator[None]:
    """Count one more for a client until the end of the block."""
    counts[client] += 1
    try:
        yield
    finally:
        counts[client] -= 1
        if not counts[client]:
            del counts[client]


def count_shares(client: str) -> int:
    """Return how many clients' worth one may have: those whose address isn't known are many."""
    return UNKNOWN_SHARE if client == UNKNOWN else 1


def name_client(scope: Scope, proxies: Sequence[Network]) -> str:
    """Return by what name the client of a socket is counted.

    Programs of this machine are one; those who come through a proxy of this machine that isn't trusted are UNKNOWN.
    """
    headers, peer = Headers(scope=scope), find_peer(scope)
    if is_from_this_machine(peer, headers.keys()):
        return THIS_MACHINE
    return name_bucket(find_address(peer, headers.getlist(FORWARDED_FOR), proxies))


class GuardSocket:
    """ASGI middleware around the websocket of a tab."""

    def __init__(
        self,
        app: ASGIApp,
        tabs_per_address: int,
        messages_per_10_seconds: int,
        proxies: Sequence[Network],
        metrics: Metrics,
    ) -> None:
        self._app = app
        self._tabs = OpenTabs(tabs_per_address)
        self._budget = MessageBudget(messages_per_10_seconds)
        self._proxies = proxies
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            limit_bytes(receive)
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        limit_frames(receive)
        client = name_client(scope, self._proxies)
        if self._tabs.has_place(client):
            with self._tabs.hold(client):
                tab = Tab(receive, send, client, self._budget, self._metrics)
                try:
                    await self._app(scope, tab.receive, tab.send)
                except WebSocketDisconnected:  # Streamlit reads on, or closes, after a message that couldn't be sent
                    if not tab.has_left:
                        raise
            return
        self._metrics.refused.labels("open_tabs").inc()
        if not self._tabs.can_wait(client):
            await refuse_handshake(refuse(int(TURNED_AWAY_SECONDS), in_problems=False), scope, receive, send)
            return
        logger.warning("socket status=refused reason=tabs")
        with self._tabs.wait(client):
            await self._turn_away(scope, receive, send, client)

    async def _turn_away(self, scope: Scope, receive: Receive, send: Send, client: str) -> None:
        """Show the tab a page that says why, and let go of it when there is a place: the browser then tries again."""
        wanted = [text.strip() for text in Headers(scope=scope).get("sec-websocket-protocol", "").split(",")]
        await receive()  # websocket.connect
        await send({"type": "websocket.accept", "subprotocol": wanted[0] or None})
        deadline, messages = anyio.current_time() + TURNED_AWAY_SECONDS, 0
        while anyio.current_time() < deadline and messages < TURNED_AWAY_MESSAGES:
            if self._tabs.has_place(client):
                break
            message = None
            with anyio.move_on_after(1):
                message = await receive()
            if message is None:
                continue
            if message["type"] == "websocket.disconnect":
                return
            messages += 1
            if messages == 1:  # it says which language the browser speaks
                fault, parsed = find_fault(message)
                reader = Reader() if fault else find_reader(parsed)
                for part in make_page(reader, wanted[2] if len(wanted) > 2 else ""):
                    await send(_wrap(part))
        await send({"type": "websocket.close", "code": TRY_AGAIN})


class Tab:
    """The two ends of a socket as Streamlit gets them: what is refused ends it."""

    def __init__(self, receive: Receive, send: Send, client: str, budget: MessageBudget, metrics: Metrics) -> None:
        self._receive = receive
        self._send = send
        self._client = client
        self._budget = budget
        self._metrics = metrics
        self._is_closed = False
        self._told_until = 0.0
        self.has_left = False

    async def receive(self) -> Message:
        """Return the next message that passes; one that doesn't closes the socket, as if the tab had left."""
        if self._is_closed:
            return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}
        message = await self._receive()
        if message["type"] == "websocket.disconnect" and message.get("code") == TOO_BIG:
            self._note(Fault("size", detail=f"bytes>{FRAME_BYTES}"))
        if message["type"] != "websocket.receive":
            self.has_left = message["type"] == "websocket.disconnect"
            return message
        fault, parsed = find_fault(message)
        if fault is not None:
            self._note(fault)
            await self._close(fault)
            return {"type": "websocket.disconnect", "code": fault.code}
        await self._wait_for_turn(parsed)
        return message

    async def send(self, message: Message) -> None:
        """Send what Streamlit sends, as long as the socket is open. Raises OSError if the tab has left."""
        if self._is_closed:
            return
        try:
            await self._send(hide_machine(message))
        except OSError:
            self.has_left = True
            raise

    async def _wait_for_turn(self, message: BackMsg) -> None:
        """Wait until there is room for one more message of this client: nothing that was pressed is lost."""
        while seconds := self._budget.take(self._client):
            self._metrics.refused.labels("messages").inc()
            if (now := anyio.current_time()) >= self._told_until:
                self._told_until = now + MESSAGE_SECONDS
                logger.warning("socket status=slowed reason=messages seconds=%.1f", seconds)
                await self.send(_wrap(make_notice(find_reader(message), "often", max(seconds, NOTICE_SECONDS))))
            await anyio.sleep(seconds)

    async def _close(self, fault: Fault) -> None:
        if fault.code == TOO_BIG:
            await self.send(_wrap(make_notice(Reader(), "size", NOTICE_SECONDS)))
        self._is_closed = True
        await self._send({"type": "websocket.close", "code": fault.code, "reason": "refused"})

    def _note(self, fault: Fault) -> None:
        self._metrics.refused.labels("messages").inc()
        logger.warning("socket status=closed reason=%s %s", fault.reason, fault.detail)


def _wrap(message: ForwardMsg) -> Message:
    return {"type": "websocket.send", "bytes": message.SerializeToString()}


def hide_machine(message: Message) -> Message:
    """Return a message to a tab without the facts about this machine that the first message of each run carries.

    No page needs the folder of the program, the versions of Python and the system, or the ids of the installation.
    Streamlit's version stays: the browser compares it with that of its scripts.
    """
    data = message.get("bytes")
    if not data:
        return message
    parsed = ForwardMsg.FromString(data)
    if parsed.WhichOneof("type") != "new_session":
        return message
    start = parsed.new_session
    start.main_script_path = PurePath(start.main_script_path).name
    environment, user = start.initialize.environment_info, start.initialize.user_info
    environment.python_version = environment.server_os = ""
    environment.has_display = False
    user.installation_id = user.installation_id_v3 = user.installation_id_v4 = ""
    return {**message, "bytes": parsed.SerializeToString()}


def limit_bytes(receive: Receive) -> None:
    """Let the server read no larger messages than pages send; it would take in 200 MB before anybody could object.

    Streamlit names one size for both directions, and what it sends may be larger. ASGI hands on no configuration;
    uvicorn's `receive` of the lifespan is a method of what holds it, as it is read for every connection to come.
    """
    config: Any = getattr(getattr(receive, "__self__", None), "config", None)
    if hasattr(config, "ws_max_size"):
        config.ws_max_size = FRAME_BYTES


def limit_frames(receive: Receive) -> None:
    """End a connection that sends more frames than any browser: pings, and parts of messages, never reach the app.

    The server answers each ping at once, whether or not anybody reads the answers, and keeps each part.
    """
    connection: Any = getattr(getattr(receive, "__self__", None), "conn", None)
    take_frame = getattr(connection, "recv_frame", None)
    if take_frame is None:
        return
    taken: deque[float] = deque(maxlen=MOST_FRAMES)

    def take_frame_in_turn(frame: object) -> None:
        now = time.monotonic()
        if len(taken) == MOST_FRAMES and taken[0] > now - MESSAGE_SECONDS:
            raise ProtocolError("too many frames")
        taken.append(now)
        take_frame(frame)

    connection.recv_frame = take_frame_in_turn
