"""The command `python -m bench [GROUP ...]`: measures, and prints a table for each group."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
from collections.abc import Callable, Mapping
from functools import partial

from lxml import etree

from bench.load import measure_load
from bench.run import Table, print_table
from bench.stock_outs import measure_stock_outs


def _measure_accounts() -> Table:
    # Imported here: Streamlit, whose protocol the visitor speaks, would weigh on what is measured in this process.
    from bench.accounts import measure_accounts

    return measure_accounts()


def _measure_stations() -> Table:
    from bench.stations import measure_stations

    return measure_stations()


def _measure_costly() -> Table:
    from bench.costly import measure_costly

    return measure_costly()


def _measure_fairness() -> Table:
    from bench.fairness import measure_fairness

    return measure_fairness()


def _measure_api() -> Table:
    from bench.api import measure_api

    return measure_api()


def _measure_soak(minutes: float) -> Table:
    from bench.soak import measure_soak

    return measure_soak(minutes)


def _measure_scale(database: str) -> Table:
    from bench.scale import measure_scale

    return measure_scale(database)


GROUPS: Mapping[str, Callable[[], Table]] = {
    "load": measure_load,
    "accounts": _measure_accounts,
    "stations": _measure_stations,
    "stock-outs": measure_stock_outs,
    "costly": _measure_costly,
    "fairness": _measure_fairness,
}
ON_REQUEST = ("api", "soak", "scale")


def main() -> None:
    """Measure the groups that were asked for, or all; a limit that is missed is printed, not an error."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the program against its limits.")
    parser.add_argument(
        "groups",
        metavar="GROUP",
        nargs="*",
        help=f"of {', '.join(GROUPS)}, all of them when none is named; or {', '.join(ON_REQUEST)}",
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="how long the soak lasts (%(default)g)")
    parser.add_argument("--database", default="", help="an empty PostgreSQL database, for scale")
    arguments = parser.parse_args()
    groups: dict[str, Callable[[], Table]] = {
        **GROUPS,
        "api": _measure_api,
        "soak": partial(_measure_soak, arguments.minutes),
        "scale": partial(_measure_scale, arguments.database),
    }
    asked = arguments.groups or list(GROUPS)
    if unknown := set(asked) - set(groups):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    lxml_version = ".".join(map(str, etree.LXML_VERSION[:3]))
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, lxml {lxml_version},"
        f" {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    )
    for group in asked:
        print_table(groups[group]())


if __name__ == "__main__":
    main()
