"""A real Chromium, and real applications for it to visit."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from browser.account_pages import log_in_once
from browser.app_process import App, run_app
from browser.feeds import FIRST_ID, KNOWN, write_known_feed
from browser.visit import WAIT_MS, Look, Open, Visit, open_visit
from feed.generator import FeedRecipe

IS_REQUIRED = os.environ.get("CARBUROAM_TEST_BROWSER") == "required"  # read now: each test begins without such settings
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# Maps need WebGL, which software does where there is no graphics card; the rest keeps the browser from calling home.
ARGUMENTS = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

expect.set_options(timeout=WAIT_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


def find_program(playwright: Playwright) -> str | None:
    """Return the path of a browser: one of the system, else Playwright's own."""
    for name in PROGRAMS:
        if path := shutil.which(name):
            return path
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        program = find_program(playwright)
        if program is None:
            reason = f"no browser: none of {', '.join(PROGRAMS)} is installed, nor Playwright's own Chromium"
            pytest.fail(reason) if IS_REQUIRED else pytest.skip(reason)
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def known_feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A feed of now: generated stations, and those whose place and texts are known."""
    recipe = FeedRecipe(newest_at=datetime.now(UTC), stations=300, first_id=FIRST_ID)
    return write_known_feed(tmp_path_factory.mktemp("feed") / "feed.zip", recipe, KNOWN)


@pytest.fixture(scope="session")
def app(browser: Browser, known_feed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The application with the prices of the known feed; asks for the browser so that nothing starts without one."""
    with run_app(tmp_path_factory.mktemp("app"), str(known_feed)) as app:
        yield app


@pytest.fixture(scope="session")
def logged_in(browser: Browser, app: App) -> dict[str, Any]:
    """What the browser of a driver keeps, for the `storage_state` of a visit to the app."""
    return log_in_once(browser, app)


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Give a function that opens a fresh browser on an app; at the end nothing may have gone wrong in any."""
    visits: list[Visit] = []

    def open_fresh(app: App, path: str = "/", look: Look | None = None, **options: object) -> Visit:
        visits.append(open_visit(browser, app.url, look or Look(), **options))
        visits[-1].open(path)
        return visits[-1]

    yield open_fresh
    problems: list[str] = []
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_")).strip("-")
    for number, one in enumerate(visits):
        one.wait_for_answers()
        one.keep_screenshot(f"{name}-{number}" if number else name)
        problems += one.problems
        one.context.close()
    assert problems == []
