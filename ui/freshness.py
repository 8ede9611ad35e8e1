"""What a page says of the state of its prices: sample, old, being loaded; and its waking up when new ones are there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

import etl
from prices.freshness import Freshness, get_freshness
from ui.formats import format_instant
from ui.reading import get_engine, get_settings, get_starter, open_reading
from ui.texts import _

# A feed whose newest report is older than this is a snapshot of another time, or loads have failed for long.
LIVE = timedelta(days=1)
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
    """Return the instant from which ages of prices are told: now, or the newest report of a feed of another time."""
    if freshness is None or freshness.newest_report_at is None or now - freshness.newest_report_at < LIVE:
        return now
    return freshness.newest_report_at


def show_load_times(freshness: Freshness) -> None:
    """Draw when the prices were loaded and how new the newest of them is."""
    if freshness.newest_report_at is not None:
        st.caption(
            _("Last load: {loaded} · newest report: {newest} (Paris time)").format(
                loaded=format_instant(freshness.loaded_at), newest=format_instant(freshness.newest_report_at)
            )
        )


def show_state(freshness: Freshness | None) -> None:
    """Draw the banners about the data, and watch for newer ones."""
    is_running = etl.is_load_running(get_settings(), get_engine())
    if freshness is None:
        st.info(
            _("The prices of the whole country are being loaded for the first time. This page will fill itself."),
            title=_("Loading the prices"),
            icon="spinner",
        )
    elif freshness.is_sample:
        st.warning(
            _(
                "The national feed can't be reached yet, so you see invented stations and prices to try the pages "
                "with. Real prices take their place as soon as they can be loaded."
            ),
            title=_("These are not real prices"),
            icon=":material/science:",
        )
    elif (newest := freshness.newest_report_at) is not None and datetime.now(UTC) - newest >= LIVE:
        st.warning(
            _("The newest report in them is of {instant}. Ages are counted from then.").format(
                instant=format_instant(newest)
            ),
            title=_("These prices are not of today"),
            icon=":material/history:",
        )
    if is_running and freshness is not None:
        note = _("New prices are being loaded; the page will show them by itself.")
        st.caption(f":material/sync: {note}")
    _watch(freshness, is_running)


def _watch(freshness: Freshness | None, is_running: bool) -> None:
    shown = (freshness and freshness.loaded_at, is_running)
    is_soon = is_running or freshness is None or freshness.is_sample
    is_first = True

    @st.fragment(run_every=POLL_SECONDS if is_soon else IDLE_POLL_SECONDS)
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
            is_changed = (current and current.loaded_at, etl.is_load_running(get_settings(), get_engine())) != shown
        except SQLAlchemyError:
            return  # what is shown stays; the next look may tell more
        if is_changed:
            st.rerun(scope="app")

    watch()
