"""What a stranger tries with Streamlit's websocket, done to the real application; others notice nothing of it."""

from __future__ import annotations

import logging
import platform
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from ipaddress import ip_network

import pytest
import requests
import streamlit
import uvicorn
from loaded_server import read_log, run_loaded_server
from socket_client import Tab, list_widget_ids, make_address, open_tab
from starlette.types import Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackendOperationRequest, BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from api.metrics import Metrics
from bench.server import Server
from settings import ROOT
from socket_guard import (
    MESSAGE_BYTES,
    MOST_FRAMES,
    PASSING_OPERATIONS,
    PASSING_TYPES,
    THIS_MACHINE,
    WAITING_SHARE,
    GuardSocket,
    MessageBudget,
    name_client,
)

pytestmark = pytest.mark.slow

TABS, MESSAGES = 12, 40
TYPES = [field.name for field in BackMsg.DESCRIPTOR.oneofs_by_name["type"].fields]
OPERATIONS = [field.name for field in BackendOperationRequest.DESCRIPTOR.oneofs_by_name["payload"].fields]
SENTENCES = {
    "en": "Too many actions at once. This page will continue in a few seconds.",
    "fr": "Trop d'actions à la fois. Cette page reprend dans quelques secondes.",
}
TITLES = {"en": "Too many tabs", "fr": "Trop d'onglets"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_loaded_server(tmp_path_factory.mktemp("socket"), requests_per_minute=0) as server:
        yield server


def make_message(kind: str) -> BackMsg:
    message = BackMsg()
    field = getattr(message, kind)
    if isinstance(field, bool):
        setattr(message, kind, True)
    else:
        field.SetInParent()
    return message


def list_new_lines(server: Server, begin: int) -> list[str]:
    return read_log(server)[begin:].splitlines()


def expect_closed(server: Server, message: BackMsg | bytes | str, reason: str, code: int = 1008) -> None:
    """Send a message that closes the socket, and costs a line of the log; another tab goes on."""
    with open_tab(server.url) as other:
        before = len(read_log(server))
        with open_tab(server.url) as tab:
            tab.send(message)
            assert tab.read_close_code() == code
        lines = list_new_lines(server, before)
        assert len(lines) == 1, lines
        assert f"carburoam.socket socket status=closed reason={reason}" in lines[0]
        assert len(lines[0]) < 200
        assert other.run(other.make_rerun())


@pytest.mark.parametrize("payload", sorted(set(OPERATIONS) - PASSING_OPERATIONS))
def test_an_operation_that_no_page_needs_closes_the_socket(server: Server, payload: str) -> None:
    message = BackMsg()
    getattr(message.backend_operation_request, payload).SetInParent()
    expect_closed(server, message, f"type type=backend_operation_request payload={payload}")


def make_file_request(session_id: str, file_id: str) -> BackMsg:
    message = BackMsg()
    message.backend_operation_request.request_id = "1"
    message.backend_operation_request.session_id = session_id
    message.backend_operation_request.deferred_file.file_id = file_id
    return message


@pytest.mark.parametrize("is_own", [True, False])
def test_a_file_that_was_never_offered_costs_one_line_without_an_id(server: Server, is_own: bool) -> None:
    with open_tab(server.url) as tab:
        tab.run(tab.make_rerun())
        before = len(read_log(server))
        tab.send(make_file_request(tab.session_id if is_own else "0" * 8 + "-not-mine", "f" * 32))
        answer = tab.receive_until("backend_operation_response")[-1]
        assert answer.backend_operation_response.error_msg
        (line,) = list_new_lines(server, before)
        assert len(line) < 250
        assert tab.session_id[:8] not in line


@pytest.mark.parametrize("kind", sorted(set(TYPES) - PASSING_TYPES))
def test_a_message_that_no_page_needs_closes_the_socket(server: Server, kind: str) -> None:
    expect_closed(server, make_message(kind), f"type type={kind}")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "type type=None"),
        (b"\xff" * 50, "unreadable"),
        (b"\x5a\xff\xff\x03x", "unreadable"),
        ("a text", "text"),
        (BackMsg(clear_cache=True).SerializeToString() + b"\x28\x01", "type type="),
    ],
    ids=["empty", "junk", "cut off", "text", "two in one"],
)
def test_what_is_no_message_closes_the_socket(server: Server, message: bytes | str, reason: str) -> None:
    expect_closed(server, message, reason)


