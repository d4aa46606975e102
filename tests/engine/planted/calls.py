"""Wrong results of calls: of those that return at once, of those that block, and socket options."""

from __future__ import annotations

from .case import Planted, established, listening

__all__ = ["PLANTED"]

_DATA = '- inject: P. 1:6(5) ack 1 "hello"\n- expect: . 1:1(0) ack 6\n'
_FIN = "- inject: F. 1:1(0) ack 1\n- expect: . 1:1(0) ack 2\n"


def _returns(name: str, call: str, before: str = "") -> Planted:
    return established(name, "result", f"{before}- call: {call}")


def _finishes(name: str, inject: str, finish: str) -> Planted:
    return established(name, "result", f"- start: r = recv(c, 10)\n- inject: {inject}\n- finish: {finish}")


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
    listening("poll-nothing", "result", "- call: poll(s) = «0⇒POLLIN»"),
    listening("accept", "result", "- call: c = accept(s)« = EAGAIN⇒»"),
    established("sockopt-number", "result", "- sockopt: c TCP_NODELAY = «0⇒1»"),
    established("sockopt-text", "result", '- sockopt: c TCP_CONGESTION = "«reno⇒cubic»"'),
    _finishes("finish-number", "P. 1:6(5) ack 1", "r = «5⇒6»"),
    _finishes("finish-text", 'P. 1:3(2) ack 1 "hi"', 'r = "«hi⇒ho»"'),
    _finishes("finish-errno", "R. 1:1(0) ack 1", "r = «ECONNRESET⇒EPIPE»"),
    _finishes("finish-success", "R. 1:1(0) ack 1", "r« = ECONNRESET⇒»"),
)
