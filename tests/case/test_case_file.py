"""A case file: each kind of mistake says file, line, column, what was found, and what is allowed."""

from __future__ import annotations

import pytest

from conformance.case.settings import SETTINGS

from .folder import HEAD, Folder, place

STEPS = "steps:\n  - call: s = socket()\n"


def test_the_file_that_the_mistakes_below_are_put_in_is_right(folder: Folder) -> None:
    suite = folder.load(HEAD + STEPS)
    assert not suite.errors
    assert [case.id for case in suite.cases] == ["topic/case[ipv4]", "topic/case[ipv6]"]


@pytest.mark.parametrize(
    ("line", "where", "found", "wanted"),
    [
        ("titel: x", (3, 1), "titel", "title, requirements"),
        ("families: [ipv5]", (3, 12), "ipv5", "'ipv4' or 'ipv6'"),
        ("families: []", (3, 11), "an empty list", "a list of at least 1"),
        ("families: [ipv4, ipv4]", (3, 11), "ipv4 twice", "each once"),
        ("families: ipv4", (3, 11), "ipv4", "a list"),
        ("tags: [fast]", (3, 8), "fast", "'slow'"),
        ("needs: [Some thing]", (3, 9), "Some thing", "a capability"),
        ("description: 3", (3, 14), "3", "a text"),
        ("timeout: 5", (3, 10), "5", "a text such as 500ms"),
        ("timeout: 5 sec", (3, 10), "5", "a duration such as 500ms"),
        ("tolerance: fast", (3, 12), "fast", "a duration such as 500ms"),
        ("config: {sak: on}", (3, 10), "sak", "did you mean sack?"),
        ("config: {sack: true}", (3, 16), "true", "on, off"),
        ("config: {sack: maybe}", (3, 16), "maybe", "on, off"),
        ("config: {ecn: always}", (3, 15), "always", "off, on, passive"),
        ("config: {mtu: 67}", (3, 15), "67", "68..9000"),
        ("config: {mtu: 576}", (3, 15), "576", "at least 1280, or families: [ipv4]"),
        ("config: {mtu: big}", (3, 15), "big", "68..9000"),
        ("config: {syn_retries: on}", (3, 23), "on", "0..255"),
        ("config: {rto_min: 200}", (3, 19), "200", "a duration such as 500ms"),
        ("config: {rto_min: 200 ms}", (3, 19), "200", "a duration such as 500ms"),
        ("config: {ephemeral_ports: 5..1}", (3, 27), "5..1", "32768..60999"),
        ("config: {congestion_control: 3}", (3, 30), "3", "reno or cubic"),
        ("config: [sack]", (3, 9), "a list", "a mapping"),
        ("given: [LISTEN]", (3, 8), "a list", "a mapping"),
        ("given: LISTENING", (3, 8), "LISTENING", "did you mean LISTEN?"),
        ("given: ../../x", (3, 8), "../../x", "ESTABLISHED, LISTEN"),
        ("given: /etc/passwd", (3, 8), "/etc/passwd", "ESTABLISHED, LISTEN"),
        ("given: {preamble: LISTEN, backlogs: 3}", (3, 27), "backlogs", "did you mean backlog?"),
        ("given: {preamble: LISTEN, backlog: [3]}", (3, 36), "a list", "a text or a number"),
        ("given: {backlog: 3}", (3, 8), None, "preamble: …"),
        ("connections: {c2: {pear: peer2}}", (3, 20), "pear", "did you mean peer?"),
        ("connections: {c2: {peer: peer3}}", (3, 26), "peer3", "'peer' or 'peer2'"),
        ("connections: {c2: {port: 80}}", (3, 26), "80", "'port', 'port2' or 'port3'"),
        ("connections: {c2: {peer_port: 70000}}", (3, 31), "70000", "0..65535 or one of peer_port, peer_port2"),
        ("connections: {c2: {isn: -1}}", (3, 25), "-1", "0..4294967295, or +N"),
        ("connections: {c2: {isn: +x}}", (3, 25), "+x", "0..4294967295, or +N"),
        ("connections: {c2: {isn: +5}}", (3, 25), "+5", "reuse: the connection that it is relative to"),
        ("connections: {c2: {reuse: c2}}", (3, 27), "c2", "default"),
        ("connections: {c-2: {}}", (3, 15), "c-2", "letters, digits and _"),
        ("parameters: {x: 3}", (3, 17), "3", "a list of values"),
        ("1: 2", (3, 1), "1", "expected text"),
    ],
)  # fmt: skip
def test_mistakes_at_the_top(folder: Folder, line: str, where: tuple[int, int], found: str | None, wanted: str) -> None:
    error = folder.error(f"{HEAD}{line}\n{STEPS}")
    assert error.file == str(folder.path / "topic/case.yaml")
    assert (place(error), error.found) == (where, found), str(error)
    assert wanted in str(error)


