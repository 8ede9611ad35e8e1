"""Each rule by which the feed's XML becomes records: README of the feed, and the decisions in DESIGN.md."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from xml.sax.saxutils import quoteattr

import pytest

from errors import FeedRefused
from feed.parse import MAX_STATION_BYTES, iterate_stations
from feed.records import (
    PriceRecord,
    RejectedStation,
    Rejection,
    StationRecord,
    StockOutRecord,
    UnchangedStation,
)

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)  # 13:00 in Paris
PLACE = {"latitude": "4620100", "longitude": "519800", "cp": "01000", "pop": "R"}

Parsed = StationRecord | UnchangedStation | RejectedStation


def write_pdv(inner: str = "", **attributes: str | None) -> str:
    """Write a `<pdv>` at a place in Bourg-en-Bresse; an attribute that is None is left out."""
    values = {"id": "1000001", **PLACE, **attributes}
    return f"<pdv {' '.join(f'{k}={quoteattr(v)}' for k, v in values.items() if v is not None)}>{inner}</pdv>"


def write_prix(fuel: str = "1", maj: str = "2026-03-10 08:00:00", valeur: str = "1.739") -> str:
    return f'<prix nom="Gazole" id="{fuel}" maj="{maj}" valeur="{valeur}"/>'


def parse(*stations: str, fingerprints: Mapping[int, int | None] | None = None, now: datetime = NOW) -> list[Parsed]:
    return parse_xml(f"<pdv_liste>{''.join(stations)}</pdv_liste>", fingerprints=fingerprints, now=now)


def parse_xml(
    xml: str | bytes, *, fingerprints: Mapping[int, int | None] | None = None, now: datetime = NOW
) -> list[Parsed]:
    if isinstance(xml, str):
        xml = f'<?xml version="1.0" encoding="ISO-8859-1"?>{xml}'.encode("iso-8859-1", "xmlcharrefreplace")
    return list(iterate_stations(io.BytesIO(xml), fingerprints or {}, now=now))


def read_one(inner: str = "", **attributes: str | None) -> StationRecord:
    (station,) = parse(write_pdv(inner, **attributes))
    assert isinstance(station, StationRecord), station
    return station


def read_price(**price: str) -> PriceRecord | str:
    """Return the one price, or the reason for which it was rejected."""
    station = read_one(write_prix(**price))
    if station.prices:
        assert not station.rejections
        return station.prices[0]
    return station.rejections[0].reason


# Prices


@pytest.mark.parametrize(
    ("valeur", "price_milli_eur"),
    [
        ("1.739", 1739),
        ("1.009", 1009),  # int(float("1.009") * 1000) is 1008
        ("2.049", 2049),  # and this 2048
        ("0.750", 750),
        ("1.7", 1700),
        ("2", 2000),
        ("1.7390", 1739),
        ("1479", 1479),  # thousandths without a point, until 2022
        ("999", 999),
        ("100", 100),
        ("0.001", 1),
        ("20.000", 20_000),
        ("7.849", 7849),  # absurd, but what the station said
    ],
)
def test_a_price_is_read_decimally_into_thousandths(valeur: str, price_milli_eur: int) -> None:
    price = read_price(valeur=valeur)
    assert isinstance(price, PriceRecord), price
    assert price.price_milli_eur == price_milli_eur


def test_no_price_of_three_decimals_is_off_by_one() -> None:
    values = range(1, 3000)
    feed = [
        write_pdv(write_prix(valeur=f"{value // 1000}.{value % 1000:03}"), id=str(1_000_000 + value))
        for value in values
    ]
    stations = parse(*feed)
    assert [s.prices[0].price_milli_eur for s in stations if isinstance(s, StationRecord)] == list(values)


@pytest.mark.parametrize(
    "valeur", ["", " ", "1,739", "-1.739", "+1.739", "NaN", "Infinity", "1e3", "1.7.3", "١", "0x1"]
)
def test_a_price_that_is_no_number_is_rejected(valeur: str) -> None:
    assert read_price(valeur=valeur) == "price can't be read"


@pytest.mark.parametrize("valeur", ["0", "0.000", "0.0001", "20.001", "99", "20001"])
def test_a_price_of_nothing_or_of_more_than_20_euros_is_rejected(valeur: str) -> None:
    assert read_price(valeur=valeur) == "price is not one"


@pytest.mark.parametrize(("fuel", "fuel_id"), [("1", 1), ("2", 2), ("3", 3), ("4", 4), ("5", 5), ("6", 6)])
def test_a_fuel_keeps_the_id_of_the_feed(fuel: str, fuel_id: int) -> None:
    price = read_price(fuel=fuel)
    assert isinstance(price, PriceRecord)
    assert price.fuel_id == fuel_id


@pytest.mark.parametrize("fuel", ["0", "7", "01"])
def test_a_fuel_that_is_not_known_is_rejected_and_named(fuel: str) -> None:
    assert read_price(fuel=fuel) == f"fuel {fuel} (Gazole) is not known"


@pytest.mark.parametrize("fuel", ["", "E10", "-1", "1.0"])
def test_a_fuel_that_is_no_number_is_rejected(fuel: str) -> None:
    assert read_price(fuel=fuel) == "fuel can't be read"


def test_what_a_feed_calls_its_fuels_makes_no_endless_list_and_no_other_message() -> None:
    written = '<prix nom="{}" id="{}" maj="2026-03-10 08:00:00" valeur="1.739"/>'
    station = read_one("".join(written.format("GNV; 9 x &lt;b&gt;, " * 9, number) for number in range(100, 150)))
    reasons = Counter(rejection.reason for rejection in station.rejections)
    assert reasons["fuel is not known"] == 40
    assert reasons["fuel 100 (GNV 9 x b GNV 9 x b) is not known"] == 1
    assert len(reasons) == 11


def test_a_bad_price_is_rejected_alone_and_with_its_station() -> None:
    station = read_one(write_prix("1") + write_prix("2", valeur="abc") + write_prix("5", valeur="1.799"))
    assert [price.fuel_id for price in station.prices] == [1, 5]
    assert station.rejections == (Rejection(1000001, "price can't be read", 2),)
    assert station.price_count == 3


def test_of_a_price_that_stands_twice_the_newest_counts() -> None:
    older = write_prix(maj="2026-03-09 08:00:00", valeur="1.700")
    newer = write_prix(maj="2026-03-10 08:00:00", valeur="1.800")
    for inner in (older + newer, newer + older):
        station = read_one(inner)
        assert [price.price_milli_eur for price in station.prices] == [1800]
        assert [rejection.reason for rejection in station.rejections] == ["price stands twice"]


def test_of_two_prices_with_the_same_date_the_first_counts() -> None:
    station = read_one(write_prix(valeur="1.700") + write_prix(valeur="1.800"))
    assert [price.price_milli_eur for price in station.prices] == [1700]


def test_a_station_without_a_price_is_a_station() -> None:
    station = read_one()
    assert (station.prices, station.price_count, station.rejections) == ((), 0, ())


# Times


@pytest.mark.parametrize(
    ("maj", "utc"),
    [
        ("2026-01-15 10:30:05", "2026-01-15 09:30:05"),  # winter: an hour ahead of UTC
        ("2025-07-15 10:30:05", "2025-07-15 08:30:05"),  # summer: two
        ("2026-01-15 00:01:00", "2026-01-14 23:01:00"),
        ("2025-01-01 00:30:00", "2024-12-31 23:30:00"),
        ("2024-02-29 12:00:00", "2024-02-29 11:00:00"),
        ("2015-06-01 08:00:00", "2015-06-01 06:00:00"),
        ("2026-01-15 10:30:05.123", "2026-01-15 09:30:05"),
        ("2026-01-15T10:30:05", "2026-01-15 09:30:05"),
        ("2025-07-15T10:30:05.795804", "2025-07-15 08:30:05"),
        # The clock goes back on 26 October 2025 at 03:00: the repeated hour is read as the first.
        ("2025-10-26 01:59:59", "2025-10-25 23:59:59"),
        ("2025-10-26 02:00:00", "2025-10-26 00:00:00"),
        ("2025-10-26 02:59:59", "2025-10-26 00:59:59"),
        ("2025-10-26 03:00:00", "2025-10-26 02:00:00"),
        # It goes forward on 30 March 2025 at 02:00: the missing hour is read with the offset before the jump.
        ("2025-03-30 01:59:59", "2025-03-30 00:59:59"),
        ("2025-03-30 02:30:00", "2025-03-30 01:30:00"),
        ("2025-03-30 03:00:00", "2025-03-30 01:00:00"),
    ],
)
def test_a_report_time_is_paris_time_kept_as_utc(maj: str, utc: str) -> None:
    price = read_price(maj=maj)
    assert isinstance(price, PriceRecord), price
    assert price.updated_at == f"{utc}.000000"


@pytest.mark.parametrize(
    "maj",
    [
        "",
        "hier matin",
        "2026-03-10",
        "2026-03-10_08:00:00",
        "2026-03-10TT08:00:00",
        "2026-03-10 08:00",
        "10/03/2026 08:00:00",
        "2026-02-30 08:00:00",
        "2025-02-29 08:00:00",
        "2026-13-01 08:00:00",
        "2026-03-10 24:00:00",
        "2026-03-10 08:60:00",
        "2026-03-10 08:00:60",
        "0000-00-00 00:00:00",
        "0001-01-01 00:00:00",
        "1999-12-31 23:00:00",
        "2026-03-10 08:00:00Z",
        "٢٠٢٦-03-10 08:00:00",
    ],
)
def test_a_report_time_that_is_no_date_is_rejected(maj: str) -> None:
    assert read_price(maj=maj) == "price date can't be read"


def test_a_report_an_hour_ahead_is_a_clock_that_runs_fast() -> None:
    price = read_price(maj="2026-03-10 14:00:00")
    assert isinstance(price, PriceRecord)
    assert price.updated_at == "2026-03-10 13:00:00.000000"


def test_a_report_more_than_a_day_ahead_is_rejected() -> None:
    assert isinstance(read_price(maj="2026-03-11 13:00:00"), PriceRecord)  # a day to the second
    assert read_price(maj="2026-03-11 13:00:01") == "price date lies in the future"
    assert read_price(maj="9999-12-31 23:59:59") == "price date lies in the future"


def test_the_future_begins_at_the_load_and_not_at_the_clock_of_this_machine() -> None:
    feed = write_pdv(write_prix(maj="2030-01-01 08:00:00"))
    (rejected,) = parse(feed)
    (kept,) = parse(feed, now=datetime(2030, 1, 1, 12, tzinfo=UTC))
    assert isinstance(rejected, StationRecord)
    assert isinstance(kept, StationRecord)
    assert (len(rejected.prices), len(kept.prices)) == (0, 1)


# Stations


@pytest.mark.parametrize(
    ("latitude", "longitude", "degrees"),
    [
        ("4620100", "519800", (46.201, 5.198)),
        ("4857879.09256", "238900.5", (48.5787909256, 2.389005)),
        ("4857879.0925600001", "2.5", (48.5787909256, 0.000025)),
        ("4700000", "-155300", (47.0, -1.553)),
        (" 4700000 ", "100000", (47.0, 1.0)),
        ("0", "100", (0.0, 0.001)),
        ("9000000", "18000000", (90.0, 180.0)),
    ],
)
def test_coordinates_are_degrees_times_100000(latitude: str, longitude: str, degrees: tuple[float, float]) -> None:
    station = read_one(latitude=latitude, longitude=longitude)
    assert (station.latitude_deg, station.longitude_deg) == pytest.approx(degrees, abs=1e-12)


def find_reason(inner: str = "", **attributes: str | None) -> str:
    """Return the reason for which the second of two stations is rejected; the first is a good one."""
    _, rejected = parse(write_pdv(id="1000002"), write_pdv(inner, **attributes))
    assert isinstance(rejected, RejectedStation), rejected
    return rejected.rejection.reason


@pytest.mark.parametrize("text", [None, "", "nord", "NaN", "inf", "1e5", "46,2", "4620100;", "--1", "4620100."])
@pytest.mark.parametrize("name", ["latitude", "longitude"])
def test_a_station_whose_coordinates_cant_be_read_is_rejected(name: str, text: str | None) -> None:
    assert find_reason(**{name: text}) == "coordinates can't be read"


def test_a_station_at_zero_degrees_is_nowhere() -> None:
    assert find_reason(latitude="0", longitude="0") == "coordinates can't be read"


@pytest.mark.parametrize("place", [{"latitude": "9900000"}, {"latitude": "-9000001"}, {"longitude": "18000001"}])
def test_a_station_outside_the_world_is_rejected(place: dict[str, str]) -> None:
    assert find_reason(**place) == "coordinates lie outside the world"


@pytest.mark.parametrize("text", [None, "", "0", "ABC12", "-5", "1.5", "1 000 001", "1234567890", "١٢٣"])
def test_a_station_whose_id_cant_be_read_is_rejected_with_no_id(text: str | None) -> None:
    _, rejected = parse(write_pdv(id="1000002"), write_pdv(id=text))
    assert rejected == RejectedStation(Rejection(None, "station id can't be read"))


def test_a_station_that_stands_twice_counts_once_as_it_stood_first() -> None:
    first, second = parse(write_pdv(cp="01000"), write_pdv(cp="02000"))
    assert isinstance(first, StationRecord)
    assert first.zip_code == "01000"
    assert second == RejectedStation(Rejection(1000001, "station stands twice"))


def test_of_a_station_that_stands_twice_the_readable_one_counts() -> None:
    first, second = parse(write_pdv(latitude="nord"), write_pdv())
    assert isinstance(first, RejectedStation)
    assert isinstance(second, StationRecord)


def test_two_stations_at_one_place_are_two() -> None:
    assert [
        s.id for s in parse(write_pdv(id="91940008"), write_pdv(id="91940009")) if isinstance(s, StationRecord)
    ] == [
        91940008,
        91940009,
    ]


def test_ids_of_seven_digits_and_postcodes_with_a_leading_zero_are_kept() -> None:
    station = read_one(id="6110002", cp="06110")
    assert (station.id, station.zip_code) == (6110002, "06110")


@pytest.mark.parametrize(("pop", "is_motorway"), [("A", True), ("R", False), ("N", False), ("", False), (None, False)])
def test_pop_a_is_a_motorway(pop: str | None, is_motorway: bool) -> None:
    assert read_one(pop=pop).is_motorway is is_motorway


def test_texts_are_cleaned_and_the_town_has_one_spelling() -> None:
    station = read_one("<adresse>  12  Rue de l\x92Église </adresse><ville>SAINT DOULCHARD</ville>")
    assert (station.address, station.town) == ("12 Rue de l’Église", "Saint-Doulchard")


@pytest.mark.parametrize("inner", ["", "<adresse/><ville/>", "<adresse> </adresse>"])
def test_a_missing_address_is_an_empty_one(inner: str) -> None:
    assert read_one(inner).address == ""


def test_texts_are_no_longer_than_their_columns() -> None:
    station = read_one(
        f"<adresse>{'a ' * 400}</adresse><ville>{'b' * 400}</ville><services><service>{'c' * 400}</service></services>",
        cp="0" * 40,
    )
    lengths = (len(station.address), len(station.town), len(station.zip_code), len(station.services[0]))
    assert lengths == (299, 120, 10, 200)  # an address is not cut to end in white space


def test_services_are_kept_once_each_in_the_order_of_the_feed() -> None:
    station = read_one(
        "<services><service>Wifi</service><service> Bar </service><service/><service>Wifi</service></services>"
    )
    assert station.services == ("Wifi", "Bar")


@pytest.mark.parametrize("inner", ["", "<services/>", "<services></services>"])
def test_a_station_may_have_no_service(inner: str) -> None:
    assert read_one(inner).services == ()


def test_stations_with_the_same_services_and_others_are_told_apart() -> None:
    feeds = [
        "<services><service>Wifi</service></services>",
        "<services><service>Bar</service></services>",
        "<services/>",
    ]
    stations = parse(*(write_pdv(inner, id=str(number)) for number, inner in enumerate(feeds * 2, start=1)))
    assert [s.services for s in stations if isinstance(s, StationRecord)] == [("Wifi",), ("Bar",), ()] * 2


# Opening hours


def write_day(number: int, *spans: str, ferme: str = "") -> str:
    inner = "".join(
        f'<horaire ouverture="{opening}" fermeture="{closing}"/>'
        for opening, _, closing in (span.partition("-") for span in spans)
    )
    return f'<jour id="{number}" nom="?" ferme="{ferme}">{inner}</jour>'


def read_week(*days: str, automat: str = "") -> str | None:
    return read_one(f'<horaires automate-24-24="{automat}">{"".join(days)}</horaires>').opening_hours


def read_day(*spans: str, ferme: str = "") -> str:
    """Return a Monday, beside a Tuesday that is known."""
    week = read_week(write_day(1, *spans, ferme=ferme), write_day(2, "08.00-09.00"))
    assert week is not None
    monday, rest = week.split("|", 1)
    assert rest == "08:00-09:00|?|?|?|?|?"
    return monday


@pytest.mark.parametrize(
    ("spans", "day"),
    [
        (["06.00-22.00"], "06:00-22:00"),
        (["06:00-22:00"], "06:00-22:00"),
        (["08.00-12.00", "14.00-18.30"], "08:00-12:00,14:00-18:30"),  # two spans a day
        (["14.00-18.30", "08.00-12.00"], "08:00-12:00,14:00-18:30"),
        (["00.00-00.00"], "00:00-24:00"),  # the whole day
        (["00.00-23.59"], "00:00-24:00"),  # 23.59 is midnight
        (["00.01-23.59"], "00:01-24:00"),
        (["06.00-00.00"], "06:00-24:00"),
        (["18.00-02.00"], "18:00-02:00"),  # past midnight
        (["01.00-01.00"], ""),  # the same time twice: closed
        (["12.00-12.00"], ""),
        (["23.59-23.59"], ""),
        (["08.00-12.00", "12.00-12.00"], "08:00-12:00"),
        (["00.00-00.00", "00.00-00.00"], "00:00-24:00"),  # the same span twice
        ([], "?"),
        (["06.00-24.00"], "06:00-24:00"),  # 24.00 is midnight
        (["00.00-24.00"], "00:00-24:00"),
        (["24.00-24.00"], "00:00-24:00"),
        (["24.00-06.00"], "00:00-06:00"),
        (["6.00-9.30"], "06:00-09:30"),
        (["06:00:00-22:00:00"], "06:00-22:00"),
        (["06.00.00-24.00.00"], "06:00-24:00"),
        (["6-22"], "06:00-22:00"),
        (["8h-12h30"], "08:00-12:30"),
        (["08H00-12H"], "08:00-12:00"),
        (["06,30-22,00"], "06:30-22:00"),
        (["0600-2230"], "06:00-22:30"),
        ([" 06.00 -\t22.00 "], "06:00-22:00"),
        (["6.00-06:00:00"], ""),  # the same time twice, though not letter for letter
        (["25.00-26.00"], "?"),
        (["08.00-24.01"], "?"),
        (["08.00-12.60"], "?"),
        (["06.75-12.00"], "?"),
        (["08.00-"], "?"),
        (["-12.00"], "?"),
        (["-"], "?"),
        (["08.0-12.00"], "?"),
        (["06:00:60-12.00"], "?"),
        (["800-12.00"], "?"),
        (["08.00-12.00am"], "?"),
        (["08.00-midi"], "?"),
        (["٠٨.٠٠-12.00"], "?"),
        (["08.00-12.00", "14.00-"], "08:00-12:00"),  # one that lacks a time says nothing
        (["08.00-12.00", "-"], "08:00-12:00"),
        (["08.00-12.00", "14.00-25.00"], "?"),  # it would seem to be closed in the afternoon
        (["12.00-12.00", "14.00-"], "?"),
        ([f"{hour:02}.00-{hour:02}.30" for hour in range(24)], "?"),  # no station has four spans a day
    ],
)
def test_a_day_is_read_into_spans(spans: list[str], day: str) -> None:
    assert read_day(*spans) == day


@pytest.mark.parametrize("ferme", ["1", " 1 ", "true", "True", "oui"])
def test_closed_wins_over_hours(ferme: str) -> None:
    assert read_day("08.00-12.00", ferme=ferme) == ""
    assert read_day("08.00-", ferme=ferme) == ""
    assert read_day(ferme=ferme) == ""


@pytest.mark.parametrize("ferme", ["", " ", "0", "false", "non", "?"])
def test_a_day_that_does_not_say_that_it_is_closed_is_not(ferme: str) -> None:
    assert read_day("08.00-12.00", ferme=ferme) == "08:00-12:00"
    assert read_day(ferme=ferme) == "?"


@pytest.mark.parametrize(
    "hours",
    ["<horaire/>", '<horaire ouverture="08.00"/>', '<horaire fermeture="12.00"/>', "<horaire>08.00-12.00</horaire>"],
)
def test_hours_without_their_times_are_not_known(hours: str) -> None:
    assert read_week(f'<jour id="1">{hours}</jour>', write_day(2, "08.00-09.00")) == "?|08:00-09:00|?|?|?|?|?"
    assert read_week(*(f'<jour id="{number}">{hours}</jour>' for number in range(1, 8))) is None


def test_days_are_known_by_their_number_and_not_by_their_place() -> None:
    assert read_week(write_day(7, "08.00-12.00"), write_day(1, "06.00-22.00")) == "06:00-22:00|?|?|?|?|?|08:00-12:00"


@pytest.mark.parametrize("number", ["0", "8", "", "x", "²", "11"])
def test_a_day_that_is_none_of_the_week_is_passed_over(number: str) -> None:
    day = f'<jour id="{number}" ferme="1"/>'
    assert read_week(day, write_day(3, "08.00-12.00")) == "?|?|08:00-12:00|?|?|?|?"


def test_a_week_without_hours_is_not_known() -> None:
    assert read_one().opening_hours is None
    assert read_one("<horaires/>").opening_hours is None
    assert read_week(*(write_day(number) for number in range(1, 8))) is None


def test_a_week_closed_on_all_days_is_known() -> None:
    assert read_week(*(write_day(number, ferme="1") for number in range(1, 8)), automat="1") == "||||||"


@pytest.mark.parametrize(("text", "has_automat"), [("1", True), ("true", True), ("", False), ("0", False)])
def test_an_automat_sells_day_and_night(text: str, has_automat: bool) -> None:
    assert read_one(f'<horaires automate-24-24="{text}"/>').has_automat is has_automat


def test_a_week_fits_its_column_whatever_the_feed_says() -> None:
    spans = [f"{opening:02}.00-{closing:02}.00" for opening, closing in ((1, 2), (3, 4), (5, 6))]
    week = read_week(*(write_day(number, *spans) for number in range(1, 8)))
    assert week is not None
    assert week.count("-") == 21
    assert len(week) <= 300


def test_stations_with_the_same_hours_and_others_are_told_apart() -> None:
    weeks = [f"<horaires>{write_day(1, span)}</horaires>" for span in ("06.00-22.00", "07.00-22.00")] + ["<horaires/>"]
    stations = parse(*(write_pdv(inner, id=str(number)) for number, inner in enumerate(weeks * 2, start=1)))
    hours = [s.opening_hours for s in stations if isinstance(s, StationRecord)]
    assert hours == ["06:00-22:00|?|?|?|?|?|?", "07:00-22:00|?|?|?|?|?|?", None] * 2


# Stock-outs


def write_rupture(fuel: str = "5", debut: str = "2026-03-01 16:16:02", fin: str = "", kind: str = "temporaire") -> str:
    return f'<rupture nom="E10" id="{fuel}" debut="{debut}" fin="{fin}" type="{kind}"/>'


BEGAN = StockOutRecord(5, "2026-03-01 15:16:02.000000")


def test_a_stock_out_says_since_when() -> None:
    station = read_one(write_rupture())
    assert station.stock_outs == (BEGAN,)
    assert station.names_stock_outs
    assert not station.changes_with_time


@pytest.mark.parametrize("kind", ["definitive", "", "provisoire", "TEMPORAIRE"])
def test_a_fuel_that_did_not_run_out_for_a_time_is_not_sold(kind: str) -> None:
    station = read_one(write_rupture(kind=kind) + write_prix("5", maj="2026-03-01 16:16:01") + write_prix("6"))
    assert (station.stock_outs, station.names_stock_outs, station.rejections) == ((), True, ())
    assert [price.fuel_id for price in station.prices] == [6], "nor is it offered at a price from before"
    assert station.price_count == 2


@pytest.mark.parametrize("kind", ["definitive", ""])
@pytest.mark.parametrize("debut", ["", "1970-01-01 00:59:59", "2099-01-01 00:00:00"])
def test_a_fuel_given_up_nobody_knows_when_is_sold_if_it_has_a_price(kind: str, debut: str) -> None:
    station = read_one(write_rupture(kind=kind, debut=debut) + write_prix("5"))
    assert (station.stock_outs, [price.fuel_id for price in station.prices]) == ((), [5])


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("kinds", "stock_outs"),
    [
        (("definitive", "temporaire"), ()),
        (("", "temporaire"), (BEGAN,)),
        (("provisoire", "temporaire"), (BEGAN,)),
        (("", "definitive", "temporaire"), ()),
    ],
)
def test_of_several_stock_outs_of_a_fuel_the_strongest_counts(
    kinds: tuple[str, ...], stock_outs: tuple[StockOutRecord, ...], order: int
) -> None:
    ruptures = [write_rupture(kind=kind) for kind in kinds][::order]
    assert read_one("".join(ruptures)).stock_outs == stock_outs


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    "other",
    [
        write_rupture(debut="2026-02-01 08:00:00"),
        write_rupture(debut=""),
        write_rupture(debut="2026-03-05 08:00:00", fin="2026-03-06 08:00:00"),
        write_rupture(kind="definitive", fin="2026-03-02 08:00:00"),
        write_rupture(kind="definitive", debut="2026-02-01 08:00:00") + write_prix("5", maj="2026-02-02 08:00:00"),
    ],
    ids=["began before", "without a date", "over", "stronger but over", "stronger but sold since"],
)
def test_a_stock_out_is_as_of_the_last_that_began_and_goes_on(other: str, order: int) -> None:
    assert read_one("".join([write_rupture(), other][::order])).stock_outs == (BEGAN,)


@pytest.mark.parametrize("kind", ["temporaire", "definitive", ""])
def test_a_price_reported_since_ends_a_stock_out(kind: str) -> None:
    station = read_one(write_rupture(kind=kind) + write_prix("5", maj="2026-03-01 16:16:03"))
    assert (station.stock_outs, [price.fuel_id for price in station.prices]) == ((), [5])


@pytest.mark.parametrize("debut", ["2026-03-01 16:16:02", ""])
def test_a_price_not_reported_since_stays_beside_the_stock_out(debut: str) -> None:
    station = read_one(write_rupture(debut=debut) + write_prix("5", maj="2026-03-01 16:16:02"))
    assert [stock_out.fuel_id for stock_out in station.stock_outs] == [5]
    assert [price.fuel_id for price in station.prices] == [5]


def test_a_price_of_another_fuel_ends_no_stock_out() -> None:
    assert read_one(write_rupture() + write_prix("6", maj="2026-03-09 08:00:00")).stock_outs == (BEGAN,)


@pytest.mark.parametrize("fin", ["", "1970-01-01 00:59:59", "0000-00-00 00:00:00", "2026-03-12 08:00:00"])
def test_a_stock_out_whose_end_has_not_come_goes_on(fin: str) -> None:
    station = read_one(write_rupture(fin=fin))
    assert station.stock_outs == (BEGAN,)
    assert station.changes_with_time is (fin == "2026-03-12 08:00:00")


def test_a_stock_out_that_has_ended_is_none_but_names_stock_outs() -> None:
    station = read_one(write_rupture(fin="2026-03-02 08:00:00"))
    assert (station.stock_outs, station.names_stock_outs, station.rejections) == ((), True, ())
    assert not station.changes_with_time


@pytest.mark.parametrize(
    "debut",
    [
        "",
        "1970-01-01 00:59:59",
        "0216-03-02 00:00:00",
        "0000-00-00 00:00:00",
        "2006-12-31 23:59:59",
        "2026-03-12 08:00:00",
        "2099-01-01 00:00:00",
    ],
)
def test_a_stock_out_without_a_date_that_can_be_is_one_all_the_same(debut: str) -> None:
    station = read_one(write_rupture(debut=debut))
    assert (station.stock_outs, station.rejections) == ((StockOutRecord(5, None),), ())
    assert station.changes_with_time is (debut > "2026-03-12")


def test_a_stock_out_may_have_begun_when_the_feed_did() -> None:
    assert read_one(write_rupture(debut="2007-01-01 00:00:00")).stock_outs[0].began_at == "2006-12-31 23:00:00.000000"


@pytest.mark.parametrize(
    ("rupture", "reason"),
    [
        (write_rupture("9"), "stock-out: fuel 9 (E10) is not known"),
        (write_rupture(debut="hier"), "stock-out: date can't be read"),
        (write_rupture(fin="demain"), "stock-out: date can't be read"),
        ('<rupture nom="E10" id="5" debut="2026-03-01 16:16:02" fin=""/>', "stock-out: type can't be read"),
    ],
)
def test_a_stock_out_that_cant_be_read_is_rejected_alone(rupture: str, reason: str) -> None:
    station = read_one(rupture + write_rupture("6") + write_prix())
    assert [stock_out.fuel_id for stock_out in station.stock_outs] == [6]
    assert [(rejection.station_id, rejection.reason) for rejection in station.rejections] == [(1000001, reason)]
    assert len(station.prices) == 1


def test_a_station_without_a_stock_out_names_none() -> None:
    assert not read_one(write_prix()).names_stock_outs


# Fingerprints


def test_a_station_whose_element_is_the_same_is_not_parsed() -> None:
    feed = write_pdv(write_prix() + write_prix("5") + write_rupture("6"))
    fingerprint = read_one(write_prix() + write_prix("5") + write_rupture("6")).fingerprint
    assert parse(feed, fingerprints={1000001: fingerprint}) == [UnchangedStation(1000001, 2, True)]


@pytest.mark.parametrize(
    "changed",
    [
        write_pdv(write_prix(valeur="1.740")),
        write_pdv(write_prix(maj="2026-03-10 08:00:01")),
        write_pdv(write_prix() + write_rupture()),
        write_pdv(write_prix(), pop="A"),
        write_pdv(f"<ville>Bourg</ville>{write_prix()}"),
    ],
)
def test_a_station_whose_element_changed_in_any_way_is_parsed(changed: str) -> None:
    fingerprint = read_one(write_prix()).fingerprint
    (station,) = parse(changed, fingerprints={1000001: fingerprint})
    assert isinstance(station, StationRecord)
    assert station.fingerprint != fingerprint


def test_a_fingerprint_depends_on_nothing_around_the_station() -> None:
    alone = read_one(write_prix())
    (_, among) = parse(write_pdv(id="1000002"), "\n  <!-- x -->", write_pdv(write_prix()), "\n")
    assert isinstance(among, StationRecord)
    assert among.fingerprint == alone.fingerprint
    assert -(2**63) <= alone.fingerprint < 2**63


def test_an_unchanged_station_that_stands_twice_counts_once() -> None:
    fingerprint = read_one().fingerprint
    first, second = parse(write_pdv(), write_pdv(), fingerprints={1000001: fingerprint})
    assert isinstance(first, UnchangedStation)
    assert isinstance(second, RejectedStation)


# Refused whole


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("", "not well-formed"),
        (f"<pdv_liste>{write_pdv()}\0</pdv_liste>", "not well-formed"),
        ("no XML", "not well-formed"),
        ("<pdv_liste>", "not well-formed"),
        (f"<pdv_liste>{write_pdv()}", "not well-formed"),
        (f"<pdv_liste>{write_pdv()}</pdv_liste><x/>", "not well-formed"),
        (f"<pdv_liste>{write_pdv('&x;')}</pdv_liste>", "not well-formed"),
        ("<pdv_liste/>", "no readable station"),
        (f"<pdv_liste>{write_pdv(id='x')}</pdv_liste>", "no readable station"),
        ("<html/>", "root element is <html>"),
        (f"<liste>{write_pdv()}</liste>", "root element is <liste>"),
        (write_pdv(), "XML is empty|root element is <pdv>"),
        (f"<x><pdv_liste>{write_pdv()}</pdv_liste></x>", "root element is <x>"),
        (f"<pdv_liste>{write_pdv()}<x>{write_pdv(id='2')}</x></pdv_liste>", "elsewhere"),
        (f"<pdv_liste>{write_pdv(write_pdv(id='2'))}</pdv_liste>", "root element is <pdv>"),
        (f"<!DOCTYPE pdv_liste><pdv_liste>{write_pdv()}</pdv_liste>", "document type"),
        (f"<!DOCTYPE pdv_liste SYSTEM 'file:///etc/passwd'><pdv_liste>{write_pdv()}</pdv_liste>", "document type"),
        ("<!DOCTYPE pdv_liste [<!ENTITY x 'y'>]><pdv_liste>&x;</pdv_liste>", "document type"),
        (
            f"<!DOCTYPE pdv_liste [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><pdv_liste>{write_pdv('&x;')}</pdv_liste>",
            "document type",
        ),
    ],
)
def test_a_feed_that_is_none_is_refused(xml: str, message: str) -> None:
    with pytest.raises(FeedRefused, match=message) as refusal:
        parse_xml(xml)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("place", ["attribute", "text"])
def test_entities_are_never_expanded(place: str) -> None:
    laughs = "".join(f'<!ENTITY x{n} "{f"&x{n - 1};" * 10}">' for n in range(1, 9))
    station = write_pdv("&x8;") if place == "text" else '<pdv id="&x8;"/>'
    with pytest.raises(FeedRefused, match=r"document type|not well-formed"):
        parse_xml(f'<!DOCTYPE pdv_liste [<!ENTITY x0 "lol">{laughs}]><pdv_liste>{station}</pdv_liste>')


class Endless(io.RawIOBase):
    """A stream that begins as a feed does and then says the same without end."""

    def __init__(self, start: bytes, rest: bytes) -> None:
        self.start, self.rest, self.given = start, rest, 0

    def read(self, size: int = -1) -> bytes:
        data = self.rest * (size // len(self.rest))
        if not self.given:
            data = self.start
        self.given += len(data)
        return data


@pytest.mark.parametrize(
    ("start", "rest"),
    [
        ("<pdv_liste>", "<x/>"),
        (f"<pdv_liste>{write_pdv()}", "<x/>"),
        (f"<pdv_liste>{write_pdv()}<pdv id='2'>", "<x/>"),
        ("<pdv_liste>", "<!-- -->"),
        ("<pdv_liste>", " "),
    ],
)
def test_what_is_no_station_is_not_read_without_end(start: str, rest: str) -> None:
    stream = Endless(start.encode(), rest.encode())
    with pytest.raises(FeedRefused, match="no station in 4 MB"):
        list(iterate_stations(stream, {}, now=NOW))  # type: ignore[arg-type]
    assert stream.given < MAX_STATION_BYTES + 1_000_000


def test_a_feed_is_read_station_by_station() -> None:
    """The first station is there long before the last is read: no tree of the whole is made."""
    stream = io.BytesIO(f"<pdv_liste>{''.join(write_pdv(id=str(n)) for n in range(1, 5000))}</pdv_liste>".encode())
    stations = iterate_stations(stream, {}, now=NOW)
    assert isinstance(next(stations), StationRecord)
    assert stream.tell() < len(stream.getvalue()) / 4


def test_comments_processing_instructions_and_strangers_are_passed_over() -> None:
    (station,) = parse(
        "<!-- a --><?b c?><strange>d</strange>",
        write_pdv(f"<!-- e --><?f g?><strange/>{write_prix()}<ville>Bo<!-- h -->urg</ville>"),
    )
    assert isinstance(station, StationRecord)
    assert (len(station.prices), station.town) == (1, "Bourg")


def test_the_moment_of_the_load_may_be_given_in_any_zone() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    feed = write_pdv(write_prix(maj="2026-03-11 13:00:00"))
    assert parse(feed, now=elsewhere) == parse(feed, now=NOW)
