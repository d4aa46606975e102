"""net/ipv4/tcp_ipv4.c and net/ipv6/tcp_ipv6.c, ICMP: errors about segments that we sent, and a path that takes less than was thought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stack import route, tcp
from conformance.stack.icmp_errors import icmp_err_convert, ip_icmp_error
from conformance.stack.request_sock import RequestSock, inet_csk_reqsk_queue_drop
from conformance.stack.tcp_output import tcp_current_mss
from conformance.stack.tcp_sock import CaState, TcpSock, between
from conformance.stack.tcp_states import TcpState
from conformance.stack.tcp_write_queue import tcp_retransmit_skb, tcp_xmit_retransmit_queue
from conformance.wire.segment import Family, Icmp

if TYPE_CHECKING:
    from conformance.stack.net import Net

__all__ = ["tcp_v4_err"]


def tcp_v4_err(net: Net, message: Icmp) -> None:
    """An ICMP error for a segment that we sent (RFC 9293, 3.9.2.2). One whose sequence number is not under way may be forged (RFC 5927)."""
    quote = message.quote
    if quote is None:
        return
    entry = net.hashinfo.established(quote.dst, quote.dport, quote.src, quote.sport)
    if isinstance(entry, RequestSock):
        fatal = _ends_request(message) if net.sysctl.linux else _is_hard(message) and not _is_too_big(message)
        if fatal and quote.seq == entry.iss:
            inet_csk_reqsk_queue_drop(entry)
        return
    if not isinstance(entry, TcpSock) or entry.sk_state in (TcpState.CLOSED, TcpState.LISTEN, TcpState.TIME_WAIT):
        return
    sk = entry
    # Linux takes SND.NXT for in flight too, though RFC 5927, section 4.1, ends before it.
    if not between(quote.seq, sk.snd_una, sk.snd_nxt) or (quote.seq == sk.snd_nxt and not net.sysctl.linux):
        net.count("OutOfWindowIcmps")
        return
    # In IPv6 nobody on the way makes fragments, so that there is no doing without (RFC 8200, section 5).
    if _is_too_big(message) and (message.family is Family.IPV6 or (net.sysctl.pmtu_discovery and sk.pmtudisc != 0)):
        tcp_v4_mtu_reduced(sk, message.mtu)
        return
    _unreachable(sk, message)


def _is_too_big(message: Icmp) -> bool:
    """Fragmentation needed, packet too big."""
    return (message.family, message.type) == (Family.IPV6, 2) or (message.family, message.type, message.code) == (Family.IPV4, 3, 4)


def _is_hard(message: Icmp) -> bool:
    """RFC 9293, 3.9.2.2: protocol and port unreachable, and what needs a fragmentation that is not done."""
    if message.family is Family.IPV4:
        return message.type == 3 and message.code in (2, 3, 4)
    return message.type == 1 and message.code in (1, 4)


def _ends_request(message: Icmp) -> bool:
    """tcp_req_err(): what ends a connection in SYN-RECEIVED on Linux. Over IPv4 that is soft errors only."""
    if message.family is Family.IPV4:
        return message.type in (11, 12) or (message.type == 3 and message.code in (0, 1))
    found = icmp_err_convert(message)
    return found is not None and found[1]


def _unreachable(sk: TcpSock, message: Icmp) -> None:
    found = icmp_err_convert(message)
    if found is None:
        return
    error = found[0]
    opening = sk.sk_state in (TcpState.SYN_SENT, TcpState.SYN_RECEIVED)
    if opening:
        ip_icmp_error(sk, error, message)
    ends = opening if sk.net.sysctl.linux else _is_hard(message)  # Linux: see cases/expectations/linux.yaml, icmp/
    if ends:
        sk.sk_err = error
        tcp.tcp_write_queue_purge(sk)
        tcp.tcp_done(sk)
    else:
        sk.sk_err_soft = error
        if sk.recverr:
            sk.sk_error_report(error)


def tcp_v4_mtu_reduced(sk: TcpSock, mtu: int) -> None:
    """The path takes less than was thought: remember that, and send smaller what did not fit (RFC 1191, section 6; RFC 8201)."""
    net = sk.net
    route.update_pmtu(net, sk.daddr, mtu)
    if route.dst_mtu(net, sk.daddr) < sk.pmtu:
        tcp_simple_retransmit(sk)


def tcp_simple_retransmit(sk: TcpSock) -> None:
    """Send again what was too long, without a word to congestion control: one segment until acknowledgments come (RFC 1191, section 6.4).

    Linux sends at once all that the congestion window has room for.
    """
    mss = tcp_current_mss(sk)
    lost = [skb for skb in sk.rtx_queue if len(skb.data) > mss and not skb.sacked]
    if not lost:
        return
    if sk.ca_state not in (CaState.RECOVERY, CaState.LOSS):
        sk.high_seq = sk.snd_nxt
        sk.ca_state = CaState.LOSS
        sk.snd_ssthresh = max(sk.snd_cwnd, 2)
    for skb in lost:
        skb.lost, skb.in_retrans = True, False
    tcp_retransmit_skb(sk, lost[0])
    if sk.net.sysctl.linux:
        tcp_xmit_retransmit_queue(sk)
