"""The script that runs first on every rerun: language, navigation, "is a load due?", then the page."""

from __future__ import annotations

import logging
from typing import Any, Literal, NoReturn

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError
from streamlit.navigation.page import StreamlitPage

from accounts.sessions import Driver
from errors import CarburoamError, DriverUnknown
from settings import ROOT
from ui.access import PAGES, go_to, is_search, note_leaving, remember_page, show_left_note
from ui.authentication import draw_cookie, restore_driver
from ui.callbacks import mark_drawn
from ui.carry_question import show_carry_question
from ui.formats import escape
from ui.freshness import read_freshness
from ui.near_me import mark_language
from ui.page_turns import take_turn
from ui.reading import describe_database_error, get_engine, get_settings, get_starter
from ui.sidebar import choose_language, have_timer, show_driver, show_logo, show_sidebar_foot
from ui.station_list import show_tried_in_address
from ui.texts import _, get_language, hold_language

logger = logging.getLogger("carburoam.pages")

Visibility = Literal["visible", "hidden"]


def main() -> None:
    show_head()
    try:
        get_engine()
        get_starter().ensure_running(get_settings())
        driver = restore_driver()
        freshness = read_freshness()
    except (CarburoamError, OSError) as error:
        stop_unprepared(error)
    except SQLAlchemyError:
        stop_without_database()
    mark_drawn()
    choose_language(driver)
    hold_language()
    if driver is None:
        show_tried_in_address()
    is_admin = driver is not None and driver.is_admin
    page = st.navigation(list_pages(is_driver=driver is not None, is_admin=is_admin))
    lead_elsewhere(driver, page.url_path)
    if driver is not None:
        show_driver(driver)
    show_sidebar_foot(freshness)
    remember_page(page.url_path)
    note_leaving(driver)
    show_left_note(driver, page.url_path)
    mark_language(get_language())
    try:
        if driver is not None:
            show_carry_question(driver, page.url_path)
        page.run()
    except DriverUnknown:
        # The account was deleted since this run began: another one shows the page as it is to a visitor.
        if restore_driver() is not None:
            raise
        st.rerun()
    except SQLAlchemyError as error:  # the database went away in the middle of the run
        logger.log(logging.ERROR, "page status=failed error=%r", describe_database_error(error))
        stop_without_database()
    finally:
        draw_cookie()  # whatever ended the page: a rerun, another page, the want of an account


def stop_unprepared(error: CarburoamError | OSError) -> NoReturn:
    """End the run with what keeps this installation from working; what the system says of a file is for the log."""
    if isinstance(error, CarburoamError) and not isinstance(error.__cause__, OSError):
        st.error(escape(str(error)), title=_("This installation isn't configured correctly"))
    else:
        logger.log(logging.ERROR, "page status=failed error=%r", str(error))
        st.error(_("Please try again in a minute."), title=_("This page can't be shown right now"))
    st.stop()


def stop_without_database() -> NoReturn:
    """End the run with the sentence for a database that is away."""
    st.error(_("Please try again in a minute."), title=_("The prices can't be read right now"))
    st.stop()


def show_head() -> None:
    """Draw what every page has before anything is read."""
    st.set_page_config(page_icon=str(ROOT / "static" / "favicon.png"), layout="wide")
    # Streamlit writes what is chosen in the primary colour; on dark that can't be read as it should (WCAG 1.4.3: 4.5
    # to 1). And below a field in which one types it says, in English whatever the language, to press Enter.
    st.html(
        "<style>[data-selected='true'] p { color: light-dark(#0b6478, #6cc5d8) }"
        " [data-testid='InputInstructions'] { display: none }</style>"
    )
    show_logo()
    with st.sidebar:
        have_timer()


def list_pages(*, is_driver: bool, is_admin: bool) -> list[StreamlitPage]:
    """Return the pages there are for a driver or a visitor, the first page first; for one run only."""
    for_visitors: Visibility = "hidden" if is_driver else "visible"
    for_drivers: Visibility = "visible" if is_driver else "hidden"
    nearby: dict[str, Any] = {
        "page": PAGES / "landing.py",
        "title": _("Prices nearby"),
        "icon": ":material/local_gas_station:",
        "help": _("What fuel costs around a town, a postcode or where you are, cheapest first."),
    }
    own: dict[str, Any] = {
        "page": PAGES / "dashboard.py",
        "title": _("My stations"),
        "icon": ":material/star:",
        "help": _(
            "The prices of your own stations, cheapest first, what that saves in a year, and whether a detour pays."
        ),
    }
    # The first page of a visitor is the search, that of a driver the own stations. A search that a driver shares says
    # /landing, and what a visitor tries /dashboard, so these addresses lead everybody there. Of two pages of one
    # script, links lead to the first.
    home, other = (own, nearby) if is_driver else (nearby, own)
    first = [
        st.Page(**home, url_path="home", default=True),
        st.Page(**other),
        st.Page(**home, visibility="hidden"),
    ]
    # For anyone else there is no such page: its address leads where any does that leads nowhere.
    for_admins = (
        [
            st.Page(
                PAGES / "admin.py",
                title=_("Administration"),
                icon=":material/admin_panel_settings:",
                help=_("Loads, people, data and the database of this installation."),
            )
        ]
        if is_admin
        else []
    )
    return [
        *first,
        st.Page(
            PAGES / "choose.py",
            title=_("Choose stations"),
            icon=":material/add_location_alt:",
            help=_("Find stations on a map and in a list, and keep yours under names of your own."),
        ),
        st.Page(
            PAGES / "station.py",
            title=_("Station"),
            icon=":material/ev_station:",
            help=_("One station: its prices, stock-outs, opening hours and services."),
            visibility="hidden",
        ),
        st.Page(
            PAGES / "login.py",
            title=_("Log in"),
            icon=":material/login:",
            help=_("Log in to your account."),
            visibility=for_visitors,
        ),
        st.Page(
            PAGES / "register.py",
            title=_("Open an account"),
            icon=":material/person_add:",
            help=_("Keep your stations, see the cheapest first, and what that saves in a year."),
            visibility=for_visitors,
        ),
        st.Page(
            PAGES / "recover.py",
            title=_("Forgotten username or password"),
            icon=":material/help:",
            help=_("Have your username mailed to you, or a code with which you set a new password."),
            visibility="hidden",
        ),
        st.Page(
            PAGES / "profile.py",
            title=_("Your profile"),
            icon=":material/person:",
            help=_("Your name, address and password, your fuels and your vehicle; logging out and leaving."),
            visibility=for_drivers,
        ),
        st.Page(
            PAGES / "privacy.py",
            title=_("Privacy"),
            icon=":material/shield:",
            help=_("What is kept about you, why and for how long."),
            visibility="hidden",
        ),
        st.Page(
            PAGES / "about.py",
            title=_("About and help"),
            icon=":material/info:",
            help=_("Where the prices come from, how they are treated, and who runs this site."),
        ),
        *for_admins,
    ]


def lead_elsewhere(driver: Driver | None, page: str) -> None:
    """Lead who asks for a page, by its name in the address, to another one where that is what they came for."""
    if driver is not None and page == "" and is_search(st.query_params):
        go_to("landing", st.query_params.to_dict())
    if driver is None and page in ("dashboard", "profile") and st.session_state.get("just_left") in ("here", "deleted"):
        # "This page needs an account" would look as if leaving had gone wrong. Not where the log-in was ended
        # elsewhere.
        go_to("landing", {})


with take_turn():
    main()
