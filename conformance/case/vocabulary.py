"""The words of the language: calls and what they take, addresses, ports, constants, socket options, TCP_INFO, ICMP.

Tables only. What a word means to a stack is the business of the engine and of the SUTs.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass

from conformance.wire.segment import Family

__all__ = [
    "ADDRESSES", "BOTH", "CALLS", "CONSTANTS", "ECN", "ERRNOS", "ICMP_NAMES", "INFO_ALIASES", "INFO_FIELDS", "INFO_TIMES",
    "MESSAGE_FLAGS", "OCTET_OPTIONS", "ONE_FAMILYS_FIELDS", "POLL_EVENTS", "PORTS", "REQUESTS", "SHUTDOWNS", "SOCKET_MAKERS",
    "SOCKET_OPTIONS", "Signature",
]  # fmt: skip

BOTH = frozenset(Family)
_IPV4, _IPV6 = frozenset({Family.IPV4}), frozenset({Family.IPV6})

ADDRESSES: Mapping[str, frozenset[Family]] = {
    "sut": BOTH, "peer": BOTH, "peer2": BOTH, "any": BOTH, "unrouted": BOTH, "foreign": BOTH, "loopback": BOTH, "multicast": BOTH,
    "broadcast": _IPV4,
}  # fmt: skip
"""Names of addresses, and the families that have such a one."""

PORTS = ("port", "port2", "port3", "peer_port", "peer_port2")

ICMP_NAMES: Mapping[str, frozenset[Family]] = {
    "net-unreachable": BOTH,
    "host-unreachable": BOTH,
    "protocol-unreachable": BOTH,
    "port-unreachable": BOTH,
    "frag-needed": BOTH,
    "packet-too-big": BOTH,
    "source-route-failed": _IPV4,
    "admin-prohibited": BOTH,
    "source-quench": _IPV4,
    "time-exceeded": BOTH,
    "reassembly-time-exceeded": BOTH,
    "parameter-problem": BOTH,
    "echo-request": BOTH,
    "echo-reply": BOTH,
    "redirect": _IPV4,
}
"""ICMP messages, and the families that have them. (:mod:`conformance.wire.icmp` has their numbers, and dpkt, which takes 0.1 s
to import; a test holds the two together.)"""

ONE_FAMILYS_FIELDS: Mapping[str, frozenset[Family]] = {
    "df": _IPV4, "id": _IPV4, "ip_checksum": _IPV4, "ip_options": _IPV4, "header_length": _IPV4, "flow_label": _IPV6, "ext": _IPV6,
}  # fmt: skip
"""Fields of ``with:`` that only one family's header has."""

