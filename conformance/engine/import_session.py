"""``conformance import``: from a capture to a case file, and an exit status."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

from conformance.capture.errors import CaptureError
from conformance.capture.import_freedom import leave_open
from conformance.capture.import_infer import infer_calls
from conformance.capture.import_links import incarnate
from conformance.capture.import_packets import story_of_packets
from conformance.capture.import_requirements import shown
from conformance.capture.import_settings import written_settings
from conformance.capture.import_story import Story, StoryError
from conformance.capture.import_trace import story_of_trace
from conformance.capture.import_writing import Note, case_text
from conformance.capture.trace_file import TraceFile, TraceFileError, read_traces
from conformance.case.case import Case
from conformance.case.errors import CaseError
from conformance.case.loader import load_document
from conformance.case.register import Register, load_register
from conformance.case.yaml_reader import read_yaml
from conformance.engine.import_choice import Chosen, choose
from conformance.engine.ready import build_packets
from conformance.engine.replay_losses import lost_on_the_way
from conformance.engine.runner import Runner, RunnerOptions
from conformance.engine.status import Exit, UsageError
from conformance.oracle.finding import Finding, Vantage
from conformance.report.files import unwritable, write_report
from conformance.report.ladder import ladder_text
from conformance.report.safe_text import printable
from conformance.result import CaseResult, Verdict
from conformance.sut import registry

__all__ = ["ImportRequest", "Imported", "import_capture", "run"]


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import, and where to."""

    file: Path
    cases: Path
    """The case folder, for its registers."""
    connection: int | None = None
    sut_side: str = ""
    """``client`` or ``server``; empty: as the capture suggests."""
    first: int = 1
    last: int | None = None
    title: str = ""
    case: str = ""
    """Of a recording with several case runs, the id of one."""
    packets: bool = False
    """Do without the calls that were recorded."""
    output: str = "-"
    check: str = ""
    """The stack to run the new case on; empty: none."""

    @property
    def chooses(self) -> bool:
        """Is a part of the packets asked for, or a point of view?"""
        return self.packets or self.connection is not None or bool(self.sut_side) or self.first > 1 or self.last is not None


@dataclass(frozen=True, slots=True)
class Imported:
    """A case that was made of a capture."""

    text: str
    case: Case
    """The same, loaded."""


def run(request: ImportRequest) -> int:
    """Import, write, and give the exit status. Raises UsageError and EnvironmentFault."""
    _check(request)
    with contextlib.ExitStack() as stack:
        sut = registry.make(request.check) if request.check else None
        if sut is not None:
            stack.callback(sut.close)
        imported = import_capture(request)
        write_report(request.output, imported.text)
        if sut is None:
            return Exit.AS_REQUIRED
        results: list[CaseResult] = []
        asyncio.run(Runner(sut, RunnerOptions(), results.append).run([imported.case]))
    return _told(results[0])


def import_capture(request: ImportRequest) -> Imported:
    """The case. Raises UsageError if there can be none."""
    register = load_register([request.cases])
    try:
        recorded = None if request.chooses else _recorded(request)
        text = _of_packets(request, register) if recorded is None else _of_trace(recorded, request, register)
    except CaptureError as error:
        raise UsageError(str(error)) from None
    except StoryError as error:
        raise UsageError(f"{request.file}: {error}") from None
    return Imported(text, _loaded(text, request, register))


def _recorded(request: ImportRequest) -> TraceFile | None:
    """The trace in the file, if this program has written it."""
    try:
        traces = [trace for trace in read_traces(request.file) if request.case in ("", trace.case)]
    except TraceFileError as error:
        if request.case:
            raise UsageError(str(error)) from None
        return None
    if len(traces) == 1:
        return traces[0]
    there = ", ".join(trace.case for trace in traces[:5]) + (", …" if len(traces) > 5 else "")
    found = f"{len(traces)} case runs ({there}); choose one with --case" if traces else f"no case run {request.case}"
    raise UsageError(f"{request.file}: there is {found}" if not traces else f"{request.file}: there are {found}")


def _of_trace(recorded: TraceFile, request: ImportRequest, register: Register) -> str:
    story = story_of_trace(recorded.trace, written_settings(recorded.config))
    case = printable(recorded.case)
    sut = printable(f" of {recorded.sut.name} {recorded.sut.version.partition(',')[0]}") if recorded.sut else ""
    about = [f"Imported from {printable(request.file.name)}: case {case}{sut}, with the calls as they were made."]
    title = request.title or f"The stack does what it did in {case}"
    return case_text(story, title, _known(shown(story), register), about)


