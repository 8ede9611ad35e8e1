"""Streamlit's log in the form of ours: a line an event, no colours, no session ids.

Each of its modules has a logger with a handler of its own, made when the module is imported, also later.
"""

from __future__ import annotations

import logging

from streamlit import config, logger

# What a component can't read of what came from the browser is dropped; that it could not, it says with a traceback.
LEVELS = {"streamlit.components.v2.bidi_component.serialization": logging.ERROR}


def take_over_logs() -> None:
    """Let what Streamlit and its server log, from now on, be written as what we log."""
    config.set_option("logger.enableRich", False)
    setattr(logger, "setup_formatter", _hand_on)  # noqa: B010 - a function of its module
    logger.update_formatter()


def _hand_on(log: logging.Logger) -> None:
    log.setLevel(max(log.level, LEVELS.get(log.name, logging.WARNING)))
    log.handlers.clear()
    log.propagate = True
