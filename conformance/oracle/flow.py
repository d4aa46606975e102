"""A connection under judgement: its two sides, and what was found. The rules are in the modules that :data:`_RULES` lists."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.oracle import acknowledging, arriving, closing, congestion, errors, opening, sending, timestamps
from conformance.oracle.certainty import ALONE, Sight
from conformance.oracle.fact import Fact, Options, read_options
from conformance.oracle.finding import Connection, Finding, Vantage
from conformance.oracle.intervals import Intervals
from conformance.oracle.rules import RULES, STRICT
from conformance.oracle.side import Side
from conformance.oracle.whereabouts import Whereabouts
from conformance.trace import Seen
from conformance.wire.segment import ACK, FIN, SYN, Family, Icmp, Segment

__all__ = ["Draft", "Flow", "Former", "Suspicion"]


@dataclass(slots=True)
class Draft:
    """A finding whose certainty depends on where the capture was taken, which is only known at the end."""

    rule: str
    side: Side
    fact: Fact
    reason: str
    near: Side | None
    """The end that the capture must be near to; None: it holds wherever it was taken."""
    sure: bool = True
    hinted: bool = False
    """It would be sure if it were found once more."""


@dataclass(slots=True)
class Suspicion:
    """An acknowledgment of what the capture does not have: the capture missed it, or it was never sent."""

    side: Side
    fact: Fact
    number: int
    """What was acknowledged."""
    rule: str
    reason: str
    top: int
    """What the capture has, or has without a gap."""


@dataclass(frozen=True, slots=True)
class Former:
    """What has to be known of the connection before, when another one has the same addresses and ports."""

    sides: dict[str, tuple[int, int, bool, int | None]]
    """For each end its ISN and the number after what it sent last, absolute, whether it is in TIME-WAIT, and its latest TSval."""
    t: int
    timestamps: bool


@dataclass(slots=True)
class Flow:
    """Everything about one connection."""

    number: int
    a: Side
    """The client; before anybody knows, the one who sent first."""
    b: Side
    slack: int
    """ns that a segment may take between being captured and being processed, or between being sent and being captured."""
    given: Vantage | None
    whole: bool = False
    """The capture has everything: what comes without a handshake belongs to no connection."""
    strict: bool = False
    """Also rules of which nearly every stack thinks otherwise."""
    forward: bool = True
    """Is the client the lower of the two endpoints?"""
    first: int = 0
    last: int = 0
    last_t: int = 0
    spoke_t: int = 0
    """When a segment last came that belongs to it for certain: no SYN that may begin another."""
    packets: int = 0
    drafts: dict[tuple[str, str], Draft] = field(default_factory=dict)
    suspicions: list[Suspicion] = field(default_factory=list)
    sight: Sight = field(init=False)
    begun: bool = False
    """It has the SYN."""
    former: Former | None = None
    stray: tuple[Side, Seen] | None = None
    """A SYN on a connection that exists: perhaps of a new one."""
    path_mtu: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sight = Sight(self.whole or not self.slack)

    # Finding things ---------------------------------------------------------------------------------------------------

    def find(
        self, rule: str, side: Side, fact: Fact, reason: str, near: Side | None = None, sure: bool = True, plain: bool = False
    ) -> None:
        """``side`` broke ``rule``, and ``fact`` shows it. Only the first time counts; what is sure takes the place of what is not.

        Args:
            near: the end that the capture must be near to.
            sure: no other reason is known.
            plain: above all it cannot be that the capture has missed a packet.
        """
        if rule in STRICT and not self.strict:
            return
        sure = sure and not (near is not None and near.shrunk)
        key = (rule, side.name)
        known = self.drafts.get(key)
        if known is not None and (known.sure or not sure):
            return
        again = known is not None and known.hinted and known.fact.number < fact.number
        shown = sure and self.sight.shows(rule, again, plain)
        if known is not None and again and shown and not self.sight.shows(rule, False, plain):
            known.sure = True  # and it was so the first time already
        elif shown or known is None or not known.hinted:
            self.drafts[key] = Draft(rule, side, fact, reason, near, shown, sure)
            self.sight.watch(self.a, self.b)

    def missed(self) -> None:
        """The capture has missed something, and nobody knows since when: what was found lately may be due to that."""
        if self.sight.complete:
            return
        for draft in self.drafts.values():
            if draft.fact.number > self.sight.checked and draft.rule not in ALONE:
                draft.sure = draft.hinted = False
        self.sight.missed(self.a, self.b)

    def suspect(self, side: Side, fact: Fact, number: int, rule: str, reason: str, top: int) -> None:
        """``side`` tells of what the capture does not have; what the other side sends next may show who is wrong."""
        if len(self.suspicions) < _MOST_SUSPICIONS:
            self.suspicions.append(Suspicion(side, fact, number, rule, reason, top))
        else:
            self.missed()

    def alive(self, side: Side) -> bool:
        """Has it shown in this connection that it is there, and nothing that would have ended it?"""
        other = self.b if side is self.a else self.a
        there = side.synchronized or (self.whole and side.syn is not None and side.una >= 1)
        return there and side.reset is None and other.reset is None and not side.told_off and not side.over

    def quiet(self, side: Side, fact: Fact) -> bool:
        """Has nothing come lately that a stack might count, when it limits how many such segments it answers (RFC 5961, section 7)?"""
        quiet = side.odd_t is None or fact.t - side.odd_t > _LIMITED
        side.odd_t = fact.t
        return quiet and side.synchronized and not side.owed

    # Seeing -----------------------------------------------------------------------------------------------------------

    def see(self, seen: Seen, segment: Segment, e: Side, p: Side) -> bool:
        """A segment from ``e`` to ``p``. False: it begins a new connection, and this one is over."""
        if self.packets and (segment.flags & SYN or self.stray is not None) and self._another(seen, segment, e, p):
            return False
        if not self.packets:
            self.first = seen.number
        self.packets += 1
        self.last, self.last_t = seen.number, seen.t
        if e.outbound is None:
            e.outbound = seen.outbound
        if not segment.checksum_ok:
            arriving.corrupt(self, e, p, self._fact(seen, segment, e, p))
            return True
        met = p.syn is not None and not p.syn.flags & ACK
        if met and e.syn is None and not segment.flags & (SYN | 4) and not p.synchronized:
            p.since, p.rst_only, p.news_number = p.since + 1, False, seen.number
            return True  # an answer of an older connection, which this SYN met
        if self.former is not None and (e.reset or p.reset) and not (e.synchronized or p.synchronized) and not segment.flags & SYN:
            return True  # the attempt has failed, and what comes now may be about the connection before
        fact = self._fact(seen, segment, e, p)
        arriving.overdue(self, fact.t, e, fact)
        if segment.flags & SYN and e.synchronized and fact.seq:  # of another connection, or an old one
            arriving.arrive(self, e, p, fact)
            e.last_sent = fact
            return True
        for rules in _RULES:
            rules(self, e, p, fact)
        self._sent(e, p, fact)
        arriving.arrive(self, e, p, fact)
        if self.sight.watching and not self.suspicions:
            self.sight.see(fact.number, self.a, self.b)
        return True

    def _fact(self, seen: Seen, segment: Segment, e: Side, p: Side) -> Fact:
        flags = segment.flags
        options = read_options(segment.options_data) if segment.options_data else _NONE
        crossed = flags & ACK and p.syn is not None and e.syn is not None and not e.syn.flags & ACK
        if (
            flags & SYN
            and not crossed
            and (e.syn is None or (segment.seq != e.base and not e.synchronized and not p.synchronized and e.una < 1))
        ):
            e.syn = None
            if e.base is not None:  # a guess, from what came before the handshake
                e.top, e.una, e.una_sure, p.acked, p.got = 0, 0, 0, None, Intervals()
            e.base = segment.seq
            if not flags & ACK:
                self.sight.begin()
        reset_alone = flags & 4 and not flags & ACK  # its number may be that of an acknowledgment of the peer's, or nothing
        if e.base is None and not reset_alone:
            e.base = (segment.seq - 1) & 0xFFFF_FFFF
        seq = e.relative(segment.seq)
        ack = None
        if flags & ACK:
            if p.base is None and not flags & 4:
                p.base, p.top, p.una, p.una_sure = (segment.ack - 1) & 0xFFFF_FFFF, 1, 1, 1
            ack = p.relative(segment.ack)
        shift = 0 if flags & SYN else e.shift
        window = segment.window << (shift or 0)
        sack = tuple((p.relative(left), p.relative(right)) for left, right in options.sack) if options.sack else ()
        data = len(segment.payload) + segment.cut
        end = seq + data + (flags & 1) + (flags >> 1 & 1)
        return Fact(seen.number, seen.t, segment, flags, options, seq, end, data, ack, window, sack, seen.offloaded, seen.outbound)

    def _another(self, seen: Seen, segment: Segment, e: Side, p: Side) -> bool:
        """Does this SYN begin another connection than the one that is known, or show that a SYN before has begun one?"""
        if not segment.flags & SYN:  # that goes on where the SYN was, though the capture has no answer to that
            syn = self.stray[1].packet if self.stray is not None and self.stray[0] is e else None
            goes_on = isinstance(syn, Segment) and segment.seq == (syn.seq + 1) & 0xFFFF_FFFF and segment.flags & ACK
            return bool(goes_on) and segment.seq != (e.base or 0) + 1 & 0xFFFF_FFFF
        if segment.flags & ACK:
            if self.stray is not None and self.stray[0] is p and p.base is not None:
                stray = self.stray[1].packet
                assert isinstance(stray, Segment)
                return (segment.ack - stray.seq - 1) & 0xFFFF_FFFF <= len(stray.payload) and segment.seq != e.base
            over = (e.closed and p.closed) or e.reset is not None or p.reset is not None
            return self.stray is None and over and segment.seq != e.base and e.synchronized  # the SYN is missing
        if e.base is None or segment.seq == e.base or e.syn is None:
            ended = not self.begun and (e.fin is not None or p.fin is not None)
            return ended or self.a.reset is not None or self.b.reset is not None
        over = self.a.reset is not None or self.b.reset is not None or (not e.synchronized and p.syn is None)
        if not over:
            self.stray = (e, seen)
        return over

    def _sent(self, e: Side, p: Side, f: Fact) -> None:
        """What ``e`` has told about itself with this segment."""
        if f.ack is not None and not f.flags & 4:
            if e.acked is None or f.ack > e.acked:
                if e.acked is None and p.last_sent is not None and p.last_sent.flags & SYN:
                    crossed = e.syn is not None and p.syn is not None and not p.syn.flags & ACK
                    e.reaction = None if crossed else f.t - p.last_sent.t  # either side acknowledges a SYN at once
                e.acked, e.acked_t = f.ack, f.t
            if e.shift is not None:
                e.window, e.edge_last = f.window, f.ack + f.window
                e.most_window = max(e.most_window, f.window)
                edge = f.ack + f.window
                if e.edge is None or edge > e.edge:
                    e.edge, e.edge_ack, e.edge_t = edge, f.ack, f.t
        if f.flags & SYN and e.syn is not None:
            e.syn_again += 1
            if f.flags & ACK and e.una >= 1 and f.t - e.advanced_t > self.slack:
                e.deaf = True  # of the acknowledgment of its SYN
        elif f.flags & SYN:
            e.syn = f
            e.passive = p.syn is not None and bool(f.flags & ACK)
        if f.end > e.top and not f.flags & 4:
            if f.seq > e.top and e.syn is not None:
                e.missing = True
            e.top = f.end
        if f.data and f.last > e.data_top:
            e.data_top = f.last
        if f.flags & FIN and e.fin is None:
            e.fin, e.fin_first = f.end, p.fin is None or f.ack is None or f.ack < p.fin
        if f.data > e.most_data:
            e.most_data = f.data
        e.since = 0
        e.spoke, e.last_sent, self.spoke_t = f.number, f, f.t
        if f.sack:
            e.blocks = f.sack
        e.rst_only = False
        if not f.flags & SYN and not f.flags & 4 and e.syn is not None and p.syn is not None:
            e.synchronized = True

    def told(self, icmp: Icmp, seen: Seen, side: Side) -> None:
        """An ICMP error came to ``side`` about what it sent: that, too, may make it send again."""
        side.news_number, side.news_t = seen.number, seen.t
        side.timer = None
        side.told_off = side.told_off or not icmp.mtu
        quote = icmp.quote
        if quote is None or side.base is None or not side.una <= side.relative(quote.seq) < side.top:
            return
        errors.told(side, icmp, seen)
        if icmp.mtu >= _LEAST_MTU[icmp.family]:
            known = self.path_mtu.get(side.name)
            if known is None or icmp.mtu < known[1]:
                self.path_mtu[side.name] = seen.t, icmp.mtu

    def remains(self) -> Former:
        """What the next connection of the same addresses and ports is held against."""
        sides = {}
        for side, other in ((self.a, self.b), (self.b, self.a)):
            if side.base is not None:
                waits = (
                    side.fin is not None and other.fin is not None and side.una >= side.fin and side.reset is None and other.reset is None
                )
                sides[side.name] = (
                    side.base,
                    (side.base + side.top) & 0xFFFF_FFFF,
                    waits and side.fin_first,
                    side.ts_high and side.ts_high[0],
                )
        return Former(sides, self.spoke_t, bool(self.a.ts_ok))

    # At the end -------------------------------------------------------------------------------------------------------

    def judged(self, whereabouts: Whereabouts, t: int) -> Connection:
        """The connection and its findings, now that it is over, or the capture is, at ``t``."""
        arriving.overdue(self, t, None)
        for suspicion in self.suspicions:
            sure = self.given is Vantage.BOTH and self.sight.complete
            self.find(suspicion.rule, suspicion.side, suspicion.fact, suspicion.reason, sure=sure)
        if self.suspicions:
            self.missed()
        a, b = self.a, self.b
        nobody_knows = self.given in _ENDS and not (a.syn or b.syn or self.sight.complete)  # who is the client
        places = (None, None) if nobody_knows else whereabouts.near(a, b)
        near = {id(side): at for side, at in zip((a, b), places, strict=True)}
        connection = Connection(
            self.number, a.name, b.name, a.base, b.base, self.first, self.last, self.packets,
            _VANTAGES[places[0] is True, places[1] is True],
        )  # fmt: skip
        if not self.begun:
            connection.unjudged = "begins in the middle"
        elif not b.spoke or (b.acked is None and b.syn is None and b.reset is None):
            connection.unjudged = "one side only"
        for draft in sorted(self.drafts.values(), key=lambda draft: draft.fact.number):
            at = draft.near is None or near[id(draft.near)]
            if at is False:
                continue  # the capture was taken elsewhere: that end may have seen things otherwise
            certain = draft.sure and at is True
            connection.findings.append(
                Finding(RULES[draft.rule], self.number, draft.side.name, draft.fact.number, draft.fact.t, certain, draft.reason)
            )
        return connection


_MOST_SUSPICIONS = 16
_LEAST_MTU = {Family.IPV4: 576, Family.IPV6: 1280}
"""Smaller ones need not be believed: IPv6 has none, and of IPv4's Linux believes none below 552."""
_LIMITED = 1_500_000_000
"""ns: Linux counts by seconds, or half seconds."""
_NONE = Options()
_ENDS = (Vantage.CLIENT, Vantage.SERVER)
_VANTAGES = {(True, True): Vantage.BOTH, (True, False): Vantage.CLIENT, (False, True): Vantage.SERVER, (False, False): Vantage.MIDDLE}
_RULES = (opening.judge, sending.judge, timestamps.judge, acknowledging.judge, congestion.judge, closing.judge)
"""Each is given the flow, who sent, to whom, and what, before any of that is remembered."""
