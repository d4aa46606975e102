"""What a case can say below TCP: options, extension headers, fragments, Ethernet addresses; on the kernel and the reference stack."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conformance.case.loader import Suite, load_suite
from conformance.engine.ready import build_packets
from conformance.engine.runner import Runner, RunnerOptions
from conformance.result import CaseResult, Verdict
from conformance.sut.reference import Reference

from .desk import Desk, Read
from .harness import case_folder, play_on_linux

HEAD = "title: It works\nrequirements: [RFC9293/MUST-11]\ngiven: ESTABLISHED\n"
V4, V6 = "families: [ipv4]\n", "families: [ipv6]\n"
ANSWER = "\n  - {expect: . 1:1(0) ack 101, within: 500ms}\n"
SILENCE = "\n  - silence: 100ms\n"


def data(fields: str, then: str = ANSWER, more: str = "") -> str:
    return f"{HEAD}{more}steps:\n  - {{inject: P. 1:101(100) ack 1, with: {{{fields}}}}}{then}"


ONE_WITHHELD = data('fragments: ["0:24"], fragment_id: 77', SILENCE + "  - {inject: P. 1:101(100) ack 1, with: {%s}}" + ANSWER)
GOOD = {
    "options": data('ip_options: "01010101 44080500 00000000"', more=V4),
    "headers": data('ext: [{hop-by-hop: 01020000}, {destination: "0100"}, {60: }]', more=V6),
    "fragments": data("fragments: [0, 24, 64]"),
    "fragments-backwards": data("fragments: [64, 24, 0]"),
    "one-fragment": data("fragments: [0]"),
    "fragments-by-range": data('fragments: ["24:*", "0:24"]'),
    "fragment-withheld": data('fragments: ["0:24"]', SILENCE),
    "fragment-that-comes-later": ONE_WITHHELD % 'fragments: ["24:*"], fragment_id: 77',
    "fragment-of-another-packet": (ONE_WITHHELD % 'fragments: ["24:*"], fragment_id: 78').replace(ANSWER, SILENCE),
    "fragments-behind-headers": data('ext: [{hop-by-hop: 01020000}, {60: }], fragments: [0, 32, 40]', more=V6),
    "someone-elses": data("dst_mac: other", SILENCE),
    "protocol": data("protocol: 253", "\n  - expect_icmp: protocol-unreachable\n"),
    "ping-in-fragments": f"{HEAD}steps:\n  - {{inject_icmp: echo-request, with: {{rest: 7, length: 900, fragments: [0, 512]}}}}\n"
    "  - {expect_icmp: echo-reply, with: {rest: 7, data: same}}\n",
}  # fmt: skip


def test_on_linux(tmp_path: Path) -> None:
    records = play_on_linux(case_folder(tmp_path / "cases", {f"a/{name}": text for name, text in GOOD.items()}))
    assert {name: (record.verdict, record.failure) for name, record in records.items() if record.verdict is not Verdict.PASS} == {}


def test_on_the_reference_stack(tmp_path: Path) -> None:
    suite = loaded(tmp_path, GOOD)
    results: list[CaseResult] = []
    asyncio.run(Runner(Reference(), RunnerOptions(), results.append).run(suite.cases))
    assert {result.case.id: result.failure for result in results if result.verdict is not Verdict.PASS} == {}


def loaded(path: Path, files: dict[str, str]) -> Suite:
    suite = load_suite(case_folder(path / "cases", {f"a/{name}": text for name, text in files.items()}))
    assert not suite.errors, [str(error) for error in suite.errors]
    return suite


@pytest.mark.parametrize(
    ("text", "found", "wanted"),
    [
        (data(f'ip_options: "{"01" * 41}"', more=V4), "", "41 octets of IP options"),
        (f"{HEAD}steps:\n  - inject: . 1:2001(2000) ack 1\n", "octets", "at most 1500, the MTU of the link"),
        (f"{HEAD}config: {{mtu: 1280}}\n{V6}steps:\n  - inject: . 1:1401(1400) ack 1\n", "1460 octets", "at most 1280"),
    ],
)
def test_packets_that_there_cannot_be(tmp_path: Path, text: str, found: str, wanted: str) -> None:
    cases, errors = build_packets(loaded(tmp_path, {"x": text}).cases)
    assert not cases
    assert errors and all(
        error.file == "a/x.yaml" and error.line and wanted in str(error) and found in (error.found or "") for error in errors
    )


def test_a_packet_that_turns_out_too_long(read: Read) -> None:
    desk = Desk(read("- call: s = socket()\n- call: send(s, 9) = $n\n- inject: P. 1:$n(*) ack 1".replace("(*)", "($n)")), returns={})
    assert desk.verdict is Verdict.PASS
    steps = "- expect: . 1:1(0) ack 1 win $w\n- inject: . 1:$w+1($w) ack 1"
    desk = Desk(read(steps))
    desk.sut(". 1:1(0) ack 1 win 5000")
    assert desk.verdict is Verdict.ERROR
    assert "an IP packet of 5040 octets does not fit the link, whose MTU is 1500" in desk.failure.reason and desk.failure.line == 6


def test_a_cut_that_is_no_cut(read: Read) -> None:
    desk = Desk(read("- inject: . 1:11(10) ack 1\n  with: {fragments: [0, 32]}"))
    assert desk.verdict is Verdict.ERROR and "a fragment 0:32 of 30 octets" in desk.failure.reason
