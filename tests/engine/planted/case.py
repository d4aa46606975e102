"""What a planted expectation is, and short ways to write one down."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

__all__ = ["Planted", "established", "listening", "plain"]

_MARK = re.compile(r"«([^⇒»]*)⇒([^»]*)»")
_HEAD = """\
title: One expectation is planted
requirements: [RFC9293/MUST-11]
"""


@dataclass(frozen=True, slots=True)
class Planted:
    """A case; ``«right⇒wrong»`` marks the place of the mutation.

    The line that it stands in is the one that must be blamed, unless another ends in ``# blamed``.
    """

    name: str
    field: str
    """Of the difference that the failure must show; empty where nothing came that could differ."""
    text: str
    reason: str = ""
    """What the failure's reason must say."""
    families: tuple[str, ...] = ("ipv4", "ipv6")

    @property
    def right(self) -> str:
        return _MARK.sub(r"\1", self._marked)

    @property
    def wrong(self) -> str:
        return _MARK.sub(r"\2", self._marked)

    @property
    def line(self) -> int:
        """The line that must be blamed."""
        lines = list(enumerate(self._marked.splitlines(), 1))
        blamed = [number for number, line in lines if line.endswith("# blamed")]
        return (blamed or [number for number, line in lines if "«" in line])[0]

    @property
    def _marked(self) -> str:
        # No tester is so late: what is planted must be found on a busy machine too.
        tolerance = "" if "tolerance:" in self.text else "tolerance: 1min\n"
        return f"{_HEAD}{tolerance}families: [{', '.join(self.families)}]\n{self.text}"


def plain(name: str, field: str, steps: str, *, more: str = "", reason: str = "", families: tuple[str, ...] = ("ipv4", "ipv6")) -> Planted:
    """These steps, and nothing before them; ``more`` is what the file says beside them."""
    return Planted(name, field, textwrap.dedent(more) + "steps:\n" + textwrap.dedent(steps).strip("\n") + "\n", reason, families)


def established(name: str, field: str, steps: str, *, options: str = "mss 1460", more: str = "", reason: str = "") -> Planted:
    """Steps on an established connection, the socket ``c``."""
    return plain(name, field, steps, more=f"given: {{preamble: ESTABLISHED, options: '{options}'}}\n{textwrap.dedent(more)}", reason=reason)


def listening(name: str, field: str, steps: str) -> Planted:
    """Steps with a listener, the socket ``s``."""
    return plain(name, field, steps, more="given: LISTEN\n")
