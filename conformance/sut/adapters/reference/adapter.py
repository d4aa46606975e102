"""The reference stack (``conformance/stack``) behind the SUT protocol: a whole adapter in Python, on either clock and over either link."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import fields
from random import Random
from typing import Any

from conformance import __version__
from conformance.case.settings import SETTINGS
from conformance.case.vocabulary import MESSAGE_FLAGS, SOCKET_OPTIONS
from conformance.stack.net import Net
from conformance.stack.sock import Sock
from conformance.stack.sysctl import Sysctl
from conformance.stack.tasks import Task
from conformance.stack.tcp_states import TcpState
from conformance.stack.uapi import AF_INET6
from conformance.sut.base import Argument, Host
from conformance.sut.reference_calls import CALLS, StackAtWork, constant, outcome_of
from conformance.sut.sdk import LATER, Adapter, Call, Errno, serve
from conformance.sut.sdk.adapter import End, Result
from conformance.sut.sdk.agents import address_text, packed, returned

_ONLY: Mapping[str, Sequence[object]] = {
    "congestion_control": ["reno"], "tlp": ["off"], "rack": ["off"], "mtu_probing": ["off"], "autocork": ["off"],
}  # fmt: skip
"""Settings of which it has one value."""


class Reference(Adapter):
    """One :class:`~conformance.stack.net.Net` after another, each as new."""

    name, version = "reference", __version__
    clocks = ("virtual", "real")
    capabilities = (
        "ipv4", "ipv6", "states", "transitions", "info", "blocking", "sack", "timestamps", "window_scaling", "ecn", "fast_open", "urgent",
        "icmp", "simultaneous_open", "half_close", "keepalive", "udp", "rfc5961-data",
    )  # fmt: skip
    options, flags = [name for name in SOCKET_OPTIONS if name != "IP_LOCAL_PORT_RANGE"], MESSAGE_FLAGS
    settings: Mapping[str, object] = {
        "mtu": "any", **{field.name: _ONLY.get(field.name, "any") for field in fields(Sysctl) if field.name in SETTINGS},
    }  # fmt: skip

    def reset(self, seed: int) -> None:
        net = self._net = Net(_sysctl(self.configuration), Random(seed))
        interface = self.interface
        self._device = net.add_device("sut", interface.mac, interface.mtu, self.transmit)
        for address, prefix in interface.addresses:
            net.add_address(self._device, packed(address), prefix)
        for gateway in interface.gateways:
            to = ipaddress.ip_network(gateway.to)
            net.neighbours.add(self._device, packed(gateway.address), gateway.mac)
            net.fib.add(to.network_address.packed, to.prefixlen, packed(gateway.address), self._device)
        net.on_return, net.on_state = self._returned, self._moved

    # The link and the clock ---------------------------------------------------------------------------------------------

    def receive(self, frame: bytes) -> None:
        with StackAtWork():
            self._net.receive(self._device, frame, self._net.now)

    def advance(self, now: int) -> None:
        with StackAtWork():
            self._net.advance(now)

    def next_timer(self) -> int | None:
        return self._net.next_timer()

    # Calls: each is a task of the stack's, which may sleep --------------------------------------------------------------

    def _make(self, call: Call, *arguments: Argument) -> Result:
        """Make a call as a case has its arguments."""
        name, convert = CALLS[call.name]
        file = self._net.files.get(arguments[0]) if isinstance(arguments[0], int) else None
        with StackAtWork():
            if file is not None and file.nonblock is call.blocking:
                self._net.call("fcntl", arguments[0], not call.blocking)
            task = self._net.call(name, *convert(arguments), tag=(call, arguments))
        if not task.done:
            call.blocks()
        return LATER

    def _returned(self, task: Task) -> None:
        """A call returned: at once, or one that was made long ago."""
        if task.tag is None:
            return
        call, arguments = task.tag
        if task.error is not None:
            call.fails(task.error)
        else:
            call.returns(returned(call.name, outcome_of(call.name, arguments, task.value)))

    def socket(self, _: Call, domain: str, type: str, protocol: str | int) -> Result:
        numbers = (constant(name) if isinstance(name, str) else name for name in (domain, type, protocol))
        with StackAtWork():
            task = self._net.call("socket", *numbers)
        if task.error is not None:
            raise Errno(task.error)
        return task.value

    def bind(self, call: Call, socket: int, address: str, port: int) -> Result:
        return self._make(call, socket, Host(packed(address), port))

    def listen(self, call: Call, socket: int, backlog: int) -> Result:
        return self._make(call, socket, backlog)

    def connect(self, call: Call, socket: int, address: str | None, port: int) -> Result:
        return self._make(call, socket, Host(packed(address) if address else b"", port))

    def accept(self, call: Call, socket: int) -> Result:
        return self._make(call, socket)

    def send(self, call: Call, socket: int, data: bytes, flags: tuple[str, ...]) -> Result:
        return self._make(call, socket, data, *_flags(flags))

    def recv(self, call: Call, socket: int, size: int, flags: tuple[str, ...]) -> Result:
        return self._make(call, socket, size, *_flags(flags))

    def shutdown(self, call: Call, socket: int, how: str) -> Result:
        return self._make(call, socket, how)

    def close(self, call: Call, socket: int) -> Result:
        return self._make(call, socket)

    def setsockopt(self, call: Call, socket: int, name: str, value: int | bytes | tuple[int, ...]) -> Result:
        return self._make(call, socket, name, *(value if isinstance(value, tuple) else (value,)))

    def getsockopt(self, call: Call, socket: int, name: str) -> Result:
        return self._make(call, socket, name)

    def getsockname(self, call: Call, socket: int) -> Result:
        return self._make(call, socket)

    def getpeername(self, call: Call, socket: int) -> Result:
        return self._make(call, socket)

    def poll(self, call: Call, socket: int) -> Result:
        return self._make(call, socket)

    def ioctl(self, call: Call, socket: int, request: str) -> Result:
        return self._make(call, socket, request)

    def sockatmark(self, call: Call, socket: int) -> Result:
        return self._make(call, socket)

    # States and figures -------------------------------------------------------------------------------------------------

    def state(self, socket: int | None, local: End | None, remote: End | None) -> str:
        file = self._net.files.get(socket) if socket is not None else None
        if file is not None and file.sk is not None and file.sk.sk_state is not TcpState.CLOSED:
            known: TcpState = file.sk.sk_state
            return known.value
        hashinfo = self._net.hashinfo
        if local is not None and remote is not None:
            entry = hashinfo.established(packed(remote[0]), remote[1], packed(local[0]), local[1])
            if entry is not None:
                return TcpState(entry.sk_state).value
        # A socket that is CLOSED may have left a TIME-WAIT behind, but never turns into the listener on its port.
        listens = local is not None and socket is None and hashinfo.listener(packed(local[0]), local[1]) is not None
        return "LISTEN" if listens else "CLOSED"

    def info(self, socket: int) -> Mapping[str, int]:
        with StackAtWork():
            task = self._net.call("tcp_info", socket)
        if task.error is not None:
            raise Errno(task.error)
        return dict(task.value)

    def _moved(self, sk: Sock, old: TcpState, new: TcpState) -> None:
        remote = (address_text(sk.daddr), sk.dport) if sk.dport else None
        own = sk.saddr or bytes(16 if sk.sk_family == AF_INET6 else 4)
        self.state_changed((address_text(own), sk.num), remote, old.value, new.value)


def _sysctl(settings: Mapping[str, Any]) -> Sysctl:
    """The tester's settings are the stack's, but that switches are words and the MTU belongs to the interface."""
    usual = Sysctl()
    own = {name: value for name, value in settings.items() if name != "mtu"}
    return Sysctl.from_config({name: value == "on" if isinstance(getattr(usual, name), bool) else value for name, value in own.items()})


def _flags(flags: tuple[str, ...]) -> tuple[str, ...]:
    return ("|".join(flags),) if flags else ()


if __name__ == "__main__":
    serve(Reference())
