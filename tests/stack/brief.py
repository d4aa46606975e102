"""Values as Python reads them again, without what is as usual: a schedule that failed is to be pasted into a test."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any

__all__ = ["Brief", "brief"]


def brief(value: object) -> str:
    """Its ``repr``; of a dataclass only the fields that differ from their defaults."""
    if isinstance(value, bytes) and len(value) > 8 and not any(value):
        return f"bytes({len(value)})"
    if isinstance(value, tuple) and type(value) is tuple:
        return f"({', '.join(map(brief, value))}{',' if len(value) == 1 else ''})"
    if not is_dataclass(value) or isinstance(value, type):
        return repr(value)
    told = []
    for field in fields(value):
        own = getattr(value, field.name)
        if field.default is MISSING or own != field.default:
            told.append(f"{field.name}={brief(own)}")
    return f"{type(value).__name__}({', '.join(told)})"


class Brief:
    """A dataclass (with ``repr=False``) that shows itself so."""

    def __repr__(self) -> str:
        return brief(self)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """The same to Hypothesis, which else tells all."""
        printer.text(brief(self))
