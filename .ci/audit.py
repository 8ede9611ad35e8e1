"""Ask OSV whether an advisory names a package that requirements.lock or requirements-dev.lock pins.

Exit 0 when none does, 1 when one does. Where the advisories can't be had, which is not the fault of a change, it says
why and exits 0 too: nothing is known then. 2 when something else went wrong.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
SECONDS = 120
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)")
# How uv words that the service was not reached, or that what stands between or the service itself refused to answer.
OUT_OF_REACH = re.compile(r"error sending request|HTTP status (?:server error|client error \((?:403|407|429) )")


def read_pins(*locks: Path) -> list[tuple[str, str]]:
    """Return the packages that these files pin with their versions, of which one may have several.

    Raises ValueError: a line pins nothing, and would go unaudited.
    """
    pins = set()
    for lock in locks:
        for line in lock.read_text(encoding="utf-8").splitlines():
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if (match := PIN.match(line)) is None:
                raise ValueError(f"{lock.name}: no pinned version in {line!r}")
            pins.add((match[1].lower(), match[2]))
    return sorted(pins)


def write_project(folder: Path, pins: list[tuple[str, str]]) -> None:
    """Write what uv audits: a project that is locked to these packages, so that uv resolves and fetches nothing."""
    (folder / "pyproject.toml").write_text('[project]\nname = "audited"\nversion = "0"\nrequires-python = ">=3.11"\n')
    (folder / "uv.lock").write_text("".join(_list_lock_lines(pins)))


def _list_lock_lines(pins: list[tuple[str, str]]) -> Iterator[str]:
    yield 'version = 1\nrequires-python = ">=3.11"\n'
    source = 'source = { registry = "https://pypi.org/simple" }'
    for name, version in pins:
        yield f'\n[[package]]\nname = "{name}"\nversion = "{version}"\n{source}\n'
    yield '\n[[package]]\nname = "audited"\nversion = "0"\nsource = { virtual = "." }\n'
    needed = "".join(f'    {{ name = "{name}", version = "{version}", {source} }},\n' for name, version in pins)
    yield f"dependencies = [\n{needed}]\n"


def main(arguments: list[str]) -> int:
    """Audit; the arguments are handed on to `uv audit`."""
    pins = read_pins(*(ROOT / name for name in LOCKS))
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder), pins)
        program = str(Path(sys.executable).with_name("uv"))
        command = [program, "audit", "--frozen", "--no-progress", "--preview-features", "audit-command", *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={"UV_HTTP_TIMEOUT": "10", **os.environ},  # and three more tries
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return _skip(f"no answer within {SECONDS} s")
    if done.returncode == 2 and OUT_OF_REACH.search(done.stderr):
        return _skip(" ".join(done.stderr.split()))
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


def _skip(reason: str) -> int:
    sys.stdout.write(f"audit skipped, the advisories are out of reach: {reason}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
