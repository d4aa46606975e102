"""Wrong results of calls: of those that return at once, of those that block, and socket options."""

from __future__ import annotations

from .case import Planted, established, listening, plain

__all__ = ["PLANTED"]

_DATA = '- inject: P. 1:6(5) ack 1 "hello"\n- expect: . 1:1(0) ack 6\n'
_URGENT = "- inject: PU. 1:2(1) ack 1 urg 1\n- expect: . 1:1(0) ack 2\n"
_FIN = "- inject: F. 1:1(0) ack 1\n- expect: . 1:1(0) ack 2\n"


def _returns(name: str, call: str, before: str = "") -> Planted:
    return established(name, "result", f"{before}- call: {call}")


def _finishes(name: str, inject: str, finish: str) -> Planted:
    return established(name, "result", f"- start: r = recv(c, 10)\n- inject: {inject}\n- finish: {finish}")


def _refused(name: str, queued: str) -> Planted:
    """What is left of an ICMP message that ended a connect()."""
    steps = f"""
        - call: c = socket()
        - call: setsockopt(c, IP_RECVERR, 1)
        - call: setsockopt(c, IPV6_RECVERR, 1) = 0 or ENOPROTOOPT
        - start: r = connect(c)
        - expect: S 0:0(0)
        - inject_icmp: port-unreachable
        - finish: r = ECONNREFUSED
        - call: recv(c, 0, MSG_ERRQUEUE) = {queued}
        - call: recv(c, 0, MSG_ERRQUEUE) = EAGAIN
    """
    return plain(name, "result", steps)


PLANTED = (
    _returns("call-number", "send(c, 5) = «5⇒6»"),
    _returns("call-range", "send(c, 5) = «1..5⇒6..9»"),
    _returns("call-errno", "recv(c, 10) = «EAGAIN⇒ECONNRESET»"),
    _returns("call-number-for-errno", "recv(c, 10) = «EAGAIN⇒0»"),
    _returns("call-success", "recv(c, 10)« = EAGAIN⇒»"),
    _returns("call-errno-for-success", "send(c, 5)«⇒ = EPIPE»"),
    _returns("call-text", 'recv(c, 10) = "«hello⇒hallo»"', _DATA),
    _returns("call-octets", "recv(c, 10) = «5⇒4»", _DATA),
    _returns("call-end-of-file", "recv(c, 10) = «0⇒1»", _FIN),
    _returns("call-address", "getpeername(c) = «peer⇒peer2»:peer_port"),
    _returns("call-port", "getsockname(c) = sut:«port⇒port2»"),
    _returns("call-so-error", "getsockopt(c, SO_ERROR) = «0⇒ECONNRESET»"),
    _returns("poll-flag", "poll(c) = «POLLOUT⇒POLLIN»"),
    _returns("poll-flags", "poll(c) = «POLLIN|POLLOUT⇒POLLOUT»", _DATA),
    _returns("poll-includes", "poll(c) includes «POLLOUT⇒POLLIN»"),
    _returns("poll-includes-all", "poll(c) includes POLLOUT«⇒|POLLIN»"),
    _returns("poll-excludes", "poll(c) excludes «POLLIN|POLLERR⇒POLLIN|POLLOUT»"),
    _returns("call-one-of", "recv(c, 10) = EPIPE or «EAGAIN⇒ECONNRESET»"),
    _returns("call-one-of-numbers", "send(c, 5) = EPIPE or «5⇒6..9» or 4"),
    _returns("call-fionread", "ioctl(c, FIONREAD) = «5⇒4»", _DATA),
    _returns("call-outq", "ioctl(c, SIOCOUTQ) = «5⇒0»", "- call: send(c, 5)\n- expect: P. 1:6(5) ack 1\n"),
    _returns("call-not-sent", "ioctl(c, SIOCOUTQNSD) = «0⇒5»", "- call: send(c, 5)\n- expect: P. 1:6(5) ack 1\n"),
    _returns("call-at-mark", "sockatmark(c) = «1⇒0»", _URGENT),
    _returns("call-at-no-mark", "ioctl(c, SIOCATMARK) = «0⇒1»", _DATA),
    _returns("call-trunc", "recv(c, 4, MSG_TRUNC) = «4⇒5»", _DATA),
    _returns("call-after-trunc", 'recv(c, 9) = "«lo⇒he»"', _DATA + "- call: recv(c, 3, MSG_TRUNC) = 3\n"),
    _returns("call-error-queue", "recv(c, 0, MSG_ERRQUEUE) = «EAGAIN⇒EPIPE»"),
    _returns("call-disconnects", "getsockopt(c, SO_ERROR) = «ECONNRESET⇒0»", "- call: connect(c, AF_UNSPEC)\n- expect: R. 1:1(0)\n"),
    _refused("call-queued-error", "«ECONNREFUSED⇒EHOSTUNREACH»"),
    Planted("call-queued-error-in-full", "result", _refused("", '"ECONNREFUSED icmp 3 «3⇒1» 0"').text, families=("ipv4",)),
    listening("poll-nothing", "result", "- call: poll(s) = «0⇒POLLIN»"),
    listening("accept", "result", "- call: c = accept(s)« = EAGAIN⇒»"),
    established("sockopt-number", "result", "- sockopt: c TCP_NODELAY = «0⇒1»"),
    established("sockopt-one-of", "result", "- sockopt: c TCP_NODELAY = 2 or «0⇒1»"),
    Planted("sockopt-octets", "result", 'given: ESTABLISHED\nsteps:\n- sockopt: c IP_OPTIONS = «""⇒"0101"»\n', families=("ipv4",)),
    established("sockopt-text", "result", '- sockopt: c TCP_CONGESTION = "«reno⇒cubic»"'),
    _finishes("finish-number", "P. 1:6(5) ack 1", "r = «5⇒6»"),
    _finishes("finish-text", 'P. 1:3(2) ack 1 "hi"', 'r = "«hi⇒ho»"'),
    _finishes("finish-one-of", "R. 1:1(0) ack 1", "r = EPIPE or «ECONNRESET⇒0»"),
    _finishes("finish-errno", "R. 1:1(0) ack 1", "r = «ECONNRESET⇒EPIPE»"),
    _finishes("finish-success", "R. 1:1(0) ack 1", "r« = ECONNRESET⇒»"),
)
