"""Which files are cases: the walk through a case folder, and the folder that a file given by itself belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.case.errors import CaseError

__all__ = ["CaseFilePath", "discover", "root_of", "yaml_files"]

_SUFFIXES = (".yaml", ".yml")
_SIDE_FOLDERS = ("preambles", "requirements", "expectations")
_MARKS = ("preambles", "requirements")
"""A folder that holds one of these is a case folder."""


@dataclass(frozen=True, slots=True)
class CaseFilePath:
    """A file with cases: where it is, its case folder, and its path below that without the suffix, which begins the ids."""

    path: Path
    root: Path
    relative: str
    """With the suffix."""

    @property
    def name(self) -> str:
        """The part of the id that comes before the brackets."""
        return os.path.splitext(self.relative)[0]  # noqa: PTH122 (a Path for each of thousands of cases takes its time)


def discover(root: Path, paths: Sequence[Path] = ()) -> tuple[list[CaseFilePath], list[CaseError]]:
    """The case files below ``root``, or only those that ``paths`` (files and folders) lead to, in the order of their names.

    Links that lead out of their case folder, and paths that do not exist, are errors.
    """
    errors: list[CaseError] = []
    found: dict[Path, CaseFilePath] = {}
    for given in paths or (root,):
        if not given.exists():
            errors.append(CaseError("no such file or folder", str(given), expected="a case file or a folder with cases"))
            continue
        base = root if _below(given, root) else root_of(given)
        if any(_below(given, base / folder) for folder in _SIDE_FOLDERS):
            errors.append(CaseError("no cases are here", str(given), expected=f"a folder beside {', '.join(_SIDE_FOLDERS)}"))
            continue
        inside = _below(given, base)
        for path in _case_files(given, base, errors):
            relative = os.path.relpath(path, base).replace(os.sep, "/") if inside else path.name
            found.setdefault(path.absolute(), CaseFilePath(path, base, relative))
    return list(found.values()), errors


def _case_files(given: Path, root: Path, errors: list[CaseError]) -> Iterator[Path]:
    """The files that ``given`` leads to, of whatever name if it is a file."""
    limit = root.resolve()
    for path in yaml_files(given, root, errors) if given.is_dir() else (given,):
        if path.is_symlink() and not path.resolve().is_relative_to(limit):
            errors.append(CaseError("a link that leads out of the case folder", str(path), found=str(path.resolve())))
        elif path.is_file():
            yield path


def yaml_files(folder: Path, root: Path, errors: list[CaseError]) -> Iterator[Path]:
    """YAML files at any depth, links too, but for hidden ones and the folders beside the cases. Links to folders are not followed."""

    def unreadable(error: OSError) -> None:
        errors.append(CaseError(f"cannot be read: {error.strerror}", str(error.filename)))

    for directory, folders, names in os.walk(folder, onerror=unreadable):
        here = Path(directory)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not (here == root and name in _SIDE_FOLDERS))
        links = [name for name in folders if (here / name).is_symlink()]
        yield from (here / name for name in sorted(names) if name.endswith(_SUFFIXES) and not name.startswith("."))
        yield from (here / name for name in links)


def root_of(path: Path) -> Path:
    """The case folder of a file or folder that was given by itself: the nearest one around it that holds preambles or registers."""
    start = path if path.is_dir() else path.parent
    around = (start.absolute(), *start.absolute().parents)
    found = next((folder for folder in around if any((folder / mark).is_dir() for mark in _MARKS)), None)
    if found is None:
        return start
    return Path(os.path.relpath(found)) if not path.is_absolute() else found


def _below(path: Path, root: Path) -> bool:
    # The parent is resolved, not the path: a link in the case folder belongs to it wherever it leads.
    return (path.absolute().parent.resolve() / path.name).is_relative_to(root.resolve()) or path.resolve() == root.resolve()
