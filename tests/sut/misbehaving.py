"""An adapter that misbehaves once and is as it should be before and after: ``misbehaving.py MODE MARKER``.

It misbehaves as MODE says, at the place that MODE names, if the file MARKER is there, which it removes: the one that is started after it
finds none. Behind it is as much of a stack as the small case of ``test_misbehaving.py`` asks for. It imports little, so as to start soon.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["MODES"]

SYN, ACK = 2, 16
ISN = 1000
_TUNSETIFF, _TAP_NO_PI = 0x400454CA, 0x1002
BIG = b"x" * (1 << 16)

End = dict[str, object]


def open_link() -> int:
    """A descriptor that gives and takes frames."""
    kind, _, name = os.environ["CONFORMANCE_LINK"].partition(":")
    if kind == "fd":
        link = int(name)
    else:
        link = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(link, _TUNSETIFF, struct.pack("16sH", name.encode(), _TAP_NO_PI))
    os.set_blocking(link, False)
    return link


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    return ~((total & 0xFFFF) + (total >> 16) & 0xFFFF) & 0xFFFF


def syn_ack(frame: bytes, dst: bytes = b"") -> bytes:
    """The answer to a SYN over IPv4; to another address if one is given."""
    src, peer = frame[30:34], dst or frame[26:30]
    sport, dport, seq = struct.unpack(">HHI", frame[34:42])
    tcp = struct.pack(">HHIIBBHHH", dport, sport, ISN, seq + 1 & 0xFFFFFFFF, 0x50, SYN | ACK, 65535, 0, 0)
    total = checksum(src + peer + struct.pack(">HH", 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack(">H", total) + tcp[18:]
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, 0, 0x4000, 64, 6, 0, src, peer)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return frame[6:12] + frame[:6] + b"\x08\x00" + ip + tcp


class Adapter:
    """The adapter and its stack."""

    def __init__(self, mode: str, marker: Path) -> None:
        self.mode, self.marker = mode, marker
        self.misbehaves = False
        """From now on, where a mode has more than one place."""
        self.link = open_link()
        self.virtual = True
        self.id = 0
        """Of the request that is being handled."""
        self.due: Callable[[], int | None] = lambda: None
        self.peer: End | None = None
        self.state = "CLOSED"
        self.waiting: int | None = None

    # What is said -------------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(1, view) :]

    def say(self, **message: object) -> None:
        self.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def answer(self, id: int, **result: object) -> None:
        self.say(id=id, result={**result, **({"next": self.due()} if self.virtual else {})})

    def moved(self, old: str, new: str) -> None:
        self.say(
            method="stateChanged", params={"local": {"address": "192.0.2.1", "port": 5000}, "remote": self.peer, "old": old, "new": new}
        )

    def put(self, frame: bytes) -> None:
        while True:
            try:
                os.write(self.link, frame)
            except BlockingIOError:
                select.select([], [self.link], [], 1)
            else:
                return

    # What comes ---------------------------------------------------------------------------------------------------------

    def at(self, place: str) -> bool:
        """Has it misbehaved here, so that nothing more is to be done?"""
        where, act = MODES.get(self.mode, ("", None))
        if act is None or where != place:
            return False
        if not self.misbehaves:
            try:
                self.marker.unlink()
            except FileNotFoundError:
                return False
            self.misbehaves = True
        return act(self) is not True

    def take_frames(self) -> None:
        while True:
            try:
                frame = os.read(self.link, 65536)
            except OSError:
                return
            if len(frame) >= 54 and frame[12:14] == b"\x08\x00" and frame[23] == 6 and not self.at("frame"):
                self.segment(frame, frame[47])

    def segment(self, frame: bytes, flags: int) -> None:
        self.peer = {"address": socket.inet_ntop(socket.AF_INET, frame[26:30]), "port": struct.unpack(">H", frame[34:36])[0]}
        if flags == SYN and self.state == "LISTEN":
            self.put(syn_ack(frame))
            self.moved("LISTEN", "SYN-RECEIVED")
            self.state = "SYN-RECEIVED"
        elif flags == ACK and self.state == "SYN-RECEIVED":
            self.moved("SYN-RECEIVED", "ESTABLISHED")
            self.state = "ESTABLISHED"
            if self.waiting is not None:
                self.answer(self.waiting, value=4, **self.peer)

    def handle(self, request: Mapping[str, Any]) -> None:
        method, self.id = request["method"], request["id"]
        if method != "advance":
            self.take_frames()
        if self.at(method):
            return
        match method:
            case "initialize":
                self.say(id=self.id, result=DESCRIPTION)
            case "configure":
                self.virtual = request["params"]["clock"] == "virtual"
                self.answer(self.id)
            case "reset":
                self.state, self.waiting, self.misbehaves = "CLOSED", None, False
                self.answer(self.id)
            case "socket":
                self.answer(self.id, value=3)
            case "listen":
                self.state = "LISTEN"
                self.answer(self.id)
            case "accept":
                self.waiting = self.id
                self.say(method="blocked", params={"id": self.id})
            case "state":
                self.answer(self.id, state=self.state)
            case "advance":
                self.take_frames()
                self.answer(self.id)
            case _:
                self.answer(self.id)

    def serve(self) -> None:
        rest = b""
        self.at("start")
        while True:
            readable, _, _ = select.select([0, self.link], [], [])
            if self.link in readable and not self.virtual:
                self.take_frames()
            elif self.link in readable and 0 not in readable:
                select.select([0], [], [])  # what is on the link is for the next request
            if 0 in readable:
                data = os.read(0, 1 << 16)
                if not data:
                    self.at("end")
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self.handle(json.loads(line))


DESCRIPTION: dict[str, object] = {
    "protocol": 1, "name": "misbehaving", "version": "1", "clocks": ["virtual", "real"],
    "capabilities": ["ipv4", "states", "transitions", "blocking"],
    "calls": ["socket", "bind", "listen", "accept"], "options": [], "flags": [], "settings": {},
}  # fmt: skip

# Ways to misbehave ------------------------------------------------------------------------------------------------------


def for_ever(what: Callable[[Adapter], None]) -> Callable[[Adapter], None]:
    def act(adapter: Adapter) -> None:
        while True:
            what(adapter)

    return act


def hang(_: Adapter) -> None:
    while True:
        time.sleep(60)


def says(**message: object) -> Callable[[Adapter], None]:
    """What is no answer to the request, as JSON-RPC has it."""
    return lambda adapter: adapter.say(**message)


def prints(data: bytes) -> Callable[[Adapter], None]:
    return lambda adapter: adapter.write(data)


def results(**result: object) -> Callable[[Adapter], None]:
    """Another result than the right one."""
    return lambda adapter: adapter.say(id=adapter.id, result={"next": None, **result})


def twice(adapter: Adapter) -> None:
    adapter.answer(adapter.id)
    adapter.answer(adapter.id)


def dies_within_a_line(adapter: Adapter) -> None:
    adapter.write(b'{"jsonrpc": "2.0", "id"')
    os._exit(0)


def writes_last_words(_: Adapter) -> None:
    print("assertion failed: stack.c:42", file=sys.stderr, flush=True)
    os.abort()


def complains(adapter: Adapter) -> bool:
    """Much, and goes on."""
    for number in range(20_000):
        print(f"warning {number}: something", file=sys.stderr)
    adapter.say(method="log", params={"text": "it was nothing"})
    return True


def closes_output(adapter: Adapter) -> None:
    os.close(1)
    hang(adapter)


def wakes(when: Callable[[int], int]) -> Callable[[Adapter], bool]:
    """``next`` is this from now on, counted by how often it was asked for."""

    def act(adapter: Adapter) -> bool:
        asked = iter(range(10**9))
        adapter.due = lambda: when(next(asked))
        return True

    return act


ARP = bytes.fromhex("ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 c0000201 000000000000 c0000202")


def asks_again(adapter: Adapter) -> bool:
    """It asks for the gateway's MAC address whatever it hears."""
    adapter.put(ARP)
    return True


