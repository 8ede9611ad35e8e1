"""A visit: a fresh browser with a window, a theme and a language, and a record of all that went wrong in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    WebSocket,
    expect,
)
from streamlit.proto.BackMsg_pb2 import BackMsg

from browser.app_process import wait_until
from settings import ROOT

SCREENSHOTS = ROOT / "screenshots"
WAIT_MS = 30_000  # of any one condition, on a machine that does other things besides
LOCALES = {"fr": "fr-FR", "en": "en-GB"}
# On a deep link Streamlit asks for these beside the page before it finds its base path, and gets a 404.
STREAMLIT_GUESSES = re.compile(r"/[a-z]+/_stcore/(health|host-config)")
# What may go while it loads: parts of a map, and the component that writes the cookie of a log-in.
PASSING_FILES = re.compile(
    r"data:|blob:|/assets/map/|/map-style/|/stations\.json|/component/extra_streamlit_components"
)
MAPS = (b"price_map", b"choosing_map")  # keys of the maps that can be clicked on
UNSETTLED = '[data-testid="stSkeleton"], [data-stale="true"]'
READY = '[data-testid="stApp"][data-test-script-state="notRunning"][data-test-connection-state="CONNECTED"]'


@dataclass(frozen=True)
class Look:
    """How the visitor's browser is set up."""

    width: int = 1280
    theme: str = "light"
    language: str = "fr"

    @property
    def height(self) -> int:
        return 844 if self.width < 500 else 800

    def __str__(self) -> str:
        return f"{self.width}-{self.theme}-{self.language}"


@dataclass
class Visit:
    """One page in one fresh browser context; `problems` are lines that say what went wrong."""

    page: Page
    context: BrowserContext
    app_url: str
    look: Look
    problems: list[str] = field(default_factory=list)
    pending: set[Request] = field(default_factory=set)
    map_clicks: int = 0  # how often the browser told the app what is selected on a map
    page_runs: int = 0  # how often the browser asked for a run of the whole page
    headers: dict[str, dict[str, str]] = field(default_factory=dict)  # of each answer of the app, by address

    def open(self, path: str) -> Page:
        """Go to a path of the app and wait until its script has run."""
        self.wait_for_answers()
        self.page.goto(f"{self.app_url}{path}", wait_until="commit")
        settle(self.page)
        return self.page

    def show(self, path: str) -> Page:
        """Go to a path in the same session, as the browser's own Forward does."""
        self.page.evaluate(
            "path => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate')) }", path
        )
        self.page.wait_for_url(lambda url: urlsplit(url).path == urlsplit(path).path, wait_until="commit")
        return self.page

    def wait_for_answers(self) -> None:
        """Wait until every request has its answer: the browser lets go of those of a page that it leaves."""
        wait_until(
            lambda: self.page.evaluate("true") and not self.pending,
            WAIT_MS / 1000,
            lambda: str([request.url for request in self.pending]),
        )

    def keep_screenshot(self, name: str, *, whole: bool = False) -> None:
        """Keep a picture whose name says what, which page, width, theme and language."""
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}-{name_page(self.page.url)}-{self.look}.png"
        if whole:
            height = self.page.get_by_test_id("stMain").evaluate("main => main.scrollHeight")
            self.page.set_viewport_size({"width": self.look.width, "height": max(height, self.look.height)})
        self.page.screenshot(path=path)
        if whole:
            self.page.set_viewport_size({"width": self.look.width, "height": self.look.height})


def open_visit(browser: Browser, app_url: str, look: Look, **options: Any) -> Visit:
    """Open a browser context of its own, with an empty page, and watch all that happens in it."""
    context = browser.new_context(
        viewport={"width": look.width, "height": look.height},
        color_scheme=look.theme,  # type: ignore[arg-type]
        locale=LOCALES[look.language],
        **options,
    )
    context.set_default_timeout(WAIT_MS)
    visit = Visit(context.new_page(), context, app_url, look)
    _watch(visit)
    return visit


