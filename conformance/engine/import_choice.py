"""Which connections of a capture make a case, and their packets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.capture.import_packets import MOST_PACKETS, Conversation, End
from conformance.capture.reader import CaptureReader
from conformance.engine.checking import judge_file
from conformance.engine.status import UsageError
from conformance.oracle.finding import Connection
from conformance.oracle.judge import endpoint_name
from conformance.trace import Seen
from conformance.wire.segment import Icmp, Segment

__all__ = ["Chosen", "choose", "ends_of", "side_of"]

_MOST_TOGETHER = 20
"""Connections that make one case if nobody chooses."""
_MOST_KEPT = 10_000
"""Connections of which one can be chosen by its number though others were not asked for."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Connections that make a case, as the oracle judges them, and their packets."""

    connections: Sequence[Connection]
    conversations: Sequence[Conversation]
    side: str
    """``client`` or ``server``: the SUT's place in the first."""
    among: int
    """How many there are."""


def choose(path: Path, number: int | None, side: str, first: int, last: int | None) -> Chosen:
    """The connection with this number, or all that belong together: those of the host that is the SUT of the first one.

    Raises UsageError where there is none or too many, and CaptureError if the file is no capture.
    """
    judged: list[Connection] = []

    def take(connection: Connection) -> None:
        if len(judged) < _MOST_KEPT:
            judged.append(connection)

    summary = judge_file(path, None, take, only=() if number is None else (number,))
    if summary.error:
        raise UsageError(f"{path}: {summary.error}")
    judged.sort(key=lambda connection: connection.number)
    reaching = [one for one in judged if one.last >= first and (last is None or one.first <= last)]
    if not reaching:
        asked = f"no connection {number}" if number is not None else "no TCP connection"
        raise UsageError(f"{path}: there is {asked} among the packets; `conformance check` lists the connections")
    side = side or side_of(reaching[0])
    host = _host(getattr(reaching[0], side))
    together = [one for one in reaching if host in (_host(one.client), _host(one.server))]
    if len(together) > _MOST_TOGETHER:
        raise UsageError(f"{path}: {len(together)} connections are more than a case should have; choose one with --connection")
    talks = {talk.number: talk for talk in _conversations(path, together, first, last)}
    return Chosen([one for one in together if one.number in talks], list(talks.values()), side, len(reaching))


def side_of(connection: Connection) -> str:
    """Whose place the SUT takes if nobody says so: that of who is found to break a rule, else the server's."""
    blamed = {finding.endpoint for finding in connection.findings if finding.certain}
    return "client" if blamed == {connection.client} else "server"


def _host(endpoint: str) -> str:
    return endpoint.rpartition(":")[0]


def _conversations(path: Path, connections: Sequence[Connection], first: int, last: int | None) -> list[Conversation]:
    """Their packets, by a second look at the file."""
    found = {connection.number: _Pending(connection) for connection in connections}
    end = max(connection.last for connection in connections)
    kept = 0
    with CaptureReader(path) as reader:
        for seen in reader.packets():
            if seen.number > end or (last is not None and seen.number > last):
                break
            if seen.number < first or (ends := ends_of(seen)) is None:
                continue
            names = frozenset(endpoint_name(*end) for end in ends)
            for pending in found.values():
                if pending.names == names and pending.judged.first <= seen.number <= pending.judged.last:
                    pending.take(seen, ends)
                    kept += 1
            if kept > MOST_PACKETS:
                raise UsageError(f"{path}: more than {MOST_PACKETS} packets; choose some with --from and --to, or a --connection")
    return [pending.conversation() for pending in found.values() if pending.packets]


class _Pending:
    """A connection whose packets are being collected."""

    def __init__(self, judged: Connection) -> None:
        self.judged = judged
        self.names = frozenset((judged.client, judged.server))
        self.packets: list[Seen] = []
        self._ends: dict[str, End] = {}

    def take(self, seen: Seen, ends: tuple[End, End]) -> None:
        """One more."""
        self.packets.append(seen)
        self._ends.update({endpoint_name(*end): end for end in ends})

    def conversation(self) -> Conversation:
        """All of them."""
        client, server = self._ends[self.judged.client], self._ends[self.judged.server]
        return Conversation(self.judged.number, client, server, self.packets)


def ends_of(seen: Seen) -> tuple[End, End] | None:
    """Who sent it, or what it is about, and to whom."""
    packet = seen.packet
    if isinstance(packet, Segment):
        return (packet.src, packet.sport), (packet.destination, packet.dport)
    if isinstance(packet, Icmp) and packet.quote is not None:
        quote = packet.quote
        return (quote.src, quote.sport), (quote.dst, quote.dport)
    return None
