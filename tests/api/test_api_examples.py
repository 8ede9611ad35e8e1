"""The examples of docs/api.md: what they ask is answered, and in the shape that they show."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import yaml
from asgi_client import Client, Heard, make_outside
from conftest import FIRST_ID, MakeFeed
from jinja2 import Environment
from sqlalchemy import Connection, Engine, delete, update

from db import begin_writing
from etl import run_load
from models import Price, Station, StockOut
from settings import ROOT, Settings

DOCUMENT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def read_block(kind: str) -> str:
    (block,) = re.findall(rf"^```{kind}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture
def client(engine: Engine, settings: Settings, make_feed: MakeFeed) -> Client:
    """The outside of a program whose stations are all where the examples look for them."""
    assert run_load(
        settings.model_copy(update={"feed_url": str(make_feed(newest_at=datetime.now(UTC)))}), engine
    ).is_success
    with begin_writing(engine) as connection:
        connection.execute(update(Station).values(latitude=45.757, longitude=4.832))
    return make_outside(settings, engine.connect)


def outline(value: Any) -> Any:
    """Return what there is in a JSON value, without what it says."""
    if isinstance(value, dict):
        return {name: outline(part) for name, part in value.items()}
    return [outline(part) for part in value[:1]] if isinstance(value, list) else ""


def test_the_answer_has_the_shape_that_is_shown(client: Client) -> None:
    (path,) = re.findall(r"curl 'http://localhost:8501(/\S+)'", DOCUMENT)
    assert outline(client.get(path).json) == outline(json.loads(read_block("json")))


def test_every_address_that_is_named_is_answered(client: Client) -> None:
    paths = re.findall(r"^\| `(/api/v1/\S+)` \|", DOCUMENT, re.MULTILINE)
    assert len(paths) == 4
    for path in paths:
        assert client.get(re.sub(r"/stations/\d+$", f"/stations/{FIRST_ID}", path)).status == 200


def ask_sensor(client: Client) -> Heard:
    (resource,) = yaml.safe_load(read_block("yaml"))["rest"]
    return client.get(f"{urlsplit(resource['resource']).path}?{urlencode(resource['params'])}")


def read_sensor() -> dict[str, Any]:
    (sensor,) = yaml.safe_load(read_block("yaml"))["rest"][0]["sensor"]
    return dict(sensor)


def is_available(answer: Heard) -> bool:
    """Say what Home Assistant makes of an answer: its templates are Jinja's."""
    said = Environment(autoescape=True).from_string(read_sensor()["availability"]).render(value_json=answer.json)
    assert said in ("True", "False")
    return said == "True"


def test_the_sensor_of_home_assistant_finds_its_value(client: Client) -> None:
    answer, sensor = ask_sensor(client), read_sensor()
    assert is_available(answer)
    assert float(Environment(autoescape=True).from_string(sensor["value_template"]).render(value_json=answer.json)) > 1
    assert sensor["json_attributes_path"] == "$.stations[0]"
    assert set(sensor["json_attributes"]) <= set(answer.json["stations"][0])


def let_all_run_out(connection: Connection) -> None:
    connection.execute(delete(Price))
    connection.execute(update(StockOut).values(gastype_id=5))


def let_all_be_old(connection: Connection) -> None:
    connection.execute(update(Price).values(updated_at=LONG_AGO))


def move_all_away(connection: Connection) -> None:
    connection.execute(update(Station).values(latitude=48))


@pytest.mark.parametrize(("act", "is_found"), [(let_all_run_out, True), (let_all_be_old, True), (move_all_away, False)])
def test_the_sensor_has_no_value_where_there_is_no_fresh_price(
    client: Client, engine: Engine, act: Callable[[Connection], None], is_found: bool
) -> None:
    with begin_writing(engine) as connection:
        act(connection)
    answer = ask_sensor(client)
    assert bool(answer.json["stations"]) is is_found
    assert not is_available(answer)


def test_nor_while_nothing_is_loaded(engine: Engine, settings: Settings) -> None:
    assert not is_available(ask_sensor(make_outside(settings, engine.connect)))
