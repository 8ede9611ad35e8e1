"""The chart of the loads: both counts on one scale, those without any marked, and few times written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prices.loads import Run
from ui import texts
from ui.load_chart import make_load_spec

NOW = datetime(2023, 11, 23, 8, 20, tzinfo=UTC)


@pytest.fixture
def in_french() -> Iterator[None]:
    token = texts._held.set("fr")
    yield
    texts._held.reset(token)


def make_run(number: int, status: str) -> Run:
    started_at = NOW + timedelta(minutes=10 * number)
    seen = (10_002, 33_012) if status in ("loaded", "unchanged") else (0, 0)
    return Run(started_at, started_at, status, "x", seen[0], 0, 0, seen[1], 0, 0, "")


def find(spec: dict[str, Any], kind: str) -> list[tuple[int, int]]:
    points = spec["layer"][1]
    return [(row["load"], row["count"]) for row in points["data"]["values"] if row["kind"] == kind]


@pytest.mark.usefixtures("in_french")
def test_refused_and_failed_loads_are_marked_beside_the_counts_of_the_others() -> None:
    spec = make_load_spec(
        [make_run(n, status) for n, status in enumerate(("loaded", "refused", "failed", "unchanged"))]
    )
    assert find(spec, "Stations") == [(0, 10_002), (3, 10_002)]
    assert find(spec, "Prix") == [(0, 33_012), (3, 33_012)]
    assert (find(spec, "Refusé"), find(spec, "Échoué")) == ([(1, 0)], [(2, 0)])
    scale = spec["layer"][1]["encoding"]["color"]["scale"]
    assert scale["domain"] == ["Stations", "Prix", "Refusé", "Échoué"]
    assert len(set(scale["range"])) == 4


@pytest.mark.usefixtures("in_french")
def test_its_axes_are_written_as_in_the_language_of_the_page() -> None:
    encoding = make_load_spec([make_run(number, "loaded") for number in range(20)])["layer"][1]["encoding"]
    assert encoding["x"]["axis"]["values"] == [0, 10, 19]
    assert '"23 nov. 09:20"' in encoding["x"]["axis"]["labelExpr"]
    assert encoding["y"]["axis"]["labelExpr"] == "replace(format(datum.value, ','), ',', \"\\u202f\")"


def test_one_load_is_enough() -> None:
    token = texts._held.set("en")
    spec = make_load_spec([make_run(0, "failed")])
    texts._held.reset(token)
    assert find(spec, "Failed") == [(0, 0)]
    assert spec["layer"][1]["encoding"]["x"]["axis"]["values"] == [0]
