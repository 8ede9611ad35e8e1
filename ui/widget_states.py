"""The states of widgets that a tab sends: those that the session doesn't know, or can't read, are dropped.

Streamlit 1.67 keeps whatever comes and reads it when the page asks: a state that its widget can't read ends the run,
and every one after it, with a traceback in the log. It has no hook before that, so two of its methods are wrapped.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.state.common import RegisterWidgetResult, WidgetMetadata, unpack_widget_state_value
from streamlit.runtime.state.session_state import Serialized, SessionState, Value

logger = logging.getLogger("carburoam.socket")

# Of a session that knows no widget yet: after a restart of the server the browser sends those it has.
MOST_UNKNOWN = 200
_NUMBERS = {"int_value", "double_value"}  # a field of numbers takes the other kind as well
_ID = re.compile(r"\$\$ID-[0-9a-f]{32}-.{1,200}", re.DOTALL)

_set_widgets_from_proto = SessionState.set_widgets_from_proto
_register_widget = SessionState.register_widget


def read_widget_states_safely() -> None:
    """Let every session, from now on, drop states that it doesn't know or can't read."""
    SessionState.set_widgets_from_proto = _set_readable  # type: ignore[method-assign]
    SessionState.register_widget = _register_readable  # type: ignore[method-assign]


def _set_readable(self: SessionState, widget_states: WidgetStates) -> None:
    known = self._new_widget_state.widget_metadata
    kept, faults = WidgetStates(), set[str]()
    for state in widget_states.widgets:
        metadata = known.get(state.id)
        if metadata is not None:
            value = _read(state, metadata)
            if isinstance(value, Value):
                self._new_widget_state.states[state.id] = value
            else:
                faults.add(value)
        elif not known and len(kept.widgets) < MOST_UNKNOWN and _ID.fullmatch(state.id):
            kept.widgets.append(state)
    if faults:
        _note(faults)
    _set_widgets_from_proto(self, kept)


def _register_readable(
    self: SessionState, metadata: WidgetMetadata[Any], user_key: str | None
) -> RegisterWidgetResult[Any]:
    state = self._new_widget_state.states.get(metadata.id)
    if isinstance(state, Serialized):
        value = _read(state.value, metadata)
        if isinstance(value, Value):
            self._new_widget_state.states[metadata.id] = value
        else:
            _note({value})
            del self._new_widget_state.states[metadata.id]
    return _register_widget(self, metadata, user_key)


def _read(state: WidgetState, metadata: WidgetMetadata[Any]) -> Value | str:
    """Return the value of a state as its widget reads it, or the fault that keeps it from doing so."""
    kind = state.WhichOneof("value")
    # None: a field that was emptied. Of a widget that has not been drawn since, Streamlit may not know the kind.
    wanted = metadata.value_type
    if not (kind is None or wanted is None or kind == wanted or {kind, wanted} == _NUMBERS):
        return f"{kind} for {wanted}"
    try:
        return Value(metadata.deserializer(unpack_widget_state_value(state)))
    except Exception as error:  # noqa: BLE001 - whatever a widget's code says to what it was not made for
        return f"{type(error).__name__} in {kind}"


def _note(faults: set[str]) -> None:
    logger.log(logging.WARNING, "socket status=dropped reason=widget_state faults=%r", ", ".join(sorted(faults)))
