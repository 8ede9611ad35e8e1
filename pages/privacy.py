"""What is kept about a driver: what, why and for how long."""

from __future__ import annotations

import streamlit as st

from ui.authentication import COOKIE
from ui.formats import escape
from ui.reading import get_settings
from ui.tables import show_table
from ui.texts import _

st.title(_("What is kept about you, and why"), anchor=False)
st.markdown(
    _(
        "Without an account, nothing is kept about you: stations that you try are in your tab and its address alone. "
        "With an account, this is all; you can download it and delete it on your profile."
    )
)
rows = (
    (
        _("Username, name, e-mail, language"),
        _("to log you in, to address you, to send you the mails you ask for"),
        _("until you delete the account"),
    ),
    (_("A hash of your password (bcrypt)"), _("to check it; nobody can read it"), _("until you change it")),
    (
        _("Fuels you follow, consumption, kilometres, tank"),
        _("to show your prices and what they save"),
        _("until you change them"),
    ),
    (
        _("Stations you keep: the station, the name you gave it, since when"),
        _("to show you their prices"),
        _("until you remove them"),
    ),
    (
        _("Log-ins: since when, last used, name of the browser"),
        _("to keep you logged in, and to log you out everywhere"),
        _("30 days at most"),
    ),
    (
        _("When you were last here, to the hour"),
        _("to know how many drivers use this site"),
        _("until you delete the account"),
    ),
    (
        _("Addresses from which you logged in, as hashes"),
        _("to let you in there whatever strangers try"),
        _("90 days after the last log-in from there"),
    ),
    (
        _("Codes that were mailed to you, as hashes"),
        _("to know that you read your mail"),
        _("until they are spent or replaced; good for 15 minutes"),
    ),
    (
        _("Counts of tries, by a hash of account and address"),
        _("to slow down those who guess passwords"),
        _("about an hour"),
    ),
    (
        _("What an admin did with your account (locked it, sent a reset mail): your username, what and when"),
        _("so that admins answer for what they do"),
        _("a year, also when the account is deleted"),
    ),
    (_("Mails still to be sent"), _("to send them"), _("until they are sent, two days at most")),
)
show_table(
    {
        # In one column: three are too narrow on a phone.
        _("What, and why"): [f"**{what}**  \n{why}" for what, why, how_long in rows],
        _("How long"): [how_long for what, why, how_long in rows],
    },
    _("What is kept, why and how long"),
)
st.header(_("Cookies"), anchor=False)
st.markdown(
    _(
        "Two, and no tracker: `{login}` keeps you logged in and is set when you log in; `_streamlit_xsrf` protects "
        "forms. Nothing comes from third parties."
    ).format(login=COOKIE)
)
if contact := get_settings().contact:
    st.markdown(_("Who answers for it: {contact}.").format(contact=escape(contact)))
