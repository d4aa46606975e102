"""The light way to ids and titles agrees with the loader, and is fast."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from conformance.case.listing import list_suite
from conformance.case.yaml_reader import read_head

from .folder import HEAD, Folder
from .test_loader import EVERY_STEP

PARAMETERS = """\
title: In $state with $n
requirements: [RFC9293/MUST-11]
parameters: {state: [LISTEN, CLOSED], n: {one: 1, two: 2}}
families: [ipv6]
tags: [slow]
steps: [silence: "${n}s"]
"""


def test_the_listing_is_the_suites(folder: Folder) -> None:
    folder.write("a/every.yaml", EVERY_STEP)
    folder.write("b/parameters.yaml", PARAMETERS)
    suite, listing = folder.load(), list_suite(folder.path)
    assert not suite.errors
    assert not listing.errors
    assert [(case.id, case.title, case.file, case.family, case.requirements, case.tags) for case in suite.cases] == [
        (case.id, case.title, case.file, case.family, case.requirements, case.tags) for case in listing.cases
    ]
    assert listing.cases[1].title == "In LISTEN with 1"
    assert listing.cases[1].path == folder.path / "b/parameters.yaml"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("title: x\nsteps:\n  - call: {\n", {"title": "x", "steps": None}),
        ("title: x\nsteps:\n- call: {\n# end\n\n", {"title": "x", "steps": None}),
        ("title: x\r\nsteps:\r\n  - call: {", {"title": "x", "steps": None}),
        ("steps:\n  - a\ntitle: x\n", {"steps": ["a"], "title": "x"}),
        ("title: x\nsteps: [a]\n", {"title": "x", "steps": ["a"]}),
        ("description: |\n  steps:\n  - a\ntitle: x\n", {"description": "steps:\n- a\n", "title": "x"}),
    ],
)
def test_steps_are_read_only_where_they_must_be(tmp_path: Path, text: str, read: object) -> None:
    (tmp_path / "case.yaml").write_bytes(text.encode())
    assert read_head(tmp_path / "case.yaml").data == read


def test_families_and_paths(folder: Folder) -> None:
    folder.write("a/every.yaml", EVERY_STEP)
    folder.write("b/parameters.yaml", PARAMETERS)
    assert [case.id for case in list_suite(folder.path, families=["ipv4"]).cases] == ["a/every[ipv4]"]
    assert len(list_suite(folder.path, [folder.path / "b"]).cases) == 4


def test_files_that_cannot_be_listed_hide_no_others(folder: Folder) -> None:
    folder.write("a/broken.yaml", "[")
    folder.write("a/list.yaml", "- x")
    folder.write("a/parameters.yaml", "parameters: 3")
    folder.write("a/rough.yaml", "title: [x]\nfamilies: 3\ntags: {}\nrequirements: 3\n")
    listing = list_suite(folder.path)
    assert [Path(error.file).name for error in listing.errors] == ["broken.yaml", "list.yaml", "parameters.yaml"]
    assert [case.id for case in listing.cases] == ["a/rough[ipv4]", "a/rough[ipv6]"]


def test_listing_needs_neither_pydantic_nor_lark() -> None:
    program = "import sys, conformance.case.listing; sys.exit(any(name in sys.modules for name in ('pydantic', 'lark', 'scapy', 'dpkt')))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_hundred_files_are_listed_quickly(folder: Folder) -> None:
    steps = "".join(f"  - inject: . 1:{n + 1}({n}) ack 1\n  - expect: . 1:1(0) ack {n + 1}\n" for n in range(6))
    for number in range(100):
        folder.write(f"topic/case{number:03}.yaml", HEAD + "steps:\n" + steps)
    before = time.perf_counter()
    listing = list_suite(folder.path)
    # 50 ms where nothing else runs.
    assert time.perf_counter() - before < 1
    assert len(listing.cases) == 200
