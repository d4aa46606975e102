"""What the neutral settings of ``config:`` are called in Linux (kernel documentation, ``networking/ip-sysctl``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.link.addressing import IPV6_MTU

__all__ = ["BASE", "SYSCTLS", "missing", "sysctls"]

_MS, _SECOND = 1_000_000, 1_000_000_000


@dataclass(frozen=True, slots=True)
class Sysctl:
    """Files below /proc/sys that take the value, and how it is written there."""

    files: tuple[str, ...]
    write: Callable[[Any], str]


def _switch(value: Any) -> str:
    return "1" if value else "0"


def _inverted(value: Any) -> str:
    return "0" if value else "1"


def _words(**words: str) -> Callable[[Any], str]:
    return lambda value: words[str(value)]


def _tcp(name: str, write: Callable[[Any], str] = str) -> Sysctl:
    return Sysctl((f"net/ipv4/tcp_{name}",), write)


def _whole(unit: int) -> Callable[[Any], str]:
    return lambda value: str(int(value) // unit)


SYSCTLS: Mapping[str, Sysctl] = {
    "timestamps": _tcp("timestamps", _switch),
    "sack": _tcp("sack", _switch),
    "dsack": _tcp("dsack", _switch),
    "window_scaling": _tcp("window_scaling", _switch),
    "ecn": _tcp("ecn", _words(off="0", on="1", passive="2")),
    "syn_cookies": _tcp("syncookies", _words(off="0", on="1", always="2")),
    "syn_retries": _tcp("syn_retries"),
    "syn_linear_timeouts": _tcp("syn_linear_timeouts"),
    "synack_retries": _tcp("synack_retries"),
    "retries1": _tcp("retries1"),
    "retries2": _tcp("retries2"),
    "orphan_retries": _tcp("orphan_retries"),
    "fin_timeout": _tcp("fin_timeout", _whole(_SECOND)),
    "keepalive_time": _tcp("keepalive_time", _whole(_SECOND)),
    "keepalive_interval": _tcp("keepalive_intvl", _whole(_SECOND)),
    "keepalive_probes": _tcp("keepalive_probes"),
    "somaxconn": Sysctl(("net/core/somaxconn",), str),
    "syn_backlog": _tcp("max_syn_backlog"),
    "abort_on_overflow": _tcp("abort_on_overflow", _switch),
    "rto_min": _tcp("rto_min_us", _whole(1000)),
    "tw_reuse": _tcp("tw_reuse", _switch),
    "rfc1337": _tcp("rfc1337", _switch),
    "max_tw_buckets": _tcp("max_tw_buckets"),
    "challenge_ack_limit": _tcp("challenge_ack_limit"),
    "invalid_ratelimit": _tcp("invalid_ratelimit", _whole(_MS)),
    "ephemeral_ports": Sysctl(("net/ipv4/ip_local_port_range",), lambda value: str(value).replace("..", " ")),
    "pmtu_discovery": Sysctl(("net/ipv4/ip_no_pmtu_disc",), _inverted),
    "mtu_probing": _tcp("mtu_probing", _switch),
    "receive_buffer": _tcp("rmem", lambda value: f"4096 {value} {max(int(value), 6291456)}"),
    "send_buffer": _tcp("wmem", lambda value: f"4096 {value} {max(int(value), 4194304)}"),
    "fast_open": _tcp("fastopen", _words(off="0", client="1", server="2", both="3")),
    "ttl": Sysctl(("net/ipv4/ip_default_ttl", "net/ipv6/conf/all/hop_limit", "net/ipv6/conf/sut/hop_limit"), str),
    "congestion_control": _tcp("congestion_control"),
    "initial_window": Sysctl((), str),  # TCP_INIT_CWND; another would be a property of a route
    "slow_start_after_idle": _tcp("slow_start_after_idle", _switch),
    "tlp": _tcp("early_retrans", lambda value: "3" if value else "0"),
    "rack": _tcp("recovery", _switch),
    "autocork": _tcp("autocorking", _switch),
    "source_route": Sysctl(("net/ipv4/conf/all/accept_source_route",), _switch),
    "icmp_ratelimit": Sysctl(("net/ipv4/icmp_ratelimit", "net/ipv6/icmp/ratelimit"), lambda value: "1000" if value else "0"),
}

BASE: Mapping[str, str] = {
    # What a host administrator or a distribution may have changed is put back to what the kernel documents as its default …
    "net/ipv4/tcp_rmem": "4096 131072 6291456",
    "net/ipv4/tcp_wmem": "4096 16384 4194304",
    # … but for these: the congestion control that RFC 5681 describes, and nothing that a case could leave behind for the next.
    "net/ipv4/tcp_congestion_control": "reno",
    "net/ipv4/tcp_no_metrics_save": "1",
    # A connection that no socket holds keeps its namespace: 3 instead of 8 retransmissions, so for seconds and not for minutes.
    "net/ipv4/tcp_orphan_retries": "3",
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv6/icmp/ratelimit": "0",
    "net/ipv4/conf/sut/accept_source_route": "1",  # the setting for all interfaces decides, which is off
}


_PROC = Path("/proc/sys")
_INIT_CWND = 10
"""include/net/tcp.h, TCP_INIT_CWND."""
_ALLOWED = "net/ipv4/tcp_allowed_congestion_control"


def missing(config: Mapping[str, object]) -> str | None:
    """What ``config`` asks for that this kernel has not got, or keeps from a namespace, though others do not; None if it has all."""
    files = [file for name in config if name in SYSCTLS for file in SYSCTLS[name].files]
    for file in files:
        if "/conf/" not in file and not (_PROC / file).exists():  # those of an interface come with it
            return f"this kernel has no {file}"
    window = config.get("initial_window")
    if window not in (None, _INIT_CWND):
        return f"Linux's initial window is {_INIT_CWND} segments"
    algorithm = config.get("congestion_control")
    if algorithm is not None and algorithm not in (allowed := (_PROC / _ALLOWED).read_text().split()):
        return f"this machine does not allow {algorithm} in a namespace; {_ALLOWED} has {', '.join(allowed)}"
    return None


def sysctls(config: Mapping[str, object]) -> dict[str, str]:
    """The files to write for a configuration, the base included, in the order in which to write them.

    Raises:
        KeyError: a setting that Linux does not have.
    """
    values = dict(BASE)
    for name, value in config.items():
        if name in ("mtu", "profile"):
            continue
        setting = SYSCTLS[name]
        values.update({file: setting.write(value) for file in setting.files})
    mtu = config.get("mtu")
    if isinstance(mtu, int) and mtu < IPV6_MTU:  # the kernel takes IPv6 off such a device
        return {file: value for file, value in values.items() if not file.startswith("net/ipv6/conf/sut/")}
    return values
