"""Fetching the archive of the feed, or another file that is loaded, from the web or from a path."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from errors import FeedRefused, FeedUnreachable
from settings import VERSION

MAX_ARCHIVE_BYTES = 50_000_000
MAX_SECONDS = 120.0  # for one address, retries and redirects included
CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
RETRIES = 2
MAX_REDIRECTS = 5
CHUNK_BYTES = 64 * 1024
USER_AGENT = f"Carburoam/{VERSION} (fuel price dashboard; python-requests)"


class Validators(NamedTuple):
    """What the server said of the version we have, so that it need not send it again."""

    etag: str | None
    last_modified: str | None


class Archive(NamedTuple):
    """A fetched file, open at its start; it is gone when closed."""

    file: IO[bytes]
    digest: str
    validators: Validators


class _Limit(NamedTuple):
    """How large a file may be, and what messages call it."""

    what: str
    max_bytes: int

    def require(self, size: int) -> None:
        if size > self.max_bytes:
            raise FeedRefused(f"the {self.what} is larger than {self.max_bytes // 1_000_000} MB")


@contextmanager
def fetch_archive(
    source: str,
    known: Validators | None = None,
    *,
    max_seconds: float | None = None,
    max_bytes: int | None = None,
    what: str = "archive",
) -> Iterator[Archive | None]:
    """Fetch the archive at `source`: an http(s) address, a file:// address or a path. None: it has not changed.

    `max_seconds` is for the whole download, `MAX_SECONDS` when None; `max_bytes` is `MAX_ARCHIVE_BYTES` when None.
    `what` is what messages call another file than the archive.

    Raises FeedUnreachable: no such file, no connection, a time-out, a certificate or an HTTP status that says no.
    Raises FeedRefused: too large, too slow, or a redirect that leaves the web or its encryption.
    """
    limit = _Limit(what, MAX_ARCHIVE_BYTES if max_bytes is None else max_bytes)
    try:
        scheme = urlsplit(source).scheme
    except ValueError as error:
        raise FeedUnreachable(f"the address of the {what} can't be read") from error
    if scheme in ("http", "https"):
        with tempfile.TemporaryFile() as file:
            seconds = MAX_SECONDS if max_seconds is None else max_seconds
            validators = _download_in_time(source, known, file, seconds, limit)
            yield None if validators is None else _finish(file, validators, limit)
    elif "://" in source and scheme != "file":
        raise FeedUnreachable(f"{hide_password(source)} is no address that is read: https, http or file, or a path")
    else:
        try:
            local: IO[bytes] = _find_file(source).open("rb")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise FeedUnreachable(f"{hide_password(source)} can't be read: {reason}") from error
        with local:
            yield _finish(local, Validators(None, None), limit)


def hide_password(source: str) -> str:
    """Return an address without user name and password, for logs and tables."""
    try:
        parts = urlsplit(source)
        _ = parts.port  # what is no number there is the start of a password with a "/" in it
    except ValueError:
        return "an address that can't be read"
    if "@" not in parts.netloc:
        return source
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _download_in_time(
    url: str, known: Validators | None, file: IO[bytes], max_seconds: float, limit: _Limit
) -> Validators | None:
    """Download in a thread that is left alone when time is up: looking up a name has no time-out of its own, and a
    server that drips its headers never lets one of ours end."""
    outcome: Future[Validators | None] = Future()

    def download() -> None:
        try:
            with _open_session() as session:
                outcome.set_result(_download(session, url, known, file, time.monotonic() + max_seconds, limit))
        except BaseException as error:  # noqa: BLE001 - handed over to the one who waits
            outcome.set_exception(error)

    threading.Thread(target=download, name="download", daemon=True).start()
    try:
        return outcome.result(max_seconds)
    except requests.exceptions.SSLError as error:
        raise FeedUnreachable(f"the certificate of {_host(url)} is not trusted") from error
    except TimeoutError as error:
        raise FeedRefused("the download takes too long") from error
    except requests.exceptions.RetryError as error:
        raise FeedUnreachable(f"{_host(url)} keeps answering with a server error") from error
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:  # ValueError: a redirect to no address
        trouble = "does not answer in time" if _is_timeout(error) else f"can't be reached ({type(error).__name__})"
        raise FeedUnreachable(f"{_host(url)} {trouble}") from error


def _is_timeout(error: Exception) -> bool:
    """Say whether time ran out; a read that did so at the last try comes wrapped in what the tries came to."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError) or isinstance(
        reason, urllib3.exceptions.ReadTimeoutError
    )


def _open_session() -> requests.Session:
    session = requests.Session()
    session.headers["User-Agent"] = USER_AGENT
    retries = Retry(
        total=RETRIES,
        backoff_factor=0.5,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=("GET",),
        respect_retry_after_header=False,
        raise_on_status=True,
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retries))
    return session


def _download(
    session: requests.Session, url: str, known: Validators | None, file: IO[bytes], deadline: float, limit: _Limit
) -> Validators | None:
    headers = {}
    if known is not None and known.etag:
        headers["If-None-Match"] = known.etag
    if known is not None and known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    for _ in range(MAX_REDIRECTS + 1):
        with session.get(
            url,
            headers=headers,
            stream=True,
            allow_redirects=False,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
        ) as response:
            if response.status_code == 304 and headers:
                return None
            if response.is_redirect:
                url = _follow(url, response.headers["Location"])
                continue
            if response.status_code != 200:
                raise FeedUnreachable(f"{_host(url)} answers with HTTP status {response.status_code}")
            _save(response, file, deadline, limit)
            return Validators(
                _bound(response.headers.get("ETag"), 200), _bound(response.headers.get("Last-Modified"), 100)
            )
    raise FeedUnreachable(f"{_host(url)} redirects more than {MAX_REDIRECTS} times")


def _follow(url: str, location: str) -> str:
    target = urljoin(url, location)
    scheme = urlsplit(target).scheme
    if scheme not in ("http", "https"):
        raise FeedRefused(f"{_host(url)} redirects to a {scheme or 'strange'}: address")
    if scheme == "http" and urlsplit(url).scheme == "https":
        raise FeedRefused(f"{_host(url)} redirects to an address without encryption")
    return target


def _save(response: requests.Response, file: IO[bytes], deadline: float, limit: _Limit) -> None:
    size = 0
    # One packet at a time, so that the time is looked at however slowly they come.
    while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
        size += len(chunk)
        limit.require(size)
        if time.monotonic() > deadline:
            raise FeedRefused("the download takes too long")
        file.write(chunk)


def _find_file(source: str) -> Path:
    parts = urlsplit(source)
    return Path(unquote(parts.path) if parts.scheme == "file" else source).expanduser()


def _finish(file: IO[bytes], validators: Validators, limit: _Limit) -> Archive:
    file.seek(0, 2)
    limit.require(file.tell())
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # IO[bytes] is what it takes
    file.seek(0)
    return Archive(file, digest, validators)


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the feed"


def _bound(text: str | None, length: int) -> str | None:
    return text if text is not None and len(text) <= length else None
