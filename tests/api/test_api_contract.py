"""The API against its own document: what schemathesis asks of it, right and wrong, is answered as it says."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from asgi_client import make_outside
from conftest import FIRST_ID, MakeFeed
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from sqlalchemy import Engine

from etl import run_load
from settings import Settings

EXAMPLES = 25
BOUNDED = hypothesis_settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def open_schema(settings: Settings, engine: Engine) -> Any:
    app = make_outside(settings.model_copy(update={"requests_per_minute": 0}), engine.connect).app
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)


def ask_everything(schema: Any, mode: GenerationMode, excluded: list[Any]) -> set[int]:
    """Ask every address of the document, check each answer, and return the statuses that came."""
    statuses = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        if mode is GenerationMode.NEGATIVE and not (operation.query or operation.path_parameters):
            continue  # nothing in it can be wrong

        @given(case=operation.as_strategy(generation_mode=mode))
        @BOUNDED
        def ask(case: Any) -> None:
            statuses.add(case.call_and_validate(excluded_checks=excluded).status_code)

        ask()
    return statuses


def test_every_answer_is_as_the_document_says(settings: Settings, engine: Engine, make_feed: MakeFeed) -> None:
    assert run_load(settings.model_copy(update={"feed_url": str(make_feed())}), engine).is_success
    schema = open_schema(settings, engine)
    assert {200, 404} <= ask_everything(schema, GenerationMode.POSITIVE, [])
    assert 400 in ask_everything(schema, GenerationMode.NEGATIVE, [])
    with engine.connect() as connection:
        latitude, longitude = connection.exec_driver_sql(
            f"SELECT latitude, longitude FROM stations WHERE id = {FIRST_ID}"
        ).one()
    station = schema["/stations/{id}"]["GET"].Case(path_parameters={"id": FIRST_ID})
    assert station.call_and_validate().status_code == 200
    for fuel in ({}, {"fuel": "Gazole"}, {"fuel": "E85"}):
        query = {"near": f"{latitude:.5f},{longitude:.5f}", "radius_km": 50, "limit": 100, **fuel}
        found = schema["/stations"]["GET"].Case(query=query).call_and_validate()
        assert found.json()["stations"]


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_so_is_every_answer_before_the_first_load(settings: Settings, engine: Engine, mode: GenerationMode) -> None:
    statuses = ask_everything(open_schema(settings, engine), mode, [not_a_server_error])
    assert statuses == ({200, 503} if mode is GenerationMode.POSITIVE else {400})
