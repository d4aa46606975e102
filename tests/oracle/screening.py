"""What the tests of the screen need: packets as columns, both judges, and ordinary traffic without a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.capture.column_reader import _fill, _identify
from conformance.capture.columns import Columns
from conformance.oracle.finding import Connection, Vantage
from conformance.oracle.judge import Judge
from conformance.oracle.screen import Screen
from conformance.trace import Seen
from conformance.wire import options
from conformance.wire.segment import URG, Icmp, Segment
from tests.stack.pair import Pair

__all__ = ["chatter", "columns", "fully", "quickly", "renumbered", "said"]

_ORDINARY = {options.EOL, options.MSS, options.WSCALE, options.SACK_OK, options.SACK, options.TIMESTAMP}


def columns(packets: Sequence[Seen]) -> Columns:
    """As the column reader gives them; each packet is kept as it is."""
    made = Columns.zeros(len(packets))
    _fill(made, dict(enumerate(packets)))
    made.odd = np.array([not _plain(packet) for packet in packets], np.bool_)
    made.seen = dict(enumerate(packets))
    _identify(made)
    return made


def _plain(packet: Seen) -> bool:
    segment = packet.packet
    if not isinstance(segment, Segment) or segment.ip_options or segment.urgent or segment.reserved or segment.flags & URG:
        return False
    kinds = [option.kind for option in segment.options if option.kind != options.NOP]
    return len(set(kinds)) == len(kinds) and set(kinds) <= _ORDINARY and options.well_formed(segment.options)


def renumbered(packets: Sequence[Seen]) -> list[Seen]:
    """Numbers from 1 on, and what the readers would leave out is not there."""
    kept = [packet for packet in packets if isinstance(packet.packet, (Segment, Icmp))]
    return [replace(packet, number=number) for number, packet in enumerate(kept, 1)]


def fully(packets: Sequence[Seen], vantage: Vantage | None = None) -> list[Connection]:
    """What the judge says of them."""
    connections: list[Connection] = []
    judge = Judge(connections.append, vantage)
    for packet in packets:
        judge.see(packet)
    judge.end()
    return connections


def quickly(packets: Sequence[Seen], vantage: Vantage | None = None, run: int = 1000, **how: Any) -> tuple[list[Connection], Screen]:
    """What the screen says, if it is shown so many at a time."""
    connections: list[Connection] = []
    screen = Screen(connections.append, vantage, **how)
    runs = [columns(packets[begin : begin + run]) for begin in range(0, len(packets), run)]
    for one in runs:
        screen.see(one)
    screen.end(lambda: runs)
    return connections, screen


def said(connections: Sequence[Connection], vantage: Vantage | None = None) -> list[object]:
    """All that is said of them, as it can be compared.

    Their numbers may differ, for the screen counts what a run begins before what turns out in it to be another connection; and where
    nobody knows the vantage it has seen more of the capture than the judge when it is asked about it, so that it may be more certain.
    """
    return sorted(
        (
            one.first, one.last, one.packets, one.client, one.server, one.client_isn or -1, one.server_isn or -1,
            one.unjudged,
            sorted((each.packet, each.rule.name, each.endpoint, each.reason, each.certain and bool(vantage)) for each in one.findings),
        )
        for one in connections
    )  # fmt: skip


class _Filmed(Pair):
    """Two stacks whose link takes 50 µs."""

    def __init__(self, client: dict[str, Any], server: dict[str, Any]) -> None:
        self.packets: list[Seen] = []
        super().__init__(client, server)
        self.change = self._film

    def _film(self, segment: Segment, frame: bytes) -> bytes:
        t = max(self.nets[0].now, self.packets[-1].t if self.packets else 0) + 50_000
        for net in self.nets:
            net.advance(t)
        self.packets.append(Seen(len(self.packets) + 1, t, segment))
        return frame

    def pass_on(self, sender: tuple[int, int], receiver: tuple[int, int], octets: int) -> None:
        """Send so many, and read them as they come."""
        left = octets
        sent = self.do(sender[0], "sendto", sender[1], bytes(octets))
        while left:
            got = self.do(receiver[0], "recvfrom", receiver[1], 1 << 16).value[0]
            left -= len(got)
        assert sent.done


def chatter(settings: dict[str, Any], connections: int = 12) -> Iterator[Seen]:
    """What a host sees on an ordinary day: requests and answers of some kilobytes, one long transfer, every way to close."""
    pair = _Filmed(settings, settings)
    for number in range(connections):
        client, server = pair.connect()
        pair.pass_on((0, client), (1, server), 100 + number)
        pair.wait(0.003)
        pair.pass_on((1, server), (0, client), 300_000 if number == 3 else 2000 * number + 1)
        if number % 4 == 2:
            pair.do(0, "sendto", client, b"never read")
        ends = [(0, client), (1, server)]
        for who, fd in ends if number % 2 else reversed(ends):
            pair.do(who, "close", fd)
            pair.wait(0.002)
    return iter(pair.packets)
