"""What the cheapest of the own stations saves in a year, fuel by fuel, and the formula with what goes into it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import streamlit as st

from models import FUEL_NAMES
from prices.dashboard import FuelBlock
from prices.savings import USUAL_KM_PER_YEAR, Savings, Vehicle, compute_savings, count_decimals
from ui.formats import CACHED, format_count, format_euros, format_number, format_price
from ui.tables import show_table
from ui.texts import _, get_language


def show_savings(blocks: Sequence[FuelBlock], vehicle: Vehicle) -> None:
    """Draw the savings of each fuel that has a price to compare; fuels are never mixed."""
    found = _list_savings(blocks, vehicle)
    st.subheader(_("What it saves in a year"), anchor=False)
    if not found:
        st.markdown(_("None of your stations has a price that can be compared."))
        return
    st.caption(
        _("Always filling up at the cheapest of your stations, {litres} litres a year.").format(
            litres=format_count(round(vehicle.litres_per_year))
        )
    )
    show_table(
        {
            _("Fuel"): [f"**{FUEL_NAMES[savings.fuel_id]}**" for savings in found],
            _("against the average of yours"): [_write_own(savings) for savings in found],
            _("against the median nearby"): [_write_amount(savings.nearby_eur) for savings in found],
        },
        _("Savings a year by fuel"),
    )


def show_formula(blocks: Sequence[FuelBlock], vehicle: Vehicle) -> None:
    """Draw the button behind which the savings are reckoned, with all that goes into them."""
    if found := _list_savings(blocks, vehicle):
        with st.popover(_("How this is worked out"), icon=":material/calculate:"):
            st.markdown(_explain(tuple(found), vehicle, get_language()))


def _list_savings(blocks: Sequence[FuelBlock], vehicle: Vehicle) -> list[Savings]:
    return [savings for block in blocks if (savings := compute_savings(block, vehicle)) is not None]


def _write_own(savings: Savings) -> str:
    if savings.own_eur is None:
        note = _("add a second station to compare")
        return f":small[{note}]"
    return _write_amount(savings.own_eur)


def _write_amount(euros: float | None) -> str:
    if euros is None:
        return "–"
    if round(euros) < 0:
        more = _("{amount} more").format(amount=format_euros(-euros))
        return f":orange[**{more}**]"
    return f"**{format_euros(abs(euros))}**"


@lru_cache(maxsize=CACHED)
def _explain(found: tuple[Savings, ...], vehicle: Vehicle, _language: str) -> str:
    usual = _("(usual figure)")
    paragraphs = [
        _("Litres a year × (what you would pay − the cheapest of your stations), each fuel for itself."),
        _("{km} km a year × {consumption} L/100 km = **{litres} L a year**").format(
            km=format_count(vehicle.km_per_year or USUAL_KM_PER_YEAR) + ("" if vehicle.km_per_year else f" {usual}"),
            consumption=format_number(vehicle.consumption) + ("" if vehicle.litres_per_100km else f" {usual}"),
            litres=format_count(round(vehicle.litres_per_year)),
        ),
    ]
    for savings in found:
        lines = [f"**{FUEL_NAMES[savings.fuel_id]}**"]
        if savings.own_eur is not None:
            lines.append(
                _("average of {count} stations:").format(count=savings.station_count)
                + f" {_reckon(savings, savings.average_milli_eur, savings.own_eur, count_decimals(savings))}"
            )
        if savings.nearby_eur is not None and savings.nearby_median_milli_eur is not None:
            lines.append(
                _("median within 10 km of the cheapest:")
                + f" {_reckon(savings, savings.nearby_median_milli_eur, savings.nearby_eur)}"
            )
        paragraphs.append("  \n".join(lines))
    paragraphs.append(_("Only fresh, plausible prices in stock count. Prices change: this is what today's would give."))
    return "\n\n".join(paragraphs)


def _reckon(savings: Savings, price_milli_eur: float, euros: float, decimals: int = 3) -> str:
    litres = format_count(round(savings.litres_per_year))
    paid, cheapest = format_price(price_milli_eur, decimals=decimals), format_price(savings.cheapest_milli_eur)
    return f"{litres} × ({paid} − {cheapest}) = **{format_euros(euros)}**"
