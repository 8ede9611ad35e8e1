"""Fetching the archive: what is asked of the server, what is made of its answers, and that it ends in time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from web_server import (
    Answer,
    Behaviour,
    Exchange,
    WebServer,
    drip_body,
    drip_headers,
    occupy_port,
    stay_silent,
    write_certificate,
)

from errors import FeedError, FeedRefused, FeedUnreachable
from feed.download import Archive, Validators, fetch_archive, hide_password
from settings import VERSION

ARCHIVE = b"an archive, for all that this module knows" * 100
OK = Answer(200, ARCHIVE)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time-outs of a fraction of a second, and no second try."""
    monkeypatch.setattr("feed.download.MAX_SECONDS", 0.4)
    monkeypatch.setattr("feed.download.RETRIES", 0)


def fetch(source: str, known: Validators | None = None) -> tuple[bytes, Archive] | None:
    with fetch_archive(source, known) as archive:
        return None if archive is None else (archive.file.read(), archive)


def redirect(location: str, status: int = 302) -> Answer:
    return Answer(status, headers=(("Location", location),))


def test_the_archive_comes_with_its_digest_and_validators(web: WebServer) -> None:
    modified = "Tue, 10 Mar 2026 12:00:00 GMT"
    url = web.lay_out("/feed.zip", Answer(200, ARCHIVE, (("ETag", '"a1"'), ("Last-Modified", modified))))
    fetched = fetch(url)
    assert fetched is not None
    content, archive = fetched
    assert content == ARCHIVE
    assert len(archive.digest) == 64
    assert archive.validators == Validators('"a1"', modified)


def test_the_digest_tells_contents_apart(tmp_path: Path) -> None:
    digests = []
    for content in (b"one", b"two", b"one"):
        (tmp_path / "feed.zip").write_bytes(content)
        with fetch_archive(str(tmp_path / "feed.zip")) as archive:
            assert archive is not None
            digests.append(archive.digest)
    assert digests[0] == digests[2] != digests[1]


def test_the_program_says_who_it_is(web: WebServer) -> None:
    fetch(web.lay_out("/feed.zip", OK))
    assert web.requests[0].headers["user-agent"].startswith(f"Carburoam/{VERSION} ")


def test_what_is_known_of_the_last_version_is_sent_along(web: WebServer) -> None:
    url = web.lay_out("/feed.zip", Answer(304))
    assert fetch(url, Validators('"a1"', "Tue, 10 Mar 2026 12:00:00 GMT")) is None
    assert web.requests[0].headers["if-none-match"] == '"a1"'
    assert web.requests[0].headers["if-modified-since"] == "Tue, 10 Mar 2026 12:00:00 GMT"


def test_nothing_is_asked_conditionally_when_nothing_is_known(web: WebServer) -> None:
    fetch(web.lay_out("/feed.zip", OK), Validators(None, None))
    assert not web.requests[0].headers.keys() & {"if-none-match", "if-modified-since"}


def test_not_modified_without_a_condition_is_an_error(web: WebServer) -> None:
    with pytest.raises(FeedUnreachable, match="HTTP status 304"):
        fetch(web.lay_out("/feed.zip", Answer(304)))


