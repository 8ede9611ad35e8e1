"""My stations: what the own stations cost today, cheapest first, and what that is worth.

A driver's stations, fuels and vehicle come from the account; a visitor's, who tries it, from the session.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from accounts.profile import get_profile
from models import FUEL_NAMES
from prices.dashboard import Dashboard, FuelBlock, make_dashboard
from prices.savings import Vehicle
from stations.favourites import Favourite
from ui.access import PAGES
from ui.authentication import get_driver
from ui.callbacks import while_logged_in
from ui.demo import choose_fuels, get_tried_vehicle, show_example_offer, show_keep_offer, show_tried_vehicle
from ui.detours import show_detours
from ui.exports import show_export
from ui.formats import escape
from ui.freshness import (
    count_ages_from,
    get_shown_freshness,
    read_figures,
    show_banners,
    show_load_times,
    watch_loads,
)
from ui.price_csv import prepare_csv
from ui.price_table import show_own_prices
from ui.reading import get_medians, open_reading
from ui.savings_table import show_formula, show_savings
from ui.station_links import follow_station_links
from ui.station_list import StationList, get_station_list, show_list_note
from ui.texts import _, ngettext


def main() -> None:
    driver = get_driver()
    freshness = get_shown_freshness()
    own = get_station_list(driver)
    now = datetime.now(UTC)
    as_of = count_ages_from(freshness, now)
    st.title(_("My stations"), anchor=False)
    # What must be known of the prices is said before anything; that newer ones are coming after what one came for.
    show_banners(freshness)
    if freshness is None:
        watch_loads(freshness)
        return
    with open_reading() as connection:
        favourites = own.read(connection)
        if driver is None:
            fuels, vehicle = (choose_fuels() if favourites else ()), get_tried_vehicle()
        else:
            profile = get_profile(connection, driver.id)
            fuels = profile.fuels
            vehicle = Vehicle(profile.litres_per_100km, profile.km_per_year, profile.tank_litres)
        figures = read_figures(connection, freshness, as_of)
        board = make_dashboard(
            connection, favourites, fuels, figures, get_medians(), loaded_at=freshness.loaded_at, as_of=as_of, now=now
        )
    show_list_note(own)
    if not favourites:
        show_nothing_kept(own)
    elif not fuels:
        show_no_fuel(own)
    else:
        show_blocks(board.blocks, as_of)
    show_gone(board.gone)
    show_load_times(freshness)
    watch_loads(freshness)
    if favourites and not own.is_lasting:
        show_keep_offer(favourites)
    if any(block.rows for block in board.blocks):
        show_worth(board, vehicle, own, as_of)
    show_links(own)
    follow_station_links(None)


def show_nothing_kept(own: StationList) -> None:
    if own.is_lasting:
        st.markdown(_("You keep no station yet. Choose those where you fill up, and see here which is the cheapest."))
    else:
        st.markdown(
            _("Try it without an account: choose the stations where you fill up, and see here which is the cheapest.")
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(PAGES / "choose.py", label=_("Choose stations"), icon=":material/add_location_alt:")
        if not own.is_lasting:
            show_example_offer(own)


def show_no_fuel(own: StationList) -> None:
    if own.is_lasting:
        st.markdown(_("You follow no fuel. Say on your profile which ones you fill up with."))
        st.page_link(PAGES / "profile.py", label=_("Your profile"), icon=":material/person:")
    else:
        st.markdown(_("Choose a fuel above to see its prices."))


def show_blocks(blocks: Sequence[FuelBlock], as_of: datetime) -> None:
    if any(row.to_median_milli_eur is not None for block in blocks for row in block.rows):
        st.caption(
            _(
                "Below each price, in cents a litre: the difference to the dearest of your stations (max), and to the "
                "median within 10 km."
            )
        )
    with st.grid(min(2, len(blocks)), min_column_width=330, gap="medium") as grid:
        for block in blocks:
            with grid.cell():
                name = FUEL_NAMES[block.fuel_id]
                st.subheader(name, anchor=False)
                if block.rows:
                    show_own_prices(block, name, as_of)
                else:
                    st.markdown(_("None of your stations sells {fuel}.").format(fuel=name))


def show_gone(gone: Sequence[Favourite]) -> None:
    if gone:
        names = ", ".join(escape(favourite.custom_name) for favourite in gone)
        st.info(
            ngettext(
                "{count} of your stations is no longer in the national feed: {names}.",
                "{count} of your stations are no longer in the national feed: {names}.",
                len(gone),
            ).format(count=len(gone), names=names),
            icon=":material/link_off:",
        )


def show_worth(board: Dashboard, vehicle: Vehicle, own: StationList, as_of: datetime) -> None:
    show_savings(board.blocks, vehicle)
    with st.container(horizontal=True):
        show_formula(board.blocks, vehicle)
        if not own.is_lasting:
            show_tried_vehicle()
        show_export(
            _("Download as CSV"), while_logged_in(prepare_csv(board)), file_name="carburoam.csv", mime="text/csv"
        )
    show_detours(board.blocks, vehicle, as_of)


def show_links(own: StationList) -> None:
    st.subheader(_("More"), anchor=False)
    links = [
        (
            "landing",
            _("Prices nearby"),
            _("what fuel costs around a town or around you"),
            ":material/local_gas_station:",
        ),
        ("choose", _("Choose stations"), _("add, rename, sort or remove your stations"), ":material/add_location_alt:"),
        ("profile", _("Your profile"), _("the fuels you follow and your vehicle"), ":material/person:"),
        ("about", _("About and help"), _("where the prices come from"), ":material/info:"),
    ]
    shown = [link for link in links if own.is_lasting or link[0] != "profile"]  # a visitor has none
    with st.grid(2, min_column_width=330, gap="small") as grid:
        for name, title, purpose, icon in shown:
            with grid.cell(), st.container(gap=None):
                st.page_link(PAGES / f"{name}.py", label=title, icon=icon)
                st.caption(purpose)


main()
