"""The scenarios: a table, by what they are about."""

from __future__ import annotations

import socket
from functools import partial

from conformance.link.impaired import Impairment

from . import adversity, openings
from .mixture import calm_mixture, mixture
from .options import TCP_WINDOW_CLAMP, from_isn, option, signed
from .pcap import SNAP_ALL
from .requests import many_requests
from .scenario import Scenario
from .setup import MS, Setup
from .transfers import bulk, bulk_both_ways, keepalive, ping_pong, slow_reader, stop_and_go

__all__ = ["CALM", "MIXTURE", "SCENARIOS"]

_CLEAN = Impairment()
_ROUGH = Impairment(loss=0.01, reorder=0.01, duplicate=0.005, delay=2 * MS, jitter=MS)
_FAR = Impairment(delay=20 * MS, jitter=5 * MS)
_SMALL = {"tcp_rmem": "4096 8192 16384", "tcp_wmem": "4096 8192 16384"}
_BARE = {"tcp_timestamps": "0", "tcp_sack": "0", "tcp_window_scaling": "0"}
_IPPROTO_MPTCP = 262
_LINEAR = "the first SYNs are repeated at equal intervals (tcp_syn_linear_timeouts; RFC 6298, 5.5)"

few = partial(bulk, streams=4)
few_both_ways = partial(bulk_both_ways, streams=2)

