"""The first load and those after it: pages say that one runs, and show what it brought without being asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from slow_feed import SlowFeed

from browser.app_process import App, make_environment, run_app, wait_until
from browser.catalogue import translate
from browser.feeds import FIRST_ID, WEST, write_known_feed
from browser.visit import Look, Open, expect_answer, get_main, settle
from feed.generator import FeedRecipe
from settings import ROOT

# A background process that gives the test time to look before it loads the sample.
PATIENT_SCHEDULER = "import scheduler, sys; scheduler.SAMPLE_AFTER_SECONDS = 100.0; sys.exit(scheduler.main([]))"


@pytest.fixture
def slow_feed(known_feed: Path) -> Iterator[SlowFeed]:
    with SlowFeed(known_feed.read_bytes()) as feed:
        yield feed


@pytest.fixture
def loading_app(browser: Browser, slow_feed: SlowFeed, tmp_path: Path) -> Iterator[App]:
    """An application whose very first load is under way, until the feed goes on."""
    state_dir = tmp_path / "loading"
    state_dir.mkdir()
    scheduler = subprocess.Popen(
        [sys.executable, "-c", PATIENT_SCHEDULER, "scheduler.py"],
        cwd=ROOT,
        env=make_environment(state_dir, slow_feed.url),
        stderr=subprocess.DEVNULL,
    )
    try:
        assert slow_feed.asked.wait(60)
        with run_app(state_dir, slow_feed.url, is_loading=True) as app:
            yield app
            scheduler.terminate()
            scheduler.wait(10)
    finally:
        scheduler.kill()
        scheduler.wait()


def test_a_page_says_that_a_load_runs_and_fills_itself(
    loading_app: App, slow_feed: SlowFeed, tmp_path: Path, visit: Open
) -> None:
    seen = visit(loading_app, "/?q=gueret")
    page = seen.page
    expect(get_main(page).get_by_text(translate("Loading the prices", "fr"))).to_be_visible()
    expect(get_main(page).get_by_test_id("stTable")).to_have_count(0)
    seen.keep_screenshot("first-load")
    english = visit(loading_app, "/about", Look(390, "dark", "en"))
    english.show("/")
    expect(get_main(english.page).get_by_text("Loading the prices")).to_be_visible()
    english.keep_screenshot("first-load", whole=True)
    page.evaluate("window.isSameDocument = true")
    slow_feed.go_on.set()
    expect_answer(page, "E10 à moins de 10 km de Guéret (Creuse)")
    expect(get_main(page).get_by_text(translate("Loading the prices", "fr"))).to_have_count(0)
    assert page.evaluate("window.isSameDocument"), "the page was loaded anew"

    # The next load, from outside: the page says that it runs, and shows the new price when it is done.
    cheaper = WEST._replace(e10=1650)
    recipe = FeedRecipe(newest_at=datetime.now(UTC), stations=300, first_id=FIRST_ID)
    changed = write_known_feed(tmp_path / "changed.zip", recipe, (cheaper,))
    running = get_main(page).get_by_text(
        translate("New prices are being loaded; the page will show them by itself.", "fr")
    )
    with SlowFeed(changed.read_bytes()) as next_feed:
        load = subprocess.Popen(
            [sys.executable, "etl.py", "--feed", next_feed.url],
            cwd=ROOT,
            env=make_environment(loading_app.state_dir, ""),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert next_feed.asked.wait(60)
            page.reload()
            settle(page)
            expect(running).to_be_visible()
            seen.keep_screenshot("next-load")
            next_feed.go_on.set()
            expect(page.get_by_text("1,650\xa0€").first).to_be_visible()
            expect(running).to_have_count(0)
            wait_until(lambda: load.poll() == 0, 30)
        finally:
            load.kill()
            load.wait()
