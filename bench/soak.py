"""A shortage day: a hundred sessions held for half an hour, each doing something every few seconds."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import quantiles
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, func, select

from bench.drivers import add_drivers, add_favourites, make_cookie
from bench.run import Line, Table
from bench.server import Server, run_server
from bench.state import find_feeds, make_databases, open_database, open_state
from bench.visitor import VisitFailed, Visitor, open_visit
from models import FUEL_NAMES, Station
from settings import Settings

SESSIONS = 100
DRIVERS = SESSIONS // 2  # so many of them are logged in
PAUSE_SECONDS = 5.0  # on average, from one action of a session to its next
WARM_UP = 0.2  # of the time: the sessions come one by one, and nothing is counted yet but errors
LANDING, STATION, DASHBOARD, CHOOSE = "landing", "station", "dashboard", "choose"
KEPT, TRIED = 10, 5  # stations of each driver, and of each visitor
FUELS = (1, 2, 5)


@dataclass(frozen=True)
class Choices:
    """What the sessions search for and open."""

    towns: Sequence[str]
    stations: Sequence[int]


@dataclass(frozen=True)
class Plan:
    """What all sessions have in common; the times are those of `time.monotonic`."""

    url: str
    choices: Choices
    pause_seconds: float
    start: float
    warm: float
    end: float


@dataclass
class Notes:
    """What the sessions saw; an action is when it was answered (`time.monotonic`), and after how many milliseconds."""

    actions: list[tuple[float, float]] = field(default_factory=list)
    openings: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def measure_soak(minutes: float) -> Table:
    """Hold the sessions for so many minutes."""
    with TemporaryDirectory(prefix="carburoam-bench-") as name:
        folder = Path(name)
        databases = make_databases(folder, find_feeds(folder))
        with open_state(folder, databases.loaded) as settings, open_database(settings) as engine:
            choices, people = add_people(settings, engine)
            with run_server(settings) as server:
                lines = asyncio.run(_measure(server, choices, people, 60 * minutes))
    return Table(
        f"Soak: {SESSIONS} sessions, {DRIVERS} of them logged in, each with an action about every {PAUSE_SECONDS:g} s,"
        f" for {minutes:g} minutes.",
        lines,
    )


def add_people(settings: Settings, engine: Engine) -> tuple[Choices, list[dict[str, str] | None]]:
    """Add the drivers and what they keep; return what can be done, and everyone's cookies, None for a visitor."""
    add_drivers(engine, DRIVERS)
    choices = list_choices(engine)
    add_favourites(engine, range(1, DRIVERS + 1), KEPT, choices.stations, FUELS)
    cookies = [make_cookie(settings, engine, number) for number in range(1, DRIVERS + 1)]
    return choices, [*cookies, *[None] * (SESSIONS - DRIVERS)]


async def hold_sessions(plan: Plan, people: Sequence[Mapping[str, str] | None], notes: Notes) -> None:
    """Be all of them at once, until the end of the plan."""
    await asyncio.gather(*(hold_session(plan, number, cookies, notes) for number, cookies in enumerate(people)))


async def _measure(
    server: Server, choices: Choices, people: Sequence[Mapping[str, str] | None], seconds: float
) -> list[Line]:
    notes, start = Notes(), time.monotonic()
    plan = Plan(server.url, choices, PAUSE_SECONDS, start, start + WARM_UP * seconds, start + seconds)
    sessions = asyncio.create_task(hold_sessions(plan, people, notes))
    megabytes, cpu_seconds = [], []
    for moment in (plan.warm, (plan.warm + plan.end) / 2, plan.end):
        await asyncio.sleep(moment - time.monotonic())
        megabytes.append(server.read_megabytes())
        cpu_seconds.append(server.read_cpu_seconds())
    await sessions
    for error in notes.errors[:10]:
        print(f"soak: {error}", file=sys.stderr)
    twentieths = quantiles([milliseconds for _, milliseconds in notes.actions], n=20)
    return [
        Line("actions", len(notes.actions), ""),
        Line("rerun: p50", twentieths[9], "ms"),
        Line("rerun: p95", twentieths[18], "ms", limit=250),
        Line("first run of a session: p95", quantiles(notes.openings, n=20)[18], "ms"),
        Line("errors", len(notes.errors), "", limit=0),
        Line("cores the server took", (cpu_seconds[-1] - cpu_seconds[0]) / (plan.end - plan.warm), "cores"),
        Line("memory once warm", megabytes[0], "MB"),
        Line("memory halfway / once warm", megabytes[1], "MB", floor=megabytes[0]),
        Line("memory at the end / once warm", megabytes[2], "MB", floor=megabytes[0], limit=1.1),
    ]


def list_choices(engine: Engine) -> Choices:
    """Return the towns with the most stations, and stations from all over the country."""
    with engine.connect() as connection:
        towns = select(func.min(Station.town)).group_by(Station.town_key).order_by(func.count().desc()).limit(200)
        stations = connection.scalars(select(Station.id).order_by(Station.id)).all()
        return Choices(connection.scalars(towns).all(), stations[:: len(stations) // 500 + 1])


async def hold_session(plan: Plan, number: int, cookies: Mapping[str, str] | None, notes: Notes) -> None:
    """Be one visitor until the end, at least for one action; who is thrown out comes back."""
    random = Random(number)
    await asyncio.sleep(random.uniform(0, plan.warm - plan.start))
    is_over = False
    while not is_over:
        try:
            async with open_visit(plan.url, cookies) as visitor:
                # A visitor's own stations are in the address they come with.
                kept = {} if cookies else {"keep": ",".join(map(str, random.sample(plan.choices.stations, TRIED)))}
                notes.openings.append(await visitor.open_page(LANDING, {"lang": "EN", **kept}))
                while not is_over:
                    await asyncio.sleep(random.uniform(0.5, 1.5) * plan.pause_seconds)
                    is_counted = time.monotonic() >= plan.warm
                    milliseconds = await _act(visitor, random, plan.choices)
                    notes.actions += [(time.monotonic(), milliseconds)] if is_counted else []
                    notes.errors += visitor.list_errors()
                    is_over = time.monotonic() > plan.end
        except (VisitFailed, OSError) as error:
            notes.errors.append(f"{type(error).__name__}: {error}")
            is_over = time.monotonic() > plan.end


async def _act(visitor: Visitor, random: Random, choices: Choices) -> float:
    """Do one of the things that a visitor does."""
    if not visitor.has_widget("q"):
        return await visitor.open_page(LANDING)
    match random.choice(("search", "search", "fuel", "station", "dashboard", "dashboard", "choose")):
        case "dashboard":  # it is a driver's first page
            return await visitor.open_page(DASHBOARD if visitor.has_page(DASHBOARD) else "")
        case "choose":
            return await visitor.open_page(CHOOSE, {"q": random.choice(choices.towns)})
        case "fuel":
            return await visitor.change("fuel", [random.choice(list(FUEL_NAMES.values()))])
        case "station":
            return await visitor.open_page(STATION, {"id": str(random.choice(choices.stations))})
        case _:
            return await visitor.change("q", random.choice(choices.towns))
