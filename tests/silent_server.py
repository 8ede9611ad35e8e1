"""A server on loopback that takes every connection and says nothing, as a PostgreSQL does that stands still."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.postgres_cluster import Cluster


@contextmanager
def run_silent_server() -> Iterator[int]:
    """Give the port of such a server."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    held.append(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


@contextmanager
def stand_still(cluster: Cluster) -> Iterator[None]:
    """Stop all processes of a cluster, without ending any: what was asked of it stays without an answer."""
    number = int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
    numbers = [number, *_list_children(number)]
    try:
        for one in numbers:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGSTOP)
        yield
    finally:
        for one in numbers:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGCONT)


def _list_children(number: int) -> list[int]:
    children = Path(f"/proc/{number}/task/{number}/children")
    return [int(child) for child in children.read_text().split()]