@pytest.mark.parametrize("field", ["page_script_hash", "fragment_id", "cached_message_hashes", "file_id"])
@pytest.mark.parametrize("value", ["x\nERROR forged", "../../x", "f" * 60_000], ids=["newline", "path", "long"])
def test_a_hash_that_is_none_closes_the_socket_and_never_reaches_the_log(
    server: Server, field: str, value: str
) -> None:
    message = BackMsg()
    if field == "file_id":
        message = make_file_request("", value)
    elif field == "cached_message_hashes":
        message.rerun_script.cached_message_hashes.append(value)
    else:
        setattr(message.rerun_script, field, value)
    expect_closed(server, message, "hash")


def test_a_fragment_that_nobody_knows_costs_no_line_of_the_log(server: Server) -> None:
    before = len(read_log(server))
    with open_tab(server.url) as tab:
        message = tab.make_rerun()
        message.rerun_script.fragment_id = "a" * 32
        tab.send(message)
        assert tab.run(tab.make_rerun())
    assert list_new_lines(server, before) == []


def test_what_a_page_needs_passes(server: Server) -> None:
    with open_tab(server.url) as tab:
        assert tab.run(tab.make_rerun())
        tab.send(make_message("stop_script"))
        tab.send(make_message("app_heartbeat"))
        assert tab.receive_until("heartbeat_ack")


def test_a_large_message_closes_the_socket_with_a_sentence(server: Server) -> None:
    with open_tab(server.url) as tab:
        tab.send(tab.make_rerun(query="q=" + "x" * (MESSAGE_BYTES - 200)))
        tab.receive_until("script_finished")
        before = len(read_log(server))
        tab.send(tab.make_rerun(query="q=" + "x" * MESSAGE_BYTES))
        assert tab.receive_until("delta")[-1].delta.new_element.toast.body
        assert tab.read_close_code() == 1009
        (line,) = list_new_lines(server, before)
        assert "socket status=closed reason=size bytes=" in line


def test_a_huge_message_is_refused_by_its_first_bytes(server: Server) -> None:
    with open_tab(server.url) as tab:
        announced = bytes([0x82, 0xFF]) + (1024 * 1024).to_bytes(8, "big") + b"mask"
        tab.connection.socket.sendall(announced)
        assert tab.read_close_code() == 1009


def test_a_huge_message_in_parts_is_refused(server: Server) -> None:
    def send_parts() -> Iterator[bytes]:
        for _ in range(300):
            yield b"x" * 1000

    with open_tab(server.url) as tab:
        with suppress(ConnectionClosed):
            tab.connection.send(send_parts())
        assert tab.read_close_code() == 1009


@pytest.mark.parametrize("first_byte", [0x89, 0x00], ids=["pings", "empty parts"])
def test_more_frames_than_a_browser_sends_end_the_connection(server: Server, first_byte: int) -> None:
    with open_tab(server.url) as tab:
        if first_byte == 0x00:
            tab.connection.socket.sendall(bytes([0x02, 0x80]) + b"mask")
        with suppress(OSError):
            tab.connection.socket.sendall((bytes([first_byte, 0x80]) + b"mask") * (MOST_FRAMES + 50))
        assert tab.read_close_code() == 1002
    with open_tab(server.url) as other:
        assert other.run(other.make_rerun())


def test_states_of_widgets_that_nobody_knows_are_dropped(server: Server) -> None:
    with open_tab(server.url) as tab:
        ids = list_widget_ids(tab.run(tab.make_rerun("landing")))
        message = tab.make_rerun("landing")
        for number in range(3000):
            message.rerun_script.widget_states.widgets.add(id=f"w{number}", bool_value=True)
        assert list_widget_ids(tab.run(message)) == ids
        for key in ("driver", "session_id"):  # keys of the session's state are no widgets
            forged = tab.make_rerun("profile")
            forged.rerun_script.widget_states.widgets.add(id=key, json_value='{"id": 1, "is_admin": true}')
            assert "textbox" not in str(tab.run(forged))
            assert any("account" in one.alert.title + one.heading.body for one in tab.elements)


