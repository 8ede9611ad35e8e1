"""The button that asks the browser where the visitor is, and the mark that tells it which language the page speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import streamlit as st

from ui.callback_marks import view_only
from ui.texts import _

Refusal = Literal["denied", "unavailable", "timeout", "unsupported"]


class Position(NamedTuple):
    """Where the visitor is, WGS84 degrees rounded to about a hundred metres; or why that isn't known."""

    point: tuple[float, float] | None
    refusal: Refusal | None


_HTML = """<button type="button">
<svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"><path fill="currentColor"
 d="M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Zm9 3h-2.07A7 7 0 0 0 13 5.07V3h-2v2.07A7 7 0 0 0 5.07 11H3v2h2.07A7 7 0 0 0 11
 18.93V21h2v-2.07A7 7 0 0 0 18.93 13H21v-2Zm-9 6a5 5 0 1 1 0-10 5 5 0 0 1 0 10Z"/></svg>
<span></span></button>"""

_CSS = """
button {
  display: flex; align-items: center; justify-content: center; gap: 0.4rem; width: 100%; min-height: 2.5rem;
  padding: 0.25rem 0.75rem; font: inherit; cursor: pointer; box-sizing: border-box; white-space: nowrap;
  color: var(--st-text-color); background: var(--st-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius);
}
button:hover, button:focus-visible { color: var(--st-primary-color); border-color: var(--st-primary-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
button[aria-busy="true"] { opacity: 0.6; cursor: progress; }
"""

# Three decimals of a degree are a hundred metres: enough to find a station, and all that the address bar will show.
_JS = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const button = parentElement.querySelector("button")
  button.querySelector("span").textContent = data.label
  button.onclick = () => {
    if (!navigator.geolocation) { setTriggerValue("answer", { refusal: "unsupported" }); return }
    button.setAttribute("aria-busy", "true")
    const finish = (answer) => { button.removeAttribute("aria-busy"); setTriggerValue("answer", answer) }
    const round = (degrees) => Math.round(degrees * 1000) / 1000
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => finish({ latitude: round(coords.latitude), longitude: round(coords.longitude) }),
      (error) => finish({ refusal: { 1: "denied", 2: "unavailable", 3: "timeout" }[error.code] || "unavailable" }),
      { timeout: 15000, maximumAge: 300000 },
    )
  }
}
"""

_LANGUAGE_JS = """
export default function (component) {
  document.documentElement.lang = component.data.language
}
"""

_near_me = st.components.v2.component("near_me", html=_HTML, css=_CSS, js=_JS)
_page_language = st.components.v2.component("page_language", js=_LANGUAGE_JS)


def show_near_me(*, on_position: Callable[[Position], None]) -> None:
    """Draw the button; `on_position` is called, as a callback, with what the browser answers."""

    @view_only
    def answer() -> None:
        on_position(_read_answer(st.session_state["near_me_button"].answer))

    _near_me(key="near_me_button", data={"label": _("Near me")}, on_answer_change=answer, height="content")


def word_refusal(refusal: Refusal) -> str:
    """Return the sentence that says why it isn't known where the visitor is."""
    match refusal:
        case "denied":
            return _("Your browser was told not to say where you are. Search for a town or a postcode instead.")
        case "timeout":
            return _("Finding out where you are took too long. Try again, or search for a town.")
        case "unsupported":
            return _("This browser can't say where you are. Search for a town or a postcode instead.")
        case _other:
            return _("Your browser can't find out where you are. Search for a town or a postcode instead.")


def _read_answer(answer: Any) -> Position:
    """Read what came from the browser, which may be anything."""
    fields = answer if isinstance(answer, dict) else {}
    latitude, longitude, refusal = (fields.get(name) for name in ("latitude", "longitude", "refusal"))
    if isinstance(latitude, int | float) and isinstance(longitude, int | float):
        if abs(latitude) <= 90 and abs(longitude) <= 180:
            return Position((float(latitude), float(longitude)), None)
        return Position(None, "unavailable")
    return Position(None, refusal if refusal in ("denied", "timeout", "unsupported") else "unavailable")


def mark_language(language: str) -> None:
    """Tell the browser, and what reads the page aloud, which language it speaks."""
    _page_language(key="page_language", data={"language": language}, height=1)
