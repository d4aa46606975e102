"""net/ipv4/tcp_output.c, the way of one segment down: its options, its window, its header, and what follows from its being sent."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from conformance.stack import ip_output, route
from conformance.stack.errors import SocketError
from conformance.stack.sysctl import MS
from conformance.stack.tcp_sock import ATO, DEFAULT_MSS, MASK, MAX_WINDOW, Skb, TcpSock, before
from conformance.stack.tcp_states import TcpState
from conformance.wire.segment import ACK, CWR, ECE, RST, SYN, URG

if TYPE_CHECKING:
    from conformance.stack.ip_options import IpOptions
    from conformance.stack.net import Net

__all__ = [
    "MAX_BLOCKS", "pseudo_of", "tcp_build", "tcp_current_mss", "tcp_default_mss", "tcp_mtu_to_mss", "tcp_options_bytes",
    "tcp_select_initial_window", "tcp_send_ack", "tcp_send_active_reset", "tcp_send_segment", "tcp_space", "tcp_sync_mss",
    "tcp_time_stamp", "tcp_transmit_skb", "tcp_win_from_space", "tcp_window_to_offer", "tcp_xmit_probe_skb",
]  # fmt: skip

_HEADER = struct.Struct("!HHIIHHHH")
_TIMESTAMP = struct.Struct("!BBBBII")
_BLOCK = struct.Struct("!II")
_TCP = 6
_ONES = 0xFFFF
MAX_BLOCKS = 4
"""SACK blocks that fit in the 40 octets of options (RFC 2018, section 3)."""
_IP_HEADER = {4: 20, 16: 40}


def tcp_time_stamp(sk: TcpSock) -> int:
    """TSval: milliseconds, from an offset of the connection's own (RFC 7323, section 5.4)."""
    return (sk.net.now // MS + sk.ts_offset) & MASK


# Sizes ----------------------------------------------------------------------------------------------------------------


def tcp_mtu_to_mss(sk: TcpSock, mtu: int) -> int:
    """What a packet of ``mtu`` octets leaves for TCP's data, options not counted."""
    options = len(sk.inet_opt.data) if sk.inet_opt is not None and len(sk.daddr) == 4 else 0  # RFC 9293, 3.7.1: MUST-16
    return max(mtu - _IP_HEADER[len(sk.daddr)] - options - 20, _least_mss(sk))


def _least_mss(sk: TcpSock) -> int:
    """Linux sends no smaller full segments than tcp_min_snd_mss, whatever the peer says."""
    return 48 if sk.net.sysctl.linux else 1


def tcp_sync_mss(sk: TcpSock, mtu: int) -> None:
    """The path's MTU is ``mtu`` now: work out the MSS that fits it and the peer (RFC 9293, 3.7.1; MUST-16)."""
    sk.pmtu = mtu
    sk.mss_cache = min(tcp_mtu_to_mss(sk, mtu), sk.mss_clamp or MAX_WINDOW)
    sk.mss_cache = max(sk.mss_cache, _least_mss(sk))
    if sk.max_window:  # a peer with a small buffer gets segments of half of it, so that two fit
        half = sk.max_window >> 1 if sk.max_window > 512 else sk.max_window
        sk.mss_cache = min(sk.mss_cache, max(half, 8))


def tcp_current_mss(sk: TcpSock) -> int:
    """Octets of data that the next segment may hold: the MSS less the options that go with it."""
    mtu = route.dst_mtu(sk.net, sk.daddr)
    if mtu != sk.pmtu:
        tcp_sync_mss(sk, mtu)
    options = 12 if sk.tstamp_ok else 0
    if sk.sack_ok and (sk.sack_blocks or sk.dsack):
        options += 4 + 8 * min(len(sk.sack_blocks) + (sk.dsack is not None), MAX_BLOCKS - sk.tstamp_ok)
    return max(sk.mss_cache - options, 1)


def tcp_default_mss(sk: TcpSock) -> int:
    """Where the peer says nothing (RFC 9293, MUST-15)."""
    return DEFAULT_MSS[len(sk.daddr)]


# Options --------------------------------------------------------------------------------------------------------------


def tcp_options_bytes(
    *,
    mss: int | None = None,
    wscale: int | None = None,
    sack_ok: bool = False,
    stamps: tuple[int, int] | None = None,
    cookie: bytes | None = None,
) -> bytes:
    """The options of a SYN, in Linux's order and on its boundaries (tcp_options_write)."""
    parts = []
    if mss is not None:
        parts.append(struct.pack("!BBH", 2, 4, mss))
    if stamps is not None:
        head = b"\x04\x02" if sack_ok else b"\x01\x01"
        parts.append(head + struct.pack("!BBII", 8, 10, *stamps))
    elif sack_ok:
        parts.append(b"\x01\x01\x04\x02")
    if wscale is not None:
        parts.append(struct.pack("!BBBB", 1, 3, 3, wscale))
    if cookie is not None:
        option = bytes((34, 2 + len(cookie))) + cookie
        parts.append(option + b"\x01" * (-len(option) % 4))
    return b"".join(parts)


def tcp_established_options(sk: TcpSock) -> bytes:
    """Timestamps and SACK blocks, as far as they were negotiated. A D-SACK is told once."""
    options = b""
    if sk.tstamp_ok:
        options = _TIMESTAMP.pack(1, 1, 8, 10, tcp_time_stamp(sk), sk.ts_recent or 0)
    if sk.sack_ok and (sk.sack_blocks or sk.dsack):
        blocks = ([sk.dsack] if sk.dsack else []) + sk.sack_blocks
        blocks = blocks[: MAX_BLOCKS - (1 if sk.tstamp_ok else 0)]
        options += bytes((1, 1, 5, 2 + 8 * len(blocks))) + b"".join(_BLOCK.pack(*block) for block in blocks)
        sk.dsack = None
    return options


# The window -----------------------------------------------------------------------------------------------------------


def tcp_win_from_space(sk: TcpSock) -> int:
    """What of the receive buffer is for data: half, as the other half pays for overhead (tcp_adv_win_scale = 1)."""
    return sk.sk_rcvbuf >> 1


def tcp_space(sk: TcpSock) -> int:
    """Octets that are free in the receive buffer."""
    return max(tcp_win_from_space(sk) - len(sk.receive_queue) - sk.ofo_size, 0)


def tcp_select_initial_window(sk: TcpSock, mss: int) -> tuple[int, int]:
    """The window of a SYN, and the shift to offer (RFC 7323, section 2.3: at most 14)."""
    space = tcp_win_from_space(sk)
    if sk.window_clamp:
        space = min(space, sk.window_clamp)
    shift = 0
    if sk.net.sysctl.window_scaling:
        largest = max(space, sk.net.sysctl.receive_buffer_max if not sk.rcvbuf_locked else space)
        while shift < 14 and largest > MAX_WINDOW << shift:
            shift += 1
    window = min(space, MAX_WINDOW)
    if mss and window > mss:
        window -= window % mss
    return window, shift


def tcp_select_window(sk: TcpSock) -> int:
    """The window field for the next segment. The right edge never moves to the left (RFC 9293, 3.8.6.2.1; SHLD-14)."""
    shift = sk.rcv_wscale
    if sk.rcv_nxt == sk.rcv_wup and sk.rcv_wnd >= sk.rcv_ssthresh > 0 and not sk.receive_queue:
        return sk.rcv_wnd >> shift  # nothing has changed since it was all that is ever offered
    current = sk.receive_window
    window = tcp_window_to_offer(sk)
    if window < current:
        # Rounding up offers new room, each time again; where there is none the field says less than what will be taken (RFC 7323, 2.4).
        rounded = current + (1 << shift) - 1 >> shift << shift
        window = rounded if rounded <= tcp_space(sk) else current
    window = min(window, MAX_WINDOW << shift)
    sk.rcv_wnd, sk.rcv_wup = window, sk.rcv_nxt
    return window >> shift


def tcp_window_to_offer(sk: TcpSock) -> int:
    """__tcp_select_window(): offer nothing that is less than a segment or half the buffer (RFC 9293, 3.8.6.2.2; MUST-39)."""
    full = tcp_win_from_space(sk)
    if sk.window_clamp:
        full = min(full, sk.window_clamp)
    free = min(tcp_space(sk), full)
    mss = min(sk.rcv_mss or tcp_default_mss(sk), full)
    if free < full >> 1:
        free = free >> sk.rcv_wscale << sk.rcv_wscale
        if free < mss:
            return 0
    free = min(free, max(sk.rcv_ssthresh, mss))
    if sk.rcv_wscale:
        return free + (1 << sk.rcv_wscale) - 1 >> sk.rcv_wscale << sk.rcv_wscale
    window = sk.rcv_wnd
    if window <= free - mss or window > free:
        return free - free % mss if mss else free
    if mss == full and free > window + (full >> 1):
        return free
    return window


# One segment ----------------------------------------------------------------------------------------------------------


def tcp_build(
    sport: int, dport: int, seq: int, ack: int, flags: int, window: int, urgent: int, options: bytes, data: bytes | bytearray, pseudo: int
) -> bytes:
    """The octets of a segment, checksum and all (RFC 9293, 3.1; MUST-2). ``pseudo`` is the sum of the addresses.

    2^16 is 1 modulo 65535, so the sum of a header's words is that of its fields, whatever their widths.
    """
    offset, size = (20 + len(options)) << 10, 20 + len(options) + len(data)
    total = sport + dport + seq + ack + offset + flags + window + urgent + pseudo + _TCP + size
    if options:
        total += int.from_bytes(options, "big")
    if data:
        total += (int.from_bytes(data, "big") << (len(data) & 1) * 8) % _ONES
    return _HEADER.pack(sport, dport, seq, ack, offset | flags, window, -total % _ONES, urgent) + options + data


def pseudo_of(sk: TcpSock) -> int:
    """The sum of a connection's addresses."""
    return int.from_bytes(sk.saddr + sk.daddr, "big") % _ONES


def tcp_send_segment(
    net: Net,
    ends: tuple[bytes, int, bytes, int],
    seq: int,
    ack: int,
    flags: int,
    window: int,
    options: bytes = b"",
    *,
    tos: int = 0,
    ttl: int | None = None,
    inet_opt: IpOptions | None = None,
) -> None:
    """A segment without data that no connection sends: a RST, an ACK in TIME-WAIT, a SYN,ACK. ``ends``: own address, port, the peer's."""
    saddr, sport, daddr, dport = ends
    pseudo = int.from_bytes(saddr + daddr, "big") % _ONES
    segment = tcp_build(sport, dport, seq & MASK, ack & MASK, flags, window, 0, options, b"", pseudo)
    try:
        ip_output.ip_queue_xmit(net, segment, saddr, daddr, _TCP, tos=tos, ttl=ttl, options=inet_opt)
    except SocketError:
        net.count("OutNoRoutes")


def tcp_transmit_skb(sk: TcpSock, skb: Skb, options: bytes | None = None, *, retransmission: bool = False) -> None:
    """Send a segment of the connection: with it goes the newest acknowledgment and the newest window."""
    net, data = sk.net, skb.data
    flags = skb.flags
    if sk.sk_state is not TcpState.SYN_SENT:
        flags |= ACK
    if options is None:
        options = tcp_established_options(sk)
    # That of a SYN is never scaled (RFC 7323, section 2.2).
    window = min(sk.rcv_wnd, MAX_WINDOW) if flags & SYN else tcp_select_window(sk)
    urgent = 0
    if sk.snd_up is not None and before(skb.seq, sk.snd_up):
        urgent = min((sk.snd_up - skb.seq) & MASK, 0xFFFF)
        flags |= URG
    tos = sk.tos
    if sk.ecn_ok and not flags & SYN:
        if sk.ecn_demand_cwr:
            flags |= ECE
        if data and not retransmission:  # RFC 3168, section 6.1.5: what is sent again is not ECT
            tos |= 2
            if sk.ecn_queue_cwr:
                sk.ecn_queue_cwr = False
                flags |= CWR
    if sk.accecn:
        flags, tos = flags | CWR, tos | 2
    segment = tcp_build(sk.num, sk.dport, skb.seq, sk.rcv_nxt, flags, window, urgent, options, data, pseudo_of(sk))
    if flags & ACK:
        _event_ack_sent(sk)
    if data:
        sk.lsndtime = net.now
        if net.now - sk.lrcvtime < ATO and sk.lrcvtime:
            sk.pingpong = True  # what came was answered soon, and will be again (tcp_event_data_sent)
    try:
        ip_output.ip_queue_xmit(net, segment, sk.saddr, sk.daddr, _TCP, tos=tos, ttl=sk.ttl, df=_may_not_fragment(sk), options=sk.inet_opt)
    except SocketError:
        net.count("OutNoRoutes")  # it is lost, and the timer will send it again


def _may_not_fragment(sk: TcpSock) -> bool:
    """The DF bit: path MTU discovery (RFC 1191) is on, for the stack and for the socket (IP_PMTUDISC_DONT is 0)."""
    return sk.net.sysctl.pmtu_discovery and sk.pmtudisc != 0


def _event_ack_sent(sk: TcpSock) -> None:
    """What was to be acknowledged is (tcp_event_ack_sent)."""
    sk.ack_pending = False
    if sk.quick_acks:
        sk.quick_acks -= 1
    sk.delack_timer.stop()


def tcp_send_ack(sk: TcpSock) -> None:
    """An acknowledgment without data."""
    if sk.sk_state is TcpState.CLOSED:
        return
    tcp_transmit_skb(sk, Skb(sk.snd_nxt))


def tcp_send_active_reset(sk: TcpSock) -> None:
    """The RST of an abort (RFC 9293, 3.10.5): at SND.NXT, as what was to be sent is flushed."""
    sk.net.count("TCPAbortOnClose")
    tcp_transmit_skb(sk, Skb(sk.snd_nxt, flags=RST))


def tcp_xmit_probe_skb(sk: TcpSock, urgent: bool = False) -> None:
    """A segment that the peer must answer though it takes nothing from it: SEG.SEQ = SND.NXT-1 (RFC 9293, 3.8.4; MAY-7)."""
    if sk.ack_pending and not sk.net.sysctl.linux:
        tcp_send_ack(sk)  # the peer takes nothing from a probe, and so not its acknowledgment either (MUST-58)
    tcp_transmit_skb(sk, Skb((sk.snd_una - (0 if urgent else 1)) & MASK))
