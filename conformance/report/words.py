"""Outcomes in plain words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from conformance.report.amounts import counted, duration
from conformance.report.judgement import Judgement, judge, tally
from conformance.report.safe_text import printable
from conformance.result import CaseResult

__all__ = ["summary_sentence", "tally_words"]

_WORDS = {
    Judgement.PASS: ("pass", "pass"),
    Judgement.AS_EXPECTED: ("deviates as expected", "deviate as expected"),
    Judgement.SKIPPED: ("skipped", "skipped"),
    Judgement.UNEXPECTED_PASS: ("passes although it is expected not to", "pass although they are expected not to"),
    Judgement.INCONCLUSIVE: ("inconclusive", "inconclusive"),
    Judgement.ERROR: ("error", "errors"),
    Judgement.DEVIATION: ("deviation", "deviations"),
    Judgement.VIOLATION: ("violation", "violations"),
}


def tally_words(counts: Mapping[Judgement, int], notes: Mapping[Judgement, str] | None = None) -> list[str]:
    """``121 pass``, ``1 violation``: what occurs, with ``notes`` in brackets behind."""
    notes = notes or {}
    return [
        counted(counts[judgement], *words) + (f" ({notes[judgement]})" if notes.get(judgement) else "")
        for judgement, words in _WORDS.items()
        if counts.get(judgement)
    ]


def summary_sentence(
    results: Sequence[CaseResult],
    seconds: float,
    *,
    suts: Sequence[str],
    total: int | None = None,
    broken: Collection[object] = (),
    interrupted: bool = False,
    expectations: Mapping[str, str] | None = None,
) -> str:
    """A run in one line: ``124 case runs on linux in 9.8 s: 121 pass, 2 deviate as expected (linux.yaml), 1 violation``.

    ``expectations`` maps a SUT's name to the file that holds what is expected of it.
    """
    expectations = expectations or {}
    files = (expectations.get(result.sut) for result in results if judge(result) is Judgement.AS_EXPECTED)
    notes = {Judgement.AS_EXPECTED: ", ".join(sorted({printable(file) for file in files if file}))}
    runs = counted(len(results), "case run", "case runs")
    if interrupted:
        runs = "interrupted after " + (runs if total is None else f"{len(results)} of {counted(total, 'case run', 'case runs')}")
    parts = tally_words(tally(results), notes)
    if broken:
        parts.append(counted(len(broken), "case file cannot be read", "case files cannot be read"))
    where = " and ".join(map(printable, suts)) or "no stack"
    return f"{runs} on {where} in {duration(seconds)}" + (f": {', '.join(parts)}" if parts else "")
