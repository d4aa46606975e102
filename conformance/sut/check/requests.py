"""Checks of requests as such: what is no good ends nobody, and a reset forgets everything."""

from __future__ import annotations

import os
import time
from typing import Any

from conformance.case.settings import SETTINGS, Switch, Whole
from conformance.sut.check.desk import Desk, When, shown
from conformance.sut.check.finding import Check, Lack, NotOffered
from conformance.sut.check.heard import told
from conformance.sut.check.peer import PORT, Peer, accepted, connecting, listener, make_socket
from conformance.sut.protocol import encode, setting_value
from conformance.wire.segment import ACK, RST, SYN, Family

__all__ = ["REQUESTS", "RESETS"]

_NO_SOCKET = 987654
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "bind": {"address": "192.0.2.1", "port": 5000}, "listen": {"backlog": 1}, "connect": {"address": "198.18.0.1", "port": 40000},
    "accept": {}, "send": {"data": "00", "flags": []}, "recv": {"size": 1, "flags": []}, "shutdown": {"how": "SHUT_WR"}, "close": {},
    "setsockopt": {"name": "SO_KEEPALIVE", "value": 1}, "getsockopt": {"name": "SO_ERROR"}, "getsockname": {}, "getpeername": {},
    "ioctl": {"request": "FIONREAD"}, "sockatmark": {},
}  # fmt: skip
"""Of calls on a socket; ``poll`` says POLLNVAL of one that is none."""
_LONG_LINE = 300_000
"""Octets of data in one call: more than a pipe holds, twice as many on the line."""
_HOUR = 3600
_MOMENT = 0.05
"""Seconds after which half a line has been read."""


def unknown_method(desk: Desk, _: Family) -> None:
    desk.begin()
    if (message := desk.request("fly", {"to": "the moon"})[1]).error is None:
        raise Lack('an error of JSON-RPC for the method "fly" (code -32601)', "`blocked`" if message.id is None else "a result")
    desk.begin()


def missing_parameters(desk: Desk, family: Family) -> None:
    desk.begin()
    make_socket(desk, family)
    for method, params in (("bind", {"socket": 0, "blocking": False}), ("send", {}), ("listen", {"socket": "three", "backlog": None})):
        _, message = desk.request(method, params)
        if message.error is None and "errno" not in message.result:
            raise Lack(f"an error of JSON-RPC, or an errno, for {told(method, params)}", told("", message.result))
    make_socket(desk, family)


def no_such_socket(desk: Desk, _: Family) -> None:
    desk.begin()
    calls = [name for name in _ARGUMENTS if name in desk.description.calls]
    errors = {name: desk.try_call(name, socket=_NO_SOCKET, **_ARGUMENTS[name]).error for name in calls}
    wrong = [f"{name}() {error or 'succeeded'}" for name, error in errors.items() if error != "EBADF"]
    if wrong:
        raise Lack(f"EBADF from every call on socket {_NO_SOCKET}, which nobody made", ", ".join(wrong))


def line_in_two_parts(desk: Desk, _: Family) -> None:
    desk.begin()
    line = encode(10_000, "state", {"socket": None, "local": None, "remote": None})
    os.write(desk.process.stdin, line[:20])
    time.sleep(_MOMENT)
    os.write(desk.process.stdin, line[20:])
    desk.process.wait(10_000, "state")


def several_at_once(desk: Desk, _: Family) -> None:
    desk.begin()
    params = {"domain": "AF_INET", "type": "SOCK_STREAM", "protocol": 0, "blocking": False}
    numbers = range(10_001, 10_004)
    os.write(desk.process.stdin, b"".join(encode(id, "socket", params) for id in numbers))
    handles = [desk.outcome("socket", params, desk.process.wait(id, "socket").result).value for id in numbers]
    if len(set(handles)) != len(handles):
        raise Lack("three sockets with handles of their own", f"{handles}")


