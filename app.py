"""The application: Streamlit's pages, the files of the map, security headers, and the start of the background process.

`streamlit run app.py` finds `app`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
import streamlit as st
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from errors import SettingRefused
from headers import SecurityHeaders
from logs import set_up_logging
from settings import ROOT, read_settings

INDEX_HTML = Path(st.__file__).parent / "static" / "index.html"
try:
    SETTINGS = read_settings()
except SettingRefused as error:
    sys.exit(f"app.py: {error}")

logger = logging.getLogger("carburoam.app")


async def get_map_style(request: Request) -> Response:
    """Answer with the style of the base map for a theme, with tiles under our points if the settings name some."""
    theme = request.path_params["theme"]
    if theme not in ("light", "dark"):
        return Response(status_code=404)
    style = json.loads((ROOT / "static" / "map" / f"{theme}.json").read_text(encoding="utf-8"))
    if SETTINGS.map_tiles:
        style["sources"]["tiles"] = {"type": "raster", "tiles": [SETTINGS.map_tiles], "tileSize": 256}
        style["layers"].append({"id": "tiles", "type": "raster", "source": "tiles", "minzoom": 6})
    return JSONResponse(style, headers={"Cache-Control": "public, max-age=3600"})


@asynccontextmanager
async def prepare(app: st.App) -> AsyncIterator[dict[str, Any] | None]:
    """Prepare the database and start the background process, whether or not a visitor comes; end it with the app."""
    # Imported here: the runtime that holds cached resources is there only now.
    from ui.reading import get_engine, get_settings, get_starter

    set_up_logging()
    starter = get_starter()
    try:
        await anyio.to_thread.run_sync(get_engine)
        await anyio.to_thread.run_sync(lambda: starter.ensure_running(get_settings(), even_if_recent=True))
    except (SQLAlchemyError, OSError) as error:
        # Pages say so and try again on every run: what is out of reach now may come back.
        logger.error("start status=failed error=%r", str(getattr(error, "orig", None) or error))
    yield None
    starter.stop()


app = st.App(
    "ui/main.py",
    lifespan=prepare,
    routes=[
        Route("/map-style/{theme}.json", get_map_style),
        Mount("/assets", StaticFiles(directory=ROOT / "static")),
    ],
    middleware=[Middleware(SecurityHeaders, index_html=INDEX_HTML, map_tiles=SETTINGS.map_tiles)],
)
