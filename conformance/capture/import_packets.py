"""Packets of a capture that somebody else took → a story without calls: who is the SUT, what the peer sent, what the SUT answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from conformance.capture.import_names import hosts_of, octets_text
from conformance.capture.import_story import FromPeer, FromSut, Link, Moment, Story, StoryError
from conformance.trace import Seen
from conformance.wire import options as wire
from conformance.wire.segment import FIN, PSH, RST, SYN, Family, Icmp, Segment

__all__ = ["Conversation", "End", "story_of_packets"]

End = tuple[bytes, int]
"""An address and a port."""

MOST_PACKETS = 4_000
"""A case has at most 5,000 steps."""
_PORT_NAMES = ("port", "port2", "port3")
_ECN = {1: "ect1", 2: "ect0", 3: "ce"}
_IP_HEADER = {Family.IPV4: 20, Family.IPV6: 40}
_TCP_HEADER = 20
_USUAL_MTU = 1500
_MTU = {Family.IPV4: (68, 9000), Family.IPV6: (1280, 9000)}
_NO_OPTION = {Family.IPV4: 536, Family.IPV6: 1220}
"""The MSS of who does not say one (RFC 9293, section 3.7.1)."""


@dataclass(slots=True)
class Conversation:
    """A connection of a capture."""

    number: int
    client: End
    server: End
    packets: list[Seen] = field(default_factory=list)
    """TCP segments, and ICMP messages about them."""


def story_of_packets(conversations: Sequence[Conversation], sut_side: str) -> Story:
    """What happened on these connections, of which ``sut_side`` (``client`` or ``server``) of the first is the SUT's.

    Raises StoryError where that cannot be a case: it begins in the middle, or has too many hosts or ports.
    """
    first = conversations[0]
    sut = (first.client if sut_side == "client" else first.server)[0]
    family = Family.IPV4 if len(sut) == 4 else Family.IPV6
    roles = [_roles(conversation, sut) for conversation in conversations]
    peers = list(dict.fromkeys(peer[0] for _, peer in roles))
    if len(peers) > 2:
        raise StoryError(f"{len(peers)} hosts are connected to the SUT, and a case has two; choose a connection")
    hosts = hosts_of(family, sut, peers[0], peers[1] if len(peers) > 1 else None)
    links = _links(conversations, roles)
    moments: list[Moment] = []
    for conversation, link in zip(conversations, links, strict=True):
        moments += _moments(conversation, link, hosts)
    if len(moments) > MOST_PACKETS:
        raise StoryError(f"{len(moments)} packets are more than a case holds; choose some with --from and --to, or a connection")
    moments.sort(key=lambda moment: (moment.t, moment.numbers))
    config: dict[str, object] = {} if (mtu := _mtu(family, moments)) is None else {"mtu": mtu}
    moments = list(_in_size(moments, family, mtu or _USUAL_MTU))
    return Story(family, links, moments, config, hosts, _ports(links, moments))


def _roles(conversation: Conversation, sut: bytes) -> tuple[End, End]:
    """The SUT's end, and the peer's."""
    if conversation.server[0] == sut:
        return conversation.server, conversation.client
    if conversation.client[0] == sut:
        return conversation.client, conversation.server
    raise StoryError(f"connection {conversation.number} is not the SUT's; choose one with --connection")


def _links(conversations: Sequence[Conversation], roles: Sequence[tuple[End, End]]) -> list[Link]:
    links: list[Link] = []
    for conversation, (sut, peer) in zip(conversations, roles, strict=True):
        segments = [seen.packet for seen in conversation.packets if isinstance(seen.packet, Segment)]
        theirs = [segment for segment in segments if segment.src == peer[0] and segment.sport == peer[1]]
        own = [segment for segment in segments if segment.src == sut[0] and segment.sport == sut[1]]
        sut_isn = next((segment.seq for segment in own if segment.flags & SYN), None)
        if sut_isn is None and any(not segment.flags & RST for segment in own):
            found = f"connection {conversation.number} begins in the middle: the SUT's SYN is not among its packets"
            raise StoryError(f"{found}; choose another with --connection")
        isn = next((segment.seq for segment in theirs if segment.flags & SYN), theirs[0].seq if theirs else 0)
        name = f"c{len(links) + 1}" if links else "default"
        before = next((link for link in reversed(links) if (link.peer, link.peer_port, link.sut_port) == (*peer, sut[1])), None)
        links.append(Link(name, *peer, *sut, isn, sut_isn, before.name if before else ""))
    return links


def _moments(conversation: Conversation, link: Link, hosts: Mapping[bytes, str]) -> Iterator[Moment]:
    for seen in conversation.packets:
        packet, numbers = seen.packet, (seen.number,)
        if isinstance(packet, Segment) and (packet.src, packet.sport) == (link.sut, link.sut_port):
            yield FromSut(t=seen.t, numbers=numbers, link=link, packet=packet)
        elif isinstance(packet, Segment):
            fields = _fields(packet, hosts)
            yield FromPeer(t=seen.t, numbers=numbers, link=link, packet=packet, fields=fields)
        elif isinstance(packet, Icmp) and packet.src == link.sut:
            yield FromSut(t=seen.t, numbers=numbers, link=link, packet=packet)
        elif isinstance(packet, Icmp):
            yield FromPeer(t=seen.t, numbers=numbers, link=link, packet=packet)


def _fields(segment: Segment, hosts: Mapping[bytes, str]) -> dict[str, object]:
    """What differs from a healthy peer's segment and could matter; not what each host on the way changes."""
    fields: dict[str, object] = {}
    if segment.reserved:
        fields["reserved"] = segment.reserved
    if not segment.checksum_ok:
        fields["checksum"] = "bad"
    if not segment.ip_checksum_ok:
        fields["ip_checksum"] = "bad"
    if segment.tos & 3:
        fields["ecn"] = _ECN[segment.tos & 3]
    if segment.ip_options:
        fields["ip_options"] = octets_text(hosts, segment.ip_options)
    return fields


