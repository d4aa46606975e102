"""Two exchanges side by side: what makes no difference, what is one, and how much each means."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.capture.compare import Difference, Kind, compare
from conformance.capture.compare_traces import compare_traces
from conformance.capture.exchange import Exchange, Turn, exchange_of_seen, exchange_of_trace
from conformance.trace import Called, Endpoints, Returned, Seen, Sent, StateChanged, Trace
from conformance.wire.segment import Family, Icmp, Quote, Segment, Unreadable

from .talks import HANDSHAKE, PEER, SUT, Numbers, talk

OTHER = Numbers(4_294_967_290, 17, 50_001, 8080, 4_294_967_295, 5, 1_700_000_000_000_000_000)

TALK = f"""{HANDSHAKE}
    > P. 1:101(100) ack 1 opts=nop,nop,ts:5
    < . 1:1(0) ack 101 opts=nop,nop,ts:7:5
    < P. 1:201(200) ack 101 after=100 opts=nop,nop,ts:9:5
    < P. 1:201(200) ack 101 after=300 opts=nop,nop,ts:9:5
    > . 101:101(0) ack 1 opts=nop,nop,sack:101:201
    > . 101:101(0) ack 201
    > F. 101:101(0) ack 201
    < . 201:201(0) ack 102
    < F. 201:201(0) ack 102
    > . 102:102(0) ack 202
