"""The packets of a run as the screen looks at them: sorted by who sent them, each with what that one and the other had sent before.

A side of a connection is a voice; connection ``i`` has the voices ``2 * i``, its client, and ``2 * i + 1``, its server.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from conformance.oracle.screen_state import NONE, State
from conformance.trace import Seen
from conformance.wire.segment import ACK, CWR, ECE, FIN, PSH, RST, SYN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Truths = NDArray[np.bool_]

__all__ = ["APART", "LATEST", "NOTHING", "Kept", "Packets", "Table", "build", "keep", "others", "plain", "signed"]

APART = 1 << 36
"""What keeps the numbers of one voice apart from those of the next, where they are sorted together."""
NOTHING = -(1 << 34)
"""An acknowledgment, or an edge, that there is not: below all others."""
LATEST = 64
"""Packets of each voice that are kept from run to run, if only for their TSvals."""


class Packets(Protocol):
    """A run of packets as columns: what :class:`conformance.capture.columns.Columns` is."""

    number: NDArray[np.int64]
    t: NDArray[np.int64]
    outbound: NDArray[np.int8]
    odd: NDArray[np.bool_]
    tcp: NDArray[np.bool_]
    family: NDArray[np.uint8]
    key: NDArray[np.uint64]
    forward: NDArray[np.bool_]
    src_high: NDArray[np.uint64]
    src_low: NDArray[np.uint64]
    dst_high: NDArray[np.uint64]
    dst_low: NDArray[np.uint64]
    seq: NDArray[np.uint32]
    ack: NDArray[np.uint32]
    flags: NDArray[np.uint8]
    window: NDArray[np.uint16]
    length: NDArray[np.int64]
    tos: NDArray[np.uint8]
    option_octets: NDArray[np.uint8]
    mss: NDArray[np.int32]
    wscale: NDArray[np.int16]
    sack_ok: NDArray[np.bool_]
    has_sack: NDArray[np.bool_]
    has_ts: NDArray[np.bool_]
    ts_val: NDArray[np.uint32]
    ts_ecr: NDArray[np.uint32]
    well_formed: NDArray[np.bool_]
    checksum_ok: NDArray[np.bool_]
    ip_checksum_ok: NDArray[np.bool_]
    offloaded: NDArray[np.bool_]

    def __len__(self) -> int: ...

    def packets(self, rows: NDArray[np.int64], /) -> Iterable[Seen]:
        """All that is known of these."""

    def take(self, rows: NDArray[np.int64], /) -> Any:
        """These rows."""

    def groups(self) -> Any:
        """The rows of each connection: ``order[starts[i] : starts[i + 1]]`` are those of connection ``ids[i]``, in their order."""


@dataclass(slots=True)
class Kept:
    """Packets of runs before that are still needed: those that are not acknowledged yet, and the latest of each voice."""

    slot: Numbers
    server: Numbers
    end: Numbers
    """SEG.SEQ + SEG.LEN, as it would stand in the header."""
    occupies: Truths
    """Has it a sequence number of its own, which is to be acknowledged?"""
    syn: Truths
    t: Numbers
    stamp: Numbers
    taken: Truths
    """Was it where the last acknowledgment was, so that its TSval became TS.Recent?"""

    @classmethod
    def nothing(cls) -> Kept:
        """When a capture begins."""
        none, never = np.zeros(0, np.int64), np.zeros(0, np.bool_)
        return cls(none, none, none, never, never, none, none, never)

    def take(self, those: Numbers | Truths) -> Kept:
        """Some of them."""
        return Kept(*(getattr(self, name)[those] for name in self.__slots__))

    def join(self, other: Kept) -> Kept:
        """Both."""
        return Kept(*(np.append(getattr(self, name), getattr(other, name)) for name in self.__slots__))


@dataclass(slots=True)
class Table:
    """The packets, voice by voice: what is kept of runs before, a row that stands for all that was before, and what is new.

    Sequence numbers count from SND.NXT before the run, acknowledgments from the other side's.
    """

    state: State
    """Of the connections in it, before the run."""
    top: Numbers
    """Of each voice what its sequence numbers count from."""
    clock: Numbers
    """Of each voice what its TSvals count from."""
    voice: Numbers
    """Of each row."""
    begin: Numbers
    pre: Numbers
    """Of each voice the row that stands for what was before."""
    last: Numbers
    """Of each voice the last row; it may be that one."""
    source: Numbers
    """Which row of the run each is; 0 for those that are not in it."""
    new: Truths
    heard: Numbers
    """Of each row the last one of the other voice that came before it."""
    flags: NDArray[np.uint8]
    occupies: Truths
    t: Numbers
    seq: Numbers
    length: Numbers
    end: Numbers
    ack: Numbers
    raw: Numbers
    window: Numbers
    edge: Numbers
    stamp: Numbers
    """TSval, counted from the last before."""
    taken: Truths
    """Of what is kept: :attr:`Kept.taken`."""


def build(packets: Packets, order: Numbers, starts: Numbers, slots: Numbers, state: State, kept: Kept, most: int) -> Table:
    """Of the packets ``order``, of which those of the connection in ``slots[i]`` begin at ``starts[i]``.

    Args:
        state: what is known of the connections, already that their clients are.
        kept: what is kept of all connections.
        most: how many slots there are.
    """
    count, sizes = len(slots), np.diff(starts)
    connection = np.repeat(np.arange(count), sizes)
    server = packets.forward[order] != (state.client[:, 0] != 0)[connection]
    running = np.cumsum(server)
    servers = running - (running[starts[:-1]] - server[starts[:-1]])[connection]  # up to each row, and with it
    place = np.arange(1, len(order) + 1) - starts[:-1][connection]
    own = np.where(server, servers, place - servers)
    spoken = np.empty((count, 2), np.int64)
    spoken[:, 1] = servers[starts[1:] - 1]
    spoken[:, 0] = sizes - spoken[:, 1]
    older, older_of = _of(kept, slots, most)
    stop = np.cumsum(spoken.reshape(-1) + 1 + np.bincount(older_of, minlength=2 * count))
    last = stop - 1
    pre = last - spoken.reshape(-1)
    begin = np.append(0, stop[:-1])
    voice = 2 * connection + server
    at = pre[voice] + own
    total = int(stop[-1])
    source, heard, new = np.zeros(total, np.int64), np.zeros(total, np.int64), np.zeros(total, np.bool_)
    source[at], new[at] = order, True
    heard[at] = pre[voice ^ 1] + place - own
    heard[pre] = others(pre) - state.since.reshape(-1)
    voice = np.repeat(np.arange(2 * count), stop - begin)
    flags = packets.flags[source]
    later = np.zeros(0, np.int64)
    table = Table(
        state, later, later, voice, begin, pre, last, source, new, heard, flags, new, packets.t[source], later, packets.length[source],
        later, later, packets.window[source].astype(np.int64), later, later, later, np.zeros(total, np.bool_),
    )  # fmt: skip
    _number(table, packets, spoken, order[starts[:-1]])
    _put(table, older, older_of)
    return table


def _of(kept: Kept, slots: Numbers, most: int) -> tuple[Kept, Numbers]:
    """What is kept of these, voice by voice, and of which voice each is."""
    place = np.full(most, NONE)
    place[slots] = np.arange(len(slots))
    voice = 2 * place[kept.slot] + kept.server
    there = np.flatnonzero(voice >= 0)
    there = there[np.argsort(voice[there], kind="stable")]
    return kept.take(there), voice[there]


def _number(table: Table, packets: Packets, spoken: Numbers, firsts: Numbers) -> None:
    """Count all numbers from what was before; ``firsts`` are the first packets of the connections."""
    state, voice, source, pre, flags = table.state, table.voice, table.source, table.pre, table.flags
    fresh = np.flatnonzero((state.spoke == 0).reshape(-1) & (spoken.reshape(-1) > 0))
    begun = source[pre[fresh] + 1]
    for column in (state.top, state.isn):
        column.reshape(-1)[fresh] = packets.seq[begun]
    for column in (state.stamp, state.recent):
        column.reshape(-1)[fresh] = packets.ts_val[begun]
    state.t.reshape(-1)[fresh] = packets.t[firsts][fresh >> 1]
    table.top, table.clock = top, clock = state.top.reshape(-1).copy(), state.stamp.reshape(-1).copy()
    table.seq = signed(packets.seq[source] - top[voice])
    table.ack = signed(packets.ack[source] - others(top)[voice])
    table.stamp = signed(packets.ts_val[source] - clock[voice])
    table.end = table.seq + table.length + (flags & FIN) + (flags >> 1 & 1)
    table.window = table.raw << np.where(flags & SYN, 0, state.shift.reshape(-1)[voice])
    asks = np.flatnonzero(flags & (SYN | ACK) == SYN)
    table.ack[asks] = NOTHING
    table.edge = table.ack + table.window
    table.edge[asks] = NOTHING
    table.occupies = (table.end != table.seq) & table.new
    theirs = others(top)
    spoke = state.spoke.reshape(-1)
    acked = np.where((state.acked == NONE).reshape(-1), NOTHING, signed(state.acked.reshape(-1) - theirs))
    told = acked != NOTHING
    table.flags[pre] = np.where(spoke == 1, SYN, 0)
    table.t[pre], table.seq[pre], table.end[pre], table.length[pre], table.stamp[pre] = state.t.reshape(-1), 0, 0, 0, 0
    table.ack[pre], table.raw[pre], table.window[pre] = acked, state.raw.reshape(-1), state.window.reshape(-1)
    table.edge[pre] = np.where(told, signed(state.edge_last.reshape(-1) - theirs), NOTHING)


def _put(table: Table, older: Kept, voice: Numbers) -> None:
    """What is kept of runs before goes before everything else of its voice."""
    if not len(voice):
        return
    first = np.searchsorted(voice, voice)
    at = table.begin[voice] + np.arange(len(voice)) - first
    table.end[at] = signed(older.end - table.top[voice])
    table.seq[at], table.ack[at], table.edge[at], table.heard[at] = table.end[at], NOTHING, NOTHING, 0
    table.t[at], table.occupies[at], table.length[at] = older.t, older.occupies, 0
    table.flags[at] = np.where(older.syn, SYN, 0)
    table.taken[at], table.stamp[at] = older.taken, signed(older.stamp - table.clock[voice])


def keep(table: Table, slots: Numbers, covered: Truths, taken: Truths, over: Truths) -> Kept:
    """What is still needed of a table.

    Args:
        covered: which rows are acknowledged.
        taken: as :attr:`Kept.taken`.
        over: connections that need nothing any more.
    """
    place = np.arange(len(table.voice))
    needed = (table.occupies & ~covered) | (place > table.last[table.voice] - LATEST)
    needed &= ~over[table.voice >> 1]
    needed[table.pre] = False
    at = np.flatnonzero(needed)
    voice = table.voice[at]
    return Kept(
        slots[voice >> 1], voice & 1, table.end[at] + table.top[voice] & 0xFFFF_FFFF, table.occupies[at],
        table.flags[at] & SYN != 0, table.t[at], table.stamp[at] + table.clock[voice] & 0xFFFF_FFFF, taken[at],
    )  # fmt: skip


def signed(numbers: NDArray[Any]) -> Numbers:
    """Modulo 2^32, as far below zero as above."""
    return numbers.astype(np.int32).astype(np.int64)


def others(values: Numbers) -> Numbers:
    """Of each voice what the other one has."""
    return values.reshape(-1, 2)[:, ::-1].reshape(-1)


_PLAIN = np.zeros(256, np.bool_)
_PLAIN[[SYN, SYN | ECE | CWR, SYN | ACK, ACK, ACK | PSH, ACK | FIN, ACK | PSH | FIN, RST, RST | ACK, RST | ACK | PSH]] = True


def plain(packets: Packets) -> Truths:
    """Which packets have nothing that the screen does not know."""
    syn = packets.flags & SYN != 0
    fine: Truths = _PLAIN[packets.flags] & packets.checksum_ok & packets.ip_checksum_ok & packets.well_formed & (packets.tos & 3 == 0)
    fine &= ~(packets.odd | packets.has_sack)
    fine &= ((packets.mss < 0) & (packets.wscale < 0) & ~packets.sack_ok) | syn
    v4 = packets.family == 4
    fine &= packets.src_low >> np.uint64(24) < 0xE0 if v4.all() else _hosts(packets, v4)
    return fine


def _hosts(packets: Packets, v4: Truths) -> Truths:
    """Which source addresses are of hosts: neither multicast nor broadcast."""
    return np.where(v4, packets.src_low >> np.uint64(24) < 0xE0, packets.src_high >> np.uint64(56) != 0xFF)