def _watch(visit: Visit) -> None:
    host = urlsplit(visit.app_url).netloc

    def note_request(request: Request) -> None:
        if not is_of_map(request):
            visit.pending.add(request)
        check_host(request.url)

    def is_of_map(request: Request) -> bool:
        return PASSING_FILES.match(request.url.removeprefix(visit.app_url)) is not None

    def check_host(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc != host:
            visit.problems.append(f"a request to another host: {url}")

    def note_console(message: ConsoleMessage) -> None:
        where = message.location.get("url", "")
        if message.type == "error" and not _is_guess(where):
            visit.problems.append(f"a console error: {message.text} ({where})")

    def note_response(response: Response) -> None:
        visit.headers[response.url] = response.headers
        if response.status >= 400 and not _is_guess(response.url):
            visit.problems.append(f"answered {response.status}: {response.url}")

    def note_failure(request: Request) -> None:
        visit.pending.discard(request)
        # A map that is left before it was drawn lets go of its files, and of its worker's script, which is a blob.
        if not (request.failure == "net::ERR_ABORTED" and is_of_map(request)):
            visit.problems.append(f"a failed request: {request.url} ({request.failure})")

    def note_dialog(dialog: Any) -> None:
        visit.problems.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def watch_socket(socket: WebSocket) -> None:
        check_host(socket.url.replace("ws", "http", 1))
        socket.on("framesent", note_frame)

    def note_frame(frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            visit.map_clicks += any(key in frame for key in MAPS)
            message = BackMsg.FromString(frame)
            visit.page_runs += message.HasField("rerun_script") and not message.rerun_script.fragment_id

    def watch_page(page: Page) -> None:
        page.on("pageerror", lambda error: visit.problems.append(f"a page error: {error}"))
        page.on("websocket", watch_socket)
        page.on("dialog", note_dialog)

    context = visit.context
    context.on("request", note_request)
    context.on("requestfinished", lambda request: visit.pending.discard(request))
    context.on("console", note_console)
    context.on("response", note_response)
    context.on("requestfailed", note_failure)
    context.on("page", watch_page)
    watch_page(visit.page)


def _is_guess(url: str) -> bool:
    return STREAMLIT_GUESSES.fullmatch(urlsplit(url).path) is not None


def settle(page: Page) -> None:
    """Wait until the script has run and all that it draws has come."""
    expect(page.locator(READY)).to_be_attached()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(UNSETTLED)).to_have_count(0)


def name_page(url: str) -> str:
    return urlsplit(url).path.strip("/") or "landing"


def read_query(page: Page) -> dict[str, str]:
    """Return what stands in the address bar after the question mark."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query, keep_blank_values=True).items()}


def expect_query(page: Page, **expected: str | None) -> None:
    """Wait until the address bar says so; None: nothing of that name."""
    wanted = {name: value for name, value in expected.items() if value is not None}

    def is_met(url: str) -> bool:
        query = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
        return {name: query[name] for name in expected if name in query} == wanted

    page.wait_for_url(is_met, wait_until="commit")


def get_main(page: Page) -> Locator:
    return page.get_by_test_id("stMain")


def search(page: Page, text: str) -> None:
    """Type a text into the box and press Enter."""
    box = page.get_by_role("searchbox")
    box.fill(text)
    box.press("Enter")


def get_table(page: Page) -> Locator:
    """Return the table of stations, or of prices on a station's page."""
    return get_main(page).get_by_test_id("stTable").first


def get_pill(page: Page, text: str) -> Locator:
    """Return a fuel, a radius or a language by what stands on it."""
    return page.get_by_role("radio", name=text, exact=True)


def expect_answer(page: Page, heading: str) -> None:
    """Wait for the answer to a search, which begins with that heading."""
    expect(get_main(page).get_by_role("heading", level=3, name=heading, exact=True)).to_be_visible()
    settle(page)


def expect_station(page: Page, name: str) -> None:
    """Wait for the page of a station of that name."""
    expect(page).to_have_url(re.compile(r"/station\?"))
    expect(page.get_by_role("heading", level=1, name=name, exact=True)).to_be_visible()
    settle(page)


Open = Callable[..., Visit]