MIXTURE = Scenario("mixture", mixture, Setup(impairment=Impairment(loss=0.0005, reorder=0.0005)), share=8)
CALM = Scenario("mixture-calm", calm_mixture, share=4)
"""The same where nothing is lost: one veth pair from end to end, and no more than it can take."""
_DATA = (
    MIXTURE,
    CALM,
    Scenario("bulk", bulk, share=8),
    Scenario("bulk-both-ways", bulk_both_ways, share=8),
    Scenario("bulk-middle", few_both_ways, Setup(impairment=_CLEAN), share=4),
    Scenario("bulk-whole-packets", few_both_ways, Setup(impairment=_CLEAN, snap=SNAP_ALL), share=1),
    Scenario("small-writes", partial(bulk, chunk=100), share=2),
    Scenario("wrap-around", partial(few, prepare=from_isn), Setup(impairment=_ROUGH), share=2),
    Scenario("requests", many_requests, share=12),
    Scenario("requests-middle", many_requests, Setup(impairment=_CLEAN, snap=SNAP_ALL), share=2),
    Scenario("ping-pong", ping_pong, share=2),
    Scenario("slow-reader", slow_reader, share=1),
    Scenario("slow-reader-far", slow_reader, Setup(impairment=_FAR), share=0.3),
    Scenario("stop-and-go", stop_and_go),
    Scenario("stop-and-go-far", stop_and_go, Setup(impairment=_FAR)),
    Scenario("keepalive", keepalive, Setup(snap=SNAP_ALL)),
    Scenario("keepalive-far", keepalive, Setup(impairment=_FAR)),
)
_PATHS = (
    Scenario("loss-01", few, Setup(impairment=Impairment(loss=0.001)), share=6),
    Scenario("loss-1", few, Setup(impairment=Impairment(loss=0.01)), share=6),
    Scenario("loss-5", few, Setup(impairment=Impairment(loss=0.05)), share=3),
    Scenario("loss-1-both-ways", few_both_ways, Setup(impairment=Impairment(loss=0.01)), share=4),
    Scenario("loss-of-data", few, Setup(impairment=Impairment(loss=0.02), back=_CLEAN), share=2),
    Scenario("loss-of-acks", few, Setup(impairment=_CLEAN, back=Impairment(loss=0.2)), share=2),
    Scenario("loss-requests", many_requests, Setup(impairment=Impairment(loss=0.01)), share=1),
    Scenario("reordering", few, Setup(impairment=Impairment(reorder=0.02)), share=4),
    Scenario("reordering-much", few, Setup(impairment=Impairment(reorder=0.2, hold_back=5 * MS)), share=2),
    Scenario("duplication", few, Setup(impairment=Impairment(duplicate=0.02)), share=3),
    Scenario("corruption", few, Setup(impairment=Impairment(corrupt=0.01), snap=SNAP_ALL), share=1),
    Scenario("rough", few_both_ways, Setup(impairment=_ROUGH), share=4),
    Scenario("rough-requests", many_requests, Setup(impairment=_ROUGH), share=1),
    Scenario("far", few, Setup(impairment=_FAR), share=4),
    Scenario("far-requests", many_requests, Setup(impairment=_FAR), share=1),
    Scenario("far-ping-pong", ping_pong, Setup(impairment=_FAR), share=0.1),
    Scenario("outage", adversity.outage, Setup(impairment=_CLEAN)),
    Scenario("outage-of-one-direction", partial(adversity.outage, directions=("right",)), Setup(impairment=_FAR)),
    Scenario("black-hole", bulk, Setup(impairment=_CLEAN, narrow=1300, sysctls={"tcp_mtu_probing": "1"}), share=0.5),
)
_SETTINGS = (
    *(
        Scenario(name, few_both_ways, Setup(impairment=_ROUGH, sysctls=sysctls), share=1.5)
        for name, sysctls in {
            "no-timestamps": {"tcp_timestamps": "0"},
            "no-sack": {"tcp_sack": "0"},
            "no-dsack": {"tcp_dsack": "0"},
            "no-scaling": {"tcp_window_scaling": "0"},
            "no-options": _BARE,
            "no-rack": {"tcp_recovery": "0", "tcp_early_retrans": "0"},
            "no-frto": {"tcp_frto": "0"},
            "ecn": {"tcp_ecn": "1"},
            "small-buffers": _SMALL,
            "large-buffers": {"tcp_rmem": "4096 4000000 4000000", "tcp_wmem": "4096 4000000 4000000"},
        }.items()
    ),
    Scenario(
        "shrinking-window",
        few,  # with data both ways each side may be left with a segment that it must not send, and wait for ever
        Setup(impairment=_ROUGH, sysctls=_SMALL | {"tcp_shrink_window": "1"}),
        share=1,
        deviates="a receiver takes back window that it has offered (RFC 9293, 3.8.6)",
    ),
    Scenario("client-without-timestamps", few_both_ways, Setup(impairment=_ROUGH, client={"tcp_timestamps": "0"}), share=0.5),
    Scenario("server-without-options", few_both_ways, Setup(impairment=_ROUGH, server=_BARE), share=0.5),
    Scenario("client-without-scaling", few_both_ways, Setup(impairment=_ROUGH, client={"tcp_window_scaling": "0"}), share=0.5),
    Scenario("ecn-marks", few_both_ways, Setup(impairment=_CLEAN, marks=0.01, sysctls={"tcp_ecn": "1"}, snap=SNAP_ALL), share=1),
    Scenario("reno", few_both_ways, Setup(impairment=_ROUGH, congestion="reno"), share=1.5),
    Scenario("reno-no-sack", few, Setup(impairment=_ROUGH, congestion="reno", sysctls={"tcp_sack": "0"}), share=1),
    Scenario("bbr", few_both_ways, Setup(impairment=_ROUGH, congestion="bbr"), share=1),
    Scenario("requests-no-options", many_requests, Setup(sysctls=_BARE), share=1),
    Scenario("mss-536", partial(few, prepare=option(socket.TCP_MAXSEG, 536)), Setup(snap=SNAP_ALL), share=1),
    Scenario("mss-88", partial(few, prepare=option(socket.TCP_MAXSEG, 88)), Setup(impairment=_ROUGH, snap=SNAP_ALL), share=1),
    Scenario("mtu-576", few_both_ways, Setup(mtu=576, snap=SNAP_ALL), share=1),
    Scenario("mtu-9000", few_both_ways, Setup(mtu=9000), share=2),
    Scenario("mtu-9000-rough", few_both_ways, Setup(mtu=9000, impairment=_ROUGH), share=1),
    Scenario("window-clamp", partial(bulk, prepare=option(TCP_WINDOW_CLAMP, 3000)), share=1),
    Scenario("offloads", few_both_ways, Setup(offloads=True), share=3),
    Scenario("offloads-whole-packets", few_both_ways, Setup(offloads=True, snap=SNAP_ALL), share=0.1),
    Scenario("offloads-requests", many_requests, Setup(offloads=True), share=1),
    Scenario("offloads-middle", few_both_ways, Setup(offloads=True, impairment=_CLEAN), share=2),
    Scenario("offloads-rough", few_both_ways, Setup(offloads=True, impairment=_ROUGH), share=2),
    Scenario("signed", partial(few, prepare=signed), Setup(snap=SNAP_ALL), share=0.5),
    Scenario("multipath", few_both_ways, Setup(impairment=_ROUGH, protocol=_IPPROTO_MPTCP), share=0.5),
)
_OPENINGS = (
    Scenario("refused", openings.refused, Setup(snap=SNAP_ALL)),
    Scenario("dead-host", openings.dead_host, deviates=_LINEAR),
    Scenario("simultaneous-open", openings.simultaneous_open, Setup(impairment=_FAR, snap=SNAP_ALL)),
    Scenario("same-port-again", openings.same_port_again),
    Scenario("same-port-again-no-timestamps", openings.same_port_again, Setup(sysctls={"tcp_timestamps": "0"})),
    Scenario("time-wait-taken-over", openings.time_wait_taken_over, Setup(client={"tcp_tw_reuse": "1"})),
    Scenario("syn-meets-old-connection", openings.syn_meets_old_connection, Setup(impairment=_CLEAN, snap=SNAP_ALL)),
    Scenario("many-at-once", openings.many_at_once, Setup(impairment=_FAR)),
    Scenario("overflow", openings.overflow, deviates=_LINEAR),
    Scenario("overflow-aborts", openings.overflow, Setup(server={"tcp_abort_on_overflow": "1"}), deviates=_LINEAR),
    Scenario("syn-cookies", many_requests, Setup(server={"tcp_syncookies": "2"}), share=1),
    Scenario("syn-cookies-no-timestamps", many_requests, Setup(sysctls={"tcp_timestamps": "0"}, server={"tcp_syncookies": "2"}), share=0.5),
    Scenario("syn-lost", openings.many_at_once, Setup(impairment=Impairment(loss=0.1)), deviates=_LINEAR),
    Scenario("fast-open", openings.fast_open, Setup(sysctls={"tcp_fastopen": "3"}, snap=SNAP_ALL)),
    Scenario("accept-with-data", openings.accept_with_data),
)
_ENDS = (
    Scenario("given-up", adversity.given_up, Setup(impairment=_CLEAN)),
    Scenario("keepalive-unanswered", adversity.keepalive_unanswered, Setup(impairment=_CLEAN)),
    Scenario("half-open", adversity.half_open, Setup(impairment=_CLEAN)),
    Scenario("close-at-zero-window", adversity.close_at_zero_window),
    Scenario("deaf-reader", adversity.deaf_reader),
    Scenario("urgent", adversity.urgent, Setup(snap=SNAP_ALL)),
)

SCENARIOS = (*_DATA, *_PATHS, *_SETTINGS, *_OPENINGS, *_ENDS)
