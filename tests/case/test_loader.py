"""Cases as the executor gets them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.case import notation
from conformance.case import steps as s
from conformance.case.case import MS, SECOND, Case
from conformance.case.errors import CaseError
from conformance.case.loader import load_suite
from conformance.wire.segment import Family

from .folder import HEAD, Folder, place

EVERY_STEP = """\
title: Every kind of step
requirements: [RFC9293/SHLD-2, RFC9293/MAY-3]
description: All there is.
families: [ipv4]
config: {sack: off, ecn: passive, rto_min: 300ms, mtu: 576, ephemeral_ports: 1000..2000}
needs: [fast-open]
tags: [slow]
given: {preamble: ESTABLISHED, options: "mss 1460,sackOK"}
timeout: 3s
tolerance: 5ms
connections:
  default: {isn: 4294967290}
  c2: {peer: peer2, port: port2, peer_port: 80}
  again: {reuse: c2, isn: +1000}
steps:
  - call: send(c, 1000) = 1000
    after: 1s
  - start: r = connect(s, peer2:80)
    on: c2
  - finish: r = ECONNREFUSED
    after: 1s
    within: 2s
  - inject: . 1:1(0) ack $mss-1
    with: {ttl: 1, ecn: ce, df: false, checksum: bad, sport: peer_port2, src: foreign, raw: {34: 00, ip+8: "0102", tcp+13: FF}}
  - expect: P?. 1:1001(1000) ack 1
    with: {ttl: 1..64, tos: 16, ecn: ect0, df: true, id: $id, reserved: 0, checksum: good}
    within: 500ms
    why: the data is sent
  - inject_icmp: frag-needed mtu 500 [. 1:1001(1000)]
    with: {ttl: 3, checksum: 7}
  - expect_icmp: port-unreachable
    with: {ttl: 64, checksum: good}
    after: 100ms ± 50ms
  - silence: 300ms
    on: again
  - state: c ESTABLISHED
    within: 100ms
  - states: c SYN-RECEIVED → ESTABLISHED
  - sockopt: c TCP_MAXSEG = 1460
  - info: c cwnd = 10
    after: 10ms
  - any_order:
      - expect: . 1:1(0)
      - expect: R 1:1(0)
        on: c2
  - either:
      - - expect_icmp: port-unreachable
      - - silence: 1s
        - call: close(c)
  - optional:
      - expect: F. 1:1(0)
      - inject: . 1:1(0) ack 2
  - repeat:
      times: 2
      steps:
        - inject: . ${i*10+1}:${i*10+11}(10) ack 1
        - optional: [expect: ". 1:1(0) ack ${i*10+11}"]
