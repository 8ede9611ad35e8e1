"""The section of the admin's page about loads: the background process, the last runs, a feed that was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import streamlit as st
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

import etl
from accounts.audit import Actor, note_action
from db import is_shared
from prices.loads import Run, get_refusal, list_runs, weigh_refusal
from scheduler import Running, find_running, remove_stale_pid, start_load, stop_running
from statefiles import forget_lastjob, read_lastjob
from ui.admin_actions import forget_done, show_confirmed
from ui.admin_refusal import show_refusal
from ui.callbacks import is_still_here
from ui.formats import format_count, format_instant, format_number
from ui.load_chart import show_load_chart
from ui.page_turns import takes_turn
from ui.reading import get_engine, get_settings, get_starter, open_reading
from ui.run_messages import word_message
from ui.tables import show_table
from ui.texts import N_, _

SHOWN_RUNS = 20
POLL_SECONDS = 2.0
_STATUS = {
    "loaded": (N_("loaded"), "green"),
    "unchanged": (N_("unchanged"), "gray"),
    "refused": (N_("refused"), "orange"),
    "failed": (N_("failed"), "red"),
}


@dataclass(frozen=True)
class _State:
    """What the section shows of the background process and the loads, and redraws itself for when it changes."""

    running: Running | None
    has_pid_file: bool
    is_loading: bool
    last_success: datetime | None
    last_run: Run | None


def show_loads() -> None:
    """Draw the section, and watch for what changes."""
    state = _look()
    with open_reading() as connection:
        runs = list_runs(connection, SHOWN_RUNS)
        refusal = get_refusal(connection)
        loss = weigh_refusal(connection) if refusal is not None else None
    _show_state(state)
    _show_buttons(state)
    if refusal is not None and loss is not None:
        show_refusal(refusal, loss)
    st.subheader(_("The last loads"), anchor=False)
    if not runs:
        st.markdown(_("None yet."))
    else:
        show_load_chart(runs)
        _show_runs(runs)
    _watch(state)


def _look() -> _State:
    settings = get_settings()
    with open_reading() as connection:
        runs = list_runs(connection, 1)
    return _State(
        find_running(settings),
        settings.pid_file.exists(),
        etl.is_load_running(settings, get_engine()),
        read_lastjob(settings, datetime.now(UTC)),
        runs[0] if runs else None,
    )


def _show_state(state: _State) -> None:
    running, last = state.running, state.last_success
    if running is not None:
        process = _("It runs since {instant}, as process {pid}.").format(
            instant=format_instant(running.started_at), pid=running.pid
        )
    elif state.has_pid_file:
        process = _("It does not run, but left a pid.txt behind.")
    else:
        process = _("It does not run; the next visit starts it when a load is due.")
    if last is None:
        due = _("lastjob.txt is not there or can't be read: a load is due.")
    else:
        due = _("Last success: {last}. Next load: {next}.").format(
            last=format_instant(last), next=format_instant(last + timedelta(seconds=get_settings().refresh_seconds))
        )
    run = state.last_run
    loading = (
        _("A load is running since {instant}.").format(instant=format_instant(run.started_at))
        # The lock is taken a moment before the run's row is there, and let go a moment after it has its end.
        if state.is_loading and run is not None and run.finished_at is None
        else _("No load is running.")
    )
    st.subheader(_("The background process"), anchor=False)
    st.markdown("  \n".join((process, due, loading)))


def _show_buttons(state: _State) -> None:
    with st.container(horizontal=True, gap="small"):
        show_confirmed(
            _("Load now"),
            _("Load the feed at once, beside the background process."),
            _("Yes, load now"),
            "admin_load",
            _load,
            _("A load was started."),
            icon=":material/sync:",
            disabled=state.is_loading,
        )
        if state.running is not None:
            show_confirmed(
                _("Stop"),
                _("Stop the background process. A visit starts it again when a load is due."),
                _("Yes, stop it"),
                "admin_stop",
                _stop,
                _("The background process was asked to stop."),
                icon=":material/stop_circle:",
            )
        else:
            show_confirmed(
                _("Start"),
                _("Start the background process."),
                _("Yes, start it"),
                "admin_start",
                _start,
                _("The background process was started."),
                icon=":material/play_circle:",
            )
            if state.has_pid_file:
                show_confirmed(
                    _("Remove pid.txt"),
                    _("It names no background process that lives."),
                    _("Yes, remove it"),
                    "admin_remove_pid",
                    _remove_pid,
                    _("pid.txt was removed."),
                    icon=":material/delete:",
                )
        show_confirmed(
            _("Forget lastjob.txt"),
            _(
                "Forget when a load last succeeded. On a database of several servers that is read from it again, and a "
                "load is due when the interval is over."
            )
            if is_shared(get_engine())
            else _(
                "Forget when a load last succeeded. The background process loads at once; where none runs, the next "
                "visit starts it."
            ),
            _("Yes, forget it"),
            "admin_forget_lastjob",
            _forget_lastjob,
            _("lastjob.txt was removed."),
            icon=":material/history_toggle_off:",
            disabled=not get_settings().lastjob_file.exists(),
        )


def _show_runs(runs: Sequence[Run]) -> None:
    show_table(
        {
            _("When"): [format_instant(run.started_at) for run in runs],
            _("How it went"): [_describe(run) for run in runs],
        },
        _("The last loads"),
    )


def _describe(run: Run) -> str:
    if run.status is None:
        running = _("no end yet")
        return f":blue-badge[{running}]"
    word, color = _STATUS.get(run.status, (N_("failed"), "red"))
    parts = [f":{color}-badge[{_(word)}]"]
    if run.seconds is not None:
        parts.append(_("{seconds} s").format(seconds=format_number(run.seconds)))
    lines = [" ".join(parts)]
    if run.stations_seen:
        lines.append(
            _(
                "stations: {stations} seen, {stations_written} written, {stations_rejected} rejected; prices: {prices} "
                "seen, {prices_written} written, {prices_rejected} rejected"
            ).format(
                stations=format_count(run.stations_seen),
                stations_written=format_count(run.stations_written),
                stations_rejected=format_count(run.stations_rejected),
                prices=format_count(run.prices_seen),
                prices_written=format_count(run.prices_written),
                prices_rejected=format_count(run.prices_rejected),
            )
        )
    if message := word_message(run.message):
        lines.append(message)
    return "  \n".join(lines)


def _watch(shown: _State) -> None:
    is_first = True

    @st.fragment(run_every=POLL_SECONDS)
    @takes_turn
    def watch() -> None:
        nonlocal is_first
        if is_first:  # with the page itself, which has just asked
            is_first = False
            return
        try:
            is_here = is_still_here()
            is_changed = is_here and _look() != shown
        except SQLAlchemyError:
            return  # what is shown stays; the next look may tell more
        if not is_here:
            st.rerun(scope="app")
        if is_changed:
            forget_done()  # what was asked for has come: the section shows it
            st.rerun(scope="app")

    watch()


def _load(connection: Connection, actor: Actor, now: datetime) -> None:
    note_action(connection, actor, "load", now)
    start_load(get_settings())


def _stop(connection: Connection, actor: Actor, now: datetime) -> None:
    pid = stop_running(get_settings())
    if pid is None:
        raise ProcessLookupError  # it ended by itself, or pid.txt names another program's process
    note_action(connection, actor, "stop", now, subject=str(pid))


def _start(connection: Connection, actor: Actor, now: datetime) -> None:
    note_action(connection, actor, "start", now)
    if not get_starter().ensure_running(get_settings(), even_if_recent=True):
        raise ProcessLookupError  # too soon after the last start


def _remove_pid(connection: Connection, actor: Actor, now: datetime) -> None:
    note_action(connection, actor, "remove_pid", now)
    if not remove_stale_pid(get_settings()):
        raise ProcessLookupError  # there is none, or it is not stale


def _forget_lastjob(connection: Connection, actor: Actor, now: datetime) -> None:
    note_action(connection, actor, "forget_lastjob", now)
    forget_lastjob(get_settings())
