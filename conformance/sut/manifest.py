"""``adapter.yaml``: the stacks that an adapter's folder has, how they are started and built, and what that takes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from conformance.sut.base import SutFault

__all__ = ["ADAPTERS", "Manifest", "in_folder", "manifests"]

ADAPTERS = Path(__file__).parent / "adapters"
"""Those that come with the tester."""
_FILE = "adapter.yaml"
_CLOCKS, _LINKS = ("virtual", "real"), ("socket", "tap")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One stack of an adapter."""

    name: str
    title: str
    command: tuple[str, ...]
    """The program, with its folder, and its arguments."""
    folder: Path
    clock: str
    link: str
    file: Path
    build: tuple[str, ...] = ()
    tools: Mapping[str, str] | None = None
    """Programs and files that it takes, and what has them."""

    def missing(self) -> list[str]:
        """What is not there that it takes: ``gcc (install gcc)``."""
        return [f"{tool} (install {package})" for tool, package in (self.tools or {}).items() if not _there(tool)]

    @property
    def built(self) -> bool:
        """Is its program there?"""
        return _there(self.command[0])


def _there(tool: str) -> bool:
    return Path(tool).exists() if "/" in tool else shutil.which(tool) is not None


@cache
def manifests() -> Mapping[str, Manifest]:
    """The stacks that come with the tester, by name."""
    return {one.name: one for file in sorted(ADAPTERS.glob(f"*/{_FILE}")) for one in in_folder(file)}


def in_folder(file: Path) -> Iterator[Manifest]:
    """The stacks of an ``adapter.yaml``.

    Raises:
        SutFault: the file is not what it should be; the message says what is wrong.
    """
    try:
        data = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise SutFault(f"{file} cannot be read: {' '.join(str(error).split())}") from None
    suts = _mapping(file, data, "a mapping with suts:").get("suts")
    build, tools = data.get("build", []), _mapping(file, data.get("tools") or {}, "tools: a mapping of programs to what has them")
    for name, entry in _mapping(file, suts, "suts: a mapping of names to entries", some=True).items():
        given = _mapping(file, entry, f"{name}: a mapping")
        command = _words(file, given.get("command"), f"{name}.command")
        yield Manifest(
            name=str(name),
            title=str(given.get("title", name)),
            command=(_program(file.parent, command[0]), *command[1:]),
            folder=file.parent,
            clock=_choice(file, given.get("clock", "real"), f"{name}.clock", _CLOCKS),
            link=_choice(file, given.get("link", "socket"), f"{name}.link", _LINKS),
            file=file,
            build=tuple(_words(file, build, "build")) if build else (),
            tools={str(tool): str(package) for tool, package in tools.items()},
        )


def _program(folder: Path, program: str) -> str:
    if program == "python":  # the one that has this package and what it needs
        return sys.executable
    return str(folder.resolve() / program) if "/" in program else program


def _mapping(file: Path, value: object, what: str, *, some: bool = False) -> dict[Any, Any]:
    if not isinstance(value, dict) or (some and not value):
        raise SutFault(f"{file}: {what} is expected")
    return value


def _words(file: Path, value: object, what: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise SutFault(f"{file}: {what} must be a list of words, such as [build/adapter, --fast]")
    return value


def _choice(file: Path, value: object, what: str, words: tuple[str, ...]) -> str:
    if value not in words:
        raise SutFault(f"{file}: {what} must be {' or '.join(words)}, not {value!r}")
    return str(value)
