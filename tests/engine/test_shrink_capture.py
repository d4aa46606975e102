"""Captures that show a failure become cases that fail in the same way on the stack, and pass on the right one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.capture.trace_file import read_trace
from conformance.case.loader import load_suite
from conformance.case.steps import flatten
from conformance.engine import shrink_session
from conformance.engine.captures import Captures
from conformance.engine.shrink_find import is_capture
from conformance.engine.shrink_session import ShrinkRequest
from conformance.engine.status import UsageError
from conformance.engine.virtual_run import play_virtual
from conformance.result import Verdict
from conformance.sut import registry
from conformance.sut.base import VirtualSut
from conformance.sut.registry import Entry
from conformance.trace import Received, Sent
from tests.capture.build import Record, pcap

from .harness import CASES
from .planted_stacks import planted


@contextmanager
def registered(bug: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[VirtualSut, VirtualSut]]:
    """A stack with a bug and the right one, as SUTs."""
    with planted(bug) as (wrong, right):
        suts = {"mutant": Entry("", lambda _: wrong, virtual=True), "reference": Entry("", lambda _: right, virtual=True)}
        monkeypatch.setattr(registry, "SUTS", suts)
        yield wrong, right


def captured(sut: VirtualSut, case_id: str, folder: Path) -> Path:
    """The capture of a case run on this stack."""
    suite = load_suite(CASES, [CASES / f"{case_id.partition('[')[0]}.yaml"])
    case = next(case for case in suite.cases if case.id == case_id)
    result = play_virtual(case, sut.name, sut.virtual_bed(case.config), seed=0)
    return Captures(folder, sut.facts(), 0, virtual=True).write(result)


def shrunk(file: Path, **more: object) -> tuple[int, Path]:
    output = file.with_suffix(".yaml")
    return shrink_session.run(ShrinkRequest(str(file), CASES, "mutant", output=str(output), **more)), output  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bug", "case", "requirement", "most"),
    [
        ("sack-unasked", "sack/not-negotiated[ipv4]", "RFC2018/4-not-permitted", 8),
        ("sack-blocks-kept", "sack/sequence-wrap[ipv6]", "RFC2018/3-gap-filled", 11),
        ("inconsistent-retransmission", "recovery/timeout-recover-covered[ipv4]", "RFC9293/3.6-deliver-all", 10),
        ("no-rto-backoff", "data/rto-backoff[ipv4]", "RFC6298/5.5-backoff", 11),
    ],
)  # fmt: skip
def test_what_the_oracle_finds_becomes_a_case(
    bug: str, case: str, requirement: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The capture is of the stack with the bug, so that what it shows there is not what has to be."""
    with registered(bug, monkeypatch) as (wrong, right):
        file = captured(wrong, case, tmp_path)
        status, output = shrunk(file)
        assert status == 0
        suite = load_suite(CASES, [output], fallback=CASES)
        (small,) = suite.cases
        assert not suite.errors and small.requirements == (requirement,)
        assert small.title == suite.register[requirement].text
        assert len(flatten(small.steps)) <= most
        verdicts = [play_virtual(small, sut.name, sut.virtual_bed(small.config), seed).verdict for sut in (wrong, right) for seed in (1, 2)]
        assert verdicts == [Verdict.FAIL, Verdict.FAIL, Verdict.PASS, Verdict.PASS]
        assert f"# Shrunk from {file}: " in output.read_text()


@pytest.mark.parametrize(
    ("bug", "case", "side", "requirement", "most"),
    [
        ("sack-unasked", "sack/not-negotiated[ipv4]", "", "RFC2018/4-not-permitted", 8),
        ("no-rto-backoff", "data/rto-backoff[ipv6]", "server", "RFC6298/5.5-backoff", 11),
    ],
)  # fmt: skip
def test_a_capture_from_the_field_has_packets_only(
    bug: str, case: str, side: str, requirement: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the peer breaks rules as well, as one that never acknowledges does, somebody has to say which side is meant."""
    with registered(bug, monkeypatch) as (wrong, right):
        events = read_trace(captured(wrong, case, tmp_path)).trace.sorted()
        file = tmp_path / "field.pcap"
        file.write_bytes(pcap([Record(event.frame, event.t) for event in events if isinstance(event, Sent | Received)]))
        status, output = shrunk(file, sut_side=side)
        assert status == 0
        (small,) = load_suite(CASES, [output], fallback=CASES).cases
        assert small.requirements == (requirement,)
        assert len(flatten(small.steps)) <= most
        verdicts = [play_virtual(small, sut.name, sut.virtual_bed(small.config), seed=5).verdict for sut in (wrong, right)]
        assert verdicts == [Verdict.FAIL, Verdict.PASS]


def test_a_capture_of_a_stack_that_is_right_says_what_has_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read wrong after an overlap is nothing that is seen on the wire."""
    with registered("overlap-newer-wins", monkeypatch) as (wrong, right):
        file = captured(right, "data/overlap-contents[at-the-end,ipv4]", tmp_path)
        status, output = shrunk(file)
        assert status == 0
        (small,) = load_suite(CASES, [output], fallback=CASES).cases
        assert small.steps[-1].source.text.startswith("call: recv(c, ")
        assert play_virtual(small, "mutant", wrong.virtual_bed({}), 3).verdict is Verdict.FAIL
        assert play_virtual(small, "reference", right.virtual_bed({}), 3).verdict is Verdict.PASS


def test_a_capture_in_which_the_stack_does_nothing_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with registered("sack-unasked", monkeypatch) as (_, right):
        file = captured(right, "handshake/passive-open[ipv4]", tmp_path)
        with pytest.raises(UsageError, match=r"shows nothing that mutant does wrong: it breaks no rule, and does the same$"):
            shrunk(file)


def test_what_the_control_does_not_do_either_is_held_against_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The capture is of a stack that fills the gap with what came last, which is wrong, though no rule is broken on the wire."""
    with registered("overlap-newer-wins", monkeypatch) as (wrong, _):
        file = captured(wrong, "data/overlap-contents[at-the-end,ipv4]", tmp_path)
        monkeypatch.setitem(registry.SUTS, "mutant", registry.SUTS["reference"])  # type: ignore[misc]
        with pytest.raises(UsageError, match=r"does something else than .* shows, but so does reference: perhaps"):
            shrunk(file)


def test_without_a_control_nobody_says_what_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with registered("sack-unasked", monkeypatch) as (wrong, _):
        file = captured(wrong, "sack/not-negotiated[ipv4]", tmp_path)
        with pytest.raises(
            UsageError, match=r"mutant breaks RFC2018/4-not-permitted \(sack-unasked\) with .*, but no control does what is right"
        ):
            shrunk(file, control="none")


def test_a_case_is_no_capture(tmp_path: Path) -> None:
    for name, head, capture in (("a", b"\x0a\x0d\x0d\x0a" + bytes(40), True), ("b", b"title: x\n", False), ("c", b"", False)):
        (tmp_path / name).write_bytes(head)
        assert is_capture(tmp_path / name) is capture
