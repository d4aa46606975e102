"""The oracle on packets in bulk: the connections and findings that :class:`Judge` has, in a fraction of its time.

Nearly all connections are as they should be from their first packet to their last, and numpy sees that of ten thousands of packets at
once (:func:`~conformance.oracle.screen_look.look`). A connection of which that cannot be said is judged packet by packet, from its
beginning: its packets are still there, or the capture is read once more.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from conformance.oracle.finding import Connection, Vantage
from conformance.oracle.screen_after import advance, closed, overdue, succeeds
from conformance.oracle.screen_closely import Closely, named
from conformance.oracle.screen_ends import Cleared, cleared, gather, host, kinds
from conformance.oracle.screen_isns import BulkIsns
from conformance.oracle.screen_look import look
from conformance.oracle.screen_opening import openings
from conformance.oracle.screen_parts import Part
from conformance.oracle.screen_state import NONE, State
from conformance.oracle.screen_table import Kept, Packets, build, keep
from conformance.wire.segment import ACK, RST, SYN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Truths = NDArray[np.bool_]

__all__ = ["Screen"]

MOST = 20_000
"""Connections that are remembered at once: those that have been silent for longest are over, and forgotten, for others."""
_FEW = 256
"""Connections that there is room for at first."""
_AT_ONCE = 1000
"""Packets that are read together for the closer look."""
_KEPT = 80_000
"""Packets that are there for a while, for connections that turn out to need the closer look."""


class Screen:
    """Judges every connection among the packets that it is shown, in the order of the capture.

    Args:
        done: is given each connection when it has been forgotten to keep memory bounded, or at :meth:`end`.
        vantage: where the capture was taken; None: as the packets themselves suggest, connection by connection.
        most: connections that are remembered at once.
        count: is given, in the place of ``done``, connections of which nothing was found: one of many that are alike, and how many.
    """

    def __init__(
        self,
        done: Callable[[Connection], None],
        vantage: Vantage | None = None,
        most: int = MOST,
        count: Callable[[Connection, int], None] | None = None,
    ) -> None:
        self.packets = self.closely = 0
        """How many packets have been seen, and how many of them got the closer look."""
        self._done, self._most, self._count = done, most, count
        self._judge = Closely(self._over, vantage)
        self._isns = BulkIsns()
        self._state, self._kept = State.blank(0), Kept.nothing()
        self._slots: dict[bytes, int] = {}
        self._names: list[bytes] = []
        self._free: list[int] = []
        self._runs: deque[Packets] = deque()
        self._later: dict[bytes, tuple[int, int]] = {}
        """Connections for which the capture has to be read once more: the key of their packets, and the number of the first."""
        self._formers: dict[bytes, Cleared] = {}
        """Connections whose ends have begun another one, of which too little is known yet."""
        self._woken_now: dict[bytes, int] = {}
        """Connections that get the closer look since this run, and the numbers of their first packets."""
        self._ended: list[Connection] | None = None
        self._now = self._last = 0

    def see(self, packets: Packets) -> None:
        """The next packets, a run of them."""
        self.packets += len(packets)
        if not len(packets):
            return
        self._now, self._last = max(self._now, int(packets.t.max())), int(packets.number[-1])
        self._woken_now.clear()
        self._numbers_chosen(packets)
        groups = packets.groups()
        part, closely = self._quick(packets, Part(groups.order, groups.starts, groups.ids))
        while part.names:
            part, rest = self._until_others(packets, part)
            if part.names:
                self._look(packets, part)
            part = self._succeeding(packets, rest)
        for place, name in enumerate(groups.ids) if self._woken_now else ():
            if (first := self._woken_now.get(name)) is not None:
                rows = groups.order[groups.starts[place] : groups.starts[place + 1]]
                closely.append(rows[packets.number[rows] >= first])
        if closely:
            self._judged(packets, np.sort(np.concatenate(closely)))
        self._runs.append(packets)
        while sum(map(len, self._runs)) - len(self._runs[0]) >= _KEPT:
            self._runs.popleft()

    def end(self, again: Callable[[], Iterable[Packets]]) -> None:
        """There are no more packets: every connection that is left is judged and given to ``done``.

        Args:
            again: gives all runs from the first one on, for connections whose beginning is not there any more.
        """
        self._ended = []
        clear = self._forgotten(np.array(list(self._slots.values()), np.int64))
        self._runs.clear()
        if self._later:
            keys = np.array([key for key, _ in self._later.values()], np.int64)
            firsts = {name: first for name, (_, first) in self._later.items()}
            last = 0
            for packets in again():
                last = int(packets.number[-1])
                rows = np.flatnonzero(np.isin(packets.key.view(np.int64), keys))
                if len(rows):
                    self._judged(packets, named(packets, rows, firsts))
            if last < self._last:  # it was not read to where it had been read before: what is missing would look like silence
                self._judge.forget(firsts)
        self._judge.end(self._now)
        ended = self._ended + clear
        self._ended = None
        for connection in sorted(ended, key=lambda connection: connection.number):
            self._done(connection)

    # The closer look --------------------------------------------------------------------------------------------------

    def _judged(self, packets: Packets, rows: Numbers) -> None:
        self.closely += len(rows)
        for begin in range(0, len(rows), _AT_ONCE):
            for seen in packets.packets(rows[begin : begin + _AT_ONCE]):
                self._judge.see(seen)

    def _over(self, connection: Connection) -> None:
        """The judge is done with it."""
        if self._ended is None:
            self._done(connection)
        else:
            self._ended.append(connection)

    def _woken(self, name: bytes, key: int, first: int, number: int) -> None:
        """A connection gets the closer look, from its first packet on."""
        former = self._formers.pop(name, None)
        self._judge.numbers[first] = number
        if former is not None:  # and the one before, which may have to do with it
            first, number = former.first, former.number
            self._judge.numbers[first] = number
        oldest = int(self._runs[0].number[0]) if self._runs else first
        if first < oldest:
            self._later[name] = key, first
            return
        self._judge.awake.add(name)
        self._woken_now[name] = first
        for packets in self._runs:
            if int(packets.number[-1]) >= first:
                rows = np.flatnonzero(packets.key.view(np.int64) == key)
                if len(rows):
                    self._judged(packets, named(packets, rows, {name: first}))

    def _numbers_chosen(self, packets: Packets) -> None:
        """Hold the ISNs of a run against those before, of whatever connection."""
        rows = np.flatnonzero((packets.flags & SYN != 0) & packets.tcp)
        hosts = host(packets.src_high[rows], packets.src_low[rows])
        order = np.argsort(hosts, kind="stable")
        rows, hosts = rows[order], hosts[order]
        begins = np.flatnonzero(np.diff(hosts, prepend=~hosts[:1]) != 0)
        for begin, end in pairwise([*begins.tolist(), len(rows)]):
            of = rows[begin:end]
            isns, ts, keys = packets.seq[of].astype(np.int64), packets.t[of], packets.key[of].view(np.int64)
            for place, broken in self._isns.several(int(hosts[begin]), isns, ts, keys):
                self._judge.broken[int(packets.number[of[place]])] = broken

    # The quick look ---------------------------------------------------------------------------------------------------

    def _quick(self, packets: Packets, part: Part) -> tuple[Part, list[Numbers]]:
        """Those of a run's packets that get the quick look; and those that get the closer one."""
        awake, later, closely = self._judge.awake, self._later, []
        quickly = np.ones(len(part.names), np.bool_)
        odd = np.zeros(len(part.names), np.bool_)
        if not packets.tcp.all():
            odd = part.counted(~packets.tcp[part.order]) > 0
        if awake or later or odd.any():
            for place, name in enumerate(part.names):
                rows = part.order[part.starts[place] : part.starts[place + 1]]
                if name in later:
                    quickly[place] = False
                elif name in awake:
                    quickly[place] = False
                    closely.append(rows)
                elif odd[place] and not packets.tcp[rows].any() and name not in self._slots:
                    quickly[place] = False  # an ICMP message about nothing that is known
            part = part.only(np.repeat(quickly, np.diff(part.starts)))
        most = self._most // 2
        if len(part.names) > most:  # hardly more than a packet each
            rest = np.arange(len(part.order)) >= part.starts[most]
            closely.append(part.order[rest])
            part = part.only(~rest)
        return part, closely

    def _until_others(self, packets: Packets, part: Part) -> tuple[Part, Part]:
        """Up to where another connection begins between the same ends, and from there on."""
        connection = part.connection()
        known = np.array([name in self._slots for name in part.names])
        asks = packets.flags[part.order] & (SYN | ACK | RST) == SYN
        asks[part.starts[:-1][~known]] = False
        cut = np.full(len(part.names), len(part.order))
        for at in np.flatnonzero(asks).tolist():
            of, row = int(connection[at]), int(part.order[at])
            if at < cut[of] and not self._begun_with(packets, part, of, row):
                cut[of] = at
        before = np.arange(len(part.order)) < cut[connection]
        return part.only(before), part.only(~before)

    def _begun_with(self, packets: Packets, part: Part, of: int, row: int) -> bool:
        """Is this SYN the one with which the connection began, sent again?"""
        slot = self._slots.get(part.names[of])
        if slot is not None:
            side = int(packets.forward[row] != (self._state.client[slot, 0] != 0))
            return bool(self._state.spoke[slot, side]) and int(self._state.isn[slot, side]) == int(packets.seq[row])
        first = part.order[part.starts[of]]
        return bool(packets.forward[first] == packets.forward[row] and packets.seq[first] == packets.seq[row])

    def _succeeding(self, packets: Packets, part: Part) -> Part:
        """Of packets with which other connections begin those where the one before had ended, so that there is nothing to say of it."""
        fine = np.zeros(len(part.names), np.bool_)
        for place, name in enumerate(part.names):
            slot = self._slots.get(name)
            if slot is None:  # the one before gets the closer look, and so does this one
                continue
            state = self._state.take(np.array([slot]))
            (former,) = cleared(state, [name])
            fine[place] = (
                name not in self._formers
                and not former.suspected(self._judge.whereabouts)
                and bool(closed(state)[0])
                and succeeds(packets, int(part.order[part.starts[place]]), state)
            )
            self._release([slot])
            if fine[place]:
                self._formers[name] = former
            else:
                self._woken(name, former.key, former.first, former.number)
        return part.only(np.repeat(fine, np.diff(part.starts)))

    def _look(self, packets: Packets, part: Part) -> None:
        """Look at these packets."""
        slots = self._admitted(packets, part)
        state, order, starts = self._state.take(slots), part.order, part.starts
        wrong = openings(packets, order, starts, state)
        table = build(packets, order, starts, slots, state, self._kept, len(self._names))
        seen = look(table, packets)
        wrong[table.voice[seen.wrong] >> 1] = True
        if self._judge.broken:
            wrong |= part.counted(np.isin(packets.number[order], np.array(list(self._judge.broken)))) > 0
        advance(table, seen, packets)
        state.first[:, 0] = np.where(state.packets[:, 0] == 0, packets.number[order[starts[:-1]]], state.first[:, 0])
        state.packets[:, 0] += np.diff(starts)
        state.last[:, 0], state.last_t[:, 0] = packets.number[order[starts[1:] - 1]], packets.t[order[starts[1:] - 1]]
        doubtful = np.flatnonzero((state.doubtful != 0).any(axis=1) & ~wrong)
        for place, one in zip(doubtful.tolist(), cleared(state.take(doubtful), [part.names[place] for place in doubtful]), strict=True):
            wrong[place] = one.suspected(self._judge.whereabouts)
        if self._formers:
            self._followed(packets, part, state, wrong, packets.number[table.source[seen.wrong]], table.voice[seen.wrong] >> 1)
        self._forget_kept(slots)
        self._kept = self._kept.join(keep(table, slots, seen.acks.covered, seen.stamps.taken, wrong | closed(state)))
        good, suspects = np.flatnonzero(~wrong), np.flatnonzero(wrong).tolist()
        self._state.put(slots[good], state.take(good))
        self._release(slots[suspects].tolist())
        for place in suspects:
            self._woken(part.names[place], *(int(getattr(state, name)[place, 0]) for name in ("key", "first", "number")))

    def _followed(self, packets: Packets, part: Part, state: State, wrong: Truths, numbers: Numbers, of: Numbers) -> None:
        """Connections between the ends of one before: once both sides have spoken nothing will be said of that any more.

        Args:
            numbers: packets of the connections ``of`` that have something wrong.
        """
        whereabouts = self._judge.whereabouts
        for place, name in enumerate(part.names):
            former = self._formers.get(name)
            if former is None:
                continue
            wrong[place] |= bool(set(former.isns) & set(state.isn[place].tolist()))
            rows = part.order[part.starts[place] : part.starts[place + 1]]
            third = max(0, 2 - (int(state.packets[place, 0]) - len(rows)))
            faults = numbers[of == place]
            since = int(faults.min()) if len(faults) else 0 if wrong[place] else sys.maxsize
            if third < len(rows) and since > packets.number[rows[third]]:
                whereabouts.learn(former.client)
                whereabouts.learn(former.server)
                self._over(self._formers.pop(name).connection(whereabouts))

    def _admitted(self, packets: Packets, part: Part) -> Numbers:
        """The slot of each connection; new ones get one, and a number."""
        slots = np.array([self._slots.get(name, NONE) for name in part.names], np.int64)
        fresh = np.flatnonzero(slots == NONE)
        if not len(fresh):
            return slots
        rows = part.order[part.starts[fresh]]
        fresh, rows = fresh[np.argsort(rows)], np.sort(rows)
        self._make_room(len(fresh), slots)
        slots[fresh] = new = self._free[-len(fresh) :]
        del self._free[-len(fresh) :]
        for place, slot in zip(fresh.tolist(), new, strict=True):
            self._slots[part.names[place]], self._names[slot] = slot, part.names[place]
        self._state.clear(slots[fresh])
        self._state.client[new, 0] = packets.forward[rows]
        self._state.key[new, 0] = packets.key[rows].view(np.int64)
        self._state.host[new, 0] = host(packets.src_high[rows], packets.src_low[rows])
        self._state.host[new, 1] = host(packets.dst_high[rows], packets.dst_low[rows])
        self._state.number[new, 0] = [self._judge.count() for _ in new]
        return slots

    def _make_room(self, wanted: int, busy: Numbers) -> None:
        """Slots for so many more connections. Of too many those are over that were silent for longest, and are not ``busy``."""
        missing, size = wanted - len(self._free), len(self._names)
        if missing > 0 and size < self._most:
            more = min(max(missing, size, _FEW), self._most - size)
            self._state.grow(more)
            self._names += [b""] * more
            self._free += range(size + more - 1, size - 1, -1)
            missing -= more
        if missing > 0:
            used = np.setdiff1d(np.array(list(self._slots.values()), np.int64), busy)
            silent = used[np.argsort(self._state.last_t[used, 0], kind="stable")]
            for connection in self._forgotten(silent[: max(missing, self._most // 8)]):
                self._done(connection)

    def _forgotten(self, slots: Numbers) -> list[Connection]:
        """These are over: what there is to say of those of which nothing is in doubt. The others get the closer look."""
        state, whereabouts = self._state.take(slots), self._judge.whereabouts
        late = overdue(state, self._kept, slots, len(self._names), self._now)
        names = [self._names[slot] for slot in slots.tolist()]
        self._release(slots.tolist())
        self._forget_kept(slots)
        gather(state, names, whereabouts)
        asked = late | (state.doubtful != 0).any(axis=1)
        if self._formers:
            asked |= np.array([name in self._formers for name in names], np.bool_)
        clear = []
        counted = ~asked & (self._count is not None)
        of = np.flatnonzero(~counted)
        for place, one in zip(of.tolist(), cleared(state.take(of), [names[place] for place in of]), strict=True):
            if asked[place] and (late[place] or names[place] in self._formers or one.suspected(whereabouts)):
                self._woken(names[place], one.key, one.first, one.number)
            else:
                clear.append(one.connection(whereabouts))
        if self._count is not None and counted.any():
            of = np.flatnonzero(counted)
            for connection, times in kinds(state.take(of), [names[place] for place in of], whereabouts):
                self._count(connection, times)
        return clear

    def _forget_kept(self, slots: Numbers) -> None:
        mine = np.zeros(len(self._names), np.bool_)
        mine[slots] = True
        self._kept = self._kept.take(~mine[self._kept.slot])

    def _release(self, slots: list[int]) -> None:
        for slot in slots:
            del self._slots[self._names[slot]]
        self._free += slots
