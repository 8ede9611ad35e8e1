"""The part of the admin's section about loads that shows a feed which was refused for holding too few stations."""

from __future__ import annotations

from datetime import datetime

import streamlit as st
from sqlalchemy import Connection

from accounts.audit import Actor, note_action
from prices.loads import Loss, Refusal, accept_refused, withdraw_accepted
from stations.departments import DEPARTMENTS
from ui.admin_actions import show_confirmed
from ui.formats import escape_code, format_count, format_instant
from ui.tables import show_count, show_table
from ui.texts import _

SHOWN_DEPARTMENTS = 10


def show_refusal(refusal: Refusal, loss: Loss) -> None:
    """Draw what was refused and what it would take out, with the button that accepts it, or takes that back."""
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
        if loss.departments:
            _show_loss(loss)
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
            _(
                "The next load takes exactly this feed of {count} stations, whatever is published by then. Others are "
                "judged as before."
            ).format(count=format_count(refusal.station_count)),
            _("Yes, accept it"),
            "admin_accept",
            accept,
            _("The feed was accepted; the next load takes it."),
            icon=":material/check_circle:",
        )


def _show_loss(loss: Loss) -> None:
    st.markdown(
        _("Drivers keep {stations} of them, {favourites} times in all.").format(
            stations=f"**{format_count(loss.kept_stations)}**", favourites=f"**{format_count(loss.favourites)}**"
        )
        if loss.favourites
        else _("No driver keeps one of them.")
    )
    departments = loss.departments[:SHOWN_DEPARTMENTS]
    st.markdown(f"**{_('By department')}**")
    show_count(len(loss.departments), SHOWN_DEPARTMENTS)
    show_table(
        {
            _("Department"): [_name_department(one.department) for one in departments],
            _("Stations gone"): [
                _("{count} of {total}").format(count=f"**{format_count(one.gone)}**", total=format_count(one.before))
                for one in departments
            ],
        },
        _("By department"),
    )


def _name_department(code: str) -> str:
    return f"{code} {DEPARTMENTS[code]}" if code in DEPARTMENTS else _("not known")
