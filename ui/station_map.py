"""Maps of stations on a base map of our own, which needs no one else's server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from html import escape as escape_html
from math import cos, log2, radians
from typing import Any, NamedTuple

import pydeck as pdk
import streamlit as st
from pydeck.bindings import deck as pydeck_deck
from pydeck.bindings.json_tools import default_serialize

from stations.geography import Point
from ui.callback_marks import view_only
from ui.texts import N_, _

RGB = tuple[int, int, int]

# From cheap to dear, apart in hue and in lightness, so that eyes that see no red or no green tell them apart.
TIER_COLORS: tuple[RGB, ...] = ((8, 92, 160), (90, 168, 218), (214, 205, 170), (236, 138, 44), (172, 52, 14))
UNRANKED_COLOR: RGB = (112, 122, 130)
# The ring around the stations that are kept, by theme; of none of the hues above.
OWN_COLORS: dict[str, RGB] = {"light": (140, 20, 150), "dark": (240, 150, 255)}
# The rim that sets a point off from the base map, by theme.
RIM_COLORS: dict[str, RGB] = {"light": (45, 58, 66), "dark": (232, 240, 243)}
TIER_NAMES = (
    N_("more than 3 % below"),
    N_("1 to 3 % below"),
    N_("around the median"),
    N_("1 to 3 % above"),
    N_("more than 3 % above"),
)

_LAYER = "stations"
# How large a point is on the ground: small on a map of the country, whose thousands would hide each other.
POINT_METRES = 900

# For every map pydeck looks for Jupyter's widgets, at the cost of an import that fails: once is enough.
pydeck_deck.has_jupyter_extra = cache(pydeck_deck.has_jupyter_extra)


class _Deck(pdk.Deck):  # type: ignore[misc]  # it has no types
    """A map whose JSON has no indents: Python writes those with its slow encoder, ten times as long."""

    def to_json(self) -> str:
        return json.dumps(self, sort_keys=True, default=default_serialize, separators=(",", ":"))


class View(NamedTuple):
    """Where a map looks, until somebody moves it."""

    latitude: float
    longitude: float
    zoom: float


def find_view(latitude: float, longitude: float, radius_km: float) -> View:
    """Return the view that shows a circle."""
    return View(latitude, longitude, _find_zoom(radius_km, latitude))


def show_price_map(points_link: str, view: View) -> int | None:
    """Draw the points that an address answers with; return the id of the station just clicked on."""
    layer = _make_layer(_LAYER, points_link, RIM_COLORS[_get_theme()], line_width=1, radii=(8, 8))
    deck = _make_deck([layer], *view, tooltip={"text": "{label}"})
    event = st.pydeck_chart(
        deck,
        height=420,
        key="price_map",
        on_select="rerun",
        selection_mode="single-object",
        alt=_("Map of the stations, coloured by price"),
    )
    _show_legend()
    return _find_clicked(event)


def show_choosing_map(
    points_link: str, own_points: Sequence[Mapping[str, Any]], view: View, *, on_click: Callable[[int], None]
) -> None:
    """Draw the points that an address answers with, and the own stations ringed on top of them.

    `on_click` is called, as a callback, with the id of the station clicked on. Streamlit would then draw the others
    in grey, and take a second click on the same station for its release: it knows layers by their ids, so each click
    gives them new ones. The place and zoom of the map stay until `view` is another.
    """
    count = st.session_state.get("map_clicks", 0)

    @view_only
    def take_click() -> None:
        if (station_id := _find_clicked(st.session_state["choosing_map"])) is not None:
            st.session_state["map_clicks"] = count + 1
            on_click(station_id)

    theme = _get_theme()
    layers = [
        _make_layer(f"{_LAYER}-{count}", points_link, RIM_COLORS[theme], line_width=1, radii=(3, 8)),
        _make_layer(f"own-{count}", list(own_points), OWN_COLORS[theme], line_width=4, radii=(9, 11)),
    ]
    st.pydeck_chart(
        _make_deck(layers, *view, tooltip={"text": "{label}"}),
        height=460,
        key="choosing_map",
        on_select=take_click,
        selection_mode="single-object",
        alt=_("Map of the stations, coloured by price; the ones you keep have a ring"),
    )
    _show_legend(OWN_COLORS[theme])


def show_place_map(point: Point, label: str) -> None:
    """Draw one station in the middle of a small map."""
    layer = pdk.Layer(
        "ScatterplotLayer",
        id=_LAYER,
        data=[{"position": [point.longitude, point.latitude], "color": TIER_COLORS[0]}],
        get_position="position",
        get_fill_color="color",
        get_line_color=RIM_COLORS[_get_theme()],
        stroked=True,
        line_width_min_pixels=2,
        get_radius=1,
        radius_min_pixels=10,
        radius_max_pixels=10,
    )
    deck = _make_deck([layer], *point, zoom=10, tooltip=False)
    st.pydeck_chart(deck, height=260, key="place_map", alt=_("Map with {place}").format(place=label))


def _make_layer(
    layer_id: str, data: str | Sequence[Mapping[str, Any]], line_color: RGB, *, line_width: int, radii: tuple[int, int]
) -> pdk.Layer:
    """Make a layer of points that can be clicked on; width and smallest and largest radius in pixels."""
    return pdk.Layer(
        "ScatterplotLayer",
        id=layer_id,
        data=data,
        get_position="position",
        get_fill_color="color",
        get_line_color=line_color,
        stroked=True,
        line_width_min_pixels=line_width,
        get_radius=POINT_METRES,
        radius_min_pixels=radii[0],
        radius_max_pixels=radii[1],
        pickable=True,
        auto_highlight=True,
    )


def _make_deck(
    layers: list[pdk.Layer], latitude: float, longitude: float, zoom: float, tooltip: dict[str, str] | bool
) -> _Deck:
    return _Deck(
        layers=layers,
        initial_view_state=pdk.ViewState(latitude=latitude, longitude=longitude, zoom=zoom, min_zoom=4, max_zoom=17),
        map_style=f"/map-style/{_get_theme()}.json",
        tooltip=tooltip,
    )


def _get_theme() -> str:
    return "dark" if st.context.theme.type == "dark" else "light"


def _find_zoom(radius_km: float, latitude: float) -> float:
    """Return the zoom at which a circle of that radius is 300 pixels wide, as wide as the map is on a phone."""
    return max(4.0, min(14.0, log2(40_075 * cos(radians(latitude)) / (2 * max(radius_km, 0.5)) * 300 / 512)))


def _find_clicked(event: Any) -> int | None:
    """Return the id of the station that is selected in any layer."""
    selected = [one for objects in (event.selection.get("objects") or {}).values() for one in objects or ()]
    station_id = selected[0].get("id") if selected and isinstance(selected[0], dict) else None
    return station_id if isinstance(station_id, int) else None


def _show_legend(own_color: RGB | None = None) -> None:
    """Draw the colours with their meaning; HTML of our own, and nothing in it is anybody's text."""
    entries = [
        (f"background:rgb{color}", name)
        for color, name in [*zip(TIER_COLORS, TIER_NAMES, strict=True), (UNRANKED_COLOR, N_("not compared"))]
    ]
    if own_color is not None:
        entries.append((f"box-sizing:border-box;border:0.2em solid rgb{own_color}", N_("in my list")))
    dots = "".join(
        f'<span style="white-space:nowrap"><span aria-hidden="true" style="display:inline-block;width:0.7em;'
        f'height:0.7em;border-radius:50%;margin-right:0.35em;{style}"></span>{escape_html(_(name))}</span>'
        for style, name in entries
    )
    st.html(f'<div style="display:flex;flex-wrap:wrap;gap:0.2rem 0.9rem;font-size:0.8rem">{dots}</div>')
