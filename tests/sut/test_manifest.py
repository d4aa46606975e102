"""``adapter.yaml``: what a right one gives, what is wrong with a broken one, and those that come with the tester."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conformance.sut.base import SutFault
from conformance.sut.manifest import ADAPTERS, in_folder, manifests
from conformance.sut.registry import SUTS, is_virtual, unknown

GOOD = """\
suts:
  fast:
    title: a stack, quickly
    command: [build/stack, --fast, "1"]
    clock: virtual
    link: socket
  plain: {command: [sh]}
  script: {command: [python, adapter.py], link: tap}
build: [make, -j2]
tools: {sh: dash, /nonexistent/header.h: libheader-dev, no-such-tool: its package}
"""

BROKEN = [
    ("", "a mapping with suts: is expected"),
    ("[1, 2]", "a mapping with suts: is expected"),
    ("suts", "a mapping with suts: is expected"),
    ("build: [make]", "suts: a mapping of names to entries is expected"),
    ("suts: {}", "suts: a mapping of names to entries is expected"),
    ("suts: [a]", "suts: a mapping of names to entries is expected"),
    ("suts: {a: }", "a: a mapping is expected"),
    ("suts: {a: {}}", "a.command must be a list of words, such as [build/adapter, --fast]"),
    ("suts: {a: {command: build/adapter}}", "a.command must be a list of words"),
    ("suts: {a: {command: []}}", "a.command must be a list of words"),
    ("suts: {a: {command: [x, 1]}}", "a.command must be a list of words"),
    ("suts: {a: {command: [x], clock: lunar}}", "a.clock must be virtual or real, not 'lunar'"),
    ("suts: {a: {command: [x], clock: [virtual]}}", "a.clock must be virtual or real, not ['virtual']"),
    ("suts: {a: {command: [x], link: veth}}", "a.link must be socket or tap, not 'veth'"),
    ("suts: {a: {command: [x]}}\nbuild: make", "build must be a list of words"),
    ("suts: {a: {command: [x]}}\ntools: [gcc]", "tools: a mapping of programs to what has them is expected"),
    ("suts: {a: {command: [x]}", "cannot be read: while parsing a flow mapping"),
    ("suts: !!python/object/apply:os.getcwd []", "cannot be read: could not determine a constructor"),
    ("suts: *a", "cannot be read: found undefined alias"),
    ("\0", "cannot be read: unacceptable character"),
    ("[" * 5000, "cannot be read"),
]


def read(folder: Path, text: str) -> Path:
    file = folder / "adapter.yaml"
    file.write_text(text, "utf-8")
    return file


def test_a_right_one_gives_its_stacks(tmp_path: Path) -> None:
    fast, plain, script = in_folder(read(tmp_path, GOOD))
    assert (fast.name, fast.title, fast.clock, fast.link) == ("fast", "a stack, quickly", "virtual", "socket")
    assert fast.command == (str(tmp_path / "build/stack"), "--fast", "1")
    assert (plain.title, plain.command, plain.clock, plain.link) == ("plain", ("sh",), "real", "socket")
    assert script.command == (sys.executable, "adapter.py"), "which has what an adapter in Python needs"
    assert {one.folder for one in (fast, plain, script)} == {tmp_path}
    assert fast.build == ("make", "-j2")


def test_it_knows_what_is_missing_and_what_is_built(tmp_path: Path) -> None:
    fast, plain, _ = in_folder(read(tmp_path, GOOD))
    assert plain.missing() == ["/nonexistent/header.h (install libheader-dev)", "no-such-tool (install its package)"]
    assert (fast.built, plain.built) == (False, True)
    (tmp_path / "build").mkdir()
    (tmp_path / "build/stack").touch()
    assert fast.built


@pytest.mark.parametrize(("text", "says"), BROKEN, ids=range(len(BROKEN)))
def test_what_is_wrong_is_said(tmp_path: Path, text: str, says: str) -> None:
    file = read(tmp_path, text)
    with pytest.raises(SutFault) as fault:
        list(in_folder(file))
    assert str(fault.value).startswith(f"{file}")
    assert says in str(fault.value)


def test_what_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "adapter.yaml").write_bytes(b"\xff\xfe\x00")
    for file in (tmp_path / "adapter.yaml", tmp_path, tmp_path / "gone.yaml"):
        with pytest.raises(SutFault, match="cannot be read"):
            list(in_folder(file))


def test_those_that_come_with_the_tester_are_right() -> None:
    files = sorted(ADAPTERS.glob("*/adapter.yaml"))
    names = [one.name for file in files for one in in_folder(file)]
    assert files and len(names) == len(set(names)) == len(manifests())
    assert not {"linux", "reference"} & set(names), "which are the tester's own"
    assert set(names) <= set(SUTS)
    for one in manifests().values():
        assert one.title and (one.build or not one.command[0].startswith(str(one.folder / "build"))), f"{one.name}: what builds it?"


def test_one_elsewhere_is_found_by_its_path(tmp_path: Path) -> None:
    file = read(tmp_path, GOOD)
    assert [unknown(f"{file}{name}") for name in ("", ":fast", ":plain")] == [None] * 3
    assert (is_virtual(f"{file}"), is_virtual(f"{file}:plain")) == (True, False)
    assert "there is no SUT" in str(unknown(f"{file}:slow"))
    assert "cannot be read" in str(unknown(f"{tmp_path}/other.yaml"))
    assert "suts: a mapping of names to entries is expected" in str(unknown(str(read(tmp_path, "suts: {}"))))
