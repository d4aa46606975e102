"""The quick look at many packets at once: which connections have something that only the closer look can judge.

Whatever is in doubt counts as wrong here. That nothing of what the rules forbid passes is the one thing that matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conformance.oracle.screen_acks import Acks, acks
from conformance.oracle.screen_opening import first_windows
from conformance.oracle.screen_stamps import Stamps, stamps
from conformance.oracle.screen_state import NONE
from conformance.oracle.screen_table import APART, NOTHING, Packets, Table, others, plain, signed
from conformance.wire.segment import FIN, PSH, RST, SYN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Truths = NDArray[np.bool_]

__all__ = ["SILENCE", "Look", "look"]

_DISORDER = 1_000_000
"""ns by which time may go back from one packet to the next: several processors capture, and one file is written."""
SILENCE = 4_000_000_000
"""ns after which something that was not acknowledged should have been sent again, or soon."""
_DAY = 86_400_000_000_000
_MOST_OPTIONS = 40


@dataclass(slots=True)
class Look:
    """What was seen."""

    wrong: Truths
    """Which rows have something that needs the closer look."""
    doubtful: Truths
    """Which voices have, if the capture was taken near to them."""
    reach: Numbers
    """The rightmost end of a window that each voice has announced with each row or before."""
    acks: Acks
    stamps: Stamps


def look(table: Table, packets: Packets) -> Look:
    """Hold each packet against what was before."""
    flags, heard, end, ack = table.flags, table.heard, table.end, table.ack
    voice, state = table.voice, table.state
    reset = flags & RST != 0
    told = table.new & ~reset
    offloaded = packets.offloaded[table.source]
    data = table.length > 0
    syn, fin = flags & SYN != 0, flags & FIN
    edge = table.edge[heard]
    wrong = ack > end[heard]
    wrong |= data & (end - fin > edge)
    wrong |= (table.length + packets.option_octets[table.source] > others(state.mss.reshape(-1))[voice]) & data & ~offloaded
    wrong |= (packets.has_ts[table.source] != (state.ts_ok[:, 0] != 0)[voice >> 1]) & ~syn
    wrong |= first_windows(table)
    reach, small = _windows(table)
    grain = np.left_shift(1, state.shift.reshape(-1))[voice]
    wrong[1:] |= (ack[1:] < ack[:-1]) | (table.edge[1:] + grain[1:] <= reach[:-1])
    wrong &= ~reset
    wrong |= ~plain(packets)[table.source]
    wrong[1:] |= table.seq[1:] != end[:-1]
    wrong |= _silence(table) | _ends(table, reset, fin != 0) | _again(table, syn)
    answers, clocks = acks(table, packets, told), stamps(table, packets, told)
    small |= data & (end == edge) & (flags & PSH == 0) & (table.length < others(state.mss.reshape(-1))[voice] - _MOST_OPTIONS)
    small[1:] |= _unprovoked(table)
    doubtful = answers.doubtful | clocks.doubtful
    doubtful[voice[small & told]] = True
    wrong |= answers.wrong | clocks.wrong
    return Look(wrong & table.new, doubtful, reach, answers, clocks)


def _windows(table: Table) -> tuple[Numbers, Truths]:
    """The rightmost edge so far, and where it moves on by less than a segment (RFC 9293, 3.8.6.2.2)."""
    state, voice, edge, window = table.state, table.voice, table.edge, table.window
    apart = voice * APART
    announced = edge + apart
    known = np.where((state.acked == NONE).reshape(-1), NOTHING, signed(state.edge.reshape(-1) - others(state.top.reshape(-1))))
    announced[table.pre] = known + apart[table.pre]
    reach = np.maximum.accumulate(announced) - apart
    segment = np.repeat(state.mss.min(axis=1) - _MOST_OPTIONS, 2)
    small = window < segment[voice]
    if small.any():
        small[1:] &= (window[:-1] < segment[voice[1:]]) & (edge[1:] > reach[:-1]) & (edge[1:] - reach[:-1] < segment[voice[1:]])
        small &= table.flags & SYN == 0
    return reach, small


def _silence(table: Table) -> Truths:
    """Where time goes back, or has passed while something was not acknowledged, or a window closed."""
    t, heard, end, ack = table.t, table.heard, table.end, table.ack
    wrong = np.zeros(len(t), np.bool_)
    passed = t[1:] - np.maximum(t[:-1], t[heard[1:]])
    wrong[1:] = passed < -_DISORDER
    rows = np.flatnonzero(passed > SILENCE) + 1
    if len(rows):
        before, other = rows - 1, heard[rows]
        wrong[rows] |= (end[before] > ack[other]) | (end[other] > ack[before])
        wrong[rows] |= passed[rows - 1] > _DAY
        wrong[rows] |= (table.raw[before] == 0) | (table.raw[other] == 0)  # what is closed is to be probed
    return wrong


def _ends(table: Table, reset: Truths, fin: Truths) -> Truths:
    """Nothing follows a FIN of the same side, and nothing at all a RST, which is the first word about it of a side that was there."""
    state, voice, last = table.state, table.voice, table.last
    wrong = np.zeros(len(voice), np.bool_)
    finished, end = state.fin.reshape(-1) != 0, table.end
    wrong[last] = (finished & (end[last] > 0)) | np.repeat((state.rst != 0).any(axis=1), 2)
    if len(rows := np.flatnonzero(fin & table.new)):
        of = voice[rows]
        wrong[rows] = end[rows] != end[last[of]]
        finished[of] = True
    if len(rows := np.flatnonzero(reset & table.new)):
        of = voice[rows]
        wrong[rows] = (rows != last[of]) | (table.heard[rows] != last[of ^ 1]) | finished[of] | (table.length[rows] > 0)
        wrong[rows] |= (rows - table.pre[of]) + state.spoke.reshape(-1)[of] <= 2
    return wrong


def _again(table: Table, syn: Truths) -> Truths:
    """A SYN that is not the first packet of its side."""
    rows = np.flatnonzero(syn & table.new)
    of = table.voice[rows]
    wrong = np.zeros(len(syn), np.bool_)
    wrong[rows] = (rows != table.pre[of] + 1) | (table.state.spoke.reshape(-1)[of] > 0)
    return wrong


def _unprovoked(table: Table) -> Truths:
    """From the second row on: an ACK that says what the one before said, though nothing has come in between (RFC 5681, section 4.2)."""
    same: Truths = (table.ack[1:] == table.ack[:-1]) & (table.edge[1:] == table.edge[:-1]) & (table.heard[1:] == table.heard[:-1])
    same &= table.end[1:] == table.seq[1:]
    return same
