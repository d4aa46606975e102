"""Fragments put together again (RFC 791, section 3.2; RFC 815; RFC 8200, section 4.5; net/ipv4/ip_fragment.c, net/ipv6/reassembly.c).

Fragments that overlap, or that disagree on where the packet ends, condemn their packet, for both families: nobody sends such, but to
get past a filter (RFC 5722). A condemned packet stays known until its time is over, so that its other fragments are dropped too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable
from typing import TYPE_CHECKING

from conformance.stack.icmp import icmp_send
from conformance.stack.sysctl import SECOND

if TYPE_CHECKING:
    from conformance.stack.net import Net

__all__ = ["FragmentQueues", "Whole"]

_TIME = 60 * SECOND
"""RFC 1122, section 3.3.2 (60 to 120 seconds), and RFC 8200, section 4.5."""
_TIME4_LINUX = 30 * SECOND
"""net.ipv4.ipfrag_time."""
_MEMORY = 4 << 20
_OVERHEAD, _QUEUE_OVERHEAD = 128, 1024
"""Octets that are counted for a fragment beside its data, and for a queue."""
_MAX_PACKET = 65535
_NOT_ECT, _CE = 0, 3

Whole = tuple[bytes, bytes, bool]
"""The first fragment's packet, the whole payload, and whether a fragment met congestion."""


class _Queue:
    """``struct ipq``, ``struct frag_queue``: the fragments of one packet."""

    __slots__ = ("condemned", "ecn", "end", "expires", "first", "memory", "octets", "payloads", "starts")

    def __init__(self, expires: int) -> None:
        self.expires = expires
        self.starts: list[int] = []
        self.payloads: list[bytes] = []
        """Sorted by ``starts``, without overlaps."""
        self.octets = 0
        self.end: int | None = None
        """The length of the payload, once the last fragment has come."""
        self.first = b""
        """The whole packet of the fragment with offset 0: it gives the header, and errors quote it."""
        self.ecn = 0
        """The ECN fields that were seen, a bit each."""
        self.memory = _QUEUE_OVERHEAD
        self.condemned = False

    def insert(self, start: int, payload: bytes, last: bool) -> bool:
        """Put a fragment in its place. False: it contradicts what is here already."""
        end = start + len(payload)
        at = bisect_right(self.starts, start)
        if at and self.starts[at - 1] == start and self.payloads[at - 1] == payload:
            return not last or self.end == end  # the same once more
        if at and self.starts[at - 1] + len(self.payloads[at - 1]) > start:
            return False
        if at < len(self.starts) and self.starts[at] < end:
            return False
        if last and (self.end is not None or at < len(self.starts)):
            return False
        if self.end is not None and end > self.end:
            return False
        self.starts.insert(at, start)
        self.payloads.insert(at, payload)
        self.octets += len(payload)
        self.memory += len(payload) + _OVERHEAD
        if last:
            self.end = end
        return True

    def covers(self, start: int, end: int) -> bool:
        """Is all of that here already? Linux drops such a fragment alone, whatever is in it (inet_frag_queue_insert(), IPFRAG_DUP)."""
        at = bisect_right(self.starts, start)
        if not at:
            return False
        reached = self.starts[at - 1] + len(self.payloads[at - 1])
        for following, payload in zip(self.starts[at:], self.payloads[at:], strict=True):
            if following != reached:
                break
            reached += len(payload)
        return start < end <= reached


class FragmentQueues:
    """``struct fqdir``: all packets of one stack that are not whole yet. Their memory is bounded; the oldest give way."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.queues: dict[Hashable, _Queue] = {}
        self.memory = 0
        self.timer = net.timer(self._expire)
        """One for all: a stopped timer stays in the queue of timers, and whoever sends fragments could fill that."""

    def defragment(self, key: Hashable, packet: bytes, start: int, payload: bytes, last: bool, ecn: int) -> Whole | None:
        """ip_defrag(): one more fragment, ``payload`` at ``start``; the whole if nothing is missing any more.

        ``key`` says which packet it is of, ``packet`` is what it came in. The caller has checked that ``payload`` is not empty, that it is
        a multiple of 8 octets long unless it is the ``last``, and that it ends within 65535 octets.
        """
        queue = self.queues.get(key)
        if queue is None:
            queue = self._create(key, packet)
        elif queue.condemned:
            self.net.count("IpReasmFails")
            return None
        before = queue.memory
        if self.net.sysctl.linux and queue.covers(start, start + len(payload)):
            return None
        if not queue.insert(start, payload, last):
            self._condemn(queue)
            return None
        queue.ecn |= 1 << ecn
        if start == 0 and not queue.first:
            queue.first = packet
            queue.memory += len(packet)
        self.memory += queue.memory - before
        if queue.end == queue.octets:
            return self._reassemble(key, queue)
        self._make_room(key)
        return None

    def _create(self, key: Hashable, packet: bytes) -> _Queue:
        short = self.net.sysctl.linux and packet[0] >> 4 == 4
        queue = self.queues[key] = _Queue(self.net.now + (_TIME4_LINUX if short else _TIME))
        self.memory += queue.memory
        if self.timer.expires is None or queue.expires < self.timer.expires:
            self.timer.reset(queue.expires)
        return queue

    def _reassemble(self, key: Hashable, queue: _Queue) -> Whole | None:
        """ip_frag_reasm(). Congestion that one fragment met, the packet met (RFC 3168, section 5.3)."""
        self._remove(key, queue)
        congested = queue.ecn >> _CE & 1 != 0
        if congested and queue.ecn >> _NOT_ECT & 1:
            self.net.count("IpReasmFails")
            return None
        self.net.count("IpReasmOKs")
        return queue.first, b"".join(queue.payloads), congested

    def _condemn(self, queue: _Queue) -> None:
        """Nothing of this packet is of use, nor will be."""
        self.net.count("IpReasmFails")
        self.memory -= queue.memory - _QUEUE_OVERHEAD
        queue.memory, queue.condemned, queue.first = _QUEUE_OVERHEAD, True, b""
        queue.starts, queue.payloads = [], []

    def _make_room(self, newest: Hashable) -> None:
        """Within the bound again; the packet that has just grown is the last to go."""
        while self.memory > _MEMORY:
            key = next((key for key in self.queues if key != newest), newest)
            self.net.count("IpReasmFails")
            self._remove(key, self.queues[key])

    def _remove(self, key: Hashable, queue: _Queue) -> None:
        del self.queues[key]
        self.memory -= queue.memory
        if not self.queues:
            self.timer.stop()

    def _expire(self) -> None:
        """ip_expire(): the time of some is over. Their senders hear of it if the first fragment has come."""
        for key, queue in [(key, queue) for key, queue in self.queues.items() if queue.expires <= self.net.now]:
            self.net.count(("IpReasmTimeout", "IpReasmFails"))
            self._remove(key, queue)
            if queue.first:
                icmp_send(self.net, queue.first, *((11, 1) if queue.first[0] >> 4 == 4 else (3, 1)))
        if self.queues:
            self.timer.reset(min(queue.expires for queue in self.queues.values()))