@pytest.mark.parametrize(
    ("step", "where", "found", "wanted"),
    [
        ("silense: 3s", (4, 5), "silense", "did you mean silence?"),
        ("3", (4, 5), "3", "a mapping such as call: s = socket()"),
        ("{call: s = socket(), silence: 1s}", (4, 5), "call and silence", "one of them a step"),
        ("{}", (4, 5), "nothing", "one of call, start"),
        ("{inject: S 0:0(0), within: 1s}", (4, 24), "within", "one of why, on, after, inject, with"),
        ("{silence: 1s, after: 1s}", (4, 19), "after", "one of why, on, silence"),
        ("{sockopt: s TCP_NODELAY = 1, on: c2}", (4, 34), "on", "one of why, sockopt, after"),
        ("{states: LISTEN → CLOSED, within: 1s}", (4, 31), "within", "one of"),
        ("{call: s = socket(), with: {ttl: 1}}", (4, 26), "with", "one of"),
        ("{inject: S 0:0(0), after: 1s ± 10%}", (4, 34), "±", "a duration such as 500ms"),
        ("{expect: S 0:0(0), after: 1}", (4, 31), "1", "a text such as 1s"),
        ("{expect: S 0:0(0), within: fast}", (4, 32), "fast", "a duration such as 500ms"),
        ("{expect: S 0:0(0), why: 3}", (4, 29), "3", "a text"),
        ("{silence: 1s, on: c2}", (4, 5), "c2", "one that is declared in connections: default"),
        ("{silence: 1s, on: c-2}", (4, 23), "c-2", "letters, digits and _"),
        ("{inject: SA 0:0(0)}", (4, 14), "SA", "flags such as S"),
        ("{inject: 3}", (4, 14), "3", "a text such as S 0:0(0)"),
        ('{inject: "S 0:0(0) win *"}', (4, 28), "*", "a number or $name"),
        ("{inject: S 0:0(0), with: {ttl: 256}}", (4, 36), "256", "0..255"),
        ("{inject: S 0:0(0), with: {tttl: 1}}", (4, 31), "tttl", "did you mean ttl?"),
        ("{inject: S 0:0(0), with: {checksum: wrong}}", (4, 41), "wrong", "0..65535 or one of bad, zero"),
        ("{inject: S 0:0(0), with: {reserved: 16}}", (4, 41), "16", "0..15"),
        ("{inject: S 0:0(0), with: {ecn: ect3}}", (4, 36), "ect3", "did you mean ect0?"),
        ("{inject: S 0:0(0), with: {df: 1}}", (4, 35), "1", "true or false"),
        ("{inject: S 0:0(0), with: {src: pear}}", (4, 36), "pear", "did you mean peer?"),
        ("{inject: S 0:0(0), with: {sport: prt}}", (4, 38), "prt", "0..65535 or one of port"),
        ("{inject: S 0:0(0), with: {raw: {x+1: 00}}}", (4, 36), "x+1", "34 (in the frame), ip+8 or tcp+13"),
        ("{inject: S 0:0(0), with: {raw: {34: 0}}}", (4, 36), "0", "two hexadecimal digits an octet"),
        ("{inject: S 0:0(0), with: {raw: ff}}", (4, 36), "ff", "a mapping of offset"),
        ("{expect: S 0:0(0), with: {ttl: 300}}", (4, 36), "300", "0..255, a range of that"),
        ("{expect: S 0:0(0), with: {checksum: bad}}", (4, 41), "bad", "good"),
        ("{expect: S 0:0(0), with: {raw: {34: 00}}}", (4, 31), "raw", "one of ttl"),
        ("{expect_icmp: port-unreachable, with: {df: true}}", (4, 44), "df", "one of ttl, tos, checksum"),
        ("{call: s = sockt()}", (4, 16), "sockt", "did you mean socket?"),
        ("{call: 'listen(s, x)'}", (4, 23), "x", "a number"),
        ("{call: listen(s)}", (4, 12), "1 arguments", "listen(s, 1)"),
        ("{state: s LISTNE}", (4, 15), "LISTNE", "did you mean LISTEN?"),
        ("{state: LISTEN, after: soon}", (4, 28), "soon", "a duration"),
        ("{any_order: []}", (4, 17), "an empty list", "a list of at least 1"),
        ("{any_order: [{silence: 1s}]}", (4, 18), "silence", "expect"),
        ("{optional: [{silence: 1s}]}", (4, 17), "silence", "expect"),
        ("{either: [[{silence: 1s}]]}", (4, 14), "a list", "a list of at least 2"),
        ("{either: [[{silence: 1s}], [{inject: S 0:0(0)}]]}", (4, 33), "inject", "expect, expect_icmp, silence"),
        ("{either: [[{silence: 1s}], []]}", (4, 32), "an empty list", "a list of at least 1"),
        ("{repeat: {times: 0, steps: [{silence: 1s}]}}", (4, 22), "0", "at least 1"),
        ("{repeat: {times: 5001, steps: [{silence: 1s}]}}", (4, 22), "5001", "at most 5000"),
        ("{repeat: {times: 2, steps: {}}}", (4, 32), "an empty mapping", "a list of steps"),
        ("{repeat: {times: 2, steps: [{silence: 1}]}}", (4, 43), "1", "a text such as 300ms"),
        ("{repeat: {times: 2, step: 1}}", (4, 25), "step", None),
        ("{call: accept(q)}", (4, 5), "q", "a socket: found 'q', expected one that is made by a step before; there is none"),
        ("{state: q LISTEN}", (4, 5), "q", "made by a step before"),
        ("{finish: r = 0}", (4, 5), "r", "started by a step before"),
        ("{inject: S $x:$x(0)}", (4, 5), "$x", "bound by a step before"),
        ("{inject_icmp: source-quench}", (4, 5), "source-quench", "families: [ipv4]"),
        ("{inject: S 0:0(0), with: {id: 3}}", (4, 5), "id", "families: [ipv4]"),
        ("{inject: S 0:0(0), with: {dst: broadcast}}", (4, 5), "broadcast", "families: [ipv4]"),
    ],
)  # fmt: skip
def test_mistakes_in_steps(folder: Folder, step: str, where: tuple[int, int], found: str, wanted: str | None) -> None:
    suite = folder.load(f"{HEAD}steps:\n  - {step}\n")
    assert not suite.cases
    error = next(error for error in suite.errors if error.found == found)
    assert error.file == str(folder.path / "topic/case.yaml")
    assert place(error) == where, str(error)
    assert wanted is None or wanted in str(error)


