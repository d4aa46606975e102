"""Hand-made case runs for the tests of the reports."""

from __future__ import annotations

import struct

import dpkt

from conformance.case.case import Case
from conformance.result import CaseResult, Difference, Failure, SutFacts, Verdict
from conformance.trace import Called, Endpoints, Note, Received, Returned, Sent, StateChanged, Trace
from conformance.wire.options import MSS, NOP, SACK_OK, TIMESTAMP, WSCALE, Option, encode
from conformance.wire.segment import ACK, SYN, Family, Segment, Unreadable

PEER, SUT = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
PEER_ISN, SUT_ISN = 4_000_000_000, 1_234_567
START = 5_000_000_000
US = 1_000

TS = struct.pack(">II", 3_456_789_012, 100)
SYN_OPTIONS = (
    Option(MSS, struct.pack(">H", 1460)),
    Option(SACK_OK),
    Option(TIMESTAMP, TS),
    Option(NOP),
    Option(WSCALE, b"\7"),
)
FACTS = SutFacts("linux", "6.1.0", "tracepoint", {"net.ipv4.tcp_sack": "1"})


def segment(flags: int, *, from_peer: bool, options: tuple[Option, ...] = SYN_OPTIONS, payload: bytes = b"") -> Segment:
    """A segment of the handshake."""
    ends = (PEER, SUT, 40_000, 80) if from_peer else (SUT, PEER, 80, 40_000)
    seq, ack = (PEER_ISN, SUT_ISN) if from_peer else (SUT_ISN, PEER_ISN)
    ack = (ack + 1) % (1 << 32) if flags & ACK else 0
    return Segment(Family.IPV4, *ends, seq, ack, flags, 64_240, 0, encode(options), payload, ttl=64, df=True)


def frame(payload: bytes = b"hello", *, from_peer: bool = True) -> bytes:
    """An Ethernet frame with a TCP segment."""
    (sport, dport), (src, dst) = ((40_000, 80), (PEER, SUT)) if from_peer else ((80, 40_000), (SUT, PEER))
    tcp = dpkt.tcp.TCP(sport=sport, dport=dport, seq=PEER_ISN + 1, ack=SUT_ISN + 1, flags=ACK, win=512, data=payload)
    ip = dpkt.ip.IP(src=src, dst=dst, p=dpkt.ip.IP_PROTO_TCP, ttl=64, data=tcp)
    return bytes(dpkt.ethernet.Ethernet(data=ip))


def handshake() -> Trace:
    """A passive open whose SYN-ACK is what failed step 4, and what the SUT sent after that."""
    synack = segment(SYN | ACK, from_peer=False)
    trace = Trace(
        connections={"default": Endpoints("default", PEER, 40_000, SUT, 80, PEER_ISN, SUT_ISN)}, states_from="tracepoint", start=START
    )
    for event in (
        Called(t=START, step=0, text="socket()"),
        Returned(t=START + 4 * US, step=0, text="socket() = s"),
        StateChanged(t=START + 31 * US, step=2, who="s", old="CLOSED", new="LISTEN"),
        Called(t=START + 40 * US, step=3, text="accept(s)", blocking=True),
        Sent(t=START + 112 * US, step=3, frame=frame(b""), packet=segment(SYN, from_peer=True), connection="default"),
        Received(t=START + 139 * US, step=4, frame=frame(b"", from_peer=False), packet=synack, connection="default", failed=True),
        Received(t=START + 1_200_000 * US, frame=b"\1\2", packet=Unreadable("not IP", b"\1\2"), connection=None),
        Note(t=START + 1_200_001 * US, text="the tester was 3 ms late"),
    ):
        trace.add(event)
    return trace


def case(
    case_id: str = "handshake/passive-open[ipv4]", *, title: str = "A passive open completes the three-way handshake", level: str = "MUST"
) -> Case:
    """A case without steps."""
    file = case_id.partition("[")[0] + ".yaml"
    return Case(case_id, title, file, Family.IPV4, ("RFC9293/MUST-11", "RFC9293/3.5"), level, ())


def failure(**changes: object) -> Failure:
    """A SYN-ACK that acknowledges the wrong number."""
    values: dict[str, object] = {
        "file": "handshake/passive-open.yaml",
        "line": 12,
        "step": "expect: S. 0:0(0) ack 1 <mss *>",
        "reason": "The segment differs in its ack.",
        "expected": "S. 0:0(0) ack 1 <mss *>",
        "actual": "S. 0:0(0) ack 2 <mss 1460>",
        "why": "The SYN takes one number of the sequence space.",
        "differences": (Difference("ack", "1", "2"),),
        "index": 4,
    }
    return Failure(**(values | changes))  # type: ignore[arg-type]


def result(
    verdict: Verdict = Verdict.PASS, *, case_id: str = "handshake/passive-open[ipv4]", level: str = "MUST", **changes: object
) -> CaseResult:
    """A case run; with a failure and a trace unless it passed."""
    values: dict[str, object] = {"seconds": 0.25, "expected": verdict in (Verdict.PASS, Verdict.SKIPPED)}
    if verdict is not Verdict.PASS:
        values["failure"] = failure()
        values["trace"] = handshake()
    return CaseResult(case(case_id, level=level), "linux", verdict, **(values | changes))  # type: ignore[arg-type]
