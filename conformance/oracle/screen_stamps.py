"""Timestamps as the screen looks at them (RFC 7323): each goes on from the one before, and echoes what may be TS.Recent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conformance.oracle.judge import SLACK
from conformance.oracle.screen_table import APART, Packets, Table, others, signed
from conformance.wire.segment import ACK, SYN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Truths = NDArray[np.bool_]

__all__ = ["Stamps", "stamps"]

_MS = 1_000_000
_PERHAPS = 16
"""TSvals that a side may have taken or not, as many as :attr:`conformance.oracle.side.Side.perhaps` has."""


@dataclass(slots=True)
class Stamps:
    """What was seen of them."""

    wrong: Truths
    """Rows that echo what may not have been sent."""
    doubtful: Truths
    """Voices that do what they must not do if the capture was taken near to them."""
    taken: Truths
    """Which rows have a TSval that became TS.Recent, for they stand where the last acknowledgment was (section 4.3)."""
    recent: NDArray[np.uint32]
    """Of each voice the last such TSval."""
    first: Numbers
    first_t: Numbers
    """The first TSval of each voice without SYN, counted as in the table, and when that was; 0: none yet."""


def stamps(table: Table, packets: Packets, told: Truths) -> Stamps:
    """``told`` are the rows that are no RST."""
    state, voice, stamp, t = table.state, table.voice, table.stamp, table.t
    told = told & (state.ts_ok[:, 0] != 0)[voice >> 1]
    syn = table.flags & SYN != 0
    doubtful = np.zeros(len(table.pre), np.bool_)
    back = told.copy()
    back[0] = False
    back[1:] &= stamp[1:] < stamp[:-1]
    doubtful[voice[back]] = True
    begun = table.pre + 2 - np.minimum(state.spoke.reshape(-1), 2)
    fresh = (state.first_stamp_t.reshape(-1) == 0) & (begun <= table.last)
    row = np.minimum(begun, table.last)
    first = np.where(fresh, stamp[row], signed(state.first_stamp.reshape(-1) - state.stamp.reshape(-1)))
    first_t = np.where(fresh, t[row], state.first_stamp_t.reshape(-1))
    fast = told & ~syn & (5 * _MS * (stamp - first[voice]) > 6 * (t - first_t[voice] + 20 * _MS) + 10 * _MS)
    if fast.any():
        doubtful[voice[fast]] = True
    taken = told & (syn | (table.seq <= table.ack[table.heard]))
    held = np.where(taken, np.arange(len(voice)), 0)
    held[table.pre] = table.pre
    held = np.maximum.accumulate(held)
    value = packets.ts_val[table.source]
    value[table.pre] = state.recent.reshape(-1).astype(np.uint32)
    recent = value[held]
    rows = np.flatnonzero(told & (table.flags & ACK != 0) & (packets.ts_ecr[table.source] != recent[table.heard]))
    wrong = np.zeros(len(voice), np.bool_)
    taken |= table.taken
    if len(rows):
        echo = signed(packets.ts_ecr[table.source[rows]] - others(state.stamp.reshape(-1))[voice[rows]])
        taken[table.pre] = True
        fine, sent = _known(table, rows, echo, taken)
        wrong[rows[~sent]] = True
        doubtful[voice[rows[sent & ~fine]]] = True
    return Stamps(wrong, doubtful, taken, recent[table.last], first, first_t)


def _known(table: Table, rows: Numbers, echo: Numbers, taken: Truths) -> tuple[Truths, Truths]:
    """Of what rows echo that is not TS.Recent for certain: may it be, and has it been sent at all, as far as the table goes back?

    It may be the TSval of one of the last packets which may have been taken or not, or what TS.Recent was until just now.
    """
    key = np.maximum.accumulate(table.voice * APART + table.stamp)
    heard, wanted = table.heard[rows], (table.voice[rows] ^ 1) * APART + echo
    begin = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    sent = (key[begin] == wanted) & (begin <= heard)
    last = np.minimum(np.searchsorted(key, wanted, "right") - 1, heard)  # of those with this TSval
    later = np.append(0, np.cumsum(np.diff(key) != 0))
    free = np.append(0, np.cumsum(~taken))
    perhaps = (free[last + 1] > free[np.minimum(begin, last + 1)]) & (later[heard] - later[last] < _PERHAPS)
    until = (last < heard) & (table.t[np.minimum(last + 1, len(key) - 1)] > table.t[rows] - SLACK)
    return sent & (perhaps | until), sent
