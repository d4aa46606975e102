"""Modules from texts in memory: those of a mutant, in a process of its own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import CodeType, ModuleType

__all__ = ["Compiled", "load"]


class Compiled:
    """The code of the subject's modules, compiled once for all mutants."""

    def __init__(self, sources: Mapping[str, str], modules: Mapping[str, str]) -> None:
        self.modules = modules
        self._code = {file: compile(text, file, "exec", dont_inherit=True) for file, text in sources.items()}

    def with_texts(self, texts: Mapping[str, str]) -> dict[str, CodeType]:
        """By file, with these files' texts instead. Raises SyntaxError."""
        return {**self._code, **{file: compile(text, file, "exec", dont_inherit=True) for file, text in texts.items()}}


class _Finder(MetaPathFinder, Loader):
    def __init__(self, code: Mapping[str, CodeType], modules: Mapping[str, str]) -> None:
        self._code, self._modules = code, modules

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002
        file = self._modules.get(name)
        return None if file is None else spec_from_loader(name, self, origin=file, is_package=file.endswith("/__init__.py"))

    def exec_module(self, module: ModuleType) -> None:
        file = self._modules[module.__name__]
        module.__file__ = file
        exec(self._code[file], module.__dict__)


def load(code: Mapping[str, CodeType], modules: Mapping[str, str]) -> None:
    """Load all modules anew. Only for a process that ends afterwards: what was loaded before stays bound to what it was bound to."""
    for name in modules:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _Finder(code, modules))
    # Those that join the stack to the tester come last in the list and first here: circles are entered as they always are.
    for name in reversed(modules):
        importlib.import_module(name)