def count_acks(tab: Tab, count: int) -> None:
    for _ in range(count):
        assert tab.receive().WhichOneof("type") == "heartbeat_ack"


@pytest.mark.parametrize("language", ["en", "fr"])
def test_messages_beyond_the_limit_wait_and_the_tab_is_told_why(server: Server, language: str) -> None:
    address = make_address()
    with open_tab(server.url, address) as tab, open_tab(server.url, address) as second:
        before = len(read_log(server))
        beat = make_message("app_heartbeat")
        for _ in range(MESSAGES - 1):
            tab.send(beat)
        count_acks(tab, MESSAGES - 1)
        second.send(beat)
        count_acks(second, 1)
        tab.send(tab.make_rerun(locale=language))
        notice = tab.receive()  # and nothing before it: the client's forty are used up
        assert notice.delta.new_element.toast.body == SENTENCES[language]
        with open_tab(server.url) as other:  # nobody else waits
            other.send(beat)
            count_acks(other, 1)
        (line,) = list_new_lines(server, before)
        assert "socket status=slowed reason=messages" in line
        assert tab.receive_until("script_finished"), "what waited is done"


def test_the_limit_of_messages_is_over_any_ten_seconds() -> None:
    now = 0.0
    budget = MessageBudget(3, clock=lambda: now)
    assert [budget.take("a") for _ in range(3)] == [0, 0, 0]
    assert budget.take("a") == 10
    assert budget.take("b") == 0
    now = 9.9
    assert budget.take("a") == pytest.approx(0.1)
    now = 10.0
    assert [budget.take("a") for _ in range(3)] == [0, 0, 0]
    assert budget.take("a") == 10
    assert [budget.take("") for _ in range(31)] == [0] * 30 + [10], "those that aren't known are many"
    assert {MessageBudget(0).take("a") for _ in range(100)} == {0}


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_tab_too_many_is_told_so_and_let_in_when_another_closes(server: Server, language: str) -> None:
    address = make_address()
    with ExitStack() as tabs:
        first, *_others = [tabs.enter_context(open_tab(server.url, address)) for _ in range(TABS)]
        with open_tab(server.url, address, session_id="kept") as late:
            late.send(late.make_rerun(query=f"q=69&lang={language.upper()}", locale="de"))
            start, page = late.receive(), late.receive()
            assert start.new_session.initialize.session_id == "kept"
            assert page.delta.new_element.alert.title == TITLES[language]
            with open_tab(server.url) as other:
                assert other.run(other.make_rerun())
            first.connection.close()
            assert late.read_close_code() == 1013
        with open_tab(server.url, address) as again:
            assert again.run(again.make_rerun())


def test_tabs_that_wait_have_a_limit_too_and_a_refused_handshake_is_no_error_in_the_log(server: Server) -> None:
    address = make_address()
    with ExitStack() as tabs:
        for _ in range(TABS * (1 + WAITING_SHARE)):
            tabs.enter_context(open_tab(server.url, address))
        before = len(read_log(server))
        with pytest.raises(InvalidStatus) as refusal, open_tab(server.url, address):
            pass
        assert refusal.value.response.status_code == 429
        assert int(refusal.value.response.headers["Retry-After"]) > 0
        assert list_new_lines(server, before) == []


def make_scope(peer: str, **headers: str) -> Scope:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "websocket", "client": (peer, 50_000), "headers": named}


@pytest.mark.parametrize(
    ("scope", "client"),
    [
        (make_scope("9.9.9.9"), "9.9.9.9"),
        (make_scope("9.9.9.9", x_forwarded_for="1.2.3.4"), "9.9.9.9"),
        (make_scope("10.0.0.1", x_forwarded_for="203.0.113.7"), "203.0.113.7"),
        (make_scope("10.0.0.1", x_forwarded_for="2001:db8::1"), "2001:db8::/64"),
        (make_scope("192.168.1.5"), "192.168.1.5"),
        (make_scope("192.168.1.5", x_forwarded_for="203.0.113.7"), "192.168.1.5"),
        (make_scope("127.0.0.1"), THIS_MACHINE),
        (make_scope("127.0.0.1", x_forwarded_for="203.0.113.7"), ""),
        (make_scope(""), ""),
    ],
)
def test_a_client_is_an_address_which_only_a_trusted_proxy_may_name(scope: Scope, client: str) -> None:
    assert name_client(scope, [ip_network("10.0.0.0/8")]) == client


