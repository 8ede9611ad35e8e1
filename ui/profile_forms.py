"""What the forms of the profile share: saving at once, and saying beside the button or at a field how that went."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from errors import AccountError, DriverUnknown, LastAdmin, NotSaved
from ui.callbacks import guarded
from ui.reading import get_mailer, saving
from ui.saving import keep_typed
from ui.texts import _


def show_submit(label: str, save: Callable[[], None], *fields: str) -> None:
    """Draw the button of a form, and beside it what was said when one of these fields was saved last."""
    with st.container(horizontal=True):
        st.form_submit_button(label, type="primary", on_click=guarded(save))
        # Until the next change, and not only once: a load that ends runs the page again.
        if (note := st.session_state.get("profile_note")) and st.session_state.get("profile_noted_at") in fields:
            st.success(note, icon=":material/check_circle:")


def try_each(changes: dict[str, Callable[[], None]]) -> bool:
    """Make each change; what is refused is said at its field, and the others are kept.

    An account that goes at this very moment changes nothing any more: the run that follows shows it logged out.
    """
    st.session_state.pop("profile_note", None)
    errors: dict[str, AccountError | LastAdmin | NotSaved] = {}
    for field, change in changes.items():
        try:
            with saving():
                change()
        except NotSaved as error:
            errors[field] = error
            keep_typed(
                *st.session_state["kept_fields"], "profile_email", "profile_email_password", "profile_email_code"
            )
            break
        except (AccountError, LastAdmin) as error:
            errors[field] = error
        except DriverUnknown:
            return False
    st.session_state["field_errors"] = errors
    get_mailer().wake()
    if not errors:
        st.session_state["profile_note"] = _("Saved.")
        st.session_state["profile_noted_at"] = next(iter(changes), "name")  # pressed without a change
    return not errors
