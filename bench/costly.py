"""The costliest requests that anyone may send: a search among the parameters of every route and page.

Each candidate is asked for once, so that no answer to it is kept; the worst of each kind are asked for again, after
another load each time, and their medians are printed. What was asked is in the table, so that anyone can send it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlencode, urlsplit

import streamlit
from sqlalchemy import Engine, select, update

from bench.drivers import add_drivers, add_favourites, make_cookie
from bench.run import Line, Table, say
from bench.server import Server, run_server
from bench.state import RECIPE, STATIONS, Feeds, find_brands, make_databases, open_database, open_state
from bench.visitor import Visitor, open_visit
from db import begin_writing
from etl import load_brands
from feed.generator import write_feed
from models import FUEL_NAMES, Credential, FeedState, Service, Station, StationBrand
from settings import ROOT
from stations.favourites import MAX_FAVOURITES

LIMIT_MS = 60
SHOWN = 10
TRIES = 40  # candidates of each kind, beside those that are named
WORST = 3  # of each kind that are asked for again
AGAIN = 5
NOTICED_SECONDS = 1.2  # after a load, until the server has begun to prepare itself for it
BUSY_SECONDS = 0.005  # of CPU in a quarter of a second: more than a server takes that has nothing to do
DRIVER, ADMIN = 1, 2
# Words that begin words of many addresses, towns and brands.
WORDS = (*"abcdefghilmnprstvz123", "rue", "avenue", "route", "de", "du", "la", "le", "les", "saint", "zone", "total")
TOWNS = ("Paris", "Lyon", "Saint-Denis", "Saint", "Sainte", "sa", "st", "la", "le", "ma", "v", "Villeneuve", "mon", "x")

Values = Mapping[str, str]
Act = Callable[[], Awaitable[object]]
Hold = Callable[["Target"], AbstractAsyncContextManager[Act]]


@dataclass(frozen=True)
class Choices:
    """What there is in the loaded feed, for parameters that find something."""

    stations: Sequence[int]
    points: Sequence[tuple[float, float]]
    zip_codes: Sequence[str]
    towns: Sequence[str]
    services: Sequence[int]
    brands: Sequence[str]


@dataclass(frozen=True)
class Request:
    """One request, by what it is called in the table: its address, or a page and what is done there.

    `hold` does what comes before it and gives what sends it.
    """

    name: str
    hold: Hold


@dataclass(frozen=True)
class Kind:
    """A kind of request: those that are named, and how others are made at random, if they are.

    `shares_answers`: what is kept for one of them answers others too.
    """

    name: str
    list_named: Callable[[], Sequence[Request]]
    make: Callable[[Random, Choices], Request] | None = None
    shares_answers: bool = False


class Target:
    """A running server, whose database says before each request that a load has just ended."""

    def __init__(self, server: Server, engine: Engine, cookies: Mapping[int, Values]) -> None:
        self.server = server
        self.cookies = cookies
        self._engine = engine
        self._loaded_at = datetime.now(UTC)

    def end_load(self) -> None:
        """Let the feed count as loaded anew: nothing that was kept of the load before is right any more."""
        self._loaded_at += timedelta(seconds=1)
        with begin_writing(self._engine) as connection:
            connection.execute(update(FeedState).values(loaded_at=self._loaded_at))

    def fetch(self, method: str, path: str, headers: Values, body: bytes = b"") -> int:
        """Send one request and take in the whole answer; return its status."""
        connection = HTTPConnection(urlsplit(self.server.url).netloc, timeout=60)
        try:
            connection.request(method, path, body or None, dict(headers))
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    async def rest(self) -> float:
        """Wait until the server has prepared itself for a load; return the milliseconds of CPU since this began."""
        start = self.server.read_cpu_seconds()
        await asyncio.sleep(NOTICED_SECONDS)
        before, now = start, self.server.read_cpu_seconds()
        while now - before > BUSY_SECONDS:
            await asyncio.sleep(0.25)
            before, now = now, self.server.read_cpu_seconds()
        return 1000 * (now - start)

    async def measure(self, request: Request, *, after_load: bool = False, at_once: bool = False) -> float:
        """Return the milliseconds of CPU that the server takes for a request.

        `after_load`: no answer is kept of before a load that has just ended. `at_once`: the server has not even
        prepared itself for it.
        """
        async with request.hold(self) as act:
            if after_load:
                self.end_load()
                if not at_once:
                    await self.rest()
            start = self.server.read_cpu_seconds()
            await act()
            await asyncio.sleep(0.005)  # what it does after the last byte
            return 1000 * (self.server.read_cpu_seconds() - start)


def fetching(path: str, method: str = "GET", headers: Values | None = None, body: bytes = b"") -> Request:
    """Make a request by HTTP."""
    headers = {"Accept-Encoding": "gzip", **(headers or {})}

    @asynccontextmanager
    async def hold(target: Target) -> AsyncIterator[Act]:
        yield lambda: asyncio.to_thread(target.fetch, method, path, headers, body)

    shown = {name: value for name, value in headers.items() if (name, value) != ("Accept-Encoding", "gzip")}
    more = "".join(f" {name}: {value}" for name, value in shown.items())
    return Request(f"{method} {path}{more}" + (f" and {len(body)} bytes" if body else ""), hold)


def opening(page: str, query: Values, user_id: int = 0) -> Request:
    """Make the opening of a page in a new tab."""

    @asynccontextmanager
    async def hold(target: Target) -> AsyncIterator[Act]:
        async def act() -> None:
            async with open_visit(target.server.url, target.cookies.get(user_id)) as visitor:
                await visitor.open_page(page, query)

        yield act

    return Request(f"{_name_driver(user_id)}/{page}?{urlencode(query)}", hold)


def acting(
    page: str, query: Values, name: str, find_act: Callable[[Visitor], Awaitable[Act]], user_id: int = 0
) -> Request:
    """Make a rerun on an open page: what comes before it is done by what finds it."""

    @asynccontextmanager
    async def hold(target: Target) -> AsyncIterator[Act]:
        async with open_visit(target.server.url, target.cookies.get(user_id)) as visitor:
            await visitor.open_page(page, query)
            yield await find_act(visitor)

    return Request(f"{_name_driver(user_id)}/{page}?{urlencode(query)}, {name}", hold)


def _name_driver(user_id: int) -> str:
    return f"a driver of {MAX_FAVOURITES} stations: " if user_id == DRIVER else ""


def _make_points(random: Random, choices: Choices) -> Request:
    """Ask for points by any of the parameters, each with something that finds much or takes long."""
    query: dict[str, str] = {}
    if random.random() < 0.8:
        query["fuel"] = str(random.choice(list(FUEL_NAMES)))
    match random.randrange(6):
        case 0:
            point = random.choice(choices.points)
            query |= {"at": f"{point[0]},{point[1]}", "radius": "50"}
        case 1:
            digits = random.choice((1, 2, 3, 5))
            prefixes = [zip_code[:digits] for zip_code in random.sample(choices.zip_codes, 39)]
            query["zip"] = ",".join(dict.fromkeys(prefixes))[:200].rpartition(",")[0] or prefixes[0]
        case 2:
            query["words"] = " ".join(random.sample(WORDS, random.randint(1, 8)))
    if random.random() < 0.3:
        query["open"] = str(random.randrange(2**31))
    for name, share in (("automat", 0.1), ("stock", 0.3)):
        if random.random() < share:
            query[name] = "1"
    if random.random() < 0.2:
        query["road"] = random.choice(("road", "motorway"))
    if random.random() < 0.2 and choices.services:
        query["services"] = ",".join(map(str, random.choices(choices.services, k=random.choice((1, 2, 39)))))
    if random.random() < 0.3 and choices.brands:
        brands = random.sample(choices.brands, min(random.choice((1, 3, 10)), len(choices.brands)))
        query["brands"] = ",".join(brands)[:200].rpartition(",")[0] or brands[0]
    query["lang"] = random.choice(("fr", "en"))
    encoding = random.choice(("gzip", "gzip, br", "identity", "gzip;q=0.5", "gzip;q=0"))
    return fetching(f"/stations.json?{urlencode(query)}", headers={"Accept-Encoding": encoding})


def _list_points() -> list[Request]:
    tenths = ",".join(map(str, range(10)))
    return [
        fetching(f"/stations.json?{query}")
        for query in (
            "",
            "fuel=1",
            "fuel=5",
            f"fuel=1&zip={tenths}",
            "fuel=1&words=a",
            "words=" + "+".join(WORDS[:8]),
            "fuel=1&open=1780000000",
        )
    ]


def _make_api_reading(random: Random, choices: Choices) -> Request:
    if random.random() < 0.2:
        return fetching(f"/api/v1/stations/{random.choice(choices.stations)}")
    point = random.choice(choices.points)
    query = {"near": f"{point[0]},{point[1]}", "radius_km": "50", "limit": random.choice(("1", "100"))}
    if random.random() < 0.7:
        query["fuel"] = random.choice(list(FUEL_NAMES.values()))
    return fetching(f"/api/v1/stations?{urlencode(query)}")


def _list_files() -> list[Request]:
    """List every file of our own, the largest of the platform, and ranges of them."""
    own = [path.relative_to(ROOT / "static").as_posix() for path in (ROOT / "static").rglob("*") if path.is_file()]
    platform = Path(streamlit.__file__).parent / "static"
    large = sorted((path for path in platform.rglob("*") if path.is_file()), key=lambda path: -path.stat().st_size)[:5]
    paths = [
        *(f"/assets/{path}" for path in own),
        *(f"/{path.relative_to(platform).as_posix()}" for path in large),
        *("/", "/station", "/map-style/light.json", "/map-style/dark.json"),
        *("/_stcore/health", "/_stcore/host-config", "/_stcore/metrics", "/healthz", "/readyz", "/metrics"),
        *("/api/v1/fuels", "/api/v1/status", "/api/v1/openapi.json"),
    ]
    ranges = ",".join(f"{start}-{start + 1}" for start in range(0, 4000, 4))[:7000].rpartition(",")[0]
    return [
        *(fetching(path) for path in paths),
        *(fetching(path, headers={"Accept-Encoding": "gzip;q=0.5"}) for path in paths),
        *(fetching(path, headers={"Range": f"bytes={ranges}"}) for path in paths[: len(own) + len(large)]),
    ]


def _list_refused() -> list[Request]:
    """List what is refused: addresses that are none, long ones, methods and bodies that nobody takes."""
    many = "&".join(f"a{number}=%C3%A9" for number in range(4000))
    keys = ",".join(str(number) for number in range(40))
    return [
        *(fetching(path) for path in ("/api/v1/nothing", "/api", "/assets/none", "/backup/guessed", "/media/none.csv")),
        *(fetching(f"{path}?{many}") for path in ("/api/v1/stations", "/stations.json", "/", "/healthz")),
        fetching(f"/api/v1/stations?near={'9' * 20_000}"),
        fetching(f"/stations.json?services={keys},x"),
        fetching(f"/stations.json?words={quote('é' * 199)}"),
        fetching("/" + "a/" * 15_000),
        *(
            fetching(path, method, body=b"x" * 500_000)
            for method in ("POST", "PUT", "DELETE", "PATCH")
            for path in ("/", "/stations.json", "/api/v1/stations", "/_stcore/upload_file/a/b")
        ),
    ]


def _make_page(random: Random, choices: Choices) -> Request:
    """Open a page with an address that finds much, or that nobody honest would write."""
    page = random.choice(("landing", "landing", "choose", "choose", "choose", "dashboard", "station", "about"))
    query = {"lang": random.choice(("EN", "FR"))}
    if random.random() < 0.3 or page == "dashboard":
        kept = random.sample(choices.stations, random.choice((10, min(220, len(choices.stations)))))
        query["keep"] = ",".join(map(str, kept))
    if page in ("landing", "choose"):
        match random.randrange(8):
            case 0 | 1:
                query["q"] = random.choice(TOWNS)
            case 2:
                query["q"] = random.choice(choices.towns)
            case 3:
                query["q"] = random.choice(choices.zip_codes)[: random.randint(1, 5)]
            case 4:
                query["q"] = " ".join(random.sample(WORDS, random.randint(1, 8)))
            case 5:
                query["q"] = random.choice(choices.towns)[: random.randint(1, 4)] + " " + random.choice(WORDS)
            case 6:
                query["at"] = "{},{}".format(*random.choice(choices.points))
        query["radius"] = random.choice(("2", "50", "50"))
        query["fuel"] = random.choice(list(FUEL_NAMES.values()))
    if page == "choose":
        for name, share in (("all_fuels", 0.3), ("open", 0.3), ("stock", 0.3), ("automat", 0.1)):
            if random.random() < share:
                query[name] = "true"
        if random.random() < 0.3 and choices.services:
            query["with"] = ",".join(map(str, random.sample(choices.services, min(20, len(choices.services)))))
    if page == "dashboard":
        query |= {"detour": random.choice(list(FUEL_NAMES.values())), "start": random.choice(TOWNS), "litres": "50"}
    if page == "station":
        query["id"] = str(random.choice(choices.stations))
    return opening(page, query)


def _list_pages() -> list[Request]:
    pages = ("", "landing", "choose", "dashboard", "station", "login", "register", "recover", "privacy", "about", "no")
    return [
        *(opening(page, {"lang": "EN"}) for page in pages),
        opening("choose", {"fuel": "Gazole"}),
        opening("choose", {"fuel": "Gazole", "stock": "true", "open": "true"}),
        *(opening("landing", {"q": digit, "fuel": "Gazole"}) for digit in "123456789"),
        opening("landing", {"q": "é" * 5_000}),
        opening("station", {"id": "9" * 20_000}),
    ]


async def _go_deep(visitor: Visitor) -> Act:
    """Show as many stations as can be."""
    for _ in range(30):
        if not visitor.has_widget("show_more"):
            break
        await visitor.press("show_more")
    return visitor.rerun


async def _find_fragment(visitor: Visitor) -> Act:
    return visitor.rerun_fragment


def _find_change(key: str, value: str | bool | list[str]) -> Callable[[Visitor], Awaitable[Act]]:
    async def find(visitor: Visitor) -> Act:
        return lambda: visitor.change(key, value)

    return find


def _find_press(key: str) -> Callable[[Visitor], Awaitable[Act]]:
    async def find(visitor: Visitor) -> Act:
        return lambda: visitor.press(key)

    return find


def _make_change(random: Random, choices: Choices) -> Request:
    """Change a widget of a search that finds much."""
    page = random.choice(("landing", "choose"))
    query = {"lang": "EN", "q": random.choice((*TOWNS, *choices.zip_codes[:50])), "radius": "50"}
    changes: list[tuple[str, str | bool | list[str]]] = [
        ("q", random.choice(TOWNS)),
        ("q", random.choice(choices.zip_codes)[: random.randint(1, 3)]),
        ("q", random.choice(choices.towns)),
        ("fuel", [random.choice(list(FUEL_NAMES.values()))]),
        ("lang", ["FR"]),
    ]
    if page == "choose":
        changes += [("all_fuels", True), ("open", True), ("stock", True), ("q", "")]
    key, value = random.choice(changes)
    return acting(page, query, f"{key} changed to {value}", _find_change(key, value))


def _list_changes() -> list[Request]:
    return [
        acting("choose", {"fuel": "Gazole"}, "every station shown that can be", _go_deep),
        acting("choose", {"all_fuels": "true"}, "every station shown that can be", _go_deep),
        acting(
            "landing", {"q": "Paris", "radius": "50", "fuel": "Gazole"}, "every station shown that can be", _go_deep
        ),
        acting("landing", {"q": "3", "fuel": "Gazole"}, "every station shown that can be", _go_deep),
        acting("landing", {"q": "Paris"}, "its fragment alone", _find_fragment),
        acting("choose", {}, "its fragment alone", _find_fragment),
        acting("landing", {}, "q changed to 6,000 letters", _find_change("q", "é" * 6_000)),
        acting("choose", {}, "q changed to 24,000 letters", _find_change("q", "a " * 12_000)),
        acting("dashboard", {}, "the example taken", _find_press("example")),
    ]


def _list_own() -> list[Request]:
    """List what a driver may ask who keeps as many stations as can be, and follows every fuel."""
    return [
        *(opening(page, {"lang": "EN"}, DRIVER) for page in ("", "landing", "choose", "dashboard", "profile")),
        opening("dashboard", {"lang": "FR", "detour": "Gazole", "start": "Paris", "litres": "50"}, DRIVER),
        acting("dashboard", {}, "its fragment alone", _find_fragment, DRIVER),
    ]


def _list_admin() -> list[Request]:
    return [opening("admin", {"lang": language}, ADMIN) for language in ("EN", "FR")]


def _find_log_in(name: str) -> Callable[[Visitor], Awaitable[Act]]:
    async def find(visitor: Visitor) -> Act:
        return lambda: visitor.submit("login", {"login_name": name, "login_password": "another password"})

    return find


def _list_log_ins() -> list[Request]:
    return [acting("login", {}, f"{name} with a wrong password", _find_log_in(name)) for name in ("driver1", "nobody")]


KINDS = (
    Kind("points", _list_points, _make_points),
    Kind("the API", list, _make_api_reading),
    Kind("files and figures", _list_files),
    Kind("refused", _list_refused),
    Kind("pages", _list_pages, _make_page),
    Kind("reruns", _list_changes, _make_change),
    Kind("a driver's pages", _list_own, shares_answers=True),
)
# Of the tables that the server makes after a load, once for all who ask, unless one of these comes before.
FIRST = (
    opening("dashboard", {"lang": "EN"}, DRIVER),
    opening("choose", {"fuel": "Gazole"}),
    fetching("/stations.json?fuel=1"),
)
# Not for everybody, or dear on purpose.
APART = (Kind("only an admin: the page Administration", _list_admin), Kind("a failing log-in: bcrypt", _list_log_ins))


def measure_costly(tries: int = TRIES, again: int = AGAIN) -> Table:
    """Search for the costliest requests; takes about ten minutes."""
    with TemporaryDirectory(prefix="carburoam-bench-") as name:
        folder = Path(name)
        real = find_brands()
        heading, lines = [], list[Line]()
        if real is not None:
            lines += _measure_feed(folder / "real", real.feed, real.lists, tries, again)
            heading.append(f"{real.feed.name} with two lists of brands")
        made_up = folder / "made_up.zip"
        write_feed(made_up, RECIPE)
        lines += _measure_feed(folder / "made_up", made_up, (), tries, again)
        heading.append(f"GENERATED feed of {STATIONS:,} stations")
    return Table(
        f"The costliest requests: {', then '.join(heading)}. CPU of the server, for answers of which it has kept none."
        f" Of {tries} at random and some that are named, the worst {WORST} of each kind again, medians of {again}.",
        lines,
    )


def _measure_feed(folder: Path, feed: Path, brands: Sequence[Path], tries: int, again: int) -> list[Line]:
    folder.mkdir()
    databases = make_databases(folder, Feeds(feed, feed, feed.name))
    with open_state(folder, databases.loaded) as settings, open_database(settings) as engine:
        if brands:
            load_brands(engine, *map(str, brands), now=datetime.now(UTC))
        choices = list_choices(engine)
        add_drivers(engine, ADMIN)
        add_favourites(engine, [DRIVER], MAX_FAVOURITES, choices.stations, list(FUEL_NAMES))
        with begin_writing(engine) as connection:
            connection.execute(update(Credential).where(Credential.user_id == ADMIN).values(role="admin"))
        cookies = {user_id: make_cookie(settings, engine, user_id) for user_id in (DRIVER, ADMIN)}
        # Without limits: what one client may ask is another matter than what it costs.
        with run_server(settings.model_copy(update={"requests_per_minute": 0})) as server:
            target = Target(server, engine, cookies)
            return asyncio.run(_search(target, choices, feed.stem, tries, again))


async def _search(target: Target, choices: Choices, feed: str, tries: int, again: int) -> list[Line]:
    worst: list[tuple[float, str]] = []
    apart: list[tuple[float, str]] = []
    for kind in (*KINDS, *APART):
        found = await search_kind(target, kind, choices, tries, again)
        if kind in APART:
            apart.append((found[0][0], f"{kind.name}: {found[0][1]}"))
        else:
            worst += found
    plain = [await target.measure(opening("about", {"lang": "EN"})) for _ in range(4 * again)]
    apart.append((median(plain), "for comparison, a page without prices: /about"))
    preparing = []
    for _ in range(again):
        target.end_load()
        preparing.append(await target.rest())
    apart.append((median(preparing), "what the server does itself after a load"))
    for request in FIRST:
        first = [await target.measure(request, after_load=True, at_once=True) for _ in range(again)]
        apart.append((median(first), f"in the second after a load, before that: {request.name}"))
    worst.sort(reverse=True)
    return [
        *(Line(f"{feed}: {_cut(name, 110)}", ms, "ms", limit=LIMIT_MS) for ms, name in worst[:SHOWN]),
        *(Line(f"{feed}: {_cut(name, 110)}", ms, "ms") for ms, name in apart),
    ]


async def search_kind(target: Target, kind: Kind, choices: Choices, tries: int, again: int) -> list[tuple[float, str]]:
    """Return the costliest of a kind with the milliseconds of each, the worst first."""
    random = Random(1)
    made = [kind.make(random, choices) for _ in range(tries)] if kind.make is not None else []
    candidates = {request.name: request for request in (*kind.list_named(), *made)}
    costs: dict[str, float] = {}
    for number, (name, request) in enumerate(candidates.items(), start=1):
        say(f"{kind.name}: {number} of {len(candidates)}")
        costs[name] = await target.measure(request, after_load=kind.shares_answers)
    say("")
    worst = sorted(costs, key=costs.__getitem__, reverse=True)[:WORST]
    found = []
    for name in worst:
        found.append((median([await target.measure(candidates[name], after_load=True) for _ in range(again)]), name))
    return sorted(found, reverse=True)


def list_choices(engine: Engine) -> Choices:
    """Return what there is in the loaded feed."""
    with engine.connect() as connection:
        stations = connection.execute(
            select(Station.id, Station.latitude, Station.longitude, Station.zip_code, Station.town)
            .where(Station.left_feed_at.is_(None), Station.is_location_doubtful.is_(False))
            .order_by(Station.id)
        ).all()
        return Choices(
            stations=[row.id for row in stations],
            points=[(round(row.latitude, 5), round(row.longitude, 5)) for row in stations],
            zip_codes=[row.zip_code for row in stations],
            towns=[row.town for row in stations],
            services=connection.scalars(select(Service.id)).all(),
            brands=sorted(set(connection.scalars(select(StationBrand.brand_key)).all()) - {""}),
        )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
