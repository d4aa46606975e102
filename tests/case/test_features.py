"""What a case asks of a stack by the calls and options that it uses."""

from __future__ import annotations

import pytest

from conformance.case.features import features, wanted

from .folder import HEAD, Folder

CALLS = {"call socket"}


def of(folder: Folder, *steps: str) -> set[str]:
    """The features of a case with these steps, beside the call that makes the socket."""
    suite = folder.load(HEAD + "steps:\n  - call: s = socket()\n" + "".join(f"  - {step}\n" for step in steps))
    assert not suite.errors, [str(error) for error in suite.errors]
    return set(features(suite.cases[0])) - CALLS


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("silence: 1s", set()),
        ("call: poll(s)", {"call poll"}),
        ("call: recv(s, 10, MSG_PEEK)", {"call recv", "flag MSG_PEEK"}),
        ('call: send(s, "x", MSG_OOB|MSG_DONTWAIT)', {"call send", "flag MSG_OOB", "flag MSG_DONTWAIT", "urgent"}),
        ("call: setsockopt(s, SO_OOBINLINE, 1)", {"call setsockopt", "option SO_OOBINLINE", "urgent"}),
        ("sockopt: s SO_ERROR = 0", {"call getsockopt", "option SO_ERROR"}),
        ("call: d = socket(SOCK_DGRAM)", {"udp"}),
        ("state: s CLOSED", {"states"}),
        ("states: s CLOSED → SYN-SENT", {"transitions"}),
        ("info: s cwnd = 10", {"info"}),
        ("start: r = connect(s)", {"call connect", "blocking"}),
        ("inject_icmp: port-unreachable", {"icmp"}),
        ('expect: "S. 0:0(0) ack 1 <mss 1460,sackOK,TS val $t ecr 100,nop,wscale *>"', {"sack", "timestamps", "window_scaling"}),
        ('expect: ". 1:1(0) ack 1 <sack 11:21>"', {"sack"}),
        ('expect: "S. 0:0(0) ack 1 <mss *,...>"', set()),
        ('expect: "S.E 0:0(0) ack 1"', {"ecn"}),
        ('inject: "PU. 1:11(10) ack 1 urg 5"', set()),
        ("call: recv(s, 10)", {"call recv"}),
        ('inject: "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>"', set()),
        ('optional: [{expect: ". 1:1(0) ack 1 <sack 11:21>"}]', set()),
    ],
)
def test_what_a_step_asks_for(folder: Folder, step: str, found: set[str]) -> None:
    assert of(folder, step) == found


def test_the_urgent_pointer_matters_to_who_receives(folder: Folder) -> None:
    assert of(folder, 'inject: "PU. 1:11(10) ack 1 urg 5"', 'call: recv(s, 10) = "01234"') == {"call recv", "urgent"}


def test_a_preambles_steps_count(folder: Folder) -> None:
    suite = folder.load(HEAD + "given: LISTEN\nsteps:\n  - silence: 1s\n")
    assert features(suite.cases[0]) == {"call socket", "call bind", "call listen"}


@pytest.mark.parametrize(
    ("config", "step", "kept"),
    [
        ("timestamps: off", 'inject: "S 0:0(0) win 65535 <mss 1460>"', False),
        ("timestamps: off", 'inject: "S 0:0(0) win 65535 <mss 1460,TS val 1 ecr 0>"', True),
        ("timestamps: off", 'inject: "S 0:0(0) win 65535 <raw 080a0000000000000000>"', True),
        ("timestamps: off", '{inject: "S 0:0(0) win 65535", with: {raw: {tcp+20: 080a}}}', True),
        ("timestamps: off", "call: connect(s) = EINPROGRESS", True),
        ("sack: off", "silence: 1s", False),
        ("sack: on", "silence: 1s", True),
        ("syn_cookies: off", "silence: 1s", True),
    ],
)
def test_what_is_switched_off_but_never_offered_makes_no_difference(folder: Folder, config: str, step: str, kept: bool) -> None:
    suite = folder.load(HEAD + f"config: {{{config}}}\nsteps:\n  - call: s = socket()\n  - {step}\n")
    assert not suite.errors, [str(error) for error in suite.errors]
    assert bool(wanted(suite.cases[0])) is kept and suite.cases[0].config
