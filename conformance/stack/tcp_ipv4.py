"""net/ipv4/tcp_ipv4.c and net/ipv6/tcp_ipv6.c: which socket a segment belongs to, connect, SYNs, RSTs, ICMP errors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.stack import route, syncookies, tcp, tcp_fastopen, tcp_input, tcp_sockopt, tcp_write_queue
from conformance.stack.errors import SocketError
from conformance.stack.in6 import on_wire
from conformance.stack.inet_connection_sock import inet_csk_accept, inet_csk_get_port, inet_csk_reqsk_queue_add
from conformance.stack.inet_hashtables import inet_hash, inet_hash_connect, inet_unhash
from conformance.stack.proto import InetProto
from conformance.stack.request_sock import RequestSock, inet_csk_reqsk_queue_hash_add, tcp_v4_save_options
from conformance.stack.secure_seq import secure_tcp_seq, secure_tcp_ts_off
from conformance.stack.sock import Address, Sock
from conformance.stack.tcp_minisocks import (
    TimeWaitSock,
    inet_twsk_deschedule_put,
    tcp_check_req,
    tcp_create_openreq_child,
    tcp_timewait_state_process,
)
from conformance.stack.tcp_options import tcp_parse_options
from conformance.stack.tcp_output import tcp_options_bytes, tcp_send_segment, tcp_sync_mss
from conformance.stack.tcp_recv import tcp_recvmsg
from conformance.stack.tcp_send import tcp_sendmsg
from conformance.stack.tcp_sock import DEFAULT_MSS, MASK, MAX_WINDOW, OptionsReceived, TcpSock
from conformance.stack.tcp_states import TcpState, tcp_set_state
from conformance.stack.uapi import AF_INET, AF_INET6
from conformance.wire.segment import ACK, CWR, ECE, FIN, RST, SYN, Segment

if TYPE_CHECKING:
    from conformance.stack.net import Net

__all__ = ["tcp_prot", "tcp_v4_connect", "tcp_v4_rcv", "tcp_v4_send_reset", "tcpv6_prot"]

_COOKIES_AFTER = 120_000_000_000


# Connecting -------------------------------------------------------------------------------------------------------------


def tcp_v4_connect(sk: Sock, address: Address) -> None:
    """Route, source address, port, ISN, SYN. EAFNOSUPPORT, ENETUNREACH, EADDRNOTAVAIL."""
    assert isinstance(sk, TcpSock)
    net = sk.net
    daddr = _destination(sk, address)
    if not address.port and not net.sysctl.linux:  # RFC 9293, 3.10.1: "remote socket unspecified"
        raise SocketError("EADDRNOTAVAIL")
    dst = route.ip_route_connect(net, daddr, sk.saddr)
    if dst.kind in ("multicast", "broadcast"):  # RFC 9293, 3.9.1.1, RFC 1122, 4.2.3.10 (MUST-57)
        raise SocketError("ENETUNREACH")
    sk.saddr = sk.rcv_saddr = sk.saddr or dst.saddr
    sk.daddr, sk.dport, sk.dst = dst.daddr, address.port, dst
    # The socket is in SYN-SENT before it has a port and before the SYN leaves, so that nothing that comes finds it half made.
    tcp_set_state(sk, TcpState.SYN_SENT)
    try:
        inet_hash_connect(sk)
    except SocketError:
        tcp_set_state(sk, TcpState.CLOSED)
        sk.daddr, sk.dport, sk.dst = b"", 0, None
        if not sk.addr_bound_by_user:
            sk.saddr = sk.rcv_saddr = b""
        raise
    if not sk.write_seq:
        sk.write_seq = secure_tcp_seq(net, sk.saddr, sk.daddr, sk.num, sk.dport)
    sk.ts_offset = secure_tcp_ts_off(net, sk.saddr, sk.daddr, sk.num, sk.dport)
    if not tcp_fastopen.tcp_fastopen_defer_connect(sk):
        tcp_write_queue.tcp_connect(sk)


def _destination(sk: TcpSock, address: Address) -> bytes:
    """The address on the wire: a mapped one is IPv4's."""
    if sk.sk_family == AF_INET:
        if address.family != AF_INET:
            raise SocketError("EAFNOSUPPORT")
        return address.host
    if address.family != AF_INET6:
        raise SocketError("EAFNOSUPPORT")
    daddr = on_wire(address.host)
    if len(daddr) == 4 and sk.v6only:
        raise SocketError("ENETUNREACH")
    if sk.saddr and len(sk.saddr) != len(daddr):
        raise SocketError("EINVAL")  # it is bound to a mapped address; one that is bound to another is v6only
    return daddr


