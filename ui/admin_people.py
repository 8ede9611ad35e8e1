"""The section of the admin's page about people: how many there are, what they keep, and one account at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st
from sqlalchemy import Connection

from accounts import admin
from accounts.audit import Actor
from accounts.identity import make_key
from accounts.people import MAX_FOUND, Account, count_followed, count_people, find_accounts
from models import FUEL_NAMES
from stations.popular import KeptStation, list_most_kept
from ui.admin_actions import Change, show_confirmed
from ui.authentication import get_driver, get_secret_key
from ui.formats import escape, escape_code, format_count, format_instant
from ui.price_table import name_station
from ui.reading import get_settings, open_reading
from ui.station_links import make_station_link
from ui.tables import show_table
from ui.texts import _

MOST_KEPT = 10


def show_people() -> None:
    """Draw the section."""
    now = datetime.now(UTC)
    with open_reading() as connection:
        figures = count_people(connection, now)
        followed = count_followed(connection)
        kept = list_most_kept(connection, MOST_KEPT)
    st.subheader(_("How many"), anchor=False)
    with st.container(horizontal=True):
        for label, count in (
            (_("Accounts"), figures.accounts),
            (_("Active in 7 days"), figures.active_7_days),
            (_("Active in 30 days"), figures.active_30_days),
            (_("Admins"), figures.admins),
            (_("Locked"), figures.locked),
            (_("Waiting for a code"), figures.unconfirmed),
            (_("Stations kept"), figures.stations_kept),
            (_("Open codes"), figures.codes_open),
            (_("Expired codes"), figures.codes_expired),
        ):
            st.metric(label, format_count(count), width="content")
    _show_search()
    _show_followed(followed)
    _show_most_kept(kept)


def _show_search() -> None:
    st.subheader(_("Find an account"), anchor=False)
    text = st.text_input(_("Part of a username or an e-mail address"), key="admin_account_search", max_chars=254)
    if not make_key(text):
        return
    with open_reading() as connection:
        accounts = {account.id: account for account in find_accounts(connection, text)}
    if not accounts:
        st.markdown(_("No account is called so."))
        return
    if len(accounts) == MAX_FOUND:
        st.caption(_("Only the first {count} are shown.").format(count=MAX_FOUND))
    account_id = st.selectbox(
        _("Account"),
        list(accounts),
        format_func=lambda one: f"{accounts[one].username} · {accounts[one].email}" if one in accounts else "–",
        key="admin_account",
    )
    if account_id in accounts:
        _show_account(accounts[account_id])


def _show_account(account: Account) -> None:
    with st.container(border=True):
        st.markdown(f"**{escape(account.username)}** · {escape(account.name)} · {escape_code(account.email)}")
        marks = [
            _("admin") if account.is_admin else "",
            _("locked since {instant}").format(instant=format_instant(account.locked_at)) if account.locked_at else "",
            _("waiting for a code") if account.confirmed_at is None else "",
        ]
        st.markdown(" ".join(f":orange-badge[{mark}]" for mark in marks if mark) or _("An account like any other."))
        seen = format_instant(account.seen_at) if account.seen_at else _("never")
        st.caption(
            _("Opened: {opened}. Last seen: {seen}. Stations kept: {count}.").format(
                opened=format_instant(account.created_at), seen=seen, count=format_count(account.stations_kept)
            )
        )
        with st.container(horizontal=True, gap="small"):
            _show_account_buttons(account)


def _show_account_buttons(account: Account) -> None:
    name = f"**{escape(account.username)}**"
    driver = get_driver()
    own = _("This is your own account.") + " " if driver is not None and driver.id == account.id else ""
    is_open = account.locked_at is None and account.confirmed_at is not None
    show_confirmed(
        _("Send a reset mail"),
        _("Send {name} a code for a new password.").format(name=name),
        _("Yes, send it"),
        f"admin_reset_{account.id}",
        _with_key(account.id, admin.mail_reset),
        _("The mail is on its way."),
        icon=":material/mail:",
        disabled=not is_open,
    )
    if account.confirmed_at is None:
        show_confirmed(
            _("Confirm"),
            _("Let {name} in without a code.").format(name=name),
            _("Yes, confirm it"),
            f"admin_confirm_{account.id}",
            _with(account.id, admin.confirm_account),
            _("The account is confirmed."),
            icon=":material/verified_user:",
        )
    if account.locked_at is None:
        show_confirmed(
            _("Lock"),
            own + _("{name} is logged out everywhere at once and can't log in any more.").format(name=name),
            _("Yes, lock it"),
            f"admin_lock_{account.id}",
            _with(account.id, admin.lock_account),
            _("The account is locked."),
            icon=":material/lock:",
        )
    else:
        show_confirmed(
            _("Unlock"),
            _("Let {name} log in again, with the same password.").format(name=name),
            _("Yes, unlock it"),
            f"admin_unlock_{account.id}",
            _with(account.id, admin.unlock_account),
            _("The account is unlocked."),
            icon=":material/lock_open:",
        )
    if account.is_admin:
        show_confirmed(
            _("Take the admin role"),
            own + _("{name} will see this page no more.").format(name=name),
            _("Yes, take it"),
            f"admin_revoke_{account.id}",
            _with(account.id, admin.revoke_admin),
            _("The account is no longer an admin's."),
            icon=":material/remove_moderator:",
        )
    else:
        show_confirmed(
            _("Give the admin role"),
            _("{name} will be able to do all that you can do here.").format(name=name),
            _("Yes, give it"),
            f"admin_grant_{account.id}",
            _with(account.id, admin.grant_admin),
            _("The account is an admin's now."),
            icon=":material/add_moderator:",
            disabled=account.confirmed_at is None,
        )
    show_confirmed(
        _("Erase"),
        own + _("Delete the account of {name} and all that is kept with it, at once and for good.").format(name=name),
        _("Yes, erase it"),
        f"admin_erase_{account.id}",
        _with_key(account.id, admin.erase_account),
        _("The account is erased."),
        icon=":material/delete_forever:",
    )


def _with(account_id: int, rule: Callable[[Connection, Actor, int, datetime], object]) -> Change:
    """Bind a rule to an account."""

    def change(connection: Connection, actor: Actor, now: datetime) -> None:
        rule(connection, actor, account_id, now)

    return change


def _with_key(account_id: int, rule: Callable[..., None]) -> Change:
    """Bind a rule that sends mails to an account."""
    return lambda connection, actor, now: rule(connection, get_settings(), get_secret_key(), actor, account_id, now)


def _show_followed(followed: dict[int, int]) -> None:
    if followed:
        st.subheader(_("Fuels followed"), anchor=False)
        show_table(
            {
                _("Fuel"): [FUEL_NAMES[fuel_id] for fuel_id in followed],
                _("Drivers"): [format_count(count) for count in followed.values()],
            },
            _("Fuels followed"),
        )


def _show_most_kept(kept: list[KeptStation]) -> None:
    if kept:
        st.subheader(_("Most kept stations"), anchor=False)
        show_table(
            {
                _("Station"): [
                    f"[{escape(name_station(one.address, one.town))}]({make_station_link(one.station_id)})  \n"
                    f"{escape(one.town)}"
                    for one in kept
                ],
                _("Drivers"): [format_count(one.drivers) for one in kept],
            },
            _("Most kept stations"),
        )
