"""What a check is, and what becomes of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.wire.segment import Family

if TYPE_CHECKING:
    from conformance.sut.check.desk import Desk

__all__ = ["Check", "Finding", "Lack", "NotOffered"]


class Lack(Exception):
    """The adapter does something else than the protocol asks for."""

    def __init__(self, expected: str, came: str) -> None:
        super().__init__(f"expected {expected}; came {came}")


class NotOffered(Exception):
    """The adapter need not have what this is about, and has not."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that an adapter does if it is right."""

    title: str
    """A sentence that is true of one that passes."""
    walk: Callable[[Desk, Family], None]
    """Raises Lack, NotOffered, or SutFault if the tester would have given the adapter up."""
    needs: tuple[str, ...] = ()
    """Features (:mod:`conformance.case.features`) without which it is not asked for."""
    clocks: tuple[str, ...] = ("virtual", "real")
    families: bool = True
    """Is it made once for each address family?"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a check."""

    title: str
    lacks: str = ""
    """What was expected and what came; empty if all is right."""
    not_offered: str = ""
    dialogue: tuple[str, ...] = ()
    """What was said and sent."""
