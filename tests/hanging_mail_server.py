"""A mail server on loopback that hangs from some step on: it says nothing more, or one byte now and then."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

# What it answers to the connection, EHLO, MAIL, RCPT, DATA, and the mail itself.
ANSWERS = (b"220 x", b"250 x", b"250 OK", b"250 OK", b"354 go on", b"250 taken")
DRIBBLE_SECONDS = 0.02


class HangingMailServer:
    """Gives the first `count` answers to each connection and then hangs, until whoever connected breaks off."""

    def __init__(self, count: int = 0, *, dribbles: bool = False, answers: Sequence[bytes] = ANSWERS) -> None:
        self._answers = answers[:count]
        self._dribbles = dribbles
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self.hangs = threading.Event()  # someone waits for an answer
        self.left = threading.Event()  # someone has waited long enough

    def __enter__(self) -> HangingMailServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            reader = connection.makefile("rb")
            for number, answer in enumerate(self._answers):
                if number:
                    end = b".\r\n" if number == 5 else None  # of the mail; a command is one line
                    while (line := reader.readline()) and end not in (None, line):
                        pass
                connection.sendall(answer + b"\r\n")
            self.hangs.set()
            connection.settimeout(DRIBBLE_SECONDS)
            while not self._closing.is_set():
                try:
                    if not connection.recv(4096):
                        break
                except TimeoutError:
                    if self._dribbles:
                        connection.sendall(b"2")
        self.left.set()
