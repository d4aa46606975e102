"""An adapter's process: a line out for each request, lines in, frames over a datagram socket, and an end for it whatever it does.

It does not block in anything but :meth:`AdapterProcess.wait`, which has a deadline. What an adapter does wrong raises SutFault, with the
last lines that it wrote to standard error; it is ended then, and nothing else is.
"""

from __future__ import annotations

import collections
import contextlib
import os
import secrets
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.link.clock import FrameClock
from conformance.sut.base import SutFault
from conformance.sut.protocol import Message, ProtocolFault, encode, parse

__all__ = ["AdapterProcess", "patience"]

CALL_SECONDS, BEGIN_SECONDS = 10.0, 30.0
"""How long a request may take; the second is for those of _BEGINNINGS."""
_BEGINNINGS = ("initialize", "configure", "reset")
_FAREWELL = 1.0
"""Seconds to end in once standard input has ended."""
_LOOK = 0.05
"""Seconds between two looks at the clock while an adapter does not read."""
_LONGEST_LINE = 1 << 24
_LONGEST_FRAME = 1 << 16
_SO_TIMESTAMPNS = 35
"""asm-generic/socket.h"""
_TIMESPEC = struct.Struct("=qq")
_ANCILLARY = 64
"""Octets of room for the time stamp."""
_BUFFER = 1 << 22
"""Octets of frames that a link holds."""
_READ = 1 << 16
_MOST_UNREAD = 20_000
"""Messages or frames between two answers, or in a second if none is waited for: more than any case needs, by far."""
_LARGE = 1 << 10
"""Octets that count as one more."""
_MOST_READS = 16
"""Of standard error at a time: somebody may write there faster than this can read."""
_TOKEN = "CONFORMANCE_ADAPTER"
"""In the environment: by it is known what an adapter started."""
_STRAY_LOOKS = 20
_KEPT_LINES, _KEPT_LENGTH = 8, 300
"""Of standard error."""


def patience(method: str) -> float:
    """How many seconds an adapter may take to answer a request."""
    return BEGIN_SECONDS if method in _BEGINNINGS else CALL_SECONDS


