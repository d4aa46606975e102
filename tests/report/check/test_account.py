"""What is held against a connection."""

from __future__ import annotations

from conformance.oracle.finding import Verdict

from .sample import SHOULD, account, finding


def test_the_worst_comes_first_and_is_what_to_look_at() -> None:
    held = account(finding(1, certain=False), finding(2, rule=SHOULD), finding(8), finding(5))
    assert [each.verdict for each in held.findings] == [Verdict.VIOLATION, Verdict.VIOLATION, Verdict.DEVIATION, Verdict.AMBIGUOUS]
    assert held.focus == 5


def test_what_is_ambiguous_counts_only_if_it_is_asked_for() -> None:
    assert account(finding(certain=False), ambiguous=False).findings == []
    assert account(finding(certain=False), ambiguous=False).focus is None


def test_the_heaviest_sorts_first() -> None:
    accounts = [account(finding(certain=False)), account(), account(finding()), account(finding(rule=SHOULD))]
    assert [held.verdict for held in sorted(accounts, key=lambda held: held.weight)] == list(Verdict)
