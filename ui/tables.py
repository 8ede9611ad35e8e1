"""Tables of texts, as most pages show what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import streamlit as st

from ui.formats import format_count
from ui.texts import _


def show_count(count: int, shown: int) -> None:
    """Draw how many there are in all, above a table of the first `shown`."""
    text = _("{count} in all.") if count <= shown else _("{count} in all; the first {shown} are shown.")
    st.markdown(text.format(count=f"**{format_count(count)}**", shown=format_count(shown)))


def show_table(columns: Mapping[str, Sequence[str]], alt: str, *, hide_header: bool = False) -> None:
    """Draw columns of Markdown cells, with `alt` for those who can't see them.

    An Arrow table and no dataframe, of which Streamlit would make one: that takes twenty times as long.
    """
    cells = pa.table({name: pa.array(texts, pa.string()) for name, texts in columns.items()})
    st.table(cells, border="horizontal", hide_index=True, hide_header=hide_header, alt=alt)
