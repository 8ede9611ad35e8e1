"""What a page says of the state of its prices: sample, old, being loaded; and its waking up when new ones are there."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

import etl
from prices.figures import NationalFigure
from prices.freshness import Freshness, find_as_of, get_freshness
from settings import AS_OF_FEED
from ui.callbacks import is_still_here
from ui.formats import format_instant
from ui.page_turns import takes_turn
from ui.reading import get_engine, get_national_figures, get_settings, get_starter, open_reading
from ui.texts import _

POLL_SECONDS = 2.0
IDLE_POLL_SECONDS = 60.0


def read_freshness() -> Freshness | None:
    """Read how fresh the prices are, for everything that is drawn on this rerun."""
    with open_reading() as connection:
        freshness = get_freshness(connection)
    st.session_state["freshness"] = freshness
    return freshness


def get_shown_freshness() -> Freshness | None:
    """Return how fresh the prices are that this rerun shows; None when nothing was loaded yet."""
    freshness = st.session_state.get("freshness")
    return freshness if isinstance(freshness, Freshness) else None


def count_ages_from(freshness: Freshness | None, now: datetime) -> datetime:
    """Return the instant from which ages of prices and stock-outs count, for all that this rerun shows."""
    return find_as_of(get_settings().as_of, None if freshness is None else freshness.newest_report_at, now)


def read_figures(connection: Connection, freshness: Freshness | None, as_of: datetime) -> dict[int, NationalFigure]:
    """Return the national figures as of that instant by fuel; none before the first load."""
    return {} if freshness is None else get_national_figures().find(connection, freshness.edition, as_of)


def show_load_times(freshness: Freshness) -> None:
    """Draw when the prices were loaded and how new the newest of them is."""
    if freshness.newest_report_at is not None:
        st.caption(
            _("Last load: {loaded} · newest report: {newest} (Paris time)").format(
                loaded=format_instant(freshness.loaded_at), newest=format_instant(freshness.newest_report_at)
            )
        )


def show_state(freshness: Freshness | None) -> None:
    """Draw the banners about the data, above the first price of a page, and watch for newer data."""
    show_banners(freshness)
    watch_loads(freshness)


def show_banners(freshness: Freshness | None) -> None:
    """Draw what must be known of the data before any price is read."""
    if freshness is None:
        st.info(
            _("The prices of the whole country are being loaded for the first time. This page will fill itself."),
            title=_("Loading the prices"),
            icon="spinner",
        )
        return
    if freshness.is_sample:
        st.warning(
            _(
                "The national feed can't be reached yet, so you see invented stations and prices to try the pages "
                "with. Real prices take their place as soon as they can be loaded."
            ),
            title=_("These are not real prices"),
            icon=":material/science:",
        )
    newest = freshness.newest_report_at
    if newest is None:
        return
    is_out_of_date = freshness.is_out_of_date(datetime.now(UTC))
    if get_settings().as_of == AS_OF_FEED:
        st.warning(
            _(
                "The newest report is from {instant}. Ages count from then, not from now: this installation is set up "
                "to try a snapshot of another time (setting CARBUROAM_AS_OF)."
            ).format(instant=format_instant(newest)),
            title=_("These prices are out of date") if is_out_of_date else _("Ages count from the newest report"),
            icon=":material/history:",
        )
    elif is_out_of_date and not freshness.is_sample:
        st.warning(
            _("The newest report is from {instant}. You may pay a different price at the pump.").format(
                instant=format_instant(newest)
            ),
            title=_("These prices are out of date"),
            icon=":material/history:",
        )


def watch_loads(freshness: Freshness | None) -> None:
    """Say whether new prices are being loaded, and draw the page anew when they are there."""
    is_running = etl.is_load_running(get_settings(), get_engine())
    if is_running and freshness is not None:
        note = _("New prices are being loaded; the page will show them by itself.")
        st.caption(f":material/sync: {note}")
    _watch(freshness, is_running)


def _watch(freshness: Freshness | None, is_running: bool) -> None:
    shown = (freshness and freshness.loaded_at, is_running)
    is_soon = is_running or freshness is None or freshness.is_sample
    is_first = True

    @st.fragment(run_every=POLL_SECONDS if is_soon else IDLE_POLL_SECONDS)
    @takes_turn
    def watch() -> None:
        nonlocal is_first
        if is_first:  # with the page itself, which has just asked
            is_first = False
            return
        # A page that is kept open keeps the loads going too.
        get_starter().ensure_running(get_settings())
        try:
            with open_reading() as connection:
                current = get_freshness(connection)
            state = (current and current.loaded_at, etl.is_load_running(get_settings(), get_engine()))
            is_changed = state != shown or not is_still_here()
        except SQLAlchemyError:
            return  # what is shown stays; the next look may tell more
        if is_changed:
            st.rerun(scope="app")

    watch()
