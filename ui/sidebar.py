"""The sidebar of every page: logo, language, how fresh the prices are, version and links."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from accounts.sessions import Driver
from prices.freshness import Freshness
from settings import ROOT, VERSION
from ui.authentication import end_session, is_language_in_address, keep_language
from ui.formats import escape, format_age
from ui.page_turns import takes_turn
from ui.saving import saves
from ui.texts import LANGUAGES, _, find_browser_language

FEED_PAGE = "https://www.prix-carburants.gouv.fr/"
TIMER_SECONDS = 86_400


def choose_language(driver: Driver | None) -> None:
    """Draw the choice of the language; it decides the language of all that is drawn after it.

    A driver's own choice goes with the account; a link that names a language wins for the one who opens it.
    """
    if "lang" in st.query_params:
        st.session_state["is_language_in_address"] = True
    is_in_address = is_language_in_address()
    if driver is not None and "lang" not in st.session_state and not is_in_address:
        st.session_state["lang"] = driver.language
    with st.sidebar:
        st.segmented_control(
            "Langue / Language",
            LANGUAGES,
            # Not both: Streamlit complains of a default where the session has a value.
            default=None if "lang" in st.session_state else find_browser_language(),
            format_func=str.upper,
            required=True,
            key="lang",
            # Else every language that is not the default would go into the address, an account's own too.
            bind="query-params" if is_in_address else None,
            on_change=saves("sidebar_error")(keep_language),
        )


def show_logo() -> None:
    """Draw the logo that suits the theme."""
    name = "logo-dark.svg" if st.context.theme.type == "dark" else "logo.svg"
    st.logo(str(ROOT / "static" / name), size="large", icon_image=str(ROOT / "static" / "icon.svg"))


def show_driver(driver: Driver) -> None:
    """Draw who is logged in, and the way out."""
    with st.sidebar:
        st.markdown(_("Logged in as {username}.").format(username=f"**{escape(driver.username)}**"))
        st.button(
            _("Log out"), key="sidebar_log_out", icon=":material/logout:", on_click=saves("sidebar_error")(end_session)
        )
        if error := st.session_state.pop("sidebar_error", None):
            st.error(error, icon=":material/error:")


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


@st.fragment(run_every=TIMER_SECONDS)
@takes_turn
def have_timer() -> None:
    """Draw nothing: that there is a timer counts.

    When a tab's server is gone, the browser connects to the next one, which knows nothing of the tab: the first press
    of a button there would be lost, and downloads are not found. Only a page with a timer is drawn anew at once.
    """