def test_all_mistakes_of_a_file_are_told(folder: Folder) -> None:
    suite = folder.load("requirements: [RFC9293/MUST-99]\nsteps:\n  - call: sockt()\n  - silence: 3\n  - what: 4\n")
    assert [(place(error), error.message) for error in suite.errors] == [
        ((1, 1), "title is missing"),
        ((3, 11), "a call"),
        ((4, 14), "silence"),
        ((5, 5), "a step of no known kind"),
    ]


def test_a_requirement_that_no_register_has(folder: Folder) -> None:
    error = folder.error("title: x\nrequirements:\n  - RFC9293/MUST-11\n  - RFC9293/MUST-1l\n" + STEPS)
    assert (place(error), error.found, error.suggestion) == ((4, 5), "RFC9293/MUST-1l", "RFC9293/MUST-11")


@pytest.mark.parametrize("text", ["", "3", "[]", "- a", "title", "~"])
def test_a_file_that_is_no_mapping(folder: Folder, text: str) -> None:
    assert folder.error(text).expected == "a mapping: title, requirements, steps"


def test_one_wrong_label_of_many_is_told_once(folder: Folder) -> None:
    error = folder.error(f"{HEAD}parameters: {{a: [1, 2, 3], b: [x, y]}}\nsteps:\n  - silence: $a\n    why: $b\n")
    assert (place(error), error.found) == ((5, 14), "1")


def test_a_mistake_in_a_text_with_parameters_stands_at_its_start(folder: Folder) -> None:
    error = folder.error(f"{HEAD}parameters: {{flags: [SX]}}\nsteps:\n  - inject: $flags 0:0(0)\n")
    assert (place(error), error.found) == ((5, 13), "SX")


def test_the_tables_say_what_they_should() -> None:
    assert all(setting.meaning and setting.default for setting in SETTINGS.values())


def test_no_steps_are_an_empty_list(folder: Folder) -> None:
    error = folder.error(f"{HEAD}steps: []\n")
    assert (place(error), error.found) == ((3, 8), "an empty list") and "a list of at least 1" in str(error)


def test_an_id_that_two_files_have(folder: Folder) -> None:
    folder.write("topic/case.yml", HEAD + STEPS)
    suite = folder.load(HEAD + STEPS)
    (error,) = suite.errors
    assert (error.file, error.line, error.found) == (str(folder.path / "topic/case.yml"), 1, "topic/case[ipv6]")
    assert str(folder.path / "topic/case.yaml") in str(error)
