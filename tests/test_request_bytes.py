"""What a client may send before anything of it is parsed, on a server as Streamlit makes it, and cut anywhere."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as some
from starlette.types import Receive, Scope, Send
from test_connections import BOTH_LOOPS, Loop, Watched, answer, open_connection, serve

from connections import Connections
from request_bytes import (
    MALFORMED,
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_LEFT_BYTES,
    TOO_LARGE,
    RequestBytes,
    find_body_bytes,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"1\r\nx\r\n"


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.is_over = False

    def is_closing(self) -> bool:
        return self.is_over

    def abort(self) -> None:
        self.is_over = True


def feed(*parts: bytes) -> tuple[list[bytes], str]:
    """Return what is parsed of these parts, and how it ends."""
    transport, parsed, ends = Transport(), list[bytes](), list[str]()

    def refuse(refusal: bytes) -> None:
        ends.append("refused" if refusal == TOO_LARGE else "malformed")
        transport.abort()

    received = RequestBytes(transport, parsed.append, refuse)
    for part in parts:
        received.receive(part)
    return parsed, ends[0] if ends else "aborted" if transport.is_over else ""


def make_head(size: int) -> bytes:
    """Make a head of so many bytes."""
    start, end = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: ", b"\r\n\r\n"
    return start + b"a" * (size - len(start) - len(end)) + end


@given(some.lists(some.integers(0, 300), max_size=6))
def test_requests_are_parsed_alike_wherever_the_network_cuts_them(cuts: list[int]) -> None:
    sent = GET + POST % 20 + b"b" * 20 + GET
    ends = sorted({min(cut, len(sent)) for cut in cuts} | {0, len(sent)})
    parsed, end = feed(*(sent[start:stop] for start, stop in pairwise(ends)))
    assert b"".join(parsed) == sent
    assert GET in parsed
    assert not end


def test_nothing_of_a_head_is_parsed_before_its_end() -> None:
    assert feed(*(GET[index : index + 1] for index in range(len(GET) - 1))) == ([], "")


@pytest.mark.parametrize(
    "head",
    [
        make_head(MAX_HEAD_BYTES + 1),
        make_head(MAX_HEAD_BYTES * 5)[:-4],
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (MAX_HEADERS + 1) + b"\r\n",
        b"GET / HTTP/1.1\n" + b"a: b\n" * (MAX_HEADERS + 2),
        b"\r\n\r\n" * 1000,
    ],
    ids=["large", "without an end", "many headers", "many lines", "empty"],
)
def test_a_head_that_no_page_sends_is_refused_unparsed(head: bytes) -> None:
    assert feed(head) == ([], "refused")


# The parser behind takes some of these for heads of a body, of which each piece that looks like a head came to it.
MALFORMED_HEADS = [
    b"GET / HTTP/1.1\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: a\nContent-Length: 9999999999\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: a\rContent-Length: 9\r\n\r\n",
    b"GET / HTTP/1.1\nContent-Length: 9999999999\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: 9999999999, 9999999999\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length:\r\n 9999999999\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: +9\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length:\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length : 9\r\n\r\n",
    b"GET / HTTP/1.1\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\n: a\r\n\r\n",
]


@pytest.mark.parametrize("head", MALFORMED_HEADS, ids=repr)
def test_a_head_of_which_two_readers_could_make_two_things_is_refused_unparsed(head: bytes) -> None:
    assert feed(head, b"2\r\n\r\n\r\n" * 100) == ([], "malformed")


@given(some.lists(some.sampled_from([*b"a:\r\n \t,0", b"content-length", b"transfer-encoding: chunked", b"\r\n"])))
def test_a_body_is_as_long_as_the_parser_takes_it_for(parts: list[int | bytes]) -> None:
    middle = b"".join(part if isinstance(part, bytes) else bytes([part]) for part in parts)
    head = b"POST / HTTP/1.1\r\nHost: a\r\n" + middle + b"\r\n\r\n"
    head = head[: head.index(b"\r\n\r\n") + 4]
    try:
        length = find_body_bytes(head)
    except ValueError:
        return
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(head)
    try:
        request = parser.next_event()
    except h11.RemoteProtocolError:
        return
    assert isinstance(request, h11.Request)
    headers = dict(request.headers)
    assert (b"transfer-encoding" in headers) == (length is None)
    assert int(headers.get(b"content-length", 0)) == (length or 0)


def test_the_largest_head_and_the_longest_body_pass() -> None:
    for sent in (make_head(MAX_HEAD_BYTES), POST % MAX_BODY_BYTES + b"b" * MAX_BODY_BYTES):
        parsed, end = feed(sent)
        assert b"".join(parsed) == sent
        assert not end


@pytest.mark.parametrize(
    "head", [POST % (MAX_BODY_BYTES + 1), CHUNKED, CHUNKED.replace(b"Transfer", b"tRANSFER")], ids=str
)
def test_a_body_that_no_page_sends_is_left_out_and_ends_the_connection(head: bytes) -> None:
    assert feed(head, CHUNK * 1000, GET) == ([head], "")
    assert feed(head, *[CHUNK * 1000] * (MAX_LEFT_BYTES // 6000 + 1)) == ([head], "aborted")


@BOTH_LOOPS
@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (make_head(MAX_HEAD_BYTES + 1), TOO_LARGE),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 14_000, TOO_LARGE),
        (make_head(MAX_HEAD_BYTES - 100), b"HTTP/1.1 200 OK"),
        (POST % 500_000, b"HTTP/1.1 200 OK"),
        (CHUNKED, b"HTTP/1.1 200 OK"),
        *((head, MALFORMED) for head in MALFORMED_HEADS),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_a_server_answers_what_it_reads_no_further(sent: bytes, answered: bytes, loop: Loop) -> None:
    with serve(Watched(Connections(0, ())), loop) as port, closing(open_connection(port, sent)) as connection:
        assert connection.recv(1000).startswith(answered[:30])


@BOTH_LOOPS
def test_a_body_in_tiny_chunks_without_end_ends_the_connection(loop: Loop) -> None:
    """Each chunk cost a call of the parser: one connection kept a server from everything else."""
    with (
        serve(Watched(Connections(0, ())), loop) as port,
        closing(open_connection(port, CHUNKED)) as connection,
        pytest.raises(OSError, match=r"reset|[Bb]roken pipe"),
    ):
        for _ in range(10_000):  # 60 MB
            connection.sendall(CHUNK * 1000)


@BOTH_LOOPS
def test_a_request_whose_time_was_up_raises_no_alarm(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    async def take_long(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)
        await answer(scope, receive, send)

    watched = Watched(Connections(0, (), seconds=0.001), take_long)
    with serve(watched, loop) as port:
        for _ in range(100):
            with closing(open_connection(port, GET)) as connection, suppress(OSError):
                connection.recv(1000)
    assert "status=unknown" not in caplog.text
