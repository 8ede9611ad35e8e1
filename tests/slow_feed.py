"""A feed server on loopback that holds its answer until the test lets it go on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast


class SlowFeed(ThreadingHTTPServer):
    """Serves one archive: the first half at once, the rest when `go_on` is set; a silent one holds all of it."""

    daemon_threads = True

    def __init__(self, archive: bytes, *, port: int = 0, silent: bool = False, status: int = 200) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.archive = archive
        self.silent = silent
        self.status = status
        self.asked = threading.Event()  # a request has come, and the first half went out
        self.go_on = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/feed.zip"

    def __enter__(self) -> SlowFeed:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        feed = cast(SlowFeed, self.server)
        if feed.status != 200:
            self.send_error(feed.status)
            feed.asked.set()
            return
        half = 0 if feed.silent else len(feed.archive) // 2
        if not feed.silent:
            self._send_head(feed)
        self.wfile.write(feed.archive[:half])
        feed.asked.set()
        feed.go_on.wait()
        try:
            if feed.silent:
                self._send_head(feed)
            self.wfile.write(feed.archive[half:])
        except ConnectionError:
            pass  # whoever asked is gone, as the test wanted

    def _send_head(self, feed: SlowFeed) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(feed.archive)))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def open_black_hole() -> Iterator[int]:
    """Give a port of loopback whose packets vanish: nobody takes the connections that fill its queue."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(10):
            client = stack.enter_context(socket.socket())
            client.settimeout(0.2)
            try:
                client.connect(listener.getsockname())
            except TimeoutError:
                break
        else:
            raise AssertionError("the queue of the socket does not fill up")
        yield listener.getsockname()[1]


def find_closed_port() -> int:
    """Return a port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
