"""The section of the admin's page about loads: the background process, the last runs, a feed that was refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st
from sqlalchemy import Connection

import etl
from accounts.audit import Actor, note_action
from db import is_shared
from prices.loads import Refusal, Run, accept_refused, get_refusal, list_runs, withdraw_accepted
from scheduler import Running, find_running, remove_stale_pid, start_load, stop_running
from statefiles import forget_lastjob, read_lastjob
from ui.admin_actions import show_confirmed
from ui.formats import escape_code, format_age, format_count, format_instant, format_number
from ui.load_chart import show_load_chart
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


def show_loads() -> None:
    """Draw the section, and watch for what changes."""
    running = find_running(get_settings())
    is_loading = etl.is_load_running(get_settings(), get_engine())
    last = read_lastjob(get_settings(), datetime.now(UTC))
    with open_reading() as connection:
        runs = list_runs(connection, SHOWN_RUNS)
        refusal = get_refusal(connection)
    _show_state(running, runs[0] if is_loading and runs else None, last)
    _show_buttons(running, is_loading=is_loading)
    if refusal is not None:
        _show_refusal(refusal)
    st.subheader(_("The last loads"), anchor=False)
    if not runs:
        st.markdown(_("None yet."))
    else:
        show_load_chart(runs)
        _show_runs(runs)
    _watch((running, is_loading, runs[:1], last))


def _show_state(running: Running | None, load: Run | None, last: datetime | None) -> None:
    now = datetime.now(UTC)
    settings = get_settings()
    if running is not None:
        process = _("It runs since {instant}, as process {pid}.").format(
            instant=format_instant(running.started_at), pid=running.pid
        )
    elif settings.pid_file.exists():
        process = _("It does not run, but left a pid.txt behind.")
    else:
        process = _("It does not run; the next visit starts it when a load is due.")
    if last is None:
        due = _("lastjob.txt is not there or can't be read: a load is due.")
    else:
        due = _("Last success: {last}. Next load: {next}.").format(
            last=format_instant(last), next=format_instant(last + timedelta(seconds=settings.refresh_seconds))
        )
    loading = (
        _("No load is running.")
        if load is None
        else _("A load is running, begun {age}.").format(age=format_age(load.started_at, now))
    )
    st.subheader(_("The background process"), anchor=False)
    st.markdown("  \n".join((process, due, loading)))


def _show_buttons(running: Running | None, *, is_loading: bool) -> None:
    with st.container(horizontal=True, gap="small"):
        show_confirmed(
            _("Load now"),
            _("Load the feed at once, beside the background process."),
            _("Yes, load now"),
            "admin_load",
            _load,
            _("A load was started."),
            icon=":material/sync:",
            disabled=is_loading,
        )
        if running is not None:
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
            if get_settings().pid_file.exists():
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


def _show_refusal(refusal: Refusal) -> None:
    with st.container(border=True):
        st.subheader(_("A feed was refused: it has lost too many stations"), anchor=False)
        st.markdown(
            _(
                "{instant}, from {source}: it holds {count} stations, the one before held {before}. Loading it would "
                "take {gone} stations out, with their prices; who keeps one of them would see it as no longer in the "
                "feed."
            ).format(
                instant=format_instant(refusal.refused_at),
                source=escape_code(refusal.source),
                count=format_count(refusal.station_count),
                before=format_count(refusal.station_count_before),
                gone=f"**{format_count(refusal.stations_gone)}**",
            )
        )
        if refusal.accepted_at is not None:
            st.markdown(_("It was accepted; the next load takes it."))

            def withdraw(connection: Connection, actor: Actor, now: datetime) -> None:
                withdraw_accepted(connection, refusal.digest)
                note_action(connection, actor, "withdraw_feed", now, subject=refusal.digest[:12])

            show_confirmed(
                _("Take this back"),
                _("No load takes this feed; it is judged as any other."),
                _("Yes, take it back"),
                "admin_withdraw",
                withdraw,
                _("The feed is no longer accepted."),
                icon=":material/undo:",
            )
            return

        def accept(connection: Connection, actor: Actor, now: datetime) -> None:
            accept_refused(connection, refusal.digest, now)
            note_action(connection, actor, "accept_feed", now, subject=refusal.digest[:12])

        show_confirmed(
            _("Accept this one"),
            _("The next load takes exactly this feed, whatever is published by then. Others are judged as before."),
            _("Yes, accept it"),
            "admin_accept",
            accept,
            _("The feed was accepted; the next load takes it."),
            icon=":material/check_circle:",
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


def _watch(shown: tuple[Running | None, bool, list[Run], datetime | None]) -> None:
    is_first = True

    @st.fragment(run_every=POLL_SECONDS)
    def watch() -> None:
        nonlocal is_first
        if is_first:  # with the page itself, which has just asked
            is_first = False
            return
        with open_reading() as connection:
            runs = list_runs(connection, 1)
        settings = get_settings()
        last = read_lastjob(settings, datetime.now(UTC))
        if (find_running(settings), etl.is_load_running(settings, get_engine()), runs, last) != shown:
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
