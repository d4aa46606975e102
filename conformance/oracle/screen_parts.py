"""Some packets of a run, connection by connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Truths = NDArray[np.bool_]

__all__ = ["Part"]


@dataclass(slots=True)
class Part:
    """Some packets of a run, sorted by connection: those of ``names[i]`` are the rows ``order[starts[i] : starts[i + 1]]``."""

    order: Numbers
    starts: Numbers
    names: list[bytes]

    def connection(self) -> Numbers:
        """Which one each packet is of."""
        return np.repeat(np.arange(len(self.names)), np.diff(self.starts))

    def counted(self, those: Truths) -> Numbers:
        """How many of each connection's."""
        return np.add.reduceat(those.astype(np.int64), self.starts[:-1]) if self.names else np.zeros(0, np.int64)

    def only(self, those: Truths) -> Part:
        """Some of the packets, and their connections."""
        if those.all():
            return self
        sizes = self.counted(those)
        there = np.flatnonzero(sizes)
        return Part(self.order[those], np.append(0, np.cumsum(sizes[there])), [self.names[place] for place in there.tolist()])
