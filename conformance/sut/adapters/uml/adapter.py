"""Linux in user mode behind the SUT protocol: boots a guest, whose agent speaks the protocol, and carries its lines."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import struct
import sys
import termios
import time
from collections import deque

from conformance.sut.adapters.uml.channel import LARGEST, MOST, deflate, pack, unpack
from conformance.sut.adapters.uml.machine import KERNEL, boot
from conformance.sut.sdk.serve import write_all

_READ = 1 << 20
_LONG = 1 << 16
"""Octets from which on a line is worth deflating."""
_BUFFER = 1 << 22
"""Octets that the socket to the guest holds."""
_PATIENCE, _LOOK = 1.0, 0.000_02
"""Seconds that the guest may take to read the frames before a request, and between two looks whether it has."""


class Carrier:
    """Carries requests into the guest, each after the frames that were sent before it, and answers out of it."""

    def __init__(self, frames: int, lines: socket.socket) -> None:
        self._frames, self._lines = frames, lines
        lines.setblocking(False)
        self._asked: deque[bytes] = deque()
        """Frames that the guest has not been sent yet."""
        self._rest: list[bytes] = []
        """Of a line that has not come to its end."""
        self._sent = self._taken = 0
        """Frames with lines."""
        self._ready = False

    def run(self) -> None:
        """Until there are no more requests, or no guest."""
        asks = sys.stdin.fileno()
        with contextlib.suppress(OSError):
            fcntl.fcntl(asks, fcntl.F_SETPIPE_SZ, _READ)  # a long request comes in few pieces
        while True:
            reads = [self._lines, *([asks] if self._ready and not self._asked else [])]
            writes = [self._lines] if self._asked and self._sent - self._taken < MOST else []
            readable, _, _ = select.select(reads, writes, [])
            if self._lines in readable and not self._answers():
                return
            if asks in readable:
                lines = os.read(asks, _READ)
                if not lines:
                    return
                self._take(lines)
                self._let_frames_in()
            self._ask()

    def _take(self, lines: bytes) -> None:
        """Make frames of the lines that are whole now."""
        whole, end, rest = lines.rpartition(b"\n")
        if end:
            first, *others = b"".join([*self._rest, whole]).split(b"\n")
            self._rest.clear()
            for line in (first, *others):
                self._asked.extend(pack(deflate(line + end) if len(line) > _LONG else line + end))
        self._rest.append(rest)

    def _ask(self) -> None:
        """Send the guest as much as it can take."""
        while self._asked and self._sent - self._taken < MOST:
            try:
                self._lines.send(self._asked[0])
            except BlockingIOError:
                return
            self._asked.popleft()
            self._sent += 1

    def _answers(self) -> bool:
        """Pass on what the guest says. False: it has ended."""
        said = []
        while True:
            try:
                frame = self._lines.recv(2 * LARGEST)
            except BlockingIOError:
                break
            except ConnectionError:
                return False
            lines, taken = unpack(frame)
            self._taken = self._taken if taken is None else taken
            if self._ready:
                said.append(lines)
            else:
                self._ready = bool(lines)
        if any(said):
            write_all(sys.stdout.fileno(), b"".join(said))
        return True

    def _let_frames_in(self) -> None:
        """Wait until the guest has read all frames: it does so in one piece with what they make it do, before it turns to a request."""
        end = time.monotonic() + _PATIENCE
        while _waits(self._frames) and time.monotonic() < end:
            time.sleep(_LOOK)


def _waits(link: int) -> bool:
    """Is there a frame on the link that nobody has read?"""
    return bool(struct.unpack("=i", fcntl.ioctl(link, termios.FIONREAD, bytes(4)))[0])


def main() -> int:
    where = os.environ.get("CONFORMANCE_LINK", "")
    if not (where.startswith("fd:") and where[3:].isdecimal()):
        print(f"CONFORMANCE_LINK is {where!r}; the guest's device takes fd:N only", file=sys.stderr)
        return 2
    frames = int(where[3:])
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    try:
        guest = boot(frames, theirs.fileno())
    except FileNotFoundError as error:
        print(f"{error.filename} is not there: it comes with user-mode-linux ({KERNEL}) and util-linux", file=sys.stderr)
        return 3
    theirs.close()
    try:
        Carrier(frames, ours).run()
    except (BrokenPipeError, KeyboardInterrupt):
        pass  # nobody listens any more
    finally:
        guest.kill()
        guest.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
