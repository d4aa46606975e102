"""A peer of one connection with the stack, and short ways to a connection that is open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from conformance.sut.base import Host
from conformance.sut.check.desk import Desk, When, shown
from conformance.sut.check.finding import Lack
from conformance.sut.places import own_places
from conformance.wire.options import encode, mss_option
from conformance.wire.segment import ACK, FIN, PSH, RST, SYN, Family, Segment
from conformance.wire.seq import relative
from conformance.wire.template import Spec, build
from conformance.wire.text import address_text, segment_text

__all__ = [
    "DATA", "DOMAINS", "PORT", "Opened", "Peer", "accept", "accepted", "any_address", "connecting", "fill", "listener", "make_socket",
]  # fmt: skip

DOMAINS = {Family.IPV4: "AF_INET", Family.IPV6: "AF_INET6"}
PORT = 5000
_ISN = 0x7FFF_F000
_PART, _ENDLESS = 10_000, 20_000_000
"""Octets for one send(), and more than any buffer holds."""
_MASK = 0xFFFF_FFFF
_MSS = encode([mss_option(1000)])


class Peer:
    """The other end of one connection. ``number`` tells several of a check apart."""

    def __init__(self, desk: Desk, family: Family, number: int = 1) -> None:
        self.desk, self.family = desk, family
        self._places = own_places(family)
        self.address = self._places.hosts["peer" if number == 1 else "peer2"]
        self.port, self.sut_port = 40000 + number, PORT
        self.isn = _ISN + number
        self.snd, self.rcv = self.isn, 0
        """The next number to send, and the next that the stack should."""
        self.sut_isn = 0

    @property
    def host(self) -> Host:
        """As ``accept`` and ``getpeername`` have it."""
        return Host(self.address, self.port)

    @property
    def where(self) -> dict[str, object]:
        """As ``connect`` takes it."""
        return {"address": address_text(self.address), "port": self.port}

    @property
    def ends(self) -> dict[str, object]:
        """As ``state`` takes them."""
        local = {"address": address_text(self._places.hosts["sut"]), "port": self.sut_port}
        return {"local": local, "remote": self.where}

    # Segments ---------------------------------------------------------------------------------------------------------

    def put(self, flags: int, data: bytes = b"", *, window: int = 65535, options: bytes | None = None) -> None:
        """Send the next segment."""
        chosen = (_MSS if flags & SYN else b"") if options is None else options
        spec = Spec(self.family, flags=flags, window=window, payload=data, options=(chosen,) if chosen else ())
        places = self._places
        bound = build(spec).bind(places.peer_mac, places.sut_mac, self.address, places.hosts["sut"], self.port, self.sut_port)
        self.desk.put(bound.render(self.snd, self.rcv if flags & ACK else 0))
        self.snd = (self.snd + len(data) + bool(flags & SYN) + bool(flags & FIN)) & _MASK

    def expect(self, what: str, fits: Callable[[Segment], bool], when: When = When.NOW) -> Segment:
        """The next segment to this peer that fits; those before it are passed over."""
        passed: list[Segment] = []
        segment = self.desk.until(lambda: self._next(fits, passed), when)
        if segment is None:
            raise Lack(what, "; ".join(self._text(one) for one in passed[:3]) or "no segment")
        if segment.flags & SYN:
            self.sut_isn, self.sut_port = segment.seq, segment.sport
        self.rcv = (segment.seq + segment.length) & _MASK
        return segment

    def silence(self, what: str, fits: Callable[[Segment], bool], seconds: float) -> None:
        """No such segment comes."""
        self.desk.pause(seconds)
        if (segment := self._next(fits, [])) is not None:
            raise Lack(what, self._text(segment))

    def _next(self, fits: Callable[[Segment], bool], passed: list[Segment]) -> Segment | None:
        segments = self.desk.segments
        for segment in list(segments):
            if (segment.dst, segment.dport) == (self.address, self.port):
                segments.remove(segment)
                if fits(segment):
                    return segment
                passed.append(segment)
        return None

    def _text(self, segment: Segment) -> str:
        return segment_text(segment, self.sut_isn or segment.seq, self.isn)

    # What often comes -------------------------------------------------------------------------------------------------

    def expect_syn(self, when: When = When.ALREADY) -> Segment:
        return self.expect("a SYN from the stack", lambda segment: segment.flags & (SYN | ACK) == SYN, when)

    def expect_syn_ack(self, when: When = When.NOW) -> Segment:
        wanted = "a SYN,ACK that acknowledges the SYN"
        return self.expect(wanted, lambda segment: segment.flags & (SYN | ACK | RST) == SYN | ACK and segment.ack == self.snd, when)

    def expect_ack(self, when: When = When.NOW) -> Segment:
        """Of all that was sent."""
        wanted = f"an acknowledgement of all {relative(self.snd, self.isn)} numbers that were sent"
        return self.expect(wanted, lambda segment: bool(segment.flags & ACK) and segment.ack == self.snd, when)

    def expect_data(self, data: bytes, when: When = When.NOW) -> None:
        """In order, in one segment or in several."""
        came, first = b"", self.rcv
        while len(came) < len(data):
            what = f"{len(data) - len(came)} octets of data from number {relative(self.rcv, self.sut_isn)} on"
            segment = self.expect(what, lambda segment: bool(segment.payload) and segment.seq == self.rcv, when)
            came += segment.payload
            if len(came) < len(data):  # a stack sends more once something is acknowledged
                self.put(ACK)
                when = When.LATER
        if came != data:
            raise Lack(f"the {len(data)} octets that send() took, from number {relative(first, self.sut_isn)} on", f"{came[:32].hex()}…")

    def expect_fin(self, when: When = When.ALREADY) -> Segment:
        return self.expect("a FIN from the stack", lambda segment: bool(segment.flags & FIN), when)


@dataclass(slots=True)
class Opened:
    """A connection that is open: its peer, its socket, and the socket that listened."""

    peer: Peer
    socket: int
    listener: int


def any_address(family: Family) -> str:
    return address_text(own_places(family).hosts["any"])


def make_socket(desk: Desk, family: Family) -> int:
    """One for TCP."""
    return desk.handle("socket", domain=DOMAINS[family], type="SOCK_STREAM", protocol="IPPROTO_TCP")


def listener(desk: Desk, family: Family, port: int = PORT) -> int:
    """A socket that listens."""
    socket = make_socket(desk, family)
    desk.call("bind", socket=socket, address=any_address(family), port=port)
    desk.call("listen", socket=socket, backlog=8)
    return socket


def accepted(desk: Desk, family: Family, number: int = 1, socket: int | None = None, port: int = PORT) -> Opened:
    """A connection that a peer has opened."""
    listens = listener(desk, family, port) if socket is None else socket
    peer = Peer(desk, family, number)
    peer.sut_port = port
    peer.put(SYN)
    peer.expect_syn_ack()
    peer.put(ACK)
    return Opened(peer, accept(desk, listens, peer), listens)


def accept(desk: Desk, socket: int, peer: Peer) -> int:
    """The socket of the connection that this peer has opened. Frames come first: the ACK is on the link, and the stack is not told so."""
    found = desk.call("accept", socket=socket)
    if found.peer != peer.host:
        raise Lack(f"accept() to give the peer's address and port, {peer.where}", f"{found.peer}")
    assert isinstance(found.value, int)
    return found.value


def connecting(desk: Desk, family: Family, number: int = 1) -> Opened:
    """A connection that the stack begins to open, without waiting; its SYN has come."""
    socket, peer = make_socket(desk, family), Peer(desk, family, number)
    found = desk.try_call("connect", socket=socket, **peer.where)
    if found.error != "EINPROGRESS":
        raise Lack("EINPROGRESS from a connect() that must not block", found.error or "success")
    peer.expect_syn()
    return Opened(peer, socket, -1)


def fill(desk: Desk, socket: int) -> int:
    """Send until there is no room; how many octets that took. The peer acknowledges nothing."""
    taken = 0
    while taken < _ENDLESS:
        found = desk.try_call("send", socket=socket, data="a5" * _PART, flags=[])
        if found.error == "EAGAIN" and taken:
            return taken
        if found.error is not None or not isinstance(found.value, int) or not 0 < found.value <= _PART:
            raise Lack(f"EAGAIN from send() once the buffer is full, and up to {_PART} before", shown(found))
        taken += found.value
    raise Lack("EAGAIN from send() once the buffer is full", f"{taken} octets taken, none of which was acknowledged")


# PSH is what a sender of data sets that has no more; stacks hand the data over at once.
DATA = PSH | ACK