def _ports(links: Sequence[Link], moments: Sequence[Moment]) -> dict[int, str]:
    """Names for the SUT's ports that it did not choose: those to which a peer sent first, and those that it used again."""
    begun: dict[str, bool] = {}
    for moment in moments:
        if isinstance(moment, FromPeer | FromSut):
            begun.setdefault(moment.link.name, isinstance(moment, FromPeer))
    often = Counter(link.sut_port for link in links)
    passive = list(dict.fromkeys(link.sut_port for link in links if begun.get(link.name) or often[link.sut_port] > 1))
    if len(passive) > len(_PORT_NAMES):
        raise StoryError(f"the SUT serves {len(passive)} ports, and a case has {len(_PORT_NAMES)}; choose a connection")
    return dict(zip(passive, _PORT_NAMES, strict=False))


# Sizes ----------------------------------------------------------------------------------------------------------------


def _mss(segment: Segment) -> int | None:
    return next((value for option in segment.options if (value := wire.mss(option)) is not None), None)


def _mtu(family: Family, moments: Sequence[Moment]) -> int | None:
    """The MTU of the SUT's link, as its MSS suggests; None: the usual one."""
    segments = [moment.packet for moment in moments if isinstance(moment, FromSut) and isinstance(moment.packet, Segment)]
    mss = next((value for segment in segments if segment.flags & SYN and (value := _mss(segment)) is not None), None)
    low, high = _MTU[family]
    if mss is None:
        return None
    mtu = min(max(mss + _IP_HEADER[family] + _TCP_HEADER, low), high)
    return mtu if mtu > _USUAL_MTU else None  # a smaller one may be that of the socket (TCP_MAXSEG)


def _in_size(moments: Sequence[Moment], family: Family, mtu: int) -> Iterator[Moment]:
    """What the hardware had not yet cut, or had joined, in segments as they are on the wire."""
    room = mtu - _IP_HEADER[family] - _TCP_HEADER
    limits: dict[str, int] = {}
    """What the peer takes, by the connection's name."""
    for moment in moments:
        if not isinstance(moment, FromPeer | FromSut) or not isinstance(moment.packet, Segment):
            yield moment
            continue
        segment = moment.packet
        if isinstance(moment, FromPeer):
            if segment.flags & SYN:
                limits[moment.link.name] = _mss(segment) or _NO_OPTION[family]
            most = room
        else:
            most = min(room, limits.get(moment.link.name, room))
        for part in _cut(segment, max(most - len(segment.options_data), 1)):
            yield replace(moment, packet=part)


def _cut(segment: Segment, size: int) -> Iterator[Segment]:
    total = len(segment.payload) + segment.cut
    if total <= size:
        yield segment
        return
    payload = segment.payload + bytes(segment.cut)
    for at in range(0, total, size):
        last = at + size >= total
        flags = segment.flags if last else segment.flags & ~(FIN | PSH)
        yield replace(segment, seq=(segment.seq + at) & 0xFFFF_FFFF, flags=flags, payload=payload[at : at + size], cut=0)