class AdapterProcess:
    """An adapter that was started.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        link: ``tap:NAME``; None: a datagram socket is made for it.

    Raises:
        SutFault: it cannot be started.
    """

    def __init__(self, command: Sequence[str], folder: Path | None = None, link: str | None = None) -> None:
        self.name = Path(command[0]).name
        self._numbers = 0
        self._killed = False
        self._partial = bytearray()
        """Of a line that has not ended yet."""
        self._messages: collections.deque[Message] = collections.deque()
        self._frames: collections.deque[tuple[int, bytes]] = collections.deque()
        self._errors: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        self._stderr_partial = b""
        self._unread = 0
        self._counted = time.monotonic()
        """Since when, if nobody waits for an answer."""
        self._token = f"{_TOKEN}={secrets.token_hex(16)}"
        self.clock = FrameClock()
        self.on_frame: Callable[[int, bytes], None] = lambda *_: None
        """Takes each frame that comes, in order, and when it left the stack (monotonic ns)."""
        self.on_message: Callable[[Message], None] = lambda _: None
        """Takes each message that is not what :meth:`wait` waits for, in order."""
        theirs: socket.socket | None = None
        self.link: socket.socket | None = None
        if link is None:
            self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            for end in (self.link, theirs):
                for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                    end.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
            self.link.setblocking(False)
            if sys.platform == "linux":
                self.link.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        try:
            self._start(command, folder, link or f"fd:{theirs.fileno() if theirs else -1}", theirs)
        except (OSError, ValueError) as error:
            if self.link is not None:
                self.link.close()
            raise SutFault(f"the adapter {command[0]} cannot be started: {getattr(error, 'strerror', None) or error}") from None
        finally:
            if theirs is not None:
                theirs.close()
        self._selector = selectors.DefaultSelector()
        for stream in self.streams():
            self._selector.register(stream, selectors.EVENT_READ)

    def _start(self, command: Sequence[str], folder: Path | None, link: str, theirs: socket.socket | None) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            pass_fds=[theirs.fileno()] if theirs else [],
            env={**os.environ, "CONFORMANCE_LINK": link, _TOKEN: self._token.removeprefix(f"{_TOKEN}=")},
            start_new_session=True,  # Ctrl-C is the tester's business
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._in, self._out, self._err = (stream.fileno() for stream in (self._process.stdin, self._process.stdout, self._process.stderr))
        for number in (self._in, self._out, self._err):
            os.set_blocking(number, False)
        self._end = _end_of(self._process.pid)

    @property
    def pid(self) -> int:
        """Of the process, for measurements."""
        return self._process.pid

    def streams(self) -> list[int]:
        """Descriptors that become readable when there is something for :meth:`read`."""
        others = [self._end, *([self.link.fileno()] if self.link is not None else [])]
        return [self._out, self._err, *(number for number in others if number is not None)]

    # Requests ---------------------------------------------------------------------------------------------------------

    def ask(self, method: str, params: Mapping[str, Any]) -> int:
        """Send a request; its id."""
        self._numbers += 1
        line = memoryview(encode(self._numbers, method, params))
        deadline = time.monotonic() + CALL_SECONDS
        while line:
            try:
                line = line[os.write(self._in, line) :]
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise self.fault(f"does not read its standard input ({method})") from None
                self._await_room(self._in)
            except OSError:  # EPIPE: it has ended
                raise self.ended(method) from None
        return self._numbers

    def _await_room(self, stream: int) -> None:
        """Until it may take more; what it says meanwhile is read, for it may be waiting for that. It is handed over later: whoever
        takes it may want to ask for something, too."""
        with selectors.DefaultSelector() as selector:
            for reading in {*self.streams()} - {stream}:
                selector.register(reading, selectors.EVENT_READ)
            selector.register(stream, selectors.EVENT_WRITE)
            selector.select(_LOOK)
        self.read()

    def wait(self, id: int, method: str) -> Message:
        """The answer to a request, or its ``blocked``. All that comes before it goes to ``on_frame`` and ``on_message``, in order."""
        seconds = patience(method)
        deadline = time.monotonic() + seconds
        while True:
            self._deliver_frames()
            while self._messages:
                message = self._messages.popleft()
                if message.id == id or (message.method == "blocked" and message.params.get("id") == id):
                    self._unread = 0
                    return message
                self.on_message(message)
            left = deadline - time.monotonic()
            if left <= 0:
                raise self.fault(f"does not answer {method} within {seconds:g} s")
            self._selector.select(left)
            if not self.read():
                raise self.ended(method)

    def read(self) -> bool:
        """Take what is there, without waiting. False: it has ended, or its standard output has, and all that was read is handed over."""
        ended = self._process.poll() is not None  # its output need not have: what it has started may hold that
        self._read_errors()
        alive = self._read_lines() and not ended
        self._read_frames()  # after the lines: the frames that belong to an answer are there when the answer is
        return alive or self.unread

    @property
    def unread(self) -> bool:
        """Is there something that was read, and is not handed over yet?"""
        return bool(self._messages or self._frames)

    def deliver(self) -> None:
        """Hand over what was read, frames first, where nobody waits for an answer."""
        self._deliver_frames()
        while self._messages:
            self.on_message(self._messages.popleft())
        if (now := time.monotonic()) > self._counted + 1:
            self._unread, self._counted = 0, now

    # Frames -----------------------------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Put a frame on the link. OSError: it did not go."""
        assert self.link is not None
        deadline = time.monotonic() + CALL_SECONDS
        while not self.offer(frame):
            if time.monotonic() > deadline:
                raise self.fault("does not take frames from its link")
            self._await_room(self.link.fileno())

    def offer(self, frame: bytes) -> bool:
        """Put a frame on the link, if there is room. OSError: it did not go."""
        assert self.link is not None
        try:
            self.link.send(frame)
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionError:
            raise self.ended("a frame") from None
        return True

    def _deliver_frames(self) -> None:
        while self._frames:
            self.on_frame(*self._frames.popleft())

    def _read_frames(self) -> None:
        link = self.link
        if link is None:
            return
        while True:
            try:
                frame, ancillary, _, _ = link.recvmsg(_LONGEST_FRAME, _ANCILLARY)
            except OSError:
                return  # nothing is there; or its end is closed: standard output says so, too
            if not frame:
                return
            self.count("frames", len(frame))
            self._frames.append((self._stamp(ancillary), frame))

    def _stamp(self, ancillary: Sequence[tuple[int, int, bytes]]) -> int:
        """When a frame left: the kernel stamps it as it is sent (unix_dgram_sendmsg() of net/unix/af_unix.c)."""
        for level, kind, data in ancillary:
            if (level, kind, len(data)) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS, _TIMESPEC.size):
                seconds, ns = _TIMESPEC.unpack(data)
                return int(seconds * 1_000_000_000 + ns) + self.clock.to_monotonic
        return time.monotonic_ns()

    # Lines ------------------------------------------------------------------------------------------------------------

    def _read_lines(self) -> bool:
        while True:
            try:
                data = os.read(self._out, _READ)
            except BlockingIOError:
                return True
            if not data:
                return False
            rest, *others = data.split(b"\n")
            self._partial += rest
            for other in others:
                line, self._partial = bytes(self._partial), bytearray(other)
                self.count("messages", len(line))
                self._take(line)
            if len(self._partial) > _LONGEST_LINE:
                raise self.fault(f"prints a line of more than {_LONGEST_LINE} octets")

    def _take(self, line: bytes) -> None:
        try:
            message = parse(line)
        except ProtocolFault as fault:
            raise self.fault(str(fault)) from None
        if message.method == "log":
            text = message.params.get("text")
            self._errors.extend([text[:_KEPT_LENGTH]] if isinstance(text, str) else [])
        else:
            self._messages.append(message)

    def count(self, what: str, size: int) -> None:
        """One more that came. Raises SutFault if that is a flood."""
        self._unread += 1 + size // _LARGE
        if self._unread > _MOST_UNREAD:
            raise self.fault(f"floods: more {what} than any case needs, without an answer")

    def _read_errors(self) -> None:
        for _ in range(_MOST_READS):
            try:
                data = os.read(self._err, _READ)
            except (BlockingIOError, OSError):
                return
            if not data:
                if self._err in self._registered():
                    self._selector.unregister(self._err)
                return
            *lines, self._stderr_partial = (self._stderr_partial + data).split(b"\n")
            self._stderr_partial = self._stderr_partial[-_KEPT_LENGTH:]
            self._errors.extend(line.decode(errors="replace")[:_KEPT_LENGTH] for line in lines if line.strip())

    def _registered(self) -> Mapping[Any, Any]:
        return self._selector.get_map() or {}

    # Ends -------------------------------------------------------------------------------------------------------------

    def fault(self, what: str) -> SutFault:
        """What to raise; the adapter is ended."""
        self.kill()
        said = [*self._errors, *([self._stderr_partial.decode(errors="replace")] if self._stderr_partial.strip() else [])]
        wrote = f"; it wrote: {' | '.join(said[-3:])}" if said else ""
        return SutFault(f"the adapter {self.name} {what}{wrote}")

    def ended(self, during: str) -> SutFault:
        """The same for one that has ended by itself."""
        try:
            status = self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            return self.fault(f"closed its standard output ({during})")
        how = f"died of {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return self.fault(f"{how} ({during})")

    @property
    def alive(self) -> bool:
        """Is it still running, and not given up?"""
        return not self._killed and self._process.poll() is None

    def close(self) -> None:
        """End it: by the end of its standard input, and by force if that does not do."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_FAREWELL)
        self.kill()

    def kill(self) -> None:
        """End it and what it started, now, and give everything back. It may be called again."""
        if self._killed:
            return
        self._killed = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._end_strays()
        self._read_errors()
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr, self.link):
            if stream is not None:
                stream.close()
        if self._end is not None:
            os.close(self._end)

    def strays(self) -> list[int]:
        """Processes that it has started, and itself, as far as they run; where the system tells."""
        return [pid for pid in _processes() if self._token in _environment(pid)]

    def _end_strays(self) -> None:
        """End what it has started in a process group of its own: it may hold the link, and nobody else would."""
        for _ in range(_STRAY_LOOKS):  # one may start another meanwhile
            if not (strays := self.strays()):
                return
            for pid in strays:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_LOOK / 10)


def _end_of(pid: int) -> int | None:
    """A descriptor that becomes readable when a child ends, where there are such."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _processes() -> list[int]:
    """Where the system tells; none elsewhere."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return []


def _environment(pid: int) -> list[str]:
    """Of a process of this user's."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
