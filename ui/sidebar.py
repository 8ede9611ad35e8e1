"""The sidebar of every page: logo, language, how fresh the prices are, version and links."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from prices.freshness import Freshness
from settings import ROOT, VERSION
from ui.formats import format_age
from ui.texts import LANGUAGES, _, find_browser_language

FEED_PAGE = "https://www.prix-carburants.gouv.fr/"


def choose_language() -> None:
    """Draw the choice of the language; it decides the language of all that is drawn after it."""
    with st.sidebar:
        st.segmented_control(
            "Langue / Language",
            LANGUAGES,
            default=find_browser_language(),
            format_func=str.upper,
            required=True,
            key="lang",
            bind="query-params",
        )


def show_logo() -> None:
    """Draw the logo that suits the theme."""
    name = "logo-dark.svg" if st.context.theme.type == "dark" else "logo.svg"
    st.logo(str(ROOT / "static" / name), size="large", icon_image=str(ROOT / "static" / "icon.svg"))


def show_sidebar_foot(freshness: Freshness | None) -> None:
    """Draw what stands below the navigation."""
    now = datetime.now(UTC)
    with st.sidebar:
        if freshness is not None:
            lines = [_("Prices loaded {age}").format(age=format_age(freshness.loaded_at, now))]
            if freshness.newest_report_at is not None:
                lines.append(_("newest report {age}").format(age=format_age(freshness.newest_report_at, now)))
            st.caption(f":material/schedule: {', '.join(lines)}.")
        official = _("Official prices")
        # Not a caption: captions are drawn so faintly that a link in one is hard to read.
        st.markdown(
            f":small[[{official}]({FEED_PAGE}) · [Licence Ouverte 2.0]"
            f"(https://www.etalab.gouv.fr/licence-ouverte-open-licence/) · Carburoam {VERSION}]"
        )
