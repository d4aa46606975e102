"""How lines get into the guest and out of it: in frames on a second network device, which is a socket on the host's side.

(The guest's serial lines are read octet by octet, and may not go on once 4096 octets have waited in them.)
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace

from conformance.sut.sdk.messages import Request

__all__ = ["LARGEST", "MOST", "Frames", "deflate", "inflate", "pack", "unpack"]

LARGEST = 8192
"""Octets of lines in a frame."""
MOST = 48
"""Frames that the guest may not have taken yet."""
_OFTEN = 8
"""The guest says how many it has taken when it has taken so many more."""
_PROTOCOL = 0x88B5
"""EtherType for experiments (RFC 9542, appendix B.2)."""
_LINES, _TAKEN = range(2)
"""What is in a frame: lines, or how many frames of these were taken."""
_HEADER = struct.Struct("!6s6sHBH")
_COUNT = struct.Struct("!I")
_HOST, _GUEST = b"\2\0\0\0\0\4", b"\2\0\0\0\0\3"
_ROOM = 8 << 20
"""Octets that the guest's socket can hold: more than MOST frames take."""
_RCVBUFFORCE = 33
"""include/uapi/asm-generic/socket.h."""


def _frame(kind: int, data: bytes, *, to_guest: bool) -> bytes:
    ends = (_GUEST, _HOST) if to_guest else (_HOST, _GUEST)
    return _HEADER.pack(*ends, _PROTOCOL, kind, len(data)) + data


def pack(lines: bytes, *, to_guest: bool = True) -> Iterator[bytes]:
    """Frames with these lines."""
    for at in range(0, len(lines), LARGEST):
        yield _frame(_LINES, lines[at : at + LARGEST], to_guest=to_guest)


def unpack(frame: bytes) -> tuple[bytes, int | None]:
    """What is in a frame: lines, and how many were taken if it says that."""
    if len(frame) < _HEADER.size:
        return b"", None
    *_, protocol, kind, length = _HEADER.unpack_from(frame)
    data = frame[_HEADER.size : _HEADER.size + length]
    if protocol != _PROTOCOL:
        return b"", None
    return (b"", _COUNT.unpack(data)[0]) if kind == _TAKEN else (data, None)


def deflate(line: bytes) -> bytes:
    """A request with its data in fewer octets: a case may send 20 MB, and each page of memory that it takes in the guest takes its time."""
    try:
        request = json.loads(line)
        data = bytes.fromhex(request["params"]["data"])
    except (ValueError, KeyError, TypeError):
        return line  # the agent says what is wrong with it
    request["params"]["data"] = {"deflated": base64.b64encode(zlib.compress(data, 1)).decode(), "size": len(data)}
    return json.dumps(request).encode() + b"\n"


def inflate(request: Request) -> Request:
    """What it was."""
    data = request.params.get("data")
    if not isinstance(data, dict):
        return request
    return replace(request, params={**request.params, "data": zlib.decompress(base64.b64decode(data["deflated"]), bufsize=data["size"])})


class Frames:
    """The guest's end, on the device of this name."""

    def __init__(self, device: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_PROTOCOL))
        self._socket.bind((device, _PROTOCOL))
        self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _ROOM)
        self._taken = 0

    def fileno(self) -> int:
        """Becomes readable when there are lines."""
        return self._socket.fileno()

    def read(self) -> Iterator[bytes]:
        """What has come."""
        while True:
            try:
                frame = self._socket.recv(LARGEST + _HEADER.size, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            self._taken += 1
            if self._taken % _OFTEN == 0:
                self._socket.send(_frame(_TAKEN, _COUNT.pack(self._taken), to_guest=False))
            yield unpack(frame)[0]

    def write(self, lines: bytes) -> None:
        """All of it; waits for as long as it takes."""
        for frame in pack(lines, to_guest=False):
            self._socket.send(frame)
