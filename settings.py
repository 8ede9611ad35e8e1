"""The settings: read once from the environment or a `.env` file, typed and validated. Nothing else reads them."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, ValidationError, field_validator
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
        ours = {f"CARBUROAM_{name.upper()}": str(getattr(self, name)) for name in type(self).model_fields}
        return os.environ | ours

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
