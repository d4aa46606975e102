"""What Linux does in captures of itself that the RFCs advise against or forbid: findings that are certain, and so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch

from conformance.oracle.finding import Finding

__all__ = ["KNOWN", "Known", "known"]


@dataclass(frozen=True, slots=True)
class Known:
    """A rule that Linux breaks, seen in the packets by eye."""

    rule: str
    scenarios: tuple[str, ...]
    """Where: names of scenarios; ``*`` is anything."""
    why: str
    reason: str = ""
    """What the finding's reason begins with; a regular expression."""


KNOWN = (
    Known(
        "sack-of-acknowledged",
        ("*",),
        "in FIN-WAIT Linux acknowledges a FIN before it forgets the SACK blocks that have it: tcp_fin()",
    ),
    Known(
        "syn-no-backoff",
        ("*",),
        "Linux repeats the first SYNs every second: tcp_syn_linear_timeouts",
        r"again after 1\d{3} ms, where it was 1\d{3} ms before",
    ),
    Known(
        "early-fast-retransmit",
        ("*no-options", "*without-options", "*no-sack"),
        "Linux without SACK counts on where an ACK of new data comes between duplicates: tcp_remove_reno_sacks()",
    ),
    Known(
        "initial-window",
        ("mtu-9000*",),
        "Linux begins with ten segments, however long they are: TCP_INIT_CWND",
    ),
    Known(
        "window-shrunk",
        ("shrinking-window", "no-scaling", "no-options", "client-without-scaling", "server-without-options"),
        "Linux takes back some of a window: as it is told to by tcp_shrink_window, else of one that it cannot scale",
    ),
    Known(
        "stretch-ack",
        ("*",),
        "Linux delays the ACK of a third full segment, too, by 40 ms and a tick, if it has no more window to offer: __tcp_ack_snd_check()",
        r"no ACK for [56]\d ms",
    ),
    Known(
        "echo-without-ack",
        ("time-wait-taken-over",),
        "a SYN that takes a pair over from TIME-WAIT has the TSecr of the connection before: tcp_twsk_unique()",
    ),
    Known(
        "isn-constant",
        ("wrap-around",),
        "the scenario sets the ISN itself, so that numbers wrap around soon",
    ),
)


def known(found: Finding, scenario: str) -> Known | None:
    """What is known of a finding in a capture of a scenario."""
    rule, reason = found.rule.name, found.reason
    for entry in KNOWN:
        if entry.rule == rule and re.match(entry.reason, reason) and any(fnmatch(scenario, name) for name in entry.scenarios):
            return entry
    return None
