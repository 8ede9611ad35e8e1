"""The files of deployments name what exists, hold no secret, and what an image would hold runs. No engine is needed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser
from test_project import FILES

from settings import ROOT, Settings

SETTINGS = {f"CARBUROAM_{name.upper()}" for name in Settings.model_fields}
ENV_FILES = sorted((ROOT / "deploy").glob("*.env.example"))
UNIT = ROOT / "deploy" / "carburoam@.service"
POSTGRES_VARIABLES = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}


@pytest.fixture
def dockerfile() -> DockerfileParser:
    return DockerfileParser(str(ROOT / "Dockerfile"))


@pytest.fixture
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def list_steps(dockerfile: DockerfileParser, instruction: str) -> list[str]:
    return [step["value"] for step in dockerfile.structure if step["instruction"] == instruction]


def read_env_file(path: Path) -> dict[str, str]:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def copy_context(target: Path) -> None:
    """Copy what .dockerignore lets through: it ignores all, then names what goes in, then what of that does not."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    for pattern in (line.removeprefix("!") for line in lines if line.startswith("!")):
        found = sorted(ROOT.glob(pattern))
        assert found, f"{pattern} names nothing"
        for path in found:
            to = target / path.relative_to(ROOT)
            to.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, to, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
            else:
                shutil.copy(path, to)


def list_folder(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_image_is_small_and_runs_as_nobody_in_particular(dockerfile: DockerfileParser) -> None:
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", dockerfile.baseimage)
    users = list_steps(dockerfile, "USER")
    assert int(users[-1]) >= 10_000
    steps = [step["instruction"] for step in dockerfile.structure]
    assert steps.index("USER") > max(number for number, name in enumerate(steps) if name in ("RUN", "COPY"))
    assert list_steps(dockerfile, "ADD") == []
    assert any(f"--uid {users[-1]} " in step for step in list_steps(dockerfile, "RUN"))


def test_the_image_has_what_is_pinned(dockerfile: DockerfileParser) -> None:
    copies = [step.split() for step in list_steps(dockerfile, "COPY")]
    assert copies == [["requirements.lock", "./"], [".", "./"]]
    assert any("-r requirements.lock" in step for step in list_steps(dockerfile, "RUN"))


def test_the_image_names_settings_that_exist_and_no_secret(dockerfile: DockerfileParser) -> None:
    assert {name for name in dockerfile.envs if name.startswith("CARBUROAM_")} <= SETTINGS
    assert list_steps(dockerfile, "VOLUME") == [dockerfile.envs["CARBUROAM_STATE_DIR"]]
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert not re.search(r"(?i)secret_key|password|smtp|database_url", text)
    assert list_steps(dockerfile, "ARG") == []


def test_nothing_but_the_program_goes_into_the_image(tmp_path: Path) -> None:
    copy_context(tmp_path)
    names = list_folder(tmp_path)
    assert {str(path.relative_to(ROOT)) for path in FILES} <= names, "a file of the program is left out"
    tops = {name.split("/")[0] for name in names}
    assert tops.isdisjoint({"tests", "bench", "deploy", "docs", "outputs", ".git", ".env", "secret.key", "pid.txt"})
    assert {name for name in names if name.startswith(".")} == {".streamlit/config.toml"}
    assert [name for name in names if name.endswith((".sqlite3", ".key", ".lock", ".pem", ".env"))] == [
        "requirements.lock"
    ]


@pytest.mark.slow
def test_what_is_in_the_image_starts_and_is_healthy(dockerfile: DockerfileParser, tmp_path: Path) -> None:
    copy_context(tmp_path / "app")
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    port = list_steps(dockerfile, "EXPOSE")[0]
    check = list_steps(dockerfile, "HEALTHCHECK")[0].partition("CMD ")[2]
    free = find_free_port()
    command, check_command = (
        [sys.executable, *json.loads(text.replace(port, free))[1:]] for text in (dockerfile.cmd, check)
    )
    command = ["--server.address=127.0.0.1" if part.startswith("--server.address") else part for part in command]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CARBUROAM_")},
        **{name: value for name, value in dockerfile.envs.items() if name.startswith("PYTHON")},
        "CARBUROAM_STATE_DIR": str(state_dir),
        "CARBUROAM_FEED_URL": "sample",
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path / "app", env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        assert subprocess.run(check_command, capture_output=True, timeout=60).returncode != 0, "healthy too early"
        deadline = time.monotonic() + 60
        while subprocess.run(check_command, capture_output=True, timeout=60).returncode != 0:
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            assert process.poll() is None, (tmp_path / "log").read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    written = {name for name in list_folder(tmp_path / "app") if "__pycache__" not in name}
    copy_context(tmp_path / "again")
    assert written == list_folder(tmp_path / "again"), "it writes beside the state dir"


def find_free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_the_services_fit_together(compose: dict[str, Any], dockerfile: DockerfileParser) -> None:
    services = compose["services"]
    assert set(services) == {"app1", "app2", "nginx", "postgres"}
    upstream = re.findall(r"^ +server (\w+):(\d+);", (ROOT / "deploy" / "nginx.conf").read_text(), re.MULTILINE)
    assert upstream == [(name, list_steps(dockerfile, "EXPOSE")[0]) for name in ("app1", "app2")]
    assert [name for name, service in services.items() if "ports" in service] == ["nginx"], "only nginx is reached"
    assert services["nginx"]["ports"] == ["80:80", "443:443"]
    volumes = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])]
    assert len(volumes) == len(set(volumes)), "a state dir is one server's"
    assert {volume for volume in volumes if not volume.startswith("./")} == set(compose["volumes"])
    assert (ROOT / "deploy" / "nginx.conf").is_file()
    for app in ("app1", "app2"):
        assert services[app]["volumes"] == [f"{app}:{dockerfile.envs['CARBUROAM_STATE_DIR']}"]
        assert services[app]["read_only"]
        assert services[app]["cap_drop"] == ["ALL"]
        assert services[app]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert set(services["nginx"]["depends_on"]) == {"app1", "app2"}
    assert services["postgres"]["networks"] == ["back"]
    assert compose["networks"]["back"] == {"internal": True}
    assert services["postgres"]["healthcheck"]["test"][1] == "pg_isready"


