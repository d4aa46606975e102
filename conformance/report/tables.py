"""Tables for the commands that explain the program itself: doctor, suts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.case.settings import SETTINGS
from conformance.doctor import Finding
from conformance.sut.registry import SUTS

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
    for sut in SUTS:
        missing = [finding.subject for finding in findings if not finding.works and finding.needed_for in (sut, "everything")]
        if missing:
            console.print(Text(f"The SUT {sut} cannot run here: {', '.join(missing)}.", "bold red"))
        else:
            console.print(Text(f"The SUT {sut} can run here: conformance run --sut {sut}", "bold green"))
            some = True
    return 0 if some else 3


def _values(schema: Mapping[str, Any]) -> str:
    """What a setting may be, from its schema."""
    if "enum" in schema:
        return " ".join(schema["enum"])
    return f"{schema['minimum']}..{schema['maximum']}" if "minimum" in schema else f"such as {schema['examples'][0]}"


def show_suts() -> None:
    """What `conformance suts` prints."""
    console = Console(highlight=False)
    table = Table("SUT", "what it is", box=None, padding=(0, 2, 0, 0))
    for name, entry in SUTS.items():
        table.add_row(name, entry.title)
    console.print(table)
    console.print()
    settings = Table("setting", "values", "what it means", box=None, padding=(0, 2, 0, 0))
    for name, setting in SETTINGS.items():
        settings.add_row(name, _values(setting.kind.schema()), f"{setting.meaning} (default {setting.default})")
    console.print(settings)
