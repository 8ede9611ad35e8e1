"""Streamlit's log in the form of ours: a line an event, no colours, no ids of sessions or files.

Each of its modules has a logger with a handler of its own, made when the module is imported, also later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from streamlit import config, logger

from logs import LimitRepeats

LEVELS = {
    # What a component can't read of what came from the browser is dropped; that it could not, it says with a traceback.
    "streamlit.components.v2.bidi_component.serialization": logging.ERROR,
    # That a cached resource was asked for by a route, not by a page.
    "streamlit.runtime.scriptrunner_utils.script_run_context": logging.ERROR,
}


def take_over_logs() -> None:
    """Let what Streamlit and its server log, from now on, be written as what we log, and nothing without end."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(LimitRepeats())
    config.set_option("logger.enableRich", False)
    setattr(logger, "setup_formatter", _hand_on)  # noqa: B010 - a function of its module
    logger.update_formatter()


def _hand_on(log: logging.Logger) -> None:
    log.setLevel(max(log.level, LEVELS.get(log.name, logging.WARNING)))
    log.handlers.clear()
    log.propagate = True
    if log.name in _FILTERS:
        log.filters[:] = [_FILTERS[log.name]]


def _hide_ids(record: logging.LogRecord) -> bool:
    """Leave out the beginnings of the ids of two sessions, said when a message names another than its own."""
    if "session ID mismatch" in str(record.msg) and isinstance(record.args, tuple):
        record.args = ("***",) * len(record.args)
    return True


def _name_cause(record: logging.LogRecord) -> bool:
    """Say in a line why a file could not be made; the id, which may be forged, is nobody's business."""
    if record.exc_info and isinstance(record.args, tuple):
        message = str(record.msg) % (("***",) * len(record.args))
        error = record.exc_info[0]
        record.msg, record.args, record.exc_info = "%s: %s", (message, error.__name__ if error else ""), None
    return True


_FILTERS: dict[str, Callable[[logging.LogRecord], bool]] = {
    "streamlit.runtime.app_session": _hide_ids,
    "streamlit.runtime.backend_operation_handler": _name_cause,
}
