"""Transitions of TCP sockets as the kernel makes them, without tracing: a BPF program that the sockets call (``BPF_SOCK_OPS_STATE_CB``).

Debian's kernel in user mode has no tracepoints (CONFIG_FTRACE). A socket calls the program of its cgroup when it connects and when it
begins to listen; the program asks there to hear of all its later changes, and those of what it accepts.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from conformance.sut.adapters.uml.bpf import Ring, attach, instruction, load
from conformance.sut.linux_diag import KERNEL_STATES

__all__ = ["Move", "SocketStates"]

_RING = 1 << 18
_CONNECT, _PASSIVE, _LISTEN, _STATE = 3, 5, 11, 10
"""What the program is called for: enum in ``include/uapi/linux/bpf.h``, BPF_SOCK_OPS_TCP_CONNECT_CB, …_PASSIVE_ESTABLISHED_CB and so on."""
_STATE_FLAG = 4
_MADE = {_CONNECT: ("CLOSED", "SYN-SENT"), _LISTEN: ("CLOSED", "LISTEN"), _PASSIVE: ("LISTEN", "SYN-RECEIVED")}
"""Changes that sockets make before they tell of all: what they call the program for instead."""
_ARGUMENTS: Final = (0, 4, 8, 20)
"""Where the operation, its two arguments and the family are in struct bpf_sock_ops."""
_ADDRESSES: Final = tuple(range(24, 72, 4))
"""Remote and local address of IPv4, both of IPv6, remote and local port."""
_FIELDS = _ARGUMENTS + _ADDRESSES
_RECORD = struct.Struct("=IIII4s4s16s16sII")

_LOAD, _STORE, _MOVE, _SET, _ADD, _CALL, _EXIT, _IF_EQUAL, _GO, _MAP = 0x61, 0x63, 0xBF, 0xB7, 0x07, 0x85, 0x95, 0x15, 0x05, 0x18
"""Instructions: words from and to memory, moves and sums of 64 bits, calls, jumps, a 64-bit number in two parts."""
_RINGBUF_OUTPUT, _CB_FLAGS_SET = 130, 59
_R0, _R1, _R2, _R3, _R4, _CONTEXT, _STACK = 0, 1, 2, 3, 4, 6, 10
_MAP_DESCRIPTOR = 1


def _program(ring: int) -> list[bytes]:
    """Ask to be called for changes of this socket's state, and write down what it was called for."""
    ask = [
        instruction(_MOVE, _R1, _CONTEXT),
        instruction(_SET, _R2, value=_STATE_FLAG),
        instruction(_CALL, value=_CB_FLAGS_SET),
    ]
    write = []
    for number, offset in enumerate(_FIELDS):
        write += [instruction(_LOAD, _R2, _CONTEXT, offset), instruction(_STORE, _STACK, _R2, 4 * number - _RECORD.size)]
    write += [
        instruction(_MAP, _R1, _MAP_DESCRIPTOR, value=ring), instruction(0),
        instruction(_MOVE, _R2, _STACK), instruction(_ADD, _R2, value=-_RECORD.size),
        instruction(_SET, _R3, value=_RECORD.size), instruction(_SET, _R4, value=0),
        instruction(_CALL, value=_RINGBUF_OUTPUT),
    ]  # fmt: skip
    end = [instruction(_SET, _R0, value=1), instruction(_EXIT)]
    told = (_STATE, _CONNECT, _LISTEN, _PASSIVE)
    choose = [instruction(_MOVE, _CONTEXT, _R1), instruction(_LOAD, _R2, _CONTEXT, 0)]
    choose += [instruction(_IF_EQUAL, _R2, offset=len(told) - number, value=operation) for number, operation in enumerate(told)]
    choose.append(instruction(_GO, offset=len(ask) + len(write)))
    return choose + ask + write + end


@dataclass(frozen=True, slots=True)
class Move:
    """A change of a state."""

    local: bytes
    local_port: int
    remote: bytes
    remote_port: int
    old: str
    new: str


class SocketStates:
    """What the sockets of this machine do from now on."""

    def __init__(self, cgroup: str) -> None:
        """``cgroup`` is the folder of one that all are in."""
        self._ring = Ring(_RING)
        self._crossed: set[tuple[bytes, int, bytes, int]] = set()
        """Connections of a simultaneous open that are in SYN-RECEIVED."""
        folder = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
        try:
            attach(load(_program(self._ring.fileno())), folder)
        finally:
            os.close(folder)

    def fileno(self) -> int:
        """Becomes readable when there is a change, some time later."""
        return self._ring.fileno()

    def read(self) -> Iterator[Move]:
        """The changes that there were, in order."""
        for record in self._ring.read():
            if (move := self._move(record)) is not None:
                yield move

    def _move(self, record: bytes) -> Move | None:
        operation, old, new, family, remote4, local4, remote6, local6, remote_port, local_port = _RECORD.unpack(record)
        local, remote = (local4, remote4) if family == socket.AF_INET else (local6, remote6)
        ends = local, local_port, remote, socket.ntohs(remote_port >> 16 or remote_port)
        if operation == _PASSIVE and ends in self._crossed:
            return None  # it was told when the SYNs had crossed
        states = _MADE.get(operation) or (KERNEL_STATES[old], KERNEL_STATES[new])
        if states == ("SYN-SENT", "SYN-RECEIVED"):
            self._crossed.add(ends)
        else:
            self._crossed.discard(ends)
        return Move(*ends, *states)
