"""Where captures are that are part of the suite: a YAML file beside each, in ``captures/regressions/`` next to the case folder.

Nothing here takes time to import: pytest asks of every YAML file whether it is one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Asked", "capture_of", "regressions_folder", "sort_paths", "suite_of"]

SUFFIXES = (".pcapng", ".pcap", ".pcapng.gz", ".pcap.gz")
_YAML = (".yaml", ".yml")
_BELOW = ("captures", "regressions")


def capture_of(file: Path) -> Path | None:
    """The capture that a YAML file is about: the one beside it that has its name; None if there is none."""
    if file.suffix not in _YAML:
        return None
    return next((path for suffix in SUFFIXES if (path := file.with_name(file.stem + suffix)).is_file()), None)


def regressions_folder(root: Path) -> Path:
    """The folder that belongs to a case folder."""
    return Path(os.path.normpath(root.joinpath(os.pardir, *_BELOW)))


def suite_of(file: Path) -> Path | None:
    """The case folder to which a capture's YAML file belongs; None if the file is none."""
    folder = file.parent
    if folder.parts[-2:] != _BELOW or capture_of(file) is None:
        return None
    return folder.parent.parent / "cases"


@dataclass(slots=True)
class Asked:
    """The files that somebody asked for."""

    cases: list[Path] = field(default_factory=list)
    """Files and folders with cases."""
    regressions: list[Path] = field(default_factory=list)
    """YAML files beside captures."""


def sort_paths(root: Path, paths: Iterator[Path] | tuple[Path, ...] | list[Path]) -> Asked:
    """Tell captures' files from cases; without ``paths`` it is all that belongs to ``root``."""
    asked = Asked()
    given = list(paths)
    if not given:
        asked.regressions = _inside(regressions_folder(root))
    for path in given:
        found = _inside(path) if path.is_dir() else [path] if capture_of(path) else []
        if found and (path.is_file() or path.parts[-2:] == _BELOW):
            asked.regressions += found
        else:
            asked.cases.append(path)
    return asked


def _inside(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.y*ml") if capture_of(path)) if folder.is_dir() else []