"""
SYNACK = "< S. 0:0(0) ack 1"


def found(expected: str, actual: str, **whole: bool) -> list[tuple[Kind, str]]:
    """Kind and sort of each difference."""
    return [(one.kind, one.what) for one in compare(talk(expected), talk(actual, OTHER, **whole))]


def test_numbers_ports_addresses_clocks_and_dates_make_no_difference() -> None:
    assert compare(talk(TALK), talk(TALK, OTHER)) == []


H, A, V = Kind.HARMLESS, Kind.ALLOWED, Kind.VIOLATION


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (SYNACK, f"{SYNACK} win=1000", [(H, "window")]),
        (SYNACK, f"{SYNACK} win=0", [(A, "zero window"), (H, "window")]),
        (SYNACK, f"{SYNACK} ttl=255", [(H, "TTL")]),
        (SYNACK, f"{SYNACK} tos=2", [(A, "ECN field")]),
        (SYNACK, f"{SYNACK} tos=4", [(H, "DSCP")]),
        (SYNACK, f"{SYNACK} reserved=1", [(A, "reserved bits")]),
        (SYNACK, f"{SYNACK} sum=wrong", [(V, "checksum")]),
        (SYNACK, f"{SYNACK} opts=mss", [(A, "option MSS")]),
        (SYNACK, "< SE. 0:0(0) ack 1", [(A, "ECN flags")]),
        (SYNACK, "< S. 0:0(0) ack 2", [(V, "acknowledgement number")]),
        (SYNACK, "< S 0:0(0)", [(V, "missing SYN-ACK"), (V, "extra SYN")]),
        (SYNACK, "< R. 0:0(0) ack 1", [(V, "missing SYN-ACK"), (V, "extra RST")]),
        (SYNACK, f"{SYNACK} after=29", []),
        (SYNACK, f"{SYNACK} after=100", [(A, "timing")]),
        (SYNACK, f"{SYNACK} after=1000", [(A, "timing")]),
        (SYNACK, f"{SYNACK}\n{SYNACK} after=1000", [(A, "extra retransmission of SYN-ACK")]),
        (SYNACK, "", [(V, "missing SYN-ACK")]),
        ("< P. 1:201(200) ack 101 after=300", "< . 1:201(200) ack 101 after=300", [(H, "PSH")]),
        ("opts=nop,nop,ts:7:5", "opts=nop,nop,ts:7:4", [(A, "timestamps")]),
        ("opts=nop,nop,ts:7:5", "opts=nop,nop,ts:8:5", []),
        ("opts=nop,nop,ts:7:5", "opts=ts:7:5,nop,nop", [(H, "order of options")]),
        ("opts=nop,nop,ts:7:5", "", [(A, "option timestamps")]),
        ("< . 1:1(0) ack 101 opts=nop,nop,ts:7:5\n", "", [(A, "missing ACK")]),
        ("< . 201:201(0) ack 102\n", "", [(A, "missing ACK")]),
        ("< P. 1:201(200) ack 101 after=300 opts=nop,nop,ts:9:5\n", "", [(A, "missing retransmission")]),
        ("after=300", "after=290", []),
        ("after=300", "after=1200", [(A, "timing")]),
        ("< F. 201:201(0) ack 102\n", "", [(V, "missing FIN")]),
        ("< F. 201:201(0) ack 102\n", "< F. 201:201(0) ack 102\n< F. 201:201(0) ack 102 after=200\n", [(A, "extra retransmission of FIN")]),
        ("< F. 201:201(0) ack 102\n", "< F. 202:202(0) ack 102\n", [(V, "sequence number")]),
        ("< F. 201:201(0) ack 102\n", "< R. 201:201(0) ack 102\n", [(V, "missing FIN"), (V, "extra RST")]),
    ],
)
def test_a_difference_and_what_it_means(old: str, new: str, expected: list[tuple[Kind, str]]) -> None:
    assert old in TALK
    assert found(TALK, TALK.replace(old, new, 1)) == expected


@pytest.mark.parametrize(
    ("expected", "actual", "differences"),
    [
        ("> P. 1:1(0) ack 1\n< . 1:201(200) ack 1", "> P. 1:1(0) ack 1\n< . 1:101(100) ack 1\n< . 101:201(100) ack 1",
         [(A, "segmentation"), (A, "extra segment of data")]),
        ("< . 1:201(200) ack 1", "< . 1:101(100) ack 1", [(V, "segmentation")]),
        ("< . 1:11(10) ack 1 data=0123456789", "< . 1:11(10) ack 1 data=012345678x", [(V, "data")]),
        ("> . 5:5(0) ack 1\n< . 1:1(0) ack 1", "> . 5:5(0) ack 1", [(V, "missing answer")]),
        ("> R 5:5(0)", "> R 5:5(0)\n< . 1:1(0) ack 1", [(V, "extra answer")]),
        ("> P. 1:11(10) ack 1", "> P. 1:11(10) ack 1\n< . 1:1(0) ack 11", [(A, "extra ACK")]),
        ("> P. 1:11(10) ack 1", "> P. 1:11(10) ack 1\n< . 1:1(0) ack 12", [(V, "extra ACK of what was never sent")]),
        ("> P. 1:11(10) ack 1\n< . 1:1(0) ack 11\n> . 11:11(0) ack 1", "> P. 1:11(10) ack 1\n< . 1:1(0) ack 1\n> . 11:11(0) ack 1",
         [(V, "acknowledgement number")]),
        ("> P. 1:11(10) ack 1\n> P. 11:21(10) ack 1\n< . 1:1(0) ack 21",
         "> P. 1:11(10) ack 1\n< . 1:1(0) ack 11\n> P. 11:21(10) ack 1\n< . 1:1(0) ack 21",
         [(A, "extra ACK")]),
        ("> . 1:1(0) ack 1\n< . 1:11(10) ack 1\n> . 1:1(0) ack 1",
         "> . 1:1(0) ack 1\n> . 1:1(0) ack 1\n< . 1:11(10) ack 1", [(A, "order")]),
        ("< . 1:1(0) ack 1 opts=nop,nop,sack:11:21", "< . 1:1(0) ack 1 opts=nop,nop,sack:11:31", [(A, "SACK blocks")]),
        ("< PU. 1:11(10) ack 1 urg=10", "< P. 1:11(10) ack 1", [(V, "URG"), (V, "urgent pointer")]),
    ],
)  # fmt: skip
def test_what_comes_after_the_handshake(expected: str, actual: str, differences: list[tuple[Kind, str]]) -> None:
    assert found(HANDSHAKE + expected, HANDSHAKE + actual) == differences


def test_a_difference_says_where_it_is_and_what_was_there() -> None:
    (one,) = compare(talk(HANDSHAKE), talk(HANDSHAKE.replace("ack 1\n", "ack 1 win=9\n", 1), OTHER))
    assert one == Difference(H, "window", "window: 9, not 65000", "65000", "9", 2, 2, "default")
    (one,) = compare(talk(HANDSHAKE), talk("> S 0:0(0)\n> . 1:1(0) ack 1", OTHER))
    assert one == Difference(
        V, "missing SYN-ACK", "S. 0:0(0) ack 1 win 65000 is not sent", "S. 0:0(0) ack 1 win 65000", "", 2, None, "default"
    )


def test_times_can_be_left_out() -> None:
    there, here = talk(HANDSHAKE), talk(HANDSHAKE.replace("ack 1\n", "ack 1 after=900\n", 1))
    assert len(compare(there, here)) == 1 and compare(there, here, times=False) == []


@pytest.mark.parametrize(
    ("called", "differ"),
    [((None, None), True), ((None, 40_000_000), False), ((0, 40_000_000), False), ((0, 5_000_000), True), ((9, 9), True)],
)
def test_when_a_call_is_made_is_not_the_sut_s_doing(called: tuple[int | None, int | None], differ: bool) -> None:
    """One packet comes 1 ms after the one before it, the other 41 ms: that is the same if it comes 1 ms after a call."""
    traces = []
    for wait, began in zip((1_000_000, 41_000_000), called, strict=True):
        frames = [(0, "> S 0:0(0)"), (wait, "< S. 0:0(0) ack 1")]
        packets = [talk("\n".join(line for _, line in frames)).turns[number].packet for number in range(2)]
        traces.append(Exchange([Turn(1, 1, packets[0], False), Turn(2, 1 + wait, packets[1], True, "", 0 if began is None else 1 + began)]))
    assert [one.what for one in compare(*traces)] == ["timing"] * differ


@pytest.mark.parametrize("ack", [1, 4_000_000_000])
def test_the_number_of_a_reset_without_a_connection_is_that_of_the_segment_it_answers(ack: int) -> None:
    there, here = (
        talk(f"> . 5:5(0) ack 77\n< R 77:77(0)\n{HANDSHAKE}"),
        talk(f"> . 5:5(0) ack {ack}\n< R {ack}:{ack}(0)\n{HANDSHAKE}", OTHER),
    )
    assert compare(there, here) == []
    wrong = talk(f"> . 5:5(0) ack {ack}\n< R {ack + 1}:{ack + 1}(0)\n{HANDSHAKE}", OTHER)
    assert [(one.kind, one.what) for one in compare(there, wrong)] == [(V, "sequence number")]


def test_a_reset_that_answers_a_segment_without_acknowledgement_has_the_number_zero() -> None:
    talks = [talk(f"{HANDSHAKE}> S -5:-5(0)\n< R. 0:0(0) ack -4 abs={number}", OTHER) for number in (0, 0, 9)]
    assert compare(talks[0], talks[1]) == []
    assert [one.what for one in compare(talks[0], talks[2])] == ["sequence number"]


def test_a_connection_that_begins_anew_has_new_numbers() -> None:
    again = "> S 900:900(0)\n< S. {isn}:{isn}(0) ack 901 opts=ts:{isn}\n< P. {data}:{data}(10) ack 901"
    there, here = (f"{HANDSHAKE}< R. 1:1(0) ack 1\n" + again.format(isn=isn, data=isn + 1) for isn in (5_000, 70_000))
    assert compare(talk(there), talk(here)) == []
    assert [one.what for one in compare(talk(there), talk(here.replace("70001", "70002")))] == ["segmentation"]


def test_connections_are_told_apart() -> None:
    both = HANDSHAKE + HANDSHAKE.replace("(0)", "(0) on=c2").replace(" on=c2 ack 1", " ack 1 on=c2")
    assert compare(talk(both), talk(both, OTHER)) == []
    (one,) = compare(talk(both), talk(both.replace("ack 1 on=c2", "ack 1 win=5 on=c2", 1)))
    assert (one.what, one.connection, one.actual_packet) == ("window", "c2", 5)


def test_where_a_case_ended_early_only_what_both_came_to_counts() -> None:
    early = "".join(TALK.partition("ack 101 after=100")[:1]).rpartition("\n")[0]
    assert [kind for kind, _ in found(TALK, early)] != []
    assert found(TALK, early, whole=False) == [(V, "missing segment of data"), (A, "missing retransmission")], "no later than that"
    assert found(TALK, "> S 0:0(0)\n< S. 0:0(0) ack 1", whole=False) == []


@pytest.mark.parametrize(
    ("there", "here", "differ"),
    [
        ("440c0d00 00000001 00000002", "440c0d00 00000003 00000004", False),
        ("440c0d00 00000001 00000002", "440c0900 00000003 00000000", True),
        ("440c0900 00000001 00000000", "440c0900 00000003 00000000", False),
        ("440c0900 00000001 00000000", "440c0900 00000003 00000005", True),
        ("01 440c0d01 0a000002 00000001", "01 440c0d01 0b000002 00000009", False),
        ("01 440c0d01 0a000002 00000001", "01 440c0d01 0b000003 00000001", True),
        ("4404050000000000", "4404050000000001", True),
        ("440c0d", "440c0e", True),
        ("4400", "4401", True),
        ("44", "45", True),
        ("44030400", "44030500", True),
        ("830b08 0a000001 0a000003", "830b08 0b000001 0b000003", False),
        ("830b08 0a000001 0a000003", "830b08 0b000001 0b000002", True),
        ("830b08 0a000001 c0000201", "830b08 0b000001 c0000201", False),
        ("070704 00000000", "070704 0b000002", True),
        ("820b 0a000001", "820b 0b000001", True),
        ("860606 00000000", "860606 00000001", True),
    ],
)
def test_times_and_addresses_in_ip_options_are_each_run_s_own(there: str, here: str, differ: bool) -> None:
    exchanges = [talk(SYNACK) for _ in range(2)]
    for exchange, octets, net in zip(exchanges, (there, here), (10, 11), strict=True):
        segment = exchange.turns[0].packet
        assert isinstance(segment, Segment)
        segment.dst, segment.src = bytes((net, 0, 0, 1)), bytes((net, 0, 0, 2))
        segment.ip_options = bytes.fromhex(octets)
    assert [(one.kind, one.what) for one in compare(*exchanges)] == [(A, "IP options")] * differ


def test_icmp_and_other_frames() -> None:
    def exchange(*packets: object) -> Exchange:
        return Exchange([Turn(number, number, packet, True) for number, packet in enumerate(packets, 1)])  # type: ignore[arg-type]

    quote = Quote(PEER, SUT, 1, 2, 3)
    port = Icmp(Family.IPV4, SUT, PEER, 3, 3, 0, b"", quote)
    big = Icmp(Family.IPV4, SUT, PEER, 3, 4, 1400, b"", quote)
    smaller = Icmp(Family.IPV4, SUT, PEER, 3, 4, 1300, b"", quote)
    assert [(one.kind, one.what) for one in compare(exchange(port), exchange())] == [(A, "missing ICMP message")]
    assert [(one.expected, one.actual) for one in compare(exchange(big), exchange(smaller))] == [
        ("frag-needed mtu 1400", "frag-needed mtu 1300")
    ]
    assert [(one.kind, one.what) for one in compare(exchange(), exchange(Unreadable("ARP", b"12")))] == [(H, "extra other frame")]


LINES = st.sampled_from(
    [line for line in TALK.splitlines() if line.strip()]
    + ["> . 1:1(0) ack 1", "< . 1:1(0) ack 1", "< . 1:101(100) ack 1 after=700", "< R 1:1(0)", "< . 101:201(100) ack 50", "> S 5:5(0)"]
)


@settings(deadline=None, max_examples=150)
@given(st.lists(LINES, max_size=30), st.lists(LINES, max_size=30))
def test_any_two_exchanges(first: list[str], second: list[str]) -> None:
    a, b = "\n".join(first), "\n".join(second)
    assert compare(talk(a), talk(a, OTHER)) == []
    there, here = compare(talk(a), talk(b)), compare(talk(b), talk(a))
    sent = [sum(line.strip().startswith("<") for line in lines) for lines in (first, second)]
    for differences, (expected, actual) in ((there, sent), (here, sent[::-1])):
        missing = sum(one.what.startswith("missing") for one in differences)
        extra = sum(one.what.startswith("extra") for one in differences)
        assert expected - missing == actual - extra >= 0, "each packet has one partner or none"


@pytest.mark.parametrize("size", [1_500, 3_000])
def test_a_flood_takes_no_time(size: int) -> None:
    """As many packets that all look alike as a case may bring, and an odd one among them."""
    there = talk(HANDSHAKE + "< . 1:1(0) ack 1\n" * size)
    here = talk(HANDSHAKE + "< . 1:1(0) ack 1\n" * (size // 2) + "< . 1:11(10) ack 1\n" + "< . 1:1(0) ack 1\n" * (size // 2))
    assert [(one.kind, one.what) for one in compare(there, here)] == [(V, "extra segment of data")]


# What else two traces have --------------------------------------------------------------------------------------------


def _trace(*events: object, states_from: str = "tracepoint") -> Trace:
    return Trace(events=list(events), states_from=states_from)  # type: ignore[arg-type]


def test_what_calls_return() -> None:
    there = _trace(Called(t=1, step=1, text="x = send(c, 5)"), Returned(t=2, step=1, text="send(c, 5) = 5"))
    here = _trace(Returned(t=9, step=1, text="send(c, 5) = -1 EPIPE"), Returned(t=10, step=2, text="close(c) = 0"))
    (one,) = compare_traces(there, here)
    assert (one.kind, one.what, one.expected, one.actual) == (A, "result of a call", "send(c, 5) = 5", "send(c, 5) = -1 EPIPE")


@pytest.mark.parametrize(
    ("there", "here"), [("accept(s) = 7", "accept(s) = 9"), ("getsockname(c) = c0000201:80", "getsockname(c) = c0000209:81")]
)
def test_handles_and_addresses_are_each_run_s_own(there: str, here: str) -> None:
    assert compare_traces(_trace(Returned(t=1, step=1, text=there)), _trace(Returned(t=1, step=1, text=here))) == []


@pytest.mark.parametrize(
    ("there", "here", "differ"),
    [
        ("abc12", "abc34", False),
        ("abc12", "xbc34", True),
        ("abc12", "c3456", True),
        ("1", "3", False),
    ],
)
def test_octets_that_a_call_read_are_the_same_if_they_are_the_same_ones_of_the_peer_s(there: str, here: str, differ: bool) -> None:
    frames = b"a frame with abc12", b"a frame with abc3456"
    traces = [
        _trace(Sent(t=1, frame=frame, connection="default"), Returned(t=2, step=1, text=f"recv(s, 100) = {len(read)} {read.encode()!r}"))
        for frame, read in zip(frames, (there, here), strict=True)
    ]
    assert [one.what for one in compare_traces(*traces)] == ["result of a call"] * differ


def test_what_is_no_octets_is_compared_as_it_stands() -> None:
    traces = [_trace(Returned(t=2, step=1, text=f"recv(s, 9) = 2 b'\\x{end}'")) for end in ("zz", "z")]
    assert [one.what for one in compare_traces(*traces)] == ["result of a call"]


def test_states_are_compared_if_they_come_from_the_same_source() -> None:
    there = _trace(
        StateChanged(t=1, who="c", old="LISTEN", new="SYN-RECEIVED"), StateChanged(t=2, who="c", old="SYN-RECEIVED", new="ESTABLISHED")
    )
    here = _trace(StateChanged(t=1, who="c", old="LISTEN", new="SYN-RECEIVED"))
    (one,) = compare_traces(there, here)
    assert (one.what, one.expected, one.actual) == ("states", "LISTEN → SYN-RECEIVED → ESTABLISHED", "LISTEN → SYN-RECEIVED")
    here.states_from = "stack"
    assert compare_traces(there, here) == []
    assert compare_traces(there, _trace(), whole=(True, False)) == []


# Where exchanges come from --------------------------------------------------------------------------------------------


def test_a_capture_and_a_trace_of_the_same_are_the_same() -> None:
    turns = talk(TALK, OTHER).turns
    seen = [Seen(turn.number + 100, turn.t, turn.packet) for turn in turns]
    assert compare(talk(TALK), exchange_of_seen(seen, (SUT, OTHER.sut_port))) == []


def test_the_isns_that_a_trace_knows_are_used() -> None:
    trace = Trace(connections={"default": Endpoints("default", PEER, 1, SUT, 2, 500, None)})
    assert exchange_of_trace(trace).isns == {("default", False): 500}
