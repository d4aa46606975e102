"""A run beside a recording of another stack: what each case run has in common with it, and what not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.capture.compare_traces import compare_traces
from conformance.capture.difference import Difference, Kind
from conformance.capture.errors import CaptureError
from conformance.capture.golden import Golden
from conformance.case.case import fingerprint
from conformance.engine.captures import capture_name
from conformance.engine.status import UsageError
from conformance.engine.varying import Varying, load_varying
from conformance.report.comparison import Comparison, DifferenceRecord, Outcome
from conformance.result import CaseResult, Verdict

if TYPE_CHECKING:
    from conformance.capture.trace_file import TraceFile

__all__ = ["Against", "open_golden"]

_MOST = 50
"""Differences of a case run that are said one by one."""
_KINDS = {Kind.HARMLESS: "harmless", Kind.ALLOWED: "allowed", Kind.VIOLATION: "violation"}


def open_golden(path: Path, cases: Path) -> Golden:
    """The folder as it is given, or below ``captures``, here or beside the case folder. Raises UsageError if there is none."""
    places = [path, Path("captures") / path, cases.resolve().parent / "captures" / path]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise UsageError(f"there is no folder {path}, here or below captures: `conformance record` writes one")
    if not any(found.rglob("*.pcapng*")):
        raise UsageError(f"{found} holds no recordings: `conformance record` and `conformance run --captures` write some")
    return Golden(found.resolve())


class Against:
    """Compares a run with a recording once all its cases are over: before that, nobody has the time."""

    def __init__(self, golden: Golden) -> None:
        self.golden = golden
        self.errors: list[str] = []
        """What could not be read of the recording."""
        self._varying = load_varying(golden.folder)

    def compare(self, results: Sequence[CaseResult], sut: str, known: Collection[str] | None = None) -> Iterator[Comparison]:
        """A comparison for each case run of ``sut`` that was played or recorded.

        ``known``: all the case runs that there are; then also for those that only the recording has.
        """
        files: dict[str, list[CaseResult]] = defaultdict(list)
        for result in results:
            files[result.case.file].append(result)
        for file in sorted(files):
            if (there := self._traces(file, files[file])) is None:
                continue
            for result in files[file]:
                recorded = there.get(result.case.id)
                if recorded or result.verdict is not Verdict.SKIPPED:
                    yield _compared(result, recorded, sut, self.golden.name, self._varying)
        if known is not None:
            yield from (_alone(case, sut, self.golden.name) for case in sorted(self._cases() - set(known)))

    def _traces(self, file: str, results: Iterable[CaseResult]) -> dict[str, TraceFile] | None:
        """The recorded runs of a case file; None if they cannot be read."""
        try:
            return self.golden.traces(file, [capture_name(result.case.id) for result in results])
        except CaptureError as error:
            self.errors.append(str(error))
            return None

    def _cases(self) -> set[str]:
        try:
            return self.golden.cases()
        except CaptureError as error:
            self.errors.append(str(error))
            return set()


def _compared(result: CaseResult, there: TraceFile | None, sut: str, golden: str, varying: Sequence[Varying]) -> Comparison:
    verdict = result.verdict
    if there is None or verdict is Verdict.SKIPPED:
        outcome = Outcome.ONLY_HERE if there is None else Outcome.ONLY_THERE
        return Comparison(id=result.case.id, sut=sut, golden=golden, outcome=outcome, verdict=verdict, golden_verdict=_verdict(there))
    before = _verdict(there)
    passed = before is Verdict.PASS, verdict is Verdict.PASS
    found = compare_traces(there.trace, result.trace, whole=passed)
    found.sort(key=lambda one: -one.kind)
    outcome, sorts = _outcome(before is verdict, found), {one.what for one in found}
    itself = there.sut is not None and there.sut.name == sut and outcome in (Outcome.HARMLESS, Outcome.OTHER)
    usual = (entry.reason for entry in varying if itself and entry.explains(result.case.id, sorts))
    return Comparison(
        id=result.case.id,
        sut=sut,
        golden=golden,
        outcome=outcome,
        verdict=verdict,
        golden_verdict=before,
        changed=bool(there.fingerprint) and there.fingerprint != fingerprint(result.case),
        reason=result.failure.reason if result.failure else "",
        golden_reason=there.reason,
        varies=next(usual, ""),
        differences=tuple(_record(one, at_most=Kind.ALLOWED if all(passed) else Kind.VIOLATION) for one in found[:_MOST]),
        more=max(len(found) - _MOST, 0),
    )


def _outcome(same_verdict: bool, found: Sequence[Difference]) -> Outcome:
    if not same_verdict:
        return Outcome.VERDICT
    if not found:
        return Outcome.SAME
    return Outcome.HARMLESS if found[0].kind is Kind.HARMLESS else Outcome.OTHER


def _record(one: Difference, at_most: Kind) -> DifferenceRecord:
    """``at_most``: what the case says of both; it knows more than two traces do."""
    return DifferenceRecord(
        kind=_KINDS[min(one.kind, at_most)],  # type: ignore[arg-type]
        what=one.what,
        reason=one.reason,
        expected=one.expected,
        actual=one.actual,
        expected_packet=one.expected_packet,
        actual_packet=one.actual_packet,
        connection=one.connection,
    )


def _alone(case: str, sut: str, golden: str) -> Comparison:
    return Comparison(id=case, sut=sut, golden=golden, outcome=Outcome.ONLY_THERE, verdict=None, golden_verdict=None)


def _verdict(there: TraceFile | None) -> Verdict | None:
    return Verdict(there.verdict) if there and there.verdict in set(Verdict) else None
