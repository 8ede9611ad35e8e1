"""The settings: read once from the environment or a `.env` file, typed and validated. Nothing else reads them."""

from __future__ import annotations

import os
import re
from email.utils import parseaddr
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from errors import SettingRefused

ROOT = Path(__file__).resolve().parent
VERSION = "0.1.0"

# "Prix des carburants en France", flux instantané: with the stock-outs, and without as a fallback.
PUBLIC_FEEDS = (
    "https://donnees.roulez-eco.fr/opendata/instantane_ruptures",
    "https://donnees.roulez-eco.fr/opendata/instantane",
)
SAMPLE_FEED = "sample"
AS_OF_FEED = "feed"  # the one clock that can be set: ages count from the newest report of the loaded feed


class Settings(BaseSettings):
    """Where the installation keeps its state, which feed it loads and how often."""

    model_config = SettingsConfigDict(
        env_prefix="CARBUROAM_", env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    state_dir: Path = Field(default=ROOT, validate_default=True)
    database_url: str = ""
    feed_url: str = ""
    refresh_seconds: int = Field(default=21_600, ge=10, le=7 * 86_400)
    contact: str = Field(default="", max_length=200)
    map_tiles: str = ""
    secret_key: SecretStr = SecretStr("")
    smtp_url: SecretStr = SecretStr("")
    mail_from: str = Field(default="carburoam@localhost", max_length=254)
    base_url: str = "http://localhost:8501"
    trusted_proxies: str = ""
    trusted_scrapers: str = ""
    requests_per_minute: int = Field(default=120, ge=0, le=100_000)
    tabs_per_address: int = Field(default=12, ge=0, le=100_000)
    messages_per_10_seconds: int = Field(default=40, ge=0, le=100_000)
    connections_per_address: int = Field(default=100, ge=0, le=100_000)
    as_of: str = ""

    @field_validator("state_dir")
    @classmethod
    def _resolve_state_dir(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("map_tiles")
    @classmethod
    def _require_tile_template(cls, value: str) -> str:
        if value and not (value.startswith("https://") and all(part in value for part in ("{x}", "{y}", "{z}"))):
            raise ValueError("must be an https:// address with {z}, {x} and {y} in it")
        return value

    @field_validator("secret_key")
    @classmethod
    def _require_long_key(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < 32:
            raise ValueError("must have 32 characters or more")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _require_smtp(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if value.get_secret_value() and not (parts.scheme in ("smtp", "smtps") and parts.hostname):
            raise ValueError("must be smtp://user:password@host:port or smtps://...")
        return value

    @field_validator("mail_from")
    @classmethod
    def _require_address(cls, value: str) -> str:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(value)[1]):
            raise ValueError("must be an e-mail address")
        return value

    @field_validator("base_url")
    @classmethod
    def _strip_base_url(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("trusted_proxies", "trusted_scrapers")
    @classmethod
    def _require_networks(cls, value: str) -> str:
        _read_networks(value)
        return value

    @field_validator("as_of")
    @classmethod
    def _require_clock(cls, value: str) -> str:
        if value not in ("", AS_OF_FEED):
            raise ValueError(f"must be {AS_OF_FEED} or left out")
        return value

    @property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The addresses whose X-Forwarded-For counts."""
        return _read_networks(self.trusted_proxies)

    @property
    def scrapers(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The addresses that may read /metrics, besides this machine."""
        return _read_networks(self.trusted_scrapers)

    @property
    def public_url(self) -> str:
        """The base URL where one was set; empty otherwise, since nobody knows whose port that of the default is."""
        return "" if self.base_url == type(self).model_fields["base_url"].default else self.base_url

    @property
    def can_mail(self) -> bool:
        """Whether a mail server is set; without one, mails are written to files and addresses can't be confirmed."""
        return bool(self.smtp_url.get_secret_value())

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the database: SQLite in the state dir unless another was named."""
        return self.database_url or f"sqlite:///{self.state_dir / 'db.sqlite3'}"

    @property
    def feeds(self) -> tuple[str, ...]:
        """The addresses to try, in order, until one can be loaded."""
        return (self.feed_url,) if self.feed_url else PUBLIC_FEEDS

    def as_environment(self) -> dict[str, str]:
        """Return this process's environment with these settings in it, for a process that is to have the same."""
        ours = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            ours[f"CARBUROAM_{name.upper()}"] = str(value.get_secret_value() if isinstance(value, SecretStr) else value)
        return os.environ | ours

    def make_state_dir(self) -> None:
        """Make the folder of the state where it is missing. Raises SettingRefused: it can't be made."""
        try:
            self.state_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingRefused(f"CARBUROAM_STATE_DIR: no folder can be made there ({error.strerror})") from error

    @property
    def pid_file(self) -> Path:
        return self.state_dir / "pid.txt"

    @property
    def lastjob_file(self) -> Path:
        return self.state_dir / "lastjob.txt"

    @property
    def outputs_dir(self) -> Path:
        return self.state_dir / "outputs"


def read_settings() -> Settings:
    """Read the settings.

    Raises SettingRefused: when one cannot be used; the text names each with what is wrong. The value itself is
    left out, since a database URL holds a password.
    """
    try:
        return Settings()
    except ValidationError as error:
        complaints = (f"CARBUROAM_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors() if e["loc"])
        raise SettingRefused("; ".join(complaints)) from None


def _read_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part, strict=False) for part in text.replace(",", " ").split())
