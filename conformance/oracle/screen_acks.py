"""Acknowledgments as the screen looks at them: what each covers, how long that took, and how much was under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conformance.oracle.judge import SLACK
from conformance.oracle.screen_state import NEVER
from conformance.oracle.screen_table import APART, Packets, Table, others
from conformance.wire.segment import FIN, RST, SYN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Truths = NDArray[np.bool_]

__all__ = ["LONG", "Acks", "acks"]

_MS = 1_000_000
LONG = 45 * _MS
"""ns for which more than two segments may wait for an ACK, and a bit less."""
_LATE = 450 * _MS
"""ns for which anything may."""
_PAUSE, _RESTART = 1_900 * _MS, 20
"""ns of silence after which no more segments may be sent at once, and a bit less; see :mod:`conformance.oracle.underway`."""
_FIRST = 13
"""Segments that may be under way before any has been acknowledged, and some more; see :mod:`conformance.oracle.congestion`."""


@dataclass(slots=True)
class Acks:
    """What was seen of them."""

    wrong: Truths
    """Rows with more under way than any initial window."""
    doubtful: Truths
    """Voices that do what they must not do if the capture was taken near to them."""
    deaf: Truths
    """Voices that do not acknowledge what came a while ago: it was captured on its way, and has not arrived."""
    covered: Truths
    """Which rows are acknowledged in the end."""
    reaction: Numbers
    """Of each voice the quickest answer, in ns."""
    sent: Numbers
    """Of each voice how many segments it has sent, and how many of these are acknowledged."""
    acknowledged: Numbers
    most: Numbers
    """Octets of its largest."""
    burst: Numbers
    """Octets that each voice has sent since a pause, if nothing has come since."""

    @classmethod
    def blank(cls, rows: int, voices: int) -> Acks:
        """Nothing has been seen yet."""
        numbers = (np.zeros(voices, np.int64) for _ in range(5))
        return cls(np.zeros(rows, np.bool_), np.zeros(voices, np.bool_), np.zeros(voices, np.bool_), np.zeros(rows, np.bool_), *numbers)


def acks(table: Table, packets: Packets, told: Truths) -> Acks:
    """What has been acknowledged when; ``told`` are the rows that are no RST."""
    state, voice, heard, t, ack, end = table.state, table.voice, table.heard, table.t, table.ack, table.end
    at = np.flatnonzero(table.occupies)
    covers = np.searchsorted(voice[at] * APART + end[at], (voice ^ 1) * APART + ack, "right")  # the first that each row does not cover
    at = np.append(at, len(voice))
    most = np.maximum(np.maximum.reduceat(np.where(table.new, table.length, 0), table.begin), state.most.reshape(-1))
    made = Acks.blank(len(voice), len(most))
    made.most = most
    due = np.append(len(at) - 1, covers[:-1])  # the oldest that was not acknowledged before each row
    rows, oldest = _there(table, np.flatnonzero(told), at[due[told]], 1)
    waited = t[rows] - t[oldest]
    behind = ack[rows] < end[oldest]
    begun = table.pre + 2 - np.minimum(state.spoke.reshape(-1), 2)  # the first row without SYN of each voice
    since = np.where(state.spoke.reshape(-1) >= 2, -1, heard[np.minimum(begun, table.last)])
    missed = behind & (waited > SLACK + _MS * (table.length[rows] > 0)) & (oldest > since[voice[rows]])
    made.deaf[voice[rows[missed]]] = True
    late = ~behind & (waited > LONG) & (table.flags[oldest] & SYN == 0)
    _slow(made, voice[rows[late]], end[heard[rows[late]]] - ack[rows[late] - 1], waited[late])
    quick = rows[~behind]
    took = np.full(len(voice), NEVER)
    took[quick] = t[quick] - t[at[covers[quick] - 1]]
    made.reaction = np.minimum(np.minimum.reduceat(took, table.begin), state.reaction.reshape(-1))
    _under_way(table, packets, covers, at, told, made)
    _at_reset(table, covers, at, made)
    return made


def _at_reset(table: Table, covers: Numbers, at: Numbers, made: Acks) -> None:
    """What awaits an ACK, of either side, when a RST comes."""
    resets = np.flatnonzero(table.new & (table.flags & RST != 0))
    if len(resets):
        for other, first in ((0, covers[table.heard[resets]]), (1, covers[resets - 1])):
            rows, oldest = _there(table, resets, at[first], other)
            waited = table.t[rows] - table.t[oldest]
            late = (waited > LONG) & (table.flags[oldest] & SYN == 0)
            rows, heard = rows[late], table.heard[rows[late]]
            waiting = table.end[heard] - table.ack[rows - 1] if other else table.end[rows - 1] - table.ack[heard]
            _slow(made, table.voice[rows] ^ (1 - other), waiting, waited[late])


def _there(table: Table, rows: Numbers, oldest: Numbers, other: int) -> tuple[Numbers, Numbers]:
    """Those of the rows before which ``oldest`` was sent, by the same voice or, 1, the other one; and that."""
    last = table.heard[rows] if other else rows - 1
    some = oldest <= last
    rows, oldest = rows[some], oldest[some]
    some = table.voice[oldest] == table.voice[rows] ^ other
    return rows[some], oldest[some]


def _slow(made: Acks, voices: Numbers, waiting: Numbers, waited: Numbers) -> None:
    """So many octets await an ACK of these voices, the oldest for so long: more than two full segments, or for half a second?"""
    slow = (waited > _LATE) | (waiting > 2 * made.most[voices ^ 1])
    made.doubtful[voices[slow]] = True


def _under_way(table: Table, packets: Packets, covers: Numbers, at: Numbers, told: Truths, made: Acks) -> None:
    """How many segments, and octets, each voice had under way with each of its rows."""
    state, voice, heard = table.state, table.voice, table.heard
    sent = np.cumsum(table.occupies)
    known = others(covers[table.last])
    made.covered = np.zeros(len(voice), np.bool_)
    made.covered[at[:-1]] = np.arange(len(at) - 1) < known[voice[at[:-1]]]
    before = others(covers[table.pre]) - state.acknowledged.reshape(-1)
    made.sent = state.sent.reshape(-1) + sent[table.last] - sent[table.pre]
    made.acknowledged = known - before
    rows = np.flatnonzero(told & (table.length > 0))
    of = voice[rows]
    known = covers[heard[rows]]
    many = sent[rows] - known > _FIRST + known - before[of]
    if many.any():
        joined = state.joined.reshape(-1)[of] != 0
        bundles = np.cumsum(packets.offloaded[table.source] & table.new)
        joined |= bundles[rows] > bundles[table.pre[of]]
        made.doubtful[of[many & ~joined]] = True
    mine, oldest = _there(table, rows, at[known], 0)
    waited = table.t[mine] - table.t[oldest]
    late = (waited > LONG) & (table.flags[oldest] & SYN == 0)
    mine, waited = mine[late], waited[late]
    _slow(made, voice[mine] ^ 1, table.end[mine - 1] - table.ack[heard[mine]], waited)
    _at_first(table, rows, made)
    _after_pause(table, rows, made)


def _after_pause(table: Table, rows: Numbers, made: Acks) -> None:
    """Much at once after a pause: the congestion window may have been forgotten by then (RFC 5681, section 4.1)."""
    state, voice, heard, before = table.state, table.voice, table.heard, table.state.burst.reshape(-1)
    rows = rows[table.t[rows] - table.t[rows - 1] > _PAUSE]
    known = np.zeros(len(rows), np.int64)
    if before.any():
        going = np.flatnonzero((before > 0) & (table.last > table.pre))
        going = going[heard[table.pre[going] + 1] == heard[table.pre[going]]]
        rows, known = np.append(rows, table.pre[going] + 1), np.append(known, before[going])
    made.burst = np.where(table.last > table.pre, 0, before)
    if len(rows):
        key = voice * APART + np.where(table.new, heard, -1)
        last = np.searchsorted(key, key[rows], "right") - 1  # before anything comes
        of = voice[rows]
        octets = known + table.end[last] - table.end[rows - 1]
        made.doubtful[of[octets > _RESTART * others(state.mss.reshape(-1))[of]]] = True
        goes_on = last == table.last[of]
        made.burst[of[goes_on]] = octets[goes_on]


def _at_first(table: Table, rows: Numbers, made: Acks) -> None:
    """The initial window (RFC 6928, section 2): so much may be under way before any data has been acknowledged."""
    length = table.state.length.reshape(-1)
    rows = rows[table.ack[table.heard[rows]] + length[table.voice[rows]] <= 1]
    of = table.voice[rows]
    mss = others(table.state.mss.reshape(-1))[of]
    octets = table.end[rows] - (table.flags[rows] & FIN) + length[of] - 1
    made.wrong[rows[octets > np.minimum(10 * mss, np.maximum(2 * mss, 14600))]] = True