"""


def only(folder: Folder, text: str, family: str = "ipv4") -> Case:
    """The case of one family in a file that is right."""
    suite = folder.load(text)
    assert not suite.errors, list(map(str, suite.errors))
    return next(case for case in suite.cases if case.family == family)


def test_what_a_case_says_of_itself(folder: Folder) -> None:
    case = only(folder, EVERY_STEP)
    assert (case.id, case.title, case.file, case.family) == ("topic/case[ipv4]", "Every kind of step", "topic/case.yaml", Family.IPV4)
    assert (case.requirements, case.level) == (("RFC9293/SHLD-2", "RFC9293/MAY-3"), "SHOULD")
    assert (case.description, case.needs, case.tags, case.given) == ("All there is.", ("fast-open",), ("slow",), "ESTABLISHED")
    assert (case.timeout, case.tolerance) == (3 * SECOND, 5 * MS)
    assert case.config == {"sack": False, "ecn": "passive", "rto_min": 300 * MS, "mtu": 576, "ephemeral_ports": "1000..2000"}
    assert case.connections == (
        s.ConnectionSpec("default", isn=4294967290),
        s.ConnectionSpec("c2", peer="peer2", port="port2", peer_port=80),
        s.ConnectionSpec("again", reuse="c2", isn_offset=1000),
    )


def test_what_is_not_said_has_its_usual_value(folder: Folder) -> None:
    case = only(folder, HEAD + "steps: [silence: 1s]\n", "ipv6")
    assert (case.id, case.level, case.given) == ("topic/case[ipv6]", "MUST", None)
    assert (case.timeout, case.tolerance) == (5 * SECOND, 20 * MS)
    assert (case.config, case.connections) == ({}, (s.ConnectionSpec("default"),))


def test_preambles_come_first_and_are_marked(folder: Folder) -> None:
    steps = only(folder, EVERY_STEP).steps
    before = [step for step in steps if step.preamble]
    assert steps[: len(before)] == tuple(before)
    assert [step.source.file for step in before] == ["preambles/LISTEN.yaml"] * 3 + ["preambles/ESTABLISHED.yaml"] * 4
    assert before[3] == s.InjectStep(
        source=s.Source("preambles/ESTABLISHED.yaml", 5, 5, "inject: S 0:0(0) win 65535 <mss 1460,sackOK>"),
        preamble=True,
        segment=notation.inject_segment("S 0:0(0) win 65535 <mss 1460,sackOK>"),
    )


def test_every_kind_of_step(folder: Folder) -> None:
    steps = [step for step in only(folder, EVERY_STEP).steps if not step.preamble]
    call, start, finish, inject, expect, inject_icmp, expect_icmp, silence, state, states, sockopt, info = steps[:12]
    source = s.Source("topic/case.yaml", 16, 5, "call: send(c, 1000) = 1000")
    assert call == s.CallStep(source=source, after=s.Timing(SECOND, SECOND), call=notation.call("send(c, 1000) = 1000"))
    assert isinstance(start, s.StartStep)
    assert (start.on, start.call) == ("c2", notation.start("r = connect(s, peer2:80)"))
    assert isinstance(finish, s.FinishStep)
    assert (finish.name, finish.result, finish.after, finish.within) == (
        "r", s.Errno("ECONNREFUSED"), s.Timing(900 * MS, 1100 * MS), 2 * SECOND,
    )  # fmt: skip
    assert isinstance(inject, s.InjectStep)
    assert inject.fields == {
        "ttl": 1, "ecn": 3, "df": False, "checksum": "bad", "sport": "peer_port2", "src": "foreign",
        "raw": {"34": b"\0", "ip+8": b"\1\2", "tcp+13": b"\xff"},
    }  # fmt: skip
    assert isinstance(expect, s.ExpectStep)
    assert expect.fields == {
        "ttl": s.Range(1, 64), "tos": s.Exact(16), "ecn": s.Exact(2), "df": s.Exact(1), "id": s.Var("id"), "reserved": s.Exact(0),
        "checksum": s.Exact(1),
    }  # fmt: skip
    assert (expect.within, expect.why) == (500 * MS, "the data is sent")
    assert isinstance(inject_icmp, s.InjectIcmpStep)
    assert (inject_icmp.icmp.mtu, inject_icmp.fields) == (s.Exact(500), {"ttl": 3, "checksum": 7})
    assert isinstance(expect_icmp, s.ExpectIcmpStep)
    assert expect_icmp.after == s.Timing(50 * MS, 150 * MS)
    assert isinstance(silence, s.SilenceStep)
    assert (silence.duration, silence.on) == (300 * MS, "again")
    assert isinstance(state, s.StateStep)
    assert (state.socket, state.state, state.within) == ("c", "ESTABLISHED", 100 * MS)
    assert isinstance(states, s.StatesStep)
    assert states.states == ("SYN-RECEIVED", "ESTABLISHED")
    assert isinstance(sockopt, s.SockoptStep)
    assert (sockopt.socket, sockopt.name, sockopt.value) == ("c", "TCP_MAXSEG", s.Exact(1460))
    assert isinstance(info, s.InfoStep)
    assert info.values == (("snd_cwnd", s.Exact(10)),)


def test_groups_of_steps(folder: Folder) -> None:
    any_order, either, optional, repeat = only(folder, EVERY_STEP).steps[-4:]
    assert isinstance(any_order, s.AnyOrderStep)
    assert [step.on for step in any_order.steps] == ["default", "c2"]
    assert isinstance(either, s.EitherStep)
    assert [[type(step) for step in branch] for branch in either.branches] == [[s.ExpectIcmpStep], [s.SilenceStep, s.CallStep]]
    assert isinstance(optional, s.OptionalStep)
    assert [type(step) for step in optional.steps] == [s.ExpectStep, s.InjectStep]
    assert isinstance(repeat, s.RepeatStep)
    assert [[step.source.text for step in steps] for steps in repeat.rounds] == [
        ["inject: . 1:11(10) ack 1", "optional: …"],
        ["inject: . 11:21(10) ack 1", "optional: …"],
    ]
    inner = repeat.rounds[1][1]
    assert isinstance(inner, s.OptionalStep)
    assert inner.steps[0].source == s.Source("topic/case.yaml", 57, 22, "expect: . 1:1(0) ack 21")


def test_a_repeat_in_a_repeat_counts_for_itself(folder: Folder) -> None:
    inner = "{repeat: {times: $i+1, steps: [{silence: '${i}ms'}]}}"
    case = only(folder, HEAD + f"steps: [repeat: {{times: 3, steps: [{inner}]}}]\n")
    (outer,) = case.steps
    assert isinstance(outer, s.RepeatStep)
    repeats = [steps[0] for steps in outer.rounds]
    durations = [[steps[0].duration for steps in repeat.rounds] for repeat in repeats]  # type: ignore[attr-defined]
    assert durations == [[0], [0, MS], [0, MS, 2 * MS]]


def test_parameters_make_cases_with_labels(folder: Folder) -> None:
    text = """\