def test_no_message_says_where_the_program_is_installed_or_what_runs_it(server: Server) -> None:
    received = []
    for page in ("", "landing", "dashboard", "choose", "station", "login", "register", "recover", "privacy", "about"):
        with open_tab(server.url) as tab:
            for query in ("zip=69", "id=1000001", "lang=fr", "id=%00"):
                tab.send(tab.make_rerun(page, query=query))
                while True:
                    data = tab.connection.recv(60, decode=False)
                    received.append(data)
                    message = ForwardMsg.FromString(data)
                    if message.WhichOneof("type") == "new_session":
                        start = message.new_session
                        assert start.main_script_path == "main.py"
                        assert start.initialize.environment_info.streamlit_version == streamlit.__version__
                        assert not start.initialize.environment_info.server_os
                        assert not start.initialize.environment_info.has_display
                        ids = start.initialize.user_info
                        assert not any((ids.installation_id, ids.installation_id_v3, ids.installation_id_v4))
                    if message.WhichOneof("type") == "script_finished":
                        break
    versions = (platform.python_version(), ".".join(map(str, sys.version_info)))
    for secret in (str(ROOT), str(server.settings.state_dir), sys.prefix, *versions):
        assert not [data for data in received if secret.encode() in data], secret


def test_a_tab_that_is_given_up_while_its_messages_wait_leaves_no_traceback(server: Server) -> None:
    address = make_address()
    before = len(read_log(server))
    with open_tab(server.url, address) as tab:
        for _ in range(MESSAGES + 20):
            tab.send(tab.make_rerun())
        tab.receive_until("new_session")
        tab.connection.socket.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 60
        while count_open_tabs(server) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert count_open_tabs(server) == 0
    lines = list_new_lines(server, before)
    assert not [line for line in lines if "reason=messages" not in line]


def count_open_tabs(server: Server) -> float:
    figures = requests.get(f"{server.url}/metrics", timeout=60).text
    (count,) = (line.split()[1] for line in figures.splitlines() if line.startswith("carburoam_sessions "))
    return float(count)


def test_the_id_of_a_session_never_reaches_the_log(server: Server) -> None:
    before = len(read_log(server))
    with open_tab(server.url) as tab:
        tab.run(tab.make_rerun())
        assert len(tab.session_id) == 36
        with open_tab(server.url, session_id=tab.session_id) as again:
            again.run(again.make_rerun())
            assert again.session_id == tab.session_id
    lines = list_new_lines(server, before)
    assert any("Session with id *** is already connected" in line for line in lines)
    assert not any(tab.session_id in line for line in lines)


def test_a_message_that_is_small_when_compressed_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """Compression is off; who turns it on is safe as well."""

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": "here"})

    caplog.set_level(logging.CRITICAL, "uvicorn.error")

    def refuse_reading() -> None:
        raise OSError

    guarded = GuardSocket(echo, 0, 0, (), Metrics(refuse_reading))  # type: ignore[arg-type]
    config = uvicorn.Config(guarded, port=0, ws="websockets-sansio", lifespan="on", log_level="critical")
    config.ws_per_message_deflate = True
    runner = uvicorn.Server(config)
    thread = threading.Thread(target=runner.run)
    thread.start()
    try:
        while not runner.started:
            thread.join(0.01)
        port = runner.servers[0].sockets[0].getsockname()[1]
        with connect(f"ws://127.0.0.1:{port}/", compression="deflate", max_size=None) as connection:
            assert connection.protocol.extensions
            with pytest.raises(ConnectionClosed) as closed:
                connection.send(b"\0" * 20_000_000)
                connection.recv(60)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
    finally:
        runner.should_exit = True
        thread.join()
