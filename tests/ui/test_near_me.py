"""What the browser answers when it is asked where the visitor is; anything may come from there."""

from __future__ import annotations

from typing import Any

from streamlit.testing.v1 import AppTest


def read_answers(*answers: Any) -> list[tuple[Any, Any]]:
    """Return the point and the refusal that are read in each answer."""

    def script(answers: list) -> None:
        import streamlit as st

        from ui.near_me import _read_answer

        st.session_state["positions"] = [tuple(_read_answer(answer)) for answer in answers]

    at = AppTest.from_function(script, default_timeout=20, args=(answers,)).run()
    assert not at.exception
    return list(at.session_state["positions"])


def test_a_point_of_the_globe_is_a_position() -> None:
    points = [(48.857, 2.352), (-21, 55), (90, 180.0), (-90.0, -180), (0, 0)]
    answers = [{"latitude": latitude, "longitude": longitude} for latitude, longitude in points]
    assert read_answers(*answers) == [(point, None) for point in points]


def test_a_refusal_says_why() -> None:
    refusals = ["denied", "unavailable", "timeout", "unsupported"]
    assert read_answers(*({"refusal": refusal} for refusal in refusals)) == [(None, refusal) for refusal in refusals]


def test_anything_else_is_no_position() -> None:
    answers = [
        None,
        "48.857,2.352",
        [48.857, 2.352],
        {},
        {"latitude": 48.857},
        {"latitude": "48.857", "longitude": "2.352"},
        {"latitude": float("nan"), "longitude": 2.0},
        {"latitude": 2.0, "longitude": float("inf")},
        {"latitude": 90.001, "longitude": 0},
        {"latitude": 0, "longitude": -180.001},
        {"latitude": 10**400, "longitude": 0},
        {"latitude": None, "longitude": None, "refusal": None},
        {"refusal": "because"},
        {"refusal": ["denied"]},
        {"refusal": {"denied": 1}},
        {"refusal": "<script>"},
    ]
    read = zip(answers, read_answers(*answers), strict=True)
    assert [answer for answer, position in read if position != (None, "unavailable")] == []
