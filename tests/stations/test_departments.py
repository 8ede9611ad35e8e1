"""The departments of France and the postcodes that lie in them."""

from __future__ import annotations

import pytest

from stations.departments import DEPARTMENTS, find_department


def test_there_are_the_101_departments_with_their_names() -> None:
    assert len(DEPARTMENTS) == 101
    assert DEPARTMENTS.keys() == (
        {f"{number:02d}" for number in range(1, 96) if number != 20} | {"2A", "2B", "971", "972", "973", "974", "976"}
    )
    assert len(set(DEPARTMENTS.values())) == 101
    assert {code: DEPARTMENTS[code] for code in ("01", "2A", "2B", "21", "75", "90", "974", "976")} == {
        "01": "Ain",
        "2A": "Corse-du-Sud",
        "2B": "Haute-Corse",
        "21": "Côte-d'Or",
        "75": "Paris",
        "90": "Territoire de Belfort",
        "974": "La Réunion",
        "976": "Mayotte",
    }


@pytest.mark.parametrize(
    ("zip_code", "department"),
    [
        ("01000", "01"),
        ("75012", "75"),
        ("95880", "95"),
        ("20000", "2A"),
        ("20199", "2A"),
        ("20200", "2B"),
        ("20620", "2B"),
        ("97110", "971"),
        ("97490", "974"),
        ("97600", "976"),
    ],
)
def test_a_postcode_lies_in_the_department_of_its_first_digits(zip_code: str, department: str) -> None:
    assert find_department(zip_code) == department


@pytest.mark.parametrize("zip_code", ["", "0", "00100", "96000", "98000", "99123", "97500", "ABCDE", "١٢٣٤٥"])
def test_a_postcode_of_no_department_has_none(zip_code: str) -> None:
    assert find_department(zip_code) == ""
