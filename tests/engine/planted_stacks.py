"""The reference stack with a curated bug planted in it, and as it is, side by side in one process."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from conformance.result import SutFacts
from conformance.sut.base import VirtualBed, VirtualSut
from tests.mutants import curated
from tests.mutants.loading import Compiled, load
from tests.mutants.subject import ROOT, StackAndSuite

__all__ = ["planted"]


@cache
def _subject() -> StackAndSuite:
    return StackAndSuite(only=[ROOT / "cases/handshake/passive-open.yaml"])


@cache
def _compiled() -> Compiled:
    return Compiled(_subject().sources, _subject().modules)


class _Switched:
    """A stack whose modules are those that are loaded while it plays: some are imported no sooner."""

    def __init__(self, name: str, modules: Mapping[str, ModuleType]) -> None:
        self.name = name
        self._modules = modules
        self._sut: VirtualSut = modules["conformance.sut.reference"].Reference()
        self.capabilities = self._sut.capabilities
        self.features = self._sut.features

    def facts(self) -> SutFacts:
        return SutFacts(self.name, "1", "stack")

    def lacks(self, config: Mapping[str, object]) -> str | None:
        return self._sut.lacks(config)

    def virtual_bed(self, config: Mapping[str, object]) -> VirtualBed:
        _put(self._modules)
        return self._sut.virtual_bed(config)

    def close(self) -> None:
        pass


@contextmanager
def planted(name: str) -> Iterator[tuple[VirtualSut, VirtualSut]]:
    """The stack with the bug of this name, called ``mutant``, and the right one, called ``reference``."""
    sources, modules = _subject().sources, _subject().modules
    right = {module: importlib.import_module(module) for module in modules}
    path = list(sys.meta_path)
    bug = next(bug for bug in curated.read() if bug.name == name)
    try:
        load(_compiled().with_texts(curated.apply(bug, sources).texts), modules)
        wrong = {module: sys.modules[module] for module in modules}
        yield _Switched("mutant", wrong), _Switched("reference", right)
    finally:
        sys.meta_path[:] = path
        _put(right)


def _put(modules: Mapping[str, ModuleType]) -> None:
    sys.modules.update(modules)
    for name, module in modules.items():
        package, _, child = name.rpartition(".")
        setattr(sys.modules[package], child, module)
