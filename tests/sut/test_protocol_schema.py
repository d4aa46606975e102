"""The schema of the SUT protocol says what the code says and what its document says, and real sessions fit it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from conformance.case.loader import load_suite
from conformance.case.settings import SETTINGS, Setting, Switch, Time, Whole
from conformance.case.vocabulary import CALLS, INFO_FIELDS, INFO_TIMES, REQUESTS, SHUTDOWNS
from conformance.engine.runner import Runner, RunnerOptions
from conformance.result import CaseResult, Verdict
from conformance.sut import program
from conformance.sut.external import External
from conformance.sut.external_real import ExternalReal
from conformance.sut.manifest import ADAPTERS, manifests
from conformance.sut.protocol import CAPABILITIES, CLOCKS, STATES, Message

CASES = Path(__file__).parents[2] / "cases"
SCHEMA: dict[str, Any] = json.loads((ADAPTERS / "protocol.schema.json").read_text("utf-8"))
DEFS: Mapping[str, Any] = SCHEMA["$defs"]
OTHERS = ("initialize", "configure", "reset", "state", "info", "advance", "forget")
NOTIFICATIONS = ("blocked", "stateChanged", "log")
DOCUMENT = (ADAPTERS / "PROTOCOL.md").read_text("utf-8")


def validator(name: str = "") -> Validator:
    """Of one of the definitions, or of a whole line."""
    return Draft202012Validator(SCHEMA | {"$ref": f"#/$defs/{name}", "anyOf": [{}]} if name else SCHEMA)


# The schema and the code ----------------------------------------------------------------------------------------------


def test_it_is_a_schema_and_all_of_it_is_used() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    text = json.dumps(SCHEMA)
    referred = set(re.findall(r'"#/\$defs/([^"]+)"', text))
    assert referred <= set(DEFS), "what is referred to is there"
    assert {name for name in DEFS if name not in referred} == {f"{method}-result" for method in (*OTHERS, *CALLS)}


def test_it_has_every_method() -> None:
    asked = [branch["properties"]["method"]["const"] for branch in DEFS["request"]["oneOf"]]
    told = [branch["properties"]["method"]["const"] for branch in DEFS["notification"]["oneOf"]]
    assert (asked, told) == ([*OTHERS, *CALLS], list(NOTIFICATIONS))


def test_its_words_are_those_of_the_code() -> None:
    assert DEFS["capability"]["anyOf"][0]["enum"] == list(CAPABILITIES)
    assert DEFS["socket-call"]["anyOf"][0]["enum"] == list(CALLS)
    assert DEFS["state"]["enum"] == list(STATES)
    assert DEFS["initialize-result"]["properties"]["clocks"]["items"]["enum"] == list(CLOCKS)
    assert DEFS["ioctl-params"]["properties"]["request"]["enum"] == list(REQUESTS)
    assert DEFS["shutdown-params"]["properties"]["how"]["anyOf"][0]["enum"] == list(SHUTDOWNS)
    figures = DEFS["info-result"]["anyOf"][1]["properties"]
    assert list(figures) == list(INFO_FIELDS)
    assert {name for name, schema in figures.items() if "$ref" in schema} == set(INFO_TIMES)


def as_sent(setting: Setting) -> dict[str, Any]:
    """A setting's schema with its value as the protocol has it."""
    schema = setting.kind.schema()
    return {"type": "integer", "minimum": 0} if isinstance(setting.kind, Time) else schema


def test_its_settings_are_those_of_the_cases() -> None:
    settings = DEFS["settings"]["properties"]
    assert list(settings) == list(SETTINGS)
    for name, setting in SETTINGS.items():
        found = settings[name]
        found = DEFS[found["$ref"].rpartition("/")[2]] if "$ref" in found else found
        if isinstance(setting.kind, Switch | Time | Whole) or "enum" in setting.kind.schema():
            assert {key: value for key, value in found.items() if key != "description"} == as_sent(setting), name


# The schema and the document ------------------------------------------------------------------------------------------


def test_what_the_document_shows_fits_it() -> None:
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)]
    assert [sorted(one)[0] for one in shown] == ["calls", "clock"]
    validator("initialize-result").validate(shown[0])
    validator("configure-params").validate(shown[1])
    lines = [line for line in re.findall(r"^[→←] (\{.*\})", DOCUMENT, re.MULTILINE) if "…" not in line]
    assert len(lines) > 8
    for line in lines:
        validator().validate(json.loads(line))


def test_what_the_document_names_is_in_it() -> None:
    named = re.findall(r"^### `(\w+)`", DOCUMENT, re.MULTILINE)
    assert sorted(named) == sorted(OTHERS)
    calls = DOCUMENT[DOCUMENT.index("### Socket calls") : DOCUMENT.index("### `state`")]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", calls, re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"\w+", row)] == list(CALLS)
    assert set(re.findall(r"^\| `(\w+)` \|", DOCUMENT[DOCUMENT.index("## Notifications") :], re.MULTILINE)) == set(NOTIFICATIONS)


# Real sessions --------------------------------------------------------------------------------------------------------