def test_validators_that_fit_no_column_are_forgotten(web: WebServer) -> None:
    url = web.lay_out("/feed.zip", Answer(200, ARCHIVE, (("ETag", "a" * 201), ("Last-Modified", "b" * 101))))
    fetched = fetch(url)
    assert fetched is not None
    assert fetched[1].validators == Validators(None, None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(web: WebServer, status: int) -> None:
    web.lay_out("/feed.zip", OK)
    for location in ("/feed.zip", web.get_url("/feed.zip")):
        fetched = fetch(web.lay_out("/old", redirect(location, status)), Validators('"a1"', None))
        assert fetched is not None
        assert fetched[0] == ARCHIVE
    assert [request.path for request in web.requests] == ["/old", "/feed.zip"] * 2
    assert web.requests[1].headers["if-none-match"] == '"a1"'


def test_user_and_password_of_the_address_are_sent_but_not_to_another_server(web: WebServer) -> None:
    with WebServer() as other:
        web.lay_out("/old", redirect(other.lay_out("/feed.zip", OK)))
        fetched = fetch(web.get_url("/old", user="me:secret"))
    assert fetched is not None
    assert web.requests[0].headers["authorization"].startswith("Basic ")
    assert "authorization" not in other.requests[0].headers


def test_a_server_error_is_tried_again(web: WebServer) -> None:
    fetched = fetch(web.lay_out("/feed.zip", Answer(503), OK))
    assert fetched is not None
    assert fetched[0] == ARCHIVE
    assert len(web.requests) == 2


def test_tries_have_an_end(web: WebServer) -> None:
    with pytest.raises(FeedUnreachable, match="keeps answering with a server error"):
        fetch(web.lay_out("/feed.zip", Answer(500)))
    assert len(web.requests) == 3


@pytest.mark.parametrize("status", [204, 401, 403, 404, 410, 418])
def test_a_status_that_says_no_is_not_tried_again(web: WebServer, status: int) -> None:
    with pytest.raises(FeedUnreachable, match=f"HTTP status {status}"):
        fetch(web.lay_out("/feed.zip", Answer(status)))
    assert len(web.requests) == 1


def end_early(exchange: Exchange) -> None:
    exchange.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\nabc")


def talk_nonsense(exchange: Exchange) -> None:
    exchange.wfile.write(b"nonsense\r\n\r\n")


def hang_up(exchange: Exchange) -> None:
    exchange.wfile.close()


def send_chunks(exchange: Exchange) -> None:
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
    for start in range(0, len(ARCHIVE), 1000):
        chunk = ARCHIVE[start : start + 1000]
        exchange.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
    exchange.wfile.write(b"0\r\n\r\n")


def test_an_archive_sent_in_chunks_is_one(web: WebServer) -> None:
    fetched = fetch(web.lay_out("/feed.zip", send_chunks))
    assert fetched is not None
    assert fetched[0] == ARCHIVE


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("behaviour", [end_early, talk_nonsense, hang_up])
def test_an_answer_that_breaks_off_is_an_error(web: WebServer, behaviour: Behaviour) -> None:
    with pytest.raises(FeedUnreachable, match=r"127\.0\.0\.1 can't be reached"):
        fetch(web.lay_out("/feed.zip", behaviour))


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize(
    ("location", "error", "message"),
    [
        ("/feed.zip", FeedUnreachable, "redirects more than 5 times"),
        ("file:///etc/passwd", FeedRefused, "redirects to a file: address"),
        ("ftp://127.0.0.1/feed.zip", FeedRefused, "redirects to a ftp: address"),
        ("data:text/plain,x", FeedRefused, "redirects to a data: address"),
        ("http://[bad/", FeedUnreachable, "can't be reached"),
        ("http://127.0.0.1:99999/", FeedUnreachable, "can't be reached"),
        ("http://xn--\xe9/", FeedUnreachable, "can't be reached"),
        (f"http://{'a' * 70}.invalid/", FeedUnreachable, "can't be reached"),
    ],
)
def test_a_redirect_to_nowhere_is_not_followed(
    web: WebServer, location: str, error: type[FeedError], message: str
) -> None:
    with pytest.raises(error, match=message):
        fetch(web.lay_out("/feed.zip", redirect(location)))


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feed.download.RETRIES", 0)
    with WebServer(write_certificate(tmp_path / "server.pem")) as server:
        with pytest.raises(FeedUnreachable, match=r"certificate of 127\.0\.0\.1 is not trusted"):
            fetch(server.lay_out("/feed.zip", OK))
        assert server.requests == []


def test_encryption_is_never_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, web: WebServer) -> None:
    certificate = write_certificate(tmp_path / "server.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with WebServer(certificate) as server:
        fetched = fetch(server.lay_out("/feed.zip", OK))
        assert fetched is not None
        assert fetched[0] == ARCHIVE
        plain = web.lay_out("/feed.zip", OK)
        with pytest.raises(FeedRefused, match="without encryption"):
            fetch(server.lay_out("/old", redirect(plain)))
    assert web.requests == []


def test_a_server_that_never_answers_is_given_up(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feed.download.READ_SECONDS", 0.1)
    monkeypatch.setattr("feed.download.RETRIES", 0)
    with pytest.raises(FeedUnreachable, match="does not answer in time"):
        fetch(web.lay_out("/feed.zip", stay_silent))


@pytest.mark.parametrize("behaviour", [stay_silent, drip_headers, drip_body])
def test_a_download_ends_when_its_time_is_up(web: WebServer, behaviour: Behaviour) -> None:
    url = web.lay_out("/feed.zip", behaviour)
    with pytest.raises(FeedRefused, match="takes too long"), fetch_archive(url, max_seconds=0.3):
        pass
    assert web.asked.wait(30)


def test_nobody_listening_is_an_error() -> None:
    with occupy_port() as url, pytest.raises(FeedUnreachable, match=r"127\.0\.0\.1 can't be reached"):
        fetch(url)


def send_without_end(exchange: Exchange) -> None:
    exchange.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
    while not exchange.server.closing.is_set():
        exchange.wfile.write(ARCHIVE)


def test_an_archive_without_end_is_given_up(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feed.download.MAX_ARCHIVE_BYTES", 1_000_000)
    monkeypatch.setattr("feed.download.MAX_SECONDS", 10)
    with pytest.raises(FeedRefused, match="archive is larger than 1 MB"):
        fetch(web.lay_out("/feed.zip", send_without_end))


def test_an_archive_that_is_too_large_is_refused(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feed.download.MAX_ARCHIVE_BYTES", len(ARCHIVE))
    fetched = fetch(web.lay_out("/feed.zip", OK))
    assert fetched is not None
    with pytest.raises(FeedRefused, match="archive is larger than"):
        fetch(web.lay_out("/feed.zip", Answer(200, ARCHIVE + b"x")))


def test_a_file_is_read_by_its_path_or_its_address(tmp_path: Path) -> None:
    path = tmp_path / "le fichier.zip"
    path.write_bytes(ARCHIVE)
    for source in (str(path), path.as_uri()):
        fetched = fetch(source)
        assert fetched is not None
        assert (fetched[0], fetched[1].validators) == (ARCHIVE, Validators(None, None))


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feed.download.MAX_ARCHIVE_BYTES", 10)
    (tmp_path / "feed.zip").write_bytes(ARCHIVE)
    with pytest.raises(FeedRefused, match="archive is larger than"):
        fetch(str(tmp_path / "feed.zip"))


@pytest.mark.parametrize(
    "source",
    [
        "/there/is/none.zip",
        "file:///there/is/none.zip",
        "/",  # a folder
        "a\0b",
        "http://",
        "http://[",
        "https:feed.zip",
        "http://127.0.0.1:99999/",
        "ftp://me:secret@127.0.0.1/feed.zip",
        "http://me:sec/secret@127.0.0.1/feed.zip",
    ],
)
def test_an_address_that_leads_nowhere_is_an_error_of_one_line(source: str) -> None:
    with pytest.raises(FeedUnreachable, match=r"^[^\n]+$") as error:
        fetch(source)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("https://me:secret@feed.example/a?b=c", "https://feed.example/a?b=c"),
        ("https://me@feed.example:8443/a", "https://feed.example:8443/a"),
        ("https://me:sec@ret@feed.example/a", "https://feed.example/a"),
        ("ftp://me:secret@feed.example/a", "ftp://feed.example/a"),
        ("https://feed.example/a@b", "https://feed.example/a@b"),
        ("/home/me@work/feed.zip", "/home/me@work/feed.zip"),
        ("sample", "sample"),
        ("https://me:sec/ret@feed.example/a", "an address that can't be read"),
        ("https://me:secret@[", "an address that can't be read"),
    ],
)
def test_user_and_password_of_an_address_are_not_shown(source: str, shown: str) -> None:
    assert hide_password(source) == shown
