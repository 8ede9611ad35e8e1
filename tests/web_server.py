"""A web server on loopback that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Answer(NamedTuple):
    """One answer as the server gives it; headers go out as they are."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Request(NamedTuple):
    """What a client asked for; the names of the headers are in small letters."""

    path: str
    headers: dict[str, str]


Behaviour = Callable[["Exchange"], None]


class WebServer(ThreadingHTTPServer):
    """Answers each path with what was laid out for it, one after the other, the last again and again."""

    daemon_threads = True
    request_queue_size = 500  # that come at once

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.scheme = "http"
        self.requests: list[Request] = []
        self.asked = threading.Event()  # a request has come
        self.closing = threading.Event()
        self._answers: dict[str, list[Answer | Behaviour]] = {}
        self._lock = threading.Lock()
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    def lay_out(self, path: str, *answers: Answer | Behaviour) -> str:
        """Say how the path is answered from now on, and return its address."""
        with self._lock:
            self._answers[path] = list(answers)
        return self.get_url(path)

    def get_url(self, path: str, *, user: str = "") -> str:
        return f"{self.scheme}://{user and f'{user}@'}127.0.0.1:{self.server_port}{path}"

    def take_answer(self, path: str) -> Answer | Behaviour:
        with self._lock:
            answers = self._answers.get(path, [Answer(404, b"nothing here")])
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def handle_error(self, *_: Any) -> None:
        """Say nothing of a client that went away."""

    def __enter__(self) -> WebServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


class Exchange(BaseHTTPRequestHandler):
    """One request and its answer."""

    server: WebServer

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(Request(self.path, headers))
        self.server.asked.set()
        answer = self.server.take_answer(self.path)
        if isinstance(answer, Answer):
            self.send(answer)
        else:
            answer(self)

    def send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        names = {name.lower() for name, _ in answer.headers}
        if "content-length" not in names:
            self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def stay_silent(exchange: Exchange) -> None:
    """Take the request and never answer it."""
    exchange.server.closing.wait()


def drip_headers(exchange: Exchange) -> None:
    """Send the status line, then a header byte by byte without end."""
    exchange.wfile.write(b"HTTP/1.0 200 OK\r\n")
    while not exchange.server.closing.wait(0.02):
        exchange.wfile.write(b"X")


def drip_body(exchange: Exchange) -> None:
    """Send an archive byte by byte without end."""
    exchange.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: application/zip\r\n\r\nPK")
    while not exchange.server.closing.wait(0.02):
        exchange.wfile.write(b"\0")


@contextmanager
def occupy_port() -> Iterator[str]:
    """Give an address on loopback where connections are refused: the port is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/feed.zip"


def write_certificate(path: Path) -> Path:
    """Write a key and a certificate for 127.0.0.1 and localhost that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a feed on loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1")), x509.DNSName("localhost")]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return path
