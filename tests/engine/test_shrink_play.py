"""Which candidates will do: they load, fail in the same way, every time, and pass on the control; and the search ends when it has to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conformance.case.case import MS, Case
from conformance.case.register import load_register
from conformance.engine.shrink_play import Control, Judge, Limits, Player, like, passed, patience_of, tree_loader
from conformance.engine.shrink_tree import Tree
from conformance.engine.signature import signature
from conformance.result import CaseResult
from conformance.sut.base import VirtualBed
from conformance.sut.reference import Reference

CASES = Path(__file__).parents[2] / "cases"
REGISTER = load_register(CASES)
OPEN = [
    {"call": "s = socket()"},
    {"call": "bind(s, port)"},
    {"call": "listen(s, 8)"},
    {"inject": "S 0:0(0) <mss 1460>"},
    {"expect": "S. 0:0(0) ack 1 <mss *,...>"},
    {"inject": ". 1:1(0) ack 1"},
    {"call": "c = accept(s)"},
]
DATA = [*OPEN, {"inject": "P. 1:101(100) ack 1"}]
WRONG_ACK = {"expect": ". 1:1(0) ack 102"}
"""No stack does this."""
SENT = [{"call": "send(c, 100) = 100"}, {"expect": "P?. 1:101(100) ack 1"}]
SOON = {"expect": "P?. 1:101(100) ack 1", "within": "900ms"}
"""The reference stack sends it again as soon as that if it makes Linux's choices, and later if it makes its own."""


def case(*steps: dict[str, Any], **more: Any) -> Tree:
    return {"title": "It works", "requirements": ["RFC9293/MUST-11"], "families": ["ipv4"], **more, "steps": list(steps)}


@dataclass
class Counted(Reference):
    """Counts its case runs; ``moody``: every other one is of a stack that has another configuration."""

    moody: bool = False
    beds: list[Mapping[str, object]] = field(default_factory=list)

    def virtual_bed(self, config: Mapping[str, object]) -> VirtualBed:
        self.beds.append(config)
        return super().virtual_bed({**config, "profile": "linux"} if self.moody and len(self.beds) % 2 else config)  # type: ignore[return-value]


@pytest.fixture
def player() -> Iterator[Player]:
    with Player(Counted()) as one:
        yield one


def judge(player: Player, failing: Tree, *controls: Control, most_runs: int = 1000) -> Judge[Tree]:
    """One that knows how this case fails."""
    one: Judge[Tree] = Judge(tree_loader("x.yaml", REGISTER), player, controls, lambda _: False, Limits(most_runs, 1000.0))
    result = played(player, loaded(one, failing))
    kind = signature(result)
    assert kind is not None, result.failure
    one.fails = like(kind, controls)
    return one


def loaded(judge: Judge[Tree], tree: Tree) -> Case:
    found = judge.load(tree)
    assert found is not None
    return found


def played(player: Player, case: Case) -> CaseResult:
    (result,) = player.play([case])
    assert result is not None
    return result


def passes(control: Control, case: Case) -> bool:
    result = control.result(case)
    return result is not None and passed(result)


def test_the_first_that_fails_in_the_same_way(player: Player) -> None:
    failing = case(*DATA, WRONG_ACK)
    candidates = [
        case(*DATA[1:], WRONG_ACK),  # no socket: it does not load
        case(*OPEN, WRONG_ACK),  # nothing comes: another failure
        case(*DATA, {"expect": ". 1:1(0) ack 101"}),  # a pass
        case(*OPEN, {"inject": ". 1:2(1) ack 1"}, WRONG_ACK),
        case(*DATA, {**WRONG_ACK, "why": "later"}),
    ]
    found = judge(player, failing).first(candidates)
    assert found == (3, candidates[3])


def test_what_was_refused_or_is_had_already_is_not_played_again(player: Player) -> None:
    failing, other = case(*DATA, WRONG_ACK), case(*DATA, {"expect": ". 1:1(0) ack 101"})
    one = judge(player, failing)
    one.know(failing)
    assert one.first([failing, other]) is None
    assert one.limits.runs == 1
    assert one.first([failing, other, other]) is None
    assert one.limits.runs == 1


