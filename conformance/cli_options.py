"""What several subcommands take, and what they make of it; see :mod:`conformance.cli`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from conformance.wire.segment import Family

__all__ = ["Cases", "FamilyList", "Keyword", "Paths", "SutName", "case_folder", "families"]

Paths = Annotated[list[Path] | None, typer.Argument(metavar="[PATH]...", help="Case files and folders; all cases if none is given.")]
Cases = Annotated[Path | None, typer.Option("--cases", help="The case folder. Default: ./cases, else the one that came with the program.")]
Keyword = Annotated[
    str, typer.Option("-k", metavar="EXPR", help="Only cases whose id fits: words with and, or, not, parentheses; or a whole id.")
]
FamilyList = Annotated[str, typer.Option("--family", metavar="LIST", help="Address families: ipv4,ipv6.")]
SutName = Annotated[
    str,
    typer.Option(
        "--sut", metavar="NAME", show_default=False,
        help="The stack under test, or the path of an adapter.yaml; `conformance suts` lists them. Default: linux where this machine can "
        "test it, else reference. For `run` also several, with commas between them: a matrix.",
    ),
]  # fmt: skip


def case_folder(given: Path | None) -> Path:
    """The folder of ``--cases``."""
    if given is not None:
        return given
    here = Path("cases")
    return here if here.is_dir() else Path(__file__).resolve().parents[1] / "cases"


def families(text: str) -> tuple[Family, ...]:
    """Those of ``--family``."""
    from conformance.wire.segment import Family

    try:
        return tuple(Family(name.strip()) for name in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r}: ipv4, ipv6 or both", param_hint="--family") from None
