"""The JSON Schemas are right, describe every field, and agree with the loader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from conformance.case.schema import case_schema, expectations_schema, preamble_schema, register_schema
from conformance.case.settings import SETTINGS
from conformance.case.step_models import STEP_MODELS
from conformance.case.steps import STATES

from . import test_expectations
from .folder import ESTABLISHED, HEAD, LISTEN, REGISTER
from .test_listing import PARAMETERS
from .test_loader import EVERY_STEP

SCHEMAS = {"case": case_schema(), "preamble": preamble_schema(), "register": register_schema(), "expectations": expectations_schema()}


def complaints(schema: str, text: str) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMAS[schema]).iter_errors(yaml.load(text, yaml.BaseLoader))]


def data_complaints(schema: str, data: object) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMAS[schema]).iter_errors(data)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_they_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("case", EVERY_STEP), ("case", PARAMETERS), ("case", HEAD + "given: LISTEN\nsteps: [silence: 1s]\n"), ("preamble", LISTEN),
        ("preamble", ESTABLISHED), ("register", REGISTER), ("expectations", test_expectations.FILE),
    ],
)  # fmt: skip
def test_files_that_are_right_fit(name: str, text: str) -> None:
    from conformance.case.yaml_reader import read_yaml

    assert data_complaints(name, _text_keys(read_yaml(text).data)) == []


def _text_keys(data: Any) -> Any:
    """As JSON has it."""
    if isinstance(data, dict):
        return {str(key): _text_keys(value) for key, value in data.items()}
    return [_text_keys(item) for item in data] if isinstance(data, list) else data


@pytest.mark.parametrize(
    "text",
    [
        "steps: [silence: 1s]", HEAD, HEAD + "steps: []", HEAD + "steps: [silence: long]", HEAD + "steps: [{silence: 1s, within: 1s}]",
        HEAD + "steps: [{state: c OPEN}]", HEAD + "steps: [{call: sockt()}]", HEAD + "steps: [{inject: S}]", HEAD + "steps: [what: 1]",
        HEAD + "steps: [silence: 1s]\nfamilies: [ipv5]", HEAD + "steps: [silence: 1s]\ntags: [x]",
        HEAD + "steps: [silence: 1s]\nconfig: {sak: on}",
        HEAD + "steps: [silence: 1s]\nconfig: {sack: maybe}", HEAD + "steps: [repeat: {times: 2, steps: [what: 3]}]",
        HEAD + "steps: [{inject: S 0:0(0), with: {ecn: x}}]",
    ],
)  # fmt: skip
def test_files_that_are_wrong_do_not_fit(text: str) -> None:
    assert complaints("case", text)


def test_parameters_may_stand_for_any_value() -> None:
    data = {
        "title": "$t", "requirements": ["RFC9293/$id"], "given": "$g", "timeout": "$time",
        "config": {"sack": "$on", "mtu": "$mtu", "ecn": "$e"},
        "steps": [
            {"inject": "$flags 0:0(0)", "with": {"ttl": "$ttl", "df": "$df", "checksum": "$c"}},
            {"repeat": {"times": "$n", "steps": [{"silence": "$time"}]}},
            {"state": "$s $state"},
            {"call": "$f(s)"},
        ],
    }  # fmt: skip
    assert data_complaints("case", data) == []


def _fields(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for model, definition in [("top", schema), *schema["$defs"].items()]:
        for name, field in definition.get("properties", {}).items():
            yield model, name, field


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_is_described(name: str) -> None:
    assert [(model, field) for model, field, schema in _fields(SCHEMAS[name]) if not schema.get("description")] == []


def test_words_that_are_in_a_list_are_offered() -> None:
    definitions = SCHEMAS["case"]["$defs"]
    assert set(definitions["ConfigModel"]["properties"]) == set(SETTINGS)
    assert definitions["StateModel"]["properties"]["state"]["examples"] == [f"c {state}" for state in STATES]
    assert {"enum": ["off", "on", "passive"]} in definitions["ConfigModel"]["properties"]["ecn"]["anyOf"]
    kinds = {
        next(iter(set(model["required"]))) for name, model in definitions.items() if name.endswith("Model") and "why" in model["properties"]
    }
    assert kinds == set(STEP_MODELS)
