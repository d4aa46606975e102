"""The cases that these tests play: some of the project's own, of each kind, which Linux passes; and ones that hang in a socket call."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CASES", "DIVERSE", "write_beside", "write_failing", "write_hanging"]

CASES = Path(__file__).resolve().parents[2] / "cases"

DIVERSE = [
    CASES / f"{name}.yaml"
    for name in (
        "close/active-close",
        "close/simultaneous-close",
        "data/ack-within-500ms",
        "data/both-ways",
        "data/out-of-order",
        "data/retransmission",
        "handshake/active-open",
        "handshake/closed-port",
        "handshake/passive-open",
        "handshake/simultaneous-open",
        "icmp/to-the-right-connection",
        "path-mtu/too-big-ipv4",
        "options/sack-permitted",
        "options/window-scale-applied",
        "reset/blocked-recv",
        "reset/listen",
        "sockets/accept-blocking",
        "sockets/send-full",
        "states/transitions",
    )
]
"""Some ninety case runs: times, states, calls that block, ICMP, several connections, several configurations."""

_REGISTER = """\
rfc: RFC9293
title: Transmission Control Protocol
requirements:
  - {id: MUST-1, level: MUST, section: "3.10", text: An octet that comes is acknowledged, observe: by its ACK}
"""

_ESTABLISHED = """\
title: A connection that the SUT accepted
steps:
  - call: s = socket()
  - call: bind(s, port)
  - call: listen(s, 8)
  - inject: S 0:0(0) win 65535 <mss 1460>
  - expect: S. 0:0(0) ack 1
  - inject: . 1:1(0) ack 1 win 65535
  - call: c = accept(s)
"""

_PASSES = """\
title: Ten octets are acknowledged
requirements: [RFC9293/MUST-1]
given: ESTABLISHED
steps:
  - inject: P. 1:11(10) ack 1
  - expect: . 1:1(0) ack 11
"""

_PUNCTUAL = """\
title: What is acknowledged within 200 ms is not sent again
requirements: [RFC9293/MUST-1]
given: ESTABLISHED
steps:
"""
_IN_TIME = """\
  - call: send(c, 100) = 100
  - expect: P?. {first}:{next}(100)
  - inject: . 1:1(0) ack {next} win 65535
    after: 120ms
"""
_PUNCTUAL += "".join(_IN_TIME.format(first=first, next=first + 100) for first in range(1, 1001, 100))

_HANGING = {
    "accept": "given: ESTABLISHED\nsteps:\n  - start: r = accept(s)\n",
    "recv": "given: ESTABLISHED\nsteps:\n  - start: r = recv(c, 100)\n",
    "connect": "steps:\n  - call: c = socket()\n  - start: r = connect(c)\n  - expect: S 0:0(0)\n",
    "send": "given: ESTABLISHED\nsteps:\n  - start: r = send(c, 10000000)\n",
    "close": "given: ESTABLISHED\nsteps:\n  - call: setsockopt(c, SO_LINGER, 1, 300)\n  - call: send(c, 9)\n  - start: r = close(c)\n",
}
_FOREVER = "  - finish: r = 0\n    within: 300s\n"


def _write(folder: Path, cases: dict[str, str]) -> Path:
    for name, text in {"requirements/rfc9293": _REGISTER, "preambles/ESTABLISHED": _ESTABLISHED, **cases}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(text)
    return folder


def write_hanging(folder: Path) -> Path:
    """A case folder with a case that passes, one that fails, and one for each call that blocks, which hangs in it for minutes."""
    head = "title: A call hangs\nrequirements: [RFC9293/MUST-1]\n"
    hanging = {f"hangs/{name}": head + steps + _FOREVER for name, steps in _HANGING.items()}
    return _write(folder, {"topic/passes": _PASSES, "topic/fails": _PASSES.replace("ack 11", "ack 12"), **hanging})


def write_failing(folder: Path) -> Path:
    """A case folder with a case that fails."""
    return _write(folder, {"topic/fails": _PASSES.replace("ack 11", "ack 12")})


def write_beside(folder: Path) -> list[Path]:
    """Cases to play beside DIVERSE: one that fails, and one that passes only if the tester is punctual, for more than a second."""
    _write(folder, {"topic/fails": _PASSES.replace("ack 11", "ack 12"), "topic/punctual": _PUNCTUAL})
    return [folder / "topic/fails.yaml", folder / "topic/punctual.yaml"]