def test_what_will_do_is_played_twice_with_other_initial_sequence_numbers(player: Player) -> None:
    one = judge(player, case(*DATA, WRONG_ACK))
    isns = set()
    play = player.play

    def watched(cases: list[Case]) -> list[CaseResult | None]:
        results = play(cases)
        isns.update(result.trace.connections["default"].peer_isn for result in results if result)
        return results

    player.play = watched  # type: ignore[method-assign,assignment]
    assert one.first([case(*DATA, WRONG_ACK, timeout="1s")])
    assert one.limits.runs == len(isns) == 2


def test_what_fails_only_now_and_then_will_not_do() -> None:
    late = case(*OPEN, *SENT, SOON)
    with Player(Counted(moody=True)) as player, Player(Counted()) as steady:
        assert judge(steady, late).first([{**late, "timeout": "1s"}])
        one = judge(steady, late)
        one.player = player
        assert one.first({**late, "timeout": f"{seconds}s"} for seconds in range(1, 5)) is None


def test_what_fails_on_the_control_too_will_not_do(player: Player) -> None:
    """Without a control the search may slip to what no stack does: here, to wait for an answer to nothing."""
    late = case(*OPEN, *SENT, SOON)
    slipped = case(*OPEN, SOON)
    control = Control(player, "linux")
    assert passes(control, loaded(judge(player, late), late))
    assert control.name == "reference (linux)"
    assert not passes(control, loaded(judge(player, late), slipped))
    one = judge(player, late, control)
    assert one.fails(played(player, loaded(one, slipped)))
    assert one.first([slipped]) is None
    assert one.first([{**late, "timeout": "1s"}])


def test_a_control_that_lacks_what_the_case_needs_does_not_pass(player: Player) -> None:
    tree = case(*DATA, {"expect": ". 1:1(0) ack 101"})
    assert passes(Control(player), loaded(judge(player, case(*DATA, WRONG_ACK)), tree))
    assert not passes(Control(player), loaded(judge(player, case(*DATA, WRONG_ACK)), {**tree, "needs": ["wings"]}))


def test_without_a_control_the_stimulus_stays(player: Player) -> None:
    """Nothing else would keep what is waited for from becoming the answer to nothing."""
    failing = case(*OPEN, *SENT, SOON)
    slipped, smaller = case(*OPEN, SOON), case(*OPEN, {"call": "send(c, 1) = 1"}, {"expect": "P?. 1:2(1) ack 1"}, SOON)
    one = judge(player, failing)
    assert judge(player, failing, Control(player)).fails(played(player, loaded(one, slipped)))
    assert one.first([slipped, smaller]) == (1, smaller)


@pytest.mark.parametrize("what", ["runs", "seconds", "stopped"])
def test_it_ends_when_it_has_to(player: Player, what: str) -> None:
    failing = case(*DATA, WRONG_ACK)
    one = judge(player, failing)
    seconds = itertools.count()
    one.limits = Limits(5 if what == "runs" else 1000, 8.0 if what == "seconds" else 1e9, lambda: float(next(seconds)))
    asked = 0

    def candidates() -> Iterator[Tree]:
        nonlocal asked
        for number in range(100):
            asked += 1
            if what == "stopped" and number == 5:
                one.limits.stopped = True
            yield case(*DATA, {"expect": f". 1:1(0) ack 101 win {number}..65535"})

    assert one.first(candidates()) is None
    assert 4 <= asked <= 10
    assert one.limits.over and one.first([case(*DATA, WRONG_ACK, timeout="1s")]) is None


def test_a_player_that_was_stopped_has_no_results(player: Player) -> None:
    one = judge(player, case(*DATA, WRONG_ACK))
    player.stop()
    assert player.play([loaded(one, case(*DATA, WRONG_ACK))]) == [None]
    assert one.first([case(*DATA, WRONG_ACK, timeout="1s")]) is None


def test_patience_is_twice_the_longest_wait_where_something_came(player: Player) -> None:
    one = judge(player, case(*DATA, WRONG_ACK))
    came = played(player, loaded(one, case(*DATA, WRONG_ACK)))
    assert patience_of(came) == pytest.approx(300 * MS, abs=MS)
    waited = played(player, loaded(one, case(*OPEN, *SENT, {"expect": "P?. 1:101(100) ack 2"})))
    assert patience_of(waited) == pytest.approx(2300 * MS, rel=0.01)
    assert patience_of(played(player, loaded(one, case(*OPEN, SOON)))) is None
    one.patience = 5 * MS
    assert one.first([case(*OPEN, *SENT, {"expect": "P?. 1:101(100) ack 2"})]) is None
