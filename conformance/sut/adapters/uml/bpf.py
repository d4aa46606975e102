"""As much of bpf(2) as it takes to be called back by TCP sockets: a ring buffer, a program of the type ``sock_ops``, attached to a cgroup.

The numbers are those of ``include/uapi/linux/bpf.h``.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Iterator, Sequence

__all__ = ["Ring", "attach", "instruction", "load"]

_SYS_BPF = 321
"""x86-64's."""
_MAP_CREATE, _PROG_LOAD, _PROG_ATTACH = 0, 5, 8
_RINGBUF, _SOCK_OPS, _CGROUP_SOCK_OPS = 27, 13, 3
_PAGE = mmap.PAGESIZE
_BUSY, _DISCARD = 1 << 31, 1 << 30
_HEADER = 8
"""Octets before each record."""
_LOG = 1 << 16

_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attributes: bytes) -> int:
    result: int = _libc.syscall(_SYS_BPF, command, attributes, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf({command}): {os.strerror(ctypes.get_errno())}")
    return result


def instruction(code: int, to: int = 0, of: int = 0, offset: int = 0, value: int = 0) -> bytes:
    """One of eight octets: what to do, the registers, an offset and a number."""
    return struct.pack("=BBhi", code, of << 4 | to, offset, value)


def load(program: Sequence[bytes]) -> int:
    """Have the kernel check the program and take it; its descriptor. OSError says what the kernel did not like."""
    code, licence, log = b"".join(program), b"GPL\0", ctypes.create_string_buffer(_LOG)
    kept = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(licence)
    code_at, licence_at = (ctypes.addressof(buffer) for buffer in kept)
    head = struct.pack("=IIQQIIQ", _SOCK_OPS, len(code) // 8, code_at, licence_at, 1, _LOG, ctypes.addressof(log))
    rest = struct.pack("=II16sII", 0, 0, b"sock_states", 0, _CGROUP_SOCK_OPS)
    try:
        return _bpf(_PROG_LOAD, head + rest)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}: {log.value.decode(errors='replace')[-500:]}") from None


def attach(program: int, cgroup: int) -> None:
    """From now on the program is called for the sockets of what runs in the cgroup."""
    _bpf(_PROG_ATTACH, struct.pack("=IIII", cgroup, program, _CGROUP_SOCK_OPS, 0))


class Ring:
    """A ring buffer that programs write records to. Its descriptor becomes readable when there are some.

    The kernel maps its data twice, one after the other, so that a record at the end is in one piece.
    """

    def __init__(self, size: int) -> None:
        """``size`` is a power of two, in whole pages."""
        self._descriptor = _bpf(_MAP_CREATE, struct.pack("=IIIII", _RINGBUF, 0, 0, size, 0))
        self._size = size
        self._consumer = mmap.mmap(self._descriptor, _PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._producer = mmap.mmap(self._descriptor, _PAGE + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=_PAGE)
        self._position = 0

    def fileno(self) -> int:
        return self._descriptor

    def read(self) -> Iterator[bytes]:
        """The records that have come."""
        while self._position < int.from_bytes(self._producer[:8], "little"):
            at = _PAGE + self._position % self._size
            length = int.from_bytes(self._producer[at : at + 4], "little")
            if length & _BUSY:
                return
            size = length & ~_DISCARD
            record = self._producer[at + _HEADER : at + _HEADER + size]
            self._position += -(-(size + _HEADER) // 8) * 8
            self._consumer[:8] = self._position.to_bytes(8, "little")
            if not length & _DISCARD:
                yield record