def sends_elsewhere(adapter: Adapter) -> bool:
    """To hosts that nobody asked about, and what is no frame of IP; then what is right."""
    frame = bytes.fromhex("020000000001020000000002080045000028000040004006000000000000c6120001") + bytes(24)
    for other in (syn_ack(frame, b"\x09\x09\x09\x09"), b"\0" * 60, BIG[:1500], frame[:20], ARP[:30], ARP):
        adapter.put(other)
    return True


def ignores_the_end(adapter: Adapter) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    hang(adapter)


def leaves_a_child(adapter: Adapter) -> None:
    """In a session of its own, with the link, standard output and all."""
    sleeper = "import time\nwhile True: time.sleep(60)"
    subprocess.Popen([sys.executable, "-c", sleeper], start_new_session=True, pass_fds=[adapter.link])
    os._exit(5)


LISTENS = {"local": None, "remote": None, "old": "CLOSED", "new": "LISTEN"}

MODES: dict[str, tuple[str, Callable[[Adapter], bool | None]]] = {
    "exits-in-a-call": ("listen", lambda _: os._exit(3)),
    "is-killed": ("listen", lambda _: os.kill(os.getpid(), signal.SIGKILL)),
    "aborts": ("listen", writes_last_words),
    "dies-within-a-line": ("listen", dies_within_a_line),
    "dies-in-a-call-that-waits": ("frame", lambda _: os._exit(3)),
    "exits-at-once": ("start", lambda _: os._exit(7)),
    "hangs": ("listen", hang),
    "hangs-in-reset": ("reset", hang),
    "dies-in-reset": ("reset", lambda _: os._exit(3)),
    "cannot-reset": ("reset", lambda adapter: adapter.say(id=adapter.id, error={"code": -32000, "message": "no memory for a stack"})),
    "refuses": ("listen", lambda adapter: adapter.say(id=adapter.id, error={"code": -32601, "message": "no such method"})),
    "prints-no-json": ("listen", prints(b"listening on port 5000\n")),
    "prints-octets": ("listen", prints(b"\xff\xfe\0\x80\n")),
    "prints-a-list": ("listen", prints(b"[1, 2, 3]\n")),
    "nests-deeply": ("listen", prints(b"[" * 100_000 + b"\n")),
    "no-version": ("listen", lambda adapter: adapter.write(b'{"id": %d, "result": {}}\n' % adapter.id)),
    "no-result": ("listen", lambda adapter: adapter.say(id=adapter.id)),
    "result-is-a-list": ("listen", lambda adapter: adapter.say(id=adapter.id, result=[])),
    "another-id": ("listen", says(id=4711, result={})),
    "id-is-text": ("listen", says(id="4", result={})),
    "answers-twice": ("listen", twice),
    "answers-the-next": ("listen", lambda adapter: adapter.answer(adapter.id + 1)),
    "another-blocks": ("accept", says(method="blocked", params={"id": 4711})),
    "no-id-blocks": ("accept", says(method="blocked", params={"id": [1]})),
    "handle-is-text": ("socket", results(value="three")),
    "handle-is-missing": ("socket", results()),
    "errno-is-a-number": ("listen", results(errno=98)),
    "errno-is-unknown": ("listen", results(errno="EWHATEVER")),
    "state-is-unknown": ("state", results(state="ASLEEP")),
    "state-is-missing": ("state", results()),
    "move-is-unknown": ("frame", says(method="stateChanged", params={**LISTENS, "new": "OPEN"})),
    "move-has-no-ends": ("frame", says(method="stateChanged", params={**LISTENS, "local": "here", "remote": 7})),
    "next-is-text": ("listen", results(next="soon")),
    "wakes-in-the-past": ("listen", wakes(lambda _: 0)),
    "wakes-ever-earlier": ("listen", wakes(lambda asked: 10**6 - asked)),
    "asks-for-the-gateway": ("advance", asks_again),
    "floods-messages": ("listen", for_ever(says(method="stateChanged", params=LISTENS))),
    "floods-a-line": ("listen", for_ever(prints(BIG))),
    "floods-large-lines": ("listen", for_ever(says(method="x", params={"x": "x" * 10**6}))),
    "floods-errors": ("listen", for_ever(lambda _: os.write(2, BIG) and None)),
    "floods-frames": ("listen", for_ever(lambda adapter: adapter.put(ARP[:12] + b"\x88\xb5" + bytes(50)))),
    "floods-questions": ("listen", for_ever(lambda adapter: adapter.put(ARP))),
    "closes-output": ("listen", closes_output),
    "leaves-a-child": ("listen", leaves_a_child),
    "ignores-the-end": ("end", ignores_the_end),
    # What is no fault
    "complains": ("listen", complains),
    "lies-about-a-state": ("state", results(state="CLOSE-WAIT")),
    "sends-elsewhere": ("frame", sends_elsewhere),
}  # fmt: skip
"""By name: where it misbehaves, and how; what gives True goes on as if nothing had been."""


if __name__ == "__main__":
    DESCRIPTION["shared"] = "shared" in sys.argv[3:]
    with contextlib.suppress(BrokenPipeError):
        Adapter(sys.argv[1], Path(sys.argv[2])).serve()
