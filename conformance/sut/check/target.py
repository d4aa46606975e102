"""What is to be checked: a program with its arguments, a stack by its name, or one of an ``adapter.yaml``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conformance.link.errors import EnvironmentFault
from conformance.sut.base import SutFault
from conformance.sut.check.walk import LINKS
from conformance.sut.manifest import Manifest, in_folder, manifests
from conformance.sut.protocol import CLOCKS

__all__ = ["UsageError", "clocks", "links", "target"]


class UsageError(ValueError):
    """What was asked for is not there."""


def links(wanted: str) -> Sequence[str]:
    """Those to check over; empty: all. Raises UsageError."""
    return _one_of(wanted, LINKS)


def clocks(wanted: str) -> Sequence[str]:
    """The same of clocks."""
    return _one_of(wanted, CLOCKS)


def _one_of(wanted: str, words: Sequence[str]) -> Sequence[str]:
    if wanted and wanted not in words:
        raise UsageError(f"{wanted!r} is neither {' nor '.join(words)}")
    return (wanted,) if wanted else words


def target(words: Sequence[str]) -> Manifest:
    """``build/adapter --fast``, ``lwip``, ``some/adapter.yaml``, ``some/adapter.yaml:NAME``.

    Raises:
        UsageError: there is none of this name, or the file is not what it should be.
        EnvironmentFault: it is not built, or takes what is not here.
    """
    program, *arguments = words
    file, _, name = program.partition(":")
    if file.endswith((".yaml", ".yml")):
        found = _of_file(Path(file), name)
    elif program in manifests() and not Path(program).exists():
        found = manifests()[program]
    else:
        command = (str(Path(program).absolute()) if "/" in program else program, *arguments)
        return Manifest(Path(program).name, program, command, Path.cwd(), "virtual", "socket", Path(program))
    if arguments:
        raise UsageError(f"{program} says itself what its arguments are; {' '.join(arguments)} is too much")
    if missing := found.missing():
        raise EnvironmentFault(f"{found.name} takes what is not here: {', '.join(missing)}")
    if not found.built:
        raise EnvironmentFault(f"{found.name} is not built: {' '.join(found.build) or 'its program'} in {found.folder}")
    return found


def _of_file(file: Path, name: str) -> Manifest:
    try:
        found = {one.name: one for one in in_folder(file)}
    except SutFault as fault:
        raise UsageError(str(fault)) from None
    if (name and name not in found) or not found:
        raise UsageError(f"{file} has no {name}: {', '.join(found)}")
    return found[name] if name else next(iter(found.values()))
