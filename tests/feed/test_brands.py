"""Lists of brands: what is read of them, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from errors import FeedRefused
from feed.brands import BrandList, read_brands

REF = "ref:FR:prix-carburants"
HOSTILE = "**b** [x](javascript:alert(1)) <script>alert(1)</script> | 'a'; DROP TABLE users"
RIGHT_TO_LEFT = "\u202e"


def write_json(**stations: Any) -> bytes:
    return json.dumps({key.lstrip("s"): value for key, value in stations.items()}).encode()


def write_brands(*brands: Any) -> bytes:
    """Write a JSON list with a station for each brand, from 1 on."""
    return json.dumps({str(number): {"name": "", "brand": brand} for number, brand in enumerate(brands, 1)}).encode()


def write_table(*rows: tuple[str, ...], separator: str = "\t", end: str = "\n") -> bytes:
    return "".join(separator.join(row) + end for row in rows).encode()


def list_brands(brands: BrandList) -> dict[int, str]:
    return {id_: station.brand for id_, station in brands.stations.items()}


# What is read


def test_the_json_list_of_prix_carburant_is_read() -> None:
    data = write_json(
        s57140003={"name": "Esso Aire de Saint Rémy (E25/A31)", "brand": "Esso"},
        s1000001={"name": "Carrefour Bourg", "brand": "Carrefour Market", "more": [1]},
    )
    brands = read_brands(data)
    assert brands.kind == "prix_carburant"
    assert brands.stations == {
        57140003: ("Esso", "Esso Aire de Saint Rémy (E25/A31)"),
        1000001: ("Carrefour Market", "Carrefour Bourg"),
    }
    assert not brands.rejections
    assert read_brands(b"\xef\xbb\xbf\r\n " + data) == brands


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", ["\t", ";", ",", "|"])
def test_a_table_of_openstreetmap_is_read_whatever_separates_its_cells(separator: str, end: str) -> None:
    table = write_table(
        ("@id", "name", REF, "brand"),
        ("1", "Station du Port", "57140003", "Esso"),
        ("2", "", "1000001", "Système U"),
        separator=separator,
        end=end,
    )
    brands = read_brands(table)
    assert brands.kind == "openstreetmap"
    assert brands.stations == {57140003: ("Esso", "Station du Port"), 1000001: ("Système U", "")}
    assert not brands.rejections
    assert read_brands(table.rstrip()).stations == brands.stations, "without a line break at its end"


def test_cells_in_quotation_marks_are_read_and_so_are_marks_that_stand_alone() -> None:
    comma = f'"{REF}",brand,"a, b"\n"1","Esso, ""the"" brand",x\n'.encode()
    assert list_brands(read_brands(comma)) == {1: 'Esso, "the" brand'}
    tab = write_table((f'"{REF}"', "brand", "name"), ("1", '"Esso"', '"Chez Paul'), ("2", "Avia", 'Le "Port"'))
    assert read_brands(tab).stations == {1: ("Esso", '"Chez Paul'), 2: ("Avia", 'Le "Port"')}


def test_a_station_of_openstreetmap_can_have_several_ids() -> None:
    brands = read_brands(
        write_table((REF, "brand"), ("1; 2;x", "Esso;Avia"), ("3", "Avia"), ("4;", "Avia"), (";5", "BP"))
    )
    assert list_brands(brands) == {1: "Esso", 2: "Esso", 3: "Avia", 4: "Avia", 5: "BP"}
    assert brands.rejections == {"station id can't be read": 1}
    assert brands.without_id == 0


def test_of_several_brands_of_a_station_the_first_that_is_one_counts() -> None:
    table = write_table((REF, "brand"), ("1", "Système U;Super U"), ("2", "no; Esso"), ("3", ";Avia"), ("4", "none;"))
    assert list_brands(read_brands(table)) == {1: "Système U", 2: "Esso", 3: "Avia"}


@pytest.mark.parametrize("ref", ["", "  ", ";", " ; ", "-", "n/a", "None", "NULL", "aucun", "inconnu", "?"])
def test_a_row_without_a_station_id_is_counted_for_itself_and_is_not_unreadable(ref: str) -> None:
    rows = [("1", "Esso"), *[(ref, "Avia")] * 5]
    brands = read_brands(write_table((REF, "brand"), *rows))
    assert list_brands(brands) == {1: "Esso"}
    assert (brands.without_id, brands.rejections) == (5, {})


def test_a_list_without_any_station_id_names_no_brand() -> None:
    with pytest.raises(FeedRefused, match="names no brand"):
        read_brands(write_table((REF, "brand"), ("", "Esso"), ("", "Avia")))


def test_an_operator_or_name_is_a_brand_where_it_is_one_elsewhere() -> None:
    table = write_table(
        (REF, "brand", "operator", "name"),
        ("1", "Avia", "", ""),
        ("2", "", "AVIA", "Garage"),
        ("3", "", "SARL Martin", "Avia"),
        ("4", "", "SARL Martin", "Garage Martin"),
        ("5", "", "SARL Martin", ""),
    )
    assert read_brands(table).stations == {
        1: ("Avia", ""),
        2: ("Avia", "Garage"),
        3: ("Avia", "Avia"),
        4: ("", "Garage Martin"),
    }
    assert read_brands(table).guessed == {2, 3}
    without_brands = write_table((REF, "name", "operator"), ("1", "Station", "Esso"), ("2", "Avia", ""))
    assert list_brands(read_brands(without_brands)) == {1: "Esso", 2: "Avia"}


def test_of_two_entries_of_a_station_the_first_with_a_brand_counts() -> None:
    table = write_table((REF, "brand", "name"), ("7", "", "Garage"), ("7", "Esso", ""), ("07", "Avia", ""))
    assert read_brands(table).stations == {7: ("Esso", "")}


def test_a_brand_of_a_station_counts_before_an_operator_in_an_earlier_row() -> None:
    table = write_table((REF, "brand", "operator"), ("7", "", "Avia"), ("7", "Esso", ""), ("8", "Avia", ""))
    brands = read_brands(table)
    assert list_brands(brands) == {7: "Esso", 8: "Avia"}
    assert brands.guessed == set()


def test_spellings_of_a_brand_become_the_most_frequent_one() -> None:
    brands = read_brands(
        write_brands(
            *("TOTAL ENERGIES", "TotalEnergies", "Total-Energies", "TotalEnergies"),
            *("Total Access", "Total", "INTERMARCHE", "Intermarché", "E.Leclerc", "e.leclerc", "E.Leclerc"),
            *("esso", "Esso", "ESSO"),
        )
    )
    assert list(list_brands(brands).values()) == [
        *["TotalEnergies"] * 4,
        *("Total Access", "Total", "Intermarché", "Intermarché"),
        *["E.Leclerc"] * 3,
        *["Esso"] * 3,
    ]


@pytest.mark.parametrize("nothing", ["", None, "  ", "None", "N/A", "-", "NEANT", "autre", "Indépendant sans enseigne"])
def test_what_means_no_brand_is_none(nothing: str | None) -> None:
    data = write_json(
        s1={"name": "Garage Muret", "brand": nothing}, s2={"name": nothing, "brand": nothing}, s3={"brand": "Esso"}
    )
    brands = read_brands(data)
    assert brands.stations == {1: ("", "Garage Muret"), 3: ("Esso", "")}
    assert not brands.rejections


def test_texts_are_cleaned_and_cut() -> None:
    dirty = read_brands(
        write_json(
            s1={"brand": f" Es\0so\t\x1b {RIGHT_TO_LEFT}Express\n", "name": "Relais \ud800 du Port"},
            s2={"brand": "SystÃ¨me U", "name": HOSTILE},
            s3={"brand": "½" * 10_000, "name": "n " * 100_000},
        )
    ).stations
    assert dirty[1] == ("Es so Express", "Relais du Port")
    assert dirty[2] == ("Système U", HOSTILE)
    assert dirty[3] == ("½" * 60, ("n " * 60).rstrip())


@pytest.mark.parametrize("key", ["0", "-1", "2147483648", "99999999999", "1.0", "1e3", "x", "", "٣", " 1", "1 OR 1=1"])
def test_an_id_that_no_station_can_have_is_rejected_alone(key: str) -> None:
    brands = read_brands(json.dumps({key: {"brand": "Avia"}, "2147483647": {"brand": "Esso"}}).encode())
    assert list_brands(brands) == {2147483647: "Esso"}
    assert brands.rejections == {"station id can't be read": 1}


@pytest.mark.parametrize("entry", [None, 5, "Esso", ["Esso"], {"brand": 5}, {"brand": ["Esso"]}, {"name": {}}])
def test_an_entry_of_another_form_is_rejected_alone(entry: Any) -> None:
    brands = read_brands(write_json(s1=entry, s2={"brand": "Esso"}))
    assert list_brands(brands) == {2: "Esso"}
    assert brands.rejections == {"entry can't be read": 1}


def test_a_row_with_other_cells_than_the_header_is_rejected_alone() -> None:
    brands = read_brands(write_table((REF, "brand"), ("1", "Esso"), ("2", "Avia", "x"), ("3",), (), ("4", "Avia")))
    assert list_brands(brands) == {1: "Esso", 4: "Avia"}
    assert brands.rejections.total() == 2


# What is refused

REFUSED = {
    "empty": (b"", "is empty"),
    "white space": (b"\xef\xbb\xbf \r\n", "is empty"),
    "HTML": (b"<!doctype html><title>502 Bad Gateway</title>", "neither"),
    "a zip": (b"PK\x03\x04\xff\xfe", "not UTF-8"),
    "UTF-16": (write_brands("Esso").decode().encode("utf-16"), "not UTF-8"),
    "a list of JSON": (b'[{"brand": "Esso"}]', "neither"),
    "another table": (b"id,brand\n1,Esso\n", "neither"),
    "JSON of another kind": (b'{"version": 0.6, "elements": [{"brand": "Esso"}]}', "station id can't be read"),
    "an empty object": (b"{}", "names no brand"),
    "JSON without a brand": (write_json(s1={"name": "Garage", "brand": None}), "names no brand"),
    "truncated JSON": (write_brands("Esso", "Avia")[:-9], "JSON can't be read"),
    "more than JSON": (write_brands("Esso") + b"}", "JSON can't be read"),
    "deep JSON": (b'{"1":' + b"[" * 200_000, "JSON can't be read"),
    "a number without end": (b'{"1":' + b"9" * 10_000 + b"}", "JSON can't be read"),
    "only a header": (write_table((REF, "brand")), "names no brand"),
    "no column of brands": (write_table((REF, "addr:city"), ("1", "Lyon")), "none of the columns"),
    "mostly damaged": (write_table((REF, "brand"), ("1", "Esso"), ("x", "Esso"), ("y", "Esso")), "most of the list"),
    "a table cut off": (write_table((REF, "brand", "name"), ("1", "Esso", ""), ("2", "Av")).rstrip(), "breaks off"),
    "a quotation without end": (write_table((REF, "brand"), ("1", '"Esso'), ("2", "Avia"), separator=","), "damaged"),
    "a cell without end": (write_table((REF, "brand"), ("1", "E" * 200_000), separator=","), "damaged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_list_of_brands_is_refused_in_one_line(case: str) -> None:
    data, message = REFUSED[case]
    with pytest.raises(FeedRefused, match=message) as error:
        read_brands(data)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 120
