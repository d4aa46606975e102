"""The neutral settings of ``config:``: their names, what each may be, and what it means to a stack.

Each SUT maps them to its own (sysctls on Linux); one that it lacks makes a case *skipped*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from conformance.case import notation
from conformance.case.document import shown
from conformance.case.errors import CaseError

__all__ = ["SETTINGS", "Setting"]

_PORTS = re.compile(r"([0-9]{1,5})\.\.([0-9]{1,5})")
_WORD = re.compile(r"[a-z][a-z0-9_-]*")


class Kind(Protocol):
    """What a setting may be."""

    def parse(self, value: Any) -> object:
        """The value that a SUT is given. Raises CaseError."""

    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def parse(self, value: Any) -> object:
        if not isinstance(value, str) or value not in self.words:
            raise CaseError(found=shown(value), allowed=self.words)
        return value

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Switch:
    """``on`` or ``off``, given as a bool."""

    def parse(self, value: Any) -> object:
        return Choice(("on", "off")).parse(value) == "on"

    def schema(self) -> dict[str, Any]:
        return {"enum": ["on", "off"]}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two others, both included."""

    low: int
    high: int

    def parse(self, value: Any) -> object:
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise CaseError(found=shown(value), expected=f"a whole number, {self.low}..{self.high}")
        return int(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Time:
    """A duration, given in ns."""

    def parse(self, value: Any) -> object:
        if not isinstance(value, str):
            raise CaseError(found=shown(value), expected="a duration such as 500ms, 1.5s or 2h")
        return notation.duration(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^[0-9.]+(ns|us|µs|ms|s|min|h)$", "examples": ["200ms", "60s"]}


@dataclass(frozen=True, slots=True)
class Ports:
    """``lo..hi``, given as it is written."""

    def parse(self, value: Any) -> object:
        match = _PORTS.fullmatch(value) if isinstance(value, str) else None
        if match is None or not 1 <= int(match[1]) <= int(match[2]) <= 65535:
            raise CaseError(found=shown(value), expected="a range of ports such as 32768..60999")
        return f"{int(match[1])}..{int(match[2])}"

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^[0-9]+\.\.[0-9]+$|\$", "examples": ["32768..60999"]}


@dataclass(frozen=True, slots=True)
class Word:
    """A name that the stack knows."""

    examples: tuple[str, ...]

    def parse(self, value: Any) -> object:
        if not isinstance(value, str) or not _WORD.fullmatch(value):
            raise CaseError(found=shown(value), expected=f"a name such as {' or '.join(self.examples)}")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "examples": list(self.examples)}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: what it may be, what it means, and what it usually is."""

    kind: Kind
    meaning: str
    default: str


_COUNT, _RETRIES, _BUFFER = Whole(0, 2**31 - 1), Whole(0, 255), Whole(1, 2**31 - 1)

SETTINGS: Mapping[str, Setting] = {
    "timestamps": Setting(Switch(), "the timestamps option (RFC 7323)", "on"),
    "sack": Setting(Switch(), "selective acknowledgements (RFC 2018)", "on"),
    "dsack": Setting(Switch(), "duplicate SACK (RFC 2883)", "on"),
    "window_scaling": Setting(Switch(), "the window scale option (RFC 7323)", "on"),
    "ecn": Setting(
        Choice(("off", "on", "passive")), "explicit congestion notification (RFC 3168); passive: only if the peer asks", "passive"
    ),
    "syn_cookies": Setting(Choice(("off", "on", "always")), "SYN cookies; on: once the backlog overflows", "on"),
    "fast_open": Setting(Choice(("off", "client", "server", "both")), "TCP Fast Open (RFC 7413)", "client"),
    "mtu": Setting(Whole(68, 9000), "octets of the largest IP packet on the link; IPv6 needs 1280", "1500"),
    "pmtu_discovery": Setting(Switch(), "path MTU discovery (RFC 1191)", "on"),
    "mtu_probing": Setting(Switch(), "packetization layer path MTU discovery (RFC 4821)", "off"),
    "ttl": Setting(Whole(1, 255), "time to live, hop limit", "64"),
    "syn_retries": Setting(_RETRIES, "how often a SYN is sent again", "6"),
    "syn_linear_timeouts": Setting(_RETRIES, "SYN retransmissions before the timeout starts to double", "4"),
    "synack_retries": Setting(_RETRIES, "how often a SYN,ACK is sent again", "5"),
    "retries1": Setting(_RETRIES, "retransmissions before the network layer is told (R1 of RFC 9293)", "3"),
    "retries2": Setting(_RETRIES, "retransmissions before the connection is given up (R2 of RFC 9293)", "15"),
    "orphan_retries": Setting(_RETRIES, "the same for a connection that no socket holds any more", "8"),
    "fin_timeout": Setting(Time(), "how long FIN-WAIT-2 lasts without a socket", "60s"),
    "keepalive_time": Setting(Time(), "idle time before the first keepalive", "2h"),
    "keepalive_interval": Setting(Time(), "time between keepalives", "75s"),
    "keepalive_probes": Setting(_RETRIES, "unanswered keepalives before the connection is given up", "9"),
    "somaxconn": Setting(_COUNT, "the largest backlog of listen()", "4096"),
    "syn_backlog": Setting(_COUNT, "connections of a listener in SYN-RECEIVED", "4096"),
    "abort_on_overflow": Setting(Switch(), "a full accept queue answers with RST", "off"),
    "rto_min": Setting(Time(), "the least retransmission timeout", "200ms"),
    "tw_reuse": Setting(Switch(), "a new connection may take over one in TIME-WAIT", "off"),
    "rfc1337": Setting(Switch(), "a RST does not end TIME-WAIT (RFC 1337)", "off"),
    "max_tw_buckets": Setting(_COUNT, "connections in TIME-WAIT", "4096"),
    "challenge_ack_limit": Setting(_COUNT, "challenge ACKs a second (RFC 5961)", "2147483647"),
    "invalid_ratelimit": Setting(Time(), "time between answers to segments that are not acceptable", "500ms"),
    "icmp_ratelimit": Setting(Switch(), "ICMP messages are limited in their rate", "off"),
    "source_route": Setting(Switch(), "packets that came along a source route are taken (IPv4)", "off"),
    "ephemeral_ports": Setting(Ports(), "ports that the stack chooses from", "32768..60999"),
    "receive_buffer": Setting(_BUFFER, "octets of a socket's receive buffer", "131072"),
    "send_buffer": Setting(_BUFFER, "octets of a socket's send buffer", "16384"),
    "congestion_control": Setting(Word(("reno", "cubic")), "the congestion control algorithm", "reno"),
    "initial_window": Setting(Whole(1, 10), "segments of the initial congestion window (RFC 5681, RFC 6928)", "10"),
    "slow_start_after_idle": Setting(Switch(), "the congestion window falls back after an idle time (RFC 5681, section 4.1)", "on"),
    "tlp": Setting(Switch(), "tail loss probes (RFC 8985)", "on"),
    "rack": Setting(Switch(), "loss detection by time (RFC 8985)", "on"),
    "autocork": Setting(Switch(), "small writes wait while a segment is queued below TCP", "on"),
    "profile": Setting(Choice(("linux", "rfc")), "whose choices the reference stack makes where the RFC leaves one", "rfc"),
}