# Segments ---------------------------------------------------------------------------------------------------------------


def tcp_v4_rcv(net: Net, skb: Segment, host: bool) -> None:
    """A segment for this host. One to a broadcast or multicast address is dropped (MUST-57), and one with a bad checksum (MUST-3)."""
    if not host or not skb.checksum_ok:
        net.count("InCsumErrors" if not skb.checksum_ok else "InErrs")
        return
    entry = net.hashinfo.established(skb.src, skb.sport, skb.dst, skb.dport)
    if isinstance(entry, TcpSock):
        if skb.ip_options and not net.sysctl.linux:
            tcp_v4_update_route(entry, skb)
        tcp_v4_do_rcv(entry, skb)
    elif isinstance(entry, RequestSock):
        child = tcp_check_req(entry, skb)
        if child is not None:
            tcp_child_process(child, skb)
    elif isinstance(entry, TimeWaitSock):
        isn = tcp_timewait_state_process(entry, skb)
        listener = net.hashinfo.listener(skb.dst, skb.dport, skb.src, skb.sport) if isn is not None else None
        if isinstance(listener, TcpSock):
            inet_twsk_deschedule_put(entry)
            tcp_conn_request(listener, skb, tcp_parse_options(skb), isn)
            request = net.hashinfo.established(skb.src, skb.sport, skb.dst, skb.dport)
            if isinstance(request, RequestSock) and not net.sysctl.linux:
                request.reopens = entry
        elif isn is not None:
            tcp_v4_send_reset(net, skb)
    else:
        listener = net.hashinfo.listener(skb.dst, skb.dport, skb.src, skb.sport)
        if isinstance(listener, TcpSock):
            tcp_v4_do_rcv(listener, skb)
        else:
            tcp_v4_send_reset(net, skb)  # RFC 9293, 3.10.7.1: in CLOSED


def tcp_v4_update_route(sk: TcpSock, skb: Segment) -> None:
    """After a passive open another source route in a later segment counts (RFC 9293, SHLD-24), unless the application gave one (MUST-52).

    Linux keeps the one of the SYN.
    """
    inet_opt = tcp_v4_save_options(skb)
    if inet_opt is not None and sk.passive and (sk.inet_opt is None or not sk.inet_opt.given):
        sk.inet_opt = inet_opt
        tcp_sync_mss(sk, sk.pmtu)


def tcp_v4_do_rcv(sk: TcpSock, skb: Segment) -> None:
    """To the function for the socket's state."""
    if sk.sk_state is TcpState.ESTABLISHED:
        tcp_input.tcp_rcv_established(sk, skb)
        return
    if sk.sk_state is TcpState.LISTEN and skb.flags & (SYN | RST | ACK) == ACK:
        taken, child = tcp_v4_cookie_check(sk, skb)
        if child is not None:
            tcp_child_process(child, skb)
        if taken:
            return
    if tcp_input.tcp_rcv_state_process(sk, skb):
        tcp_v4_send_reset(sk.net, skb)


def tcp_child_process(child: TcpSock, skb: Segment) -> None:
    """The ACK that made a connection of a request goes to the connection, with what it carries."""
    listener = child.listener
    if tcp_input.tcp_rcv_state_process(child, skb):
        tcp_v4_send_reset(child.net, skb)
    if listener is not None:
        listener.sk_wake()


def tcp_v4_send_reset(net: Net, skb: Segment) -> None:
    """Answer with a RST that the peer can believe (RFC 9293, 3.5.2), unless it is one itself."""
    if skb.flags & RST:
        return
    ends = (skb.dst, skb.dport, skb.src, skb.sport)
    stamp = tcp_parse_options(skb).tsval if net.sysctl.timestamps and not net.sysctl.linux else None
    options = b"" if stamp is None else tcp_options_bytes(stamps=(0, stamp))  # RFC 7323, section 5.2
    if skb.flags & ACK:
        tcp_send_segment(net, ends, skb.ack, 0, RST, 0, options)
    else:
        length = len(skb.payload) + (skb.flags & FIN) + (skb.flags >> 1 & 1)
        tcp_send_segment(net, ends, 0, skb.seq + length, RST | ACK, 0, options)
    net.count("OutRsts")