def long_line(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    found = desk.call("send", socket=one.socket, data="ab" * _LONG_LINE, flags=[])
    if not isinstance(found.value, int) or not 0 < found.value <= _LONG_LINE:
        raise Lack(f"send() of {_LONG_LINE} octets to take at least one, and at most all", shown(found))
    wanted = "the first of what send() took"
    one.peer.expect(wanted, lambda segment: segment.seq == one.peer.rcv and set(segment.payload) == {0xAB}, When.ALREADY)


def every_setting(desk: Desk, _: Family) -> None:
    settings = desk.description.settings
    if not settings:
        raise NotOffered("no settings")
    for name, values in settings.items():
        setting = SETTINGS[name]
        default = int(setting.default) if isinstance(setting.kind, Whole) else setting.default
        for value in (setting_value(setting.kind.parse(default)),) if values is None else values:
            desk.begin({name: value})
    desk.begin()


def right_values(desk: Desk, _: Family) -> None:
    wrong = [f"{name} {value!r}" for name, values in desk.description.settings.items() for value in values or () if not _fits(name, value)]
    if wrong:
        raise Lack('settings as `configure` has them: "on" or "off", numbers, durations in ns', ", ".join(wrong))


def _fits(name: str, value: object) -> bool:
    kind = SETTINGS[name].kind
    if isinstance(kind, Switch):
        return value in ("on", "off")
    schema = kind.schema()
    if "enum" in schema:
        return value in schema["enum"]
    numbers = isinstance(kind, Whole) or ("examples" in schema and schema["examples"][0][-1] == "s")
    return isinstance(value, int if numbers else str) and not isinstance(value, bool)


# Reset ----------------------------------------------------------------------------------------------------------------


def reset_again(desk: Desk, family: Family) -> None:
    for _again in range(3):
        desk.begin()
    make_socket(desk, family)
    desk.begin()
    desk.begin()


def reset_forgets_listener(desk: Desk, family: Family) -> None:
    desk.begin()
    listener(desk, family)
    desk.begin()
    peer = Peer(desk, family)
    peer.put(SYN)
    peer.silence("no SYN,ACK: the socket that listened is gone with the stack that had it", lambda segment: segment.flags & SYN != 0, 0.2)
    listener(desk, family)


def reset_forgets_connection(desk: Desk, family: Family) -> None:
    desk.begin()
    one = accepted(desk, family)
    desk.begin()
    one.peer.put(ACK, b"to nobody")
    wanted = "a RST, or nothing, for data of a connection of the stack before"
    one.peer.silence(wanted, lambda segment: not segment.flags & RST, 0.2)
    accepted(desk, family)


def reset_forgets_calls(desk: Desk, family: Family) -> None:
    desk.begin()
    waits = desk.start("accept", socket=listener(desk, family))
    desk.begin()
    accepted(desk, family)  # an answer to the old call here is one to a request that was not asked
    desk.pause(0.2)
    if waits in desk.answers:
        raise Lack("no answer to accept(), which a reset has ended", "one")


def reset_begins_time(desk: Desk, family: Family) -> None:
    desk.begin()
    connecting(desk, family)
    desk.pause(_HOUR)
    desk.begin()
    connecting(desk, family)
    if desk.next is not None and desk.next > _HOUR * 1_000_000_000:
        raise Lack("`next` to be counted from the reset", f"{desk.next} ns, for a SYN that was sent just now")


def same_seed(desk: Desk, family: Family) -> None:
    numbers = []
    for seed in (7, 7, 8):
        desk.begin(seed=seed)
        one = connecting(desk, family)
        numbers.append((one.peer.sut_isn, one.peer.sut_port))
    if numbers[0] != numbers[1]:
        raise NotOffered("the same seed gives another ISN or port, so that no run can be repeated to the bit")
    if numbers[0] == numbers[2]:
        raise NotOffered("another seed gives the same ISN and port, so that no run meets other numbers")


def forget(desk: Desk, family: Family) -> None:
    """Cases are told apart by their peers and ports."""
    desk.begin()
    first, second = accepted(desk, family), accepted(desk, family, 2, port=PORT + 1)
    desk.result("forget", sockets=[first.listener, first.socket], connections=[first.peer.ends])
    if (found := desk.state(None, first.peer.ends)) != "CLOSED":
        raise Lack("state CLOSED of a connection that was forgotten, and whose listener was", found)
    listener(desk, family)
    desk.call("send", socket=second.socket, data="0102", flags=[])
    second.peer.expect_data(b"\1\2")


_OPEN = ("call socket", "call bind", "call listen", "call accept")
REQUESTS = (
    Check("a method that there is not is an error, and ends nothing", unknown_method, families=False),
    Check("what lacks parameters is an error, and ends nothing", missing_parameters, ("call socket",), families=False),
    Check("a call on a socket that is none fails with EBADF", no_such_socket, families=False),
    Check("a request may come in two parts", line_in_two_parts, ("states",), families=False),
    Check("requests may come one right after another", several_at_once, ("call socket",), ("real",), families=False),
    Check("a request may be long", long_line, (*_OPEN, "call send"), families=False),
    Check("settings have the values that cases ask for", right_values, families=False),
    Check("what it says that it can be configured to, it can", every_setting, families=False),
)
RESETS = (
    Check("reset is answered, again and again", reset_again, ("call socket",), families=False),
    Check("a reset forgets the socket that listened", reset_forgets_listener, _OPEN[:3]),
    Check("a reset forgets the connection", reset_forgets_connection, _OPEN),
    Check("a reset ends the calls that wait, without an answer", reset_forgets_calls, (*_OPEN, "blocking")),
    Check("a case that is forgotten is gone, and the others are not", forget, (*_OPEN, "call send", "shared"), ("real",)),
    Check("time begins anew with a reset", reset_begins_time, ("call socket", "call connect"), ("virtual",), families=False),
    Check("the seed decides what is chosen at random", same_seed, ("call socket", "call connect"), ("virtual",), families=False),
)
