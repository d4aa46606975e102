"""What must hold of a stack at any moment, whatever anybody sends it: its memory is bounded, and its queues are in order."""

from __future__ import annotations

from collections.abc import Sized

from conformance.stack.tcp_sock import MASK, TcpSock, after
from conformance.stack.tcp_states import TcpState
from tests.stack.world import Host

__all__ = ["Bounds"]

_NO_DATA = (TcpState.CLOSED, TcpState.LISTEN, TcpState.SYN_SENT, TcpState.SYN_RECEIVED, TcpState.TIME_WAIT)
_TABLE = 1024


class Bounds:
    """Looks at a stack again and again. A buffer counts as large as it has ever been: an offered window cannot be taken back."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._largest: dict[TcpSock, int] = {}

    def check(self) -> None:
        """An AssertionError says what is wrong."""
        net = self.host.net
        socks = list(self.host.sockets())
        for sk in socks:
            self._received(sk)
            self._sent(sk)
        entries = len(net.hashinfo.ehash) + len(socks) + len(net.neighbours.entries)
        assert len(net.timers._queue) <= 100 + 10 * entries, f"{len(net.timers._queue)} timers for {entries} entries"
        tables: tuple[Sized, ...] = (net.fastopen_metrics, net.fib.cache, net.fib.paths, net.fib.icmp_limits, net.neighbours.entries)
        assert all(len(table) <= _TABLE for table in tables)
        assert net.frags.memory <= 4 << 20
        for listeners in net.hashinfo.listening.values():
            for listener in listeners:
                assert len(listener.accept_queue) <= listener.sk_max_ack_backlog + 1
                assert 0 <= listener.requests <= max(listener.sk_max_ack_backlog, 1)

    def _received(self, sk: TcpSock) -> None:
        space = self._largest[sk] = max(self._largest.get(sk, 0), sk.sk_rcvbuf)
        window = (space >> 1) + (1 << sk.rcv_wscale) + sk.fin_received
        if sk.net.sysctl.linux:  # which takes one segment that reaches beyond its window while nothing is unread (tcp_sequence)
            window += 1 << 16
        early = sum(len(data) for _, data, _ in sk.ofo_queue)
        assert len(sk.receive_queue) + early <= window, f"{len(sk.receive_queue)} + {early} octets in a buffer for {window}"
        assert early == sk.ofo_size
        assert len(sk.ofo_queue) <= max(16, space >> 10) + 1
        assert len(sk.sack_blocks) <= len(sk.ofo_queue)
        edge = sk.rcv_nxt
        for seq, data, fin in sk.ofo_queue:
            assert after(seq, edge), "what came early is out of order, or not early"
            edge = (seq + len(data) + fin) & MASK

    def _sent(self, sk: TcpSock) -> None:
        octets = sum(len(skb.data) for queue in (sk.rtx_queue, sk.write_queue) for skb in queue)
        assert octets == sk.queued, f"{octets} octets are queued, and {sk.queued} are said to be"
        assert octets <= max(sk.sk_sndbuf, sk.net.sysctl.send_buffer_max)
        assert len(sk.rtx_queue) + len(sk.write_queue) <= octets + 3
        assert sk.snd_cwnd >= 1
        if sk.sk_state in _NO_DATA:
            return
        edge = sk.snd_una
        for skb in sk.rtx_queue:
            assert skb.seq == edge, "a gap in what was sent"
            assert skb.end_seq != skb.seq or skb is sk.rtx_queue[-1]
            edge = skb.end_seq
        if sk.rtx_queue:
            assert edge == sk.snd_nxt
            assert sk.retransmit_timer.pending, "what was sent would never be sent again"
        edge = sk.snd_nxt
        for skb in sk.write_queue:
            assert skb.seq == edge, "a gap in what is to be sent"
            edge = skb.end_seq
        if sk.write_queue or sk.rtx_queue:
            assert edge == sk.write_seq
