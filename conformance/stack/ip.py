"""The way in: Ethernet and IPv4 (net/core/dev.c, net/ethernet/eth.c, net/ipv4/ip_input.c, net/ipv4/ip_options.c).

A plain TCP segment to this host, which nearly all packets are, takes a short way: read once, its addresses checked, handed to TCP.
Everything else goes step by step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stack.arp import arp_rcv
from conformance.stack.frags import FragmentQueues
from conformance.stack.icmp import icmp_rcv, icmp_send
from conformance.stack.ip6_input import ipv6_rcv
from conformance.stack.ip_options import LOOSE_ROUTE, STRICT_ROUTE
from conformance.stack.ip_output import ip_local_out, ip_queue_xmit
from conformance.stack.protocol import inet_protos
from conformance.wire.checksum import finish, ones_sum, verify
from conformance.wire.read import read_frame, read_ip
from conformance.wire.segment import Segment
from conformance.wire.spec import ETHERNET

if TYPE_CHECKING:
    from conformance.stack.net import Device, Net

__all__ = ["FragmentQueues", "ip_local_out", "ip_queue_xmit", "netif_receive_skb"]

_IPV4, _IPV6, _ARP = b"\x08\x00", b"\x86\xdd", b"\x08\x06"
_PLAIN, _TCP_OCTET = b"\x45", b"\x06"
_ICMP, _TCP, _UDP = 1, 6, 17
_MF, _OFFSET = 0x2000, 0x1FFF
_MAX_PACKET = 65535
_CE = 3


def netif_receive_skb(net: Net, device: Device, frame: bytes) -> None:
    """A frame from a device (eth_type_trans(), netif_receive_skb()). Nothing in it raises."""
    unicast = frame[:6] == device.mac or not device.mac
    if not unicast and not (len(frame) >= ETHERNET and frame[0] & 1):
        net.count("OtherHost")
        return
    ethertype = frame[12:ETHERNET]
    if ethertype == _IPV4:
        ip_rcv(net, device, frame, unicast)
    elif ethertype == _IPV6:
        ipv6_rcv(net, device, frame, unicast)
    elif ethertype == _ARP and device.mac:
        arp_rcv(net, device, frame)
    else:
        net.count("UnknownEthertype")


def ip_rcv(net: Net, device: Device, frame: bytes, unicast: bool) -> None:
    """An IPv4 packet (RFC 791; RFC 1122, section 3.2.1). ``unicast``: the frame was sent to this host alone."""
    if frame[23:24] == _TCP_OCTET and frame[ETHERNET : ETHERNET + 1] == _PLAIN and unicast and not net.hashinfo.raw:
        skb = read_frame(frame)
        if (
            type(skb) is Segment
            and skb.ip_checksum_ok
            and (skb.dst in net.fib.local and net.fib.valid_source(skb.src) if device.mac else net.fib.is_local(skb.dst))
        ):
            ip_local_deliver(net, skb, True)
            return
    packet = _ip_rcv_core(frame[ETHERNET:])
    if packet is None:
        net.count("IpInHdrErrors")
        return
    src, dst = packet[12:16], packet[16:20]
    if device.mac:
        host = dst in net.fib.local
        acceptable = (host and unicast) or net.fib.joined(dst)  # RFC 1122, section 3.3.6
        acceptable = acceptable and (net.fib.valid_source(src) or (src == bytes(4) and not host))
    else:
        host = acceptable = net.fib.is_local(dst)
    if not acceptable:
        net.count("IpInAddrErrors")
    elif _ip_rcv_options(net, packet):
        ip_local_deliver(net, packet, host)


def _ip_rcv_core(packet: bytes) -> bytes | None:
    """ip_rcv_core(): the packet without padding; None if its header is wrong."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    size, length = (packet[0] & 0xF) * 4, int.from_bytes(packet[2:4], "big")
    if not 20 <= size <= length <= len(packet) or not verify(packet[:size]):
        return None
    return packet[:length]


def _ip_rcv_options(net: Net, packet: bytes) -> bool:
    """ip_rcv_options(): can the packet be taken? A source route that is not at its end would want it passed on, which a host does not."""
    at, size = 20, (packet[0] & 0xF) * 4
    while at < size:
        kind = packet[at]
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        length = packet[at + 1] if at + 1 < size else 0
        if length < 2 or at + length > size:
            net.count("IpInHdrErrors")
            icmp_send(net, packet, 12, 0, at << 24)
            return False
        if kind in (LOOSE_ROUTE, STRICT_ROUTE) and (not net.sysctl.source_route or length < 3 or packet[at + 2] <= length):
            net.count("IpInAddrErrors")
            return False
        at += length
    return True


def ip_local_deliver(net: Net, packet: bytes | Segment, host: bool) -> None:
    """Whole packets go on to their protocol. A plain segment has been read already."""
    if isinstance(packet, Segment):
        inet_protos().tcp_v4_rcv(net, packet, host)
        return
    if int.from_bytes(packet[6:8], "big") & (_MF | _OFFSET):
        whole = _ip_defrag(net, packet)
        if whole is None:
            return
        packet = whole
    protocol, src, dst, payload = packet[9], packet[12:16], packet[16:20], packet[(packet[0] & 0xF) * 4 :]
    taken = inet_protos().raw_rcv(net, protocol, src, dst, payload, packet)
    net.count("IpInDelivers")
    if protocol == _TCP:
        skb = read_ip(packet)
        if isinstance(skb, Segment):
            inet_protos().tcp_v4_rcv(net, skb, host)
        else:
            net.count("TcpInErrs")
    elif protocol == _UDP:
        inet_protos().udp_rcv(net, packet, src, dst)
    elif protocol == _ICMP:
        icmp_rcv(net, packet, host)
    elif not taken:
        net.count("IpInUnknownProtos")
        icmp_send(net, packet, 3, 2)


def _ip_defrag(net: Net, packet: bytes) -> bytes | None:
    """ip_defrag(): the packet that this fragment makes whole, if it does."""
    net.count("IpReasmReqds")
    size, bits = (packet[0] & 0xF) * 4, int.from_bytes(packet[6:8], "big")
    start, last, payload = (bits & _OFFSET) * 8, not bits & _MF, packet[size:]
    if not payload or (not last and len(payload) & 7) or size + start + len(payload) > _MAX_PACKET:
        net.count("IpReasmFails")
        return None
    key = (packet[12:16], packet[16:20], packet[4:6], packet[9])
    whole = net.frags.defragment(key, packet, start, payload, last, packet[1] & _CE)
    if whole is None:
        return None
    first, payload, congested = whole
    header = bytearray(first[: (first[0] & 0xF) * 4])
    length = len(header) + len(payload)
    if length > _MAX_PACKET:  # the first one's header is longer than the last one's
        net.count("IpReasmFails")
        return None
    header[1] |= _CE if congested else 0
    header[2:4], header[6:8], header[10:12] = length.to_bytes(2, "big"), bytes(2), bytes(2)
    header[10:12] = finish(ones_sum(header)).to_bytes(2, "big")
    return bytes(header) + payload