title: In $state.name
requirements: [RFC9293/$id]
parameters:
  id: [MUST-11, MAY-3]
  state:
    open: {preamble: ESTABLISHED, name: ESTABLISHED, socket: c}
    new:  {preamble: LISTEN, name: LISTEN, socket: s}
given: $state.preamble
config: {syn_retries: 3}
steps:
  - state: $state.socket $state.name
"""
    suite = folder.load(text)
    assert not suite.errors
    assert [(case.id, case.level, case.given) for case in suite.cases if case.family == "ipv4"] == [
        ("topic/case[MUST-11,open,ipv4]", "MUST", "ESTABLISHED"),
        ("topic/case[MUST-11,new,ipv4]", "MUST", "LISTEN"),
        ("topic/case[MAY-3,open,ipv4]", "MAY", "ESTABLISHED"),
        ("topic/case[MAY-3,new,ipv4]", "MAY", "LISTEN"),
    ]
    assert suite.cases[0].title == "In ESTABLISHED"


def test_a_parameter_keeps_its_type(folder: Folder) -> None:
    text = HEAD + "parameters: {n: [2], t: [3s], on: [on], df: [true], where: [tcp+13], octet: [00]}\n"
    text += "families: [ipv4]\nconfig: {syn_retries: $n, sack: $on}\ntimeout: $t\nsteps:\n"
    text += "  - {inject: S 0:0(0), with: {ttl: $n+1, df: $df, raw: {$where: $octet}}}\n"
    case = only(folder, text)
    assert (case.config, case.timeout) == ({"syn_retries": 2, "sack": True}, 3 * SECOND)
    (step,) = case.steps
    assert isinstance(step, s.InjectStep)
    assert step.fields == {"ttl": 3, "df": True, "raw": {"tcp+13": b"\0"}}


# Suites ---------------------------------------------------------------------------------------------------------------


def test_a_broken_file_hides_no_other(folder: Folder) -> None:
    folder.write("topic/broken.yaml", "title: [")
    folder.write("topic/wrong.yaml", HEAD + "steps: [silence: 1]\n")
    suite = folder.load(HEAD + "steps: [silence: 1s]\n")
    assert [case.id for case in suite.cases] == ["topic/case[ipv4]", "topic/case[ipv6]"]
    assert [Path(error.file).name for error in suite.errors] == ["broken.yaml", "wrong.yaml"]


def test_only_what_is_asked_for(folder: Folder) -> None:
    first = folder.write("a/one.yaml", HEAD + "steps: [silence: 1s]\n")
    folder.write("b/two.yaml", HEAD + "steps: [silence: 1s]\n")
    assert [case.id for case in load_suite(folder.path, families=["ipv6"]).cases] == ["a/one[ipv6]", "b/two[ipv6]"]
    assert [case.id for case in load_suite(folder.path, [first], families={Family.IPV4}).cases] == ["a/one[ipv4]"]
    assert [case.id for case in load_suite(folder.path, [folder.path / "b"], families=["ipv4"]).cases] == ["b/two[ipv4]"]
    assert [case.id for case in load_suite(folder.path, [first, first, first.parent], families=["ipv4"]).cases] == ["a/one[ipv4]"]


def test_the_suite_has_its_register(folder: Folder) -> None:
    suite = folder.load()
    assert suite.register["RFC9293/MUST-12"].level == "MUST NOT"
    assert (suite.root, suite.cases, suite.errors) == (folder.path, [], [])


def test_side_folders_and_hidden_files_are_no_cases(folder: Folder) -> None:
    for name in ("expectations/linux.yaml", ".hidden.yaml", ".git/x.yaml", "topic/.x.yaml", "README.md", "topic/notes.txt"):
        folder.write(name, "no: case")
    folder.write("topic/preambles/x.yml", HEAD + "steps: [silence: 1s]\n")
    assert [case.id for case in folder.load().cases] == ["topic/preambles/x[ipv4]", "topic/preambles/x[ipv6]"]


def test_an_id_that_is_there_twice(folder: Folder) -> None:
    folder.write("topic/case.yml", HEAD + "steps: [silence: 1s]\n")
    error = folder.error(HEAD + "steps: [silence: 1s]\n")
    assert (Path(error.file).name, error.found) == ("case.yml", "topic/case[ipv6]")
    assert error.expected == f"another name than {folder.path / 'topic/case.yaml'}"


def test_a_file_outside_belongs_to_the_folder_around_it(folder: Folder, tmp_path: Path) -> None:
    other = Folder(tmp_path / "other")
    inside = other.write("deep/er/mine.yaml", HEAD + "given: LISTEN\nsteps: [silence: 1s]\n")
    suite = load_suite(folder.path, [inside], families=["ipv4"])
    assert [(case.id, case.file) for case in suite.cases] == [("deep/er/mine[ipv4]", "deep/er/mine.yaml")]


def test_a_file_by_itself_falls_back_to_another_folder(folder: Folder, tmp_path: Path) -> None:
    alone = tmp_path / "alone.yaml"
    alone.write_text(HEAD + "given: LISTEN\nsteps: [silence: 1s]\n")
    suite = load_suite(folder.path, [alone], families=["ipv4"], fallback=folder.path)
    assert [case.id for case in suite.cases] == ["alone[ipv4]"]
    assert suite.cases[0].steps[0].source.file == "preambles/LISTEN.yaml"
    without = load_suite(folder.path, [alone])
    assert {error.found for error in without.errors} == {"LISTEN", "RFC9293/MUST-11"}


def test_paths_that_lead_nowhere(folder: Folder) -> None:
    suite = load_suite(folder.path, [folder.path / "nothing.yaml"])
    assert [str(error) for error in suite.errors] == [
        f"{folder.path / 'nothing.yaml'}: no such file or folder: expected a case file or a folder with cases"
    ]
    assert load_suite(folder.path / "nowhere").errors


def test_links_must_stay_in_the_case_folder(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(HEAD + "steps: [silence: 1s]\n")
    inside = folder.write("topic/inside.yaml", HEAD + "steps: [silence: 1s]\n")
    (folder.path / "topic/good.yaml").symlink_to(inside)
    (folder.path / "topic/bad.yaml").symlink_to(outside)
    (folder.path / "topic/folder").symlink_to(tmp_path)
    (folder.path / "preambles/bad.yaml").symlink_to(outside)
    suite = load_suite(folder.path, families=["ipv4"])
    assert [case.id for case in suite.cases] == ["topic/good[ipv4]", "topic/inside[ipv4]"]
    assert [(Path(error.file).name, error.message) for error in suite.errors] == [
        ("bad.yaml", "a link that leads out of the case folder"),
        ("bad.yaml", "a link that leads out of the case folder"),
        ("folder", "a link that leads out of the case folder"),
    ]


# Limits ---------------------------------------------------------------------------------------------------------------


def test_many_rounds_are_an_error_before_they_are_made(folder: Folder) -> None:
    inner = "{silence: 1s}"
    for _ in range(5):
        inner = f"{{repeat: {{times: 5000, steps: [{inner}]}}}}"
    before = time.perf_counter()
    error = folder.error(HEAD + f"steps: [{inner}]\n")
    assert time.perf_counter() - before < 10
    assert (error.message, error.expected) == ("too many steps", "at most 5000 a case")


def test_the_most_rounds(folder: Folder) -> None:
    case = only(folder, HEAD + "steps: [repeat: {times: 4999, steps: [{silence: '${i}ms'}]}]\n")
    (step,) = case.steps
    assert isinstance(step, s.RepeatStep)
    assert len(step.rounds) == 4999


def test_many_combinations_that_are_all_wrong_take_no_time(folder: Folder) -> None:
    values = ", ".join(map(str, range(4000)))
    before = time.perf_counter()
    error = folder.error(HEAD + f"parameters: {{n: [{values}]}}\nsteps:\n  - silence: $n\n")
    assert time.perf_counter() - before < 10
    assert (place(error), error.found) == ((5, 14), "0")


def test_loading_is_fast(folder: Folder) -> None:
    steps = "".join(f"  - inject: . 1:{n + 1}({n}) ack 1\n  - expect: . 1:1(0) ack {n + 1} <nop,nop,TS val * ecr {n}>\n" for n in range(6))
    path = folder.write("topic/case.yaml", HEAD + "steps:\n" + steps)
    load_suite(folder.path, [path])
    before = time.perf_counter()
    for _ in range(5):
        load_suite(folder.path, [path])
    # 1.2 ms where nothing else runs.
    assert (time.perf_counter() - before) / 5 < 0.05


# Any data -------------------------------------------------------------------------------------------------------------

_TEXTS = st.sampled_from(
    [
        "x",
        "S 0:0(0)",
        "$p",
        "${p*2}",
        "s = socket()",
        "accept(s)",
        "1s",
        "LISTEN",
        "RFC9293/MUST-11",
        "ipv4",
        "c2",
        "on",
        "...",
        "../x",
        "*",
    ]
)
_KEYS = st.sampled_from(
    ["title", "requirements", "steps", "parameters", "given", "preamble", "connections", "config", "sack", "mtu", "call", "start", "finish",
     "inject", "expect", "with", "raw", "ttl", "repeat", "times", "either", "any_order", "optional", "silence", "state", "on", "after",
     "isn", "p", "i", "families", "timeout", "inject_icmp", "info", "why", "default", "reuse"]
)  # fmt: skip
_DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 70000) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=30,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.dictionaries(_KEYS, _DATA, max_size=8), steps=st.lists(st.dictionaries(_KEYS, _DATA, max_size=3), max_size=4))
def test_any_data_is_a_case_or_case_errors(folder: Folder, data: dict[str, object], steps: list[object]) -> None:
    import yaml

    suite = folder.load(yaml.safe_dump({"title": "x", "requirements": ["RFC9293/MUST-11"], **data, "steps": steps}))
    assert suite.cases or suite.errors
    for error in suite.errors:
        assert isinstance(error, CaseError)
        assert error.line >= 1
        assert error.file


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.sampled_from("{}[]:,-&* \n\"'$aS01()<>.=|>#?")))
def test_any_text_is_a_case_or_case_errors(folder: Folder, text: str) -> None:
    suite = folder.load(HEAD + text)
    assert suite.errors
    assert all(isinstance(error, CaseError) for error in suite.errors)


@pytest.mark.parametrize("name", ["../outside", "..", ".", "", "/etc/passwd", "LISTEN.yaml", "./LISTEN", "a/../LISTEN", "LISTEN\\x00"])
def test_preambles_are_names_and_not_paths(folder: Folder, tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.yaml").write_text("title: x\nsteps: []\n")
    error = folder.error(HEAD + f'given: "{name}"\nsteps: [silence: 1s]\n')
    assert (error.message, error.allowed) == ("a preamble", ("ESTABLISHED", "LISTEN"))
