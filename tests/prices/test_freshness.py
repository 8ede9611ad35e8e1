"""How fresh the prices are, as the last loads left it."""

from __future__ import annotations

from datetime import timedelta

from conftest import NOW, MakeFeed
from sqlalchemy import Engine, insert

import etl
from db import begin_writing
from models import BrandState
from prices.freshness import Freshness, find_as_of, get_freshness
from settings import Settings


def test_before_the_first_load_nothing_is_known(engine: Engine) -> None:
    with engine.connect() as connection:
        assert get_freshness(connection) is None


def test_it_is_when_the_feed_was_loaded_and_what_its_newest_report_is(
    settings: Settings, engine: Engine, make_feed: MakeFeed
) -> None:
    feed = make_feed(newest_at=NOW - timedelta(hours=3))
    etl.run_load(settings.model_copy(update={"feed_url": str(feed)}), engine, now=lambda: NOW)
    with engine.connect() as connection:
        assert get_freshness(connection) == Freshness(NOW, NOW - timedelta(hours=3), NOW, is_sample=False)


def test_the_same_feed_again_is_loaded_anew_and_no_newer(
    settings: Settings, engine: Engine, make_feed: MakeFeed
) -> None:
    settings = settings.model_copy(update={"feed_url": str(make_feed())})
    later = NOW + timedelta(hours=6)
    for moment in (NOW, later):
        etl.run_load(settings, engine, now=lambda moment=moment: moment)
    with engine.connect() as connection:
        assert get_freshness(connection) == Freshness(later, NOW, later, is_sample=False)


def test_a_feed_without_stock_outs_leaves_the_time_of_the_last_that_named_them(
    settings: Settings, engine: Engine, make_feed: MakeFeed
) -> None:
    later = NOW + timedelta(hours=6)
    for moment, names_stock_outs in ((NOW, True), (later, False)):
        feed = make_feed(stock_outs=names_stock_outs, newest_at=moment)
        etl.run_load(settings.model_copy(update={"feed_url": str(feed)}), engine, now=lambda moment=moment: moment)
    with engine.connect() as connection:
        assert get_freshness(connection) == Freshness(later, later, NOW, is_sample=False)


def test_the_sample_says_that_it_is_one(engine: Engine) -> None:
    etl.load_sample(engine, NOW)
    with engine.connect() as connection:
        freshness = get_freshness(connection)
    assert freshness is not None
    assert freshness.is_sample


def test_brands_of_two_lists_make_one_edition_of_their_own(
    settings: Settings, engine: Engine, make_feed: MakeFeed
) -> None:
    etl.run_load(settings.model_copy(update={"feed_url": str(make_feed())}), engine, now=lambda: NOW)
    editions = set()
    for count in range(3):
        with begin_writing(engine) as connection:
            if count:
                row = {"id": count, "kind": "openstreetmap", "source": "list", "station_count": 1}
                connection.execute(insert(BrandState).values(**row, loaded_at=NOW + timedelta(hours=count)))
            freshness = get_freshness(connection)
        assert freshness is not None
        assert freshness.brands_at == (NOW + timedelta(hours=count) if count else None)
        editions.add(freshness.edition)
    assert len(editions) == 3


def test_a_feed_is_out_of_date_when_its_newest_report_is_more_than_a_day_old() -> None:
    feed = Freshness(NOW, NOW - timedelta(days=1), None, is_sample=False)
    assert not feed.is_out_of_date(NOW)
    assert feed.is_out_of_date(NOW + timedelta(seconds=1))
    assert not Freshness(NOW, None, None, is_sample=False).is_out_of_date(NOW + timedelta(days=9))


def test_ages_count_from_now_unless_the_feed_s_own_clock_is_set() -> None:
    newest = NOW - timedelta(days=900)
    assert find_as_of("", newest, NOW) == NOW
    assert find_as_of("feed", newest, NOW) == newest
    assert find_as_of("feed", None, NOW) == NOW
