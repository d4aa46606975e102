"""The commands that play nothing: help, list, show, schema, suts, doctor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from conformance import __version__
from conformance.case.yaml_reader import read_file
from conformance.sut.registry import SUTS

from .program import CASES, FAILS, Folder, conformance, here

_COMMANDS = ("run", "list", "show", "coverage", "suts", "schema", "path", "doctor", "check", "sut-check")


def test_help_names_all_commands_and_statuses() -> None:
    done = here("--help")
    assert done.status == 0 and all(f"  {command} " in done.out for command in _COMMANDS)
    assert "Exit status: 0 " in done.out and here().err == done.out, "the program alone explains itself too"


@pytest.mark.parametrize("command", _COMMANDS)
def test_each_command_has_help(command: str) -> None:
    done = here(command, "--help")
    assert done.status == 0 and f" {command} [OPTIONS]" in done.out.splitlines()[0] and done.err == ""


def test_version() -> None:
    assert here("--version").out == f"conformance {__version__}\n"


def test_list_gives_ids_and_titles(suite: Folder) -> None:
    assert here("list", "--cases", suite).out.splitlines() == [
        "topic/fails[ipv4]  Eleven octets are acknowledged",
        "topic/fails[ipv6]  Eleven octets are acknowledged",
        "topic/passes[ipv4]  Ten octets are acknowledged",
        "topic/passes[ipv6]  Ten octets are acknowledged",
    ]
    assert here("list", "--cases", suite, "-k", "not fails", "--family", "ipv6").out.splitlines() == [
        "topic/passes[ipv6]  Ten octets are acknowledged"
    ]
    assert len(here("list", "--cases", suite, suite.path / "topic/fails.yaml").out.splitlines()) == 2


def test_list_goes_on_where_a_file_is_broken(suite: Folder) -> None:
    file = suite.write("topic/broken.yaml", "title: [\n")
    done = here("list", "--cases", suite)
    assert done.status == 2 and len(done.out.splitlines()) == 4 and done.err.startswith(f"{file}:2:1: this is not YAML")


def test_show_gives_the_steps_of_the_preamble_too(suite: Folder) -> None:
    done = here("show", "--cases", suite, "topic/fails[ipv4]")
    assert done.status == 0 and done.out.startswith("topic/fails[ipv4] topic/fails.yaml\nEleven octets are acknowledged\n")
    assert "RFC9293/MUST-1  MUST  An octet that comes is acknowledged" in done.out
    places = [line.split()[0] for line in done.out.splitlines() if ".yaml:" in line]
    assert places[:2] == ["preambles/LISTEN.yaml:3", "preambles/LISTEN.yaml:4"] and places[-1] == "topic/fails.yaml:7"
    assert "expect: . 1:1(0) ack 12" in done.out


def test_show_replaces_parameters(folder: Folder) -> None:
    folder.write("topic/both.yaml", FAILS.replace("given:", "parameters: {n: [11, 12]}\ngiven:").replace("ack 12", "ack $n"))
    done = here("show", "--cases", folder, "ipv4")
    assert "topic/both[11,ipv4]" in done.out and "ack 11" in done.out and "ack 12" in done.out and "$n" not in done.out


def test_suts_names_stacks_and_settings() -> None:
    done = here("suts")
    assert done.status == 0 and all(f"\n{name} " in done.out for name in SUTS)
    assert "\nsyn_cookies " in done.out and "\nmtu " in done.out


def test_doctor() -> None:
    """In a process of its own, because it makes more of them."""
    done = conformance("doctor")
    assert (done.status, done.err) == (0, "")
    assert all(subject in done.out for subject in ("python", "scapy", "reference stack", "namespaces", "test bed", "tracepoint"))
    linux, reference, adapters = done.out.splitlines()[-3:]
    assert linux.startswith(("The SUT linux can run here: ", "The SUT linux cannot run here: "))
    assert reference == "The SUT reference can run here: conformance run --sut reference"
    assert adapters == "Stacks behind adapters: conformance suts"


@pytest.mark.parametrize("arguments", [(), ("--preamble",), ("--results",), ("--check",)])
def test_each_schema_is_one(arguments: tuple[str, ...]) -> None:
    schema = _schema(*arguments)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize(("arguments", "preambles"), [((), False), (("--preamble",), True)])
def test_the_schema_takes_every_file_there_is(arguments: tuple[str, ...], preambles: bool) -> None:
    files = [path for path in CASES.rglob("*.yaml") if _is_preamble(path) == preambles and not _is_beside(path)]
    assert len(files) > (10 if preambles else 50)
    validator = Draft202012Validator(_schema(*arguments))
    assert [str(path) for path in files if not validator.is_valid(_json(read_file(path).data))] == []


@pytest.mark.parametrize(
    "text",
    [
        "title: x\nrequirements: [A/B-1]\nsteps: [{inject: S}, {expect: S}]\nstep: 1\n",
        "title: x\nrequirements: [A/B-1]\n",
        "title: x\nrequirements: []\nsteps: [{silence: 1s}]\n",
        "title: x\nrequirements: [A/B-1]\nsteps: [{jump: 1s}]\n",
        "title: x\nrequirements: [A/B-1]\nfamilies: [ipv5]\nsteps: [{silence: 1s}]\n",
    ],
)
def test_the_schema_takes_not_everything(tmp_path: Path, text: str) -> None:
    (tmp_path / "case.yaml").write_text(text)
    assert not Draft202012Validator(_schema()).is_valid(_json(read_file(tmp_path / "case.yaml").data))


def _schema(*arguments: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(here("schema", *arguments).out)
    return schema


def _is_preamble(path: Path) -> bool:
    return path.relative_to(CASES).parts[0] == "preambles"


def _is_beside(path: Path) -> bool:
    return path.relative_to(CASES).parts[0] in ("requirements", "expectations")


def _json(data: Any) -> Any:
    """The same data as JSON has it: keys are text."""
    if isinstance(data, dict):
        return {str(key): _json(value) for key, value in data.items()}
    return [_json(item) for item in data] if isinstance(data, list) else data
