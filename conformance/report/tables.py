"""Tables for the commands that explain the program itself: doctor, suts."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.case.settings import SETTINGS
from conformance.doctor import Finding
from conformance.link.errors import EnvironmentFault
from conformance.sut.registry import SUTS, make

__all__ = ["show_findings", "show_suts"]


def show_findings(findings: Sequence[Finding]) -> int:
    """What `conformance doctor` found. Returns 0 if some SUT can run here, else 3."""
    console = Console(highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for finding in findings:
        mark = Text("✓", "green") if finding.works else Text("✗", "red" if finding.needed_for else "yellow")
        table.add_row(mark, Text(finding.subject), Text(f"{finding.detail}\n→ {finding.remedy}" if finding.remedy else finding.detail))
    console.print(table)
    console.print()
    some = False
    for sut in (name for name, entry in SUTS.items() if entry.manifest is None):
        missing = [finding.subject for finding in findings if not finding.works and finding.needed_for in (sut, "everything")]
        if missing:
            console.print(Text(f"The SUT {sut} cannot run here: {', '.join(missing)}.", "bold red"))
        else:
            console.print(Text(f"The SUT {sut} can run here: conformance run --sut {sut}", "bold green"))
            some = True
    console.print(Text("Stacks behind adapters: conformance suts", "dim"))
    return 0 if some else 3


def _values(schema: Mapping[str, Any]) -> str:
    """What a setting may be, from its schema."""
    if "enum" in schema:
        return " ".join(schema["enum"])
    return f"{schema['minimum']}..{schema['maximum']}" if "minimum" in schema else f"such as {schema['examples'][0]}"


def _here(name: str) -> tuple[bool, str]:
    """Can it be tested here? Its version, or what it lacks."""
    if SUTS[name].manifest is None and name == "linux":
        return True, platform.release()
    try:
        sut = make(name)
    except EnvironmentFault as fault:
        return False, str(fault)
    with contextlib.closing(sut):
        return True, sut.facts().version


def show_suts() -> None:
    """What `conformance suts` prints."""
    console = Console(highlight=False)
    table = Table("SUT", "what it is", "here", box=None, padding=(0, 2, 0, 0))
    with ThreadPoolExecutor(len(SUTS)) as pool:  # each is asked what it is: some have to be started for that
        for (name, entry), (ready, text) in zip(SUTS.items(), pool.map(_here, SUTS), strict=True):
            table.add_row(name, entry.title, Text(text, "green" if ready else "yellow"))
    console.print(table)
    console.print()
    settings = Table("setting", "values", "what it means", box=None, padding=(0, 2, 0, 0))
    for name, setting in SETTINGS.items():
        settings.add_row(name, _values(setting.kind.schema()), f"{setting.meaning} (default {setting.default})")
    console.print(settings)
