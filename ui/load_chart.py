"""The chart of the last loads: how many stations and prices each saw, and which were refused or failed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import streamlit as st

from prices.loads import Run
from ui.formats import format_count, format_short_instant
from ui.texts import _

HEIGHT_PX = 320
SHOWN_TIMES = 3  # of as many loads the time is written: more overlap on a phone
_SHAPES = ["circle", "circle", "cross", "triangle-up"]
_COLORS = ["#3d9df3", "#29b09d", "#ff8700", "#ff4b4b"]


def show_load_chart(runs: Sequence[Run]) -> None:
    """Draw the chart, the oldest load first; nothing when none has an end."""
    ended = [run for run in reversed(runs) if run.status is not None]
    if ended:
        st.vega_lite_chart(make_load_spec(ended), height=HEIGHT_PX)


def make_load_spec(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the chart of these loads, the oldest first, in the words of Vega-Lite."""
    kinds = [_("Stations"), _("Prices"), _("Refused"), _("Failed")]
    times = [format_short_instant(run.started_at) for run in runs]
    counts, troubles = [], []
    for load, (run, time) in enumerate(zip(runs, times, strict=True)):
        if run.stations_seen:
            for kind, count in zip(kinds, (run.stations_seen, run.prices_seen), strict=False):
                counts.append({"load": load, "kind": kind, "count": count, "told": format_count(count), "time": time})
        elif run.status in ("refused", "failed"):
            kind = kinds[2 if run.status == "refused" else 3]
            troubles.append({"load": load, "kind": kind, "count": 0, "told": "–", "time": time})
    met = {row["kind"] for row in counts + troubles}
    shown = [index for index, kind in enumerate(kinds) if kind in met]
    domain = [kinds[index] for index in shown]
    last = len(runs) - 1
    named = sorted({round(last * step / (SHOWN_TIMES - 1)) for step in range(SHOWN_TIMES)})
    axis = {
        "title": None,
        "values": named,
        "labelAngle": 0,
        "labelFlush": True,
        "grid": False,
        # Dates in Paris, as everywhere on the page, and not in the time zone of the browser.
        "labelExpr": f"{json.dumps(times)}[datum.value]",
    }
    legend = {"title": None, "orient": "bottom", "columns": 2}
    encoding = {
        "x": {
            "field": "load",
            "type": "quantitative",
            "scale": {"domain": [-0.5, last + 0.5], "nice": False, "zero": False},
            "axis": axis,
        },
        "y": {
            "field": "count",
            "type": "quantitative",
            "scale": {"zero": True},
            "axis": {"title": None, "tickCount": 6, "labelExpr": _write_thousands()},
        },
        "color": {
            "field": "kind",
            "type": "nominal",
            "scale": {"domain": domain, "range": [_COLORS[index] for index in shown]},
            "legend": legend,
        },
        "shape": {
            "field": "kind",
            "type": "nominal",
            "scale": {"domain": domain, "range": [_SHAPES[index] for index in shown]},
            "legend": legend,
        },
        "tooltip": [
            {"field": "time", "type": "nominal", "title": _("Load")},
            {"field": "kind", "type": "nominal", "title": " "},
            {"field": "told", "type": "nominal", "title": "  "},
        ],
    }
    without_shape = {name: channel for name, channel in encoding.items() if name != "shape"}
    return {
        "description": _("Stations and prices of the last loads"),
        "layer": [
            {"data": {"values": counts}, "mark": {"type": "line"}, "encoding": without_shape},
            {
                "data": {"values": counts + troubles},
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
                "encoding": encoding,
            },
        ],
    }


def _write_thousands() -> str:
    """Return the expression of Vega by which a count on the axis is written as `format_count` does."""
    separator = format_count(1000)[1:-3]
    return f"replace(format(datum.value, ','), ',', {json.dumps(separator)})"
