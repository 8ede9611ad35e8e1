"""How the commands and the app write their log: one line an event, key=value, times in UTC."""

from __future__ import annotations

import logging
import time


def set_up_logging(level: int = logging.INFO) -> None:
    """Send our log, and warnings of the libraries, to stderr."""
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("carburoam").setLevel(level)
    # Its retries are told by ours when they are used up.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    # A connection that was lost is told by the error of whoever used it.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
