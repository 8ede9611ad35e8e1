"""Debian's nginx with the configuration that deploy/ ships, on loopback ports, in a folder of its own."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from web_server import write_certificate

from settings import ROOT

NAME = "localhost"
CLIENT_HEADER = "X-Test-Client"  # by which a test asks from any address; only this nginx believes it
# What Debian's own nginx.conf has around it, as far as it matters, with nothing outside the folder.
AROUND = """
{user}
daemon off;
pid {folder}/nginx.pid;
worker_processes 2;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type application/octet-stream;
    ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
    ssl_prefer_server_ciphers on;
    gzip on;
    set_real_ip_from 127.0.0.1;
    real_ip_header {client_header};
    include {folder}/carburoam.conf;
}}
"""


class Served(NamedTuple):
    """A line of the log; `server` is the address of who answered, "-" when nginx did, several when the first failed."""

    status: int
    path: str
    server: str


@dataclass(frozen=True)
class Nginx:
    """A running nginx."""

    folder: Path
    port: int
    plain_port: int
    certificate: Path

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"

    def make_context(self) -> ssl.SSLContext:
        """Return what a client needs to verify it."""
        return ssl.create_default_context(cafile=self.certificate)

    def read_log(self) -> list[Served]:
        lines = (self.folder / "access.log").read_text(encoding="utf-8").splitlines()
        found = (re.fullmatch(r"\S+ (\d{3}) \S+ (\S+) \d+ \S+ (.+)", line) for line in lines)
        return [Served(int(match[1]), match[2], match[3]) for match in found if match is not None]


def find_nginx() -> str | None:
    """Return the path of nginx; Debian has it where not everyone looks."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def render(folder: Path, port: int, plain_port: int, certificate: Path, servers: Sequence[str]) -> str:
    """Return the configuration that deploy/ ships with its name, addresses, ports and paths replaced, nothing else."""
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    text = re.sub(r"\n *listen \[::\]:\d+.*", "", text)  # not every machine has IPv6
    for shipped, ours in {
        "listen 80": f"listen 127.0.0.1:{plain_port}",
        "listen 443": f"listen 127.0.0.1:{port}",
        "server app1:8501": f"server {servers[0]}",
        "server app2:8501": f"server {servers[1]}",
        "carburoam.example": NAME,
        "/etc/nginx/tls/fullchain.pem": str(certificate),
        "/etc/nginx/tls/privkey.pem": str(certificate),
        "/var/log/nginx/": f"{folder}/",
        "/var/cache/": f"{folder}/cache-",
    }.items():
        assert shipped in text, shipped
        text = text.replace(shipped, ours)
    return text


def write_configuration(folder: Path, port: int, plain_port: int, servers: Sequence[str]) -> Path:
    """Write the configuration and a certificate; return the path of the certificate."""
    certificate = write_certificate(folder / "certificate.pem")
    (folder / "carburoam.conf").write_text(render(folder, port, plain_port, certificate, servers), encoding="utf-8")
    user = "user root;" if os.geteuid() == 0 else ""  # the folder is its owner's alone
    (folder / "nginx.conf").write_text(
        AROUND.format(folder=folder, user=user, client_header=CLIENT_HEADER), encoding="utf-8"
    )
    return certificate


def make_command(folder: Path, *more: str) -> list[str]:
    program = find_nginx()
    if program is None:
        raise FileNotFoundError("nginx is not installed")
    return [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf"), *more]


@contextmanager
def run_nginx(folder: Path, port: int, plain_port: int, servers: Sequence[str]) -> Iterator[Nginx]:
    """Run nginx in front of these two servers until the end of the block.

    Raises FileNotFoundError: it is not installed.
    """
    certificate = write_configuration(folder, port, plain_port, servers)
    process = subprocess.Popen(make_command(folder), stdin=subprocess.DEVNULL)
    try:
        yield Nginx(folder, port, plain_port, certificate)
    finally:
        process.terminate()
        process.wait(20)
