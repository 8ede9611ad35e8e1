"""The section of the admin's page about the data: what was rejected, what is implausible, old or gone."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from models import FUEL_NAMES
from prices.loads import Run, list_runs
from prices.quality import DoubtfulLocation, DoubtfulPrice, GoneStation, inspect_feed
from ui.formats import escape, format_count, format_day, format_price
from ui.freshness import count_ages_from, get_shown_freshness
from ui.price_table import name_station
from ui.reading import open_reading
from ui.run_messages import word_message
from ui.station_links import make_station_link
from ui.tables import show_count, show_table
from ui.texts import _

SHOWN = 20
LOOKED_BACK = 20  # runs, of which the last one that loaded something counts


def show_data() -> None:
    """Draw the section."""
    as_of = count_ages_from(get_shown_freshness(), datetime.now(UTC))
    with open_reading() as connection:
        runs = list_runs(connection, LOOKED_BACK)
        quality = inspect_feed(connection, SHOWN, as_of)
    _show_rejected(next((run for run in runs if run.status == "loaded"), None))
    st.subheader(_("Implausible prices"), anchor=False)
    show_count(quality.implausible_count, SHOWN)
    _show_prices(quality.implausible, _("Implausible prices"))
    st.subheader(_("Oldest reports"), anchor=False)
    show_count(quality.old_count, SHOWN)
    _show_prices(quality.oldest, _("Oldest reports"))
    st.subheader(_("Doubtful locations"), anchor=False)
    show_count(quality.doubtful_location_count, SHOWN)
    _show_doubtful_locations(quality.doubtful_locations)
    st.subheader(_("Stations gone"), anchor=False)
    show_count(quality.gone_count, SHOWN)
    _show_gone(quality.gone)


def _show_rejected(run: Run | None) -> None:
    st.subheader(_("Rejected by the last load"), anchor=False)
    if run is None:
        st.markdown(_("None yet."))
        return
    st.markdown(
        _("Stations: {stations}. Prices: {prices}.").format(
            stations=f"**{format_count(run.stations_rejected)}**", prices=f"**{format_count(run.prices_rejected)}**"
        )
    )
    if message := word_message(run.message):
        st.markdown(message)


def _show_prices(prices: tuple[DoubtfulPrice, ...], title: str) -> None:
    if prices:
        show_table(
            {
                _("Price"): [f"**{format_price(one.price_milli_eur)}**  \n{FUEL_NAMES[one.fuel_id]}" for one in prices],
                _("Station"): [_name(one) for one in prices],
                _("Reported"): [format_day(one.updated_at) for one in prices],
            },
            title,
        )


def _show_doubtful_locations(stations: tuple[DoubtfulLocation, ...]) -> None:
    if stations:
        show_table(
            {
                _("Station"): [_name(one) for one in stations],
                _("Postcode"): [escape(one.zip_code) for one in stations],
                _("Coordinates"): [f"{one.latitude:.5f}, {one.longitude:.5f}" for one in stations],
            },
            _("Doubtful locations"),
        )


def _show_gone(stations: tuple[GoneStation, ...]) -> None:
    if stations:
        show_table(
            {
                _("Station"): [_name(one) for one in stations],
                _("Since"): [format_day(one.left_feed_at) for one in stations],
            },
            _("Stations gone"),
        )


def _name(one: DoubtfulPrice | DoubtfulLocation | GoneStation) -> str:
    name = escape(name_station(one.address, one.town))
    return f"[{name}]({make_station_link(one.station_id)})  \n{escape(one.town)}"
