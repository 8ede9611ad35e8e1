"""The mark of callbacks that need no door; without imports of ours, so that everything can use it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")

logger = logging.getLogger("carburoam.socket")

_NO_STATE = "st.session_state has no key"


def view_only(callback: Callable[P, None]) -> Callable[P, None]:
    """Mark a callback that changes only what this tab shows, and so may be called whoever is logged in."""
    return drop_incomplete(callback)


def drop_incomplete(callback: Callable[P, object]) -> Callable[P, None]:
    """Decorate a callback: a message that presses its button, but leaves out the fields beside it, does nothing.

    Browsers send all of them; a traceback in the log for each would be a stranger's to write.
    """

    @wraps(callback)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except KeyError as error:
            if _NO_STATE not in str(error):
                raise
            logger.log(logging.WARNING, "socket status=dropped reason=missing_widget")

    return call
