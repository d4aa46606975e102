"""An adapter for the SDK's tests: a stack of almost nothing, in which each thing that an adapter can do happens once."""

# ruff: noqa: ARG002  (the SDK says what a method takes)
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from conformance.sut.sdk import LATER, Adapter, Call, Errno, serve

_PERIOD = 50_000_000


class Toy(Adapter):
    """Frames are counted, and what begins with ``echo`` comes back."""

    name, version = "toy", "7"
    clocks = ("virtual", "real")
    shared = False
    capabilities = ("ipv4", "states", "transitions", "blocking")
    options, flags = ("TCP_NODELAY",), ("MSG_PEEK",)
    settings: Mapping[str, object] = {"timestamps": ["off"]}

    def reset(self, seed: int) -> None:
        self.seed, self.frames, self.due = seed, list[bytes](), None
        self.sleeping: list[Call] = []
        self.unsettled = False
        print("this is no message")

    def receive(self, frame: bytes) -> None:
        self.frames.append(frame)
        if frame.startswith(b"echo"):
            self.transmit(frame)
        elif frame.startswith(b"wake"):
            for call in self.sleeping:
                call.returns(frame)

    def advance(self, now: int) -> None:
        while self.due is not None and self.due <= now:
            self.transmit(b"timer at %d" % self.due)
            self.due = None

    def next_timer(self) -> int | None:
        return self.due

    def settle(self) -> None:
        if self.unsettled:
            self.unsettled = False
            self.state_changed(("192.0.2.1", 5000), None, "CLOSED", "LISTEN")

    def state(self, socket: int | None, local: tuple[str, int] | None, remote: tuple[str, int] | None) -> str:
        return f"{socket} {local} {remote}"

    def info(self, socket: int) -> Mapping[str, int]:
        raise Errno("EBADF")

    def forget(self, sockets: Sequence[int], connections: object) -> None:
        self.log(f"forget {sockets} {connections}")

    def socket(self, _: Call, domain: str, type: str, protocol: str | int) -> int:
        if domain == "AF_UNIX":
            raise Errno("EAFNOSUPPORT")
        return 3

    def listen(self, _: Call, socket: int, backlog: int) -> None:
        self.unsettled = True

    def connect(self, _: Call, socket: int, address: str | None, port: int) -> Iterator[None]:
        yield from self._wait(2)

    def accept(self, _: Call, socket: int) -> Iterator[None]:
        yield from self._wait(1)
        return 4, ("198.18.0.1", 40000)

    def _wait(self, frames: int) -> Iterator[None]:
        while len(self.frames) < frames:
            yield

    def send(self, _: Call, socket: int, data: bytes, flags: tuple[str, ...]) -> int:
        self.transmit(data[:100])
        return len(data)

    def recv(self, call: Call, socket: int, size: int, flags: tuple[str, ...]) -> object:
        self.sleeping.append(call)
        call.blocks()
        return LATER

    def setsockopt(self, _: Call, socket: int, name: str, value: object) -> None:
        self.log(repr(value))
        if name == "TCP_NODELAY":
            self.due = self.time() + _PERIOD

    def getsockopt(self, _: Call, socket: int, name: str) -> object:
        return {"SO_ERROR": "ECONNRESET", "TCP_CONGESTION": b"reno"}.get(name, 1)

    def poll(self, _: Call, socket: int) -> list[str]:
        return ["POLLIN", "POLLOUT"]

    def ioctl(self, _: Call, socket: int, request: str) -> int:
        return len(self.frames)

    def sockatmark(self, _: Call, socket: int) -> int:
        raise ValueError("the stack broke")


if __name__ == "__main__":
    serve(Toy())