# LISTEN -----------------------------------------------------------------------------------------------------------------


def tcp_v4_conn_request(sk: TcpSock, skb: Segment) -> None:
    """A SYN for a listener, of either family."""
    tcp_conn_request(sk, skb, tcp_parse_options(skb))


def tcp_conn_request(sk: TcpSock, skb: Segment, options: OptionsReceived, isn: int | None = None) -> None:
    """A SYN for a listener: a request, and a SYN,ACK. A listener without room drops it, or answers with a cookie (RFC 4987)."""
    net, sysctl = sk.net, sk.net.sysctl
    full = isn is None and inet_csk_reqsk_queue_is_full(sk)
    cookie = sysctl.syn_cookies == "always" or (full and sysctl.syn_cookies == "on")
    if full and not cookie:
        net.count("ListenDrops")
        return
    if sk.acceptq_is_full:
        net.count(("ListenOverflows", "ListenDrops"))
        return
    try:
        req = RequestSock(sk, skb, options)
    except SocketError:
        return
    asks_ecn = skb.flags & (ECE | CWR) == ECE | CWR
    req.ecn_ok = asks_ecn and sysctl.ecn != "off"
    req.ts_offset = secure_tcp_ts_off(net, req.saddr, req.daddr, req.num, req.dport)
    if cookie:
        _send_cookie(req, skb, options)
        return
    req.iss = isn if isn is not None else secure_tcp_seq(net, req.saddr, req.daddr, req.num, req.dport)
    take_data, req.cookie = tcp_fastopen.tcp_try_fastopen(sk, skb, options)
    if take_data:
        _fastopen_child(sk, req, skb)
    else:
        inet_csk_reqsk_queue_hash_add(req)
        tcp_v4_send_synack(req)


def inet_csk_reqsk_queue_is_full(sk: TcpSock) -> bool:
    """Are there as many requests as the backlog and the settings allow? Linux takes one more than the backlog says.

    Without cookies it leaves a quarter of the other limit to peers that it knows, which here are none.
    """
    sysctl = sk.net.sysctl
    if not sysctl.linux:
        return sk.requests >= min(sysctl.syn_backlog, max(sk.sk_max_ack_backlog, 1))
    most = sysctl.syn_backlog
    return sk.requests > sk.sk_max_ack_backlog or (sysctl.syn_cookies == "off" and most - sk.requests < most >> 2)


def _send_cookie(req: RequestSock, skb: Segment, options: OptionsReceived) -> None:
    """Nothing is kept of this SYN. Without timestamps its options are lost, but for the MSS."""
    net = req.net
    net.overflowed = net.now
    req.iss = syncookies.cookie_init_sequence(net, skb, req.peer_mss)
    if req.tstamp_ok:
        value = syncookies.cookie_init_timestamp(req.time_stamp(), options, req.ecn_ok)
        req.ts_offset = (req.ts_offset + value - req.time_stamp()) & MASK
    else:
        req.sack_ok = req.wscale_ok = req.ecn_ok = False
    tcp_v4_send_synack(req)


def tcp_v4_send_synack(req: RequestSock) -> None:
    """Send the SYN,ACK (tcp_make_synack)."""
    stamps = (req.time_stamp(), req.ts_recent or 0) if req.tstamp_ok else None
    options = tcp_options_bytes(
        mss=req.advmss, sack_ok=req.sack_ok, stamps=stamps, wscale=req.rcv_wscale if req.wscale_ok else None, cookie=req.cookie
    )
    flags = SYN | ACK | (ECE if req.ecn_ok else 0)
    window = min(req.rcv_wnd, MAX_WINDOW)
    tcp_send_segment(
        req.net, (req.saddr, req.num, req.daddr, req.dport), req.iss, req.rcv_nxt, flags, window, options,
        tos=req.listener.tos, ttl=req.listener.ttl, inet_opt=req.inet_opt,
    )  # fmt: skip


