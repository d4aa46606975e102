"""What the screen remembers of each connection: a column for each thing, two numbers in it for its client and its server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

__all__ = ["NEVER", "NONE", "State"]

NONE = -1
NEVER = 1 << 62
"""Of a shortest time: there was none yet."""


class State:
    """Of some connections; row ``i`` of each column is connection ``i``'s. Sequence numbers are as they stand in the header.

    All columns are rows of one matrix, so that those of some connections are fetched and put back at once.
    """

    # Of the connection, in the place of its client
    packets: Numbers
    key: Numbers
    """That of its packets; see :attr:`conformance.capture.columns.Columns.key`."""
    number: Numbers
    first: Numbers
    """The number of its first packet."""
    last: Numbers
    last_t: Numbers
    client: Numbers
    """Is the client the lower of the two endpoints?"""
    ts_ok: Numbers
    # Of each side
    host: Numbers
    """What stands for its address."""
    isn: Numbers
    spoke: Numbers
    """Packets that it has sent; with the second it is synchronized."""
    top: Numbers
    """SND.NXT."""
    length: Numbers
    """Octets from the ISN to there."""
    acked: Numbers
    """What it acknowledged last; NONE: nothing."""
    edge: Numbers
    """The rightmost end of the window that it announced."""
    edge_last: Numbers
    window: Numbers
    """The last, in octets."""
    raw: Numbers
    """The same, as it stands in the header."""
    shift: Numbers
    mss: Numbers
    """What it takes at most."""
    wscale: Numbers
    """Of its SYN, or NONE."""
    fin: Numbers
    rst: Numbers
    since: Numbers
    """Has anything come to it since it sent something?"""
    sent: Numbers
    """Segments with data, SYN or FIN that it sent."""
    acknowledged: Numbers
    """How many of them are."""
    most: Numbers
    """Octets of its largest segment."""
    burst: Numbers
    """Octets that it has sent since a pause, if nothing has come since."""
    joined: Numbers
    """Some of its segments stand for several: hardware was left to split them."""
    t: Numbers
    """When it sent its last."""
    stamp: Numbers
    """Its TSval in that, or NONE."""
    first_stamp: Numbers
    first_stamp_t: Numbers
    """Of its first packet without SYN; 0: none yet."""
    recent: Numbers
    """The TSval of its that the other side has as TS.Recent, as far as that is certain."""
    reaction: Numbers
    """ns: its quickest answer."""
    outbound: Numbers
    deaf: Numbers
    """It did not get what was captured on its way to it, or later: the capture was taken elsewhere."""
    doubtful: Numbers
    """It did what it must not do if the capture was taken near to it."""

    def __init__(self, matrix: NDArray[np.int64]) -> None:
        self._hold(matrix)

    def _hold(self, matrix: NDArray[np.int64]) -> None:
        self.matrix = matrix
        for name, column in zip(_FIELDS, matrix, strict=True):
            setattr(self, name, column)

    @classmethod
    def blank(cls, size: int) -> State:
        """So many connections of which nothing is known."""
        state = cls(np.empty((len(_FIELDS), size, 2), np.int64))
        state.clear(slice(None))
        return state

    def grow(self, more: int) -> None:
        """Room for so many more."""
        self._hold(np.concatenate([self.matrix, State.blank(more).matrix], axis=1))

    def clear(self, rows: NDArray[np.int64] | slice) -> None:
        """Forget all about these."""
        self.matrix[:, rows] = _BLANK[:, None, None]

    def take(self, rows: NDArray[np.int64]) -> State:
        """A copy of these rows."""
        return State(self.matrix.take(rows, axis=1))

    def put(self, rows: NDArray[np.int64], other: State) -> None:
        """Put back what was taken."""
        self.matrix[:, rows] = other.matrix


_FIELDS = tuple(State.__annotations__)
_BLANKS = {"reaction": NEVER} | dict.fromkeys(("acked", "outbound", "wscale", "stamp", "recent"), NONE)
_BLANK = np.array([_BLANKS.get(name, 0) for name in _FIELDS], np.int64)