def _of_packets(request: ImportRequest, register: Register) -> str:
    chosen = choose(request.file, request.connection, request.sut_side, request.first, request.last)
    story = story_of_packets(chosen.conversations, chosen.side)
    _without_losses(story, chosen)
    incarnate(story.links, story.moments)
    infer_calls(story)
    leave_open(story)
    findings = _findings(chosen, story)
    requirements = dict.fromkeys([finding.rule.requirement for finding in findings]) or shown(story)
    numbers = ", ".join(str(one.number) for one in chosen.connections)
    title = request.title or f"The stack does what it did in {printable(request.file.name)}, connection {numbers}"
    notes = [Note(finding.packet, finding.rule.requirement, finding.reason) for finding in findings]
    return case_text(story, title, _known(tuple(requirements), register), _about(request, chosen), notes)


def _without_losses(story: Story, chosen: Chosen) -> None:
    """Leave out what the SUT never got, where the capture was not taken near it."""
    for one, link in zip(chosen.connections, list(story.links), strict=True):
        near = (Vantage.CLIENT if _is_sut(one.client, chosen) else Vantage.SERVER, Vantage.BOTH)
        lost = [] if one.vantage in near else lost_on_the_way(story.moments, link)
        story.moments = [moment for moment in story.moments if not any(moment is gone for gone in lost)]


def _about(request: ImportRequest, chosen: Chosen) -> list[str]:
    lines = []
    for one in chosen.connections:
        sut, peer = (one.client, one.server) if _is_sut(one.client, chosen) else (one.server, one.client)
        lines.append(f"Imported from {printable(request.file.name)}, connection {one.number}: the SUT is {sut}, the peer {peer}.")
    return [*lines, "The socket calls, and the settings of the stack, are those that the packets suggest."]


def _is_sut(endpoint: str, chosen: Chosen) -> bool:
    first = chosen.connections[0]
    sut = first.client if chosen.side == "client" else first.server
    return endpoint.rpartition(":")[0] == sut.rpartition(":")[0]


def _findings(chosen: Chosen, story: Story) -> list[Finding]:
    """What the oracle holds against the SUT, of what the story has."""
    there = {number for moment in story.moments for number in moment.numbers}
    found = [finding for one in chosen.connections for finding in one.findings if finding.certain and finding.packet in there]
    return [finding for finding in found if _is_sut(finding.endpoint, chosen)]


def _known(requirements: tuple[str, ...], register: Register) -> tuple[str, ...]:
    """Those that the register has; else any that it has, so that the case can be loaded."""
    known = tuple(one for one in requirements if one in register)
    return known or tuple(one.id for one in register)[:1] or requirements


def _loaded(text: str, request: ImportRequest, register: Register) -> Case:
    """The case, as it would be loaded from its file."""
    name = "imported.yaml" if request.output == "-" else Path(request.output).name
    try:
        cases, errors = load_document(read_yaml(text, name, name), register)
    except CaseError as error:
        cases, errors = [], [error]
    ready, more = build_packets(cases)
    if errors or more or len(ready) != 1:
        reason = "; ".join(str(error) for error in [*errors, *more][:3])
        raise UsageError(f"{request.file}: what is in it can be no case: {reason}")
    return ready[0]


def _check(request: ImportRequest) -> None:
    if request.sut_side not in ("", "client", "server"):
        raise UsageError(f"--sut-side {request.sut_side}: client or server")
    if request.check and (reason := registry.unknown(request.check)):
        raise UsageError(reason)
    if request.last is not None and request.last < request.first:
        raise UsageError(f"--from {request.first} --to {request.last}: the last packet is before the first")
    if request.output != "-" and (reason := unwritable(request.output)):
        raise UsageError(f"-o {request.output} cannot be written: {reason}")
    if not request.file.is_file():
        raise UsageError(f"there is no file {request.file}: name a pcap or pcapng file that can be read")


def _told(result: CaseResult) -> int:
    """Say what the stack made of the case."""
    if result.failure is None:
        print(f"{result.verdict} on {result.sut}", file=sys.stderr)
    else:
        print(ladder_text(result, {}), file=sys.stderr)
    if result.verdict is Verdict.FAIL:
        return Exit.VIOLATIONS
    return Exit.AS_REQUIRED if result.verdict in (Verdict.PASS, Verdict.SKIPPED) else Exit.ENVIRONMENT
