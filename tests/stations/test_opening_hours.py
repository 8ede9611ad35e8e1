"""Opening hours, worked out by hand on the calendar of 2026: 9 March is a Monday, 15 March a Sunday."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as some

from stations.opening_hours import Day, Opening, find_opening, is_surely_open, is_whole_day, parse_week

PARIS = ZoneInfo("Europe/Paris")
OFFICE = "08:00-12:00,14:00-18:30|08:00-12:00|08:00-19:00|08:00-19:00|08:00-19:00|09:00-13:00|"
ALWAYS = "|".join(["00:00-24:00"] * 7)
NIGHTS = "22:00-02:00||||22:00-06:00|22:00-06:00|"


def at_paris(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS, fold=fold)


def find(week: str | None, text: str) -> tuple[bool | None, str | None]:
    opening = find_opening(parse_week(week), at_paris(text).astimezone(UTC))
    return opening.is_open, opening.changes_at and opening.changes_at.astimezone(PARIS).strftime("%a %d %H:%M")


def test_a_week_is_seven_days_of_spans_in_minutes() -> None:
    assert parse_week("06:00-22:00|08:00-12:00,14:00-18:00||?|00:00-24:00|22:00-06:00|00:01-24:00") == (
        ((360, 1320),),
        ((480, 720), (840, 1080)),
        (),
        None,
        ((0, 1440),),
        ((1320, 360),),
        ((1, 1440),),
    )


def test_a_week_of_which_nothing_is_known_is_none() -> None:
    assert parse_week(None) is None
    assert find_opening(None, at_paris("2026-03-09 10:00")) == Opening(None)


@pytest.mark.parametrize(
    ("moment", "is_open", "changes_at"),
    [
        ("2026-03-09 07:59", False, "Mon 09 08:00"),
        ("2026-03-09 08:00", True, "Mon 09 12:00"),  # the minute it opens
        ("2026-03-09 11:59", True, "Mon 09 12:00"),
        ("2026-03-09 12:00", False, "Mon 09 14:00"),  # the minute it closes
        ("2026-03-09 14:30", True, "Mon 09 18:30"),
        ("2026-03-09 18:30", False, "Tue 10 08:00"),  # opens on another day
        ("2026-03-09 23:59", False, "Tue 10 08:00"),
        ("2026-03-10 00:00", False, "Tue 10 08:00"),
        ("2026-03-14 13:00", False, "Mon 16 08:00"),  # Saturday afternoon: over the closed Sunday
        ("2026-03-15 10:00", False, "Mon 16 08:00"),
    ],
)
def test_it_is_open_within_its_hours_and_says_when_that_changes(moment: str, is_open: bool, changes_at: str) -> None:
    assert find(OFFICE, moment) == (is_open, changes_at)


def test_hours_are_those_of_paris_whatever_the_zone_of_the_question() -> None:
    week = parse_week(OFFICE)
    assert find_opening(week, datetime(2026, 3, 9, 6, 59, tzinfo=UTC)).is_open is False  # 07:59 in Paris
    assert find_opening(week, datetime(2026, 3, 9, 7, 0, tzinfo=UTC)).is_open is True
    assert find_opening(week, datetime(2026, 7, 6, 6, 0, tzinfo=UTC)).is_open is True  # 08:00 in summer
    assert find_opening(week, datetime(2026, 3, 9, 3, 0, tzinfo=ZoneInfo("America/New_York"))).is_open is True


@pytest.mark.parametrize(
    ("moment", "is_open", "changes_at"),
    [
        ("2026-03-09 21:00", False, "Mon 09 22:00"),
        ("2026-03-09 23:00", True, "Tue 10 02:00"),
        ("2026-03-10 01:59", True, "Tue 10 02:00"),  # still Monday's hours
        ("2026-03-10 02:00", False, "Fri 13 22:00"),
        ("2026-03-14 05:00", True, "Sat 14 06:00"),
        ("2026-03-15 05:00", True, "Sun 15 06:00"),
        ("2026-03-15 06:00", False, "Mon 16 22:00"),
    ],
)
def test_a_span_that_ends_before_it_begins_goes_past_midnight(moment: str, is_open: bool, changes_at: str) -> None:
    assert find(NIGHTS, moment) == (is_open, changes_at)


@pytest.mark.parametrize("moment", ["2026-03-09 00:00", "2026-03-11 12:34", "2026-03-15 23:59"])
def test_a_station_that_never_closes_has_no_moment_of_change(moment: str) -> None:
    assert find(ALWAYS, moment) == (True, None)


@pytest.mark.parametrize("moment", ["2026-03-09 00:00", "2026-03-10 00:00", "2026-03-11 12:34", "2026-03-15 23:59"])
def test_the_minute_before_00_01_is_no_closing_time(moment: str) -> None:
    assert find("|".join(["00:01-24:00"] * 7), moment) == (True, None)


def test_touching_days_are_one_span() -> None:
    week = "06:00-24:00|00:00-24:00|00:01-12:00||||"
    assert find(week, "2026-03-09 07:00") == (True, "Wed 11 12:00")
    assert find(week, "2026-03-11 12:00") == (False, "Mon 16 06:00")


def test_two_minutes_are_a_gap() -> None:
    assert find("00:00-23:58|00:00-24:00|||||", "2026-03-09 10:00") == (True, "Mon 09 23:58")


def test_open_for_all_days_but_one_closes_at_its_beginning() -> None:
    week = "|".join(["00:00-24:00"] * 6) + "|"
    assert find(week, "2026-03-09 00:00") == (True, "Sun 15 00:00")
    assert find(week, "2026-03-15 00:00") == (False, "Mon 16 00:00")


@pytest.mark.parametrize(
    ("week", "is_open"), [(ALWAYS, True), ("|".join(["00:01-24:00"] * 7), True), ("||||||", False)]
)
def test_a_week_of_one_state_is_always_so(week: str, is_open: bool) -> None:
    assert find_opening(parse_week(week), at_paris("2026-03-11 12:00")) == Opening(is_open, None, is_always=True)


@pytest.mark.parametrize(
    ("week", "moment", "is_open", "changes_at"),
    [
        ("08:00-12:00|?|08:00-12:00||||", "2026-03-09 13:00", False, None),  # it may open on Tuesday
        ("08:00-12:00|?|08:00-12:00||||", "2026-03-09 07:00", False, "Mon 09 08:00"),
        ("08:00-12:00|?|08:00-12:00||||", "2026-03-09 10:00", True, "Mon 09 12:00"),
        ("08:00-12:00|?|08:00-12:00||||", "2026-03-12 10:00", False, "Mon 16 08:00"),  # all days before it are known
        ("08:00-12:00||||||?", "2026-03-14 13:00", False, None),  # not "opens Monday": Sunday isn't known
        ("08:00-12:00|08:00-12:00|?||||", "2026-03-09 13:00", False, "Tue 10 08:00"),  # before the unknown day
        ("08:00-12:00|?|||||", "2026-03-09 13:00", False, None),  # nor next week's Monday
        ("||||||?", "2026-03-09 13:00", False, None),
        ("|?|?|?|?|?|?", "2026-03-09 13:00", False, None),
    ],
)
def test_when_it_opens_is_not_known_over_an_unknown_day(
    week: str, moment: str, is_open: bool, changes_at: str | None
) -> None:
    assert find(week, moment) == (is_open, changes_at)
    assert not find_opening(parse_week(week), at_paris(moment)).is_always


@pytest.mark.parametrize(
    ("week", "moment", "is_open", "changes_at"),
    [
        ("22:00-02:00|?|||||", "2026-03-09 23:00", True, "Tue 10 02:00"),
        ("22:00-02:00|?|||||", "2026-03-10 01:59", True, "Tue 10 02:00"),  # Monday's hours, whatever Tuesday's are
        ("22:00-02:00|?|||||", "2026-03-10 02:00", None, None),
        ("?||||||22:00-02:00", "2026-03-09 00:00", True, "Mon 09 02:00"),  # Sunday's, of the week before
        ("?||||||22:00-24:00", "2026-03-09 00:00", None, None),
        ("?|08:00-12:00|||||", "2026-03-10 01:00", False, "Tue 10 08:00"),  # Monday hardly went on until then
    ],
)
def test_a_span_past_midnight_holds_on_a_day_that_is_not_known(
    week: str, moment: str, is_open: bool | None, changes_at: str | None
) -> None:
    assert find(week, moment) == (is_open, changes_at)


@pytest.mark.parametrize(
    ("week", "moment", "changes_at"),
    [
        ("00:00-24:00|?|00:00-24:00||||", "2026-03-09 10:00", None),
        ("00:01-24:00|00:00-24:00|?||||", "2026-03-09 10:00", None),
        ("|".join(["00:00-24:00"] * 6) + "|?", "2026-03-09 10:00", None),
        ("?|" + "|".join(["00:00-24:00"] * 6), "2026-03-10 00:00", None),
        ("06:00-24:00|?|||||", "2026-03-09 10:00", "Tue 10 00:00"),  # it says that it closes at midnight
        ("00:00-22:00|?|||||", "2026-03-09 10:00", "Mon 09 22:00"),
        ("00:00-24:00||?||||", "2026-03-09 10:00", "Tue 10 00:00"),
    ],
)
def test_a_station_open_all_day_is_not_open_until_an_unknown_day_nor_for_ever(
    week: str, moment: str, changes_at: str | None
) -> None:
    assert find(week, moment) == (True, changes_at)
    assert not find_opening(parse_week(week), at_paris(moment)).is_always


def test_nothing_is_said_of_a_day_that_is_not_known() -> None:
    assert find("?|08:00-12:00|||||", "2026-03-09 10:00") == (None, None)
    assert find("?|08:00-12:00|||||", "2026-03-10 10:00") == (True, "Tue 10 12:00")


def test_a_station_that_is_closed_all_week_never_opens() -> None:
    assert find("||||||", "2026-03-11 10:00") == (False, None)


def test_the_next_week_s_same_day_is_looked_at_too() -> None:
    assert find("08:00-09:00||||||", "2026-03-09 10:00") == (False, "Mon 16 08:00")


@pytest.mark.parametrize("week", [OFFICE, ALWAYS, NIGHTS, "|".join(["02:15-02:45"] * 7)])
@pytest.mark.parametrize("day", ["2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25"])
def test_the_two_days_on_which_clocks_change_are_days_like_others(week: str, day: str) -> None:
    midnight = at_paris(f"{day} 00:00").astimezone(UTC).timestamp()
    for minutes in range(0, 25 * 60, 5):
        at = datetime.fromtimestamp(midnight + minutes * 60, UTC)
        opening = find_opening(parse_week(week), at)
        assert opening.is_open in (True, False)
        # By the clock on the wall, which shows October's repeated hour twice.
        assert opening.changes_at is None or opening.changes_at > at.astimezone(PARIS)


def test_both_of_october_s_repeated_hours_are_open_by_the_clock_on_the_wall() -> None:
    week = parse_week("||||||02:00-03:00")
    for fold in (0, 1):
        assert find_opening(week, at_paris("2026-10-25 02:30", fold)).is_open is True
    assert find_opening(week, at_paris("2026-10-25 03:00")).is_open is False


def test_after_march_s_missing_hour_it_opens_by_the_new_time() -> None:
    opening = find_opening(parse_week("||||||08:00-12:00"), at_paris("2026-03-29 01:30"))
    assert opening.changes_at is not None
    assert opening.changes_at.astimezone(UTC) == datetime(2026, 3, 29, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "is_whole"),
    [
        (((0, 1440),), True),
        (((1, 1440),), True),
        (((0, 1439),), False),
        (((0, 720), (720, 1440)), False),
        ((), False),
        (None, False),
    ],
)
def test_a_whole_day_is_from_midnight_to_midnight(day: Day | None, is_whole: bool) -> None:
    assert is_whole_day(day) is is_whole


_TIMES = some.integers(0, 1439).map(lambda minutes: f"{minutes // 60:02d}:{minutes % 60:02d}")
_DAYS = some.one_of(
    some.just("?"),
    some.lists(some.tuples(_TIMES, _TIMES | some.just("24:00")).map("-".join), max_size=3).map(",".join),
)


@effort(max_examples=100, deadline=None)
@given(
    week=some.lists(_DAYS, min_size=7, max_size=7).map("|".join),
    moment=some.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
)
def test_it_is_open_when_a_span_of_today_or_a_night_since_yesterday_holds_the_minute(
    week: str, moment: datetime
) -> None:
    at = moment.replace(tzinfo=PARIS)
    days = [None if day == "?" else [span.split("-") for span in day.split(",") if span] for day in week.split("|")]
    today, yesterday = days[at.weekday()], days[at.weekday() - 1] or []

    def is_open(minute: int) -> bool:
        time = f"{minute // 60:02d}:{minute % 60:02d}"
        by_day = any(opens <= time < closes or closes <= opens <= time for opens, closes in today or [])
        return by_day or any(time < closes <= opens for opens, closes in yesterday)

    minute = at.hour * 60 + at.minute
    closed = None if today is None else False
    if 0 < minute < 1439 and is_open(minute - 1) and is_open(minute + 1):
        expected: bool | None = True  # a gap of one minute is none
    else:
        expected = is_open(minute) or closed
    if minute not in (0, 1439) or expected:  # there the gap of a minute takes another day to judge
        assert find_opening(parse_week(week), at).is_open is expected


DAYS = some.sampled_from(
    ("", "?", "08:00-12:00,14:00-18:30", "00:00-24:00", "00:01-23:59", "22:00-06:00", "00:00-02:00,23:59-24:00")
)


@given(some.lists(DAYS, min_size=7, max_size=7), some.integers(0, 7 * 24 * 60 - 1))
def test_the_days_around_a_moment_say_whether_a_station_is_open(days: list[str], minute: int) -> None:
    local = datetime(2026, 3, 9, tzinfo=PARIS) + timedelta(minutes=minute)
    week = "|".join(days)
    assert is_surely_open(week, local) == bool(find_opening(parse_week(week), local).is_open)
