"""Handshakes as the screen looks at them: the plain ones, a SYN and then the SYN,ACK that answers it, and what these agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conformance.oracle.screen_state import NONE, State
from conformance.oracle.screen_table import Packets, Table
from conformance.wire.segment import ACK, CWR, ECE, SYN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Truths = NDArray[np.bool_]

__all__ = ["first_windows", "openings"]

_MSS = {4: 536, 6: 1220}
"""Without the option (RFC 9293, section 3.7.1)."""
_ASKS = (SYN, SYN | ECE | CWR)
_MOST_SHIFT = 14


def openings(packets: Packets, order: Numbers, starts: Numbers, state: State) -> Truths:
    """Which connections do not begin as they should. What their SYNs say goes into the state.

    The first packet of a connection is its client's SYN, and the second one its server's SYN,ACK.
    """
    wrong = np.zeros(len(starts) - 1, np.bool_)
    before, size = state.packets[:, 0], np.diff(starts)
    new = np.flatnonzero(before == 0)
    if len(new):
        row = order[starts[new]]
        good = np.isin(packets.flags[row], _ASKS) & (packets.wscale[row] <= _MOST_SHIFT)
        wrong[new] = ~good | (packets.length[row] > 0) | (packets.has_ts[row] & (packets.ts_ecr[row] != 0))
        _note(packets, row, state, new, 0)
        state.isn[new, 0] = packets.seq[row]
    asked = np.flatnonzero((before < 2) & (before + size >= 2))
    if len(asked):
        row = order[starts[asked] + 1 - before[asked]]
        wrong[asked] |= ~_answers(packets, row, state, asked)
        _note(packets, row, state, asked, 1)
        scaled = (state.wscale[asked] != NONE).all(axis=1)
        state.shift[asked] = np.where(scaled[:, None], state.wscale[asked], 0)
        state.ts_ok[asked, 0] &= packets.has_ts[row]
    return wrong


def _answers(packets: Packets, row: Numbers, state: State, of: Numbers) -> Truths:
    """A SYN,ACK that has no more than the SYN asked for."""
    client = packets.forward[row] == (state.client[of, 0] != 0)
    good: Truths = ~client & (packets.flags[row] == SYN | ACK) & (packets.length[row] == 0)
    good &= packets.ack[row] == state.isn[of, 0] + 1 & 0xFFFF_FFFF
    shift = packets.wscale[row]
    good &= (shift == NONE) | ((shift <= _MOST_SHIFT) & (state.wscale[of, 0] != NONE))
    good &= ~packets.has_ts[row] | ((state.ts_ok[of, 0] != 0) & (packets.ts_ecr[row] == state.stamp[of, 0]))
    return good


def _note(packets: Packets, row: Numbers, state: State, of: Numbers, server: int) -> None:
    """What a SYN says."""
    mss = packets.mss[row]
    state.mss[of, server] = np.where(mss > 0, mss, np.where(packets.family[row] == 4, _MSS[4], _MSS[6]))
    state.wscale[of, server], state.outbound[of, server] = packets.wscale[row], packets.outbound[row]
    if not server:
        state.ts_ok[of, 0], state.stamp[of, 0] = packets.has_ts[row], packets.ts_val[row]


def first_windows(table: Table) -> Truths:
    """Rows whose window looks as if that of the SYN before had been scaled already (RFC 7323, section 2.2)."""
    state, voice = table.state, table.voice
    alike = np.zeros(len(voice), np.bool_)
    alike[1:] = (table.flags[:-1] & SYN != 0) & (table.raw[1:] == table.raw[:-1])
    rows = np.flatnonzero(alike)
    of = voice[rows]
    alike[rows] = (state.shift.reshape(-1)[of] >= 2) & (table.raw[rows] < 2 * state.mss.reshape(-1)[of])
    return alike
