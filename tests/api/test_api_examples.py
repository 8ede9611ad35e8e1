"""The examples of the README: what they ask is answered, and in the shape that they show."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from asgi_client import Client, make_outside
from conftest import FIRST_ID, MakeFeed
from sqlalchemy import Engine, update

from db import begin_writing
from etl import run_load
from models import Station
from settings import ROOT, Settings

README = (ROOT / "README.md").read_text(encoding="utf-8")


def read_block(kind: str) -> str:
    (block,) = re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture
def client(engine: Engine, settings: Settings, make_feed: MakeFeed) -> Client:
    """The outside of a program whose stations are all where the examples look for them."""
    assert run_load(settings.model_copy(update={"feed_url": str(make_feed())}), engine).is_success
    with begin_writing(engine) as connection:
        connection.execute(update(Station).values(latitude=45.757, longitude=4.832))
    return make_outside(settings, engine.connect)


def outline(value: Any) -> Any:
    """Return what there is in a JSON value, without what it says."""
    if isinstance(value, dict):
        return {name: outline(part) for name, part in value.items()}
    return [outline(part) for part in value[:1]] if isinstance(value, list) else ""


def test_the_answer_has_the_shape_that_is_shown(client: Client) -> None:
    (path,) = re.findall(r"curl 'http://localhost:8501(/\S+)'", README)
    assert outline(client.get(path).json) == outline(json.loads(read_block("json")))


def test_every_address_that_is_named_is_answered(client: Client) -> None:
    paths = re.findall(r"^\| `(/api/v1/\S+)` \|", README, re.MULTILINE)
    assert len(paths) == 4
    for path in paths:
        assert client.get(re.sub(r"/stations/\d+$", f"/stations/{FIRST_ID}", path)).status == 200


def test_the_sensor_of_home_assistant_finds_its_value(client: Client) -> None:
    sensor = read_block("yaml")
    (resource,) = re.findall(r"resource: http://localhost:8501(\S+)", sensor)
    (parameters,) = re.findall(r"params:\n((?: {6}\w+: .*\n)+)", sensor)
    query = dict(re.findall(r'(\w+): "?([^"\n]+)"?', parameters))
    body = client.get(f"{resource}?{urlencode(query)}").json
    (path,) = re.findall(r'value_template: "{{ value_json\.(\S+) }}"', sensor)
    value = body
    for name, index in re.findall(r"(\w+)|\[(\d+)\]", path):
        value = value[name] if name else value[int(index)]
    assert isinstance(value, float)
    assert re.findall(r'json_attributes_path: "(.*)"', sensor) == ["$.stations[0]"]
    (attributes,) = re.findall(r"json_attributes:\n((?: +- \w+\n)+)", sensor)
    assert set(re.findall(r"- (\w+)", attributes)) <= set(body["stations"][0])
