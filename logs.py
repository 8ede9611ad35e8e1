"""How the commands and the app write their log: one line an event, key=value, times in UTC, no secret."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable

LINES_A_MINUTE = 60  # of one kind, which a stranger may cause again and again
TRACEBACKS_A_MINUTE = 5
MAX_KINDS = 500  # that are told apart

_HIDDEN = "***"
# What stands before the "@" of an address of the web or a database: user and password, whatever is in the latter.
_USER = re.compile(r"(?<=://)[^\s'\"<>|]{0,300}@(?=[\w.\[\]:-])")
_SECRET = re.compile(
    r"(?i)\b(\w{0,30}(?:password|passwd|secret|token|api_?key|signature)\w{0,30}=['\"]?)[^\s&'\";,)]{1,500}"
)
# No longer than addresses may be: texts of strangers must not keep the search busy.
_EMAIL = re.compile(r"[^\s@'\"<>(),;:=/\\]{1,64}@(?=[^\s@'\"<>(),;:=/\\]{1,250}\.[^\W\d]{2})")
# Whoever knows the id of a Streamlit session can go on in its place.
_SESSION_ID = re.compile(r"(?i)\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


def set_up_logging(level: int = logging.INFO) -> None:
    """Send our log, and warnings of the libraries, to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("carburoam").setLevel(level)
    # Its retries are told by ours when they are used up.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    # A connection that was lost is told by the error of whoever used it.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)


class LineFormatter(logging.Formatter):
    """Writes an event as one line, its traceback too, and hides what libraries may have put into their errors."""

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return hide_secrets(super().format(record)).translate(_CONTROL)


class LimitRepeats(logging.Filter):
    """Leaves out what is said too often in a minute: a kind of line is a logger, its message and the error it tells.

    The next line of the kind says how many were left out, so that nothing goes unnoticed and no disk fills.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[tuple[object, ...], tuple[float, int]] = {}  # since when, and how many since

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the line is written."""
        error = record.exc_info[0] if record.exc_info else None
        most = TRACEBACKS_A_MINUTE if error else LINES_A_MINUTE
        now = self._clock()
        with self._lock:
            # As text: a library may log an error itself, which is another one each time.
            kind: tuple[object, ...] = (record.name, str(record.msg), error)
            if kind not in self._kinds and len(self._kinds) >= MAX_KINDS:
                # Those that are over and left nothing out, about which nothing is still to be said.
                self._kinds = {
                    one: (began_at, times)
                    for one, (began_at, times) in self._kinds.items()
                    if now - began_at < 60 or times > TRACEBACKS_A_MINUTE
                }
            if kind not in self._kinds and len(self._kinds) >= MAX_KINDS:
                kind = (error is not None,)
            began_at, times = self._kinds.get(kind, (now, 0))
            left_out = 0
            if now - began_at >= 60:
                began_at, times, left_out = now, 0, max(0, times - most)
            self._kinds[kind] = began_at, times + 1
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} more like it)", None
        return times < most


def hide_secrets(text: str) -> str:
    """Return a text without passwords in URLs, values named like secrets, ids of sessions, and whose mail it is."""
    text = _USER.sub(f"{_HIDDEN}@", text)
    text = _SECRET.sub(rf"\1{_HIDDEN}", text)
    text = _SESSION_ID.sub(_HIDDEN, text)
    return _EMAIL.sub(f"{_HIDDEN}@", text)
