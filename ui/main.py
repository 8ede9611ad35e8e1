"""The script that runs first on every rerun: language, navigation, "is a load due?", then the page."""

from __future__ import annotations

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from errors import CarburoamError
from prices.freshness import get_freshness
from settings import ROOT
from ui.formats import escape
from ui.near_me import mark_language
from ui.reading import get_engine, get_settings, get_starter, open_reading
from ui.sidebar import choose_language, show_logo, show_sidebar_foot
from ui.texts import _, get_language

st.set_page_config(page_icon=str(ROOT / "static" / "favicon.png"), layout="wide")
# Streamlit writes what is chosen in the primary colour; on dark that can't be read as it should (WCAG 1.4.3: 4.5 to 1).
st.html("<style>[data-selected='true'] p { color: light-dark(#0b6478, #6cc5d8) }</style>")
show_logo()
choose_language()
pages = ROOT / "pages"
page = st.navigation(
    [
        st.Page(
            pages / "landing.py",
            title=_("Prices nearby"),
            icon=":material/local_gas_station:",
            help=_("What fuel costs around a town, a postcode or where you are, cheapest first."),
            default=True,
        ),
        st.Page(
            pages / "station.py",
            title=_("Station"),
            icon=":material/ev_station:",
            help=_("One station: its prices, stock-outs, opening hours and services."),
            visibility="hidden",
        ),
        st.Page(
            pages / "about.py",
            title=_("About and help"),
            icon=":material/info:",
            help=_("Where the prices come from, how they are treated, and who runs this site."),
        ),
    ]
)
try:
    get_engine()
    get_starter().ensure_running(get_settings())
    with open_reading() as connection:
        freshness = get_freshness(connection)
except (CarburoamError, OSError) as error:
    st.error(escape(str(error)), title=_("This installation is not set up rightly"))
    st.stop()
except SQLAlchemyError:
    st.error(_("Please try again in a minute."), title=_("The prices can't be read right now"))
    st.stop()
show_sidebar_foot(freshness)
mark_language(get_language())
page.run()