def tcp_v4_syn_recv_sock(listener: TcpSock, req: RequestSock) -> TcpSock:
    """The connection that a request has become: it knows its path, and segments find it."""
    net = listener.net
    sk = tcp_create_openreq_child(listener, req)
    tcp_sync_mss(sk, route.dst_mtu(net, sk.daddr))
    sk.rcv_mss = min(sk.mss_cache, DEFAULT_MSS[len(sk.daddr)])
    net.hashinfo.insert(sk)
    return sk


def tcp_v4_cookie_check(sk: TcpSock, skb: Segment) -> tuple[bool, TcpSock | None]:
    """An ACK that no request knows: is it the answer to a cookie? And the connection, if there is room for it in the queue."""
    net = sk.net
    if net.sysctl.syn_cookies == "off" or net.now - net.overflowed > _COOKIES_AFTER:
        return False, None
    mss = syncookies.cookie_v4_check(net, skb)
    if mss is None:
        return False, None
    if sk.acceptq_is_full:
        net.count(("ListenOverflows", "ListenDrops"))
        return True, None
    options = tcp_parse_options(skb)
    offset = secure_tcp_ts_off(net, skb.dst, skb.src, skb.dport, skb.sport)
    agreed = syncookies.cookie_options(options.tsecr) if options.tsval is not None else OptionsReceived()
    agreed.mss, agreed.tsval = mss, options.tsval
    try:
        req = RequestSock(sk, skb, agreed)
    except SocketError:
        return True, None
    req.ecn_ok = options.tsval is not None and syncookies.cookie_ecn_ok(net, options.tsecr)
    req.irs, req.rcv_nxt, req.iss, req.ts_offset = (skb.seq - 1) & MASK, skb.seq, (skb.ack - 1) & MASK, offset
    tcp_set_state(req, TcpState.SYN_RECEIVED)  # type: ignore[arg-type]
    child = tcp_v4_syn_recv_sock(sk, req)
    inet_csk_reqsk_queue_add(sk, child)
    return True, child


def _fastopen_child(sk: TcpSock, req: RequestSock, skb: Segment) -> None:
    """tcp_fastopen_create_child(): the connection is there before the handshake is complete, with the SYN's data."""
    from conformance.stack.tcp_data import tcp_data_queue
    from conformance.stack.tcp_output import tcp_transmit_skb
    from conformance.stack.tcp_sock import Skb
    from conformance.stack.tcp_timer import tcp_reset_xmit_timer
    from conformance.stack.tcp_write_queue import tcp_synack_options

    tcp_set_state(req, TcpState.SYN_RECEIVED)  # type: ignore[arg-type]
    child = tcp_v4_syn_recv_sock(sk, req)
    child.syn_data = True
    sk.fastopen_children.append((child, sk.net.now))
    syn_ack = Skb(req.iss, flags=SYN, sent=sk.net.now, first_sent=sk.net.now)
    child.rtx_queue.append(syn_ack)
    tcp_data_queue(child, skb)
    child.rcv_wup = child.rcv_nxt  # what the SYN,ACK offers counts from behind the data, so the window must not be taken for older
    tcp_transmit_skb(child, syn_ack, tcp_synack_options(child))
    tcp_reset_xmit_timer(child, child.rto)
    inet_csk_reqsk_queue_add(sk, child)
    sk.sk_wake()


# The tables -------------------------------------------------------------------------------------------------------------


class TcpProto(InetProto):
    """``struct proto`` with what SO_KEEPALIVE asks for."""

    keepalive = staticmethod(tcp.tcp_set_keepalive)
    sync_mss = staticmethod(tcp_sync_mss)


tcp_prot = TcpProto(
    name="TCP", obj=TcpSock, init=tcp.tcp_v4_init_sock, close=tcp.tcp_close, connect=tcp_v4_connect, disconnect=tcp.tcp_disconnect,
    accept=inet_csk_accept, shutdown=tcp.tcp_shutdown, setsockopt=tcp_sockopt.tcp_setsockopt, getsockopt=tcp_sockopt.tcp_getsockopt,
    sendmsg=tcp_sendmsg, recvmsg=tcp_recvmsg, poll=tcp.tcp_poll, hash=inet_hash, unhash=inet_unhash, get_port=inet_csk_get_port,
)  # fmt: skip
tcpv6_prot = replace(tcp_prot, name="TCPv6")
