"""``struct tcp_sock`` and what stands in its queues (include/linux/tcp.h), with the sequence arithmetic that all of TCP uses."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.stack.sock import ConnectionSock
from conformance.stack.sysctl import MS, SECOND

if TYPE_CHECKING:
    from conformance.stack.net import Net
    from conformance.stack.sock import Proto

__all__ = [
    "ATO", "CWND_INFINITE", "DEFAULT_MSS", "MASK", "MAX_WINDOW", "CaState", "OptionsReceived", "Skb", "TcpSock", "after", "before",
    "between",
]  # fmt: skip

MASK = 0xFFFF_FFFF
_HALF = 0x8000_0000
MAX_WINDOW = 0xFFFF
"""Octets that the window field can say without scaling."""
DEFAULT_MSS = {4: 536, 16: 1220}
"""RFC 9293, section 3.7.1 (MUST-15): where the peer says nothing, by the length of an address."""
ATO = 40 * MS
"""How long an acknowledgment waits for company; RFC 9293, 3.8.6.3, allows half a second (MUST-58)."""
CWND_INFINITE = 0x7FFF_FFFF
TIMEOUT_INIT = SECOND
"""RFC 6298, (2.1)."""


def before(one: int, other: int) -> bool:
    """Is sequence number ``one`` before ``other``, modulo 2^32?"""
    return (one - other) & _HALF != 0


def after(one: int, other: int) -> bool:
    """The other way round."""
    return (other - one) & _HALF != 0


def between(number: int, low: int, high: int) -> bool:
    """Is ``low`` ≤ ``number`` ≤ ``high``?"""
    return (high - low) & MASK >= (number - low) & MASK


_KEPT = (
    "user_mss", "nodelay", "cork", "defer_accept", "syn_count", "user_timeout", "linger2", "keepidle", "keepintvl", "keepcnt",
    "notsent_lowat", "fastopen_backlog", "fastopen_connect", "congestion", "window_clamp", "quickack",
)  # fmt: skip
"""What a socket keeps when it is disconnected: its options."""


class CaState:
    """``enum tcp_ca_state``: how congestion control sees the connection."""

    OPEN, DISORDER, CWR, RECOVERY, LOSS = range(5)


@dataclass(slots=True, eq=False)
class Skb:
    """A segment to send (``struct sk_buff`` with ``TCP_SKB_CB``): in the write queue, then in the retransmission queue."""

    seq: int
    data: bytearray | bytes = b""
    flags: int = 0
    """SYN, FIN, PSH; ACK and ECN come when it is sent."""
    sent: int = 0
    """When it was last sent, in ns; 0: not yet."""
    first_sent: int = 0
    retrans: int = 0
    """How often it was sent again."""
    sacked: bool = False
    lost: bool = False
    in_retrans: bool = False
    """Sent again, and that copy is still under way (TCPCB_SACKED_RETRANS)."""
    urgent: bool = False
    """Holds the urgent octet: nothing is joined to it."""

    @property
    def end_seq(self) -> int:
        """The number after its last octet."""
        return (self.seq + len(self.data) + (self.flags & 1) + (self.flags >> 1 & 1)) & MASK


@dataclass(slots=True)
class OptionsReceived:
    """The options of one segment, those that make sense (``struct tcp_options_received``)."""

    mss: int | None = None
    wscale: int | None = None
    sack_ok: bool = False
    tsval: int | None = None
    tsecr: int = 0
    sacks: tuple[tuple[int, int], ...] = ()
    fast_open: bytes | None = None


class TcpSock(ConnectionSock):
    """One end of a connection, or a listener. Sequence numbers are absolute."""

    def __init__(self, net: Net, family: int, kind: int, protocol: int, prot: Proto) -> None:
        super().__init__(net, family, kind, protocol, prot)
        self._init_send()
        self._init_receive()
        self._init_timers()
        self._init_congestion()
        self._init_options()

    def _init_send(self) -> None:
        self.write_queue: deque[Skb] = deque()
        """Not sent yet."""
        self.rtx_queue: deque[Skb] = deque()
        """Sent and not acknowledged, in order."""
        self.iss = self.snd_una = self.snd_nxt = self.write_seq = 0
        """``write_seq`` is the end of what the caller has given (the kernel's name)."""
        self.first_una = 0
        """SND.UNA when the connection was made: a passive open does not count the SYN among what was acknowledged (bytes_acked)."""
        self.snd_wnd = self.max_window = 0
        self.snd_wl1 = self.snd_wl2 = 0
        self.snd_up: int | None = None
        """The end of urgent data that is sent or to send (snd_up); None: none (RFC 9293, 3.8.5)."""
        self.pushed_seq = 0
        self.snd_sml = 0
        """The end of the last small segment that was sent (Minshall's form of Nagle's rule)."""
        self.queued = 0
        """Octets in both queues (sk_wmem_queued, without the kernel's overhead)."""
        self.nospace = False
        """SOCK_NOSPACE: somebody waits for room to write."""

    def _init_receive(self) -> None:
        self.receive_queue = bytearray()
        """In order, not read yet; its end is ``rcv_nxt`` (less a FIN)."""
        self.ofo_queue: list[tuple[int, bytes, bool]] = []
        """Out of order: sequence number, data, and whether a FIN follows; sorted, not overlapping."""
        self.ofo_size = 0
        self.rcv_nxt = self.rcv_wup = self.rcv_wnd = 0
        """``rcv_wnd`` was told to the peer when ``rcv_nxt`` was ``rcv_wup``."""
        self.copied_seq = 0
        """The next octet that the caller reads."""
        self.urg_seq: int | None = None
        """Where the urgent octet is; None: there is none."""
        self.urg_data: int | None = None
        """The octet itself, out of line, once it is there; -1: it was read."""
        self.rcv_mss = 0
        """What the peer seems to use as MSS, for delayed acknowledgments (RFC 9293, 3.8.6.3: full-sized segments)."""
        self.ack_pending = False
        """Something is to be acknowledged, perhaps later."""
        self.quick_acks = 0
        """How many acknowledgments are still sent at once (quick in inet_csk(sk)->icsk_ack)."""
        self.pingpong = False
        """The connection is interactive: an answer will carry the acknowledgment."""
        self.quickack: bool | None = None
        """TCP_QUICKACK, as the caller set it."""
        self.sack_blocks: list[tuple[int, int]] = []
        """To report, the newest first (RFC 2018, section 4)."""
        self.dsack: tuple[int, int] | None = None
        """To report first, once (RFC 2883)."""
        self.window_clamp = 0
        self.rcv_ssthresh = 0
        """The most that is offered: it begins with the SYN's window and grows with what comes (tcp_grow_window)."""
        self.fin_received = False
        """SOCK_DONE: the peer's FIN was taken in."""

    def _init_timers(self) -> None:
        from conformance.stack import tcp_timer  # the timers' functions need this class

        net = self.net
        self.retransmit_timer = net.timer(lambda: tcp_timer.tcp_write_timer(self))
        self.probing = False
        """The retransmit timer is the zero-window probe's (ICSK_TIME_PROBE0)."""
        self.delack_timer = net.timer(lambda: tcp_timer.tcp_delack_timer(self))
        self.keepalive_timer = net.timer(lambda: tcp_timer.tcp_keepalive_timer(self))
        self.rto = TIMEOUT_INIT
        self.srtt: int | None = None
        """ns; RFC 6298."""
        self.rttvar = 0
        self.rtt_dev = self.mdev_max = self.rtt_seq = 0
        """Linux's estimator only: rttvar_us, mdev_max_us, and SND.NXT when the flight that is measured began."""
        self.retransmits = self.backoff = self.probes_out = 0
        self.retrans_stamp = 0
        """When the first of a row of retransmissions was first sent; 0: there is none."""
        self.probes_since = 0
        self.rcv_tstamp = 0
        """When the last acknowledgment came."""
        self.lrcvtime = 0
        self.lsndtime = 0
        self.last_oow_ack = -(10**18)
        """When the last answer to a segment that is not acceptable was sent."""
        self.total_retrans = 0

    def _init_congestion(self) -> None:
        self.ca_state = CaState.OPEN
        self.snd_cwnd = 10
        """In segments (RFC 6928)."""
        self.snd_ssthresh = CWND_INFINITE
        self.snd_cwnd_cnt = 0
        self.dupacks = 0
        """Duplicate acknowledgments in a row; without SACK they stand for segments that have left the network."""
        self.high_seq = 0
        """SND.NXT when the state other than Open began: where it ends."""
        self.recover = 0
        """RFC 6582: up to here duplicate acknowledgments tell nothing new of loss."""
        self.prior_cwnd = self.prr_delivered = self.prr_out = 0
        """Linux's proportional rate reduction: the window before, what has arrived since, what was sent since (segments)."""
        self.rescue_rxt = 0
        """RFC 6675's RescueRxt, as the number after it."""
        self.partial_acks = 0
        """How many have come in this recovery."""
        self.first_window = 0
        """The end of the initial window, or of that after an idle time (RFC 6928)."""
        self.fall_back = False
        """Such a window has lost something."""
        self.cwnd_limited = False
        self.ecn_ok = self.ecn_demand_cwr = self.ecn_queue_cwr = False
        """RFC 3168: negotiated; a CE came and ECE is to be sent; CWR is due on the next data."""
        self.ecn_wait = False
        """ECE came at a window of one segment: new data waits for the retransmission timer."""
        self.accecn = False
        """Linux 6.18 takes a SYN,ACK with CWR for an offer of Accurate ECN. Of that there is only what its next segment shows."""

    def _init_options(self) -> None:
        sysctl = self.net.sysctl
        self.tstamp_ok = self.sack_ok = self.wscale_ok = False
        self.snd_wscale = self.rcv_wscale = 0
        self.ts_recent: int | None = None
        self.ts_recent_stamp = 0
        self.ts_offset = 0
        self.mss_clamp = 0
        """The MSS that the peer announced, or the default."""
        self.user_mss = 0
        """TCP_MAXSEG, set before the connection."""
        self.passive = False
        """It came to a listener."""
        self.advmss = 0
        """The MSS that we announced."""
        self.mss_cache = 0
        """What fits the path, options not yet counted."""
        self.pmtu = 0
        self.nodelay: bool = False
        self.cork: bool = False
        self.defer_accept: int = 0
        self.syn_count: int = 0
        self.user_timeout: int = 0
        self.linger2: int = 0
        self.keepidle: int = sysctl.keepalive_time
        self.keepintvl: int = sysctl.keepalive_interval
        self.keepcnt: int = sysctl.keepalive_probes
        self.notsent_lowat: int = 0
        self.fastopen_backlog: int = 0
        """TCP_FASTOPEN of a listener: how many of its connections may be in SYN-RECEIVED with data; 0: off."""
        self.fastopen_connect: bool = False
        self.fastopen_data = b""
        """Data for the SYN (MSG_FASTOPEN)."""
        self.fastopen_cookie: bytes | None = None
        self.syn_data = False
        self.syn_sent = 0
        """Octets that went with the SYN."""
        self.congestion = sysctl.congestion_control
        self.defer_connect = False
        """TCP_FASTOPEN_CONNECT: connect has returned, and the SYN waits for the first data."""

    def reset_connection(self) -> None:
        """Forget the connection, keep what the caller has set (tcp_disconnect): the socket may be connected again."""
        kept = {name: getattr(self, name) for name in _KEPT}
        timers = (self.retransmit_timer, self.delack_timer, self.keepalive_timer)
        for timer in timers:
            timer.stop()
        self._init_send()
        self._init_receive()
        self._init_timers()
        self._init_congestion()
        self._init_options()
        for name, value in kept.items():
            setattr(self, name, value)
        self.sk_shutdown = 0
        self.sk_err_soft = None
        self.daddr, self.dport, self.dst = b"", 0, None
        if not self.addr_bound_by_user:
            self.saddr = self.rcv_saddr = b""

    @property
    def bound_port(self) -> bool:
        """Has it a port that is to be given back?"""
        return self.num != 0

    # Figures ----------------------------------------------------------------------------------------------------------

    @property
    def sacked_out(self) -> int:
        """Of these, how many have arrived, by what SACK says or duplicate acknowledgments let guess."""
        if self.sack_ok:
            return sum(skb.sacked for skb in self.rtx_queue) if self.ca_state != CaState.OPEN else 0
        most = len(self.rtx_queue) - 1
        if self.ca_state != CaState.RECOVERY and not self.net.sysctl.linux:
            most = min(most, 2)  # limited transmit is for the first two duplicates (RFC 3042)
        return min(self.dupacks, max(most, 0))

    @property
    def in_flight(self) -> int:
        """The pipe of RFC 6675, in segments (tcp_packets_in_flight)."""
        if self.ca_state == CaState.OPEN and not self.dupacks:
            return len(self.rtx_queue)
        flight = 0
        for skb in self.rtx_queue:
            flight += (not skb.sacked and not skb.lost) + skb.in_retrans
        return flight if self.sack_ok else max(flight - self.sacked_out, 0)

    @property
    def receive_window(self) -> int:
        """What is left of the window that the peer was told of (tcp_receive_window)."""
        return self.rcv_wup + self.rcv_wnd - self.rcv_nxt & MASK if not after(self.rcv_nxt, self.rcv_wup + self.rcv_wnd) else 0

    @property
    def wnd_end(self) -> int:
        """The right edge of the peer's window (tcp_wnd_end)."""
        return (self.snd_una + self.snd_wnd) & MASK
