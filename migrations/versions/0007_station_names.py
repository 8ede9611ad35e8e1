"""The names of stations in a form that can be searched.

Revision ID: 0007
"""

from __future__ import annotations

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"

NAME_LENGTH = 120


def upgrade() -> None:
    op.add_column("station_brands", sa.Column("name_key", sa.String(NAME_LENGTH), nullable=False, server_default=""))
    # Filled here, not by the next load: the list of brands is loaded by hand, and may never be again.
    brands = sa.table("station_brands", sa.column("station_id"), sa.column("name"), sa.column("name_key"))
    connection = op.get_bind()
    named = connection.execute(sa.select(brands.c.station_id, brands.c.name).where(brands.c.name != "")).all()
    if named:
        connection.execute(
            sa.update(brands).where(brands.c.station_id == sa.bindparam("id")).values(name_key=sa.bindparam("key")),
            [{"id": row.station_id, "key": _make_key(row.name)[:NAME_LENGTH]} for row in named],
        )


def _make_key(name: str) -> str:
    """Return the form of a name as it was searched when this revision was written.

    A copy: what the program makes of a name may change, what this revision did may not.
    """
    letters = name.lower().replace("œ", "oe").replace("æ", "ae")
    letters = "".join(c for c in unicodedata.normalize("NFKD", letters) if not unicodedata.combining(c))
    long_words = {"st": "saint", "ste": "sainte"}
    return " ".join(long_words.get(word, word) for word in re.findall(r"[^\W_]+", letters))