VARIED = (
    "backlog/survives.yaml", "backlog/cookie-options-kept.yaml", "close/abort.yaml", "data/urgent-mark.yaml", "linux/error-queue*.yaml",
    "sockets/accepted-socket.yaml", "sockets/at-mark.yaml", "sockets/ioctl-*.yaml", "sockets/oob.yaml", "sockets/recv-trunc.yaml",
    "sockets/send-blocking*.yaml", "handshake/refused*.yaml",
)  # fmt: skip
"""Cases with all that can be asked for."""


@dataclass
class Session:
    """What the tester and an adapter said."""

    asked: dict[int, str] = field(default_factory=dict)
    """The methods of the requests, by id."""
    answered: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    virtual: bool = False
    validators: dict[str, Validator] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def check(self, name: str, value: object) -> None:
        """One of each kind: what differs in numbers and data alone is the same to the schema, which takes milliseconds for each."""
        kind = name + re.sub(r"[0-9a-f]{4,}|[0-9]+", "0", json.dumps(value))
        if kind in self.seen:
            return
        self.seen.add(kind)
        known = self.validators.setdefault(name, validator(name))
        self.wrong += [f"{name}: {error.message} in {json.dumps(value)[:300]}" for error in known.iter_errors(value)]

    def from_tester(self, line: bytes) -> None:
        message = json.loads(line)
        self.check("request", message)
        self.asked[message["id"]] = message["method"]

    def from_adapter(self, line: bytes) -> None:
        message = json.loads(line)
        if "method" in message:
            self.check("notification", message)
            self.told.add(message["method"])
            return
        method = self.asked[message["id"]]
        self.answered.add(method)
        self.check("answer", message)
        if "result" in message:
            self.check(f"{method}-result", message["result"])
            if self.virtual and method not in ("initialize", "configure"):
                self.check("virtual-result", message["result"])


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    heard = Session()
    encode, parse = program.encode, program.parse

    def asks(id: int, method: str, params: Mapping[str, Any]) -> bytes:
        line = encode(id, method, params)
        heard.from_tester(line)
        return line

    def says(line: bytes) -> Message:
        heard.from_adapter(line)
        return parse(line)

    monkeypatch.setattr(program, "encode", asks)
    monkeypatch.setattr(program, "parse", says)
    yield heard
    assert not heard.wrong


def play(sut: External | ExternalReal, *patterns: str) -> list[CaseResult]:
    suite = load_suite(CASES, [file for pattern in patterns for file in sorted(CASES.glob(pattern))])
    results: list[CaseResult] = []
    try:
        asyncio.run(Runner(sut, RunnerOptions(), results.append).run(suite.cases))
    finally:
        sut.close()
    assert results
    return results


def test_a_session_on_the_virtual_clock_fits_it(session: Session) -> None:
    session.virtual = True
    results = play(External(manifests()["reference-external"]), *VARIED)
    assert any(result.verdict is Verdict.PASS for result in results)
    assert session.answered >= {"initialize", "configure", "reset", "advance", "state", "info", *CALLS}
    assert session.told >= {"blocked", "stateChanged"}


def test_a_session_in_real_time_fits_it(session: Session) -> None:
    manifest = replace(manifests()["reference-external"], clock="real")
    play(ExternalReal(manifest), "handshake/passive-open.yaml", "sockets/connect-blocking*.yaml")
    assert session.answered >= {"initialize", "configure", "reset", "state", "socket", "bind", "listen", "accept"}
    assert "advance" not in session.answered


# What does not fit ----------------------------------------------------------------------------------------------------

WRONG = [
    ("", {"id": 1, "result": {}}),
    ("", {"jsonrpc": "2.0", "id": 1}),
    ("", {"jsonrpc": "2.0", "id": "1", "result": {}}),
    ("", {"jsonrpc": "2.0", "id": 1, "result": []}),
    ("", {"jsonrpc": "2.0", "id": 1, "result": {}, "error": {"code": 1, "message": ""}}),
    ("", {"jsonrpc": "2.0", "method": "blocked", "params": {"id": None}}),
    ("", {"jsonrpc": "2.0", "method": "stateChanged", "params": {"local": None, "remote": None, "old": "CLOSED", "new": "OPEN"}}),
    ("initialize-result", {"protocol": 1, "name": "x", "version": "1", "clocks": []}),
    ("configure-params", {"clock": "virtual", "interface": {}, "settings": {"timestamps": True}}),
    ("virtual-result", {}),
    ("virtual-result", {"next": 1.5}),
    ("state-result", {"state": "established", "next": None}),
    ("socket-result", {"next": None}),
    ("accept-result", {"value": 4, "next": None}),
    ("send-result", {"value": "3"}),
    ("recv-result", {"value": "abc"}),
    ("recv-result", {"errno": 11}),
    ("poll-result", {"value": "POLLIN"}),
    ("bind-params", {"socket": 3, "address": "localhost", "port": 1, "blocking": False}),
    ("bind-params", {"socket": 3, "address": "::", "port": 1}),
    ("send-params", {"socket": 3, "data": "00", "flags": [], "blocking": False, "more": 1}),
    ("info-result", {"rto": 0.2}),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_is_wrong_does_not_fit_it(name: str, value: object) -> None:
    assert not validator(name).is_valid(value)
