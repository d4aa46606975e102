"""The rules, each with the requirement that it comes from. What is checked is in the modules that use them; this table says what for."""

from __future__ import annotations

from conformance.oracle.finding import Rule

__all__ = ["RULES", "STRICT"]

_MUST, _SHOULD = "MUST", "SHOULD"

_TABLE = (
    # Header
    ("reserved-bits", "RFC9293/3.1-reserved-bits", _MUST, "reserved bits are zero in segments sent"),
    ("source-address", "RFC1122/3.2.1.3-own-source", _MUST, "the source address is one of the host's own, not broadcast or multicast"),
    ("bad-checksum", "RFC9293/MUST-2", _MUST, "every segment sent carries the correct checksum"),
    ("no-ack-flag", "RFC9293/3.1-acknowledgment", _MUST, "every segment but the first SYN and some RSTs has ACK set"),
    ("option-length", "RFC9293/MUST-68", _MUST, "every option other than EOL and NOP has a length octet that leads to the next"),
    ("option-after-end", "RFC9293/MUST-69", _MUST, "what follows the end of the option list is zero"),
    # Handshake and options
    ("mss-without-syn", "RFC9293/MUST-65", _MUST, "the MSS option is sent in SYNs only"),
    ("sack-permitted-without-syn", "RFC2018/2-permitted-non-syn", _MUST, "SACK-permitted is sent in SYNs only"),
    ("wscale-unasked", "RFC7323/2.2-syn-ack-only-if-received", _MUST, "a SYN,ACK has Window Scale only if the SYN had it"),
    ("wscale-above-14", "RFC7323/2.3-own-limit-14", _MUST, "the shift sent is at most 14"),
    ("timestamps-unasked", "RFC7323/3.2-syn", _SHOULD, "a SYN,ACK has timestamps only if the SYN had them"),
    ("syn-window-scaled", "RFC7323/2.2-syn-window-unscaled", _MUST, "the window of a SYN is never scaled"),
    ("syn-ack-number", "RFC9293/3.10.7.2-third-syn", _MUST, "a SYN,ACK acknowledges the SYN that it answers"),
    ("data-before-handshake", "RFC9293/3.5", _MUST, "data follows the handshake"),
    ("simultaneous-open-refused", "RFC9293/MUST-10", _MUST, "a SYN that crosses the own one is answered with SYN,ACK"),
    ("took-bad-syn-ack", "RFC9293/3.5-bad-syn-ack", _MUST, "a SYN,ACK of something else than the SYN is answered with RST"),
    ("took-bad-handshake-ack", "RFC9293/3.5.2-syn-received", _MUST, "in SYN-RECEIVED an unacceptable ACK is answered with RST"),
    ("isn-from-clock", "RFC9293/SHLD-1", _SHOULD, "an ISN has a part that depends on addresses, ports and a secret"),
    ("isn-constant", "RFC9293/MUST-8", _MUST, "initial sequence numbers are driven by a clock"),
    ("isn-reused", "RFC9293/3.4.1-isn", _MUST, "each new connection selects a new ISN"),
    ("isn-changed", "RFC9293/3.5-simultaneous-open", _MUST, "the SYN,ACK of a simultaneous open keeps the sequence number of the SYN"),
    # Sequence and acknowledgment numbers
    ("ack-of-unsent", "RFC9293/3.1-acknowledgment", _MUST, "the acknowledgment number is the next sequence number expected"),
    ("ack-of-missing", "RFC9293/3.1-acknowledgment", _MUST, "nothing is acknowledged before everything below it has come"),
    ("ack-goes-back", "RFC9293/3.8-current-ack", _MUST, "every segment carries current acknowledgment information"),
    ("not-current", "RFC9293/3.8-current-ack", _MUST, "every segment carries current acknowledgment information"),
    ("sequence-gap", "RFC9293/3.1-sequence-number", _MUST, "new data follows what was sent before without a gap"),
    ("data-after-fin", "RFC9293/3.10.4-fin-wait", _MUST, "nothing new is sent after the FIN"),
    ("fin-moved", "RFC9293/3.6-deliver-all", _MUST, "the FIN follows everything that was sent"),
    ("changed-retransmission", "RFC9293/3.6-deliver-all", _MUST, "what is sent again is what was sent first"),
    # Windows
    ("beyond-window", "RFC9293/3.8.6-fit-window", _MUST, "data is sent in segments that fit the window"),
    ("beyond-shrunk-window", "RFC9293/SHLD-15", _SHOULD, "a sender whose usable window became negative sends no new data"),
    ("window-shrunk", "RFC9293/SHLD-14", _SHOULD, "the right edge of the window never moves left"),
    ("silly-window", "RFC9293/3.8.6.2.2", _SHOULD, "the right edge is kept until it can advance by min(half the buffer, a full segment)"),
    ("probe-backoff", "RFC9293/SHLD-30", _SHOULD, "the interval between window probes grows exponentially"),
    ("probe-missing", "RFC9293/MUST-36", _MUST, "a zero window is probed"),
    # MSS
    ("over-mss", "RFC9293/MUST-16", _MUST, "no segment is larger than the peer's MSS"),
    ("over-default-mss", "RFC9293/MUST-15", _MUST, "without an MSS option from the peer 536 (IPv6: 1220) is the limit"),
    ("options-not-counted", "RFC9293/3.7.1-options-reduce", _MUST, "a segment with options carries that much less data"),
    ("over-path-mtu", "RFC1191/6.4-track", _SHOULD, "no datagram is larger than the path MTU"),
    # Acknowledgments in time
    ("late-ack", "RFC9293/MUST-40", _MUST, "an ACK is delayed by less than 0.5 seconds"),
    ("stretch-ack", "RFC9293/SHLD-19", _SHOULD, "no more than two full-sized segments stay without an ACK"),
    ("no-duplicate-ack", "RFC5681/3.2-dupack-out-of-order", _SHOULD, "an out-of-order segment draws an immediate duplicate ACK"),
    ("unprovoked-ack", "RFC5681/4.2-one-ack-per-segment", _MUST, "there is never more than one ACK for an incoming segment"),
    ("unanswered-segment", "RFC9293/3.10.7.4-first-unacceptable", _MUST, "an unacceptable segment without RST is answered with an ACK"),
    ("syn-challenge", "RFC5961/4.2-syn-challenge-ack", _SHOULD, "a SYN on a connection is answered with a challenge ACK"),
    ("rst-challenge", "RFC5961/3.2-rst-in-window-challenge-ack", _SHOULD, "a RST elsewhere in the window is answered with a challenge ACK"),
    # What must not be taken
    ("took-bad-checksum", "RFC9293/MUST-3", _MUST, "a segment whose checksum is wrong is not processed"),
    ("took-beyond-window", "RFC9293/3.8.6-accept-window", _MUST, "data that is more than the window allows is not accepted"),
    ("took-without-ack", "RFC9293/3.10.7.4-fifth-no-ack", _MUST, "a segment without ACK is dropped"),
    ("took-future-ack", "RFC9293/3.10.7.4-fifth-established-future", _MUST, "a segment that acknowledges what was not sent is dropped"),
    ("took-old-timestamp", "RFC7323/5.3-r1-stale", _MUST, "a segment with a timestamp below TS.Recent is dropped"),
    ("took-no-timestamp", "RFC7323/3.2-missing-dropped", _SHOULD, "on a connection with timestamps a segment without is dropped"),
    ("took-syn", "RFC5961/4.2-syn-dropped", _SHOULD, "a SYN on a connection is dropped, with what it carries"),
    ("died-of-rst-outside", "RFC5961/3.2-rst-outside-window-dropped", _MUST, "a RST outside the window is dropped"),
    ("died-of-rst-inside", "RFC5961/3.2-rst-in-window-dropped", _SHOULD, "a RST in the window but not at its left edge has no effect"),
    ("died-of-syn", "RFC5961/4.2-syn-challenge-ack", _SHOULD, "a SYN on a connection has no effect"),
    ("lives-after-old-rst", "RFC7323/5.2-rst-not-checked", _MUST, "a RST is never rejected for its TSval"),
    ("lives-after-rst", "RFC5961/3.2-rst-exact-match-resets", _MUST, "a RST at exactly RCV.NXT resets the connection"),
    ("sends-after-reset", "RFC9293/3.10.5-synchronized", _MUST, "after an abort the connection is closed"),
    # RST
    ("abort-elsewhere", "RFC9293/3.6-abort", _MUST, "the RST of an abort is at SND.NXT"),
    ("no-reset", "RFC9293/3.5.2-closed", _MUST, "a segment for a connection that does not exist is answered with RST"),
    ("rst-answers-rst", "RFC9293/3.5.2-closed-rst", _MUST, "a RST is never answered with a RST"),
    ("rst-sequence", "RFC9293/3.10.7.1-ack", _MUST, "a RST is at SND.NXT, or at the SEG.ACK of the segment that it answers"),
    ("rst-acknowledgment", "RFC9293/3.10.7.1-no-ack", _MUST, "a RST that answers no ACK has SEQ 0 and acknowledges everything"),
    # Retransmission
    ("retransmitted-acknowledged", "RFC9293/3.4-fully-acknowledged", _MUST, "what is acknowledged leaves the retransmission queue"),
    ("retransmitted-sacked", "RFC2018/5-retransmit-holes", _SHOULD, "what was selectively acknowledged is not sent again before a timeout"),
    ("too-early", "RFC6298/5-never-early", _MUST, "the timer never retransmits before one RTO is over"),
    ("first-sample", "RFC6298/2.2-first-sample", _MUST, "after one sample the RTO is three times the round trip"),
    ("rto-below-second", "RFC6298/2.4-minimum", _SHOULD, "an RTO below one second is rounded up to one"),
    ("timer-not-restarted", "RFC6298/5.3-restart", _SHOULD, "an ACK of new data restarts the timer"),
    ("not-retransmitted", "RFC9293/3.10.8-retransmission", _MUST, "what is not acknowledged is sent again"),
    ("window-after-syn-loss", "RFC6928/2-syn-loss", _SHOULD, "after more than one loss of the SYN the initial window is one segment"),
    ("syn-too-early", "RFC6298/2.1-initial-rto", _SHOULD, "before the first round-trip sample the RTO is 1 second"),
    ("no-backoff", "RFC6298/5.5-backoff", _MUST, "the RTO is doubled each time it expires"),
    ("syn-no-backoff", "RFC1122/4.2.3.1-syn-backoff", _SHOULD, "SYNs are retransmitted by the same algorithm as data"),
    ("early-fast-retransmit", "RFC5681/3.2-fast-retransmit", _SHOULD, "the third duplicate ACK, none before, makes the sender retransmit"),
    ("no-fast-retransmit", "RFC5681/3.2-fast-retransmit", _SHOULD, "the third duplicate ACK makes the sender retransmit"),
    ("not-left-edge", "RFC6298/5.4-earliest-segment", _SHOULD, "on a timeout the earliest unacknowledged segment is sent again"),
    ("timeout-left-edge", "RFC2018/5-timeout-left-edge", _MUST, "on a timeout the left edge is sent again even if it was SACKed"),
    ("after-timeout", "RFC5681/3.1-loss-window", _MUST, "after a timeout slow start begins with one segment"),
    ("loss-window", "RFC5681/3.1-loss-window", _MUST, "after a timeout the congestion window is one segment"),
    ("initial-window", "RFC6928/2-upper-bound", _MUST, "the initial window is at most min(10*MSS, max(2*MSS, 14600)) octets"),
    ("slow-start-growth", "RFC5681/3.1-slow-start-growth", _MUST, "each ACK of new data enlarges the window by at most a segment"),
    # SACK
    ("sack-unasked", "RFC2018/4-not-permitted", _MUST, "SACK is sent only to a peer that permitted it"),
    ("sack-of-unsent", "RFC2018/8-not-held", _MUST, "SACK reports only data that has come and is held"),
    ("sack-format", "RFC2018/3-format", _MUST, "a block is a left edge and a right edge above it"),
    ("sack-not-isolated", "RFC2018/3-isolated", _MUST, "the octets just below and above a block have not come"),
    ("sack-first-block", "RFC2018/4-first-block", _MUST, "the first block has the segment that triggered the ACK"),
    ("sack-of-acknowledged", "RFC2018/3-gap-filled", _MUST, "what is acknowledged is reported no more"),
    ("sack-missing", "RFC2018/4-every-ack", _SHOULD, "SACK is in every ACK while data is queued above a gap"),
    ("dsack-edges", "RFC2883/4-edges", _MUST, "the edges of a D-SACK block are those of what came twice"),
    ("dsack-of-single", "RFC2883/4-only-newest", _MUST, "a D-SACK block reports what came twice"),
    ("dsack-repeated", "RFC2883/4-once", _MUST, "each duplicate is reported once"),
    # Timestamps
    ("timestamp-missing", "RFC7323/3.2-every-segment", _MUST, "once negotiated every segment other than RST carries timestamps"),
    ("timestamp-goes-back", "RFC7323/5.4-monotone", _MUST, "TSval never goes back"),
    ("timestamp-rate", "RFC7323/5.4-clock-rate", _SHOULD, "the timestamp clock ticks every 1 ms to 1 s"),
    ("echo-of-unsent", "RFC7323/4.3-tsecr-ts-recent", _MUST, "TSecr is a TSval that came"),
    ("echo-not-recent", "RFC7323/4.3-tsecr-ts-recent", _MUST, "TSecr of every segment with ACK is TS.Recent"),
    ("echo-without-ack", "RFC7323/3.2-tsecr-zero", _SHOULD, "TSecr is 0 in a segment without ACK"),
    # Close
    ("time-wait-silent", "RFC9293/3.10.7.4-fifth-time-wait", _MUST, "in TIME-WAIT a FIN that comes again is acknowledged"),
    ("time-wait-short", "RFC9293/MUST-13", _MUST, "the side that closes first stays in TIME-WAIT for twice the MSL"),
    ("time-wait-reopened", "RFC9293/3.10.7.4-first-time-wait", _MUST, "in TIME-WAIT an older SYN opens no connection"),
    ("time-wait-reused", "RFC9293/MUST-13", _MUST, "the side that closes first stays in TIME-WAIT for twice the MSL"),
    # Keep-alive, urgent, push
    ("keepalive-with-data", "RFC9293/MUST-26", _MUST, "keep-alives are sent only when no data is outstanding"),
    ("urgent-flag", "RFC9293/3.8.5-urg-flag", _MUST, "URG is set in what is sent while urgent data is outstanding"),
    ("urgent-goes-back", "RFC9293/3.10.2-urgent", _MUST, "the urgent pointer does not recede"),
    # ECN
    ("ecn-unasked", "RFC3168/6.1.1-no-setup-syn-ack-unasked", _MUST, "an ECN-setup SYN,ACK answers an ECN-setup SYN only"),
    ("ect-after-reflection", "RFC3168/6.1.1.2-reflected", _MUST, "a SYN,ACK with ECE and CWR agrees to nothing"),
    ("no-cwr", "RFC3168/6.1.2-ece-like-loss", _MUST, "ECE has the effect of a loss, and CWR says so"),
    ("cwr-again", "RFC3168/6.1.2-cwr-first-new-data", _SHOULD, "CWR is set on the first new segment after a reduction only"),
    ("ect-not-negotiated", "RFC3168/6.1.1-ect-only-negotiated", _MUST, "ECT is set only where both sides agreed on ECN"),
    ("ect-on-syn", "RFC3168/6.1.1-no-ect-on-syn", _MUST, "ECT is never set on a SYN"),
    ("ect-on-pure-ack", "RFC3168/6.1.4-pure-ack", _MUST, "pure ACKs are not ECT"),
    ("ect-on-retransmission", "RFC3168/6.1.5-retransmission-not-ect", _MUST, "retransmitted data is never ECT"),
    ("no-echo-of-congestion", "RFC3168/6.1.3-ece-on-ce", _MUST, "CE is answered with ECE in the next ACK"),
    ("echo-after-cwr", "RFC3168/6.1.3-ece-after-cwr", _MUST, "after CWR the ACKs have no ECE until CE comes again"),
    ("echo-ends-early", "RFC3168/6.1.3-ece-until-cwr", _MUST, "ECE stays set until CWR comes"),
)  # fmt: skip

STRICT = frozenset({"rto-below-second"})
"""Of these nearly every stack thinks otherwise: they are judged only where somebody asks for them."""
RULES = {name: Rule(name, requirement, level, says) for name, requirement, level, says in _TABLE}
"""By name."""