def test_the_proxy_of_the_services_is_the_one_that_is_trusted(compose: dict[str, Any]) -> None:
    subnet = compose["networks"]["front"]["ipam"]["config"][0]["subnet"]
    for app in ("app1", "app2"):
        environment = compose["services"][app]["environment"]
        assert set(environment) <= SETTINGS
        assert environment["CARBUROAM_TRUSTED_PROXIES"] == subnet
        assert str(Settings(trusted_proxies=subnet).proxies[0]) == subnet


def test_secrets_come_from_files_that_are_not_kept(compose: dict[str, Any]) -> None:
    named = {service["env_file"] for service in compose["services"].values() if "env_file" in service}
    assert named == {str(path.relative_to(ROOT)).removesuffix(".example") for path in ENV_FILES}
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/deploy/*.env", "/deploy/tls/"} <= set(ignored)
    for path in ENV_FILES:
        values = read_env_file(path)
        assert values.keys() <= SETTINGS | POSTGRES_VARIABLES
        for name in ("CARBUROAM_SECRET_KEY", "POSTGRES_PASSWORD", "CARBUROAM_SMTP_URL"):
            assert values.get(name, "") == "", f"{name} has a value that everybody knows"
    app, postgres = (read_env_file(ROOT / "deploy" / f"{name}.env.example") for name in ("app", "postgres"))
    user, database = postgres["POSTGRES_USER"], postgres["POSTGRES_DB"]
    assert app["CARBUROAM_DATABASE_URL"] == f"postgresql+psycopg://{user}:PASSWORD@postgres/{database}"
    assert f"--username={user}" in compose["services"]["postgres"]["healthcheck"]["test"]


def read_unit() -> list[tuple[str, str]]:
    lines = (line.strip() for line in UNIT.read_text(encoding="utf-8").splitlines())
    return [(name, value) for name, _, value in (line.partition("=") for line in lines) if value and name[0] != "#"]


def test_the_unit_names_what_exists() -> None:
    unit = dict(read_unit())
    assert unit["ExecStart"].startswith(f"{unit['WorkingDirectory']}/.venv/bin/streamlit run app.py ")
    variable, _, folder = unit["Environment"].partition("=")
    assert variable in SETTINGS
    assert folder == f"/var/lib/{unit['StateDirectory']}"


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not here")
    # Here stand a user and a program that exist; everything else is as it is shipped.
    text = UNIT.read_text(encoding="utf-8").replace("/opt/carburoam/.venv/bin/streamlit", "/bin/true")
    text = text.replace("User=carburoam", "User=daemon").replace(
        "WorkingDirectory=/opt/carburoam", "WorkingDirectory=/"
    )
    path = tmp_path / "carburoam@8501.service"
    path.write_text(text, encoding="utf-8")
    done = subprocess.run([program, "verify", "--man=no", str(path)], capture_output=True, text=True, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if "carburoam" in line]
    assert (done.returncode, complaints) == (0, [])
