"""Hand-made findings and connections for the tests of this folder."""

from __future__ import annotations

from conformance.oracle.finding import Connection, Finding, Rule, Vantage
from conformance.report.check.account import Account
from conformance.report.check.excerpt import Excerpt, Passed
from conformance.report.check.summary import FileSummary
from conformance.trace import Seen
from conformance.wire.segment import ACK, SYN, Segment

from ..sample import PEER_ISN, SUT_ISN, segment

MUST = Rule("ack-of-unsent", "RFC9293/3.10.7.4-ack-unsent", "MUST", "Only what was sent is acknowledged")
SHOULD = Rule("late-ack", "RFC9293/SHLD-18", "SHOULD", "An ACK is not delayed by more than half a second")
CLIENT, SERVER = "192.0.2.1:40000", "192.0.2.2:80"
START = 1_700_000_000_000_000_000
MS = 1_000_000


def finding(
    packet: int = 6, *, rule: Rule = MUST, endpoint: str = SERVER, certain: bool = True, connection: int = 2, reason: str = ""
) -> Finding:
    """Something that the server did."""
    reason = reason or f"acknowledges {packet}000, where 1 is all that was sent"
    return Finding(rule, connection, endpoint, packet, START + packet * MS, certain, reason)


def connection(*findings: Finding, number: int = 2, packets: int = 40, unjudged: str = "", vantage: Vantage = Vantage.SERVER) -> Connection:
    """A connection of forty packets, the first and the last of the capture."""
    return Connection(number, CLIENT, SERVER, PEER_ISN, SUT_ISN, 1, packets, packets, vantage, list(findings), unjudged)


def account(*findings: Finding, file: str = "field.pcapng", ambiguous: bool = True) -> Account:
    """What is held against a connection with these findings."""
    return Account.of(file, connection(*findings), ambiguous=ambiguous)


def passed(number: int, flags: int = ACK, *, from_client: bool = True) -> Passed:
    """The packet with this number."""
    packet: Segment = segment(flags, from_peer=from_client, options=(), payload=b"" if flags & SYN else b"hello")
    return Passed(Seen(number, START + number * MS, packet), from_client)


def excerpt() -> Excerpt:
    """The handshake's first two packets, and what is around the sixth."""
    begin = passed(1, SYN), passed(2, SYN | ACK, from_client=False)
    return Excerpt(START + MS, [*begin, 2, passed(5), passed(6, from_client=False), passed(7), 33])


def summary(*connections: Connection) -> FileSummary:
    """Of a capture with these connections."""
    made = FileSummary(packets=1204)
    for each in connections:
        made.take(each)
    return made
