"""What ``conformance sut-check`` prints: a line for each check of an adapter, and what the stack lacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from conformance.sut.base import SutFault
from conformance.sut.check.costs import Costs, costs
from conformance.sut.check.finding import Finding
from conformance.sut.check.walk import LINKS, Introduction, Section, introduce, walk
from conformance.sut.manifest import Manifest
from conformance.sut.protocol import CAPABILITIES, CLOCKS

__all__ = ["check_adapter"]

_LINKS = {"socket": "a datagram socket", "tap": "a TAP device"}
_CLOCKS = {"virtual": "on the virtual clock", "real": "in real time"}
_MOST_LACKING = 15
"""Lines about what the stack has not got; the rest is counted."""


def check_adapter(
    manifest: Manifest, links: Sequence[str] = LINKS, clocks: Sequence[str] = CLOCKS, suite: Path | None = None, *, verbose: bool = False
) -> int:
    """Check it and print what was found; the exit status: 0 all right, 1 something lacks, 3 it cannot be started.

    Args:
        links, clocks: only these.
        suite: the case folder, to count the cases that cannot be played.
        verbose: show what was said and sent where something lacks.
    """
    printer = _Printer(verbose)
    try:
        introduction = introduce(manifest, links)
    except SutFault as fault:
        printer.line(f"{manifest.name} cannot be started: {fault}", "bold red")
        return 3
    printer.introduction(manifest, introduction)
    for one in walk(manifest, introduction, clocks):
        if isinstance(one, Section):
            printer.line(f"\nOver {_LINKS[one.link]}, {_CLOCKS[one.clock]}", "bold")
        else:
            printer.finding(one)
    if suite is not None:
        from conformance.case.loader import load_suite

        printer.costs(costs(load_suite(suite).cases, introduction.description))  # what is wrong with a case is not said here
    return printer.sum()


class _Printer:
    """What was printed so far decides the exit status."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._console = Console(highlight=False, soft_wrap=True)
        self._made = self._lacking = 0
        self._absent: set[Finding] = set()

    def line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style))

    def introduction(self, manifest: Manifest, introduction: Introduction) -> None:
        described = introduction.description
        self.line(f"{described.name} {described.version}, behind {manifest.command[0]}", "bold")
        capabilities = sorted(described.capabilities, key=list(CAPABILITIES).index)
        for title, words in (("clocks", described.clocks), ("capabilities", capabilities), ("calls", sorted(described.calls))):
            self.line(f"  {title}: {', '.join(words) or 'none'}")
        for link, trouble in introduction.links.items():
            if trouble:
                self.line(f"  – over {_LINKS[link]}: {trouble}", "dim")
        for name in introduction.unknown:
            self.line(f"  – {name}: this tester knows no such thing; a slip of the pen?", "yellow")

    def finding(self, finding: Finding) -> None:
        """What is not offered is said once."""
        if finding.not_offered:
            if finding not in self._absent:
                self.line(f"  – {finding.title}: {finding.not_offered}", "dim")
                self._absent.add(finding)
            return
        self._made += 1
        if not finding.lacks:
            self._console.print(Text.assemble(("  ✓", "green"), f" {finding.title}"))
            return
        self._lacking += 1
        self._console.print(Text.assemble(("  ✗", "bold red"), f" {finding.title}: {finding.lacks}"))
        for line in finding.dialogue if self._verbose else ():
            self.line(f"      {line}", "dim")

    def costs(self, found: Costs) -> None:
        """All of it with ``verbose``."""
        if not found.lacking:
            return
        shown = found.lacking if self._verbose else found.lacking[:_MOST_LACKING]
        self.line(
            f"\n{found.played} of the suite's {found.cases} case runs can be played; what the others ask for, and the stack has not:",
            "bold",
        )
        longest = max(len(name) for name, _, _ in shown)
        self.line(f"  {'':{longest}}  case runs  for it alone", "dim")
        for name, count, alone in shown:
            meaning = CAPABILITIES.get(name.removeprefix("capability "), "")
            self.line(f"  {name:{longest}}  {count:9}  {alone:12}  {meaning and f'the stack {meaning}'}".rstrip())
        if len(found.lacking) > len(shown):
            self.line(f"  and {len(found.lacking) - len(shown)} more, each for fewer")

    def sum(self) -> int:
        """The last line, and the exit status."""
        if self._lacking or not self._made:
            self.line(
                f"\n{self._lacking} of {self._made} checks found something" if self._made else "\nThere was nothing to check", "bold red"
            )
            return 1
        self.line(f"\nAll {self._made} checks found what PROTOCOL.md asks for", "bold green")
        return 0
