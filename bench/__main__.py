"""The command `python -m bench [GROUP ...]`: measures, and prints a table for each group."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
from collections.abc import Callable, Mapping

from lxml import etree

from bench.load import measure_load
from bench.run import Table, print_table

GROUPS: Mapping[str, Callable[[], Table]] = {"load": measure_load}


def main() -> None:
    """Measure the groups that were asked for, or all; a limit that is missed is printed, not an error."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the program against its limits.")
    parser.add_argument("groups", metavar="GROUP", nargs="*", help=f"of {', '.join(GROUPS)}; all when none is named")
    asked = parser.parse_args().groups or list(GROUPS)
    if unknown := set(asked) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    lxml_version = ".".join(map(str, etree.LXML_VERSION[:3]))
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, lxml {lxml_version},"
        f" {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    )
    for group in asked:
        print_table(GROUPS[group]())


if __name__ == "__main__":
    main()
