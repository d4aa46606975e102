"""What is known of connections once some of their packets have been looked at, and whether they are over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.oracle.screen_acks import LONG
from conformance.oracle.screen_look import SILENCE, Look
from conformance.oracle.screen_state import NONE, State
from conformance.oracle.screen_table import NOTHING, Kept, Packets, Table, others
from conformance.wire.segment import FIN, RST
from conformance.wire.seq import diff

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Truths = NDArray[np.bool_]

__all__ = ["advance", "closed", "overdue", "succeeds"]


def succeeds(packets: Packets, row: int, state: State) -> bool:
    """May this SYN follow the connection in ``state``, which is over, whatever its server thinks (RFC 6191; RFC 9293, 3.10.7.4, MAY-2)?"""
    side = int(packets.forward[row] != (state.client[0, 0] != 0))
    if packets.seq[row] in state.isn[0].tolist():
        return False
    if state.rst.any():
        return True
    seq, stamp = int(packets.seq[row]), int(packets.ts_val[row])
    newer = diff(stamp, int(state.stamp[0, side])) > 0 or diff(seq, int(state.top[0, side])) >= 0
    return bool(packets.has_ts[row]) and newer


def advance(table: Table, seen: Look, packets: Packets) -> None:
    """Bring what is known of each voice to behind its last row."""
    state, last, top = table.state, table.last, table.top
    theirs, answers = others(top), seen.acks

    def put(name: str, values: NDArray[Any]) -> None:
        getattr(state, name).reshape(-1)[:] = values

    def number(values: Numbers, base: Numbers) -> Numbers:
        return np.where(values == NOTHING, NONE, values + base & 0xFFFF_FFFF)

    put("spoke", state.spoke.reshape(-1) + last - table.pre)
    put("top", top + table.end[last] & 0xFFFF_FFFF)
    put("length", state.length.reshape(-1) + table.end[last])
    put("acked", number(table.ack[last], theirs))
    put("edge", number(seen.reach[last], theirs))
    put("edge_last", number(table.edge[last], theirs))
    put("window", table.window[last])
    put("raw", table.raw[last])
    put("since", others(last) > table.heard[last])
    put("t", table.t[last])
    put("stamp", table.stamp[last] + table.clock & 0xFFFF_FFFF)
    put("first_stamp", seen.stamps.first + table.clock & 0xFFFF_FFFF)
    put("first_stamp_t", seen.stamps.first_t)
    put("recent", seen.stamps.recent)
    for name in ("sent", "acknowledged", "most", "burst", "reaction"):
        put(name, getattr(answers, name))
    put("deaf", (state.deaf.reshape(-1) != 0) | answers.deaf)
    put("doubtful", (state.doubtful.reshape(-1) != 0) | seen.doubtful)
    for name, there in (("fin", table.flags & FIN != 0), ("rst", table.flags & RST != 0), ("joined", packets.offloaded[table.source])):
        getattr(state, name).reshape(-1)[table.voice[there & table.new]] = 1


def closed(state: State) -> Truths:
    """Which connections are over: there is nothing to wait for any more."""
    finished: Truths = (state.fin != 0).all(axis=1) & (state.acked == state.top[:, ::-1]).all(axis=1)
    finished |= (state.rst != 0).any(axis=1)
    return finished


def overdue(state: State, kept: Kept, slots: Numbers, most: int, now: int) -> Truths:
    """Of which connections has something not been acknowledged for too long, ``now`` that they are over?

    Where only the acknowledgment is late, the side that owes it is in doubt.
    """
    waits = ((state.top - state.acked[:, ::-1]).astype(np.int32) > 0) & (state.rst == 0).all(axis=1)[:, None] & (state.packets[:, :1] > 1)
    place = np.full(most, NONE)
    place[slots] = np.arange(len(slots))
    rows = np.flatnonzero((place[kept.slot] >= 0) & kept.occupies)
    of, server = place[kept.slot[rows]], kept.server[rows]
    pending = (kept.end[rows] - state.acked[of, 1 - server]).astype(np.int32) > 0
    oldest = np.full(waits.shape, now)
    np.minimum.at(oldest, (of[pending], server[pending]), kept.t[rows[pending]])
    state.doubtful[:] |= (waits & (now - oldest > LONG))[:, ::-1]
    late: Truths = (now - state.last_t[:, 0] > SILENCE) & waits.any(axis=1)
    return late