ECN: Mapping[str, int] = {"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3}
"""RFC 3168, section 5: the two low bits of the type of service octet."""

_ERRNO_SYNONYMS = {name: errno.errorcode[number] for name, number in vars(errno).items() if isinstance(number, int)}
ERRNOS: Mapping[str, str] = dict(sorted(_ERRNO_SYNONYMS.items()))
"""Names of errors, and the first name of the same number (EWOULDBLOCK is EAGAIN)."""

# Calls ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signature:
    """What a call takes: the kinds of its arguments in order, of which the first ``minimum`` must be there."""

    minimum: int
    parameters: tuple[str, ...]
    usage: str


CALLS: Mapping[str, Signature] = {
    "socket": Signature(0, ("constant", "constant", "constant"), "socket() or socket(AF_INET, SOCK_STREAM, 0)"),
    "bind": Signature(2, ("socket", "address"), "bind(s, port)"),
    "listen": Signature(2, ("socket", "number"), "listen(s, 1)"),
    "connect": Signature(1, ("socket", "address"), "connect(s) or connect(s, peer:port)"),
    "accept": Signature(1, ("socket",), "accept(s)"),
    "send": Signature(2, ("socket", "data", "message flags"), "send(c, 1000) or send(c, 1000, MSG_OOB)"),
    "recv": Signature(2, ("socket", "number", "message flags"), "recv(c, 1000) or recv(c, 1000, MSG_PEEK)"),
    "shutdown": Signature(2, ("socket", "shutdown"), "shutdown(c, SHUT_WR)"),
    "close": Signature(1, ("socket",), "close(c)"),
    "setsockopt": Signature(3, ("socket", "option", "value", "value"), "setsockopt(s, TCP_NODELAY, 1)"),
    "getsockopt": Signature(2, ("socket", "option"), "getsockopt(s, SO_ERROR)"),
    "getsockname": Signature(1, ("socket",), "getsockname(s)"),
    "getpeername": Signature(1, ("socket",), "getpeername(c)"),
    "poll": Signature(1, ("socket",), "poll(c)"),
    "ioctl": Signature(2, ("socket", "request"), "ioctl(c, FIONREAD)"),
    "sockatmark": Signature(1, ("socket",), "sockatmark(c)"),
}

SOCKET_MAKERS = frozenset({"socket", "accept"})
"""Calls whose result is a socket."""

CONSTANTS = (
    "AF_UNSPEC", "AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET",
    "SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_RDM", "SOCK_SEQPACKET",
    "IPPROTO_IP", "IPPROTO_ICMP", "IPPROTO_TCP", "IPPROTO_UDP", "IPPROTO_IPV6", "IPPROTO_ICMPV6", "IPPROTO_SCTP", "IPPROTO_UDPLITE",
    "IPPROTO_MPTCP", "IPPROTO_RAW",
)  # fmt: skip
"""What ``socket()`` takes."""

SHUTDOWNS = ("SHUT_RD", "SHUT_WR", "SHUT_RDWR")
MESSAGE_FLAGS = (
    "MSG_OOB", "MSG_PEEK", "MSG_DONTROUTE", "MSG_TRUNC", "MSG_DONTWAIT", "MSG_EOR", "MSG_WAITALL", "MSG_ERRQUEUE", "MSG_NOSIGNAL",
    "MSG_MORE", "MSG_FASTOPEN",
)  # fmt: skip
REQUESTS = ("FIONREAD", "SIOCATMARK", "SIOCOUTQ", "SIOCOUTQNSD")
"""What ``ioctl()`` asks."""
POLL_EVENTS = ("POLLIN", "POLLPRI", "POLLOUT", "POLLERR", "POLLHUP", "POLLNVAL", "POLLRDHUP")

SOCKET_OPTIONS = (
    "SO_ERROR", "SO_REUSEADDR", "SO_REUSEPORT", "SO_KEEPALIVE", "SO_LINGER", "SO_RCVBUF", "SO_SNDBUF", "SO_RCVTIMEO", "SO_SNDTIMEO",
    "SO_OOBINLINE", "SO_RCVLOWAT", "SO_SNDLOWAT", "SO_BROADCAST", "SO_DONTROUTE", "SO_PRIORITY", "SO_MARK", "SO_TYPE", "SO_PROTOCOL",
    "SO_ACCEPTCONN", "SO_DOMAIN", "TCP_NODELAY", "TCP_MAXSEG", "TCP_CORK", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_SYNCNT",
    "TCP_LINGER2", "TCP_DEFER_ACCEPT", "TCP_WINDOW_CLAMP", "TCP_QUICKACK", "TCP_CONGESTION", "TCP_USER_TIMEOUT", "TCP_FASTOPEN",
    "TCP_FASTOPEN_CONNECT", "TCP_NOTSENT_LOWAT", "IP_TTL", "IP_TOS", "IP_MTU_DISCOVER", "IP_MTU", "IP_RECVERR", "IP_OPTIONS", "IP_MINTTL",
    "IP_FREEBIND", "IP_BIND_ADDRESS_NO_PORT", "IP_LOCAL_PORT_RANGE", "IP_MULTICAST_TTL", "IPV6_V6ONLY", "IPV6_UNICAST_HOPS",
    "IPV6_TCLASS", "IPV6_MTU", "IPV6_MTU_DISCOVER", "IPV6_RECVERR", "IPV6_MINHOPCOUNT", "IPV6_FREEBIND", "IPV6_MULTICAST_HOPS",
)  # fmt: skip

OCTET_OPTIONS = frozenset({"IP_OPTIONS"})
"""Socket options whose value is octets: hexadecimal digits, and names of addresses."""

# TCP_INFO -------------------------------------------------------------------------------------------------------------

INFO_FIELDS = (
    "state", "ca_state", "retransmits", "probes", "backoff", "options", "snd_wscale", "rcv_wscale", "rto", "ato", "snd_mss", "rcv_mss",
    "unacked", "sacked", "lost", "retrans", "fackets", "pmtu", "rcv_ssthresh", "rtt", "rttvar", "snd_ssthresh", "snd_cwnd", "advmss",
    "reordering", "rcv_space", "total_retrans",
)  # fmt: skip
INFO_ALIASES: Mapping[str, str] = {"mss": "snd_mss", "cwnd": "snd_cwnd", "ssthresh": "snd_ssthresh"}
"""Neutral names, and Linux's."""
INFO_TIMES = frozenset({"rto", "ato", "rtt", "rttvar"})
"""Figures that are durations."""
