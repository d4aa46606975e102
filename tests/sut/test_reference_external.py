"""The reference stack behind the protocol is the reference stack: what a case sees of it is the same as in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.case.loader import load_suite
from conformance.engine.virtual_run import play_virtual
from conformance.result import Verdict
from conformance.sut.external import External
from conformance.sut.manifest import manifests
from conformance.sut.reference import Reference
from tests.sut.speaker import Speaker

CASES = Path(__file__).parents[2] / "cases"
PLAYED = (
    "handshake/passive-open.yaml", "handshake/simultaneous-open.yaml", "timers/rto-third-sample.yaml", "linux/time-wait-length.yaml",
    "sockets/send-blocking-shutdown.yaml", "linux/shutdown-listener.yaml", "sockets/send-timeout.yaml", "data/urgent*.yaml",
    "fast-open/*.yaml", "icmp/echo*.yaml",
)  # fmt: skip
"""Timers and frames of one time, calls that wake others, much data, all kinds of calls."""


@pytest.fixture(scope="module")
def external() -> Iterator[External]:
    sut = External(manifests()["reference-external"])
    yield sut
    sut.close()


def test_it_has_what_the_stack_has(external: External) -> None:
    suite = load_suite(CASES, [CASES])
    configs = {str(case.config): case.config for case in suite.cases}
    assert all((external.lacks(config) is None) == (Reference().lacks(config) is None) for config in configs.values())
    assert not {need for case in suite.cases for need in case.needs} - external.capabilities


@pytest.mark.parametrize("pattern", PLAYED)
def test_cases_see_what_they_see_in_process(external: External, pattern: str) -> None:
    suite = load_suite(CASES, sorted(CASES.glob(pattern)))
    reference = Reference()
    cases = [case for case in suite.cases if reference.lacks(case.config) is None]
    assert cases
    for case in cases:
        here = play_virtual(case, "reference", reference.virtual_bed(case.config), 0)
        there = play_virtual(case, "reference-external", external.virtual_bed(case.config), 0)
        assert (here.verdict, there.verdict) == (Verdict.PASS, Verdict.PASS), there.failure


def test_a_seed_gives_the_same_stack_again() -> None:
    program = manifests()["reference-external"].folder / "adapter.py"
    frames = []
    with Speaker(program) as adapter:
        for seed in (7, 7, 8):
            adapter.begin()
            adapter.result("reset", seed=seed)
            handle = adapter.result("socket", domain="AF_INET", type="SOCK_STREAM", protocol=0, blocking=False)["value"]
            adapter.result("connect", socket=handle, address="198.18.0.1", port=40000, blocking=False)
            frames.append(adapter.link.recv(2000))
    assert frames[0] == frames[1] != frames[2]
