"""``conformance sut-check``: it finds what is wrong with an adapter, says so in plain words, and finds nothing where nothing is."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.case.loader import load_suite
from conformance.case.vocabulary import CALLS
from conformance.cli import main
from conformance.engine.runner import Runner, RunnerOptions
from conformance.report.sut_check import check_adapter
from conformance.sut.base import SutFault
from conformance.sut.check.costs import costs
from conformance.sut.check.finding import Finding
from conformance.sut.check.walk import introduce, walk
from conformance.sut.manifest import Manifest
from conformance.sut.protocol import CAPABILITIES, describe
from tests.engine.fake_virtual import FakeVirtualSut

from .misbehaving import MODES
from .needs import namespaces

CASES = Path(__file__).parents[2] / "cases"
HERE = Path(__file__).parent

WRONG = {
    "late-next": ("`next` is never too late", "it sends its SYN again at 1000 ms"),
    "stuck-next": ("", "`next` to be ahead once the stack knows what time it is"),
    "no-next": ("every result has `next`", "none from "),
    "no-reset": ("a reset forgets the socket that listened (IPv4)", "to succeed; came EADDRINUSE"),
    "late-frames": ("a request may be long", "expected the first of what send() took; came no segment"),
    "frames-last": ("", "EAGAIN"),
    "no-errno": ("a call on a socket that is none fails with EBADF", "KeyError: 987654"),
    "half-lines": ("a request may come in two parts", "answered without the id of a request"),
    "answers-the-dead": ("a reset ends the calls that wait, without an answer (IPv4)", "which was not asked or is answered already"),
    "dies-of-nonsense": ("a method that there is not is an error, and ends nothing", "ended with status 9 (fly)"),
    "prints": ("", "printed what is no message: Hello, world!"),
    "wrong-state": ("states are right, from LISTEN to LAST-ACK (IPv4)", "expected state SYN-RECEIVED of the two ends; came ESTABLISHED"),
    "no-moves": ("each change of a state is told, when a peer opens and closes (IPv4)", "came none"),
    "never-waits": ("a reset ends the calls that wait", "to say that it waits (`blocked`); came the result"),
    "other-peer": ("", "accept() to give the peer's address and port"),
    "no-settings": ("sack can be switched off", "after sack: off; came one"),
    "wrong-settings": ("settings have the values that cases ask for", "timestamps True, timestamps False, rto_min '200ms'"),
    "refuses": ("what it says that it can be configured to, it can", "ValueError: keepalive_time"),
    "takes-0": ("a request may be long", "expected send() of 300000 octets to take at least one"),
    "stays": ("it ends with its standard input", "nothing of the sort within 5 s"),
}
"""The first check that finds something, and what it says."""


def adapter(mode: str, script: str = "wrong_adapter.py", *more: str) -> Manifest:
    command = (sys.executable, str(HERE / script), mode, *more)
    return Manifest(mode, mode, command, HERE.parents[1], "virtual", "socket", HERE / script)


def findings(made: Manifest, clocks: Sequence[str] = ("virtual",)) -> Iterator[Finding]:
    for one in walk(made, introduce(made, ("socket",)), clocks):
        if isinstance(one, Finding):
            yield one


@pytest.mark.parametrize("mode", WRONG)
def test_it_finds_what_is_wrong(mode: str) -> None:
    title, says = WRONG[mode]
    with contextlib.closing(findings(adapter(mode))) as all:
        first = next(one for one in all if one.lacks)
    assert first.title.startswith(title), first
    assert says in first.lacks
    assert first.dialogue or mode in ("wrong-settings", "no-next"), "in which nothing was said"


def test_it_finds_nothing_where_nothing_is() -> None:
    found = list(findings(adapter("")))
    assert [one for one in found if one.lacks or "not tried" in one.not_offered] == []
    assert sum(not one.not_offered for one in found) > 80
    families = {family for family in ("IPv4", "IPv6") for one in found if family in one.title}
    assert families == {"IPv4", "IPv6"}


def test_in_real_time_too() -> None:
    found = list(findings(adapter(""), ("real",)))
    assert [one for one in found if one.lacks] == []
    assert sum(not one.not_offered for one in found) > 70


def test_what_it_does_not_know_is_said() -> None:
    assert introduce(adapter("typo"), ("socket",)).unknown == ("capabilities half-close",)


def test_an_adapter_yaml_that_promises_too_much(tmp_path: Path) -> None:
    made = replace(adapter(""), file=tmp_path / "adapter.yaml")
    introduction = introduce(made, ("socket",))
    for wrong, says in (
        (introduction, ""),
        (
            replace(introduction, description=replace(introduction.description, clocks=("real",))),
            "clock: virtual, which the adapter has not",
        ),
        (replace(introduction, links={"socket": "no sockets here"}), "link: socket, over which it cannot be had (no sockets here)"),
    ):
        with contextlib.closing(walk(made, wrong, ("virtual",))) as all:
            first = next(all)
        assert isinstance(first, Finding) and first.lacks == says


@namespaces
def test_over_a_tap_device() -> None:
    introduction = introduce(adapter(""), ("socket", "tap"))
    assert introduction.links == {"socket": "", "tap": ""}
    few = contextlib.closing(walk(adapter(""), introduce(adapter(""), ("tap",)), ("real",)))
    with few as all:
        assert not [one.lacks for one, _ in zip(all, range(20), strict=False) if isinstance(one, Finding) and one.lacks]


@pytest.mark.parametrize("mode", ["hangs-in-reset", "floods-messages", "leaves-a-child", "is-killed"])
def test_one_that_breaks_is_started_again_and_then_left_alone(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mode in MODES
    monkeypatch.setattr("conformance.sut.program.CALL_SECONDS", 3.0)
    monkeypatch.setattr("conformance.sut.program.BEGIN_SECONDS", 6.0)
    (tmp_path / "marker").touch()
    found = list(findings(adapter(mode, "misbehaving.py", str(tmp_path / "marker"))))
    broke = [one for one in found if "the adapter python" in one.lacks]
    assert broke, "it has found what is wrong"
    assert any(not one.lacks and not one.not_offered for one in found[found.index(broke[0]) :]), "and has gone on"


def test_one_that_is_none_cannot_be_started(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (("/nonexistent",), ("true",), ("cat",), ("yes",)):
        made = Manifest("x", "x", command, HERE, "virtual", "socket", HERE)
        with pytest.raises(SutFault):
            introduce(made, ("socket",))
        assert check_adapter(made, ("socket",)) == 3
        assert "x cannot be started: the adapter" in capsys.readouterr().out


# What a stack lacks costs cases ----------------------------------------------------------------------------------------


def test_what_a_stack_lacks_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("title: A\nrequirements: [RFC9293/3.5]\nsteps: [{call: s = socket()}]\n")
    (tmp_path / "b.yaml").write_text(
        "title: B\nrequirements: [RFC9293/3.5]\nneeds: [urgent]\nconfig: {syn_retries: 5, mtu: 1400}\nfamilies: [ipv4]\n"
        "steps: [{call: s = socket()}, {call: 'send(s, 1, MSG_MORE)'}]\n"
    )
    suite = load_suite(tmp_path, fallback=CASES)
    assert not suite.errors
    said = {"protocol": 1, "name": "x", "version": "1", "clocks": ["real"], "capabilities": ["ipv4"], "calls": ["socket"]}
    found = costs(suite.cases, describe({**said, "settings": {"syn_retries": [6]}}))
    assert (found.cases, found.played) == (3, 1)
    assert sorted(found.lacking) == [
        ("call send", 1, 0), ("capability ipv6", 1, 1), ("capability urgent", 1, 0), ("flag MSG_MORE", 1, 0),
        ("other values of syn_retries", 1, 0), ("setting mtu", 1, 0),
    ]  # fmt: skip


def test_what_is_counted_is_what_a_run_skips() -> None:
    cases = load_suite(CASES, [CASES / folder for folder in ("options", "sockets", "path-mtu", "ecn")]).cases
    said = {"protocol": 1, "name": "x", "version": "1", "clocks": ["real"], "calls": list(CALLS), "options": ["SO_ERROR"]}
    capabilities = [name for name in CAPABILITIES if name not in ("ecn", "urgent", "fast_open")]
    described = describe({**said, "capabilities": capabilities, "settings": {"sack": ["on"], "timestamps": ["off"], "mtu": [1500, 576]}})

    class Sut(FakeVirtualSut):
        def lacks(self, config: Mapping[str, object]) -> str | None:
            return described.lacks(config)

    sut = Sut(capabilities=described.capabilities, features=described.features)
    runner = Runner(sut, RunnerOptions(), lambda _: None)
    played = sum(runner._lacking(case) is None for case in cases)
    assert 0 < costs(cases, described).played == played < len(cases)


# The command ----------------------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """Status and output."""
    monkeypatch.setattr(sys, "argv", ["conformance", "sut-check", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    output = capsys.readouterr()
    return int(end.value.code or 0), output.out + output.err


def test_the_command_says_what_lacks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = (sys.executable, str(HERE / "misbehaving.py"), "", str(tmp_path / "marker"))
    options = ("--link", "socket", "--clock", "virtual", "--cases", str(tmp_path / "cases"), "--verbose")
    shutil.copytree(CASES / "requirements", tmp_path / "cases/requirements")
    (tmp_path / "cases/a.yaml").write_text("title: A\nrequirements: [RFC9293/3.5]\nsteps: [{call: s = socket()}]\n")
    status, output = run(capsys, monkeypatch, *options, *program)
    assert status == 1
    assert output.startswith(
        f"misbehaving 1, behind {sys.executable}\n  clocks: virtual, real\n  capabilities: ipv4, states, transitions, bl"
    )
    assert "\nOver a datagram socket, on the virtual clock\n" in output
    assert "\n  ✓ reset is answered, again and again\n" in output
    assert "\n  ✗ accept() without a connection is EAGAIN (IPv4): expected " in output
    assert "      → " in output and "      ← " in output
    assert "\n  – MSG_PEEK takes nothing away: not offered (call recv, flag MSG_PEEK)\n" in output
    assert "\n1 of the suite's 2 case runs can be played; what the others ask for, and the stack has not:\n" in output
    assert re.search(r"\n  capability ipv6 +1 +1 +the stack speaks IPv6 *\n", output)
    assert output.rstrip().rsplit("\n", 1)[1].endswith("checks found something")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ([], 2, "Missing argument"),
        (["--link", "veth", "x"], 2, "'veth' is neither socket nor tap"),
        (["--clock", "lunar", "x"], 2, "'lunar' is neither virtual nor real"),
        (["gone/adapter.yaml"], 2, "gone/adapter.yaml cannot be read"),
        ([str(HERE.parents[1] / "conformance/sut/adapters/reference/adapter.yaml") + ":gone"], 2, "has no gone: reference-external"),
        (["reference-external", "--fast"], 2, "reference-external says itself what its arguments are; --fast is too much"),
        (["no-such-program-anywhere"], 3, "cannot be started"),
    ],
)
def test_what_cannot_be_done_has_its_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, says: str
) -> None:
    found, output = run(capsys, monkeypatch, *arguments)
    assert (found, says in output) == (status, True), output
