"""One end of a connection as somebody sees it who takes no part: what it sent, what had come to it, and what it owes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from conformance.oracle.fact import Fact
from conformance.oracle.intervals import Intervals
from conformance.wire.seq import diff

__all__ = ["MOST_KEPT", "UNDER_WAY", "Arrival", "Burst", "Owed", "Reduced", "Refused", "Side", "Transmission"]

_MASK = 0xFFFF_FFFF
MOST_KEPT = 4096
"""Transmissions, timestamps, refused segments … that are remembered of a side: what memory is bounded by."""
UNDER_WAY = 5_000_000
"""ns that a segment may be on its way through a machine after what came meanwhile could still have stopped it."""


@dataclass(slots=True)
class Transmission:
    """A segment with data, SYN or FIN that may have to be sent again."""

    seq: int
    end: int
    first_t: int
    last_t: int
    number: int
    """The packet that last had it."""
    payload: bytes
    """What the capture kept of its data."""
    data_at: int
    """The number of the first octet of ``payload``."""
    count: int = 1
    offloaded: bool = False


@dataclass(slots=True)
class Arrival:
    """A segment that came in order and awaits its acknowledgment."""

    fact: Fact
    end: int


@dataclass(slots=True)
class Owed:
    """An answer that is due at once: any segment will do."""

    t: int
    rule: str
    fact: Fact
    reason: str


@dataclass(slots=True)
class Refused:
    """Octets that came in a segment that must not be processed."""

    left: int
    right: int
    rule: str
    reason: str


@dataclass(slots=True)
class Burst:
    """Data that leaves at once after a pause."""

    t: int
    number: int
    """Of the last packet that had come by then."""
    seq: int
    most: int
    """Octets that may leave before anything is acknowledged."""
    idle: int
    """ns: how long the pause was."""


@dataclass(slots=True)
class Reduced:
    """A window after a loss."""

    una: int
    """From here on acknowledgments count: SND.UNA at a timeout, SND.NXT at a fast retransmission (``recover`` in RFC 6582)."""
    threshold: int
    """Octets: the most that ssthresh can be."""
    sent: int = 0
    """Octets that were sent since a timeout."""


@dataclass(slots=True)
class Side:
    """The state of one end. Numbers are relative to ``base``, its ISN."""

    name: str
    base: int | None = None
    """Absolute: what 0 stands for. In a capture that begins in the middle, a guess that makes the first number 1."""
    syn: Fact | None = None
    """The SYN, or SYN,ACK, that it sent first."""
    syn_again: int = 0
    passive: bool = False
    """It answered a SYN."""
    synchronized: bool = False
    """It has had the peer's SYN and the acknowledgment of its own, and has shown so."""
    # As a sender
    top: int = 0
    """SND.NXT, as far as the capture shows."""
    mark: int = 0
    """What has to be acknowledged until a round is over; see :class:`conformance.oracle.certainty.Sight`."""
    data_top: int = 0
    """The number after the last octet of data that it sent."""
    una: int = 0
    """SND.UNA: the highest acknowledgment that has come."""
    una_sure: int = 0
    """What it must have known by the time that was asked for last."""
    una_at: deque[tuple[int, int]] = field(default_factory=deque)
    """When SND.UNA came to be what it was: times and values, the oldest first; as far back as reactions may take."""
    flight: deque[Transmission] = field(default_factory=deque)
    sacked: Intervals = field(default_factory=Intervals)
    peer_edge: int | None = None
    """The rightmost edge of the peer's window that has come."""
    hasty: tuple[Fact, str] | None = None
    """Data before its SYN was acknowledged, unless the capture has missed that: the next acknowledgment tells."""
    beyond: tuple[Fact, str] | None = None
    """Data beyond that, unless the capture has missed a window: the next one tells."""
    peer_edges: deque[tuple[int, int]] = field(default_factory=deque)
    """The edges that came, and when: as far back as reactions may take."""
    wl1: int = -1
    wl2: int = -1
    """The numbers of the segment that its window was taken from (RFC 9293, 3.10.7.4, fifth)."""
    over: bool = False
    """A RST came that may have been at RCV.NXT: there may be no connection any more."""
    rst_heard: bool = False
    told_off: bool = False
    """An ICMP error came that may have ended the connection."""
    told: bool = False
    """An ICMP error came about what it had under way."""
    told_softly: tuple[int, int, int] | None = None
    """The number and the time of a soft error about what it had under way, and in how many ns at the latest that had to be sent again."""
    told_too_small: int | None = None
    """When an error came that asks for packets smaller than any path does."""
    peer_edge_last: int = 0
    """That which came with the latest acknowledgment."""
    fin: int | None = None
    """The number after its FIN."""
    fin_first: bool = False
    """It closed before it had acknowledged the peer's FIN: it ends in TIME-WAIT."""
    reset: Fact | None = None
    """The RST by which it aborted."""
    killed: Fact | None = None
    """The RST, at exactly RCV.NXT, that came to it."""
    killed_old: bool = False
    """By its timestamp that RST was old."""
    last_sent: Fact | None = None
    odd: tuple[Fact, str] | None = None
    """A segment that came and should have had no effect, and the rule that is broken if it had."""
    top_at_odd: int = 0
    """Up to where data had come to it then."""
    waits_since: int = 0
    """When the last FIN came to it, in TIME-WAIT."""
    came_again: Intervals = field(default_factory=Intervals)
    """Octets that came more than once."""
    blocks: tuple[tuple[int, int], ...] = ()
    """The SACK blocks that it sent last."""
    reported: tuple[int, int] | None = None
    """The D-SACK block that it sent last, if nothing has come again since."""
    segments_acknowledged: int = 0
    joined: bool = False
    """Its segments stand for several each: hardware makes them."""
    first_data_t: int | None = None
    """When it first sent data."""
    congested: int | None = None
    """When CE came to it that no CWR has answered."""
    had_congestion: bool = False
    echoed: bool = False
    cwr_came: int = 0
    slow: int | None = None
    """When ECE came to it that it has not answered with CWR."""
    cwr_t: int = 0
    lost_since_cwr: bool = False
    """It has sent something again since, which is a reason of its own."""
    bad_syn_ack: Fact | None = None
    """A SYN,ACK that came in SYN-SENT and acknowledges something else than the SYN; in SYN-RECEIVED any such segment."""
    recover: int = 0
    """SND.NXT when it sent something again last: duplicate ACKs below belong to that loss (RFC 6582, section 3.2)."""
    unsent: tuple[Fact, str] | None = None
    """It has not sent again what it had to, unless it has aborted silently: what it sent last, and what to say if it goes on."""
    due_fast: Fact | None = None
    """The third duplicate ACK, which it has not answered with a retransmission."""
    samples: int = 0
    """Round trips that it can have measured."""
    advanced_t: int = 0
    """When an acknowledgment of new data came last."""
    disturbed: bool = False
    """Something was sent again, or reported missing, since all was well: retransmissions need no timer."""
    probes: tuple[int, int] | None = None
    """Of window probes: when the last was sent, and after how long."""
    probes_grew: bool = False
    """It was longer than the time before."""
    cwr_end: int = 0
    """SND.NXT when it sent CWR last."""
    acks_heard: dict[int, None] = field(default_factory=dict)
    """The acknowledgment numbers that came lately."""
    urgent: int | None = None
    news_t: int = 0
    """When the last segment of the peer came."""
    news_number: int = 0
    """Its packet."""
    news_before: int = 0
    """When the one before came."""
    duplicates: int = 0
    """Duplicate ACKs in a row that have come."""
    duplicate_t: int = 0
    """When the last of them came."""
    timer: tuple[int, int, int, int] | None = None
    """Of a segment that only the timer can have sent again: its number, when, after how many ns, how many times in a row."""
    since_timeout: tuple[int, int] | None = None
    """Since the timer expired: segments that it sent, and those of them, or older ones, that were acknowledged."""
    zero_since: int | None = None
    """When the peer's window came to be closed with nothing under way, if it has not sent anything since."""
    opened: Fact | None = None
    """What opened it again."""
    silly: Fact | None = None
    """A small segment that filled a small window."""
    shortest_rto: int | None = None
    """ns: the shortest time after which the timer, and nothing else, has sent something again for the first time."""
    samples_then: int = 0
    """:attr:`samples` when the timer expired last."""
    alone_then: bool = False
    """Nothing else was under way then."""
    slow_timer: int = 0
    """ns: how long the timer, longer than it should be, has taken for the left edge; 0 if it has not."""
    burst: Burst | None = None
    """Data that it has begun to send after a pause."""
    collapsed: Reduced | None = None
    """Its window since the last timeout."""
    recovery: Reduced | None = None
    """Its window in fast recovery, and after it."""
    cramped_t: int = 0
    """When the peer's window last came to have room for a segment that it had not had."""
    timer_sure: bool = False
    """It cannot have been a tail loss probe."""
    rtt_low: int | None = None
    """ns: the shortest round trip that it can have measured."""
    rtt_high: int = 0
    most_data: int = 0
    """Octets of its largest segment."""
    # As a receiver
    acked: int | None = None
    """The highest number that it acknowledged: RCV.NXT, as it says itself."""
    acked_t: int = 0
    """When it first did."""
    got: Intervals = field(default_factory=Intervals)
    """What can have come to it."""
    ahead: deque[tuple[int, int, int, int]] = field(default_factory=deque)
    """Segments that came ahead of a gap: left and right edge, time, number of the packet."""
    refused: deque[Refused] = field(default_factory=deque)
    edge: int | None = None
    """The rightmost edge of its window that it announced."""
    edge_ack: int = 0
    """The acknowledgment number with which it did."""
    edge_t: int = 0
    shrunk: bool = False
    """It has taken back some of its window: what came there it may have refused, and nobody can tell what it knows."""
    window: int = 0
    """The last that it announced."""
    edge_last: int = 0
    """Where that one ended."""
    odd_t: int | None = None
    """When a segment last came that is to be answered and not to be processed."""
    corrupt: int = 0
    """Segments of it whose checksum is wrong."""
    spoke: int = 0
    """The number of the last packet that it sent."""
    most_window: int = 0
    arrivals: deque[Arrival] = field(default_factory=deque)
    early: list[Fact] = field(default_factory=list)
    """Data that came in order before it had sent anything but its SYN,ACK."""
    owed: deque[Owed] = field(default_factory=deque)
    credit: int = 0
    """How many ACKs it may send that say nothing new."""
    since: int = 0
    """Segments that came since it sent one."""
    doubtful: int = 0
    """Up to where the data is in order only if it has taken what it need not have taken."""
    balanced: bool = True
    """Every segment that came before those had been answered."""
    rst_only: bool = False
    """All that came since it sent something are RSTs."""
    # Options
    shift: int | None = None
    """Of its window; None if the capture does not say, as where it begins later than the connection."""
    sack_ok: bool | None = None
    ts_ok: bool | None = None
    ts_high: tuple[int, int] | None = None
    """Its latest TSval, and when it was seen."""
    ts_first: tuple[int, int] | None = None
    heard: dict[int, None] = field(default_factory=dict)
    """TSvals that have come to it."""
    echo: int | None = None
    """The TSecr that it sent last: its TS.Recent, as it says itself."""
    recent: deque[tuple[int, int]] = field(default_factory=deque)
    """What TS.Recent became, and when."""
    perhaps: deque[int] = field(default_factory=deque)
    """TSvals of segments that it may have taken or not."""
    after_idle: Fact | None = None
    """Data in order that came after so long a pause that its timestamp does not count."""
    # Evidence about where the capture was taken
    reaction: int | None = None
    """ns: the shortest time from a segment to it until an answer that shows it had come."""
    missing: bool = False
    """It was captured out of order, or not at all: it is not near."""
    deaf: bool = False
    """Something was captured on its way to it that never arrived, or what it sent was overtaken before it was captured: it is not near."""
    outbound: bool | None = None

    def relative(self, number: int) -> int:
        """``number`` counted from the ISN; what is near what was sent is told apart from what is 2^32 away."""
        base = self.base
        if base is None:
            self.base = base = (number - 1) & _MASK
        return self.top + diff(number, (base + self.top) & _MASK)

    def owe(self, owed: Owed) -> None:
        """It owes an answer; of too many the latest are forgotten."""
        if len(self.owed) < MOST_KEPT:
            self.owed.append(owed)

    def una_before(self, t: int) -> int:
        """SND.UNA as it must have known it, from what had come by ``t``."""
        una = self.una_sure
        while self.una_at and self.una_at[0][0] <= t:
            una = self.una_sure = self.una_at.popleft()[1]
        return una

    def contiguous(self) -> int:
        """Up to where everything can have come to it, from what it acknowledged on."""
        return self.got.end_from(self.acked or 0)

    @property
    def host(self) -> str:
        """Its address, as its name has it."""
        return self.name.rpartition(":")[0]

    @property
    def closed(self) -> bool:
        """It has sent a FIN that was acknowledged, or a RST."""
        return self.reset is not None or (self.fin is not None and self.una >= self.fin)
