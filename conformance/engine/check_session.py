"""A whole check: from the captures on the command line to findings, reports and an exit status."""

from __future__ import annotations

import contextlib
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from conformance.engine.checking import judge_file
from conformance.engine.excerpts import excerpts
from conformance.engine.interruption import Interruption
from conformance.engine.spool import spooled
from conformance.engine.status import Exit, UsageError
from conformance.oracle.finding import Connection, Vantage, Verdict
from conformance.report.check.account import Account
from conformance.report.check.console import CheckConsole
from conformance.report.check.excerpt import Excerpt
from conformance.report.check.notes import MOST, Notes
from conformance.report.check.progress import ReadingProgress
from conformance.report.check.records import CheckLines, CheckSummary, FileRecord
from conformance.report.check.summary import FileSummary
from conformance.report.files import unwritable, written_whole
from conformance.report.safe_text import printable

__all__ = ["CheckRequest", "check"]

SHOWN = 5
"""Connections that are shown in full, unless all are asked for."""
KEPT = 1000
"""Connections of which is remembered what is held against them, the worst of all files. ``--json`` has any number."""


NAMED = 3
"""Files that a command is suggested with."""


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What to judge, and what to write."""

    files: tuple[str, ...]
    """``-`` is standard input."""
    vantage: str = ""
    json: str | None = None
    pcapng: str | None = None
    only: frozenset[int] = frozenset()
    """The numbers of the connections that are asked for; none: all."""
    every: bool = False
    """Show all connections with findings, and what is ambiguous too."""
    quiet: bool = False


def check(request: CheckRequest) -> int:
    """Do it, and return the exit status."""
    _refuse(request)
    with contextlib.ExitStack() as stack:
        interruption = stack.enter_context(Interruption())
        lines = stack.enter_context(CheckLines(request.json)) if request.json else None
        return _Check(request, interruption, stack, lines).run()


def _refuse(request: CheckRequest) -> None:
    """Say what cannot be before anything is read."""
    if request.vantage not in ("", *Vantage):
        raise UsageError(f"there is no vantage {request.vantage!r}: {', '.join(Vantage)}")
    outputs = [(option, path) for option, path in (("--json", request.json), ("--pcapng", request.pcapng)) if path is not None]
    if len(request.files) > 1 and request.pcapng is not None:
        raise UsageError(f"--pcapng annotates one capture, and {len(request.files)} are given: check them one at a time")
    if [path for _, path in outputs].count("-") > 1:
        raise UsageError("only one of --json and --pcapng can go to standard output")
    for option, path in outputs:
        if path == "-":
            continue
        if reason := unwritable(path, in_place=option == "--json"):
            raise UsageError(printable(f"{option} {path} cannot be written: {reason}"))
        if any(_same(path, file) for file in request.files):
            raise UsageError(printable(f"{option} {path} would overwrite a capture that is to be read: give another name"))
    if "-" in request.files and sys.stdin.isatty():
        raise UsageError("- is standard input, which is a terminal here: a capture is expected there, such as from tcpdump -w -")


def _same(one: str, other: str) -> bool:
    with contextlib.suppress(OSError):
        return Path(one).samefile(other)
    return False


@dataclass(slots=True)
class _Kept:
    """The accounts that are worth remembering, each with the place of its file on the command line, the worst first."""

    accounts: list[tuple[int, Account]] = field(default_factory=list)
    forgotten: int = 0

    def add(self, place: int, account: Account) -> None:
        self.accounts.append((place, account))
        if len(self.accounts) >= 2 * KEPT:
            self.sort()

    def sort(self) -> None:
        self.accounts.sort(key=lambda entry: (entry[1].weight, entry[0], entry[1].connection.number))
        self.forgotten += len(self.accounts[KEPT:])
        del self.accounts[KEPT:]


@dataclass(slots=True)
class _Check:
    """A check that is going on."""

    request: CheckRequest
    interruption: Interruption
    stack: contextlib.ExitStack
    """Holds the copies of what came through pipes until nobody reads them any more."""
    lines: CheckLines | None
    kept: _Kept = field(default_factory=_Kept)
    notes: Notes = field(default_factory=Notes)
    paths: list[Path] = field(default_factory=list)
    total: FileSummary = field(default_factory=FileSummary)
    broken: int = 0
    ended: int = 0
    """The signal that came while a pipe was read."""
    seen: set[int] = field(default_factory=set)
    """Of the connections that are asked for."""

    def run(self) -> int:
        """All files, one after the other, then what is to be said of them together."""
        request, started = self.request, time.monotonic()
        console = None
        if not request.quiet:
            console = CheckConsole(sys.stderr if "-" in (request.json, request.pcapng) else sys.stdout, every=self._all)
        for place, name in enumerate(request.files):
            if not self._signal:
                self._file(place, name, console)
        self._annotate()
        seconds, interrupted = time.monotonic() - started, bool(self._signal)
        if self.lines:
            self.lines.finish(CheckSummary.of(self.total, len(self.paths), self.broken, seconds, interrupted))
        if console:
            self._show(console)
            console.finish(
                self.total, len(self.paths), self.broken, seconds,
                interrupted=interrupted, asked=bool(request.vantage), commands=list(self._commands()),
            )  # fmt: skip
        return 128 + self._signal if self._signal else self._exit()

    @property
    def _signal(self) -> int:
        """The signal that is to end it; 0 if none came."""
        return self.interruption.signal or self.ended

    @property
    def _all(self) -> bool:
        return self.request.every or bool(self.request.only)

    # Reading ----------------------------------------------------------------------------------------------------------

    def _file(self, place: int, name: str, console: CheckConsole | None) -> None:
        try:
            path = self.stack.enter_context(spooled(name, lambda: self.interruption.signal))
        except OSError as error:
            path, summary = Path(name), FileSummary(error=f"it cannot be read ({error.strerror or error})")
        else:
            if path != Path(name):  # it ends what came through a pipe, which is judged all the same; another one ends that too
                self.ended, self.interruption.signal = self.interruption.signal, 0
            with self._progress(path, name, "reading") as progress:
                summary = judge_file(
                    path,
                    Vantage(self.request.vantage) if self.request.vantage else None,
                    lambda connection: self._take(place, name, connection),
                    only=self.request.only,
                    each=self.lines is not None,
                    going=lambda octets: self._going(progress, octets),
                )
        self.paths.append(path)
        self.total.add(summary)
        if self.lines:
            self.lines.file(FileRecord.of(name, summary))
        if summary.error:
            self.broken += 1
            print(printable(f"conformance: {_shown(name)}: {summary.error}"), file=sys.stderr)
        if console and (summary.packets or not summary.error):
            console.file(_shown(name), summary)

    def _take(self, place: int, name: str, connection: Connection) -> None:
        if self.lines:
            self.lines.connection(name, connection)
        if self.request.pcapng is not None:
            self.notes.take(connection)
        if self.request.only:
            self.seen.add(connection.number)
        if self.request.only or any(self._all or finding.certain for finding in connection.findings):
            self.kept.add(place, Account.of(_shown(name), connection, ambiguous=self._all))

    def _going(self, progress: ReadingProgress, octets: int) -> bool:
        progress(octets)
        return not self.interruption.signal

    def _progress(self, path: Path, name: str, what: str) -> ReadingProgress:
        size = path.stat().st_size if path.is_file() else 0
        return ReadingProgress(None if self.request.quiet else sys.stderr, _shown(name), size, what)

    # Showing ----------------------------------------------------------------------------------------------------------

    def _annotate(self) -> None:
        """Write the annotated capture."""
        from conformance.capture.annotate import annotate

        request = self.request
        if request.pcapng is None or self.broken or self._signal:
            return
        (path,), (name,) = self.paths, request.files
        with contextlib.ExitStack() as stack:
            progress = stack.enter_context(self._progress(path, name, "annotating"))
            target = sys.stdout.buffer if request.pcapng == "-" else stack.enter_context(written_whole(request.pcapng))
            annotate(path, target, self.notes.texts, f"conformance check {name}", progress)

    def _show(self, console: CheckConsole) -> None:
        self.kept.sort()
        accounts = self.kept.accounts
        shown = accounts if self._all else accounts[:SHOWN]
        console.connections(self._explained(shown), show=self._wireshark, again=self._again)
        console.others([account for _, account in accounts[len(shown) :]], self.kept.forgotten)

    def _explained(self, accounts: list[tuple[int, Account]]) -> Iterator[tuple[Account, Excerpt | None]]:
        """Each account with the packets that belong to it; every file is read once more."""
        found: dict[int, Excerpt] = {}
        for place, path in enumerate(self.paths):
            of_file = [account for where, account in accounts if where == place]
            made = excerpts(path, [(account.connection, account.focus) for account in of_file]) if of_file else []
            found.update((id(account), excerpt) for account, excerpt in zip(of_file, made, strict=True))
        for _, account in accounts:
            yield account, found.get(id(account))

    def _commands(self) -> Iterator[tuple[str, str]]:
        """What else there is to see, and how."""
        found, files = self.total.findings, self.request.files
        if self.notes.dropped:
            yield "annotated", f"{MOST} of {found.total()} findings"
        if self.notes.texts:
            worst = next(verdict for verdict in Verdict if found[verdict])
            yield "filter", f'frame.comment contains "({worst})"'
        if "-" in files or not found.total():
            return
        if not self._all and found[Verdict.AMBIGUOUS]:
            yield "ambiguous", self._command(*(files if len(files) <= NAMED else ["FILE..."]), "--all")
        if self.request.pcapng is None and len(files) == 1:
            yield "annotate", self._command(*files, "--pcapng", "annotated.pcapng")

    def _wireshark(self, account: Account) -> str:
        """The command that opens the capture at the spot."""
        file = account.file if self.request.pcapng in (None, "-") else self.request.pcapng
        return "" if file == _shown("-") or account.focus is None else shlex.join(["wireshark", "-r", file, "-g", str(account.focus)])

    def _again(self, account: Account) -> str:
        """The command that says all about this connection."""
        if self.request.only or account.file == _shown("-"):
            return ""
        return self._command(account.file, "-k", str(account.connection.number))

    def _command(self, *words: str) -> str:
        vantage = ["--vantage", self.request.vantage] if self.request.vantage else []
        return shlex.join(["conformance", "check", *words, *vantage])

    def _exit(self) -> Exit:
        absent = self.request.only - self.seen
        if absent and not self.broken:
            print(f"conformance: there is no connection {', '.join(map(str, sorted(absent)))}", file=sys.stderr)
        if self.total.findings[Verdict.VIOLATION]:
            return Exit.VIOLATIONS
        return Exit.USAGE if self.broken or absent else Exit.AS_REQUIRED


def _shown(name: str) -> str:
    return "standard input" if name == "-" else name
