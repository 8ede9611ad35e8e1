"""The section of the admin's page about mails: how many wait and since when, and why some were never sent."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from mail import FAILED_KEPT, list_failures, look_at_outbox
from ui.formats import escape_code, format_age, format_count, format_instant
from ui.reading import open_reading
from ui.tables import show_table
from ui.texts import N_, _, ngettext

SHOWN_FAILURES = 20
_OUTCOMES = {
    "rejected": N_("refused for good"),
    "given_up": N_("given up after two days"),
    "expired": N_("expired before it could be sent"),
}
# What is no answer of a mail server; the rest is shown as it is.
_REASONS = {
    "": N_("never tried"),
    "ConnectionRefusedError": N_("nothing answers at the address of the mail server"),
    "TimeoutError": N_("the mail server did not answer in time"),
    "gaierror": N_("the name of the mail server can't be found"),
    "SMTPServerDisconnected": N_("the mail server broke off"),
    "SSLCertVerificationError": N_("the certificate of the mail server is not valid"),
    "the mail server offers no encryption": N_("the mail server offers no encryption"),
}


def show_mails() -> None:
    """Draw the section."""
    with open_reading() as connection:
        outbox = look_at_outbox(connection)
        failures = list_failures(connection, SHOWN_FAILURES)
    st.subheader(_("Mails still to be sent"), anchor=False)
    if outbox.oldest_at is None:
        st.markdown(_("None."))
    else:
        lines = [
            ngettext("**{count}** mail waits.", "**{count}** mails wait.", outbox.waiting).format(
                count=format_count(outbox.waiting)
            )
            + " "
            + _("The oldest: {age}.").format(age=format_age(outbox.oldest_at, datetime.now(UTC)))
        ]
        if outbox.last_error is not None:
            lines.append(_("Why the last try failed: {reason}").format(reason=_word_reason(outbox.last_error)))
        st.markdown("  \n".join(lines))
    st.subheader(_("Mails that were not sent"), anchor=False)
    if not failures:
        st.markdown(_("None in the last {days} days.").format(days=FAILED_KEPT.days))
        return
    show_table(
        {
            _("When"): [format_instant(failure.failed_at) for failure in failures],
            _("Why"): [f"{_(_OUTCOMES[failure.outcome])}  \n{_word_reason(failure.reason)}" for failure in failures],
        },
        _("Mails that were not sent"),
    )


def _word_reason(reason: str) -> str:
    return _(_REASONS[reason]) if reason in _REASONS else escape_code(reason)
