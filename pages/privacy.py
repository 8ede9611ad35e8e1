"""What is kept about a driver: what, why and for how long."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from accounts.retention import HELD
from accounts.sessions import LASTING, PASSING
from ui.formats import escape
from ui.login_cookie import COOKIE
from ui.reading import get_settings
from ui.tables import show_table
from ui.texts import N_, _

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
# What, why, and how long: of `accounts.retention.HELD`, whose period stands for {days}, {hours} or {minutes}.
_TEXTS = {
    "account": (
        N_("Username, name, e-mail, language"),
        N_("to log you in, to address you, to send you the mails you ask for"),
        N_("until you delete the account"),
    ),
    "unconfirmed": (
        N_("An account whose address was never confirmed"),
        N_("so that the code in the mail can open it"),
        N_("{days} days, unless an admin has locked it"),
    ),
    "password": (
        N_("A hash of your password (bcrypt)"),
        N_("to check it; nobody can read it"),
        N_("until you change it"),
    ),
    "vehicle": (
        N_("Fuels you follow, consumption, kilometres, tank"),
        N_("to show your prices and what they save"),
        N_("until you change them"),
    ),
    "stations": (
        N_("Stations you keep: the station, the name you gave it, since when"),
        N_("to show you their prices"),
        N_("until you remove them"),
    ),
    "log_ins": (
        N_("Log-ins: since when, last used, name of the browser"),
        N_("to keep you logged in, and to log you out everywhere"),
        N_("{days} days at most"),
    ),
    "last_seen": (
        N_("When you were last here, to the hour"),
        N_("to know how many drivers use this site"),
        N_("until you delete the account"),
    ),
    "addresses": (
        N_("Addresses from which you logged in, as hashes"),
        N_("to let you in there whatever strangers try"),
        N_("{days} days after the last log-in from there"),
    ),
    "codes": (
        N_("Codes that were mailed to you, as hashes"),
        N_("to know that you read your mail"),
        N_("until they are spent or replaced, {minutes} minutes at most"),
    ),
    "tries": (
        N_(
            "Counts of attempts to log in, register, request a mail or enter a code, under hashes of the name, the "
            "e-mail address, the internet address and the browser's cookie"
        ),
        N_("to slow down those who guess passwords and codes, and to keep strangers from filling your mailbox"),
        N_("{hours} hours after the last one"),
    ),
    "audit": (
        N_("What an admin did with your account (locked it, sent a reset mail): your username, what and when"),
        N_("so that admins answer for what they do"),
        N_("{days} days, also when the account is deleted"),
    ),
    "mails": (
        N_("Mails still to be sent"),
        N_("to send them"),
        N_("until they are sent, {days} days at most; one with a code, until that expires"),
    ),
    "mail_files": (
        N_("Mails, as files: this site sends none"),
        N_("so that who runs it can pass them on"),
        N_("{hours} hours at most"),
    ),
}

st.title(_("What is kept about you, and why"), anchor=False)
st.markdown(
    _(
        "As long as you don't try to register, log in or recover an account, nothing is kept about you: stations that "
        "you try are in your tab and its address alone. With an account, this is all; you can download it and delete "
        "it on your profile."
    )
)
rows = [
    (_(what), _(why), _(how_long).format(days=period.days, hours=period // HOUR, minutes=period // MINUTE))
    for name, (what, why, how_long) in _TEXTS.items()
    if name != "mail_files" or not get_settings().can_mail
    for period in [HELD[name].longest or timedelta()]
]
show_table(
    {
        # In one column: three are too narrow on a phone.
        _("What, and why"): [f"**{what}**  \n{why}" for what, why, how_long in rows],
        _("How long"): [how_long for what, why, how_long in rows],
    },
    _("What is kept, why and how long"),
)
st.caption(_("What has been kept long enough is deleted once a day, so it may stay up to a day longer."))
st.header(_("Cookies"), anchor=False)
st.markdown(
    _(
        "Two, and no tracker: `{login}` keeps you logged in until you close the browser, {hours} hours at most, or for "
        "{days} days if you asked to stay logged in; `_streamlit_xsrf` keeps other browsers from fetching your "
        "downloads and from using up your tries of a code. Nothing comes from third parties."
    ).format(login=COOKIE, hours=PASSING // HOUR, days=LASTING.days)
)
if contact := get_settings().contact:
    st.markdown(_("Who answers for it: {contact}.").format(contact=escape(contact)))
