"""Socket calls as a trace has them → as a case writes them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

from conformance.capture.import_names import octets_text
from conformance.capture.import_story import CallMade, Finished, StoryError
from conformance.case.stream import is_stretch
from conformance.trace import Called, Event, Returned

__all__ = ["RecordedCalls", "text_of"]

_MAKERS = ("socket", "accept")
_TARGET = re.compile(r"\s*([a-z_]\w*)\s*=\s*")
_FUNCTION = re.compile(r"\w+")
_BYTES = re.compile(r"(\d+) (b'.*'|b\".*\")(…?)", re.DOTALL)
_HOST = re.compile(r"((?:[0-9a-f]{2})+):(\d+)")
_LIKE_ERRNO = re.compile(r"E[A-Z0-9]+")


class RecordedCalls:
    """Pairs calls and returns, and writes both."""

    def __init__(self, events: Sequence[Event], hosts: Mapping[bytes, str], ports: Mapping[int, str]) -> None:
        self._hosts, self._ports = hosts, ports
        self.varying: list[bytes] = []
        """Frames of the peer's whose data is other octets in each run: of what is read of them only the number is said."""
        self._of_call: dict[int, Returned] = {}
        self._of_return: dict[int, Called] = {}
        pending: list[Called] = []
        for event in events:
            if isinstance(event, Called):
                pending.append(event)
            elif isinstance(event, Returned) and (call := _caller(pending, event)) is not None:
                pending.remove(call)
                self._of_call[id(call)], self._of_return[id(event)] = event, call

    def made(self, call: Called) -> CallMade:
        """A call that is made."""
        name, function, arguments = _split(call.text)
        returned = self._of_call.get(id(call))
        made = CallMade(t=call.t, function=function, arguments=arguments, name=name, blocking=call.blocking)
        if not call.blocking and returned is not None:
            made.returned = returned.t
            made.name, made.result = self._result(made, returned)
        return made

    def finished(self, event: Returned) -> Finished | None:
        """A call that had only begun returns; None if it is another."""
        call = self._of_return.get(id(event))
        if call is None or not call.blocking:
            return None
        name, function, arguments = _split(call.text)
        made = CallMade(t=call.t, function=function, arguments=arguments, name=name)
        return Finished(t=event.t, name=name, result=self._result(made, event)[1])

    def _result(self, made: CallMade, event: Returned) -> tuple[str, str]:
        """The name that its socket gets, and the result otherwise."""
        said = event.text.rpartition(") = ")[2]
        head = f"{made.function}({made.arguments}) = "
        if event.text.startswith(head):
            said = event.text[len(head) :]
        if said.startswith("-1 "):
            return "", said[3:]
        if made.function in _MAKERS:
            return made.name, ""
        return made.name, self._value(made.function, made.arguments, said)

    def _value(self, function: str, arguments: str, said: str) -> str:
        if said in ("None", "0") and function not in ("recv", "send", "getsockopt", "poll", "ioctl", "sockatmark"):
            return ""
        if function in ("getsockname", "getpeername") and (host := _HOST.fullmatch(said)):
            return self._address(bytes.fromhex(host[1]), int(host[2]))
        if (data := _BYTES.fullmatch(said)) is not None:
            octets = _literal(data[2])
            if octets is None:
                return "*"
            if "IP_OPTIONS" in arguments:
                return text_of(octets_text(self._hosts, octets).encode()) if not data[3] else "*"
            varies = any(octets in frame for frame in self.varying)
            return text_of(octets) if function == "getsockopt" else data[1] if varies else _received(octets, int(data[1]))
        if said.removeprefix("-").isdecimal() or _LIKE_ERRNO.fullmatch(said) or said.startswith("POLL"):
            return said
        return text_of(said.encode())

    def _address(self, host: bytes, port: int) -> str:
        if host not in self._hosts:
            return "*"
        return f"{self._hosts[host]}:{self._ports.get(port, 0)}"


def _literal(text: str) -> bytes | None:
    """The octets that ``b'…'`` stands for; None for what only looks like it."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, bytes) else None


def _received(octets: bytes, size: int) -> str:
    """How many, or which, if those are all and no stream's."""
    if size != len(octets) or not octets or is_stretch(octets):
        return str(size)
    return text_of(octets)


def _caller(pending: Sequence[Called], event: Returned) -> Called | None:
    """Which of the calls that have not returned this is the end of: the one of the same step, else the last with the same words."""
    same = [call for call in pending if not call.blocking and call.step == event.step]
    if same:
        return same[-1]
    fitting = [call for call in pending if event.text.startswith("{1}({2}) = ".format(*_split(call.text)))]
    return fitting[-1] if fitting else None


def _split(text: str) -> tuple[str, str, str]:
    """``c = accept(s) = EAGAIN``: the name, the function, the arguments."""
    target = _TARGET.match(text)
    rest = text[target.end() :] if target else text
    function = _FUNCTION.match(rest)
    begin = rest.find("(") + 1
    if function is None or begin != function.end() + 1:
        raise StoryError(f"the call {text!r:.100} cannot be read")
    at, quoted = begin, False
    while at < len(rest) and (quoted or rest[at] != ")"):
        if rest[at] == "\\":
            at += 1
        elif rest[at] == '"':
            quoted = not quoted
        at += 1
    return target[1] if target else "", function[0], rest[begin:at]


def text_of(data: bytes) -> str:
    """``"hello"``, with the escapes of the case language."""
    names = {0: "\\0", 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\"}
    return '"' + "".join(names.get(octet) or (chr(octet) if 32 <= octet < 127 else f"\\x{octet:02x}") for octet in data) + '"'
